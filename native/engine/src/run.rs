//! The loop: wait for events, hand each to whom it concerns, let the stack flush once for the batch, sleep until the next
//! deadline. Everything that one thread owns is in [`Loop`].

use crate::batch::FrameBatch;
use crate::clock::Clock;
use crate::dns::Delivery;
use crate::endpoints::Endpoint;
use crate::error::EngineError;
use crate::events::EventQueue;
use crate::handle::Mailbox;
use crate::handoff::{Launcher, bind_handoff};
use crate::limits::{ACCEPT_BUDGET, ENDPOINT_SHARE, FAULT_LEAD, SPIN, SPIN_CROWDED, SPIN_EVENTS, SWEEP, TAP_BUDGET};
use crate::ports::{DnsStreamId, LauncherId, ListenerId, Ports, Source};
use crate::publish::{Listener, reserve};
use crate::spin::Spin;
use crate::tap::FRAME_BUFFER;
use slotmap::{SecondaryMap, SlotMap};
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use unet_core::fault::BadLink;
use unet_core::{DropReason, EndpointId, FlowId, Instant, NetworkId, Stack, StackConfig};
use unet_sys::datagram_batch::ReceiveRing;
use unet_sys::event::{Interest, Poller, Ready};
use unet_sys::{namespace, tap_io};

/// Everything that the engine's thread owns.
#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) clock: Clock,
    pub(crate) stack: Stack,
    pub(crate) ports: Ports,
    pub(crate) events: Arc<EventQueue>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) handoff: OwnedFd,
    pub(crate) uid: u32,
    pub(crate) networks: HashMap<String, NetworkId>,
    pub(crate) endpoints: HashMap<String, Endpoint>,
    pub(crate) names: SecondaryMap<EndpointId, Arc<str>>,
    /// Bad links behind TAPs; empty unless asked for.
    pub(crate) faults_from_guests: SecondaryMap<EndpointId, BadLink>,
    // An entry is made before its descriptor is watched, because the event carries the entry's key.
    pub(crate) launchers: SlotMap<LauncherId, io::Result<Launcher>>,
    /// Of these, those that have not shown a ticket.
    pub(crate) strangers: HashSet<LauncherId>,
    pub(crate) listeners: SlotMap<ListenerId, Option<Listener>>,
    /// A place in the descriptor table for callers that must be turned away.
    pub(crate) reserve: Option<OwnedFd>,
    pub(crate) wakeups: u64,
    /// What is read goes here first.
    pub(crate) frame: Box<[u8]>,
    /// Frames from a TAP, some at a time.
    pub(crate) batch: FrameBatch,
    /// Datagrams for guests, a batch at a time.
    pub(crate) inbox: ReceiveRing,
    /// Kept between turns for its memory.
    ready: Vec<Ready>,
    spin: Spin,
    next_sweep: Instant,
}

/// What a loop is made with.
#[derive(Debug)]
pub(crate) struct LoopOptions {
    pub(crate) handoff_socket: PathBuf,
    pub(crate) max_flows: usize,
}

