//! What the owner of an engine holds. Every call is a closure that the loop's thread runs between two batches; the caller
//! waits for its answer, which takes microseconds, and gets [`EngineError::Stopped`] when there is nobody to answer.

use crate::endpoints::{EndpointSpec, NetworkSpec};
use crate::error::EngineError;
use crate::events::{Event, EventKind, EventQueue};
use crate::faults::FaultsSpec;
use crate::limits::{CALL_PATIENCE, DEFAULT_MAX_FLOWS, RESERVED_DESCRIPTORS};
use crate::publish::PublishSpec;
use crate::run::{Loop, LoopOptions};
use crate::snapshot::Snapshot;
use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use unet_core::switch::HostAccess;
use unet_sys::event::{Waker, fine_timers};
use unet_sys::{execute, signal};

/// What an engine is made with.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Where launchers connect. Whatever socket lies there is replaced: the caller holds the lock that makes it the only one.
    pub handoff_socket: PathBuf,
    /// Flows of all guests together; none: 65,536. Less where the process may not open as many descriptors.
    pub max_flows: Option<usize>,
}

type Call = Box<dyn FnOnce(&mut Loop) + Send>;

/// Calls on their way to the loop.
pub(crate) struct Mailbox {
    calls: Mutex<VecDeque<Call>>,
    waker: Waker,
    closed: AtomicBool,
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl Mailbox {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { calls: Mutex::default(), waker: Waker::new()?, closed: AtomicBool::new(false) })
    }

    pub(crate) fn waker(&self) -> BorrowedFd<'_> {
        self.waker.fd()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn run_calls(&self, engine: &mut Loop) {
        self.waker.clear();
        loop {
            // The lock is not held while a call runs.
            let call = self.lock().pop_front();
            match call {
                Some(call) => call(engine),
                None => return,
            }
        }
    }
}

/// A running engine. Dropping it ends it: flows are reset, TAPs let go, listeners closed.
#[derive(Debug)]
pub struct Engine {
    mailbox: Arc<Mailbox>,
    events: Arc<EventQueue>,
    handoff_socket: PathBuf,
    /// Which file that was.
    bound: Option<(u64, u64)>,
    thread: Option<JoinHandle<()>>,
    next_ask: AtomicU64,
}

impl Engine {
    /// Starts the thread. `tell` is called from it when there is something to drain; it must not block.
    ///
    /// # Errors
    /// What the system refused: the socket's directory, descriptors, a thread.
    pub fn start(options: &EngineOptions, tell: Box<dyn Fn() + Send + Sync>) -> Result<Self, EngineError> {
        let mailbox = Arc::new(Mailbox::new()?);
        let events = Arc::new(EventQueue::new(tell));
        let settings = LoopOptions {
            handoff_socket: options.handoff_socket.clone(),
            max_flows: options.max_flows.unwrap_or(DEFAULT_MAX_FLOWS).min(affordable_flows()?),
        };
        let engine = Loop::new(&settings, Arc::clone(&mailbox), Arc::clone(&events))?;
        let thread = {
            let (mailbox, events) = (Arc::clone(&mailbox), Arc::clone(&events));
            std::thread::Builder::new().name("unet-engine".into()).spawn(move || keep(engine, &mailbox, &events))?
        };
        let handoff_socket = options.handoff_socket.clone();
        let bound = identity(&handoff_socket);
        Ok(Self { mailbox, events, handoff_socket, bound, thread: Some(thread), next_ask: AtomicU64::new(1) })
    }

    /// Up to `max` events; call until there are none.
    #[must_use]
    pub fn drain_events(&self, max: usize) -> Vec<Event> {
        self.events.drain(max)
    }

    fn post(&self, call: Call) -> Result<(), EngineError> {
        {
            let mut calls = self.mailbox.lock();
            if self.mailbox.is_closed() {
                return Err(EngineError::Stopped);
            }
            calls.push_back(call);
        }
        self.mailbox.waker.wake();
        Ok(())
    }

