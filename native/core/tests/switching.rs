//! Layer 2: ARP, who may send what, frames between guests.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::world::{PLAIN, partial_tcp};
use common::{GATEWAY, GATEWAY_MAC, SERVER, World, assert_same, pattern};
use std::net::{Ipv4Addr, SocketAddrV4};
use unet_core::testing::OFFLOAD;
use unet_core::testing::frames::{TestSegment, Wiring, parse_ipv4, parse_tcp};
use unet_core::wire::arp::{Arp, Operation};
use unet_core::wire::checksum::Sum;
use unet_core::wire::ethernet::{Ethernet, Mac};
use unet_core::wire::ipv4::PROTOCOL_UDP;
use unet_core::wire::tcp::{Flags, Seq};
use unet_core::wire::vnet::{Checksum, Gso, Vnet};
use unet_core::{Capabilities, DropReason, EndpointConfig, EndpointId, NetworkConfig};

/// Three guests; the first one writes to the second.
fn three(second: Capabilities) -> (World, EndpointId, Wiring, SocketAddrV4) {
    let mut world = World::new(OFFLOAD);
    let peer = world.add_guest();
    world.add_guest();
    world.io.device.set_capabilities(peer, second);
    let wiring = Wiring { next_hop: world.guests[1].1.guest_mac, ..world.wiring() };
    let to = SocketAddrV4::new(world.guests[1].1.guest, 80);
    (world, peer, wiring, to)
}

fn segment<'a>(to: SocketAddrV4, flags: Flags, payload: &'a [u8]) -> TestSegment<'a> {
    TestSegment { from_port: 9, to, seq: Seq(u32::MAX - 2000), ack: Seq(2), flags, window: 5, options: &[], payload }
}

/// As a kernel leaves it to the hardware: only the pseudo header is summed.
fn leave_checksum(wiring: &Wiring, frame: &mut [u8], to: Ipv4Addr, protocol: u8, field: usize) {
    let length = frame.len() - 34;
    let sum = Sum::pseudo_v4(wiring.guest, to, protocol, u16::try_from(length).unwrap()).fold();
    frame[34 + field..36 + field].copy_from_slice(&sum.to_be_bytes());
}

#[test]
fn the_gateway_answers_arp() {
    let mut world = World::new(PLAIN);
    let frame = world.wiring().arp_request(GATEWAY);
    world.send(&frame);
    let frames = world.frames();
    let (ethernet, body) = Ethernet::parse(&frames[0].bytes).unwrap();
    assert_eq!((ethernet.source, ethernet.destination), (GATEWAY_MAC, world.wiring().guest_mac));
    let reply = Arp::parse(body).unwrap();
    assert_eq!((reply.operation, reply.sender_mac, reply.sender), (Operation::Reply, GATEWAY_MAC, GATEWAY));
    assert_eq!((reply.target_mac, reply.target), (world.wiring().guest_mac, world.wiring().guest));
}

#[test]
fn arp_for_other_guests_goes_to_all_of_them() {
    for capabilities in [PLAIN, OFFLOAD] {
        let (mut world, peer, _, to) = three(capabilities);
        let frame = world.wiring().arp_request(*to.ip());
        world.send(&frame);
        let frames = world.frames();
        let mut reached: Vec<_> = frames.iter().map(|frame| frame.endpoint).collect();
        reached.sort();
        assert_eq!(reached, [peer, world.guests[2].0], "everybody but the sender");
        assert!(frames.iter().all(|sent| sent.bytes == frame));
    }
}

#[test]
fn lies_about_the_sender_are_counted_and_nothing_else() {
    let mut world = World::new(PLAIN);
    world.add_guest();
    let own = world.wiring();
    let other = world.guests[1].1;
    let mac = Wiring { guest_mac: other.guest_mac, ..own };
    world.send(&mac.udp(1, SERVER, b"x"));
    world.send(&mac.arp_request(GATEWAY));
    assert_eq!(world.drops(DropReason::SourceMacSpoofed), 2);
    let address = Wiring { guest: other.guest, ..own };
    world.send(&address.udp(1, SERVER, b"x"));
    world.send(&address.arp_request(GATEWAY));
    world.send(&Wiring { next_hop: other.guest_mac, ..address }.udp(1, SERVER, b"x"));
    let mut arp = own.arp_request(other.guest);
    arp[14 + 8..14 + 14].copy_from_slice(&other.guest_mac.0);
    world.send(&arp);
    assert_eq!(world.drops(DropReason::SourceAddressSpoofed), 4);
    assert!(world.frames().is_empty());
    assert!(world.io.uplink.datagrams.is_empty());
    // Address detection asks without an address of its own (RFC 5227).
    world.send(&Wiring { guest: Ipv4Addr::UNSPECIFIED, ..own }.arp_request(own.guest));
    assert_eq!(world.frames().len(), 1);
}

