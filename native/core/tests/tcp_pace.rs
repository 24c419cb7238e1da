//! Nobody waits for a timer of the other side: windows, delayed acknowledgements and small segments against a receiver that behaves
//! as Linux does, and who gets a turn when.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::conn::{Elsewhere, Offer};
use common::lean::Lean;
use common::{Conn, SERVER, World, assert_same, pattern};
use std::time::Duration;
use unet_core::testing::frames::{SeenSegment, parse_tcp};
use unet_core::testing::{Frame, OFFLOAD};
use unet_core::time::Instant;
use unet_core::wire::tcp::Flags;
use unet_core::wire::vnet::Gso;
use unet_core::{Capabilities, FlowId};

const DELAYED_ACK: Duration = Duration::from_millis(40);
/// What may pass without progress because somebody waits for somebody's timer.
const PATIENCE: Duration = Duration::from_millis(50);
const TICK: Duration = Duration::from_micros(50);
const PLAIN: Capabilities = common::world::PLAIN;

/// The receiving half of a Linux socket: when it acknowledges, what window it tells (`__tcp_ack_snd_check`, `__tcp_select_window`,
/// `tcp_cleanup_rbuf`), and a program that reads.
struct Receiver {
    conn: Conn,
    scale: u8,
    buffer: usize,
    queued: usize,
    got: Vec<u8>,
    /// The largest segment seen, as the kernel guesses it.
    segment: usize,
    /// The sequence number acknowledged last, and the window told with it.
    told: (unet_core::wire::tcp::Seq, usize),
    delayed: Option<Instant>,
    acks: usize,
}

impl Receiver {
    fn new(world: &mut World, mss: u16, buffer: usize) -> Self {
        let scale = 7;
        let offer =
            Offer { mss, scale: Some(scale), window: u16::try_from(buffer.min(65_535)).unwrap(), ..Offer::default() };
        let conn = Conn::open_with(world, 40_000, &offer);
        world.frames();
        let mut receiver = Self {
            conn,
            scale,
            buffer,
            queued: 0,
            got: Vec::new(),
            segment: 536,
            told: (conn.ack, 0),
            delayed: None,
            acks: 0,
        };
        receiver.acknowledge(world);
        receiver
    }

    /// What it would tell now.
    fn window(&self) -> usize {
        let free = self.buffer - self.queued;
        let still = self.open();
        let window = if free < self.segment.min(self.buffer / 2) { 0 } else { free };
        window.max(still)
    }

    /// What is still open of what it told.
    fn open(&self) -> usize {
        self.told.1.saturating_sub(self.conn.ack.distance_from(self.told.0) as usize)
    }

    fn acknowledge(&mut self, world: &mut World) {
        let window = self.window() >> self.scale;
        self.conn.window = u16::try_from(window).unwrap();
        self.told = (self.conn.ack, window << self.scale);
        self.delayed = None;
        self.acks += 1;
        self.conn.send(world, Flags::ACK, &[]);
    }

    fn take(&mut self, world: &mut World, segment: &SeenSegment, size: usize) {
        if segment.payload.is_empty() {
            return;
        }
        let before = self.got.len();
        let mut out = std::mem::take(&mut self.got);
        self.conn.take(segment, &mut out);
        self.got = out;
        self.queued += self.got.len() - before;
        assert!(self.queued <= self.buffer, "more than the window");
        self.segment = self.segment.max(size.min(segment.payload.len()));
        let unacknowledged = self.conn.ack.distance_from(self.told.0) as usize;
        if unacknowledged > self.segment {
            self.acknowledge(world);
        } else {
            self.delayed = self.delayed.or(Some(world.now() + DELAYED_ACK));
        }
    }

    /// The program reads; the kernel tells when that at least doubles the window.
    fn read(&mut self, world: &mut World, len: usize) {
        self.queued -= len.min(self.queued);
        let open = self.open();
        if 2 * open <= self.buffer && self.window() >= (2 * open).max(1) && len > 0 {
            self.acknowledge(world);
        }
    }

