//! Questions and answers as they cross to the owner: many of them in one buffer, so that a crossing costs the same for one and for hundreds.
//!
//! | bytes | to the owner | from the owner |
//! |---|---|---|
//! | 0..4 | length of the message | length of the message; `u32::MAX`: no answer |
//! | 4 | kind: 0 question by UDP, 1 by TCP, 2 reply of a guest's server, 3 no reply | 0 |
//! | 5 | 0 | 0 |
//! | 6..8 | length of the endpoint's name (0 for a reply) | 0 |
//! | 8..16 | number of the question | number of the question |
//! | 16.. | name, message | message |
//!
//! Numbers are little-endian; `src/native/dns-seam.ts` is the other end.

use super::Question;
use super::asks::Reply;
use crate::limits::{DNS_QUANTUM, MAX_DNS_ASKS, MAX_DNS_PENDING, MAX_DNS_PENDING_PER_GUEST};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use unet_core::EndpointId;

const HEADER_LEN: usize = 16;
/// The length of an answer that is none.
const NO_ANSWER: u32 = u32::MAX;
/// Every record fits a buffer of this size: a name as long as its 16-bit length can say, and the largest message.
pub const SMALLEST_ARENA: usize = HEADER_LEN + 2 * 65_536;

/// What waits for the owner.
#[derive(Debug, Default)]
pub(crate) struct Seam {
    lanes: HashMap<EndpointId, Lane>,
    /// Who has something waiting, in the order of their turns.
    turns: VecDeque<EndpointId>,
    waiting: usize,
    replies: VecDeque<Reply>,
}

#[derive(Debug)]
struct Lane {
    name: Arc<str>,
    questions: VecDeque<Question>,
}

impl Seam {
    /// False when there is no room: the owner has not looked for longer than questions are remembered.
    pub(crate) fn push(&mut self, name: &Arc<str>, question: Question) -> bool {
        if self.waiting >= MAX_DNS_PENDING * 2 {
            return false;
        }
        let Self { lanes, turns, waiting, .. } = self;
        let endpoint = question.endpoint;
        let lane = lanes.entry(endpoint).or_insert_with(|| {
            turns.push_back(endpoint);
            Lane { name: Arc::clone(name), questions: VecDeque::new() }
        });
        if lane.questions.len() >= MAX_DNS_PENDING_PER_GUEST {
            return false;
        }
        lane.questions.push_back(question);
        *waiting += 1;
        true
    }

    pub(crate) fn push_reply(&mut self, reply: Reply) {
        if self.replies.len() < MAX_DNS_ASKS * 2 {
            self.replies.push_back(reply);
        }
    }

    pub(crate) fn forget(&mut self, endpoint: EndpointId) {
        if let Some(lane) = self.lanes.remove(&endpoint) {
            self.turns.retain(|&other| other != endpoint);
            self.waiting -= lane.questions.len();
        }
    }

    /// Writes as many records as fit, at most `max`; says how many bytes that is.
    pub(crate) fn drain(&mut self, arena: &mut [u8], max: usize) -> usize {
        let mut writer = Writer { arena, used: 0, left: max };
        while let Some(reply) = self.replies.front() {
            let kind = if reply.message.is_some() { 2 } else { 3 };
            if !writer.record(kind, reply.query, "", reply.message.as_deref().unwrap_or_default()) {
                return writer.used;
            }
            self.replies.pop_front();
        }
        while let Some(endpoint) = self.turns.pop_front() {
            let Some(lane) = self.lanes.get_mut(&endpoint) else { continue };
            let mut quantum = DNS_QUANTUM;
            while let Some(question) = lane.questions.front().filter(|_| quantum > 0) {
                if !writer.record(u8::from(question.tcp), question.query, &lane.name, &question.message) {
                    self.turns.push_front(endpoint);
                    return writer.used;
                }
                lane.questions.pop_front();
                self.waiting -= 1;
                quantum -= 1;
            }
            if lane.questions.is_empty() {
                self.lanes.remove(&endpoint);
            } else {
                self.turns.push_back(endpoint);
            }
        }
        writer.used
    }
}

struct Writer<'a> {
    arena: &'a mut [u8],
    used: usize,
    left: usize,
}

impl Writer<'_> {
    /// False when there is no room for it.
    fn record(&mut self, kind: u8, query: u64, name: &str, message: &[u8]) -> bool {
        let (Ok(len), Ok(name_len)) = (u32::try_from(message.len()), u16::try_from(name.len())) else { return true };
        let end = HEADER_LEN + name.len() + message.len();
        let room = self.arena.get_mut(self.used..).and_then(|rest| rest.get_mut(..end));
        let Some(room) = room.filter(|_| self.left > 0) else { return false };
        room[..4].copy_from_slice(&len.to_le_bytes());
        room[4] = kind;
        room[5] = 0;
        room[6..8].copy_from_slice(&name_len.to_le_bytes());
        room[8..HEADER_LEN].copy_from_slice(&query.to_le_bytes());
        let (to_name, to_message) = room[HEADER_LEN..].split_at_mut(name.len());
        to_name.copy_from_slice(name.as_bytes());
        to_message.copy_from_slice(message);
        self.used += end;
        self.left -= 1;
        true
    }
}

/// The owner's answers in a buffer; it ends where one is cut off.
pub(crate) fn answers(mut records: &[u8]) -> impl Iterator<Item = (u64, Option<&[u8]>)> {
    std::iter::from_fn(move || {
        let (header, rest) = records.split_first_chunk::<HEADER_LEN>()?;
        let (len, query) = (header.first_chunk::<4>()?, header.last_chunk::<8>()?);
        let query = u64::from_le_bytes(*query);
        let len = u32::from_le_bytes(*len);
        if len == NO_ANSWER {
            records = rest;
            return Some((query, None));
        }
        let (message, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        records = rest;
        Some((query, Some(message)))
    })
}
