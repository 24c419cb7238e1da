//! Datagrams through real sockets, many at a time.

use super::{Bench, GATEWAY, PATIENCE, WIRING, gateway};
use crate::limits::TAP_BUDGET;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use unet_core::DropReason;
use unet_core::testing::OFFLOAD;
use unet_core::testing::frames::parse_ipv4;
use unet_core::wire::udp::{Udp, Verify};
use unet_core::wire::vnet::{Gso, LEN, Vnet};
use unet_sys::counting_allocator::{CountingAllocator, allocations};
use unet_sys::datagram;
use unet_sys::datagram_batch::{Outgoing, ReceiveRing, send_many};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const PORT: u16 = 5000;

fn server() -> UdpSocket {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    server
}

fn port(socket: &UdpSocket) -> u16 {
    socket.local_addr().unwrap().port()
}

fn offload(bench: &mut Bench) {
    let id = bench.engine.endpoints["guest"].id;
    bench.engine.ports.taps.get_mut(id).unwrap().0.capabilities = OFFLOAD;
}

/// A datagram of the guest, behind a virtio-net header where its device has one.
fn say(bench: &Bench, from: u16, to: u16, data: &[u8]) {
    let id = bench.engine.endpoints["guest"].id;
    let has_header = bench.engine.ports.taps[id].0.capabilities.vnet;
    let frame = WIRING.udp(from, gateway(to), data);
    let header = Vnet::default().emit();
    bench.send(&[if has_header { &header[..] } else { &[] }, &frame].concat());
}

fn turn(bench: &mut Bench) {
    bench.engine.turn(Some(PATIENCE)).unwrap();
}

/// Datagrams as a socket gets them that takes trains: bytes, and the size of the parts.
fn trains(socket: &UdpSocket) -> Vec<(Vec<u8>, Option<u16>)> {
    let mut ring = ReceiveRing::default();
    let count = ring.receive(socket.as_fd(), usize::MAX).unwrap_or(0);
    (0..count).filter_map(|n| ring.message(n)).map(|message| (message.data.to_vec(), message.segment)).collect()
}

fn numbered(n: usize, len: usize) -> Vec<u8> {
    vec![u8::try_from(n % 251).unwrap(); len]
}

/// The datagrams in a frame to the guest, in the parts that the guest's kernel will make of them.
fn datagrams(bench: &mut Bench, frame: &[u8]) -> Vec<Vec<u8>> {
    let id = bench.engine.endpoints["guest"].id;
    let has_header = bench.engine.ports.taps[id].0.capabilities.vnet;
    let (vnet, frame) = if has_header { Vnet::parse(frame).unwrap() } else { (Vnet::default(), frame) };
    let (_, body) = parse_ipv4(frame).unwrap();
    let (_, data) = Udp::parse(body, Verify::Trusted).unwrap();
    match vnet.gso {
        Gso::UdpL4 { size } => data.chunks(usize::from(size)).map(<[u8]>::to_vec).collect(),
        _ => vec![data.to_vec()],
    }
}

#[test]
fn datagrams_of_one_flow_leave_together_and_in_order() {
    let mut bench = Bench::new();
    let server = server();
    datagram::coalesce(server.as_fd()).unwrap();
    let mut wanted = Vec::new();
    for len in [[1200; 20].as_slice(), &[500], &[0], &[300, 300, 301, 100]].concat() {
        let data = numbered(wanted.len(), len);
        say(&bench, PORT, port(&server), &data);
        wanted.push(data);
    }
    assert!(wanted.len() <= TAP_BUDGET);
    turn(&mut bench);
    let got = trains(&server);
    assert_eq!(got[0].1, Some(1200), "joined");
    assert_eq!(got[0].0.len(), 20 * 1200 + 500, "with the shorter one as the last");
    let apart: Vec<&[u8]> = got
        .iter()
        .flat_map(|(data, size)| match size {
            Some(size) => data.chunks(usize::from(*size)).collect(),
            None => vec![&data[..]],
        })
        .collect();
    assert_eq!(apart, wanted);
}

#[test]
fn flows_that_take_turns_are_joined_each_for_itself() {
    let mut bench = Bench::new();
    let servers = [server(), server(), server()];
    for server in &servers {
        datagram::coalesce(server.as_fd()).unwrap();
    }
    for n in 0..30 {
        // Two of them through one socket.
        say(&bench, PORT + u16::from(n % 3 == 2), port(&servers[n % 3]), &numbered(n, 1000));
    }
    turn(&mut bench);
    for (first, server) in servers.iter().enumerate() {
        let wanted: Vec<u8> = (0..10).flat_map(|n| numbered(first + 3 * n, 1000)).collect();
        assert_eq!(trains(server), [(wanted, Some(1000))]);
    }
}

#[test]
fn more_flows_than_are_gathered_at_once() {
    let mut bench = Bench::new();
    let servers: Vec<UdpSocket> = (0..40).map(|_| server()).collect();
    for (n, server) in servers.iter().enumerate() {
        say(&bench, PORT, port(server), &numbered(n, 100));
    }
    turn(&mut bench);
    let sources: Vec<SocketAddr> = servers
        .iter()
        .enumerate()
        .map(|(n, server)| {
            let mut data = [0; 200];
            let (len, from) = server.recv_from(&mut data).unwrap();
            assert_eq!(&data[..len], numbered(n, 100));
            from
        })
        .collect();
    assert!(sources.iter().all(|source| *source == sources[0]), "one guest socket, one host port: {sources:?}");
}

