//! Opening connections, outward and inward, and every way in which that fails.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::conn::Offer;
use common::world::PLAIN;
use common::{Conn, GATEWAY, SERVER, World};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use unet_core::switch::HostAccess;
use unet_core::testing::frames::{parse_ipv4, parse_tcp};
use unet_core::testing::{OFFLOAD, VirtualClock};
use unet_core::uplink::{Close, Target, UplinkError};
use unet_core::wire::icmpv4::{Icmpv4, UNREACHABLE, Unreachable};
use unet_core::wire::ipv4::PROTOCOL_ICMP;
use unet_core::wire::tcp::{Flags, Options, Seq};
use unet_core::{DropReason, FlowId};

const CALLER: &str = "203.0.113.9:4000";

fn syn(world: &mut World, to: SocketAddrV4) {
    let frame = Offer::default().syn(world, 40_000, to);
    world.send(&frame);
}

fn pending(world: &mut World) -> FlowId {
    syn(world, SERVER);
    assert!(world.segments().is_empty(), "the guest waits for the host connection");
    world.io.uplink.last()
}

/// The ICMP error in the only frame sent, with the ports and four bytes that it quotes.
#[track_caller]
fn icmp_error(world: &mut World) -> (u8, Ipv4Addr, [u8; 8]) {
    let frames = world.frames();
    assert_eq!(frames.len(), 1, "one answer");
    let (ip, body) = parse_ipv4(&frames[0].bytes).unwrap();
    assert_eq!((ip.source, ip.protocol), (GATEWAY, PROTOCOL_ICMP));
    let (message, quoted) = Icmpv4::parse(body).unwrap();
    assert_eq!(message.kind, UNREACHABLE);
    // What is quoted is the guest's own packet: its addresses, ports and sequence number must be right, or a kernel ignores it.
    let header = etherparse::Ipv4HeaderSlice::from_slice(quoted).unwrap().to_header();
    assert_eq!(Ipv4Addr::from(header.source), world.wiring().guest);
    assert_eq!(header.header_checksum, header.calc_header_checksum());
    (message.code, Ipv4Addr::from(header.destination), quoted[20..28].try_into().unwrap())
}

#[test]
fn the_answer_carries_what_was_offered() {
    for capabilities in [PLAIN, OFFLOAD] {
        let mut world = World::new(capabilities);
        let flow = pending(&mut world);
        assert_eq!(world.io.uplink.stream(flow).target, Some(Target::Address(SERVER.into())));
        world.io.uplink.connected(flow);
        world.settle();
        let answer = world.segment();
        assert_eq!(answer.flags, Flags::SYN.with(Flags::ACK));
        assert_eq!((answer.from, answer.to.port(), answer.ack), (SERVER, 40_000, Seq(1001)));
        assert_eq!(answer.options.mss, Some(1460));
        assert!(answer.options.sack_permitted && answer.options.window_scale.is_some());
        assert_eq!(answer.window, 65_535, "the window of a SYN is not scaled");
    }
}

#[test]
fn options_that_were_not_offered_are_not_answered() {
    let mut world = World::new(OFFLOAD);
    let offer = Offer { scale: None, sack: false, ..Offer::default() };
    let frame = offer.syn(&world, 40_000, SERVER);
    world.send(&frame);
    let flow = world.io.uplink.last();
    world.io.uplink.connected(flow);
    world.settle();
    let answer = world.segment();
    assert_eq!((answer.options.window_scale, answer.options.sack_permitted), (None, false));
}

#[test]
fn refused_is_a_reset() {
    for error in [UplinkError::Refused, UplinkError::Reset, UplinkError::Exhausted, UplinkError::Other] {
        let mut world = World::new(PLAIN);
        let flow = pending(&mut world);
        world.io.uplink.fail(flow, error);
        world.settle();
        let answer = world.segment();
        assert_eq!(answer.flags, Flags::RST.with(Flags::ACK), "{error:?}");
        assert_eq!(answer.ack, Seq(1001), "acknowledges the SYN, or the guest ignores it");
        assert!(world.io.uplink.stream(flow).closed.is_some());
        world.assert_empty();
    }
}