#[test]
fn what_nobody_speaks_is_counted() {
    let mut world = World::new(PLAIN);
    let wiring = world.wiring();
    for (frame, reason) in [
        (wiring.ethernet(0x86dd, &[0; 40]), DropReason::EtherTypeUnknown),
        (wiring.ethernet(0x8100, &[0; 40]), DropReason::EtherTypeUnknown),
        (vec![0; 13], DropReason::EthernetTruncated),
        (wiring.ethernet(0x0800, &[0x45; 10]), DropReason::Ipv4Malformed),
        (wiring.ethernet(0x0806, &[0; 20]), DropReason::ArpMalformed),
        (wiring.ipv4(&wiring.header(*SERVER.ip(), 47), &[0; 20]), DropReason::ProtocolUnknown),
        (wiring.ipv4(&wiring.header(*SERVER.ip(), 6), &[0; 19]), DropReason::TcpMalformed),
        (wiring.ipv4(&wiring.header(*SERVER.ip(), 17), &[0; 7]), DropReason::UdpMalformed),
        (wiring.ipv4(&wiring.header(*SERVER.ip(), 1), &[0; 7]), DropReason::IcmpMalformed),
        (
            Wiring { next_hop: Mac([2, 9, 9, 9, 9, 9]), ..wiring }.udp(1, SERVER, b"x"),
            DropReason::DestinationMacUnknown,
        ),
    ] {
        let before = world.drops(reason);
        world.send(&frame);
        assert_eq!(world.drops(reason), before + 1, "{reason:?}");
    }
    let mut bad = wiring.udp(1, SERVER, b"x");
    bad[24] ^= 1;
    world.send(&bad);
    assert_eq!(world.drops(DropReason::Ipv4Checksum), 1);
    let mut bad = wiring.udp(1, SERVER, b"x");
    *bad.last_mut().unwrap() ^= 1;
    world.send(&bad);
    assert_eq!(world.drops(DropReason::UdpChecksum), 1);
    assert!(world.frames().is_empty());
}

#[test]
fn padding_behind_the_packet_is_not_payload() {
    let mut world = World::new(PLAIN);
    let mut frame = world.wiring().udp(1, SERVER, b"x");
    frame.resize(60, 0);
    world.send(&frame);
    assert_eq!(world.io.uplink.datagrams.values().next().unwrap().sent[0].data, b"x");
}

#[test]
fn a_super_frame_reaches_another_guest_as_it_came() {
    let (mut world, peer, wiring, to) = three(OFFLOAD);
    let mut frame = wiring.tcp(&segment(to, Flags::ACK, &pattern(40_000, 1)));
    leave_checksum(&wiring, &mut frame, *to.ip(), 6, 16);
    let vnet = Vnet { gso: Gso::TcpV4 { size: 1448 }, header_len: 54, ..partial_tcp() };
    let from = world.guest();
    world.inject_from(from, &vnet, &frame);
    let frames = world.frames();
    assert_eq!(frames.len(), 1);
    assert_eq!((frames[0].endpoint, frames[0].vnet), (peer, vnet));
    assert_same(&frames[0].bytes, &frame, "untouched");
    assert_eq!(world.stack.flow_count(), 0, "guests talk to each other without a flow");
}

#[test]
fn a_plain_guest_gets_segments_with_all_their_checksums() {
    let (mut world, peer, wiring, to) = three(PLAIN);
    let data = pattern(10_000, 1);
    let flags = Flags::ACK.with(Flags::PSH).with(Flags::FIN);
    let options = [1, 1, 1, 1];
    let mut frame = wiring.tcp(&TestSegment { options: &options, ..segment(to, flags, &data) });
    leave_checksum(&wiring, &mut frame, *to.ip(), 6, 16);
    let vnet = Vnet { gso: Gso::TcpV4 { size: 1448 }, header_len: 58, ..partial_tcp() };
    let from = world.guest();
    world.inject_from(from, &vnet, &frame);
    let mut got = Vec::new();
    let frames = world.frames();
    for (n, frame) in frames.iter().enumerate() {
        assert_eq!(frame.endpoint, peer);
        let part = parse_tcp(&frame.bytes).unwrap();
        assert_eq!(part.seq, Seq(u32::MAX - 2000).add(u32::try_from(got.len()).unwrap()));
        let last = n + 1 == frames.len();
        assert_eq!((part.has(Flags::FIN), part.has(Flags::PSH), part.has(Flags::ACK)), (last, last, true));
        got.extend(part.payload);
    }
    assert_same(&got, &data, "payload");
}

#[test]
fn a_plain_guest_gets_datagrams_one_by_one() {
    let (mut world, _, wiring, to) = three(PLAIN);
    let data = pattern(3000, 1);
    let frame = wiring.udp(9, to, &data);
    let vnet =
        Vnet { checksum: Checksum::Partial { start: 34, offset: 6 }, gso: Gso::UdpL4 { size: 1200 }, header_len: 42 };
    let from = world.guest();
    world.inject_from(from, &vnet, &frame);
    let frames = world.frames();
    let parts: Vec<_> = frames.iter().map(|frame| &parse_ipv4(&frame.bytes).unwrap().1[8..]).collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [1200, 1200, 600]);
    assert_same(&parts.concat(), &data, "payload");
}