/// Where the kernel has refused to cut (a device that sums no checksums, a path with a smaller MTU) each datagram goes by itself.
#[test]
fn a_socket_that_may_not_join_sends_the_same() {
    let mut bench = Bench::new();
    offload(&mut bench);
    let server = server();
    say(&bench, PORT, port(&server), b"first");
    turn(&mut bench);
    for (_, socket) in &mut bench.engine.ports.datagrams {
        socket.joinable = 1000;
    }
    let data: Vec<u8> = (0..50).flat_map(|n| numbered(n, 1200)).collect();
    let vnet = Vnet { gso: Gso::UdpL4 { size: 1200 }, ..Vnet::default() };
    bench.send(&[&vnet.emit()[..], &WIRING.udp(PORT, gateway(port(&server)), &data)].concat());
    say(&bench, PORT, port(&server), b"last");
    turn(&mut bench);
    datagram::coalesce(server.as_fd()).unwrap();
    let mut bytes = [0; 2000];
    let mut next = || {
        let len = server.recv(&mut bytes).unwrap();
        bytes[..len].to_vec()
    };
    assert_eq!(next(), b"first");
    for n in 0..50 {
        assert_eq!(next(), numbered(n, 1200));
    }
    assert_eq!(next(), b"last");
}

#[test]
fn what_waits_for_the_guest_comes_in_one_frame_where_it_takes_one() {
    for (offloads, segment) in [(true, false), (true, true), (false, false), (false, true)] {
        let mut bench = Bench::new();
        if offloads {
            offload(&mut bench);
        }
        let server = server();
        say(&bench, PORT, port(&server), b"hello");
        turn(&mut bench);
        let (_, guest) = server.recv_from(&mut [0; 100]).unwrap();
        let wanted: Vec<Vec<u8>> = (0..21).map(|n| numbered(n, if n < 20 { 1200 } else { 7 })).collect();
        if segment {
            let message = Outgoing { to: guest, data: &wanted.concat(), segment: Some(1200), ..Outgoing::NOTHING };
            assert_eq!(send_many(server.as_fd(), &[message]).unwrap(), 1);
        } else {
            for data in &wanted {
                server.send_to(data, guest).unwrap();
            }
        }
        turn(&mut bench);
        let mut frames = Vec::new();
        while let Some(frame) = bench.next_frame() {
            frames.push(frame);
        }
        assert_eq!(frames.len(), if offloads { 1 } else { 21 }, "offloads {offloads}, segment {segment}");
        let got: Vec<Vec<u8>> = frames.iter().flat_map(|frame| datagrams(&mut bench, frame)).collect();
        assert_eq!(got, wanted);
    }
}

#[test]
fn senders_are_kept_apart() {
    let mut bench = Bench::new();
    offload(&mut bench);
    let servers = [server(), server()];
    for server in &servers {
        say(&bench, PORT, port(server), b"hello");
    }
    turn(&mut bench);
    for n in 0..8 {
        let server = &servers[n / 2 % 2];
        let (_, guest) = servers[n / 2 % 2].peek_from(&mut [0; 100]).unwrap();
        server.send_to(&numbered(n, 900), guest).unwrap();
    }
    turn(&mut bench);
    let mut got = Vec::new();
    while let Some(frame) = bench.next_frame() {
        let (ip, body) = parse_ipv4(&frame[LEN..]).unwrap();
        assert_eq!(ip.source, GATEWAY);
        got.push((Udp::parse(body, Verify::Trusted).unwrap().0.source, datagrams(&mut bench, &frame)));
    }
    let wanted: Vec<_> =
        (0..4).map(|n| (port(&servers[n % 2]), vec![numbered(2 * n, 900), numbered(2 * n + 1, 900)])).collect();
    assert_eq!(got, wanted);
}

#[test]
fn nothing_is_allocated_for_a_datagram() {
    for offloads in [true, false] {
        let mut bench = Bench::new();
        if offloads {
            offload(&mut bench);
        }
        let server = server();
        let data = [7; 1200];
        let frame = WIRING.udp(PORT, gateway(port(&server)), &data);
        let header = Vnet::default().emit();
        let frame = [if offloads { &header[..] } else { &[] }, &frame].concat();
        let mut bytes = vec![0; 70_000];
        let mut round = |bench: &mut Bench| {
            for _ in 0..10 {
                bench.send(&frame);
            }
            turn(bench);
            for _ in 0..10 {
                let (_, from) = server.recv_from(&mut bytes).unwrap();
                server.send_to(&data, from).unwrap();
            }
            turn(bench);
            let mut frames = 0;
            while unet_sys::tap_io::read(bench.guest.as_fd(), &mut bytes).is_ok() {
                frames += 1;
            }
            assert_eq!(frames, if offloads { 1 } else { 10 });
        };
        // Sockets, buffers and tables grow to what they need.
        for _ in 0..5 {
            round(&mut bench);
        }
        let before = allocations();
        for _ in 0..50 {
            round(&mut bench);
        }
        assert_eq!(allocations() - before, 0, "offloads {offloads}: 500 datagrams each way");
        assert_eq!(bench.engine.stack.drops().get(DropReason::DatagramNotSent), 0);
    }
}