#[test]
fn a_failure_known_at_once_is_a_reset_too() {
    let mut world = World::new(PLAIN);
    world.io.uplink.connect_error = Some(UplinkError::Exhausted);
    syn(&mut world, SERVER);
    assert!(world.segment().has(Flags::RST));
    assert_eq!(world.drops(DropReason::UplinkExhausted), 1);
    world.assert_empty();
}

#[test]
fn unreachable_is_an_icmp_error_that_quotes_the_syn() {
    for (error, code) in [
        (UplinkError::HostUnreachable, Unreachable::Host),
        (UplinkError::NetworkUnreachable, Unreachable::Network),
        (UplinkError::NotPermitted, Unreachable::AdministrativelyProhibited),
    ] {
        let mut world = World::new(PLAIN);
        let flow = pending(&mut world);
        world.io.uplink.fail(flow, error);
        world.settle();
        let (sent, to, ports) = icmp_error(&mut world);
        assert_eq!((sent, to), (code as u8, *SERVER.ip()));
        assert_eq!(ports, [0x9c, 0x40, 0, 80, 0, 0, 0x03, 0xe8], "ports 40000 and 80, sequence number 1000");
        world.assert_empty();
    }
}

#[test]
fn timed_out_is_silence() {
    let mut world = World::new(PLAIN);
    let flow = pending(&mut world);
    world.io.uplink.fail(flow, UplinkError::TimedOut);
    world.settle();
    assert!(world.frames().is_empty());
    world.assert_empty();
}

#[test]
fn a_host_connection_without_outcome_is_given_up() {
    let mut world = World::new(PLAIN);
    let flow = pending(&mut world);
    // The guest tries for as long as Linux does.
    for wait in [1, 2, 4, 8, 16, 32] {
        world.pass(Duration::from_secs(wait));
        syn(&mut world, SERVER);
    }
    assert_eq!((world.stack.flow_count(), world.io.uplink.order().len()), (1, 1));
    world.pass(Duration::from_secs(100));
    assert!(world.frames().is_empty(), "silence, as in a black hole");
    assert_eq!(world.io.uplink.stream(flow).closed, Some(Close::Reset));
    world.assert_empty();
}

#[test]
fn a_repeated_syn_changes_nothing() {
    let mut world = World::new(PLAIN);
    let flow = pending(&mut world);
    syn(&mut world, SERVER);
    assert!(world.frames().is_empty());
    assert_eq!(world.io.uplink.order().len(), 1);
    world.io.uplink.connected(flow);
    world.settle();
    let first = world.segment();
    syn(&mut world, SERVER);
    assert_eq!(world.segment(), first, "the same answer again");
}

#[test]
fn a_guest_that_gives_up_while_connecting_closes_the_host_connection() {
    let mut world = World::new(PLAIN);
    let flow = pending(&mut world);
    let conn = Conn { port: 40_000, remote: SERVER, seq: Seq(1001), ack: Seq(0), window: 0, flow };
    conn.raw(&mut world, Seq(1001), Flags::RST, &[], &[]);
    world.settle();
    assert_eq!(world.io.uplink.stream(flow).closed, Some(Close::Reset));
    world.assert_empty();
}

#[test]
fn syn_ack_is_repeated_with_back_off_and_then_given_up() {
    let mut world = World::new(PLAIN);
    let flow = pending(&mut world);
    world.io.uplink.connected(flow);
    world.settle();
    let first = world.segment();
    let start = world.now();
    let mut times = Vec::new();
    while world.stack.flow_count() > 0 {
        world.pass(Duration::from_millis(10));
        for again in world.segments() {
            assert_eq!(again, first);
            times.push(world.now().since(start));
        }
        assert!(world.now().since(start) < Duration::from_secs(300), "it ends");
    }
    assert_eq!(times.len(), 7);
    assert!(times.windows(2).all(|pair| pair[1] > pair[0] * 3 / 2), "waits grow: {times:?}");
    assert_eq!(world.io.uplink.stream(flow).closed, Some(Close::Reset));
    world.assert_empty();
}

