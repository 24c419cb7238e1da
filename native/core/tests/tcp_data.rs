//! Bytes, windows and acknowledgements, segment by segment.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::conn::Offer;
use common::world::{PLAIN, partial_tcp};
use common::{Conn, World, assert_same, pattern};
use std::time::Duration;
use unet_core::DropReason;
use unet_core::testing::OFFLOAD;
use unet_core::testing::frames::TestSegment;
use unet_core::wire::tcp::{Flags, Seq};
use unet_core::wire::vnet::{Gso, Vnet};

const SCALE: u32 = 6;

#[test]
fn a_batch_costs_one_acknowledgement() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    for _ in 0..44 {
        conn.queue(&mut world, Flags::ACK, &[1; 1460]);
    }
    world.settle();
    let ack = world.segment();
    assert_eq!((ack.flags, ack.ack), (Flags::ACK, conn.seq));
    assert_eq!(world.io.uplink.stream(conn.flow).sent.len(), 44 * 1460);
    assert_eq!(world.stack.held_bytes(), 0);
}

#[test]
fn an_answer_carries_the_acknowledgement() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    conn.queue(&mut world, Flags::ACK, b"ping");
    world.io.uplink.feed(conn.flow, b"pong");
    world.settle();
    let answer = world.segment();
    assert_eq!((answer.ack, answer.payload.as_slice()), (conn.seq, &b"pong"[..]));
}

#[test]
fn a_super_frame_of_the_guest_is_one_send() {
    let mut world = World::new(OFFLOAD);
    let conn = Conn::open(&mut world);
    let data = pattern(60_000, 3);
    let frame = world.wiring().tcp(&TestSegment {
        from_port: conn.port,
        to: conn.remote,
        seq: conn.seq,
        ack: conn.ack,
        flags: Flags::ACK,
        window: 1000,
        options: &[],
        payload: &data,
    });
    let from = world.guest();
    let vnet = Vnet { gso: Gso::TcpV4 { size: 1460 }, header_len: 54, ..partial_tcp() };
    world.inject_from(from, &vnet, &frame);
    world.settle();
    assert_same(&world.io.uplink.stream(conn.flow).sent, &data, "one super-frame");
    assert_eq!(world.segment().ack, conn.seq.add(60_000));
}

#[test]
fn what_the_socket_does_not_take_closes_the_window() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    world.io.uplink.stream_mut(conn.flow).room = 1000;
    let data = pattern(200_000, 4);
    let mut sent = 0;
    let mut window = u32::MAX;
    // The guest sends as much as it is offered.
    while window > 0 {
        let len = (data.len() - sent).min(1460).min(usize::try_from(window).unwrap());
        conn.send(&mut world, Flags::ACK, &data[sent..sent + len]);
        sent += len;
        let ack = world.segment();
        assert_eq!(ack.ack, conn.seq, "kept bytes are acknowledged");
        window = u32::from(ack.window) << SCALE;
        assert!(sent < data.len(), "the window closes");
    }
    assert_eq!(world.io.uplink.stream(conn.flow).sent.len(), 1000);
    let held = world.stack.held_bytes();
    assert!((sent - 1000..sent - 1000 + 8192).contains(&held), "{held} bytes for {}: buffers are filled", sent - 1000);

    // Probes of a shut window are answered; their bytes are taken at most up to what the steps of the window field hid.
    let shut_at = conn.seq;
    for _ in 0..100 {
        conn.raw(&mut world, conn.seq, Flags::ACK, &[], &data[sent..=sent]);
        world.settle();
        let answer = world.segment();
        assert_eq!(answer.window, 0);
        sent += usize::try_from(answer.ack.distance_from(conn.seq)).unwrap();
        conn.seq = answer.ack;
    }
    assert!(conn.seq.distance_from(shut_at) < 1 << SCALE, "{:?} from {shut_at:?}", conn.seq);
    conn.raw(&mut world, conn.seq.add(u32::MAX), Flags::ACK, &[], &[]);
    world.settle();
    assert_eq!(world.segment().window, 0, "Linux probes with nothing, one before");

    // A little room is not worth a word (silly windows), much is.
    world.io.uplink.add_room(conn.flow, 100);
    world.settle();
    assert!(world.segments().is_empty(), "100 bytes are not announced");
    world.io.uplink.add_room(conn.flow, 50_000);
    world.settle();
    let update = world.segment();
    assert!(u32::from(update.window) << SCALE >= 40_000, "window {}", u32::from(update.window) << SCALE);
    world.io.uplink.add_room(conn.flow, usize::MAX);
    world.settle();
    world.frames();
    assert_eq!(world.stack.held_bytes(), 0);
    while sent < data.len() {
        let len = (data.len() - sent).min(1460);
        conn.send(&mut world, Flags::ACK, &data[sent..sent + len]);
        sent += len;
    }
    assert_same(&world.io.uplink.stream(conn.flow).sent, &data, "all of it");
}

