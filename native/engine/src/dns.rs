//! Questions on their way to the daemon and answers on their way back.
//!
//! A question by UDP is remembered with who asked. A question by TCP comes through a pair of sockets inside this process: one
//! end is the uplink of an ordinary flow, at the other the messages are taken out of their frames (RFC 1035 §4.2.2). No
//! other process can reach either.
//!
//! Limits: questions under way, connections, questions of one connection, unread answers and time are all bounded (`limits`); one
//! client that is slow, silent or gone holds up nobody but itself.

use crate::limits::{DNS_PATIENCE, MAX_DNS_BACKLOG, MAX_DNS_PENDING, MAX_DNS_PER_STREAM, MAX_DNS_STREAMS};
use crate::ports::{DnsStreamId, SourceId};
use slotmap::SlotMap;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use unet_core::{EndpointId, Instant};
use unet_sys::stream;

/// The largest message (its length is a 16-bit number).
const MAX_MESSAGE: usize = 65_535;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker {
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

#[derive(Debug)]
struct DnsStream {
    endpoint: EndpointId,
    fd: OwnedFd,
    source: Option<SourceId>,
    input: Vec<u8>,
    output: Vec<u8>,
    under_way: usize,
    /// The client has sent all its questions.
    ended: bool,
    heard: Instant,
}

/// Where an answer goes.
#[derive(Debug)]
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
    questions: Vec<Question>,
    /// Questions that found no room.
    pub(crate) refused: u64,
}

impl DnsDesk {
    /// The time of what happens next.
    pub(crate) fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    pub(crate) fn ask_datagram(&mut self, endpoint: EndpointId, from: SocketAddrV4, message: &[u8]) {
        self.ask(endpoint, Asker::Datagram(from), message.to_vec());
    }

    fn ask(&mut self, endpoint: EndpointId, asker: Asker, message: Vec<u8>) -> bool {
        if self.pending.len() >= MAX_DNS_PENDING {
            self.refused += 1;
            return false;
        }
        self.next_query += 1;
        let query = self.next_query;
        self.pending.insert(query, Pending { endpoint, asker, since: self.now });
        let tcp = matches!(asker, Asker::Stream(_));
        self.questions.push(Question { query, endpoint, tcp, message });
        true
    }

    pub(crate) fn take_questions(&mut self) -> Vec<Question> {
        std::mem::take(&mut self.questions)
    }

    pub(crate) fn reserve_stream(&mut self, endpoint: EndpointId, fd: OwnedFd) -> io::Result<DnsStreamId> {
        if self.streams.len() >= MAX_DNS_STREAMS {
            self.refused += 1;
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        let heard = self.now;
        Ok(self.streams.insert(DnsStream {
            endpoint,
            fd,
            source: None,
            input: Vec::new(),
            output: Vec::new(),
            under_way: 0,
            ended: false,
            heard,
        }))
    }

    pub(crate) fn stream_fd(&self, id: DnsStreamId) -> Option<BorrowedFd<'_>> {
        self.streams.get(id).map(|stream| stream.fd.as_fd())
    }

    pub(crate) fn set_source(&mut self, id: DnsStreamId, source: SourceId) {
        if let Some(stream) = self.streams.get_mut(id) {
            stream.source = Some(source);
        }
    }

    /// Gives back the source to forget.
    pub(crate) fn close_stream(&mut self, id: DnsStreamId) -> Option<SourceId> {
        self.pending.retain(|_, pending| !matches!(pending.asker, Asker::Stream(other) if other == id));
        self.streams.remove(id)?.source
    }

    /// An event of a connection. True when it is to be closed.
    pub(crate) fn on_stream(&mut self, id: DnsStreamId) -> bool {
        self.read_questions(id) || self.write_answers(id)
    }

