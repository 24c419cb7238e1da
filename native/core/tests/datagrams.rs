//! UDP, ICMP echo, DNS by UDP, fragments.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::world::PLAIN;
use common::{GATEWAY, MTU, SERVER, World, assert_same, pattern};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;
use unet_core::switch::HostAccess;
use unet_core::testing::frames::parse_ipv4;
use unet_core::testing::{OFFLOAD, SentDatagram, VirtualClock};
use unet_core::uplink::{DatagramKind, UplinkError};
use unet_core::wire::icmpv4::{ECHO_REPLY, Icmpv4, UNREACHABLE, Unreachable};
use unet_core::wire::ipv4::{Ipv4, PROTOCOL_ICMP, PROTOCOL_UDP};
use unet_core::wire::udp::{Udp, Verify};
use unet_core::wire::vnet::{Checksum, Gso, Vnet};
use unet_core::{BindingId, DropReason};

const PORT: u16 = 5000;
const DNS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 9), 53);

fn ask(world: &mut World, to: SocketAddrV4, data: &[u8]) {
    let frame = world.wiring().udp(PORT, to, data);
    world.send(&frame);
}

fn socket(world: &World, n: usize) -> BindingId {
    *world.io.uplink.datagrams.keys().nth(n).expect("a socket was opened")
}

fn sent(world: &World, n: usize) -> &[SentDatagram] {
    &world.io.uplink.datagrams[&socket(world, n)].sent
}

fn answer(world: &mut World, binding: BindingId, from: SocketAddr, data: &[u8]) {
    let now = world.now();
    world.stack.on_datagram(&mut world.io, binding, from, data, now);
}

/// The one UDP datagram sent to the guest, fragments put together.
#[track_caller]
fn received(world: &mut World) -> (SocketAddrV4, u16, Vec<u8>) {
    let frames = world.frames();
    let mut whole = Vec::new();
    let mut header: Option<Ipv4> = None;
    for frame in &frames {
        let (ip, body) = parse_ipv4(&frame.bytes).unwrap();
        assert_eq!(usize::from(ip.fragment_offset), whole.len(), "fragments in order");
        assert!(header.is_none_or(|first| first.id == ip.id));
        header = Some(header.unwrap_or(ip));
        whole.extend_from_slice(body);
    }
    let ip = header.expect("a datagram");
    let verify = match frames[0].vnet.checksum {
        Checksum::Complete => Verify::Checksum(ip.pseudo(whole.len())),
        _ => Verify::Trusted,
    };
    let (udp, data) = Udp::parse(&whole, verify).expect("a good checksum over all fragments");
    (SocketAddrV4::new(ip.source, udp.source), udp.destination, data.to_vec())
}

/// Code and quoted packet of the one ICMP error sent to the guest.
#[track_caller]
fn icmp_error(world: &mut World) -> (u8, Ipv4Addr, Vec<u8>) {
    let frames = world.frames();
    assert_eq!(frames.len(), 1);
    let (ip, body) = parse_ipv4(&frames[0].bytes).unwrap();
    assert_eq!((ip.source, ip.destination, ip.protocol), (GATEWAY, world.wiring().guest, PROTOCOL_ICMP));
    let (message, quoted) = Icmpv4::parse(body).unwrap();
    assert_eq!(message.kind, UNREACHABLE);
    let header = etherparse::Ipv4HeaderSlice::from_slice(quoted).unwrap();
    assert_eq!(header.source_addr(), world.wiring().guest);
    (message.code, header.destination_addr(), quoted[20..].to_vec())
}

#[test]
fn there_and_back() {
    for capabilities in [PLAIN, OFFLOAD] {
        let mut world = World::new(capabilities);
        ask(&mut world, SERVER, b"question");
        assert_eq!(
            sent(&world, 0),
            [SentDatagram { to: SERVER.into(), from: None, data: b"question".to_vec(), segment: None }]
        );
        let binding = socket(&world, 0);
        answer(&mut world, binding, SERVER.into(), b"answer");
        assert_eq!(received(&mut world), (SERVER, PORT, b"answer".to_vec()));
        answer(&mut world, binding, SERVER.into(), b"");
        assert_eq!(received(&mut world), (SERVER, PORT, vec![]), "empty ones too");
    }
}

