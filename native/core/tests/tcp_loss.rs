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

/// Opens a connection without offloads and sends `count` whole segments at one moment.
fn segments(count: usize) -> (World, Conn, Vec<u8>, Vec<SeenSegment>) {
    let (mut world, conn) = open_on(PLAIN, Offer { window: 65_000, ..Offer::default() });
    let data = pattern(count * 1460, 1);
    world.io.uplink.feed(conn.flow, &data);
    world.settle();
    let sent = world.segments();
    assert_eq!(sent.len(), count);
    world.pass(Duration::from_micros(100));
    (world, conn, data, sent)
}

/// What a kernel answers when `lost` of `sent` are missing: an acknowledgement for each segment, with up to four blocks, latest first.
fn answer(world: &mut World, conn: &mut Conn, sent: &[SeenSegment], lost: &[usize]) {
    let first = *lost.iter().min().unwrap();
    conn.ack = sent[first].seq;
    let mut blocks: Vec<(usize, usize)> = Vec::new();
    for n in (first..sent.len()).filter(|n| !lost.contains(n)) {
        match blocks.last_mut() {
            Some(last) if last.1 == n => last.1 = n + 1,
            _ => blocks.push((n, n + 1)),
        }
        let block = |&(from, to): &(usize, usize)| (sent[from].seq, sent[to - 1].end());
        conn.sack(world, &blocks.iter().rev().take(4).map(block).collect::<Vec<_>>());
    }
}

#[test]
fn of_a_hundred_segments_only_the_lost_one_is_sent_again() {
    let (mut world, mut conn, data, sent) = segments(100);
    answer(&mut world, &mut conn, &sent, &[37]);
    assert!(world.segments().is_empty(), "it may only be late");
    world.pass(Duration::from_millis(3));
    let again = world.segment();
    assert_eq!(again.seq, sent[37].seq);
    assert_same(&again.payload, &data[37 * 1460..38 * 1460], "that segment and no more");
    conn.ack = sent[99].end();
    conn.send(&mut world, Flags::ACK, &[]);
    world.pass(Duration::from_secs(10));
    assert!(world.segments().is_empty());
    assert_eq!(world.stack.held_bytes(), 0);
}

#[test]
fn every_hole_of_a_chunk_is_filled_and_nothing_else() {
    // Holes at the edges of chunks (44 segments), of several segments, more of them than one acknowledgement can name.
    let lost = [0, 3, 4, 5, 20, 43, 44, 60, 70, 71, 90];
    let (mut world, mut conn, data, sent) = segments(100);
    answer(&mut world, &mut conn, &sent, &lost);
    world.pass(Duration::from_millis(3));
    let again = world.segments();
    assert_eq!(
        again.iter().map(|segment| segment.seq).collect::<Vec<_>>(),
        lost.iter().map(|&n| sent[n].seq).collect::<Vec<_>>()
    );
    let mut all: Vec<_> = (0..100).filter(|n| !lost.contains(n)).map(|n| sent[n].clone()).chain(again).collect();
    all.sort_by_key(|segment| segment.seq.distance_from(sent[0].seq));
    let mut got = Vec::new();
    for segment in &all {
        conn.take(segment, &mut got);
    }
    conn.send(&mut world, Flags::ACK, &[]);
    assert_same(&got, &data, "all of it");
    assert_eq!(world.stack.held_bytes(), 0);
}

#[test]
fn a_hole_inside_of_a_super_frame_is_sent_alone() {
    let (mut world, mut conn) = open(Offer::default());
    let (_, sent) = burst(&mut world, &conn, 2);
    let at = |segments: u32| sent[0].seq.add(segments * 1460);
    conn.ack = at(10);
    conn.sack(&mut world, &[(at(13), sent[1].end())]);
    world.pass(Duration::from_millis(3));
    let again = world.segment();
    assert_eq!((again.seq, again.payload.len()), (at(10), 3 * 1460));
}

#[test]
fn a_timeout_sends_the_first_hole() {
    let (mut world, mut conn, _, sent) = segments(44);
    answer(&mut world, &mut conn, &sent, &[7]);
    world.pass(Duration::from_millis(3));
    assert_eq!(world.segment().seq, sent[7].seq);
    // Lost again and again, with nothing newer to show it.
    world.pass(Duration::from_secs(1));
    let again = world.segments();
    assert!(again.len() >= 2, "{} in a second", again.len());
    let first_timeout = &again[1];
    assert_eq!((first_timeout.seq, first_timeout.payload.len()), (sent[7].seq, 1460));
}

#[test]
fn a_part_that_arrived_before_the_repetition_does_not_hide_its_loss() {
    let (mut world, mut conn, _, sent) = segments(44);
    answer(&mut world, &mut conn, &sent, &[7, 20]);
    world.pass(Duration::from_millis(3));
    assert_eq!(world.segments().len(), 2);
    // Of the two sent again only the second arrives: the first was lost once more, and something sent behind it tells.
    conn.sack(&mut world, &[(sent[20].seq, sent[20].end()), (sent[8].seq, sent[43].end())]);
    world.pass(Duration::from_millis(3));
    assert_eq!(world.segment().seq, sent[7].seq);
    // An acknowledgement that tells nothing new says nothing about it.
    conn.sack(&mut world, &[(sent[8].seq, sent[43].end())]);
    world.pass(Duration::from_millis(3));
    assert!(world.segments().is_empty());
}

#[test]
fn a_round_trip_that_became_long_is_learned() {
    let (mut world, mut conn) = open(Offer::default());
    let mut repeated = Vec::new();
    // Requests and answers over two seconds, where a moment ago it was a tenth of a millisecond.
    for _ in 0..20 {
        world.io.uplink.feed(conn.flow, &[1; 100]);
        world.settle();
        let start = world.segments().len();
        world.pass(Duration::from_secs(2));
        let again = world.segments().len();
        assert_eq!(start, 1);
        repeated.push(again);
        conn.ack = conn.ack.add(100);
        conn.send(&mut world, Flags::ACK, &[]);
    }
    assert!(repeated[0] > 0, "at first it looks like loss");
    assert!(repeated[10..].iter().all(|&n| n == 0), "then not any more: {repeated:?}");
}

/// A block that could not be remembered would be news each time it comes.
#[test]
fn what_finds_no_place_among_the_reports_says_nothing() {
    let (mut world, mut conn) = open(Offer { scale: Some(14), ..Offer::default() });
    world.io.uplink.feed(conn.flow, &pattern(10 * CHUNK, 1));
    world.settle();
    let sent = world.segments();
    assert_eq!(sent.len(), 10);
    // Single bytes of the first chunk: they say nothing of the others, which were sent later.
    for n in 0..256 {
        let start = sent[0].seq.add(1 + 2 * n);
        conn.sack(&mut world, &[(start, start.add(1))]);
    }
    let late = [(sent[4].seq, sent[9].end())];
    conn.sack(&mut world, &late);
    world.pass(Duration::from_millis(5));
    let again = world.segments();
    assert!(again.iter().all(|segment| segment.seq.before(sent[1].seq)), "only the first is found missing");
    // When there is a place, it counts.
    conn.ack = sent[1].seq;
    conn.sack(&mut world, &late);
    world.pass(Duration::from_millis(5));
    let again: Vec<Seq> = world.segments().iter().map(|segment| segment.seq).collect();
    assert_eq!(again, [sent[1].seq, sent[2].seq, sent[3].seq]);
}
