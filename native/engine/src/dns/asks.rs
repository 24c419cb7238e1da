//! Questions of ours to DNS servers that run in guests (`--dns` with an address of the container's network).
//!
//! Each leaves as a datagram from the gateway's address and a port of its own that nobody can guess, straight to the guest's TAP: there
//! is no socket of the host that another user could write to. The answer is the datagram that comes back to this port from port 53 of the
//! same endpoint, under the same id; the switch has checked that its source address is the endpoint's own. An empty datagram, as which
//! the core brings an ICMP "port unreachable", ends the wait. Who asked compares the questions.
//!
//! Limits: UDP only; bounded for each guest and for all, and in time.

use crate::limits::{DNS_ASK_PATIENCE, MAX_DNS_ASKS, MAX_DNS_ASKS_PER_GUEST};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use unet_core::{EndpointId, Instant};

/// The first port that a question may leave from; those below are services' own.
const FIRST_PORT: u16 = 1024;
/// Ports tried before it is given up; with the bounds that there are the second is hardly ever needed.
const TRIES: usize = 8;
const HEADER_LEN: usize = 12;

#[derive(Debug)]
struct Ask {
    query: u64,
    id: [u8; 2],
    since: Instant,
}

/// What came of a question; no message: nothing will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) query: u64,
    pub(crate) message: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
pub(crate) struct Asks {
    open: HashMap<(EndpointId, u16), Ask>,
    replies: Vec<Reply>,
}

/// What a datagram to one of our ports was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nobody asked from that port.
    Stranger,
    Answer,
    /// To an open port, and no answer to what was asked from it.
    Noise,
}

impl Asks {
    /// Remembers a question; gives back the port that it is to leave from. None: there is no room, or it is no message.
    pub(crate) fn open(&mut self, endpoint: EndpointId, query: u64, message: &[u8], now: Instant) -> Option<u16> {
        let id = *message.first_chunk::<2>()?;
        let own = self.open.keys().filter(|(other, _)| *other == endpoint).count();
        if message.len() < HEADER_LEN || self.open.len() >= MAX_DNS_ASKS || own >= MAX_DNS_ASKS_PER_GUEST {
            return None;
        }
        for _ in 0..TRIES {
            let mut random = [0; 4];
            getrandom::fill(&mut random).ok()?;
            let span = u32::from(u16::MAX - FIRST_PORT) + 1;
            let port = FIRST_PORT + u16::try_from(u32::from_le_bytes(random) % span).ok()?;
            if let Entry::Vacant(place) = self.open.entry((endpoint, port)) {
                place.insert(Ask { query, id, since: now });
                return Some(port);
            }
        }
        None
    }

    /// It could not be sent.
    pub(crate) fn fail(&mut self, query: u64) {
        self.open.retain(|_, ask| ask.query != query);
        self.replies.push(Reply { query, message: None });
    }

    pub(crate) fn hear(&mut self, endpoint: EndpointId, port: u16, message: &[u8]) -> Heard {
        let Entry::Occupied(ask) = self.open.entry((endpoint, port)) else { return Heard::Stranger };
        let is_answer = message.len() >= HEADER_LEN && message[2] & 0x80 != 0 && message[..2] == ask.get().id;
        if !is_answer && !message.is_empty() {
            return Heard::Noise;
        }
        let ask = ask.remove();
        self.replies.push(Reply { query: ask.query, message: is_answer.then(|| message.to_vec()) });
        Heard::Answer
    }

    pub(crate) fn take_replies(&mut self) -> Vec<Reply> {
        std::mem::take(&mut self.replies)
    }

    /// Nothing is waited for, and nothing is to be told.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.replies.is_empty()
    }

    pub(crate) fn sweep(&mut self, now: Instant) {
        self.end(|_, ask| now.since(ask.since) > DNS_ASK_PATIENCE);
    }

    pub(crate) fn forget_endpoint(&mut self, endpoint: EndpointId) {
        self.end(|other, _| other == endpoint);
    }

    fn end(&mut self, mut is_over: impl FnMut(EndpointId, &Ask) -> bool) {
        let Self { open, replies } = self;
        let over = open.extract_if(|(endpoint, _), ask| is_over(*endpoint, ask));
        replies.extend(over.map(|(_, ask)| Reply { query: ask.query, message: None }));
    }
}
