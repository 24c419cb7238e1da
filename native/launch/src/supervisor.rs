//! The launcher's first and last process: it stays on the host, and ties the guest, the engine and the caller together.
//!
//! # Theory of operation
//!
//! One loop waits for: signals, the channel to the processes inside, init's pidfd, the engine's socket, the log pipes, and signs
//! of a new engine. Start-up is three waits on that loop (the TAP, the engine's "ready" and "go", the command's
//! start); any other thing that happens meanwhile is dealt with the same way in all of them.
//!
//! The engine and the daemon may die at any time after "go": the guest goes on, its frames wait in the TAP's queue, and a
//! dup of the attached descriptor is handed to the next engine that listens at the same path. Because the descriptor never
//! closes, the guest sees no carrier event, and nobody else can attach to the queue.
//!
//! Who dies with whom: in the foreground the supervisor dies with its parent (parent-death signal), detached it depends on
//! nobody; init dies with the supervisor, and the guest with init.

use std::collections::VecDeque;
use std::io::{self, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use unet_sys::fork::{Parent, end_child, fork, try_wait_for, wait_for};
use unet_sys::namespace::Pid;
use unet_sys::pidfd;
use unet_sys::signal::{Name, Signals};
use unet_sys::wait::{Waiting, wait};

use crate::channel::Channel;
use crate::execute::Standard;
use crate::exit_status::{self, ExitStatus};
use crate::failure::{Failure, OWN_ERROR, Result, Step};
use crate::forwarding::Forwarding;
use crate::handoff::Handoff;
use crate::inside;
use crate::log_pump::LogPump;
use crate::messages::{Device, FromEngine, FromInside, ToEngine, ToInside};
use crate::spec::Spec;

/// How long the engine may take to say whether it takes the TAP.
const READY_LIMIT: Duration = Duration::from_secs(10);
/// How long log pipes are read after the guest's end: somebody outside may hold their other end.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);
const SIGKILL: i32 = 9;

/// Where warnings and the news of the start go.
pub(crate) trait Reporter {
    fn warn(&mut self, text: &str);
    fn started(&mut self);
}

pub(crate) struct Supervisor<'a> {
    spec: &'a Spec,
    reporter: &'a mut dyn Reporter,
    signals: Signals,
    forwarding: Forwarding,
    inside: Channel,
    /// The last word from inside was heard.
    inside_ended: bool,
    entrant: Option<Pid>,
    init: Option<Init>,
    handoff: Handoff<'a>,
    command: Option<OwnedFd>,
    pump: Option<LogPump>,
    held_stdin: Option<PipeWriter>,
    /// Seen, and not yet given out by [`Self::next`].
    events: VecDeque<Event>,
}

struct Init {
    pid: Pid,
    handle: OwnedFd,
}

#[derive(Debug)]
enum Event {
    Signal(unet_sys::signal::Arrived),
    Inside(FromInside, Option<OwnedFd>),
    /// Init has ended, and everything it had to say was heard before.
    InitEnded(ExitStatus),
    /// The entrant ended without an init.
    EntrantEnded,
    Engine(FromEngine),
    EngineGone,
    /// Something appeared beside the engine's socket.
    DirectoryChanged,
    Deadline,
}

/// Runs the spec to its end and gives the command's status.
pub(crate) fn run(
    spec: &Spec,
    standard: Standard,
    sources: Option<crate::stdio::Sources>,
    reporter: &mut dyn Reporter,
) -> Result<ExitStatus> {
    let (ours, theirs) = Channel::pair().step("cannot start the launcher")?;
    let entrant = match fork(Parent::Caller) {
        Ok(None) => {
            drop((ours, sources));
            end_child(|| inside::enter(spec, &theirs, standard))
        }
        Ok(Some(pid)) => pid,
        Err(error) => return Err(Failure::own(format_args!("cannot start the launcher: {error}"))),
    };
    drop((theirs, standard));
    let mut supervisor = Supervisor::new(spec, reporter, ours, entrant)?;
    let result = supervisor.start(sources).and_then(|()| supervisor.serve());
    supervisor.leave_nothing_behind(&result);
    result
}