    /// Everything until `done`. Gives the longest time without progress.
    fn run(&mut self, world: &mut World, total: usize, mut program: impl FnMut(&Self, Instant) -> usize) -> Duration {
        let (mut last, mut longest) = (world.now(), Duration::ZERO);
        while self.got.len() < total {
            world.settle();
            let frames = world.frames();
            let before = self.got.len();
            for frame in &frames {
                let size = if let Gso::TcpV4 { size } = frame.vnet.gso { usize::from(size) } else { usize::MAX };
                self.take(world, &parse_tcp(&frame.bytes).unwrap(), size);
            }
            let len = program(self, world.now());
            self.read(world, len);
            if self.delayed.is_some_and(|at| at <= world.now()) {
                self.acknowledge(world);
            }
            if self.got.len() > before {
                longest = longest.max(world.now().since(last));
                last = world.now();
            }
            assert!(world.now().since(last) < Duration::from_secs(5), "the 5 s stall after {} bytes", self.got.len());
            world.pass(TICK);
        }
        longest
    }
}

#[test]
fn segments_as_large_as_the_window_wait_for_no_timer() {
    for capabilities in [OFFLOAD, PLAIN] {
        for (mtu, mss) in [(65_520, 65_480), (9000, 8960), (1500, 1460)] {
            // 128 KiB is what a kernel starts with; half of that is what it lets be used.
            for buffer in [16 << 10, 40_000, 65_535, 65_600, 100_000, 128 << 10, 200_000, 1 << 20] {
                let mut world = World::with_mtu(capabilities, mtu);
                let mut receiver = Receiver::new(&mut world, mss, buffer);
                let data = pattern(4 << 20, 3);
                world.io.uplink.feed(receiver.conn.flow, &data);
                let start = world.now();
                receiver.run(&mut world, data.len(), |receiver, _| receiver.queued);
                assert_same(&receiver.got, &data, "all of it");
                // Once at the end the last segment's acknowledgement may be delayed.
                let took = world.now().since(start);
                let windows = u32::try_from(data.len() / buffer).unwrap() + 1;
                assert!(took < TICK * windows * 6 + PATIENCE, "MTU {mtu}, buffer {buffer}: took {took:?}");
            }
        }
    }
}

#[test]
fn a_window_always_holds_two_segments() {
    for (window, most) in [(65_535, 32_767), (20_000, 10_000), (2000, 1000), (500, 500)] {
        let mut world = World::with_mtu(OFFLOAD, 65_520);
        let offer = Offer { mss: 65_480, scale: None, window, ..Offer::default() };
        let conn = Conn::open_with(&mut world, 40_000, &offer);
        world.frames();
        world.io.uplink.feed(conn.flow, &[5; 200_000]);
        world.settle();
        let frames = world.frames();
        let size = |frame: &Frame| match frame.vnet.gso {
            Gso::TcpV4 { size } => usize::from(size),
            _ => parse_tcp(&frame.bytes).unwrap().payload.len(),
        };
        assert_eq!(frames.iter().map(size).max(), Some(most), "of a window of {window}");
        let sent: usize = frames.iter().map(|frame| parse_tcp(&frame.bytes).unwrap().payload.len()).sum();
        assert!(sent + 1 >= usize::from(window), "{sent} bytes into a window of {window}");
    }
}

#[test]
fn a_slow_program_with_a_small_buffer_never_stalls() {
    for (mtu, mss) in [(65_520, 65_480), (1500, 1460)] {
        for buffer in [40_000, 65_535, 100_000, 128 << 10] {
            // Bytes that the program reads in a millisecond: never the same as a segment or a window.
            for rate in [700, 9001, 47_123] {
                let mut world = World::with_mtu(OFFLOAD, mtu);
                let mut receiver = Receiver::new(&mut world, mss, buffer);
                let data = pattern(1 << 20, 3);
                world.io.uplink.feed(receiver.conn.flow, &data);
                let mut at = world.now();
                let longest = receiver.run(&mut world, data.len(), |_, now| {
                    if now.since(at) < Duration::from_millis(1) {
                        return 0;
                    }
                    at = now;
                    rate
                });
                assert_same(&receiver.got, &data, "all of it");
                // The program itself needs that long for a full buffer.
                let own = Duration::from_millis(u64::try_from(buffer / rate + 1).unwrap());
                assert!(longest < own + PATIENCE, "MTU {mtu}, buffer {buffer}, rate {rate}: {longest:?}, own {own:?}");
            }
        }
    }
}

