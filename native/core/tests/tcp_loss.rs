//! Loss towards the guest: what is found missing, how soon, and what is sent again.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::conn::Offer;
use common::world::PLAIN;
use common::{Conn, World, assert_same, pattern};
use std::time::Duration;
use unet_core::testing::OFFLOAD;
use unet_core::testing::frames::SeenSegment;
use unet_core::wire::tcp::{Flags, Seq};

const CHUNK: usize = 64_240;

/// A connection that knows its round trip (100 µs), with room for everything.
fn open(offer: Offer) -> (World, Conn) {
    open_on(OFFLOAD, offer)
}

fn open_on(capabilities: unet_core::Capabilities, offer: Offer) -> (World, Conn) {
    let mut world = World::new(capabilities);
    let mut conn = Conn::open_with(&mut world, 40_000, &offer);
    for _ in 0..10 {
        world.io.uplink.feed(conn.flow, &[0; 100]);
        world.settle();
        world.pass(Duration::from_micros(100));
        conn.receive(&mut world);
    }
    (world, conn)
}

/// Everything of one batch, so all sent at one moment.
fn burst(world: &mut World, conn: &Conn, chunks: usize) -> (Vec<u8>, Vec<SeenSegment>) {
    let data = pattern(chunks * CHUNK, 1);
    world.io.uplink.feed(conn.flow, &data);
    world.settle();
    let sent = world.segments();
    assert_eq!(sent.len(), chunks);
    world.pass(Duration::from_micros(100));
    (data, sent)
}

#[test]
fn a_chunk_lost_within_a_batch_is_sent_again_after_a_round_trip() {
    let (mut world, mut conn) = open(Offer::default());
    let (data, sent) = burst(&mut world, &conn, 5);
    let mut got = Vec::new();
    conn.take(&sent[0], &mut got);
    conn.send(&mut world, Flags::ACK, &[]);
    // The second is lost; the others have arrived.
    conn.sack(&mut world, &[(sent[2].seq, sent[4].end())]);
    assert!(world.segments().is_empty(), "it may only be late");
    world.pass(Duration::from_millis(3));
    let again = world.segment();
    assert_eq!((again.seq, again.payload.len()), (sent[1].seq, CHUNK), "the lost one and nothing else");
    conn.take(&again, &mut got);
    for segment in &sent[2..] {
        conn.take(segment, &mut got);
    }
    conn.send(&mut world, Flags::ACK, &[]);
    assert_same(&got, &data, "all of it");
    assert_eq!(world.stack.held_bytes(), 0);
    world.pass(Duration::from_secs(10));
    assert!(world.segments().is_empty());
}

#[test]
fn reordering_is_not_loss() {
    let (mut world, mut conn) = open(Offer::default());
    let (_, sent) = burst(&mut world, &conn, 4);
    conn.sack(&mut world, &[(sent[1].seq, sent[3].end())]);
    world.pass(Duration::from_micros(20));
    conn.ack = sent[3].end();
    conn.send(&mut world, Flags::ACK, &[]);
    world.pass(Duration::from_secs(1));
    assert!(world.segments().is_empty(), "the first was only late");
}

#[test]
fn an_older_delivery_does_not_hide_a_loss() {
    let (mut world, mut conn) = open(Offer::default());
    let (_, first) = burst(&mut world, &conn, 3);
    let (_, second) = burst(&mut world, &conn, 2);
    // The newest arrives first, then an older one; the one between is lost.
    conn.sack(&mut world, &[(second[1].seq, second[1].end())]);
    conn.ack = first[0].end();
    conn.sack(&mut world, &[(first[1].seq, first[1].end()), (second[1].seq, second[1].end())]);
    world.frames();
    world.pass(Duration::from_millis(3));
    let again: Vec<_> = world.segments().iter().map(|segment| segment.seq).collect();
    assert_eq!(again, [first[2].seq, second[0].seq]);
}

#[test]
fn a_lost_repetition_is_found_too() {
    let (mut world, mut conn) = open(Offer::default());
    let (_, sent) = burst(&mut world, &conn, 3);
    conn.sack(&mut world, &[(sent[1].seq, sent[2].end())]);
    world.pass(Duration::from_millis(3));
    assert_eq!(world.segment().seq, sent[0].seq);
    // Lost again, while something newer arrives.
    let (_, newer) = burst(&mut world, &conn, 1);
    conn.sack(&mut world, &[(sent[1].seq, newer[0].end())]);
    world.pass(Duration::from_millis(3));
    assert_eq!(world.segment().seq, sent[0].seq);
    conn.ack = newer[0].end();
    conn.send(&mut world, Flags::ACK, &[]);
    assert_eq!(world.stack.held_bytes(), 0);
}

#[test]
fn a_lost_tail_is_probed() {
    let (mut world, mut conn) = open(Offer::default());
    let (_, sent) = burst(&mut world, &conn, 3);
    conn.ack = sent[0].end();
    conn.send(&mut world, Flags::ACK, &[]);
    world.pass(Duration::from_millis(20));
    assert_eq!(world.segment().seq, sent[2].seq, "the last, long before the timeout");
    conn.sack(&mut world, &[(sent[2].seq, sent[2].end())]);
    world.pass(Duration::from_millis(3));
    assert_eq!(world.segment().seq, sent[1].seq, "which shows the gap before it");
}

