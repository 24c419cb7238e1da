//! One direction of a bad link: what comes in, when it goes out.

use super::limits::{RATE_PATIENCE, RATE_ROOM, RATE_SLACK, RATE_STEP, SILENCE};
use super::queue::FrameQueue;
use super::random::Random;
use super::{FaultInjector, FaultSpec};
use crate::device::{Capabilities, Device};
use crate::proto::segment::transmit_foreign;
use crate::switch::EndpointId;
use crate::time::Instant;
use crate::wire::ethernet;
use crate::wire::vnet::{Gso, LEN as VNET_LEN, Vnet};
use std::time::Duration;

/// Frames that ended here since somebody asked last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lost on purpose.
    pub lost: u64,
    /// Found the queue full.
    pub refused: u64,
}

/// One direction of a bad link.
#[derive(Debug)]
pub struct BadLink {
    spec: FaultSpec,
    /// None when nothing is done to shares of frames.
    shares: Option<FaultInjector>,
    line: Line,
    last_offer: Instant,
    /// Kept for their memory: a super-frame in one piece, a frame with its description.
    whole: Vec<u8>,
    described: Vec<u8>,
    random: Random,
}

/// What is behind the shares: the slow line and the distance.
#[derive(Debug)]
struct Line {
    spec: FaultSpec,
    queue: FrameQueue,
    /// Nanoseconds: when the last bit of what came so far has left, if the line is slow.
    free_at: u64,
    last_due: Instant,
    jitter: Jitter,
    counts: Counts,
}

#[derive(Debug)]
struct Jitter {
    random: Random,
    /// Microseconds, on top of delay − jitter.
    current: u64,
    /// When the next number is drawn.
    until: Instant,
}

impl BadLink {
    /// `seed` makes a run repeatable.
    #[must_use]
    pub fn new(spec: FaultSpec, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let jitter = Jitter { random: Random::new(random.bits()), current: 0, until: Instant::ZERO };
        let line = Line {
            spec,
            queue: FrameQueue::default(),
            free_at: 0,
            last_due: Instant::ZERO,
            jitter,
            counts: Counts::default(),
        };
        let mut link = Self {
            spec,
            shares: None,
            line,
            last_offer: Instant::ZERO,
            whole: Vec::new(),
            described: Vec::new(),
            random,
        };
        link.shares = link.injector();
        link
    }

    fn injector(&mut self) -> Option<FaultInjector> {
        let seed = self.random.bits();
        (!self.spec.shares.is_none()).then(|| FaultInjector::new(self.spec.shares, seed))
    }

    #[must_use]
    pub fn spec(&self) -> &FaultSpec {
        &self.spec
    }

    /// From now on it does this. What it holds goes on at once, or is lost when the link is cut.
    pub fn change(&mut self, spec: FaultSpec, now: Instant) {
        if spec == self.spec {
            return;
        }
        if let Some(mut shares) = self.shares.take() {
            self.line.counts.lost += shares.take_dropped();
            shares.release(|frame| self.line.queue.push(self.line.last_due.max(now), &[frame]));
        }
        if spec.is_cut() {
            self.line.counts.lost += self.line.queue.clear() as u64;
        } else {
            self.line.queue.hurry(now);
        }
        self.spec = spec;
        self.line.spec = spec;
        self.line.free_at = 0;
        self.line.last_due = now;
        self.line.jitter.until = Instant::ZERO;
        self.shares = self.injector();
    }

    /// Nothing is asked of it and it holds nothing: it can be taken away.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.spec.is_none() && self.line.queue.is_empty()
    }

    /// A frame comes in: `header` followed by `payload`. It goes out by [`BadLink::release`], never from here. False when the
    /// queue has no room for it.
    pub fn offer(&mut self, now: Instant, vnet: &Vnet, header: &[u8], payload: &[u8]) -> bool {
        self.last_offer = now;
        if !self.line.has_room(now, VNET_LEN + header.len() + payload.len()) {
            self.line.counts.refused += 1;
            return false;
        }
        if self.spec.is_cut() {
            self.line.counts.lost += 1;
            return true;
        }
        if vnet.gso == Gso::None || !self.spec.cuts_super_frames() {
            self.offer_one(now, vnet, header, payload);
            return true;
        }
        let mut whole = std::mem::take(&mut self.whole);
        whole.clear();
        whole.extend_from_slice(header);
        whole.extend_from_slice(payload);
        // What cannot be cut is not what its description says, and ends at whoever reads it next.
        if !transmit_foreign(&mut Cutting { link: self, now }, EndpointId::default(), vnet, &whole) {
            self.offer_one(now, vnet, header, payload);
        }
        self.whole = whole;
        true
    }

    /// Bytes that are worth offering now.
    #[must_use]
    pub fn room(&self, now: Instant) -> usize {
        usize::try_from(self.line.room(now)).unwrap_or(usize::MAX)
    }

    fn offer_one(&mut self, now: Instant, vnet: &Vnet, header: &[u8], payload: &[u8]) {
        let vnet = vnet.emit();
        let Some(shares) = &mut self.shares else {
            self.line.push(now, &[&vnet, header, payload]);
            return;
        };
        self.described.clear();
        for part in [&vnet, header, payload] {
            self.described.extend_from_slice(part);
        }
        let line = &mut self.line;
        shares.offer(&self.described, |frame| line.push(now, &[frame]));
    }

    /// Gives every frame that is due to `deliver`, at most `budget` of them.
    pub fn release(&mut self, now: Instant, budget: usize, mut deliver: impl FnMut(&Vnet, &[u8])) {
        if let Some(shares) = &mut self.shares
            && shares.holds_frames()
            && self.last_offer + SILENCE <= now
        {
            let line = &mut self.line;
            shares.release(|frame| line.push(now, &[frame]));
        }
        for _ in 0..budget {
            let some = self.line.queue.pop_due(now, |described| {
                // It was put there by `Vnet::emit`.
                if let Ok((vnet, frame)) = Vnet::parse(described) {
                    deliver(&vnet, frame);
                }
            });
            if !some {
                return;
            }
        }
    }

    /// When to call [`BadLink::release`] next; none: when something has come in.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        let held = self.shares.as_ref().is_some_and(FaultInjector::holds_frames).then(|| self.last_offer + SILENCE);
        [self.line.queue.next_due(), held].into_iter().flatten().min()
    }

    pub fn take_counts(&mut self) -> Counts {
        if let Some(shares) = &mut self.shares {
            self.line.counts.lost += shares.take_dropped();
        }
        std::mem::take(&mut self.line.counts)
    }
}