impl<'a> Supervisor<'a> {
    fn new(spec: &'a Spec, reporter: &'a mut dyn Reporter, inside: Channel, entrant: Pid) -> Result<Self> {
        use Name::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTTOU, SIGUSR1, SIGUSR2};
        let listed = [SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
        // With SIGTTOU blocked a message to the terminal is never held up, and the terminal can be taken back at the end.
        let signals = Signals::listen(&listed, &[SIGTTOU]).step("cannot watch for signals")?;
        Ok(Self {
            spec,
            reporter,
            signals,
            forwarding: Forwarding::new(unet_sys::fork::parent()),
            inside,
            inside_ended: false,
            entrant: Some(entrant),
            init: None,
            handoff: Handoff::new(spec),
            command: None,
            pump: None,
            held_stdin: None,
            events: VecDeque::new(),
        })
    }

    fn start(&mut self, sources: Option<crate::stdio::Sources>) -> Result<()> {
        self.handoff.connect()?;
        if let (Some(sources), Some(path)) = (sources, &self.spec.log_file) {
            let opened = LogPump::open(path, sources.streams);
            self.held_stdin = sources.held;
            self.pump = Some(opened.step(format_args!("cannot write the log {}", path.display()))?);
        }
        let (device, tap) = self.await_device()?;
        self.handoff.attach(device, tap)?;
        self.await_engine(Some(READY_LIMIT), |message| matches!(message, FromEngine::Ready))?;
        self.await_engine(None, |message| matches!(message, FromEngine::Go))?;
        // If it cannot be told, it has just ended, and its last words say why.
        let _ = self.inside.send(&ToInside::Go, None);
        self.await_command()
    }

    fn await_device(&mut self) -> Result<(Device, OwnedFd)> {
        loop {
            match self.next(None)? {
                Event::Inside(FromInside::Device(device), Some(tap)) => return Ok((device, tap)),
                Event::Engine(_) => {}
                other => self.starting(other)?,
            }
        }
    }