    fn read_questions(&mut self, id: DnsStreamId) -> bool {
        let mut chunk = [0u8; 4096];
        loop {
            // What is complete goes on first, so that the buffer holds at most one message and a read.
            while let Some((endpoint, message)) = self.next_message(id) {
                if !self.ask(endpoint, Asker::Stream(id), message) {
                    return true;
                }
            }
            let Some(stream) = self.streams.get_mut(id) else { return false };
            if stream.ended || stream.under_way >= MAX_DNS_PER_STREAM || stream.input.len() > 2 + MAX_MESSAGE {
                return false;
            }
            match stream::read(stream.fd.as_fd(), &mut chunk) {
                Ok(0) => stream.ended = true,
                Ok(len) => {
                    stream.heard = self.now;
                    stream.input.extend_from_slice(&chunk[..len]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => return true,
            }
        }
    }

    /// The next complete message, where the connection may have one more under way.
    fn next_message(&mut self, id: DnsStreamId) -> Option<(EndpointId, Vec<u8>)> {
        let stream = self.streams.get_mut(id)?;
        if stream.under_way >= MAX_DNS_PER_STREAM {
            return None;
        }
        let (head, rest) = stream.input.split_first_chunk::<2>()?;
        let len = usize::from(u16::from_be_bytes(*head));
        let message = rest.get(..len)?.to_vec();
        stream.input.drain(..2 + len);
        stream.under_way += 1;
        Some((stream.endpoint, message))
    }

    fn write_answers(&mut self, id: DnsStreamId) -> bool {
        let Some(stream) = self.streams.get_mut(id) else { return false };
        while !stream.output.is_empty() {
            match stream::write(stream.fd.as_fd(), &stream.output) {
                Ok(taken) => {
                    stream.output.drain(..taken);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => return true,
            }
        }
        stream.ended && stream.under_way == 0
    }

    /// The daemon's answer (None: it will not answer). A connection to close comes back as the second value.
    pub(crate) fn answer(&mut self, query: u64, message: Option<&[u8]>) -> (Delivery, Option<DnsStreamId>) {
        let Some(pending) = self.pending.remove(&query) else { return (Delivery::Nobody, None) };
        let id = match pending.asker {
            Asker::Datagram(to) => {
                let delivery = match message {
                    Some(_) => Delivery::Datagram { endpoint: pending.endpoint, to },
                    None => Delivery::Nobody,
                };
                return (delivery, None);
            }
            Asker::Stream(id) => id,
        };
        let Some(stream) = self.streams.get_mut(id) else { return (Delivery::Nobody, None) };
        stream.under_way = stream.under_way.saturating_sub(1);
        let len = message.and_then(|message| u16::try_from(message.len()).ok());
        let (Some(message), Some(len)) = (message, len) else { return (Delivery::Nobody, Some(id)) };
        if stream.output.len() + 2 + message.len() > MAX_DNS_BACKLOG {
            return (Delivery::Nobody, Some(id));
        }
        stream.output.extend_from_slice(&len.to_be_bytes());
        stream.output.extend_from_slice(message);
        // More questions may have waited for this answer.
        let close = self.write_answers(id) || self.read_questions(id);
        (Delivery::Stream, close.then_some(id))
    }

    /// Forgets what nobody waits for any more; gives back the connections to close.
    pub(crate) fn sweep(&mut self) -> Vec<DnsStreamId> {
        let now = self.now;
        let stale = |since: Instant| now.since(since) > DNS_PATIENCE;
        let mut forgotten = Vec::new();
        self.pending.retain(|_, pending| {
            let keep = !stale(pending.since);
            if !keep && let Asker::Stream(id) = pending.asker {
                forgotten.push(id);
            }
            keep
        });
        for id in forgotten {
            if let Some(stream) = self.streams.get_mut(id) {
                stream.under_way = stream.under_way.saturating_sub(1);
            }
        }
        self.streams
            .iter()
            .filter(|(_, stream)| stream.under_way == 0 && stale(stream.heard))
            .map(|(id, _)| id)
            .collect()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.streams.is_empty()
    }

    pub(crate) fn forget_endpoint(&mut self, endpoint: EndpointId) -> Vec<DnsStreamId> {
        self.pending.retain(|_, pending| pending.endpoint != endpoint);
        self.streams.iter().filter(|(_, stream)| stream.endpoint == endpoint).map(|(id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk() -> (DnsDesk, DnsStreamId, OwnedFd) {
        let (client, service) = stream::pair().unwrap();
        let mut desk = DnsDesk::default();
        let id = desk.reserve_stream(EndpointId::default(), service).unwrap();
        (desk, id, client)
    }

    #[test]
    fn messages_split_anywhere_and_answers_in_any_order() {
        let (mut desk, id, client) = desk();
        let wire: Vec<u8> = [&[0, 3][..], b"abc", &[0, 0], &[0, 2], b"de"].concat();
        for byte in wire {
            stream::write(client.as_fd(), &[byte]).unwrap();
            assert!(!desk.on_stream(id));
        }
        let questions = desk.take_questions();
        let messages: Vec<_> = questions.iter().map(|question| question.message.as_slice()).collect();
        assert_eq!(messages, [&b"abc"[..], b"", b"de"]);
        assert!(questions.iter().all(|question| question.tcp));
        for question in questions.iter().rev() {
            assert_eq!(desk.answer(question.query, Some(b"ok")).1, None);
        }
        let mut answer = [0; 64];
        assert_eq!(stream::read(client.as_fd(), &mut answer).unwrap(), 12);
        assert_eq!(&answer[..12], b"\0\x02ok\0\x02ok\0\x02ok");
        stream::finish_sending(client.as_fd()).unwrap();
        assert!(desk.on_stream(id), "closed when all is answered");
    }

    #[test]
    fn one_connection_cannot_have_more_than_its_share_under_way() {
        let (mut desk, id, client) = desk();
        let wire: Vec<u8> = [0u8, 1, b'x'].repeat(MAX_DNS_PER_STREAM + 10);
        stream::write(client.as_fd(), &wire).unwrap();
        assert!(!desk.on_stream(id));
        let first = desk.take_questions();
        assert_eq!(first.len(), MAX_DNS_PER_STREAM);
        assert_eq!(desk.answer(first[0].query, Some(b"y")).1, None);
        assert_eq!(desk.take_questions().len(), 1, "an answer makes room for one more");
    }

    #[test]
    fn silent_connections_and_lost_questions_are_swept() {
        let (mut desk, id, client) = desk();
        stream::write(client.as_fd(), &[0, 1, b'x', 0]).unwrap();
        assert!(!desk.on_stream(id));
        assert_eq!(desk.sweep(), []);
        desk.set_now(Instant::ZERO + DNS_PATIENCE + DNS_PATIENCE);
        assert_eq!(desk.sweep(), [id]);
        assert!(matches!(desk.answer(1, Some(b"late")).0, Delivery::Nobody));
    }
}
