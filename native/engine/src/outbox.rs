//! Datagrams on their way out, gathered for the length of one turn of the loop.
//!
//! A guest's plain datagrams come one by one, each by a read of its own, but they need not leave so: those of one flow that follow
//! each other with equal size (the last may be shorter) are copied behind one another and become one `UDP_SEGMENT` send, which costs
//! the host's stack little more than one datagram. What cannot be joined goes in one `sendmmsg` a socket. The copy (some tens of
//! nanoseconds for 1200 bytes) is a small part of the read before it, and lets the frame buffer be used again at once.
//!
//! The order within a flow stays; between flows there is none on any network. Nothing waits: the loop flushes at the end of each turn, so
//! a lone datagram leaves in the turn in which it came. Memory is bounded by [`RUNS`] buffers, which are made at first use.

use crate::datagrams::DatagramSocket;
use slotmap::SecondaryMap;
use std::net::SocketAddr;
use unet_core::BindingId;
use unet_core::uplink::{DatagramPeer, UplinkError};
use unet_sys::datagram_batch::{MAX_SEGMENTS, MAX_UDP_PAYLOAD, Outgoing, SEND_BATCH};

/// Sends under way at once: one call's worth.
const RUNS: usize = SEND_BATCH;
/// A datagram larger than this goes at once: joining saves it little, and copying costs it more.
pub(crate) const LARGEST_GATHERED: usize = 16 * 1024;

/// Datagrams of one flow, all of one size but the last.
#[derive(Debug)]
struct Run {
    binding: BindingId,
    to: DatagramPeer,
    data: Vec<u8>,
    size: usize,
    count: usize,
    open: bool,
}

/// Datagrams that did not go.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) binding: BindingId,
    pub(crate) to: SocketAddr,
    pub(crate) error: UplinkError,
    pub(crate) datagrams: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    runs: Vec<Run>,
    /// Of `runs`; the others are kept for their memory.
    used: usize,
    /// Until the loop tells the stack, in the same turn.
    pub(crate) failures: Vec<Failure>,
}

impl Outbox {
    /// Takes a datagram of at most [`LARGEST_GATHERED`] bytes; the socket joins those of up to `joinable`. False when a flush must come
    /// first.
    pub(crate) fn add(&mut self, binding: BindingId, to: DatagramPeer, data: &[u8], joinable: usize) -> bool {
        let last =
            self.runs[..self.used].iter_mut().rev().find(|run| run.binding == binding && run.to.address == to.address);
        if let Some(run) = last
            && run.takes(to, data)
        {
            run.push(data);
            return true;
        }
        if self.used == RUNS {
            return false;
        }
        if self.used == self.runs.len() {
            self.runs.push(Run { binding, to, data: Vec::new(), size: 0, count: 0, open: false });
        }
        let run = &mut self.runs[self.used];
        self.used += 1;
        run.data.clear();
        (run.binding, run.to, run.size, run.count) = (binding, to, data.len(), 0);
        run.open = !data.is_empty() && data.len() <= joinable;
        run.push(data);
        true
    }

    /// Whether anything of the socket's waits.
    pub(crate) fn holds(&self, binding: BindingId) -> bool {
        self.runs[..self.used].iter().any(|run| run.binding == binding)
    }

    /// Sends everything.
    pub(crate) fn flush(&mut self, sockets: &mut SecondaryMap<BindingId, DatagramSocket>) {
        let Self { runs, used, failures } = self;
        let mut done = [false; RUNS];
        for first in 0..*used {
            if done[first] {
                continue;
            }
            let binding = runs[first].binding;
            let mut messages = [Outgoing::NOTHING; RUNS];
            let mut count = 0;
            for (run, done) in
                runs.iter().zip(&mut done).take(*used).skip(first).filter(|(run, _)| run.binding == binding)
            {
                let segment = if run.count > 1 { u16::try_from(run.size).ok() } else { None };
                messages[count] = Outgoing { to: run.to.address, from: run.to.local, data: &run.data, segment };
                count += 1;
                *done = true;
            }
            // A socket that is gone was flushed before.
            let Some(socket) = sockets.get_mut(binding) else { continue };
            socket.send_all(&messages[..count], |message, error| {
                let datagrams = message.datagrams();
                failures.push(Failure { binding, to: message.to, error, datagrams });
            });
        }
        *used = 0;
    }
}

impl Run {
    fn takes(&self, to: DatagramPeer, data: &[u8]) -> bool {
        self.open
            && self.to.local == to.local
            && !data.is_empty()
            && data.len() <= self.size
            && self.count < MAX_SEGMENTS
            && self.data.len() + data.len() <= MAX_UDP_PAYLOAD
    }

    fn push(&mut self, data: &[u8]) {
        self.data.extend_from_slice(data);
        self.count += 1;
        // A shorter one is the last.
        self.open &= data.len() == self.size;
    }
}
