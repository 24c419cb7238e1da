//! What flows cost: memory for one that is idle, allocations on the path of one that is busy, and the bounds over all of them.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::conn::{Elsewhere, Offer};
use common::lean::{Lean, LeanConn};
use common::{Conn, World, pattern};
use std::time::Duration;
use unet_core::DropReason;
use unet_core::testing::OFFLOAD;
use unet_core::testing::frames::{SeenSegment, parse_tcp};
use unet_core::wire::tcp::Flags;
use unet_sys::counting_allocator::{CountingAllocator, allocations, live_bytes};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const FLOWS: usize = 10_000;
/// What an idle flow may cost in this process.
const PER_FLOW: isize = 4096;
/// Of that, the engine's: an entry with the descriptor, and one with whom its events are for. Each is less than 32 bytes, and
/// tables are at most half empty.
const ENGINE: isize = 128;
/// What the pool keeps for reuse: one flow at a time is busy here, with little more than a budget's worth of chunks.
const POOL: isize = 2 << 20;

fn per_flow(before: isize, flows: usize) -> isize {
    (live_bytes() - before) / isize::try_from(flows).unwrap()
}

fn open_many(lean: &mut Lean) -> Vec<LeanConn> {
    (0..FLOWS).map(|n| lean.open(10_000 + u16::try_from(n).unwrap())).collect()
}

#[test]
fn ten_thousand_idle_flows_are_small_and_give_everything_back() {
    let mut lean = Lean::new(65_536);
    let mut flows = Vec::with_capacity(FLOWS);
    let before = live_bytes();
    flows.extend(open_many(&mut lean).into_iter().map(|conn| (conn, 0)));
    // What the collecting above took is gone again; `flows` was there before.
    let fresh = per_flow(before, FLOWS);
    assert!(fresh > 100, "{fresh} bytes: nothing was measured");
    assert!(fresh + ENGINE <= PER_FLOW, "{fresh} bytes for a flow that was never used");

    // Each is busy for a while: both ways, with a slow host, with a gap.
    for (conn, _) in &mut flows {
        lean.sides.available = 200_000;
        lean.event(conn, true, false);
        lean.flush();
        lean.acknowledge(conn);
        while lean.sides.available > 0 {
            lean.acknowledge(conn);
        }
        lean.acknowledge(conn);
        lean.sides.room = 1000;
        lean.send(conn, 30_000, Flags::ACK);
        let gap = LeanConn { seq: conn.seq + 5000, ..*conn };
        lean.send(&mut gap.clone(), 1000, Flags::ACK);
        lean.send(conn, 6000, Flags::ACK);
        lean.sides.room = usize::MAX;
        lean.event(conn, false, true);
        lean.flush();
    }
    assert_eq!(lean.stack.held_bytes(), 0);
    lean.pass(Duration::from_secs(10));
    let used = (live_bytes() - before - POOL) / isize::try_from(FLOWS).unwrap();
    assert!(used + ENGINE <= PER_FLOW, "{used} bytes for a flow that was busy once");
    assert_eq!(lean.stack.flow_count(), FLOWS);

    let close = |lean: &mut Lean, flows: &mut Vec<(LeanConn, i32)>| {
        for (conn, _) in flows.iter_mut() {
            lean.send(conn, 0, Flags::RST);
        }
        assert_eq!(lean.stack.flow_count(), 0);
        lean.pass(Duration::from_secs(8000));
    };
    close(&mut lean, &mut flows);
    let left = live_bytes() - before - POOL;
    assert!(left < isize::try_from(FLOWS).unwrap() * 256, "{left} bytes left: more than the tables, which are kept");
    // And again: nothing adds up.
    let first = live_bytes();
    for _ in 0..3 {
        for (n, (conn, _)) in flows.iter_mut().enumerate() {
            *conn = lean.open(10_000 + u16::try_from(n).unwrap());
        }
        close(&mut lean, &mut flows);
    }
    assert!(live_bytes() <= first + (64 << 10), "{} bytes more after three rounds", live_bytes() - first);
}

/// Runs `work` until it is warm, then counts.
fn count(rounds: usize, mut work: impl FnMut()) -> usize {
    for _ in 0..rounds / 10 {
        work();
    }
    let before = allocations();
    for _ in 0..rounds {
        work();
    }
    allocations() - before
}

const STEP: Duration = Duration::from_micros(150);

