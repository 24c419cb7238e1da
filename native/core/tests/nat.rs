//! What peers of a guest see of it and who gets through: mapping, filtering and timers of UDP (RFC 4787), sockets of DNS questions.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::world::PLAIN;
use common::{GATEWAY, SERVER, World};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;
use unet_core::switch::HostAccess;
use unet_core::testing::VirtualClock;
use unet_core::testing::frames::parse_ipv4;
use unet_core::wire::udp::{Udp, Verify};
use unet_core::{BindingId, DropReason, StackConfig};

const PORT: u16 = 5000;
const DNS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 9), 53);

fn ask_from(world: &mut World, port: u16, to: SocketAddrV4, data: &[u8]) {
    let frame = world.wiring().udp(port, to, data);
    world.send(&frame);
}

fn ask(world: &mut World, to: SocketAddrV4, data: &[u8]) {
    ask_from(world, PORT, to, data);
}

fn socket(world: &World, n: usize) -> BindingId {
    *world.io.uplink.datagrams.keys().nth(n).expect("a socket was opened")
}

fn open_sockets(world: &World) -> usize {
    world.io.uplink.datagrams.values().filter(|socket| socket.open).count()
}

fn answer(world: &mut World, binding: BindingId, from: &str, data: &[u8]) {
    let now = world.now();
    world.stack.on_datagram(&mut world.io, binding, from.parse::<SocketAddr>().unwrap(), data, now);
}

/// Senders and payloads of what the guest got.
fn received(world: &mut World) -> Vec<(SocketAddrV4, Vec<u8>)> {
    let frames = world.frames();
    let parse = |bytes: &[u8]| {
        let (ip, body) = parse_ipv4(bytes).unwrap();
        let (udp, data) = Udp::parse(body, Verify::Trusted).unwrap();
        (SocketAddrV4::new(ip.source, udp.source), data.to_vec())
    };
    frames.iter().map(|frame| parse(&frame.bytes)).collect()
}

/// A DNS message without a name worth the name.
fn dns(id: u8, flags: u8) -> Vec<u8> {
    vec![0, id, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1]
}

const QUESTION: u8 = 0x01;
const ANSWER: u8 = 0x81;

#[test]
fn one_socket_serves_a_port_whomever_it_talks_to() {
    let mut world = World::new(PLAIN);
    let peers: Vec<SocketAddrV4> = (1..=200).map(|n| SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, n), 99)).collect();
    for &peer in &peers {
        ask(&mut world, peer, b"a");
    }
    assert_eq!(world.io.uplink.datagrams.len(), 1);
    let binding = socket(&world, 0);
    assert_eq!(world.io.uplink.datagrams[&binding].sent.len(), 200);
    assert_eq!(world.stack.flow_kinds(), [0, 200, 0]);
    for peer in &peers {
        answer(&mut world, binding, &peer.to_string(), b"b");
    }
    let seen: Vec<SocketAddrV4> = received(&mut world).into_iter().map(|(from, _)| from).collect();
    assert_eq!(seen, peers);
    ask_from(&mut world, PORT + 1, SERVER, b"c");
    assert_eq!(world.io.uplink.datagrams.len(), 2, "another port, another socket");
}

#[test]
fn an_address_that_was_written_to_may_answer_from_any_port() {
    let mut world = World::new(PLAIN);
    ask(&mut world, SERVER, b"a");
    let binding = socket(&world, 0);
    let other_port = SocketAddrV4::new(*SERVER.ip(), SERVER.port() + 1);
    answer(&mut world, binding, &other_port.to_string(), b"x");
    assert_eq!(received(&mut world), [(other_port, b"x".to_vec())]);
    assert_eq!(world.stack.flow_count(), 1, "it costs no place in the table");
    ask(&mut world, other_port, b"y");
    assert_eq!(world.stack.flow_count(), 2);
    assert_eq!(world.io.uplink.datagrams.len(), 1, "the guest's answer leaves through the same socket");
    for stranger in ["192.0.2.8:80", "127.0.0.1:80", "172.17.0.2:80", "172.17.0.1:80"] {
        answer(&mut world, binding, stranger, b"x");
    }
    assert!(world.frames().is_empty());
    assert_eq!(world.drops(DropReason::DatagramUnsolicited), 4);
    ask_from(&mut world, PORT + 1, DNS, b"another socket has peers of its own");
    answer(&mut world, binding, "192.0.2.9:53", b"x");
    assert_eq!(world.drops(DropReason::DatagramUnsolicited), 5);
}

/// Only what the guest itself sends keeps the door open for other ports, and it shuts with the last flow to that address.
#[test]
fn answers_from_other_ports_refresh_nothing() {
    let mut world = World::new(PLAIN);
    ask(&mut world, SERVER, b"a");
    let second = SocketAddrV4::new(*SERVER.ip(), 7);
    world.pass(Duration::from_secs(100));
    ask(&mut world, second, b"a");
    let binding = socket(&world, 0);
    world.pass(Duration::from_secs(250));
    assert_eq!(world.stack.flow_count(), 1);
    answer(&mut world, binding, "192.0.2.7:81", b"x");
    assert_eq!(received(&mut world).len(), 1, "there is another flow to the address");
    world.pass(Duration::from_secs(51));
    assert_eq!(open_sockets(&world), 0);
    world.assert_empty();
}

