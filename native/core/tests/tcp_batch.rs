//! Frames that come together: what they carry for one connection is one send, and nothing else about it changes.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::{Conn, World, assert_same, pattern};
use unet_core::DropReason;
use unet_core::testing::OFFLOAD;
use unet_core::testing::frames::TestSegment;
use unet_core::uplink::Close;
use unet_core::wire::tcp::{Flags, Seq};

const PSH: Flags = Flags::ACK.with(Flags::PSH);

/// The connection's next segment, as a frame.
fn segment(world: &World, conn: &mut Conn, flags: Flags, payload: &[u8]) -> Vec<u8> {
    let frame = segment_at(world, conn, conn.seq, flags, payload);
    conn.seq = conn.seq.add(u32::try_from(payload.len()).unwrap() + u32::from(flags.has(Flags::FIN)));
    frame
}

fn segment_at(world: &World, conn: &Conn, seq: Seq, flags: Flags, payload: &[u8]) -> Vec<u8> {
    world.wiring().tcp(&TestSegment {
        from_port: conn.port,
        to: conn.remote,
        seq,
        ack: conn.ack,
        flags,
        window: conn.window,
        options: &[],
        payload,
    })
}

fn deliver(world: &mut World, frames: &[Vec<u8>]) {
    let (guest, now) = (world.guest(), world.now());
    world.stack.on_frames(&mut world.io, guest, false, frames.iter().map(Vec::as_slice), now);
}

#[test]
fn a_batch_of_one_connection_is_one_send_and_one_acknowledgement() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    let data = pattern(44 * 1460, 1);
    let frames: Vec<_> = data.chunks(1460).map(|part| segment(&world, &mut conn, PSH, part)).collect();
    deliver(&mut world, &frames);
    assert_same(&world.io.uplink.stream(conn.flow).sent, &data, "before the flush");
    assert_eq!(world.io.uplink.stream(conn.flow).sends, 1);
    world.settle();
    assert_eq!(world.segment().ack, conn.seq);
}

#[test]
fn a_batch_longer_than_one_call_arrives_whole() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    let data = pattern(100 * 500, 2);
    let frames: Vec<_> = data.chunks(500).map(|part| segment(&world, &mut conn, PSH, part)).collect();
    deliver(&mut world, &frames);
    assert_same(&world.io.uplink.stream(conn.flow).sent, &data, "a hundred segments");
    assert_eq!(world.io.uplink.stream(conn.flow).sends, 2);
}

#[test]
fn connections_in_turn_keep_their_own_order() {
    let mut world = World::new(OFFLOAD);
    let mut one = Conn::open(&mut world);
    let mut two = Conn::open_with(&mut world, 40_001, &common::conn::Offer::default());
    let (first, second) = (pattern(20 * 1000, 3), pattern(20 * 1000, 4));
    let mut frames = Vec::new();
    for (a, b) in first.chunks(1000).zip(second.chunks(1000)) {
        frames.push(segment(&world, &mut one, PSH, a));
        frames.push(segment(&world, &mut two, PSH, b));
    }
    deliver(&mut world, &frames);
    assert_same(&world.io.uplink.stream(one.flow).sent, &first, "the first");
    assert_same(&world.io.uplink.stream(two.flow).sent, &second, "the second");
}

#[test]
fn what_the_socket_does_not_take_of_a_batch_is_kept() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    world.io.uplink.stream_mut(conn.flow).room = 2500;
    let data = pattern(10 * 1460, 5);
    let frames: Vec<_> = data.chunks(1460).map(|part| segment(&world, &mut conn, PSH, part)).collect();
    deliver(&mut world, &frames);
    world.settle();
    assert_eq!(world.segment().ack, conn.seq, "kept bytes are acknowledged");
    assert_eq!(world.io.uplink.stream(conn.flow).sent.len(), 2500);
    world.io.uplink.add_room(conn.flow, usize::MAX);
    world.settle();
    assert_same(&world.io.uplink.stream(conn.flow).sent, &data, "and follow");
    assert_eq!(world.stack.held_bytes(), 0);
}

#[test]
fn without_memory_only_what_the_socket_took_is_acknowledged() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    world.stack.set_memory_limit(0, 0);
    world.io.uplink.stream_mut(conn.flow).room = 2500;
    let start = conn.seq;
    let data = pattern(10 * 1460, 6);
    let frames: Vec<_> = data.chunks(1460).map(|part| segment(&world, &mut conn, PSH, part)).collect();
    deliver(&mut world, &frames);
    world.settle();
    assert_eq!(world.segment().ack, start.add(2500));
    assert!(world.stack.drops().get(DropReason::TcpMemory) > 0);
    // The guest sends the rest again when there is room.
    world.io.uplink.add_room(conn.flow, 1 << 30);
    world.settle();
    let rest: Vec<_> = data[2500..]
        .chunks(1460)
        .scan(start.add(2500), |seq, part| {
            let frame = segment_at(&world, &conn, *seq, PSH, part);
            *seq = seq.add(u32::try_from(part.len()).unwrap());
            Some(frame)
        })
        .collect();
    deliver(&mut world, &rest);
    assert_same(&world.io.uplink.stream(conn.flow).sent, &data, "the second time");
}

#[test]
fn what_came_before_a_reset_or_an_end_goes_first() {
    for last in [Flags::RST.with(Flags::ACK), Flags::FIN.with(Flags::ACK)] {
        let mut world = World::new(OFFLOAD);
        let mut conn = Conn::open(&mut world);
        let data = pattern(5 * 1460, 7);
        let mut frames: Vec<_> = data.chunks(1460).map(|part| segment(&world, &mut conn, PSH, part)).collect();
        frames.push(segment(&world, &mut conn, last, &[]));
        deliver(&mut world, &frames);
        world.settle();
        let stream = world.io.uplink.stream(conn.flow);
        assert_same(&stream.sent, &data, "all bytes");
        assert!(if last.has(Flags::RST) { stream.closed == Some(Close::Reset) } else { stream.shut });
    }
}

#[test]
fn a_hole_in_a_batch_is_reported_with_all_before_it_handed_over() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    let data = pattern(6 * 1000, 8);
    let mut frames: Vec<_> = data.chunks(1000).map(|part| segment(&world, &mut conn, PSH, part)).collect();
    let missing = frames.remove(3);
    deliver(&mut world, &frames);
    assert_same(&world.io.uplink.stream(conn.flow).sent, &data[..3000], "up to the hole");
    deliver(&mut world, &[missing]);
    world.settle();
    assert_same(&world.io.uplink.stream(conn.flow).sent, &data, "all of it");
    assert_eq!(world.segments().last().unwrap().ack, conn.seq);
}

#[test]
fn a_connection_that_breaks_under_a_batch_is_reset() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    world.io.uplink.fail_silently(conn.flow, unet_core::uplink::UplinkError::Reset);
    let data = pattern(5 * 1460, 9);
    let frames: Vec<_> = data.chunks(1460).map(|part| segment(&world, &mut conn, PSH, part)).collect();
    deliver(&mut world, &frames);
    world.settle();
    assert!(world.segments().iter().any(|segment| segment.flags.has(Flags::RST)));
    assert_eq!(world.stack.flow_count(), 0);
    assert_eq!(world.stack.held_bytes(), 0);
}
