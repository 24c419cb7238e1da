//! Ends: orderly in either order, half-closed, by reset from any side, by loss.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::conn::Offer;
use common::{Conn, SERVER, World, assert_same, pattern};
use std::time::Duration;
use unet_core::DropReason;
use unet_core::testing::OFFLOAD;
use unet_core::uplink::{Close, UplinkError};
use unet_core::wire::tcp::{Flags, Seq};

const FIN: Flags = Flags(Flags::FIN.0 | Flags::ACK.0);

fn open() -> (World, Conn) {
    let mut world = World::new(OFFLOAD);
    let conn = Conn::open(&mut world);
    (world, conn)
}

#[test]
fn guest_first() {
    let (mut world, mut conn) = open();
    conn.send(&mut world, FIN, b"bye");
    assert_eq!(world.segment().ack, conn.seq);
    let stream = world.io.uplink.stream(conn.flow);
    assert_eq!((stream.sent.as_slice(), stream.shut, stream.closed), (&b"bye"[..], true, None));
    // Half-closed: the host goes on.
    world.io.uplink.feed(conn.flow, b"late answer");
    world.settle();
    assert_eq!(conn.receive(&mut world), b"late answer");
    world.io.uplink.end(conn.flow);
    world.settle();
    let fin = world.segment();
    assert_eq!((fin.flags, fin.seq), (FIN, conn.ack));
    conn.ack = fin.end();
    conn.send(&mut world, Flags::ACK, &[]);
    assert_eq!(world.io.uplink.stream(conn.flow).closed, Some(Close::Graceful));
    world.assert_empty();
    assert!(world.frames().is_empty());
}

#[test]
fn host_first() {
    let (mut world, mut conn) = open();
    world.io.uplink.feed(conn.flow, b"answer");
    world.io.uplink.end(conn.flow);
    world.settle();
    assert_eq!(conn.receive(&mut world), b"answer");
    // Half-closed: the guest goes on.
    conn.send(&mut world, Flags::ACK, b"more");
    assert_eq!(world.segment().ack, conn.seq);
    assert_eq!(world.io.uplink.stream(conn.flow).sent, b"more");
    conn.send(&mut world, FIN, &[]);
    assert_eq!(world.segment().ack, conn.seq, "the last FIN is acknowledged");
    assert_eq!(world.io.uplink.stream(conn.flow).closed, Some(Close::Graceful));
    assert_eq!((world.stack.flow_count(), world.stack.held_bytes()), (1, 0), "TIME-WAIT holds no bytes");
    // The acknowledgement was lost: FIN comes again and is answered again.
    conn.raw(&mut world, conn.seq.add(u32::MAX), FIN, &[], &[]);
    world.settle();
    assert_eq!(world.segment().ack, conn.seq);
    // An acknowledgement is not answered: TIME-WAIT starts no wars.
    conn.raw(&mut world, conn.seq, Flags::ACK, &[], &[]);
    world.settle();
    assert!(world.frames().is_empty());
    world.pass(Duration::from_secs(2));
    world.assert_empty();
}

#[test]
fn both_at_once() {
    let (mut world, mut conn) = open();
    world.io.uplink.end(conn.flow);
    world.settle();
    let fin = world.segment();
    assert_eq!(fin.flags, FIN);
    // The guest's FIN does not acknowledge ours yet.
    conn.send(&mut world, FIN, &[]);
    assert_eq!(world.segment().ack, conn.seq);
    assert!(world.io.uplink.stream(conn.flow).shut);
    assert_eq!(world.io.uplink.stream(conn.flow).closed, None);
    conn.ack = fin.end();
    conn.send(&mut world, Flags::ACK, &[]);
    assert_eq!(world.io.uplink.stream(conn.flow).closed, Some(Close::Graceful));
    world.pass(Duration::from_secs(2));
    world.assert_empty();
    assert!(world.frames().is_empty());
}

#[test]
fn time_wait_gives_way_to_a_new_connection() {
    let (mut world, mut conn) = open();
    world.io.uplink.end(conn.flow);
    world.settle();
    conn.ack = world.segment().end();
    conn.send(&mut world, FIN, &[]);
    world.frames();
    assert_eq!(world.stack.flow_count(), 1);
    let mut again = Conn::open_with(&mut world, conn.port, &Offer { iss: Seq(900_000), ..Offer::default() });
    assert_ne!(again.flow, conn.flow);
    again.send(&mut world, Flags::ACK, b"new");
    assert_eq!(world.io.uplink.stream(again.flow).sent, b"new");
    assert_eq!(world.stack.flow_count(), 1);
}