#[test]
fn errors_of_the_network_reach_the_guest() {
    for (error, code) in [
        (UplinkError::Refused, Some(Unreachable::Port)),
        (UplinkError::HostUnreachable, Some(Unreachable::Host)),
        (UplinkError::NetworkUnreachable, Some(Unreachable::Network)),
        (UplinkError::NotPermitted, Some(Unreachable::AdministrativelyProhibited)),
        (UplinkError::TooLarge, None),
        (UplinkError::Exhausted, None),
    ] {
        // At once, from the send.
        let mut world = World::new(PLAIN);
        world.io.uplink.send_error = Some(error);
        ask(&mut world, SERVER, b"a");
        if let Some(code) = code {
            let (sent, to, quoted) = icmp_error(&mut world);
            assert_eq!((sent, to), (code as u8, *SERVER.ip()));
            assert_eq!(quoted, [0x13, 0x88, 0, 80, 0, 8, 0, 0], "both ports");
        }
        assert!(world.frames().is_empty(), "{error:?}");
        let reason =
            if error == UplinkError::TooLarge { DropReason::DatagramTooLarge } else { DropReason::DatagramNotSent };
        assert_eq!(world.drops(reason), 1);
        // Later, from the socket's error queue.
        let mut world = World::new(PLAIN);
        ask(&mut world, SERVER, b"a");
        let binding = socket(&world, 0);
        world.stack.on_datagram_error(&mut world.io, binding, SERVER.into(), error);
        assert_eq!(world.frames().len(), usize::from(code.is_some()));
        world.stack.on_datagram_error(&mut world.io, binding, "192.0.2.99:80".parse().unwrap(), error);
        assert!(world.frames().is_empty(), "of a flow that does not exist");
    }
}

#[test]
fn where_datagrams_may_not_go() {
    let access = HostAccess::Ports(vec![5432]);
    let mut world = World::with(PLAIN, 100, VirtualClock::default(), access);
    for (to, code) in [
        ("127.0.0.1:80", Some(Unreachable::AdministrativelyProhibited)),
        ("169.254.169.254:80", Some(Unreachable::AdministrativelyProhibited)),
        ("172.17.9.9:80", Some(Unreachable::Host)),
        ("172.17.0.1:80", Some(Unreachable::Port)),
        ("224.0.0.251:5353", None),
        ("255.255.255.255:67", None),
        ("172.17.255.255:67", None),
    ] {
        let to: SocketAddrV4 = to.parse().unwrap();
        ask(&mut world, to, b"x");
        match code {
            Some(code) => assert_eq!(icmp_error(&mut world).0, code as u8, "{to}"),
            None => assert!(world.frames().is_empty(), "{to}: nobody is told"),
        }
    }
    assert_eq!(world.stack.flow_count(), 0);
    assert!(world.io.uplink.datagrams.is_empty());
    ask(&mut world, SocketAddrV4::new(GATEWAY, 5432), b"x");
    assert_eq!(sent(&world, 0)[0].to, "127.0.0.1:5432".parse().unwrap(), "host access");
    let binding = socket(&world, 0);
    answer(&mut world, binding, "127.0.0.1:5432".parse().unwrap(), b"y");
    assert_eq!(received(&mut world).0, SocketAddrV4::new(GATEWAY, 5432), "from where it was asked");
}