#[test]
fn an_answer_into_a_nearly_full_window_waits_no_longer_than_that() {
    // The guest's program reads nothing for a while, and the window that is left is less than a segment.
    for (mtu, mss, left) in [(65_520, 65_480, 20_000), (65_520, 65_480, 900), (1500, 1460, 900)] {
        let mut world = World::with_mtu(OFFLOAD, mtu);
        let mut conn = Conn::open_with(&mut world, 40_000, &Offer { mss, ..Offer::default() });
        conn.window = 1000;
        conn.send(&mut world, Flags::ACK, &[]);
        conn.window = left >> 7;
        conn.send(&mut world, Flags::ACK, &[]);
        world.frames();
        world.io.uplink.feed(conn.flow, &[5; 300]);
        world.settle();
        world.pass(PATIENCE);
        let sent: Vec<_> = world.segments().iter().filter(|s| !s.payload.is_empty()).map(|s| s.payload.len()).collect();
        assert_eq!(sent, [300], "MTU {mtu}, {left} bytes left");
    }
}

/// A sender that waits for its acknowledgement before it goes on, whatever the socket does with the bytes.
#[test]
fn a_sender_that_waits_is_acknowledged_at_once() {
    for room in [usize::MAX, 10, 0] {
        let mut world = World::new(OFFLOAD);
        let mut conn = Conn::open(&mut world);
        world.io.uplink.stream_mut(conn.flow).room = room;
        for len in [1, 1, 100, 1460, 1] {
            conn.send(&mut world, Flags::ACK, &pattern(len, 1));
            assert_eq!(world.segment().ack, conn.seq, "without any time passing");
        }
        // Also with the far end silent, or in the middle of a download that the guest does not acknowledge.
        world.io.uplink.feed(conn.flow, &[1; 200_000]);
        world.settle();
        world.frames();
        conn.send(&mut world, Flags::ACK, b"x");
        assert_eq!(world.segments().last().unwrap().ack, conn.seq);
    }
}

/// A guest at an MTU of 65,520 sends a segment only where it fits whole.
#[test]
fn a_window_that_opens_is_told_before_a_large_segment_waits_for_it() {
    let mut world = World::with_mtu(OFFLOAD, 65_520);
    let mut conn = Conn::open_with(&mut world, 40_000, &Offer { mss: 65_480, ..Offer::default() });
    let mut window = 128 << 10;
    let data = pattern(65_480, 1);
    world.io.uplink.stream_mut(conn.flow).room = 0;
    // Until the next would not fit.
    while window >= data.len() {
        conn.send(&mut world, Flags::ACK, &data);
        window = usize::from(world.segments().last().unwrap().window) << 6;
    }
    // The program on the host reads now and then.
    let mut drained = 0;
    while window < data.len() {
        world.io.uplink.add_room(conn.flow, 10_000);
        drained += 10_000;
        world.settle();
        if let Some(update) = world.segments().last() {
            window = usize::from(update.window) << 6;
        }
        assert!(drained <= 140_000, "{window} bytes offered after all was drained");
    }
}

#[test]
fn upload_with_large_segments_never_waits_for_a_probe() {
    // Whatever is held, when all of it has drained a large segment fits.
    for held in [1000, 30_000, 65_480, 90_000, 131_000] {
        let mut world = World::with_mtu(OFFLOAD, 65_520);
        let mut conn = Conn::open_with(&mut world, 40_000, &Offer { mss: 65_480, ..Offer::default() });
        world.frames();
        world.io.uplink.stream_mut(conn.flow).room = 0;
        for part in pattern(held, 1).chunks(65_000) {
            conn.send(&mut world, Flags::ACK, part);
        }
        let mut window = usize::from(world.segments().last().unwrap().window) << 6;
        for _ in 0..=held / 1000 {
            world.io.uplink.add_room(conn.flow, 1000);
            world.settle();
            window = world.segments().last().map_or(window, |update| usize::from(update.window) << 6);
        }
        assert!(window >= 65_480, "{window} bytes offered after {held} were drained");
    }
}