#[test]
fn super_frames_to_the_host_allocate_nothing() {
    let mut lean = Lean::new(100);
    let mut conn = lean.open(40_000);
    let allocations = count(10_000, || {
        lean.send(&mut conn, 60_000, Flags::ACK);
        lean.pass(STEP);
    });
    assert_eq!(lean.sides.taken, 11_000 * 60_000);
    assert_eq!(allocations, 0);
}

#[test]
fn super_frames_to_a_slow_host_allocate_nothing() {
    let mut lean = Lean::new(100);
    let mut conn = lean.open(40_000);
    let allocations = count(10_000, || {
        lean.sides.room = 20_000;
        lean.send(&mut conn, 60_000, Flags::ACK);
        lean.sides.room = 41_000;
        lean.event(&conn, false, true);
        lean.flush();
        lean.pass(STEP);
    });
    lean.sides.room = usize::MAX;
    lean.event(&conn, false, true);
    lean.flush();
    assert_eq!(lean.sides.taken, 11_000 * 60_000);
    assert_eq!(allocations, 0);
}

#[test]
fn super_frames_to_the_guest_allocate_nothing() {
    let mut lean = Lean::new(100);
    let mut conn = lean.open(40_000);
    let before = lean.sides.frames;
    let allocations = count(1000, || {
        lean.sides.available = 20 * 64_240;
        lean.event(&conn, true, false);
        lean.flush();
        lean.pass(STEP);
        lean.acknowledge(&mut conn);
        lean.pass(STEP);
    });
    assert_eq!(lean.sides.given, 1100 * 20 * 64_240);
    assert!(lean.sides.frames - before >= 1100 * 20);
    assert_eq!(allocations, 0);
}

#[test]
fn questions_and_answers_allocate_nothing() {
    for size in [1, 600, 5000] {
        let mut lean = Lean::new(100);
        let mut conn = lean.open(40_000);
        let allocations = count(10_000, || {
            lean.send(&mut conn, size, Flags::ACK);
            lean.sides.available = size;
            lean.event(&conn, true, false);
            lean.flush();
            lean.pass(STEP);
            lean.acknowledge(&mut conn);
        });
        assert_eq!((lean.sides.taken, lean.sides.given), (11_000 * size, 11_000 * size));
        assert_eq!(allocations, 0, "{size} bytes each way");
    }
}

#[test]
fn a_connection_allocates_its_entry_and_nothing_else() {
    let mut lean = Lean::new(100);
    let allocations = count(10_000, || {
        let mut conn = lean.open(40_000);
        lean.send(&mut conn, 100, Flags::ACK);
        lean.sides.available = 1000;
        lean.event(&conn, true, false);
        lean.flush();
        lean.acknowledge(&mut conn);
        lean.send(&mut conn, 0, Flags::RST);
        lean.pass(STEP);
    });
    // The queue of deadlines grows now and then, until it is tidied.
    assert!((10_000..10_010).contains(&allocations), "{allocations} allocations");
}

/// Twenty connections to hosts that take nothing, each sending all that it may.
/// Reads a little longer than a small buffer each take a large one.
#[test]
fn a_guest_that_acknowledges_nothing_has_little_held_whatever_the_reads_are() {
    for len in [1, 513, 4097, 33_000] {
        let mut world = World::new(OFFLOAD);
        let mut conn = Conn::open_with(&mut world, 40_000, &Offer { scale: Some(14), ..Offer::default() });
        let data = pattern(len, 1);
        for _ in 0..1100 {
            world.io.uplink.feed(conn.flow, &data);
            world.settle();
            conn.ack = world.segments().last().map_or(conn.ack, SeenSegment::end);
        }
        let held = world.stack.held_bytes();
        assert!(held <= 9 << 20, "{held} bytes for reads of {len}");
        // What was left in the socket comes when there is room again.
        while world.io.uplink.stream(conn.flow).unread() > 0 {
            conn.send(&mut world, Flags::ACK, &[]);
            conn.ack = world.segments().last().map_or(conn.ack, SeenSegment::end);
        }
        conn.send(&mut world, Flags::ACK, &[]);
        assert_eq!(world.stack.held_bytes(), 0);
    }
}