#[test]
fn a_syn_in_the_batch_that_ended_a_connection_opens_the_next() {
    let (mut world, conn) = open();
    conn.raw(&mut world, conn.seq, Flags::RST, &[], &[]);
    // No flush between: the same wake-up brought both.
    let frame = Offer { iss: Seq(900_000), ..Offer::default() }.syn(&world, conn.port, conn.remote);
    world.send(&frame);
    assert_eq!(world.io.uplink.order().len(), 2, "the second connects at once");
    let again = world.io.uplink.last();
    world.io.uplink.connected(again);
    world.settle();
    let answer = world.segment();
    assert_eq!((answer.flags, answer.ack), (Flags::SYN.with(Flags::ACK), Seq(900_001)));
    assert_eq!(world.io.uplink.stream(conn.flow).closed, Some(Close::Reset));
    assert_eq!(world.stack.flow_count(), 1);
}

#[test]
fn a_caller_in_the_batch_that_ended_a_connection_keeps_its_port() {
    let mut world = World::new(OFFLOAD);
    let conn = Conn::accept(&mut world, SERVER);
    conn.raw(&mut world, conn.seq, Flags::RST, &[], &[]);
    let (guest, now) = (world.guest(), world.now());
    let again = world.stack.on_accept(&mut world.io, guest, 80, SERVER.into(), now).unwrap();
    world.io.uplink.adopt(again);
    world.settle();
    assert_eq!(world.segment().from, SERVER);
    assert_eq!(world.stack.flow_count(), 1);
}

#[test]
fn time_wait_gives_way_to_a_new_caller_of_the_same_port() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::accept(&mut world, SERVER);
    world.io.uplink.end(conn.flow);
    world.settle();
    conn.ack = world.segment().end();
    conn.send(&mut world, FIN, &[]);
    world.frames();
    let again = Conn::accept(&mut world, SERVER);
    assert_eq!(again.remote, SERVER, "with its own port");
    assert_eq!(world.stack.flow_count(), 1);
}

#[test]
fn fin_waits_for_bytes_before_it() {
    let (mut world, conn) = open();
    let base = conn.seq;
    conn.raw(&mut world, base.add(100), FIN, &[], &[2; 100]);
    world.settle();
    world.frames();
    assert!(!world.io.uplink.stream(conn.flow).shut);
    conn.raw(&mut world, base, Flags::ACK, &[], &[1; 100]);
    world.settle();
    assert_eq!(world.segment().ack, base.add(201));
    let stream = world.io.uplink.stream(conn.flow);
    assert!(stream.shut);
    assert_eq!(stream.sent.len(), 200);
}

#[test]
fn fin_with_more_than_the_window_is_not_lost() {
    let (mut world, conn) = open();
    // Only 65,535 bytes were offered.
    let data = pattern(65_000 + 1000, 1);
    conn.raw(&mut world, conn.seq, Flags::ACK, &[], &data[..65_000]);
    conn.raw(&mut world, conn.seq.add(65_000), FIN, &[], &data[65_000..]);
    world.settle();
    assert!(!world.io.uplink.stream(conn.flow).shut, "FIN lies beyond what was taken");
    let acknowledged = world.segments().last().unwrap().ack;
    let from = usize::try_from(acknowledged.distance_from(conn.seq)).unwrap();
    conn.raw(&mut world, acknowledged, FIN, &[], &data[from..]);
    world.settle();
    assert_same(&world.io.uplink.stream(conn.flow).sent, &data, "all of it");
    assert!(world.io.uplink.stream(conn.flow).shut);
    assert_eq!(world.segments().last().unwrap().ack, conn.seq.add(66_001));
}

#[test]
fn nothing_is_taken_after_fin() {
    let (mut world, mut conn) = open();
    conn.send(&mut world, FIN, b"end");
    conn.raw(&mut world, conn.seq, Flags::ACK, &[], b"more");
    world.settle();
    assert_eq!(world.io.uplink.stream(conn.flow).sent, b"end");
}

#[test]
fn bytes_that_claim_to_lie_behind_fin_do_not_hold_it_up() {
    let (mut world, conn) = open();
    conn.raw(&mut world, conn.seq.add(50), Flags::ACK, &[], &[2; 10]);
    conn.raw(&mut world, conn.seq, FIN, &[], b"end");
    world.settle();
    let stream = world.io.uplink.stream(conn.flow);
    assert_eq!((stream.sent.as_slice(), stream.shut), (&b"end"[..], true));
    let now = world.now();
    world.stack.reset_flow(&mut world.io, conn.flow, now);
    world.settle();
    world.assert_empty();
}