#[test]
fn a_published_port_lets_everybody_in_and_answers_from_itself() {
    let mut world = World::new(PLAIN);
    let binding = world.stack.publish_udp(world.guest(), PORT).unwrap();
    let callers = ["203.0.113.9:4000", "198.51.100.1:53", "127.0.0.1:4000"];
    for caller in callers {
        answer(&mut world, binding, caller.parse().unwrap(), b"hello");
        let (from, port, data) = received(&mut world);
        assert_eq!((port, data.as_slice()), (PORT, &b"hello"[..]));
        ask(&mut world, from, b"welcome");
        assert_eq!(sent(&world, 0).last().unwrap().to, caller.parse().unwrap());
    }
    // A second caller on loopback with the same port would be taken for the first.
    answer(&mut world, binding, "127.0.0.2:4000".parse().unwrap(), b"hello");
    assert!(world.frames().is_empty());
    world.pass(Duration::from_secs(301));
    assert_eq!(world.stack.flow_count(), 0);
    assert!(world.io.uplink.datagrams[&binding].open, "it stands for as long as it is published");
    answer(&mut world, binding, callers[0].parse().unwrap(), b"again");
    received(&mut world);
    world.stack.unpublish_udp(&mut world.io, binding);
    assert!(!world.io.uplink.datagrams[&binding].open);
    world.assert_empty();
}

/// Nobody's flows make room for another's, and connections do not make room for datagrams.
#[test]
fn a_table_full_of_anothers_flows_refuses_datagrams() {
    let mut world = World::with(PLAIN, 1, VirtualClock::default(), HostAccess::None);
    let other = world.add_guest();
    let frame = world.guests[1].1.udp(PORT, SERVER, b"a");
    world.inject_from(other, &Vnet::default(), &frame);
    ask(&mut world, SERVER, b"a");
    ask(&mut world, DNS, b"a");
    assert_eq!(world.drops(DropReason::FlowTableFull), 2);
    assert_eq!(world.io.uplink.datagrams.len(), 1, "no socket for a flow that cannot be");
    let binding = world.stack.publish_udp(world.guest(), 7).unwrap();
    answer(&mut world, binding, "203.0.113.9:1".parse().unwrap(), b"x");
    assert_eq!(world.drops(DropReason::FlowTableFull), 3);
}

#[test]
fn without_sockets_there_is_a_count() {
    let mut world = World::new(PLAIN);
    world.io.uplink.open_error = Some(UplinkError::Exhausted);
    ask(&mut world, SERVER, b"a");
    assert_eq!(world.drops(DropReason::UplinkExhausted), 1);
    world.io.uplink.open_error = None;
    ask(&mut world, SERVER, b"a");
    assert_eq!(sent(&world, 0).len(), 1, "and the next one finds a socket");
}

#[test]
fn dns_is_a_question_to_the_daemon() {
    let mut world = World::new(PLAIN);
    ask(&mut world, SocketAddrV4::new(GATEWAY, 53), b"who is db?");
    let query = world.io.uplink.queries.remove(0);
    assert_eq!((query.endpoint, query.message.as_slice()), (world.guest(), &b"who is db?"[..]));
    assert_eq!(query.from, SocketAddrV4::new(world.wiring().guest, PORT));
    let message = pattern(600, 1);
    world.stack.dns_answer(&mut world.io, query.endpoint, query.from, &message);
    assert_eq!(received(&mut world), (SocketAddrV4::new(GATEWAY, 53), PORT, message));
    assert_eq!(world.stack.flow_count(), 0);
}

#[test]
fn a_guest_is_asked_from_the_gateway_and_its_answer_is_no_flow() {
    let mut world = World::with(PLAIN, 1000, VirtualClock::default(), HostAccess::All);
    let (guest, network) = (world.guest(), world.network);
    assert_eq!(world.stack.endpoint_at(network, world.wiring().guest), Some(guest));
    assert_eq!(world.stack.endpoint_at(network, Ipv4Addr::new(172, 17, 9, 9)), None);
    world.io.uplink.asked_from.insert((guest, 40_000));
    let message = pattern(40, 1);
    assert!(world.stack.ask_guest(&mut world.io, guest, 40_000, &message));
    assert_eq!(received(&mut world), (SocketAddrV4::new(GATEWAY, 40_000), 53, message));
    let answer = world.wiring().udp(53, SocketAddrV4::new(GATEWAY, 40_000), b"answer");
    world.inject(&answer);
    assert_eq!(world.io.uplink.replies, [b"answer"]);
    assert_eq!(world.stack.flow_count(), 0);
    // Where nobody asked, it is a datagram like any other.
    world.inject(&answer);
    assert_eq!((world.io.uplink.replies.len(), world.stack.flow_count()), (1, 1));
}

