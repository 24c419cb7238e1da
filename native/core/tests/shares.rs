//! A guest's share of the flow table.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::conn::Offer;
use common::{Conn, SERVER, World};
use std::time::Duration;
use unet_core::switch::HostAccess;
use unet_core::testing::frames::TestSegment;
use unet_core::testing::{OFFLOAD, VirtualClock};
use unet_core::uplink::Close;
use unet_core::wire::tcp::{Flags, Seq};
use unet_core::wire::vnet::Vnet;
use unet_core::{DropReason, StackConfig};

const SHARE: usize = 10;
/// `limits::MAX_HALF_OPEN`.
const HALF_OPEN: usize = 4096;

fn world() -> World {
    let limits = StackConfig { secret: [7; 32], max_flows: 40, max_flows_per_endpoint: SHARE };
    World::limited(OFFLOAD, &limits, VirtualClock::default(), HostAccess::None)
}

fn udp(world: &mut World, port: u16) {
    let frame = world.wiring().udp(port, SERVER, b"x");
    world.send(&frame);
}

fn syn(world: &mut World, port: u16) {
    let frame = world.wiring().tcp(&TestSegment {
        from_port: port,
        to: SERVER,
        seq: Seq(1),
        ack: Seq(0),
        flags: Flags::SYN,
        window: 1000,
        options: &[],
        payload: &[],
    });
    world.send(&frame);
}

fn open_sockets(world: &World) -> usize {
    world.io.uplink.datagrams.values().filter(|socket| socket.open).count()
}

#[test]
fn a_flood_of_datagrams_ends_the_oldest_and_closes_their_sockets() {
    let mut world = world();
    for port in 0..1000 {
        udp(&mut world, 1000 + port);
    }
    assert_eq!(world.stack.flow_count(), SHARE);
    assert_eq!(open_sockets(&world), SHARE);
    assert_eq!(world.drops(DropReason::FlowEvicted), 1000 - SHARE as u64);
}

#[test]
fn a_flow_in_use_outlives_idle_ones() {
    let mut world = world();
    udp(&mut world, 999);
    for port in 0..500 {
        world.pass(Duration::from_millis(10));
        udp(&mut world, 1000 + port);
        udp(&mut world, 999);
    }
    let opened = world.io.uplink.datagrams.len();
    assert_eq!(opened, 501, "the flow in use never had to be opened again");
}

#[test]
fn connections_are_refused_beyond_the_share_and_datagrams_make_room_for_them() {
    let mut world = world();
    udp(&mut world, 999);
    for port in 0..20 {
        syn(&mut world, 2000 + port);
    }
    assert_eq!(world.stack.flow_count(), SHARE);
    assert_eq!(open_sockets(&world), 0, "the datagram flow made room");
    assert_eq!(world.drops(DropReason::FlowShareUsed), 10);
}

/// A client that opens one connection after the other to a server that closes first.
#[test]
fn connections_that_wait_out_their_time_make_room_for_new_ones() {
    let mut world = world();
    for port in 0..3 * u16::try_from(SHARE).unwrap() {
        let mut conn = Conn::open_with(&mut world, 2000 + port, &Offer::default());
        world.io.uplink.feed(conn.flow, b"bye");
        world.io.uplink.end(conn.flow);
        world.settle();
        conn.receive(&mut world);
        conn.send(&mut world, Flags(Flags::FIN.0 | Flags::ACK.0), &[]);
        world.frames();
    }
    assert_eq!(world.stack.flow_count(), SHARE);
    assert_eq!(world.drops(DropReason::FlowShareUsed), 0);
    // The newest are those that are left: each still answers for itself.
    world.pass(Duration::from_secs(2));
    world.assert_empty();
    // They are gone, and so is what was remembered of them: a full share of open connections is refused one more.
    for port in 0..=u16::try_from(SHARE).unwrap() {
        syn(&mut world, 5000 + port);
    }
    assert_eq!(world.drops(DropReason::FlowShareUsed), 1);
}

#[test]
fn one_guests_flood_leaves_another_its_share() {
    let mut world = world();
    let other = world.add_guest();
    let wiring = world.guests[1].1;
    for port in 0..100 {
        udp(&mut world, 1000 + port);
    }
    for port in 0..SHARE {
        let frame = wiring.udp(u16::try_from(5000 + port).unwrap(), SERVER, b"y");
        world.inject_from(other, &Vnet::default(), &frame);
    }
    world.settle();
    assert_eq!(world.stack.flow_count(), 2 * SHARE);
    assert_eq!(world.stack.endpoint_stats(other).unwrap().flows as usize, SHARE);
}

#[test]
fn a_flood_of_syns_is_bounded_and_hurts_nobody() {
    let limits = StackConfig { secret: [7; 32], max_flows: 65_536, max_flows_per_endpoint: 16_384 };
    let mut world = World::limited(OFFLOAD, &limits, VirtualClock::default(), HostAccess::None);
    let other = world.add_guest();
    let other_wiring = world.guests[1].1;
    let mut standing = Conn::open_with(&mut world, 999, &Offer::default());
    for port in 0..12_000 {
        syn(&mut world, 2000 + port);
    }
    assert_eq!(world.stack.flow_count(), 1 + HALF_OPEN);
    assert_eq!(world.drops(DropReason::HalfOpenEvicted), 12_000 - HALF_OPEN as u64);
    let open: Vec<_> = world.io.uplink.order().iter().filter(|&&flow| world.io.uplink.stream(flow).is_open()).collect();
    assert_eq!(open.len(), 1 + HALF_OPEN, "their sockets are closed");
    assert_eq!(
        open[1..],
        world.io.uplink.order().iter().rev().take(HALF_OPEN).rev().collect::<Vec<_>>(),
        "oldest first"
    );
    // The guest's own connection goes on, and it opens another.
    standing.send(&mut world, Flags::ACK, b"still here");
    assert_eq!(world.io.uplink.stream(standing.flow).sent, b"still here");
    world.frames();
    Conn::open_with(&mut world, 998, &Offer::default());
    // Another guest does not notice.
    let frame = Offer::default().syn_from(&other_wiring, 40_000, SERVER);
    world.inject_from(other, &Vnet::default(), &frame);
    world.settle();
    let flow = world.io.uplink.last();
    world.io.uplink.connected(flow);
    world.settle();
    let answer = world.frames();
    assert_eq!((answer.len(), answer[0].endpoint), (1, other));
    // What nobody answers is given up in the end.
    world.pass(Duration::from_secs(200));
    let reset = world.io.uplink.streams.values().filter(|stream| stream.closed == Some(Close::Reset)).count();
    assert_eq!(world.stack.flow_count(), 2, "the guest's two connections");
    assert_eq!(reset, 12_001);
}

#[test]
fn a_slow_connection_outlives_many_quick_ones() {
    let limits = StackConfig { secret: [7; 32], max_flows: 65_536, max_flows_per_endpoint: 65_536 };
    let mut world = World::limited(OFFLOAD, &limits, VirtualClock::default(), HostAccess::None);
    syn(&mut world, 999);
    let slow = world.io.uplink.last();
    for n in 0..3 * HALF_OPEN {
        let mut quick = Conn::open_with(&mut world, 2000 + u16::try_from(n).unwrap(), &Offer::default());
        if n % 2 == 0 {
            quick.send(&mut world, Flags::RST, &[]);
        }
    }
    assert!(world.io.uplink.stream(slow).is_open());
    assert_eq!(world.drops(DropReason::HalfOpenEvicted), 0);
}