#[test]
fn data_with_the_last_step_is_taken() {
    let mut world = World::new(PLAIN);
    let flow = pending(&mut world);
    world.io.uplink.connected(flow);
    world.settle();
    let answer = world.segment();
    let mut conn = Conn { port: 40_000, remote: SERVER, seq: Seq(1001), ack: answer.seq.add(1), window: 1000, flow };
    conn.send(&mut world, Flags::ACK.with(Flags::FIN), b"GET /");
    assert_eq!(world.io.uplink.stream(flow).sent, b"GET /");
    assert!(world.io.uplink.stream(flow).shut);
    assert_eq!(world.segment().ack, conn.seq);
}

#[test]
fn a_reset_while_syn_ack_is_out_ends_it() {
    let mut world = World::new(PLAIN);
    let flow = pending(&mut world);
    world.io.uplink.connected(flow);
    world.settle();
    world.frames();
    let conn = Conn { port: 40_000, remote: SERVER, seq: Seq(1001), ack: Seq(0), window: 0, flow };
    conn.raw(&mut world, Seq(1001), Flags::RST, &[], &[]);
    world.settle();
    assert_eq!(world.io.uplink.stream(flow).closed, Some(Close::Reset));
    world.assert_empty();
}

#[test]
fn where_connections_may_not_go() {
    let access = HostAccess::Ports(vec![5432]);
    let mut world = World::with(PLAIN, 100, VirtualClock::default(), access);
    for (to, code) in [
        ("127.0.0.1:80", Unreachable::AdministrativelyProhibited),
        ("169.254.169.254:80", Unreachable::AdministrativelyProhibited),
        ("172.17.9.9:80", Unreachable::Host),
    ] {
        let to: SocketAddrV4 = to.parse().unwrap();
        syn(&mut world, to);
        let (sent, quoted, _) = icmp_error(&mut world);
        assert_eq!((sent, quoted), (code as u8, *to.ip()));
    }
    syn(&mut world, SocketAddrV4::new(GATEWAY, 5433));
    assert_eq!(world.segment().flags, Flags::RST.with(Flags::ACK), "a closed port of the gateway");
    assert_eq!(world.drops(DropReason::GatewayPortClosed), 1);
    assert_eq!(world.drops(DropReason::PolicyDenied), 2);
    assert_eq!(world.stack.flow_count(), 0);

    syn(&mut world, SocketAddrV4::new(GATEWAY, 5432));
    let flow = world.io.uplink.last();
    let target = world.io.uplink.stream(flow).target;
    assert_eq!(target, Some(Target::Address("127.0.0.1:5432".parse().unwrap())), "host access");
}

#[test]
fn dns_by_tcp_goes_to_the_daemon() {
    let mut world = World::new(PLAIN);
    syn(&mut world, SocketAddrV4::new(GATEWAY, 53));
    let flow = world.io.uplink.last();
    assert_eq!(world.io.uplink.stream(flow).target, Some(Target::Dns { endpoint: world.guest() }));
}

#[test]
fn a_segment_of_no_connection_is_reset_but_a_reset_is_not() {
    let mut world = World::new(PLAIN);
    let conn = Conn { port: 1, remote: SERVER, seq: Seq(77), ack: Seq(99), window: 0, flow: FlowId::default() };
    conn.raw(&mut world, Seq(77), Flags::ACK, &[], b"abc");
    let answer = world.segment();
    assert_eq!((answer.flags, answer.seq), (Flags::RST, Seq(99)));
    conn.raw(&mut world, Seq(77), Flags::FIN, &[], b"abc");
    let answer = world.segment();
    assert_eq!((answer.flags, answer.ack), (Flags::RST.with(Flags::ACK), Seq(81)), "no ACK: what it occupied");
    conn.raw(&mut world, Seq(77), Flags::RST, &[], &[]);
    assert!(world.frames().is_empty());
    assert_eq!(world.drops(DropReason::TcpNoFlow), 3);
}