#[test]
fn our_fin_is_repeated_until_it_is_acknowledged() {
    let (mut world, mut conn) = open();
    world.io.uplink.feed(conn.flow, b"tail");
    world.io.uplink.end(conn.flow);
    world.settle();
    let sent = world.segments();
    assert_eq!(sent.len(), 2);
    // Both are lost. What comes again must bring both, whatever the order.
    let mut got = Vec::new();
    for _ in 0..100 {
        world.pass(Duration::from_millis(20));
        for segment in world.segments() {
            if segment.seq == conn.ack {
                conn.take(&segment, &mut got);
            }
            conn.send(&mut world, Flags::ACK, &[]);
        }
    }
    assert_eq!(got, b"tail");
    assert_eq!(conn.ack, sent[1].end());
    conn.send(&mut world, FIN, &[]);
    world.pass(Duration::from_secs(2));
    world.assert_empty();
}

#[test]
fn a_reset_of_the_guest_resets_the_host() {
    let (mut world, mut conn) = open();
    world.io.uplink.feed(conn.flow, &[1; 5000]);
    world.settle();
    world.frames();
    conn.send(&mut world, Flags::RST, &[]);
    assert_eq!(world.io.uplink.stream(conn.flow).closed, Some(Close::Reset));
    assert!(world.frames().is_empty());
    world.assert_empty();
}

#[test]
fn a_reset_must_hit_the_next_number() {
    let (mut world, conn) = open();
    // Inside of the window: asked back (RFC 5961 §3.2).
    conn.raw(&mut world, conn.seq.add(1), Flags::RST, &[], &[]);
    world.settle();
    let challenge = world.segment();
    assert_eq!((challenge.flags, challenge.ack, challenge.seq), (Flags::ACK, conn.seq, conn.ack));
    // Outside: not even that.
    conn.raw(&mut world, conn.seq.add(u32::MAX), Flags::RST, &[], &[]);
    conn.raw(&mut world, conn.seq.add(1 << 30), Flags::RST, &[], &[]);
    world.settle();
    assert!(world.frames().is_empty());
    assert_eq!(world.io.uplink.stream(conn.flow).closed, None);
    assert_eq!(world.drops(DropReason::TcpChallenged), 1);
}

#[test]
fn a_syn_inside_of_a_connection_is_challenged_at_a_bounded_rate() {
    let (mut world, mut conn) = open();
    for n in 0..1000 {
        conn.raw(&mut world, conn.seq.add(n), Flags::SYN, &[], &[]);
        world.settle();
        world.pass(Duration::from_micros(20));
    }
    let answers = world.segments();
    assert!((1..=3).contains(&answers.len()), "{} challenges in 20 ms", answers.len());
    assert_eq!(world.drops(DropReason::TcpChallenged), 1000);
    conn.send(&mut world, Flags::ACK, b"alive");
    assert_eq!(world.io.uplink.stream(conn.flow).sent, b"alive");
}

#[test]
fn a_reset_of_the_host_reaches_the_guest_behind_its_bytes() {
    let (mut world, mut conn) = open();
    world.io.uplink.feed(conn.flow, b"413 too large");
    world.io.uplink.fail(conn.flow, UplinkError::Reset);
    world.settle();
    let sent = world.segments();
    let mut got = Vec::new();
    conn.take(&sent[0], &mut got);
    assert_eq!(got, b"413 too large");
    assert!(sent[1].has(Flags::RST));
    assert_eq!((sent[1].seq, sent.len()), (conn.ack, 2), "in order, or the guest asks back");
    assert!(world.io.uplink.stream(conn.flow).closed.is_some());
    world.assert_empty();
}

#[test]
fn a_reset_of_the_host_waits_for_a_slow_guest() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::open_with(&mut world, 40_000, &Offer { scale: None, window: 3000, ..Offer::default() });
    let data = pattern(9000, 3);
    world.io.uplink.feed(conn.flow, &data);
    world.io.uplink.fail(conn.flow, UplinkError::Reset);
    world.settle();
    let mut got = Vec::new();
    let mut reset = false;
    for _ in 0..20 {
        let sent = world.segments();
        reset |= sent.iter().any(|segment| segment.has(Flags::RST));
        for segment in &sent {
            conn.take(segment, &mut got);
        }
        if !reset {
            conn.send(&mut world, Flags::ACK, &[]);
        }
    }
    assert_same(&got, &data, "before the reset");
    assert!(reset);
    world.assert_empty();
}