    fn call<T: Send + 'static>(&self, work: impl FnOnce(&mut Loop) -> T + Send + 'static) -> Result<T, EngineError> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.post(Box::new(move |engine| {
            // The caller may have lost patience.
            let _ = answer.send(work(engine));
        }))?;
        // A loop that has died takes the call, and with it the sender, along.
        answered.recv_timeout(CALL_PATIENCE).map_err(|_| EngineError::Stopped)
    }

    /// # Errors
    /// `EEXIST`, `EINVAL`, `ESTOPPED`.
    pub fn add_network(&self, spec: NetworkSpec) -> Result<(), EngineError> {
        self.call(move |engine| engine.add_network(spec))?
    }

    /// # Errors
    /// `ENOENT`, `EINVAL` while it has endpoints, `ESTOPPED`.
    pub fn remove_network(&self, id: String) -> Result<(), EngineError> {
        self.call(move |engine| engine.remove_network(&id))?
    }

    /// # Errors
    /// `ENOENT` for the network, `EEXIST` for a name, address or MAC that is taken, `EINVAL`, `ESTOPPED`.
    pub fn expect_endpoint(&self, spec: EndpointSpec) -> Result<(), EngineError> {
        self.call(move |engine| engine.expect_endpoint(spec))?
    }

    /// # Errors
    /// `ESTOPPED`.
    pub fn drop_endpoint(&self, id: String) -> Result<(), EngineError> {
        self.call(move |engine| engine.drop_endpoint(&id))
    }

    /// # Errors
    /// `ENOENT`, `ESTOPPED`.
    pub fn set_host_access(&self, id: String, access: HostAccess) -> Result<(), EngineError> {
        self.call(move |engine| {
            let endpoint = engine.endpoints.get(&id).ok_or(EngineError::NotFound("endpoint"))?.id;
            engine.stack.set_host_access(endpoint, access);
            Ok(())
        })?
    }

    /// Makes an endpoint's link bad, each direction as asked, or good again.
    ///
    /// # Errors
    /// `ENOENT`, `ESTOPPED`.
    pub fn set_faults(&self, id: String, spec: FaultsSpec) -> Result<(), EngineError> {
        self.call(move |engine| engine.set_faults(&id, &spec))?
    }

    /// The same for what two endpoints say to one another: `egress` is from `a` to `b`, `ingress` back.
    ///
    /// # Errors
    /// `ENOENT`, `EINVAL` when they are one, `ESTOPPED`.
    pub fn set_faults_between(&self, a: String, b: String, spec: FaultsSpec) -> Result<(), EngineError> {
        self.call(move |engine| engine.set_faults_between(&a, &b, &spec))?
    }

    /// Lets the command start.
    ///
    /// # Errors
    /// `ENOENT` when no launcher stands behind the endpoint, `ESTOPPED`.
    pub fn release(&self, id: String) -> Result<(), EngineError> {
        self.call(move |engine| engine.release(&id))?
    }

    /// Has the launcher say `message` and end.
    ///
    /// # Errors
    /// As [`Engine::release`].
    pub fn abort(&self, id: String, message: String) -> Result<(), EngineError> {
        self.call(move |engine| engine.abort(&id, &message))?
    }

    /// # Errors
    /// As [`Engine::release`].
    pub fn signal_guest(&self, id: String, signal: i32) -> Result<(), EngineError> {
        self.call(move |engine| engine.signal_guest(&id, signal))?
    }

    /// # Errors
    /// `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, `ENOENT`, `ESTOPPED`.
    pub fn publish(&self, spec: PublishSpec) -> Result<u16, EngineError> {
        self.call(move |engine| engine.publish(spec))?
    }

    /// # Errors
    /// `ENOENT`, `ESTOPPED`.
    pub fn unpublish(&self, spec: PublishSpec) -> Result<(), EngineError> {
        self.call(move |engine| engine.unpublish(&spec))?
    }

    /// Writes what guests ask and answer into `arena`, as records (see `dns/seam.rs`), and says how many bytes that is; call until
    /// there are none, after [`Engine::drain_events`]; at most `max` records. A buffer of [`crate::SMALLEST_ARENA`] has room for one record of any size.
    pub fn drain_dns(&self, arena: &mut [u8], max: usize) -> usize {
        self.events.dns(|seam| seam.drain(arena, max))
    }

    /// Answers questions: records as in `dns/seam.rs`, one behind the other. Does not wait.
    ///
    /// # Errors
    /// `ESTOPPED`.
    pub fn answer_dns(&self, records: Vec<u8>) -> Result<(), EngineError> {
        self.post(Box::new(move |engine| engine.answer_dns_records(&records)))
    }

    /// Asks the DNS server of the guest that has this address, and gives back the question's number, under which a record will bring the
    /// reply, or say within seconds that there is none. Does not wait.
    ///
    /// # Errors
    /// `ESTOPPED`.
    pub fn ask_guest(&self, network: String, address: Ipv4Addr, message: Vec<u8>) -> Result<u64, EngineError> {
        let query = self.next_ask.fetch_add(1, Ordering::Relaxed);
        self.post(Box::new(move |engine| engine.ask_guest(&network, address, query, &message)))?;
        Ok(query)
    }

    /// # Errors
    /// `ESTOPPED`.
    pub fn snapshot(&self) -> Result<Snapshot, EngineError> {
        self.call(|engine| engine.snapshot())
    }

    /// Makes the loop panic: for the tests of what happens then.
    ///
    /// # Errors
    /// `ESTOPPED`.
    pub fn panic_for_test(&self) -> Result<(), EngineError> {
        self.post(Box::new(|_| panic!("asked to panic")))
    }

    /// Ends the thread. Calls from now on answer `ESTOPPED`.
    pub fn close(&mut self) {
        self.mailbox.closed.store(true, Ordering::Release);
        self.mailbox.waker.wake();
        if let Some(thread) = self.thread.take() {
            // A panic has been reported as an event already.
            let _ = thread.join();
            // Another daemon may have bound the path since.
            if identity(&self.handoff_socket) == self.bound {
                let _ = std::fs::remove_file(&self.handoff_socket);
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

/// Flows that the process has descriptors for, beside those that it needs itself.
fn affordable_flows() -> io::Result<usize> {
    let files = usize::try_from(execute::soft_open_files()?).unwrap_or(usize::MAX);
    Ok(files - RESERVED_DESCRIPTORS.min(files / 4))
}

/// What tells a socket from another that was bound at the same path later.
fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// The thread: runs the loop, reports how it ended.
fn keep(mut engine: Loop, mailbox: &Mailbox, events: &EventQueue) {
    // Signals are Node's business: its threads must get them.
    let _ = signal::block_all();
    fine_timers();
    // What the loop owns is dropped below whatever state a panic left it in, and nothing else sees it again.
    let ended = catch_unwind(AssertUnwindSafe(|| engine.run()));
    // Closed before what is left of the calls is dropped, so that none comes after.
    mailbox.closed.store(true, Ordering::Release);
    let left = std::mem::take(&mut *mailbox.lock());
    drop(left);
    let message = match ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(panic) => Some(
            panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "panic".to_owned()),
        ),
    };
    // Sockets and TAPs are closed before the owner hears of it: it will want the same ports again.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(engine)));
    if let Some(message) = message {
        events.push(None, EventKind::Fatal { message });
    }
}