#[test]
fn a_caller_of_a_published_port_reaches_the_guest() {
    let mut world = World::new(OFFLOAD);
    let mut conn = Conn::accept(&mut world, CALLER.parse().unwrap());
    assert_eq!(conn.remote.to_string(), CALLER, "the guest sees who calls");
    world.io.uplink.feed(conn.flow, b"question");
    world.settle();
    assert_eq!(conn.receive(&mut world), b"question");
    conn.send(&mut world, Flags::ACK, b"answer");
    assert_eq!(world.io.uplink.stream(conn.flow).sent, b"answer");
}

#[test]
fn a_caller_whose_guest_refuses_is_reset() {
    let mut world = World::new(OFFLOAD);
    let (guest, now) = (world.guest(), world.now());
    let flow = world.stack.on_accept(&mut world.io, guest, 80, CALLER.parse().unwrap(), now).unwrap();
    world.io.uplink.adopt(flow);
    world.settle();
    let syn = world.segment();
    let conn = Conn { port: 80, remote: CALLER.parse().unwrap(), seq: Seq(0), ack: syn.seq.add(1), window: 0, flow };
    // A reset that acknowledges something else is somebody's mistake.
    Conn { ack: syn.seq, ..conn }.raw(&mut world, Seq(0), Flags::RST.with(Flags::ACK), &[], &[]);
    world.settle();
    assert_eq!(world.io.uplink.stream(flow).closed, None);
    conn.raw(&mut world, Seq(0), Flags::RST.with(Flags::ACK), &[], &[]);
    world.settle();
    assert_eq!(world.io.uplink.stream(flow).closed, Some(Close::Reset));
    assert!(world.frames().is_empty());
    world.assert_empty();
}

#[test]
fn a_caller_whose_guest_is_silent_is_reset_in_the_end() {
    let mut world = World::new(OFFLOAD);
    let (guest, now) = (world.guest(), world.now());
    let flow = world.stack.on_accept(&mut world.io, guest, 80, CALLER.parse().unwrap(), now).unwrap();
    world.io.uplink.adopt(flow);
    world.settle();
    world.pass(Duration::from_secs(120));
    assert_eq!(world.segments().len(), 8, "SYN and seven repetitions");
    assert_eq!(world.io.uplink.stream(flow).closed, Some(Close::Reset));
    world.assert_empty();
}

#[test]
fn a_caller_who_hangs_up_before_the_guest_answers() {
    let mut world = World::new(OFFLOAD);
    let (guest, now) = (world.guest(), world.now());
    let flow = world.stack.on_accept(&mut world.io, guest, 80, CALLER.parse().unwrap(), now).unwrap();
    world.io.uplink.adopt(flow);
    world.settle();
    world.frames();
    world.io.uplink.fail(flow, UplinkError::Reset);
    world.settle();
    assert!(world.segment().has(Flags::RST));
    world.assert_empty();
}

#[test]
fn an_old_acknowledgement_is_reset_while_calling() {
    let mut world = World::new(OFFLOAD);
    let (guest, now) = (world.guest(), world.now());
    let flow = world.stack.on_accept(&mut world.io, guest, 80, CALLER.parse().unwrap(), now).unwrap();
    world.io.uplink.adopt(flow);
    world.settle();
    world.frames();
    let conn = Conn { port: 80, remote: CALLER.parse().unwrap(), seq: Seq(1), ack: Seq(12345), window: 0, flow };
    conn.raw(&mut world, Seq(1), Flags::ACK, &[], &[]);
    let answer = world.segment();
    assert!(answer.has(Flags::RST));
    assert_eq!(answer.seq, Seq(12345));
    assert_eq!(world.stack.flow_count(), 1, "the call goes on");
}

