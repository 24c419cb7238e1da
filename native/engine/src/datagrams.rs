//! A binding's UDP or ping socket, and what the loop does with its events.
//!
//! Towards the guest the kernel hands over what it can in one call: up to [`RECEIVE_BATCH`] messages, each one datagram or (`UDP_GRO`)
//! many of one size. Datagrams of one sender that follow each other with one size are joined here into what `UDP_GRO` would have
//! made of them, so the core sees trains of datagrams whoever put them together, and writes each as one super-frame.
//! Away from the guest: see `outbox`.

use crate::error::uplink_error;
use crate::limits::DATAGRAM_BUDGET;
use crate::ports::SourceId;
use crate::run::Loop;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use unet_core::BindingId;
use unet_core::uplink::{DatagramPeer, UplinkError};
use unet_sys::datagram::{self, Returned};
use unet_sys::datagram_batch::{
    Incoming, MAX_SEGMENTS, MAX_UDP_PAYLOAD, Outgoing, RECEIVE_BATCH, ReceiveRing, SEND_BATCH, send_many,
};
use unet_sys::event::Ready;

/// Messages of one receive from a socket whose last ones were trains: each may be 64 KiB, and more of them than the processor's cache
/// holds make the copying slower than the calls that they save.
const TRAIN_BATCH: usize = 4;

#[derive(Debug)]
pub(crate) struct DatagramSocket {
    pub(crate) fd: OwnedFd,
    pub(crate) source: SourceId,
    /// Datagrams up to this size may leave joined. Less than all where the kernel has refused: on the way the device sums no
    /// checksums (EIO: none), or the path's MTU is smaller (EINVAL, EMSGSIZE: those that fit).
    pub(crate) joinable: usize,
    /// The last receive gave trains.
    trains: bool,
}

impl DatagramSocket {
    pub(crate) fn new(fd: OwnedFd, source: SourceId, joins: bool) -> Self {
        Self { fd, source, joinable: if joins { MAX_UDP_PAYLOAD } else { 0 }, trains: false }
    }

    /// One message at once: a datagram, or with `segment` several of that size.
    pub(crate) fn send(&mut self, to: DatagramPeer, data: &[u8], segment: Option<u16>) -> Result<(), UplinkError> {
        let mut first = None;
        let mut failed = |_: &Outgoing<'_>, error| {
            first.get_or_insert(error);
        };
        let message = Outgoing { to: to.address, from: to.local, data, segment: None };
        match segment.filter(|&size| size > 0 && data.len() > usize::from(size)) {
            None => self.send_all(&[message], &mut failed),
            // As many segments a call as every kernel takes.
            Some(size) => {
                for part in data.chunks(MAX_SEGMENTS * usize::from(size)) {
                    let segment = (part.len() > usize::from(size)).then_some(size);
                    self.send_all(&[Outgoing { data: part, segment, ..message }], &mut failed);
                }
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// Messages in their order. `failed` hears of each that was lost.
    pub(crate) fn send_all(
        &mut self,
        mut messages: &[Outgoing<'_>],
        mut failed: impl FnMut(&Outgoing<'_>, UplinkError),
    ) {
        let mut retried = false;
        while let Some((first, rest)) = messages.split_first() {
            if let Some(size) = first.segment.filter(|&size| usize::from(size) > self.joinable) {
                self.send_apart(first, size, &mut failed);
                messages = rest;
                continue;
            }
            match send_many(self.fd.as_fd(), messages) {
                Ok(sent) => {
                    messages = &messages[sent.clamp(1, messages.len())..];
                    retried = false;
                }
                // An error of an earlier datagram, reported by this call: it is on the error queue too, and this one has not gone.
                Err(error) if is_pending_error(&error) && !retried => retried = true,
                // Kernels refuse UDP_SEGMENT where the device or the path does not allow it: never tried again for such.
                Err(error) if first.segment.is_some() && refuses_segments(&error) => {
                    let size = usize::from(first.segment.unwrap_or(0));
                    self.joinable = if error.raw_os_error() == Some(libc::EIO) { 0 } else { size.saturating_sub(1) };
                }
                Err(error) => {
                    failed(first, uplink_error(&error));
                    messages = rest;
                    retried = false;
                }
            }
        }
    }

    /// The datagrams of a message, each as one.
    fn send_apart(&mut self, message: &Outgoing<'_>, size: u16, failed: &mut dyn FnMut(&Outgoing<'_>, UplinkError)) {
        let mut parts = message.data.chunks(usize::from(size).max(1)).peekable();
        while parts.peek().is_some() {
            let mut batch = [Outgoing::NOTHING; SEND_BATCH];
            let mut count = 0;
            for (slot, data) in batch.iter_mut().zip(&mut parts) {
                *slot = Outgoing { data, segment: None, ..*message };
                count += 1;
            }
            self.send_all(&batch[..count], &mut *failed);
        }
    }

    /// Fills the ring; None when there is nothing.
    fn receive(&self, ring: &mut ReceiveRing, limit: usize) -> Option<usize> {
        // Twice at most: once for a pending error of an earlier datagram.
        for _ in 0..2 {
            match ring.receive(self.fd.as_fd(), limit) {
                Ok(count) => return Some(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => {}
            }
        }
        None
    }

    /// One error that came back; None when there is none.
    fn next_error(&self) -> Option<Returned> {
        datagram::next_error(self.fd.as_fd()).ok().flatten()
    }
}

fn is_pending_error(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::EPROTO))
}

fn refuses_segments(error: &std::io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::EOPNOTSUPP | libc::ENOPROTOOPT)
    )
}