#[test]
fn single_bytes_to_a_slow_socket_are_kept_in_order() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    world.io.uplink.stream_mut(conn.flow).room = 0;
    let data = pattern(5000, 5);
    for byte in &data {
        conn.queue(&mut world, Flags::ACK, std::slice::from_ref(byte));
    }
    conn.send(&mut world, Flags::ACK.with(Flags::FIN), &[]);
    assert!(!world.io.uplink.stream(conn.flow).shut, "FIN waits for the bytes before it");
    for _ in 0..600 {
        world.io.uplink.add_room(conn.flow, 9);
        world.settle();
    }
    assert_same(&world.io.uplink.stream(conn.flow).sent, &data, "byte by byte");
    assert!(world.io.uplink.stream(conn.flow).shut);
    assert_eq!(world.stack.held_bytes(), 0);
}

#[test]
fn the_window_grows_with_use() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    let mut window = 0;
    for _ in 0..400 {
        conn.send(&mut world, Flags::ACK, &[0; 10_000]);
        window = u32::from(world.segment().window) << SCALE;
    }
    assert_eq!(window, 1 << 20);
}

#[test]
fn order_is_restored_and_gaps_are_reported() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    let data = pattern(4000, 6);
    let base = conn.seq;
    let at = |n: u32| base.add(n);
    conn.raw(&mut world, at(1000), Flags::ACK, &[], &data[1000..2000]);
    conn.raw(&mut world, at(3000), Flags::ACK, &[], &data[3000..4000]);
    world.settle();
    let acks = world.segments();
    assert_eq!(acks.len(), 2, "each at once, none twice");
    assert!(acks.iter().all(|ack| ack.ack == base));
    assert_eq!(acks[0].options.sack[0], Some((at(1000), at(2000))));
    assert_eq!(acks[1].options.sack[..2], [Some((at(3000), at(4000))), Some((at(1000), at(2000)))], "latest first");
    assert_eq!(world.stack.held_bytes(), 2000);
    // Overlapping both neighbours.
    conn.raw(&mut world, at(0), Flags::ACK, &[], &data[..1500]);
    world.settle();
    let ack = world.segment();
    assert_eq!((ack.ack, ack.options.sack[0]), (at(2000), Some((at(3000), at(4000)))));
    conn.raw(&mut world, at(1900), Flags::ACK, &[], &data[1900..3100]);
    world.settle();
    let ack = world.segment();
    assert_eq!((ack.ack, ack.options.sack[0]), (at(4000), None));
    assert_same(&world.io.uplink.stream(conn.flow).sent, &data, "in order, once");
    assert_eq!(world.stack.held_bytes(), 0);
    conn.seq = at(4000);
    conn.raw(&mut world, at(0), Flags::ACK, &[], &data[..100]);
    world.settle();
    assert_eq!(world.segment().ack, at(4000), "a repetition is acknowledged again");
    assert_eq!(world.io.uplink.stream(conn.flow).sent.len(), 4000);
}

#[test]
fn bytes_beyond_the_window_are_cut_off() {
    let mut world = World::new(OFFLOAD);
    let conn = Conn::open(&mut world);
    // 65,535 bytes were offered by SYN-ACK.
    conn.raw(&mut world, conn.seq.add(65_500), Flags::ACK, &[], &[1; 100]);
    conn.raw(&mut world, conn.seq.add(70_000_000), Flags::ACK, &[], &[1; 100]);
    world.settle();
    assert_eq!(world.stack.held_bytes(), 35);
    assert_eq!(world.drops(DropReason::TcpUnacceptable), 1);
}