impl Line {
    /// Asked once for a super-frame, so it comes in whole or not at all.
    fn has_room(&self, now: Instant, len: usize) -> bool {
        if !self.queue.has_room(len) {
            return false;
        }
        let Some(rate) = self.spec.rate else { return true };
        let most = most_waiting(rate.get());
        self.waiting(now) <= most + most / RATE_SLACK
    }

    /// Nanoseconds until the line is free.
    fn waiting(&self, now: Instant) -> u64 {
        self.free_at.saturating_sub(nanos(now))
    }

    /// What still fits in front of a slow line.
    fn room(&self, now: Instant) -> u64 {
        let Some(rate) = self.spec.rate else { return u64::MAX };
        let rate = rate.get();
        let left = most_waiting(rate).saturating_sub(self.waiting(now));
        if left == 0 { 0 } else { bytes_in_time(left, rate).max(RATE_STEP) }
    }

    /// A frame behind its description.
    fn push(&mut self, now: Instant, parts: &[&[u8]]) {
        let mut leaves = now;
        if let Some(rate) = self.spec.rate {
            let taken = time_on_line(bytes_on_wire(parts), rate.get());
            self.free_at = self.free_at.max(nanos(now)).saturating_add(taken);
            leaves = Instant::from_micros(self.free_at.div_ceil(1000));
        }
        let distance = self.spec.delay.saturating_sub(self.spec.jitter);
        let due = leaves + distance + self.jitter.at(now, self.spec.jitter);
        self.last_due = self.last_due.max(due);
        self.queue.push(self.last_due, parts);
    }
}

impl Jitter {
    fn at(&mut self, now: Instant, width: Duration) -> Duration {
        if width.is_zero() {
            return Duration::ZERO;
        }
        if now >= self.until {
            self.until = now + width * 2;
            let span = u64::try_from(width.as_micros()).unwrap_or(u64::MAX).saturating_mul(2).saturating_add(1);
            self.current = self.random.bits() % span;
        }
        Duration::from_micros(self.current)
    }
}

/// The pieces of a super-frame, as a device takes them.
struct Cutting<'a> {
    link: &'a mut BadLink,
    now: Instant,
}

impl Device for Cutting<'_> {
    fn capabilities(&self, _endpoint: EndpointId) -> Capabilities {
        Capabilities::default()
    }

    fn transmit(&mut self, _endpoint: EndpointId, vnet: &Vnet, header: &[u8], payload: &[u8]) -> bool {
        self.link.offer_one(self.now, vnet, header, payload);
        true
    }
}

fn nanos(at: Instant) -> u64 {
    at.as_micros().saturating_mul(1000)
}

fn nanos_of(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds of a slow line that may wait for it.
fn most_waiting(rate: u64) -> u64 {
    nanos_of(RATE_PATIENCE).max(time_on_line(RATE_ROOM, rate))
}

/// Bytes that go over a line of `rate` bits a second in so many nanoseconds.
fn bytes_in_time(time: u64, rate: u64) -> u64 {
    u64::try_from(u128::from(time) * u128::from(rate) / 8 / 1_000_000_000).unwrap_or(u64::MAX)
}

/// Nanoseconds that so many bytes take at `rate` bits a second.
fn time_on_line(bytes: u64, rate: u64) -> u64 {
    u64::try_from(u128::from(bytes) * 8 * 1_000_000_000 / u128::from(rate)).unwrap_or(u64::MAX)
}

/// Ethernet header and packet; of a super-frame, those of every frame that it stands for.
fn bytes_on_wire(parts: &[&[u8]]) -> u64 {
    let len = parts.iter().map(|part| part.len()).sum::<usize>().saturating_sub(VNET_LEN);
    (len + repeated_headers(parts, len)) as u64
}

/// What cutting would add to a super-frame of `len` bytes. Its headers lie in one of the parts, behind the description.
fn repeated_headers(parts: &[&[u8]], len: usize) -> usize {
    let (description, frame) = match parts {
        [described] => described.split_at(described.len().min(VNET_LEN)),
        [description, frame, ..] => (*description, *frame),
        [] => return 0,
    };
    let Ok((Vnet { gso, .. }, _)) = Vnet::parse(description) else { return 0 };
    let ip = ethernet::HEADER_LEN;
    let ip_len = frame.get(ip).map_or(20, |byte| usize::from(byte & 0x0f) * 4);
    let (size, transport_len) = match gso {
        Gso::None => return 0,
        Gso::TcpV4 { size } => (size, frame.get(ip + ip_len + 12).map_or(20, |byte| usize::from(byte >> 4) * 4)),
        Gso::UdpL4 { size } => (size, 8),
        Gso::TcpV6 { .. } => return 0,
    };
    let headers = ip + ip_len + transport_len;
    let frames = len.saturating_sub(headers).div_ceil(usize::from(size).max(1));
    frames.saturating_sub(1) * headers
}