#[test]
fn several_datagrams_in_one_frame() {
    let mut world = World::new(OFFLOAD);
    let data = pattern(3000, 1);
    let frame = world.wiring().udp(PORT, SERVER, &data);
    let vnet =
        Vnet { checksum: Checksum::Partial { start: 34, offset: 6 }, gso: Gso::UdpL4 { size: 1200 }, header_len: 42 };
    let from = world.guest();
    world.inject_from(from, &vnet, &frame);
    let datagram = &sent(&world, 0)[0];
    assert_eq!(datagram.segment, Some(1200));
    assert_same(&datagram.data, &data, "payload");
}

/// A frame of more than any kernel makes would be one read and thousands of sends.
#[test]
fn a_frame_of_too_many_datagrams_is_refused() {
    let mut world = World::new(OFFLOAD);
    let from = world.guest();
    for (len, size, taken) in [(1280, 10, 1), (1281, 10, 0), (60_000, 1, 0)] {
        let frame = world.wiring().udp(PORT, SERVER, &pattern(len, 1));
        let checksum = Checksum::Partial { start: 34, offset: 6 };
        let vnet = Vnet { checksum, gso: Gso::UdpL4 { size }, header_len: 42 };
        let before = world.io.uplink.datagrams.values().map(|socket| socket.sent.len()).sum::<usize>();
        world.inject_from(from, &vnet, &frame);
        let after = world.io.uplink.datagrams.values().map(|socket| socket.sent.len()).sum::<usize>();
        assert_eq!(after - before, taken, "{len} bytes by {size}");
    }
    assert_eq!(world.drops(DropReason::VnetMalformed), 2);
}

/// What the guest gets for a train of datagrams: payload and, of a super-frame, the size of its parts.
fn trains(world: &mut World) -> Vec<(Vec<u8>, Option<u16>)> {
    let mut seen = Vec::new();
    for frame in world.frames() {
        let (ip, body) = parse_ipv4(&frame.bytes).unwrap();
        let verify = match frame.vnet.checksum {
            Checksum::Complete => Verify::Checksum(ip.pseudo(body.len())),
            _ => Verify::Trusted,
        };
        let (udp, data) = Udp::parse(body, verify).unwrap();
        assert_eq!((SocketAddrV4::new(ip.source, udp.source), udp.destination), (SERVER, PORT));
        let size = match frame.vnet.gso {
            Gso::None => None,
            Gso::UdpL4 { size } => {
                assert_eq!(frame.vnet.header_len, 42);
                Some(size)
            }
            other => panic!("{other:?}"),
        };
        seen.push((data.to_vec(), size));
    }
    seen
}

#[test]
fn a_train_of_datagrams_is_one_frame_where_the_guest_takes_it() {
    let no_uso = unet_core::Capabilities { uso: false, ..OFFLOAD };
    for capabilities in [OFFLOAD, no_uso, PLAIN] {
        let mut world = World::new(capabilities);
        ask(&mut world, SERVER, b"a");
        let binding = socket(&world, 0);
        for (len, size) in [(5000, 1200), (65_507, 1472), (30_000, 100), (1300, 1200), (1200, 1200), (2401, 1200)] {
            let data = pattern(len, 1);
            let now = world.now();
            world.stack.on_datagrams(&mut world.io, binding, SocketAddr::from(SERVER), &data, Some(size), now);
            let trains = trains(&mut world);
            let datagrams: Vec<&[u8]> =
                trains.iter().flat_map(|(data, size)| data.chunks(usize::from(size.unwrap_or(u16::MAX)))).collect();
            assert_eq!(
                datagrams,
                data.chunks(usize::from(size)).collect::<Vec<_>>(),
                "the same datagrams in their order"
            );
            let parts = len.div_ceil(usize::from(size));
            if capabilities.uso {
                assert_eq!(trains.len(), parts.div_ceil(64.min(65_507 / usize::from(size))), "{len} by {size}");
            } else {
                assert_eq!(trains.len(), parts);
            }
        }
    }
}