#[test]
fn no_more_is_read_than_the_guest_takes() {
    let mut world = World::new(OFFLOAD);
    let offer = Offer { scale: None, window: 4000, ..Offer::default() };
    let mut conn = Conn::open_with(&mut world, 40_000, &offer);
    let data = pattern(10_000, 7);
    world.io.uplink.feed(conn.flow, &data);
    world.settle();
    let sent = world.segments();
    assert_eq!(sent.iter().map(|s| s.payload.len()).sum::<usize>(), 2920, "whole segments within 4000");
    assert_eq!(world.io.uplink.stream(conn.flow).unread(), 10_000 - 2920);
    let mut got = Vec::new();
    for segment in &sent {
        conn.take(segment, &mut got);
    }
    // Shut.
    conn.window = 0;
    conn.send(&mut world, Flags::ACK, &[]);
    assert!(world.segments().is_empty());
    // Asked now and then, with growing waits, for as long as the guest answers.
    let (mut probes, mut waits, mut last) = (0, Vec::new(), world.now());
    while probes < 12 {
        world.pass(Duration::from_millis(10));
        for probe in world.segments() {
            assert_eq!((probe.seq, probe.payload.len()), (conn.ack.add(u32::MAX), 0));
            probes += 1;
            waits.push(world.now().since(last));
            last = world.now();
            conn.send(&mut world, Flags::ACK, &[]);
        }
    }
    assert!(waits[5] > waits[0] * 8, "{waits:?}");
    assert!(waits[11] <= Duration::from_secs(61), "bounded: {waits:?}");
    // Open again.
    conn.window = 20_000;
    conn.send(&mut world, Flags::ACK, &[]);
    got.extend(conn.receive(&mut world));
    got.extend(conn.receive(&mut world));
    assert_same(&got, &data, "all of it");
    assert_eq!(world.stack.held_bytes(), 0);
    world.pass(Duration::from_secs(100));
    assert!(world.segments().is_empty(), "the probes end with their reason");
}

#[test]
fn a_late_segment_does_not_change_the_window() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    let old = conn;
    conn.send(&mut world, Flags::ACK, b"newer");
    // Sent before that, with a shut window, and late.
    Conn { window: 0, ..old }.raw(&mut world, old.seq, Flags::ACK, &[], b"ne");
    world.io.uplink.feed(conn.flow, b"answer");
    world.settle();
    assert!(world.segments().iter().any(|segment| segment.payload == b"answer"), "the window is open");
}

#[test]
fn a_window_of_crumbs_is_used_after_a_wait() {
    let mut world = World::new(OFFLOAD);
    let offer = Offer { scale: None, window: 8000, ..Offer::default() };
    let mut conn = Conn::open_with(&mut world, 40_000, &offer);
    conn.window = 100;
    conn.send(&mut world, Flags::ACK, &[]);
    world.io.uplink.feed(conn.flow, &[9; 500]);
    world.settle();
    assert!(world.segments().is_empty(), "not for a hundred bytes");
    world.pass(Duration::from_secs(2));
    let sent: Vec<_> =
        world.segments().iter().filter(|s| !s.payload.is_empty()).map(|s| (s.seq, s.payload.len())).collect();
    assert!(!sent.is_empty(), "but rather that than nothing");
    assert!(sent.iter().all(|&segment| segment == (conn.ack, 100)), "{sent:?}");
}

#[test]
fn a_guest_that_takes_its_window_back_is_not_given_up() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    world.io.uplink.feed(conn.flow, &[9; 5000]);
    world.settle();
    world.frames();
    conn.window = 0;
    // An hour of answers without progress.
    for _ in 0..3600 {
        world.pass(Duration::from_secs(1));
        for segment in world.segments() {
            assert!(!segment.has(Flags::RST), "given up at {:?}", world.now());
            conn.send(&mut world, Flags::ACK, &[]);
        }
    }
    conn.window = 64_000;
    conn.ack = conn.ack.add(5000);
    conn.send(&mut world, Flags::ACK, &[]);
    assert_eq!(world.stack.held_bytes(), 0);
}

#[test]
fn a_guest_that_is_gone_is_given_up() {
    let mut world = World::new(OFFLOAD);
    let conn = Conn::open(&mut world);
    world.io.uplink.feed(conn.flow, &[9; 5000]);
    world.settle();
    let start = world.now();
    while world.stack.flow_count() > 0 {
        world.pass(Duration::from_secs(1));
        assert!(world.now().since(start) < Duration::from_secs(1200));
    }
    assert!(world.now().since(start) > Duration::from_secs(100), "RFC 9293 §3.8.3");
    assert!(world.segments().last().unwrap().has(Flags::RST));
    assert!(world.io.uplink.stream(conn.flow).closed.is_some());
    world.assert_empty();
}