#[test]
fn a_long_way_opens_the_window_further() {
    let data = pattern(60_000, 1);
    let mut windows = Vec::new();
    for (capabilities, way) in [(PLAIN, 0), (OFFLOAD, 0), (OFFLOAD, 20), (PLAIN, 20)] {
        let mut world = World::new(capabilities);
        let syn = Offer::default().syn(&world, 40_000, SERVER);
        world.send(&syn);
        let flow = world.io.uplink.last();
        world.io.uplink.connected(flow);
        world.settle();
        let answer = world.segment();
        world.pass(Duration::from_millis(way));
        let mut conn = Conn {
            port: 40_000,
            remote: SERVER,
            seq: Offer::default().iss.add(1),
            ack: answer.seq.add(1),
            window: 64_000,
            flow,
        };
        conn.send(&mut world, Flags::ACK, &[]);
        let mut window = 0;
        for _ in 0..500 {
            for part in data.chunks(1460) {
                conn.queue(&mut world, Flags::ACK, part);
            }
            world.settle();
            window = u32::from(world.segments().last().unwrap().window) << 6;
        }
        windows.push(window);
    }
    assert_eq!(windows, [256 << 10, 1 << 20, 0xffff << 6, 0xffff << 6]);
}

#[test]
fn a_connection_idle_for_days_still_carries() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    conn.send(&mut world, Flags::ACK, b"before");
    world.frames();
    let mut probes = 0;
    let end = world.now() + Duration::from_secs(5 * 86_400);
    while world.now() < end {
        world.pass(Duration::from_secs(60));
        for probe in world.segments() {
            assert!(!probe.has(Flags::RST) && probe.payload.is_empty());
            probes += 1;
            conn.send(&mut world, Flags::ACK, &[]);
        }
    }
    assert!((50..=60).contains(&probes), "one every two hours: {probes}");
    conn.send(&mut world, Flags::ACK, b"after");
    assert_eq!(world.segment().ack, conn.seq);
    assert_eq!(world.io.uplink.stream(conn.flow).sent, b"beforeafter");
    world.io.uplink.feed(conn.flow, b"answer");
    world.settle();
    assert_eq!(conn.receive(&mut world), b"answer");
    world.pass(Duration::from_secs(10));
    assert!(world.segments().is_empty());
    assert_eq!(world.stack.held_bytes(), 0);
}

#[test]
fn an_acknowledgement_from_long_ago_is_a_guess() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    let data = pattern(9_000_000, 1);
    world.io.uplink.feed(conn.flow, &data);
    world.settle();
    while world.io.uplink.stream(conn.flow).unread() > 0 {
        conn.receive(&mut world);
    }
    conn.receive(&mut world);
    // In the window, but acknowledging what lies further back than any window was wide (RFC 5961 §5.2).
    let blind = Conn { ack: conn.ack.add(u32::MAX - 8_500_000), ..conn };
    blind.raw(&mut world, conn.seq, Flags::ACK, &[], b"injected");
    world.settle();
    assert!(world.io.uplink.stream(conn.flow).sent.is_empty());
    assert_eq!((world.segment().ack, world.drops(unet_core::DropReason::TcpUnacceptable)), (conn.seq, 1));
    // A little old is only late.
    let late = Conn { ack: conn.ack.add(u32::MAX - 60_000), ..conn };
    late.raw(&mut world, conn.seq, Flags::ACK, &[], b"late");
    world.settle();
    assert_eq!(world.io.uplink.stream(conn.flow).sent, b"late");
}

/// A line that had no room for long, with nothing of the flow on it whose acknowledgement could wake it.
#[test]
fn a_slow_line_is_asked_again_soon() {
    let mut lean = Lean::new(10);
    let mut conn = lean.open(40_000);
    for silence in [1, 10, 100] {
        lean.sides.line = 0;
        lean.sides.available = 100_000;
        lean.event(&conn, true, false);
        lean.flush();
        lean.pass(Duration::from_secs(silence));
        assert_eq!(lean.sides.available, 100_000);
        lean.sides.line = 3000;
        lean.pass(PATIENCE);
        assert!(lean.sides.available < 100_000, "asked again after {silence} s of silence");
        lean.sides.line = usize::MAX;
        while lean.sides.available > 0 {
            lean.acknowledge(&mut conn);
        }
        lean.acknowledge(&mut conn);
    }
}

/// Connections with open windows whose sockets have so much each.
fn downloads(world: &mut World, flows: u16, bytes: usize) -> Vec<Conn> {
    let offer = Offer { scale: Some(10), window: 65_535, ..Offer::default() };
    let mut conns: Vec<Conn> = (0..flows).map(|n| Conn::open_with(world, 40_000 + n, &offer)).collect();
    for conn in &mut conns {
        conn.send(world, Flags::ACK, &[]);
    }
    for conn in &conns {
        world.io.uplink.feed(conn.flow, &pattern(bytes, 1));
    }
    conns
}