impl Loop {
    pub(crate) fn new(
        options: &LoopOptions,
        mailbox: Arc<Mailbox>,
        events: Arc<EventQueue>,
    ) -> Result<Self, EngineError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| io::Error::other(error.to_string()))?;
        let handoff = bind_handoff(&options.handoff_socket)?;
        let mut ports = Ports::new(Poller::new()?);
        ports.watch(mailbox.waker(), Source::Waker, Interest::Read)?;
        ports.watch(handoff.as_fd(), Source::Handoff, Interest::Read)?;
        Ok(Self {
            clock: Clock::start(),
            stack: Stack::new(&StackConfig {
                secret,
                max_flows: options.max_flows,
                max_flows_per_endpoint: (options.max_flows / ENDPOINT_SHARE).max(1),
            }),
            ports,
            events,
            mailbox,
            handoff,
            uid: namespace::caller().0.as_raw(),
            networks: HashMap::new(),
            endpoints: HashMap::new(),
            names: SecondaryMap::new(),
            faults_from_guests: SecondaryMap::new(),
            launchers: SlotMap::with_key(),
            strangers: HashSet::new(),
            listeners: SlotMap::with_key(),
            reserve: Some(reserve()?),
            wakeups: 0,
            frame: vec![0; FRAME_BUFFER].into_boxed_slice(),
            batch: FrameBatch::default(),
            inbox: ReceiveRing::default(),
            ready: Vec::new(),
            spin: Spin::default(),
            next_sweep: Instant::ZERO,
        })
    }

    /// Runs until the mailbox is closed.
    pub(crate) fn run(&mut self) -> Result<(), EngineError> {
        while !self.mailbox.is_closed() {
            let limit = self.patience();
            self.turn(limit)?;
        }
        Ok(())
    }

    /// One round: waits for at most `limit` (none: for ever), does all there is to do.
    pub(crate) fn turn(&mut self, limit: Option<Duration>) -> Result<(), EngineError> {
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        self.wait(limit, &mut ready)?;
        self.wakeups += 1;
        self.ports.dns.set_now(self.clock.now());
        // A listener with callers left says so again: where little goes on, asking for a second one is a call for nothing.
        let callers = if ready.len() > SPIN_EVENTS { ACCEPT_BUDGET } else { 1 };
        for &event in &ready {
            self.dispatch(event, callers);
        }
        self.ready = ready;
        self.release_from_guests();
        let now = self.clock.now();
        if self.stack.next_timeout().is_some_and(|at| at <= now) {
            self.stack.on_timeout(&mut self.ports, now);
        } else {
            self.stack.flush(&mut self.ports, now);
        }
        self.flush_datagrams();
        self.release_towards_guests();
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP;
            self.sweep(now);
        }
        // What the sweep gave up is told in the same turn.
        self.pass_questions_on();
        self.ports.stock.settle();
        self.spin.turned(self.ready.len(), self.ports.moved);
        Ok(())
    }

    /// Events, after at most `limit`.
    fn wait(&mut self, limit: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        if limit.is_some_and(|limit| limit.is_zero()) {
            return self.ports.poller.wait(limit, ready);
        }
        let began = self.clock.now();
        if self.spin.is_worth_it(began) {
            let until = began + limit.map_or(SPIN, |limit| limit.min(SPIN));
            let mut looked = began;
            while looked < until {
                self.ports.poller.wait(Some(Duration::ZERO), ready)?;
                if !ready.is_empty() {
                    self.spin.caught();
                    break;
                }
                std::thread::yield_now();
                let now = self.clock.now();
                if now.since(looked) > SPIN_CROWDED {
                    self.spin.crowded(now);
                }
                looked = now;
            }
        }
        if ready.is_empty() {
            let looked = self.clock.now().since(began);
            self.ports.poller.wait(limit.map(|limit| limit.saturating_sub(looked)), ready)?;
        }
        let gap = self.clock.now().since(began);
        self.spin.waited(gap);
        Ok(())
    }

    fn patience(&self) -> Option<Duration> {
        if self.stack.has_work() {
            return Some(Duration::ZERO);
        }
        let now = self.clock.now();
        let mut limit = self.stack.next_timeout().map(|at| at.since(now));
        let mut at_most = |wait: Duration| limit = Some(limit.map_or(wait, |limit| limit.min(wait)));
        if let Some(at) = self.next_release() {
            at_most(at.since(now).saturating_sub(FAULT_LEAD));
        }
        if !self.ports.dns.is_idle() || !self.strangers.is_empty() {
            at_most(self.next_sweep.since(now).max(Duration::from_millis(1)));
        }
        limit
    }

    fn dispatch(&mut self, ready: Ready, callers: usize) {
        match self.ports.source(ready.token) {
            None => {}
            Some(Source::Waker) => {
                let mailbox = Arc::clone(&self.mailbox);
                mailbox.run_calls(self);
            }
            Some(Source::Handoff) => self.on_handoff(),
            Some(Source::Launcher(id)) => self.on_launcher(id),
            Some(Source::Tap(endpoint)) => self.on_tap(endpoint),
            Some(Source::Stream(flow)) => self.on_stream(flow, ready),
            Some(Source::Datagram(binding)) => self.on_datagram(binding, ready),
            Some(Source::Listener(id)) => self.on_listener(id, callers),
            Some(Source::DnsStream(id)) => self.on_dns_stream(id),
        }
    }

    fn on_tap(&mut self, endpoint: EndpointId) {
        let now = self.clock.now();
        let is_faulty = self.faults_from_guests.contains_key(endpoint);
        let mut budget = TAP_BUDGET;
        while budget > 0 {
            let Some((tap, _)) = self.ports.taps.get(endpoint) else { return };
            let has_header = tap.capabilities.vnet;
            // A bad link counts from when a frame was read.
            let most = if is_faulty { 1 } else { budget };
            let result = self.batch.fill(most, |buffer| tap_io::read(tap.fd(), buffer));
            budget -= self.batch.len();
            if is_faulty {
                self.take_through_faults(endpoint, has_header);
            } else {
                self.stack.on_frames(&mut self.ports, endpoint, has_header, self.batch.frames(), now);
            }
            match result {
                Ok(()) => {}
                Err(error) => {
                    // The device is gone (EBADFD), or down for good: without this the loop would spin on it. EIO is an interface that
                    // is down for now and reports nothing while it is.
                    if error.kind() != io::ErrorKind::WouldBlock && error.raw_os_error() != Some(libc::EINTR) {
                        self.detach(endpoint);
                    }
                    return;
                }
            }
        }
    }

    fn on_stream(&mut self, flow: FlowId, ready: Ready) {
        let Some(stream) = self.ports.streams.get(flow) else { return };
        let readiness = stream.readiness(ready);
        let now = self.clock.now();
        self.stack.on_socket(&mut self.ports, flow, readiness, now);
    }

    fn pass_questions_on(&mut self) {
        let questions = self.ports.dns.take_questions();
        let replies = self.ports.dns.asks.take_replies();
        if questions.is_empty() && replies.is_empty() {
            return;
        }
        self.events.push_dns(|seam| {
            for reply in replies {
                seam.push_reply(reply);
            }
            for question in questions {
                let Some(name) = self.names.get(question.endpoint) else { continue };
                if !seam.push(name, question) {
                    self.ports.dns.drops.count(DropReason::DnsFull);
                }
            }
        });
    }

    /// The owner's answers to questions, many at once.
    pub(crate) fn answer_dns_records(&mut self, records: &[u8]) {
        for (query, message) in crate::dns::seam::answers(records) {
            self.answer_dns(query, message);
        }
    }

    /// The owner's answer to a question.
    pub(crate) fn answer_dns(&mut self, query: u64, message: Option<&[u8]>) {
        let (delivery, close) = self.ports.dns.answer(query, message);
        if let (Delivery::Datagram { endpoint, to }, Some(message)) = (delivery, message) {
            self.stack.dns_answer(&mut self.ports, endpoint, to, message);
        }
        if let Some(id) = close {
            self.ports.close_dns_stream(id);
        }
    }

    /// Puts a question to a DNS server in a guest; what comes of it is an event in any case.
    pub(crate) fn ask_guest(&mut self, network: &str, address: Ipv4Addr, query: u64, message: &[u8]) {
        let now = self.clock.now();
        let network = self.networks.get(network).copied();
        let endpoint = network.and_then(|network| self.stack.endpoint_at(network, address));
        let sent = endpoint.is_some_and(|endpoint| {
            let port = self.ports.dns.asks.open(endpoint, query, message, now);
            port.is_some_and(|port| self.stack.ask_guest(&mut self.ports, endpoint, port, message))
        });
        if !sent {
            self.ports.dns.asks.fail(query);
        }
    }

    fn on_dns_stream(&mut self, id: DnsStreamId) {
        if self.ports.dns.on_stream(id) {
            self.ports.close_dns_stream(id);
        }
    }

    fn sweep(&mut self, now: Instant) {
        self.ports.dns.set_now(now);
        for id in self.ports.dns.sweep() {
            self.ports.close_dns_stream(id);
        }
        self.sweep_launchers();
    }
}
