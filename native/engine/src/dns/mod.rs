//! Questions on their way to the daemon and answers on their way back.
//!
//! # Theory of operation
//!
//! A question by UDP is remembered with who asked. A question by TCP comes through a pair of sockets inside this process: one
//! end is the uplink of an ordinary flow, at the other the messages are taken out of their frames (RFC 1035 §4.2.2). No
//! other process can reach either. What can never be a question ends here as a counted drop ([`frame`]); what passes is given a number and
//! goes to the owner by lanes, one a guest, that are served in turn ([`seam`]), so a guest's question waits for at most a quantum of each
//! other guest's.
//!
//! The other way round, the owner may ask a DNS server that runs in a guest ([`asks`]).
//!
//! # Limits
//!
//! Questions under way, connections and unread answers are bounded for each guest and for all (`limits`): a guest has a quarter at most, and
//! when others have used up the whole it still has a floor. A guest that has used up its connections loses its own longest idle one.
//! Idle is who brought no whole question lately, however many bytes. So one client that is slow, silent or gone holds up nobody but
//! itself, and one guest nobody but itself.

pub(crate) mod asks;
mod frame;
pub(crate) mod hostile;
pub(crate) mod seam;
mod stream;
#[cfg(test)]
mod tests;

use crate::limits::{
    DNS_PATIENCE, DNS_PENDING_FLOOR, DNS_STREAMS_FLOOR, MAX_DNS_BACKLOG_PER_GUEST, MAX_DNS_PENDING,
    MAX_DNS_PENDING_PER_GUEST, MAX_DNS_STREAMS, MAX_DNS_STREAMS_PER_GUEST,
};
use crate::ports::{DnsStreamId, SourceId};
use asks::Asks;
use frame::may_be_question;
use slotmap::{SecondaryMap, SlotMap};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use stream::{DnsStream, End};
use unet_core::drop::DropCounters;
use unet_core::{DropReason, EndpointId, Instant};

#[derive(Clone, Copy, Debug)]
enum Asker {
    Datagram(SocketAddrV4),
    Stream(DnsStreamId),
}

#[derive(Debug)]
struct Pending {
    endpoint: EndpointId,
    asker: Asker,
    since: Instant,
}

/// A question for the daemon.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) query: u64,
    pub(crate) endpoint: EndpointId,
    pub(crate) tcp: bool,
    pub(crate) message: Vec<u8>,
}

/// What one guest has of what all share.
#[derive(Debug, Default)]
struct Guest {
    pending: usize,
    streams: usize,
    /// Bytes of answers that its clients have not read.
    backlog: usize,
}

/// Where an answer goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Datagram {
        endpoint: EndpointId,
        to: SocketAddrV4,
    },
    Stream,
    /// Nobody waits for it any more.
    Nobody,
}

#[derive(Debug, Default)]
pub(crate) struct DnsDesk {
    now: Instant,
    next_query: u64,
    pending: HashMap<u64, Pending>,
    streams: SlotMap<DnsStreamId, DnsStream>,
    guests: SecondaryMap<EndpointId, Guest>,
    questions: Vec<Question>,
    pub(crate) asks: Asks,
    pub(crate) drops: DropCounters,
}

impl DnsDesk {
    /// The time of what happens next.
    pub(crate) fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    pub(crate) fn ask_datagram(&mut self, endpoint: EndpointId, from: SocketAddrV4, message: &[u8]) {
        let asked = if may_be_question(message) {
            self.ask(endpoint, Asker::Datagram(from), || message.to_vec())
        } else {
            Err(DropReason::DnsNotAQuestion)
        };
        if let Err(reason) = asked {
            self.drops.count(reason);
        }
    }