/// One turn of the loop, in which every socket that has something says so.
fn one_turn(world: &mut World) {
    let now = world.now();
    while let Some((flow, ready)) = world.io.uplink.next_event() {
        world.stack.on_socket(&mut world.io, flow, ready, now);
    }
    world.stack.flush(&mut world.io, now);
}

/// Downloads without end, a few bytes of somebody else, and another guest: all in the same turn.
#[test]
fn a_greedy_flow_leaves_others_their_turn() {
    /// Chunks of its turns: first a third of the 32 for flows whose event has come, then all that one flow may have.
    const BUDGETS: [usize; 3] = [32 / 3, 16, 16];
    let mut world = World::new(OFFLOAD);
    let offer = Offer { scale: Some(10), window: 65_535, ..Offer::default() };
    let mut greedy = Conn::open_with(&mut world, 40_000, &offer);
    greedy.send(&mut world, Flags::ACK, &[]);
    let interactive = Conn::open_with(&mut world, 40_001, &Offer::default());
    let Elsewhere { guest: other, flow: theirs, .. } = Elsewhere::open(&mut world, &offer);

    world.io.uplink.feed(greedy.flow, &pattern(16 << 20, 1));
    for (turn, budget) in BUDGETS.into_iter().enumerate() {
        world.io.uplink.feed(interactive.flow, b"key");
        world.io.uplink.feed(theirs, b"theirs");
        one_turn(&mut world);
        let frames = world.frames();
        let payload_of = |flow: FlowId| {
            let (guest, port) = match flow {
                flow if flow == theirs => (other, 40_000),
                flow if flow == interactive.flow => (world.guest(), 40_001),
                _ => (world.guest(), 40_000),
            };
            let frames = frames.iter().filter(move |frame| frame.endpoint == guest);
            let segments = frames.map(|frame| parse_tcp(&frame.bytes).unwrap()).filter(move |s| s.to.port() == port);
            segments.filter(|segment| !segment.payload.is_empty()).count()
        };
        assert_eq!(payload_of(interactive.flow), 1, "turn {turn}");
        assert_eq!(payload_of(theirs), 1, "turn {turn}");
        assert_eq!(payload_of(greedy.flow), budget, "turn {turn}");
        assert!(world.stack.has_work(), "the rest is for the next turn");
    }
}

#[test]
fn many_greedy_flows_share_a_turn_alike() {
    const FLOWS: u16 = 16;
    let mut world = World::new(OFFLOAD);
    downloads(&mut world, FLOWS, 4 << 20);
    for turn in 0..3 {
        one_turn(&mut world);
        let mut shares = vec![0; usize::from(FLOWS)];
        for frame in world.frames() {
            let segment = parse_tcp(&frame.bytes).unwrap();
            shares[usize::from(segment.to.port() - 40_000)] += usize::from(!segment.payload.is_empty());
        }
        assert!(shares.iter().all(|&share| share == 2), "turn {turn}: {shares:?}");
    }
}

#[test]
fn a_turn_has_an_end_however_many_flows_have_something() {
    const FLOWS: u16 = 200;
    /// Chunks: 32 for those that wait, 32 for those whose event has come.
    const MOST: usize = 64;
    let mut world = World::new(OFFLOAD);
    let mut conns = downloads(&mut world, FLOWS, 1 << 20);
    let mut shares = vec![0_usize; usize::from(FLOWS)];
    // Two chunks each, 32 a turn: everybody has had a turn by then.
    for turn in 0..usize::from(FLOWS) * 2 / 32 + 1 {
        one_turn(&mut world);
        let frames = world.frames();
        assert!(frames.len() <= MOST, "turn {turn}: {} chunks", frames.len());
        for frame in frames {
            let segment = parse_tcp(&frame.bytes).unwrap();
            shares[usize::from(segment.to.port() - 40_000)] += usize::from(!segment.payload.is_empty());
        }
        assert_eq!(world.io.uplink.stream(conns[0].flow).sent, b"up".repeat(turn), "what one sends does not wait");
        conns[0].queue(&mut world, Flags::ACK, b"up");
        assert!(world.stack.has_work(), "the rest is for the next turn");
    }
    assert!(shares.iter().all(|&share| share > 0), "{shares:?}");
}