/// How many messages of the ring from `first` on are datagrams that can be joined, and their bytes.
fn train(ring: &ReceiveRing, at: usize, count: usize, first: &Incoming<'_>) -> (usize, usize) {
    let size = first.data.len();
    let (mut joined, mut bytes) = (1, size);
    if first.segment.is_some() || size == 0 {
        return (joined, bytes);
    }
    while joined < MAX_SEGMENTS && at + joined < count {
        let Some(next) = ring.message(at + joined) else { break };
        let fits = (1..=size).contains(&next.data.len()) && bytes + next.data.len() <= MAX_UDP_PAYLOAD;
        if !fits || next.segment.is_some() || (next.from, next.local) != (first.from, first.local) {
            break;
        }
        joined += 1;
        bytes += next.data.len();
        // A shorter one is the last.
        if next.data.len() < size {
            break;
        }
    }
    (joined, bytes)
}

impl Loop {
    /// A binding's socket has datagrams or errors.
    pub(crate) fn on_datagram(&mut self, binding: BindingId, ready: Ready) {
        let mut budget = DATAGRAM_BUDGET;
        while budget > 0 {
            let Some(socket) = self.ports.datagrams.get_mut(binding) else { return };
            let limit = if socket.trains { TRAIN_BATCH } else { RECEIVE_BATCH }.min(budget);
            let Some(count) = socket.receive(&mut self.inbox, limit) else { break };
            socket.trains = (0..count).any(|n| self.inbox.message(n).is_some_and(|message| message.segment.is_some()));
            let datagrams = self.deliver(binding, count);
            if count < limit {
                break;
            }
            budget = budget.saturating_sub(datagrams);
        }
        if !ready.error {
            return;
        }
        for _ in 0..DATAGRAM_BUDGET {
            let Some(socket) = self.ports.datagrams.get(binding) else { return };
            let Some(returned) = socket.next_error() else { return };
            let error = uplink_error(&returned.error);
            self.stack.on_datagram_error(&mut self.ports, binding, returned.to, error);
        }
    }

    /// Hands the first `count` messages of the inbox to the stack; says how many datagrams they were.
    fn deliver(&mut self, binding: BindingId, count: usize) -> usize {
        let now = self.clock.now();
        let Self { inbox, stack, ports, frame, .. } = self;
        let (mut at, mut datagrams) = (0, 0);
        while at < count {
            let Some(first) = inbox.message(at) else {
                at += 1;
                continue;
            };
            let from = DatagramPeer { address: first.from, local: first.local };
            let (joined, bytes) = train(inbox, at, count, &first);
            let (data, size) = if joined == 1 {
                (first.data, first.segment.filter(|&size| first.data.len() > usize::from(size)))
            } else {
                let mut end = 0;
                for message in (at..at + joined).filter_map(|n| inbox.message(n)) {
                    frame[end..end + message.data.len()].copy_from_slice(message.data);
                    end += message.data.len();
                }
                (&frame[..bytes], u16::try_from(first.data.len()).ok())
            };
            stack.on_datagrams(ports, binding, from, data, size, now);
            at += joined;
            datagrams += size.map_or(1, |size| data.len().div_ceil(usize::from(size)));
        }
        datagrams
    }

    /// Sends what the turn gathered, and tells the stack what could not go.
    pub(crate) fn flush_datagrams(&mut self) {
        self.ports.flush_datagrams();
        while let Some(failure) = self.ports.outbox.failures.pop() {
            let (binding, to) = (failure.binding, failure.to);
            self.stack.on_datagrams_unsent(&mut self.ports, binding, to, failure.error, failure.datagrams);
        }
    }
}