    fn ask(&mut self, endpoint: EndpointId, asker: Asker, message: impl FnOnce() -> Vec<u8>) -> Result<(), DropReason> {
        let guest = self.guests.entry(endpoint).ok_or(DropReason::EndpointGone)?.or_default();
        if guest.pending >= MAX_DNS_PENDING_PER_GUEST {
            return Err(DropReason::DnsShareUsed);
        }
        if self.pending.len() >= MAX_DNS_PENDING && guest.pending >= DNS_PENDING_FLOOR {
            return Err(DropReason::DnsFull);
        }
        guest.pending += 1;
        self.next_query += 1;
        let query = self.next_query;
        self.pending.insert(query, Pending { endpoint, asker, since: self.now });
        let tcp = matches!(asker, Asker::Stream(_));
        self.questions.push(Question { query, endpoint, tcp, message: message() });
        Ok(())
    }

    /// Takes the questions that came since it was called last.
    pub(crate) fn take_questions(&mut self) -> Vec<Question> {
        std::mem::take(&mut self.questions)
    }

    /// Whether the guest may have one more connection; the one that must be closed for it, if any.
    pub(crate) fn make_room(&mut self, endpoint: EndpointId) -> io::Result<Option<DnsStreamId>> {
        let own = self.guests.get(endpoint).map_or(0, |guest| guest.streams);
        if own < DNS_STREAMS_FLOOR || (own < MAX_DNS_STREAMS_PER_GUEST && self.streams.len() < MAX_DNS_STREAMS) {
            return Ok(None);
        }
        let idle = self.streams.iter().filter(|(_, stream)| stream.endpoint == endpoint && stream.is_idle());
        let oldest = idle.min_by_key(|(_, stream)| stream.useful).map(|(id, _)| id);
        self.drops.count(if oldest.is_some() { DropReason::DnsStreamEvicted } else { DropReason::DnsStreamRefused });
        oldest.map(Some).ok_or_else(|| io::Error::from_raw_os_error(libc::EMFILE))
    }

    /// A new connection, for which room was made.
    pub(crate) fn add_stream(&mut self, endpoint: EndpointId, fd: OwnedFd) -> DnsStreamId {
        if let Some(guest) = self.guests.entry(endpoint) {
            guest.or_default().streams += 1;
        }
        self.streams.insert(DnsStream::new(endpoint, fd, self.now))
    }