#[test]
fn a_broken_connection_found_by_writing_still_gives_its_bytes() {
    let (mut world, mut conn) = open();
    world.io.uplink.feed(conn.flow, b"no thanks");
    world.io.uplink.fail_silently(conn.flow, UplinkError::Reset);
    conn.send(&mut world, Flags::ACK, &[5; 1000]);
    let sent = world.segments();
    assert_eq!(sent[0].payload, b"no thanks");
    assert!(sent.last().unwrap().has(Flags::RST));
    world.assert_empty();
}

#[test]
fn a_connection_that_breaks_after_fin_is_reset_at_once() {
    let (mut world, mut conn) = open();
    world.io.uplink.end(conn.flow);
    world.settle();
    conn.ack = world.segment().end();
    conn.send(&mut world, Flags::ACK, &[]);
    world.io.uplink.fail(conn.flow, UplinkError::Reset);
    world.settle();
    assert!(world.segment().has(Flags::RST));
    world.assert_empty();
}

#[test]
fn a_connection_that_breaks_with_unsent_bytes_gives_them_back() {
    let (mut world, mut conn) = open();
    world.io.uplink.stream_mut(conn.flow).room = 10;
    conn.send(&mut world, FIN, &[5; 1000]);
    assert_eq!(world.stack.held_bytes(), 4096, "the buffer that 990 bytes wait in");
    world.frames();
    world.io.uplink.fail(conn.flow, UplinkError::TimedOut);
    world.settle();
    assert!(world.segment().has(Flags::RST));
    world.assert_empty();
}

#[test]
fn a_half_closed_connection_is_asked_whether_it_lives() {
    let (mut world, mut conn) = open();
    conn.send(&mut world, FIN, &[]);
    world.frames();
    // A guest that lives keeps it, for as long as it wants.
    for _ in 0..50 {
        world.pass(Duration::from_secs(76));
        assert_eq!(world.segment().seq, conn.ack.add(u32::MAX));
        conn.send(&mut world, Flags::ACK, &[]);
        assert!(world.frames().is_empty());
    }
    assert_eq!(world.stack.flow_count(), 1);
    // One whose kernel has forgotten answers with a reset.
    world.pass(Duration::from_secs(76));
    world.frames();
    conn.send(&mut world, Flags::RST, &[]);
    assert_eq!(world.io.uplink.stream(conn.flow).closed, Some(Close::Reset));
    world.assert_empty();
}

#[test]
fn a_half_closed_connection_without_answers_ends() {
    let (mut world, mut conn) = open();
    conn.send(&mut world, FIN, &[]);
    world.pass(Duration::from_secs(75 + 7 * 30));
    assert!(world.segments().last().unwrap().has(Flags::RST));
    world.assert_empty();
}

#[test]
fn ending_a_flow_from_above() {
    let (mut world, mut conn) = open();
    world.io.uplink.stream_mut(conn.flow).room = 0;
    conn.send(&mut world, Flags::ACK, &[1; 1000]);
    world.io.uplink.feed(conn.flow, &[1; 1000]);
    world.settle();
    let now = world.now();
    world.stack.reset_flow(&mut world.io, conn.flow, now);
    world.settle();
    assert_eq!(world.io.uplink.stream(conn.flow).closed, Some(Close::Reset));
    world.assert_empty();
}

#[test]
fn removing_the_endpoint_gives_everything_back() {
    let mut world = World::new(OFFLOAD);
    let guest = world.guest();
    for port in 1..20 {
        let mut conn = Conn::open_with(&mut world, port, &Offer::default());
        world.io.uplink.stream_mut(conn.flow).room = 0;
        world.io.uplink.feed(conn.flow, &[1; 100_000]);
        conn.queue(&mut world, Flags::ACK, &[1; 1000]);
        conn.raw(&mut world, conn.seq.add(50), Flags::ACK, &[], &[1; 1000]);
        world.settle();
        world.frames();
    }
    let syn = Offer::default().syn(&world, 99, SERVER);
    world.send(&syn);
    assert!(world.stack.held_bytes() > 1_000_000);
    let now = world.now();
    world.stack.remove_endpoint(&mut world.io, guest, now);
    assert!(world.io.uplink.streams.values().all(|stream| stream.closed == Some(Close::Reset)));
    world.assert_empty();
    world.settle();
    world.pass(Duration::from_secs(100_000));
    assert!(world.frames().is_empty(), "nobody is there to be told");
    assert_eq!(world.stack.next_timeout(), None);
    world.send(&syn);
    assert_eq!(world.drops(DropReason::EndpointGone), 1);
}