#[test]
fn a_plain_guest_gets_open_checksums_completed() {
    let (mut world, peer, wiring, to) = three(PLAIN);
    let from = world.guest();
    let mut tcp = wiring.tcp(&segment(to, Flags::ACK, b"odd"));
    leave_checksum(&wiring, &mut tcp, *to.ip(), 6, 16);
    world.inject_from(from, &partial_tcp(), &tcp);
    let mut udp = wiring.udp(9, to, b"odd");
    leave_checksum(&wiring, &mut udp, *to.ip(), PROTOCOL_UDP, 6);
    let vnet = Vnet { checksum: Checksum::Partial { start: 34, offset: 6 }, ..Vnet::default() };
    world.inject_from(from, &vnet, &udp);
    // Judged by `World::frames`.
    assert_eq!(world.frames().iter().filter(|frame| frame.endpoint == peer).count(), 2);
}

#[test]
fn lies_in_the_header_of_a_plain_guests_frame_end_there() {
    let (mut world, _, wiring, to) = three(PLAIN);
    let from = world.guest();
    let frame = wiring.tcp(&segment(to, Flags::ACK, b"x"));
    for vnet in [
        Vnet { checksum: Checksum::Partial { start: 60_000, offset: 16 }, ..Vnet::default() },
        Vnet { checksum: Checksum::Partial { start: 34, offset: 60_000 }, ..Vnet::default() },
        Vnet { gso: Gso::UdpL4 { size: 10 }, ..partial_tcp() },
        Vnet { gso: Gso::TcpV6 { size: 10 }, ..partial_tcp() },
    ] {
        world.inject_from(from, &vnet, &frame);
    }
    assert!(world.frames().is_empty());
    assert_eq!(world.drops(DropReason::DeviceRefused), 4);
}

#[test]
fn a_super_frame_for_a_plain_guest_is_not_cut_to_crumbs() {
    let (mut world, _, wiring, to) = three(PLAIN);
    let from = world.guest();
    let mut tcp = wiring.tcp(&segment(to, Flags::ACK, &pattern(60_000, 1)));
    leave_checksum(&wiring, &mut tcp, *to.ip(), 6, 16);
    let udp = wiring.udp(9, to, &pattern(60_000, 1));
    let open_udp = Checksum::Partial { start: 34, offset: 6 };
    let tcp_in = |size| Vnet { gso: Gso::TcpV4 { size }, header_len: 54, ..partial_tcp() };
    let udp_in = |size| Vnet { checksum: open_udp, gso: Gso::UdpL4 { size }, header_len: 42 };
    for size in [1, 47] {
        world.inject_from(from, &tcp_in(size), &tcp);
        world.inject_from(from, &udp_in(size), &udp);
    }
    assert!(world.frames().is_empty());
    assert_eq!(world.drops(DropReason::DeviceRefused), 4);
    world.inject_from(from, &tcp_in(48), &tcp);
    assert_eq!(world.frames().len(), 1250, "what a kernel may ask for");
    world.inject_from(from, &udp_in(480), &udp);
    assert_eq!(world.frames().len(), 125);
}

#[test]
fn networks_are_apart() {
    let mut world = World::new(PLAIN);
    let network = world.stack.add_network(NetworkConfig {
        subnet: Ipv4Addr::new(172, 18, 0, 0),
        prefix: 16,
        gateway: Ipv4Addr::new(172, 18, 0, 1),
        gateway_mac: Mac([2, 0x42, 0xac, 0x12, 0, 1]),
        mtu: 1500,
    });
    let mac = Mac([2, 0x42, 0xac, 0x12, 0, 2]);
    let config = EndpointConfig {
        network,
        address: Ipv4Addr::new(172, 18, 0, 2),
        mac,
        mtu: 1500,
        host_access: unet_core::switch::HostAccess::None,
    };
    world.stack.add_endpoint(config.clone()).unwrap();
    assert!(world.stack.add_endpoint(config).is_none(), "address and MAC are held by one");
    let own = world.wiring();
    world.send(&Wiring { next_hop: mac, ..own }.udp(1, "172.18.0.2:80".parse().unwrap(), b"x"));
    assert_eq!(world.drops(DropReason::DestinationMacUnknown), 1);
    world.send(&own.udp(1, "172.18.0.2:80".parse().unwrap(), b"x"));
    assert_eq!(world.drops(DropReason::HostUnreachable), 1);
    world.frames();
    world.send(&own.arp_request("172.18.0.2".parse().unwrap()));
    assert!(world.frames().is_empty());
}

#[test]
fn traffic_is_counted_per_endpoint() {
    let mut world = World::new(PLAIN);
    let frame = world.wiring().udp(1, SERVER, &[0; 100]);
    world.send(&frame);
    let stats = world.stack.endpoint_stats(world.guest()).unwrap();
    assert_eq!((stats.tx_frames, stats.tx_bytes, stats.flows), (1, frame.len() as u64, 1));
}