#[test]
fn callers_on_loopback_stand_as_the_gateway_and_are_told_apart() {
    let mut world = World::new(OFFLOAD);
    let (guest, now) = (world.guest(), world.now());
    let mut seen = Vec::new();
    for caller in ["127.0.0.1:4000", "127.0.0.2:4000"] {
        let flow = world.stack.on_accept(&mut world.io, guest, 80, caller.parse().unwrap(), now).unwrap();
        world.io.uplink.adopt(flow);
        world.settle();
        seen.push(world.segment().from);
    }
    assert_eq!(seen[0].to_string(), "172.17.0.1:4000");
    assert_eq!(*seen[1].ip(), GATEWAY);
    assert_ne!(seen[0], seen[1]);
}

#[test]
fn initial_sequence_numbers_differ_between_connections_and_in_time() {
    let mut world = World::new(PLAIN);
    let mut numbers = Vec::new();
    for port in [40_000, 40_001] {
        let frame = Offer::default().syn(&world, port, SERVER);
        world.send(&frame);
        let flow = world.io.uplink.last();
        world.io.uplink.connected(flow);
        world.settle();
        numbers.push(world.segment().seq);
    }
    assert_ne!(numbers[0], numbers[1]);
    assert!(numbers[0].minus(numbers[1]).unsigned_abs() > 1000, "not a counter");
}

#[test]
fn a_full_table_refuses_and_recovers() {
    let mut world = World::with(PLAIN, 2, VirtualClock::default(), HostAccess::None);
    for port in 1..=3 {
        let frame = Offer::default().syn(&world, port, SERVER);
        world.send(&frame);
    }
    assert_eq!((world.stack.flow_count(), world.io.uplink.order().len()), (2, 2));
    assert_eq!(world.drops(DropReason::FlowTableFull), 1);
    let (guest, now) = (world.guest(), world.now());
    assert_eq!(world.stack.on_accept(&mut world.io, guest, 80, CALLER.parse().unwrap(), now), None);
    assert_eq!(world.drops(DropReason::FlowTableFull), 2);
    let first = world.io.uplink.order()[0];
    world.io.uplink.fail(first, UplinkError::Refused);
    world.settle();
    world.frames();
    let frame = Offer::default().syn(&world, 3, SERVER);
    world.send(&frame);
    assert_eq!(world.io.uplink.order().len(), 3, "the guest's next SYN finds room");
}

#[test]
fn tiny_and_missing_mss_are_bounded() {
    for (mss, expected) in [(1u16, 88usize), (9000, 1460)] {
        let mut world = World::new(PLAIN);
        let mut conn = Conn::open_with(&mut world, 40_000, &Offer { mss, ..Offer::default() });
        world.io.uplink.feed(conn.flow, &[7; 4000]);
        world.settle();
        let longest = world
            .frames()
            .iter()
            .map(|frame| {
                let segment = parse_tcp(&frame.bytes).unwrap();
                conn.take(&segment, &mut Vec::new());
                segment.payload.len()
            })
            .max();
        assert_eq!(longest, Some(expected));
    }
    // No options at all (RFC 9293 §3.7.1).
    let mut world = World::new(PLAIN);
    let conn = Conn { port: 40_000, remote: SERVER, seq: Seq(1), ack: Seq(0), window: 60_000, flow: FlowId::default() };
    conn.raw(&mut world, Seq(0), Flags::SYN, &[], &[]);
    let flow = world.io.uplink.last();
    world.io.uplink.connected(flow);
    world.settle();
    let conn = Conn { ack: world.segment().seq.add(1), flow, ..conn };
    conn.raw(&mut world, Seq(1), Flags::ACK, &[], &[]);
    world.io.uplink.feed(flow, &[7; 4000]);
    world.settle();
    assert_eq!(world.segments()[0].payload.len(), 536);
}

#[test]
fn a_syn_that_is_also_a_reset_opens_nothing() {
    let mut world = World::new(PLAIN);
    let conn = Conn { port: 9, remote: SERVER, seq: Seq(0), ack: Seq(0), window: 0, flow: FlowId::default() };
    let options = Options::emit_syn(1460, None, false);
    conn.raw(&mut world, Seq(0), Flags::SYN.with(Flags::RST), &options, &[]);
    world.settle();
    assert!(world.frames().is_empty());
    assert_eq!(world.stack.flow_count(), 0);
}