    pub(crate) fn stream_fd(&self, id: DnsStreamId) -> Option<BorrowedFd<'_>> {
        self.streams.get(id).map(|stream| stream.fd.as_fd())
    }

    pub(crate) fn set_source(&mut self, id: DnsStreamId, source: SourceId) {
        if let Some(stream) = self.streams.get_mut(id) {
            stream.source = Some(source);
        }
    }

    /// Gives back the source to forget. What the daemon is still busy with stays in the guest's account until it answers.
    pub(crate) fn close_stream(&mut self, id: DnsStreamId) -> Option<SourceId> {
        let stream = self.streams.remove(id)?;
        if let Some(guest) = self.guests.get_mut(stream.endpoint) {
            guest.streams = guest.streams.saturating_sub(1);
            guest.backlog = guest.backlog.saturating_sub(stream.backlog());
        }
        stream.source
    }

    /// An event of a connection. True when it is to be closed.
    pub(crate) fn on_stream(&mut self, id: DnsStreamId) -> bool {
        let now = self.now;
        let written = self.on_backlog(id, |stream, _| stream.write(now));
        self.is_over(written) || self.read_questions(id)
    }

    fn read_questions(&mut self, id: DnsStreamId) -> bool {
        loop {
            let Some(stream) = self.streams.get_mut(id) else { return false };
            let endpoint = stream.endpoint;
            let result = match stream.next_question(self.now) {
                Ok(None) => return false,
                Ok(Some(message)) => self.ask(endpoint, Asker::Stream(id), || message).map_err(End::Dropped),
                Err(end) => Err(end),
            };
            if self.is_over(result) {
                return true;
            }
        }
    }

    /// Works on a connection's answers, and keeps the guest's account of them. `work` gets the room that is left for this connection.
    fn on_backlog(
        &mut self,
        id: DnsStreamId,
        work: impl FnOnce(&mut DnsStream, usize) -> Result<(), End>,
    ) -> Result<(), End> {
        let Some(stream) = self.streams.get_mut(id) else { return Ok(()) };
        let Some(guest) = self.guests.get_mut(stream.endpoint) else { return Err(End::Done) };
        let others = guest.backlog.saturating_sub(stream.backlog());
        let result = work(stream, MAX_DNS_BACKLOG_PER_GUEST.saturating_sub(others));
        guest.backlog = others + stream.backlog();
        result
    }

    fn is_over(&mut self, result: Result<(), End>) -> bool {
        if let Err(End::Dropped(reason)) = result {
            self.drops.count(reason);
        }
        result.is_err()
    }

    /// The daemon's answer (None: it will not answer). A connection to close comes back as the second value.
    pub(crate) fn answer(&mut self, query: u64, message: Option<&[u8]>) -> (Delivery, Option<DnsStreamId>) {
        let Some(pending) = self.pending.remove(&query) else { return (Delivery::Nobody, None) };
        self.settle(pending.endpoint);
        let id = match pending.asker {
            Asker::Datagram(to) => {
                let delivery = message.map(|_| Delivery::Datagram { endpoint: pending.endpoint, to });
                return (delivery.unwrap_or(Delivery::Nobody), None);
            }
            Asker::Stream(id) => id,
        };
        let Some(stream) = self.streams.get_mut(id) else { return (Delivery::Nobody, None) };
        stream.under_way = stream.under_way.saturating_sub(1);
        let Some(message) = message else { return (Delivery::Nobody, Some(id)) };
        let now = self.now;
        let answered = self.on_backlog(id, |stream, room| stream.answer(message, room, now));
        if self.is_over(answered) {
            return (Delivery::Nobody, Some(id));
        }
        // More questions may have waited for this answer.
        let close = self.read_questions(id);
        (Delivery::Stream, close.then_some(id))
    }

    /// One question less.
    fn settle(&mut self, endpoint: EndpointId) {
        if let Some(guest) = self.guests.get_mut(endpoint) {
            guest.pending = guest.pending.saturating_sub(1);
        }
    }

    /// Forgets what nobody waits for any more; gives back the connections to close.
    pub(crate) fn sweep(&mut self) -> Vec<DnsStreamId> {
        let now = self.now;
        let stale = |since: Instant| now.since(since) > DNS_PATIENCE;
        let forgotten: Vec<Pending> =
            self.pending.extract_if(|_, pending| stale(pending.since)).map(|(_, pending)| pending).collect();
        for pending in forgotten {
            self.drops.count(DropReason::DnsUnanswered);
            self.settle(pending.endpoint);
            if let Asker::Stream(id) = pending.asker
                && let Some(stream) = self.streams.get_mut(id)
            {
                stream.under_way = stream.under_way.saturating_sub(1);
            }
        }
        self.asks.sweep(now);
        let idle = self.streams.iter().filter(|(_, stream)| stream.is_idle() && stale(stream.useful));
        idle.map(|(id, _)| id).collect()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.streams.is_empty() && self.asks.is_empty()
    }

    /// Questions under way, connections, and bytes held for them.
    pub(crate) fn load(&self) -> [usize; 3] {
        let held = self.streams.values().map(DnsStream::held).sum();
        [self.pending.len(), self.streams.len(), held]
    }

    pub(crate) fn forget_endpoint(&mut self, endpoint: EndpointId) -> Vec<DnsStreamId> {
        self.pending.retain(|_, pending| pending.endpoint != endpoint);
        self.questions.retain(|question| question.endpoint != endpoint);
        self.guests.remove(endpoint);
        self.asks.forget_endpoint(endpoint);
        self.streams.iter().filter(|(_, stream)| stream.endpoint == endpoint).map(|(id, _)| id).collect()
    }
}