/// On the host's loopback the gateway's address stands for every program of the machine.
#[test]
fn behind_the_gateways_address_the_port_must_match() {
    let mut world = World::with(PLAIN, 100, VirtualClock::default(), HostAccess::All);
    ask(&mut world, SocketAddrV4::new(GATEWAY, 5432), b"x");
    let binding = socket(&world, 0);
    answer(&mut world, binding, "127.0.0.1:5433", b"y");
    answer(&mut world, binding, "127.0.0.2:5432", b"y");
    assert!(world.frames().is_empty());
    assert_eq!(world.drops(DropReason::DatagramUnsolicited), 2);
    answer(&mut world, binding, "127.0.0.1:5432", b"y");
    assert_eq!(received(&mut world), [(SocketAddrV4::new(GATEWAY, 5432), b"y".to_vec())]);
}

#[test]
fn a_silent_flow_ends_and_its_socket_with_the_last() {
    let mut world = World::new(PLAIN);
    ask(&mut world, SERVER, b"a");
    world.pass(Duration::from_secs(290));
    ask(&mut world, SERVER, b"again");
    world.pass(Duration::from_secs(290));
    let binding = socket(&world, 0);
    answer(&mut world, binding, &SERVER.to_string(), b"late");
    assert_eq!(received(&mut world).len(), 1);
    world.pass(Duration::from_secs(290));
    assert_eq!(world.stack.flow_count(), 1, "both directions keep it");
    assert!(world.io.uplink.datagrams[&binding].open);
    world.pass(Duration::from_secs(11));
    assert!(!world.io.uplink.datagrams[&binding].open);
    world.assert_empty();
    answer(&mut world, binding, &SERVER.to_string(), b"too late");
    assert!(world.frames().is_empty());
    ask(&mut world, SERVER, b"new");
    assert_eq!(world.io.uplink.datagrams.len(), 2, "a new socket");
}

#[test]
fn a_socket_of_questions_goes_with_its_last_answer() {
    let mut world = World::new(PLAIN);
    ask(&mut world, DNS, &dns(1, QUESTION));
    ask(&mut world, DNS, &dns(2, QUESTION));
    let binding = socket(&world, 0);
    let from = DNS.to_string();
    answer(&mut world, binding, &from, &dns(1, ANSWER));
    answer(&mut world, binding, &from, &dns(1, ANSWER));
    assert_eq!(received(&mut world).len(), 2);
    assert!(world.io.uplink.datagrams[&binding].open, "one answer came twice, the other has not come");
    answer(&mut world, binding, &from, &dns(2, ANSWER));
    assert_eq!(received(&mut world), [(DNS, dns(2, ANSWER))], "before the flow ends");
    assert!(!world.io.uplink.datagrams[&binding].open);
    world.assert_empty();
}

#[test]
fn a_question_without_an_answer_waits_no_longer() {
    let mut world = World::new(PLAIN);
    ask(&mut world, DNS, &dns(1, QUESTION));
    world.pass(Duration::from_secs(14));
    assert_eq!(world.stack.flow_count(), 1);
    world.pass(Duration::from_secs(2));
    assert_eq!(open_sockets(&world), 0);
    world.assert_empty();
}

/// Tunnels use port 53 too: theirs are flows like any other.
#[test]
fn what_is_no_question_makes_an_ordinary_flow() {
    let mut world = World::new(PLAIN);
    ask(&mut world, DNS, &dns(1, QUESTION));
    ask(&mut world, DNS, b"tunnelled");
    let binding = socket(&world, 0);
    answer(&mut world, binding, &DNS.to_string(), &dns(1, ANSWER));
    world.pass(Duration::from_secs(290));
    assert!(world.io.uplink.datagrams[&binding].open);
    world.pass(Duration::from_secs(20));
    world.assert_empty();
}

#[test]
fn a_guest_has_no_more_sockets_than_flows() {
    let limits = StackConfig { secret: [7; 32], max_flows: 100, max_flows_per_endpoint: 20 };
    let mut world = World::limited(PLAIN, &limits, VirtualClock::default(), HostAccess::None);
    for port in 1000..1200 {
        ask_from(&mut world, port, SERVER, b"x");
        assert!(open_sockets(&world) <= 20);
    }
    assert_eq!((open_sockets(&world), world.stack.flow_count()), (20, 20));
    assert_eq!(world.drops(DropReason::FlowEvicted), 180);
    let newest = socket(&world, 199);
    assert!(world.io.uplink.datagrams[&newest].open, "the oldest made room");
}

#[test]
fn what_a_guest_sends_from_a_published_port_leaves_through_it() {
    let mut world = World::new(PLAIN);
    let published = world.stack.publish_udp(world.guest(), PORT).unwrap();
    world.stack.send_from_published(published);
    ask(&mut world, SERVER, b"hello");
    assert_eq!(world.io.uplink.datagrams.keys().collect::<Vec<_>>(), [&published], "no other socket");
    answer(&mut world, published, "203.0.113.9:4000", b"a caller");
    assert_eq!(received(&mut world).len(), 1);
    world.pass(Duration::from_secs(301));
    assert!(world.io.uplink.datagrams[&published].open, "it stands as long as it is published");
    ask(&mut world, SERVER, b"again");
    world.stack.unpublish_udp(&mut world.io, published);
    assert_eq!(open_sockets(&world), 0);
    world.assert_empty();
    ask(&mut world, SERVER, b"hello");
    assert_eq!(world.io.uplink.datagrams.len(), 2, "then through one of its own");
    // A socket that peers know already is kept.
    let late = world.stack.publish_udp(world.guest(), PORT).unwrap();
    world.stack.send_from_published(late);
    ask(&mut world, DNS, b"hello");
    assert_eq!(world.io.uplink.datagrams.len(), 2);
    world.stack.unpublish_udp(&mut world.io, late);
    ask(&mut world, DNS, b"hello");
    assert_eq!(world.io.uplink.datagrams.len(), 2, "unpublishing takes nobody else's place");
}