#[test]
fn a_train_of_datagrams_larger_than_the_mtu_comes_in_fragments() {
    let mut world = World::new(OFFLOAD);
    ask(&mut world, SERVER, b"a");
    let binding = socket(&world, 0);
    let now = world.now();
    world.stack.on_datagrams(&mut world.io, binding, SocketAddr::from(SERVER), &pattern(4000, 1), Some(2000), now);
    let frames = world.frames();
    assert_eq!(frames.len(), 4, "two datagrams of two fragments");
    assert!(frames.iter().all(|frame| frame.vnet.gso == Gso::None));
}

/// The engine gathers datagrams and sends them at the end of its turn: what fails then is told as if it had failed at once.
#[test]
fn what_could_not_be_sent_later_is_counted_and_told() {
    let mut world = World::new(PLAIN);
    ask(&mut world, SERVER, b"a");
    let binding = socket(&world, 0);
    world.stack.on_datagrams_unsent(&mut world.io, binding, SERVER.into(), UplinkError::HostUnreachable, 3);
    assert_eq!(icmp_error(&mut world).0, Unreachable::Host as u8);
    assert_eq!(world.drops(DropReason::DatagramNotSent), 3);
    world.stack.on_datagrams_unsent(&mut world.io, binding, SERVER.into(), UplinkError::TooLarge, 1);
    assert_eq!(world.drops(DropReason::DatagramTooLarge), 1);
    assert!(world.frames().is_empty());
}

#[test]
fn large_datagrams_come_and_go_in_fragments() {
    for capabilities in [PLAIN, OFFLOAD] {
        let mut world = World::new(capabilities);
        for len in [1472, 1473, 3000, 9000, 65_507] {
            let data = pattern(len, 2);
            let ip = Ipv4 { id: u16::try_from(len).unwrap(), ..world.wiring().header(*SERVER.ip(), PROTOCOL_UDP) };
            let body = world.wiring().udp_body(PORT, SERVER, &data);
            let mut fragments = world.wiring().fragments(&ip, &body, 1480);
            // Any order will do.
            fragments.reverse();
            for fragment in &fragments {
                world.send(fragment);
            }
            assert_same(&sent(&world, 0).last().unwrap().data, &data, "outward");
            let binding = socket(&world, 0);
            answer(&mut world, binding, SERVER.into(), &data);
            let (from, port, got) = received(&mut world);
            assert_eq!((from, port), (SERVER, PORT));
            assert_same(&got, &data, "inward");
        }
        let binding = socket(&world, 0);
        answer(&mut world, binding, SERVER.into(), &[0; 65_508]);
        assert!(world.frames().is_empty(), "more than IPv4 carries");
        assert_eq!(sent(&world, 0).len(), 5);
    }
}

#[test]
fn fragments_that_never_come_together_are_forgotten() {
    let mut world = World::new(PLAIN);
    let body = world.wiring().udp_body(PORT, SERVER, &[1; 3000]);
    let ip = world.wiring().header(*SERVER.ip(), PROTOCOL_UDP);
    let fragments = world.wiring().fragments(&ip, &body, 1480);
    world.send(&fragments[0]);
    assert!(world.stack.next_timeout().is_some());
    world.pass(Duration::from_secs(6));
    assert_eq!(world.drops(DropReason::FragmentTimeout), 1);
    world.send(&fragments[1]);
    world.send(&fragments[2]);
    assert!(world.io.uplink.datagrams.is_empty());
    let (guest, now) = (world.guest(), world.now());
    world.stack.remove_endpoint(&mut world.io, guest, now);
    world.pass(Duration::from_secs(6));
    assert_eq!(world.drops(DropReason::FragmentTimeout), 1, "those of an endpoint that left are not waited for");
    assert_eq!(world.stack.next_timeout(), None);
}