#[test]
fn everything_lost_comes_again_after_a_timeout() {
    let (mut world, mut conn) = open(Offer::default());
    let (data, sent) = burst(&mut world, &conn, 4);
    let mut got = Vec::new();
    for _ in 0..50 {
        world.pass(Duration::from_millis(10));
        for segment in world.segments() {
            if segment.seq == conn.ack {
                conn.take(&segment, &mut got);
                conn.send(&mut world, Flags::ACK, &[]);
            }
        }
    }
    assert_same(&got, &data, "all of it within half a second");
    assert_eq!(conn.ack, sent[3].end());
    assert_eq!(world.stack.held_bytes(), 0);
}

#[test]
fn timeouts_back_off() {
    let (mut world, conn) = open(Offer::default());
    burst(&mut world, &conn, 1);
    let mut times = Vec::new();
    let start = world.now();
    while times.len() < 8 {
        world.pass(Duration::from_millis(5));
        for _ in world.segments() {
            times.push(world.now().since(start).as_millis());
        }
    }
    // Probe, timeout, then doubling.
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits[2..].windows(2).all(|pair| pair[1] * 10 > pair[0] * 18), "{waits:?}");
}

#[test]
fn without_sack_one_repeated_acknowledgement_is_enough() {
    let (mut world, mut conn) = open(Offer { sack: false, ..Offer::default() });
    let (data, sent) = burst(&mut world, &conn, 3);
    conn.raw(&mut world, conn.seq, Flags::ACK, &[], &[]);
    world.settle();
    assert_eq!(world.segment().seq, sent[0].seq);
    for _ in 0..3 {
        conn.raw(&mut world, conn.seq, Flags::ACK, &[], &[]);
        world.settle();
    }
    assert!(world.segments().is_empty(), "but only once");
    let mut got = Vec::new();
    for segment in &sent {
        conn.take(segment, &mut got);
    }
    conn.send(&mut world, Flags::ACK, &[]);
    assert_same(&got, &data, "all of it");
    assert_eq!(world.stack.held_bytes(), 0);
}

#[test]
fn without_sack_progress_is_not_repetition() {
    let (mut world, mut conn) = open_on(PLAIN, Offer { sack: false, ..Offer::default() });
    world.io.uplink.feed(conn.flow, &pattern(CHUNK, 1));
    world.settle();
    let sent = world.segments();
    assert_eq!(sent.len(), CHUNK / 1460);
    // A kernel acknowledges every other segment of a chunk.
    for pair in sent.chunks(2) {
        conn.ack = pair.last().unwrap().end();
        conn.send(&mut world, Flags::ACK, &[]);
    }
    assert!(world.segments().is_empty());
    assert_eq!(world.stack.held_bytes(), 0);
}

#[test]
fn a_partly_acknowledged_chunk_continues_where_it_stopped() {
    let (mut world, mut conn) = open_on(PLAIN, Offer::default());
    let data = pattern(CHUNK, 1);
    world.io.uplink.feed(conn.flow, &data);
    world.settle();
    let sent = world.segments();
    let mut got = Vec::new();
    for segment in &sent[..10] {
        conn.take(segment, &mut got);
    }
    conn.send(&mut world, Flags::ACK, &[]);
    world.pass(Duration::from_millis(200));
    let again = world.segments();
    assert_eq!(again[0].seq, conn.ack, "not from its beginning");
    for segment in &again[..sent.len() - 10] {
        conn.take(segment, &mut got);
    }
    assert_same(&got, &data, "all of it");
}

#[test]
fn a_device_that_refuses_frames_costs_time_not_bytes() {
    for capabilities in [PLAIN, OFFLOAD] {
        let (mut world, mut conn) = open_on(capabilities, Offer::default());
        let data = pattern(3 * CHUNK, 1);
        world.io.device.refuse(1);
        world.io.uplink.feed(conn.flow, &data);
        world.settle();
        let mut got = Vec::new();
        for _ in 0..100 {
            for segment in world.segments() {
                if segment.seq == conn.ack {
                    conn.take(&segment, &mut got);
                    conn.send(&mut world, Flags::ACK, &[]);
                }
            }
            world.pass(Duration::from_millis(10));
        }
        assert_same(&got, &data, "all of it");
        assert_eq!(world.stack.held_bytes(), 0);
    }
}

#[test]
fn acknowledgements_of_what_was_never_sent_free_nothing() {
    let (mut world, conn) = open(Offer::default());
    let (_, sent) = burst(&mut world, &conn, 2);
    let held = world.stack.held_bytes();
    let lie = Conn { ack: sent[1].end().add(1), ..conn };
    lie.raw(&mut world, conn.seq, Flags::ACK, &[], &[]);
    // Selective lies: everything, beyond everything, backwards.
    for block in [(sent[0].seq, sent[1].end().add(1 << 20)), (sent[1].end(), sent[0].seq), (Seq(0), Seq(u32::MAX))] {
        conn.sack(&mut world, &[block]);
    }
    assert_eq!(world.stack.held_bytes(), held, "SACK is a hint, not a promise (RFC 2018 §8)");
    world.pass(Duration::from_millis(500));
    assert!(world.segments().iter().any(|segment| segment.seq == sent[0].seq), "what it lied about comes again");
}