#[test]
fn segments_without_sense_are_answered_rarely() {
    let mut world = World::new(OFFLOAD);
    let conn = Conn::open(&mut world);
    // Empty ones: two sides that disagree must not answer each other for ever.
    for _ in 0..1000 {
        Conn { ack: conn.ack.add(5000), ..conn }.raw(&mut world, conn.seq, Flags::ACK, &[], &[]);
        world.settle();
        conn.raw(&mut world, conn.seq.add(0x7000_0000), Flags::ACK, &[], &[]);
        world.settle();
        world.pass(Duration::from_micros(10));
    }
    let answers = world.segments();
    assert!((1..=3).contains(&answers.len()), "{} answers in 10 ms", answers.len());
    assert!(answers.iter().all(|answer| answer.ack == conn.seq));
    assert_eq!(world.drops(DropReason::TcpUnacceptable), 2000);
}

#[test]
fn segments_without_ack_are_not_taken() {
    let mut world = World::new(OFFLOAD);
    let conn = Conn::open(&mut world);
    conn.raw(&mut world, conn.seq, Flags::default(), &[], b"abc");
    world.settle();
    assert!(world.io.uplink.stream(conn.flow).sent.is_empty());
}

#[test]
fn wrong_checksums_are_not_taken() {
    let mut world = World::new(PLAIN);
    let conn = Conn::open(&mut world);
    let mut frame = world.wiring().tcp(&TestSegment {
        from_port: conn.port,
        to: conn.remote,
        seq: conn.seq,
        ack: conn.ack,
        flags: Flags::ACK,
        window: 1000,
        options: &[],
        payload: b"abc",
    });
    *frame.last_mut().unwrap() ^= 1;
    world.send(&frame);
    assert_eq!(world.drops(DropReason::TcpChecksum), 1);
    assert!(world.io.uplink.stream(conn.flow).sent.is_empty());
}

#[test]
fn keepalives_of_the_guest_are_answered() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    world.pass(Duration::from_secs(1));
    conn.send(&mut world, Flags::ACK, b"x");
    world.frames();
    for payload in [&b""[..], b"x"] {
        conn.raw(&mut world, conn.seq.add(u32::MAX), Flags::ACK, &[], payload);
        world.settle();
        assert_eq!(world.segment().ack, conn.seq);
        world.pass(Duration::from_secs(1));
    }
}

#[test]
fn an_idle_connection_is_asked_after_two_hours() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open(&mut world);
    world.pass(Duration::from_secs(7190));
    assert!(world.segments().is_empty());
    world.pass(Duration::from_secs(20));
    let probe = world.segment();
    assert_eq!((probe.seq, probe.payload.len()), (conn.ack.add(u32::MAX), 0));
    conn.send(&mut world, Flags::ACK, &[]);
    world.pass(Duration::from_secs(7000));
    assert!(world.segments().is_empty(), "it lives");
    // Nobody answers any more.
    world.pass(Duration::from_secs(800));
    assert_eq!(world.stack.flow_count(), 0);
    world.assert_empty();
}

#[test]
fn byte_by_byte_from_the_host_is_bounded() {
    let mut world = World::new(OFFLOAD);
    let offer = Offer { scale: Some(14), window: 65_535, ..Offer::default() };
    let mut conn = Conn::open_with(&mut world, 40_000, &offer);
    // Only segments after the SYN have a scaled window.
    conn.send(&mut world, Flags::ACK, &[]);
    let data = pattern(5000, 8);
    for byte in &data {
        world.io.uplink.feed(conn.flow, std::slice::from_ref(byte));
        world.settle();
    }
    assert!(world.io.uplink.stream(conn.flow).unread() > 3000, "the rest waits in the socket");
    let mut got = Vec::new();
    while got.len() < data.len() {
        got.extend(conn.receive(&mut world));
    }
    assert_same(&got, &data, "all of it");
    assert_eq!(world.stack.held_bytes(), 0);
}

#[test]
fn fields_wrap_in_the_middle_of_a_segment() {
    let mut world = World::new(OFFLOAD);
    let offer = Offer { iss: Seq(u32::MAX - 500), ..Offer::default() };
    let mut conn = Conn::open_with(&mut world, 40_000, &offer);
    let data = pattern(3000, 9);
    let base = conn.seq;
    conn.raw(&mut world, base.add(1000), Flags::ACK, &[], &data[1000..2000]);
    conn.raw(&mut world, base, Flags::ACK, &[], &data[..1000]);
    conn.seq = base.add(2000);
    conn.send(&mut world, Flags::ACK.with(Flags::FIN), &data[2000..]);
    assert_same(&world.io.uplink.stream(conn.flow).sent, &data, "over the end of the numbers");
    assert!(world.io.uplink.stream(conn.flow).shut);
    assert_eq!(world.segments().last().unwrap().ack, base.add(3001));
}