#[test]
fn the_gateway_answers_echo() {
    for capabilities in [PLAIN, OFFLOAD] {
        for len in [0, 56, 1472, 5000] {
            let mut world = World::new(capabilities);
            let data = pattern(len, 3);
            let message = Icmpv4 { kind: 8, code: 0, id: 77, sequence: 3 }.emit(&data);
            let ip = world.wiring().header(GATEWAY, PROTOCOL_ICMP);
            for fragment in world.wiring().fragments(&ip, &message, 1480) {
                world.send(&fragment);
            }
            let mut whole = Vec::new();
            for frame in world.frames() {
                let (ip, body) = parse_ipv4(&frame.bytes).unwrap();
                assert_eq!((ip.source, ip.destination), (GATEWAY, world.wiring().guest));
                whole.extend_from_slice(body);
            }
            let (reply, body) = Icmpv4::parse(&whole).unwrap();
            assert_eq!((reply.kind, reply.id, reply.sequence), (ECHO_REPLY, 77, 3));
            assert_same(body, &data, "payload");
            assert_eq!(world.stack.flow_count(), 0);
        }
    }
}

#[test]
fn echo_outward_keeps_the_guests_identifier() {
    let mut world = World::new(PLAIN);
    let to = *SERVER.ip();
    let frame = world.wiring().echo(to, 77, 3, b"data");
    world.send(&frame);
    let binding = socket(&world, 0);
    assert_eq!(world.io.uplink.datagrams[&binding].kind, DatagramKind::Ping);
    let datagram = &sent(&world, 0)[0];
    assert_eq!(datagram.to, SocketAddrV4::new(to, 0).into());
    let (message, data) = Icmpv4::parse(&datagram.data).unwrap();
    assert_eq!((message.sequence, data), (3, &b"data"[..]));
    // The socket has an identifier of its own.
    let reply = Icmpv4 { kind: ECHO_REPLY, code: 0, id: 999, sequence: 3 }.emit(b"data");
    answer(&mut world, binding, SocketAddrV4::new(to, 0).into(), &reply);
    let frames = world.frames();
    let (ip, body) = parse_ipv4(&frames[0].bytes).unwrap();
    assert_eq!(ip.source, to);
    let (message, data) = Icmpv4::parse(body).unwrap();
    assert_eq!((message.kind, message.id, message.sequence, data), (ECHO_REPLY, 77, 3, &b"data"[..]));
    // Others are not let in, and requests are no replies.
    answer(&mut world, binding, "192.0.2.99:0".parse().unwrap(), &reply);
    let request = Icmpv4 { kind: 8, code: 0, id: 999, sequence: 3 }.emit(b"data");
    answer(&mut world, binding, SocketAddrV4::new(to, 0).into(), &request);
    answer(&mut world, binding, SocketAddrV4::new(to, 0).into(), &[0; 3]);
    assert!(world.frames().is_empty());
    world.pass(Duration::from_secs(61));
    assert!(!world.io.uplink.datagrams[&binding].open);
    world.assert_empty();
}

/// A batch of replies of one size comes from the engine as a train, as datagrams of UDP do.
#[test]
fn echo_replies_that_come_together_reach_the_guest_each_for_itself() {
    let mut world = World::new(PLAIN);
    let to = SocketAddrV4::new(*SERVER.ip(), 0);
    let frame = world.wiring().echo(*to.ip(), 77, 1, b"data");
    world.send(&frame);
    let binding = socket(&world, 0);
    let reply = |kind, sequence| Icmpv4 { kind, code: 0, id: 999, sequence }.emit(b"data");
    let train = [reply(ECHO_REPLY, 1), reply(ECHO_REPLY, 2), reply(8, 3), vec![9; 12], reply(ECHO_REPLY, 4)].concat();
    let now = world.now();
    world.stack.on_datagrams(&mut world.io, binding, SocketAddr::from(to), &train, Some(12), now);
    let frames = world.frames();
    let seen = frames.iter().map(|frame| {
        let (_, body) = parse_ipv4(&frame.bytes).unwrap();
        let (message, data) = Icmpv4::parse(body).unwrap();
        (message.kind, message.id, message.sequence, data.to_vec())
    });
    assert!(seen.eq([1, 2, 4].map(|sequence| (ECHO_REPLY, 77, sequence, b"data".to_vec()))));
    assert_eq!((world.drops(DropReason::IcmpUnhandled), world.drops(DropReason::IcmpChecksum)), (1, 1));
}