    /// Waits for one word of the engine.
    fn await_engine(&mut self, limit: Option<Duration>, expected: impl Fn(&FromEngine) -> bool) -> Result<()> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        loop {
            match self.next(deadline)? {
                Event::Engine(message) if expected(&message) => return Ok(()),
                Event::Engine(FromEngine::Refused { reason }) => {
                    return Err(Failure::own(format_args!("the daemon did not take the container: {reason}")));
                }
                Event::Engine(FromEngine::Abort { message }) => return Err(Failure::own(message)),
                Event::Deadline => {
                    return Err(Failure::own(
                        "the daemon does not answer: look into its log, or restart it with `unet daemon restart`",
                    ));
                }
                other => self.starting(other)?,
            }
        }
    }

    /// From "go" on the command may run at any moment, and what it is sent is its own business: signals wait until its pidfd is
    /// here. (A key pressed before the command's process exists, in these few milliseconds, is lost.)
    fn await_command(&mut self) -> Result<()> {
        let mut waiting = Vec::new();
        loop {
            match self.next(None)? {
                Event::Inside(FromInside::Started, Some(handle)) => {
                    let pid = pidfd::number(handle.as_fd()).step("cannot read the command's number")?;
                    self.command = Some(handle);
                    // Init waits for this; if it cannot be told it is dead, which the loop will see.
                    let _ = self.inside.send(&ToInside::Noted, None);
                    self.handoff.started(pid.unwrap_or(0));
                    self.reporter.started();
                    waiting.into_iter().rev().for_each(|event| self.events.push_front(event));
                    return Ok(());
                }
                // The engine may die from here on; the guest is complete.
                Event::EngineGone => self.handoff.lost(Instant::now()),
                event @ (Event::Signal(_) | Event::Engine(FromEngine::Signal { .. })) => waiting.push(event),
                other => self.starting(other)?,
            }
        }
    }

    /// What may happen at any time before the command runs.
    fn starting(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Inside(FromInside::Warning { message }, _) => self.reporter.warn(&message),
            Event::Inside(FromInside::Failed(failure), _) => return Err(failure),
            Event::InitEnded(status) => {
                return Err(Failure::own(format_args!(
                    "the container's init was killed before the command ran (status {})",
                    status.exit_code
                )));
            }
            Event::EntrantEnded => return Err(Failure::own("the launcher was killed while it made the namespaces")),
            Event::EngineGone => {
                return Err(Failure::own(
                    "the daemon ended before the container was started: look into its log, and try again",
                ));
            }
            Event::Signal(arrived) if Forwarding::is_listed(arrived.signal) => {
                let exit_code = ExitStatus::killed(arrived.signal).exit_code;
                return Err(Failure::with_code("interrupted before the command was started", exit_code));
            }
            Event::Engine(FromEngine::Signal { signal }) => {
                let exit_code = ExitStatus::killed(signal).exit_code;
                return Err(Failure::with_code("stopped before the command was started", exit_code));
            }
            Event::Engine(FromEngine::Abort { message }) => return Err(Failure::own(message)),
            // Said at another time than expected: an engine of another version. What matters is waited for.
            Event::Inside(..) | Event::Signal(_) | Event::Engine(_) => {}
            Event::DirectoryChanged | Event::Deadline => {}
        }
        Ok(())
    }

    /// From the command's start to its end.
    fn serve(&mut self) -> Result<ExitStatus> {
        let mut reported = None;
        loop {
            let retry = self.handoff.retry_at();
            match self.next(retry)? {
                Event::Signal(arrived) => {
                    if self.forwarding.admits(arrived, Instant::now()) {
                        self.signal_command(arrived.signal);
                    }
                }
                Event::Inside(FromInside::Exited(status), _) => reported = Some(status),
                Event::Inside(FromInside::Failed(failure), _) => return Err(failure),
                Event::Inside(FromInside::Warning { message }, _) => self.reporter.warn(&message),
                Event::InitEnded(status) => {
                    // Without a word of init's the guest was killed as a whole.
                    let status = reported.unwrap_or(status);
                    self.finish(status);
                    return Ok(status);
                }
                Event::Engine(FromEngine::Signal { signal }) => self.signal_command(signal),
                Event::Engine(FromEngine::Ready) => self.handoff.attached_again(),
                // A daemon that does not know the container yet, or is going down: try again later.
                Event::Engine(FromEngine::Refused { .. } | FromEngine::Abort { .. }) | Event::EngineGone => {
                    self.handoff.lost(Instant::now());
                }
                Event::DirectoryChanged => self.handoff.directory_changed(Instant::now()),
                Event::Deadline => self.handoff.retry(Instant::now()),
                Event::Engine(FromEngine::Go) | Event::Inside(..) | Event::EntrantEnded => {}
            }
        }
    }

    /// SIGKILL ends init, and with it everything inside; any other signal is for the command.
    fn signal_command(&self, signal: i32) {
        let handle = match (&self.command, &self.init) {
            (_, Some(init)) if signal == SIGKILL => Some(&init.handle),
            (Some(command), _) => Some(command),
            _ => None,
        };
        if let Some(handle) = handle {
            // ESRCH: it has just ended.
            let _ = pidfd::send_signal(handle.as_fd(), signal);
        }
    }

    fn finish(&mut self, status: ExitStatus) {
        let limit = Instant::now() + DRAIN_LIMIT;
        while let Some(pump) = &mut self.pump {
            let now = Instant::now();
            let ready = ready_sources(pump, limit.saturating_duration_since(now));
            if pump.is_done() || now >= limit {
                break;
            }
            pump.pump(&ready, now);
        }
        if let Some(mut pump) = self.pump.take() {
            pump.finish();
        }
        if let Some(path) = &self.spec.exit_file {
            self.record(path, status);
        }
        self.handoff.tell(&ToEngine::Exited(status));
    }

    fn record(&mut self, path: &Path, status: ExitStatus) {
        if let Err(error) = exit_status::record(path, status) {
            self.reporter.warn(&format!("cannot write {}: {error}", path.display()));
        }
    }

    /// The next thing that happened, or [`Event::Deadline`]. Log pipes are pumped meanwhile.
    fn next(&mut self, deadline: Option<Instant>) -> Result<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            let now = Instant::now();
            if deadline.is_some_and(|at| at <= now) {
                return Ok(Event::Deadline);
            }
            let flush = self.pump.as_ref().and_then(LogPump::deadline);
            let limit = [deadline, flush].into_iter().flatten().min();
            self.wait(limit.map(|at| at.saturating_duration_since(now))).step("the launcher cannot wait")?;
        }
    }

    /// Waits once and queues what happened.
    fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let mut waiting = vec![Waiting::to_read(self.signals.as_fd())];
        let mut place = |fd| {
            waiting.push(Waiting::to_read(fd));
            waiting.len() - 1
        };
        let inside = (!self.inside_ended).then(|| place(self.inside.as_fd()));
        let init = self.init.as_ref().map(|init| place(init.handle.as_fd()));
        let engine = self.handoff.socket().map(&mut place);
        let directory = self.handoff.watch().map(&mut place);
        let logs: Vec<usize> = self.pump.iter().flat_map(LogPump::sources).map(&mut place).collect();
        wait(&mut waiting, limit)?;
        let ready: Vec<bool> = waiting.iter().map(Waiting::is_ready).collect();
        drop(waiting);
        let is_ready = |place: Option<usize>| place.is_some_and(|place| ready[place]);

        if let Some(pump) = &mut self.pump {
            let sources: Vec<usize> =
                logs.iter().enumerate().filter(|(_, place)| ready[**place]).map(|(source, _)| source).collect();
            pump.pump(&sources, Instant::now());
        }
        if is_ready(inside) {
            self.hear_inside()?;
        }
        if is_ready(engine) {
            self.hear_engine();
        }
        if is_ready(directory) {
            self.events.push_back(Event::DirectoryChanged);
        }
        if ready[0] {
            self.take_signals()?;
        }
        // Last: what init said before its end has been heard. It ended between two looks if its channel is not at its end.
        if is_ready(init) {
            while !self.inside_ended {
                self.hear_inside()?;
            }
            if let Some(init) = self.init.take() {
                self.events.push_back(Event::InitEnded(wait_for(init.pid)?.into()));
            }
        }
        Ok(())
    }

    fn hear_inside(&mut self) -> io::Result<()> {
        match self.inside.receive(false) {
            Ok(Some((FromInside::Init { pid }, _))) => {
                let pid = Pid::from_raw(pid);
                self.init = Some(Init { pid, handle: pidfd::open(pid)? });
            }
            Ok(Some((message, fd))) => self.events.push_back(Event::Inside(message, fd)),
            Ok(None) => self.inside_ended = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // The other end died with a message of ours unread. The kernel says so before it gives out what the other end
            // said last, and only once.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn hear_engine(&mut self) {
        match self.handoff.receive() {
            Ok(Some(message)) => self.events.push_back(Event::Engine(message)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // Not our words: as good as gone.
            Ok(None) | Err(_) => {
                self.handoff.close();
                self.events.push_back(Event::EngineGone);
            }
        }
    }

    fn take_signals(&mut self) -> io::Result<()> {
        while let Some(arrived) = self.signals.next()? {
            if arrived.signal != Name::SIGCHLD as i32 {
                self.events.push_back(Event::Signal(arrived));
            } else if let Some(pid) = self.entrant
                && try_wait_for(pid)?.is_some()
            {
                self.entrant = None;
                // Its last words may still be in the channel.
                while !self.inside_ended && self.init.is_none() && self.hears_more()? {}
                if self.init.is_none() {
                    self.events.push_back(Event::EntrantEnded);
                }
            }
        }
        Ok(())
    }

    fn hears_more(&mut self) -> io::Result<bool> {
        let mut waiting = [Waiting::to_read(self.inside.as_fd())];
        wait(&mut waiting, Some(Duration::ZERO))?;
        let [more] = waiting.map(|one| one.is_ready());
        if more {
            self.hear_inside()?;
        }
        Ok(more)
    }

    /// After a failure nothing may stay: no process, no socket. After a success nothing is left anyway.
    fn leave_nothing_behind(&mut self, result: &Result<ExitStatus>) {
        if let Err(failure) = result {
            self.handoff.tell(&ToEngine::Failed(failure));
        }
        self.handoff.close();
        if let Some(entrant) = self.entrant.take() {
            let _ = pidfd::open(entrant).and_then(|handle| pidfd::send_signal(handle.as_fd(), SIGKILL));
            let _ = wait_for(entrant);
            // Forked by the entrant, and not told of yet?
            while self.init.is_none() && self.hears_more().unwrap_or(false) && !self.inside_ended {}
        }
        if let Some(init) = self.init.take() {
            let _ = pidfd::send_signal(init.handle.as_fd(), SIGKILL);
            let _ = wait_for(init.pid);
        }
    }
}

fn ready_sources(pump: &LogPump, limit: Duration) -> Vec<usize> {
    let mut waiting: Vec<Waiting<'_>> = pump.sources().map(Waiting::to_read).collect();
    if waiting.is_empty() || wait(&mut waiting, Some(limit)).is_err() {
        return Vec::new();
    }
    waiting.iter().enumerate().filter(|(_, one)| one.is_ready()).map(|(place, _)| place).collect()
}

/// The exit status of a launcher that failed or whose command ended.
pub(crate) fn status_of(result: &Result<ExitStatus>) -> i32 {
    match result {
        Ok(status) => status.exit_code,
        Err(failure) if failure.exit_code == 0 => OWN_ERROR,
        Err(failure) => failure.exit_code,
    }
}