#[test]
fn slow_hosts_hold_no_more_than_all_flows_may() {
    const LIMIT: usize = 1 << 20;
    let mut world = World::new(OFFLOAD);
    world.stack.set_memory_limit(LIMIT, LIMIT);
    let mut flows: Vec<_> = (0..20).map(|n| Conn::open_with(&mut world, 40_000 + n, &Offer::default())).collect();
    let data = pattern(60_000, 3);
    let mut sent = vec![Vec::new(); flows.len()];
    for conn in &flows {
        world.io.uplink.stream_mut(conn.flow).room = 0;
    }
    let mut offered = vec![65_535; flows.len()];
    let mut edges = Vec::new();
    for _ in 0..10 {
        for (n, conn) in flows.iter_mut().enumerate() {
            let len = data.len().min(offered[n]);
            conn.raw(&mut world, conn.seq, Flags::ACK, &[], &data[..len]);
            world.settle();
            for answer in world.segments() {
                let taken = answer.ack.distance_from(conn.seq) as usize;
                sent[n].extend(&data[..taken]);
                conn.seq = answer.ack;
                offered[n] = usize::from(answer.window) << 6;
            }
        }
        let now: Vec<_> = sent.iter().zip(&offered).map(|(sent, window)| sent.len() + window).collect();
        edges.push(now);
    }
    let held = world.stack.held_bytes();
    assert!((LIMIT..LIMIT + 2 * 65_536).contains(&held), "{held} bytes held");
    assert!(world.drops(DropReason::TcpMemory) > 0);
    assert!(sent.iter().any(Vec::is_empty), "some found no room at all");
    assert_eq!(edges[1], edges[9], "nobody is offered more");
    // Meanwhile a flow whose host takes what it gets goes on.
    let mut quick = Conn::open_with(&mut world, 50_000, &Offer::default());
    for _ in 0..100 {
        quick.send(&mut world, Flags::ACK, &data[..30_000]);
        assert!(u32::from(world.segment().window) << 6 >= 60_000);
    }
    assert_eq!(world.io.uplink.stream(quick.flow).sent.len(), 3_000_000);
    // When the slow ones come back everything moves again, and nothing is lost.
    for (n, conn) in flows.iter_mut().enumerate() {
        world.io.uplink.add_room(conn.flow, usize::MAX);
        world.settle();
        world.frames();
        conn.send(&mut world, Flags::ACK, &data[..1000]);
        sent[n].extend(&data[..1000]);
        assert!(world.io.uplink.stream(conn.flow).sent == sent[n], "flow {n}");
        assert!(u32::from(world.segment().window) << 6 >= 60_000, "the window is open");
    }
    assert_eq!(world.stack.held_bytes(), 0);
}

#[test]
fn a_guest_that_holds_its_share_leaves_others_theirs() {
    const SHARE: usize = 1 << 20;
    let mut world = World::new(OFFLOAD);
    world.stack.set_memory_limit(4 * SHARE, SHARE);
    let data = pattern(60_000, 3);
    let mut greedy: Vec<_> = (0..40).map(|n| Conn::open_with(&mut world, 40_000 + n, &Offer::default())).collect();
    for conn in &greedy {
        world.io.uplink.stream_mut(conn.flow).room = 0;
    }
    for _ in 0..3 {
        for conn in &mut greedy {
            conn.raw(&mut world, conn.seq, Flags::ACK, &[], &data);
            world.settle();
            conn.seq = world.segments().last().map_or(conn.seq, |answer| answer.ack);
        }
    }
    let held = world.stack.held_bytes();
    assert!((SHARE..SHARE + 2 * 65_536).contains(&held), "{held} bytes held");
    assert!(world.drops(DropReason::TcpMemory) > 0);

    // Another guest's bytes for a slow host are kept as ever.
    let offer = Offer::default();
    let mut other = Elsewhere::open(&mut world, &offer);
    world.io.uplink.stream_mut(other.flow).room = 0;
    let refused = world.drops(DropReason::TcpMemory);
    other.send(&mut world, &data);
    assert_eq!(world.drops(DropReason::TcpMemory), refused);
    assert_eq!(parse_tcp(&world.frames().last().unwrap().bytes).unwrap().ack, offer.iss.add(1 + 60_000));

    // With a guest goes what it held.
    world.stack.remove_endpoint(&mut world.io, world.guests[0].0, world.clock.now());
    assert!(world.stack.held_bytes() <= 65_536, "{} bytes held", world.stack.held_bytes());
}