#[test]
fn echo_where_the_host_forbids_it() {
    let mut world = World::new(PLAIN);
    world.io.uplink.open_error = Some(UplinkError::NotPermitted);
    let frame = world.wiring().echo(*SERVER.ip(), 77, 3, b"data");
    world.send(&frame);
    let (code, to, quoted) = icmp_error(&mut world);
    assert_eq!((code, to), (Unreachable::AdministrativelyProhibited as u8, *SERVER.ip()));
    assert_eq!((quoted[0], &quoted[4..6]), (8, &77u16.to_be_bytes()[..]), "ping finds its own request in it");
    assert_eq!(world.drops(DropReason::PingNotPermitted), 1);
    world.assert_empty();
}

#[test]
fn other_icmp_is_not_answered() {
    let mut world = World::new(PLAIN);
    for kind in [0, 3, 5, 13, 17] {
        let message = Icmpv4 { kind, code: 0, id: 1, sequence: 1 }.emit(b"x");
        let ip = world.wiring().header(GATEWAY, PROTOCOL_ICMP);
        let frame = world.wiring().ipv4(&ip, &message);
        world.send(&frame);
    }
    assert!(world.frames().is_empty());
    assert_eq!(world.drops(DropReason::IcmpUnhandled), 5);
}

#[test]
fn removing_the_endpoint_closes_its_sockets() {
    let mut world = World::new(PLAIN);
    ask(&mut world, SERVER, b"a");
    let frame = world.wiring().echo(*SERVER.ip(), 77, 3, b"data");
    world.send(&frame);
    let published = world.stack.publish_udp(world.guest(), 99).unwrap();
    answer(&mut world, published, "203.0.113.9:1".parse().unwrap(), b"x");
    ask(&mut world, "203.0.113.9:1".parse().unwrap(), b"y");
    let (guest, now) = (world.guest(), world.now());
    world.stack.remove_endpoint(&mut world.io, guest, now);
    assert!(world.io.uplink.datagrams.values().all(|socket| !socket.open));
    world.assert_empty();
}

#[test]
fn frames_stay_within_the_mtu() {
    // `World::frames` judges each; here they only have to be made.
    let mut world = World::new(PLAIN);
    ask(&mut world, SERVER, b"a");
    let binding = socket(&world, 0);
    for len in usize::from(MTU) - 40..usize::from(MTU) {
        answer(&mut world, binding, SERVER.into(), &pattern(len, 1));
        assert_eq!(received(&mut world).2.len(), len);
    }
}

/// A server that listens on every address must answer from the one that was asked, or its caller will not know it.
#[test]
fn answers_of_a_published_port_come_from_the_address_that_was_asked() {
    let mut world = World::new(OFFLOAD);
    let endpoint = world.guest();
    let binding = world.stack.publish_udp(endpoint, 7000).unwrap();
    let caller: SocketAddr = "203.0.113.9:4000".parse().unwrap();
    for local in ["192.0.2.1", "192.0.2.2"] {
        let local: std::net::IpAddr = local.parse().unwrap();
        let from = unet_core::uplink::DatagramPeer { address: caller, local: Some(local) };
        let now = world.now();
        world.stack.on_datagram(&mut world.io, binding, from, b"question", now);
        let reply = world.wiring().udp(7000, "203.0.113.9:4000".parse().unwrap(), b"answer");
        world.send(&reply);
        let sent = world.io.uplink.datagrams[&binding].sent.last().unwrap();
        assert_eq!((sent.to, sent.from), (caller, Some(local)));
    }
}
