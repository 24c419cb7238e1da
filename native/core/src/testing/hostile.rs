//! Guests that send anything at all, hosts that do anything at any time. Nothing may panic, every answer must be well-formed,
//! and when the guests are gone nothing may be left.

use super::frames::{TestSegment, Wiring, parse_ipv4, parse_tcp};
use super::{Frame, GATEWAY, GATEWAY_MAC, OFFLOAD, Script, TestIo, VirtualClock};
use crate::device::{Capabilities, Device};
use crate::flow::BindingId;
use crate::stack::{Stack, StackConfig};
use crate::switch::{EndpointId, HostAccess};
use crate::uplink::UplinkError;
use crate::wire::ethernet::Mac;
use crate::wire::ipv4::PROTOCOL_UDP;
use crate::wire::tcp::{Flags, Options, Seq};
use crate::wire::vnet::{Checksum, Gso, Vnet};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

const MTU: u16 = 1500;
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 7), 80);
const FLOWS: usize = 20;
/// Far above what twenty flows may hold.
const HELD: usize = FLOWS * (8 << 20);

struct Hostile {
    stack: Stack,
    io: TestIo,
    clock: VirtualClock,
    guests: [(EndpointId, Wiring); 2],
    /// The TCP segment sent to a guest last: what replies are built around.
    last: Option<(usize, super::frames::SeenSegment)>,
    bindings: Vec<BindingId>,
    frame: Vec<u8>,
}

/// Runs a script.
///
/// # Panics
/// When the stack does something wrong.
pub fn hostile(input: &[u8]) {
    let mut script = Script::new(input);
    let mut world = Hostile::new(script.byte());
    while !script.is_over() {
        world.step(&mut script);
        world.check();
    }
    world.settle();
    world.check();
    world.end();
}

impl Hostile {
    fn new(kind: u8) -> Self {
        let mut stack =
            Stack::new(&StackConfig { secret: [kind; 32], max_flows: FLOWS, max_flows_per_endpoint: FLOWS });
        let network = stack.add_network(super::network(MTU));
        let guests = [2, 3].map(|n| {
            let wiring = Wiring::of_guest(n);
            let id = stack.add_endpoint(wiring.endpoint(network, MTU, HostAccess::All)).expect("the address is free");
            (id, wiring)
        });
        let mut io = TestIo::default();
        for (n, (id, _)) in guests.iter().enumerate() {
            let offload = kind >> n & 1 == 1;
            io.device.set_capabilities(*id, if offload { OFFLOAD } else { Capabilities::default() });
        }
        Self { stack, io, clock: VirtualClock::default(), guests, last: None, bindings: Vec::new(), frame: Vec::new() }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let now = self.clock.now();
        match script.byte() % 16 {
            0 => {
                let len = script.below(200);
                self.frame = script.take(len).to_vec();
                self.send(script);
            }
            1 => {
                // Right in front, wrong behind.
                let ethertype = if script.one_in(4) { 0x0806 } else { 0x0800 };
                let len = script.below(200);
                self.frame = self.guests[0].1.ethernet(ethertype, script.take(len));
                self.send(script);
            }
            2..=4 => {
                self.frame = self.segment(script);
                self.send(script);
            }
            5 => {
                let (to, len) = (self.address(script), script.below(3000));
                self.frame = self.wiring(script).udp(script.word() % 4, to, &vec![3; len]);
                self.send(script);
            }
            6 => {
                let (to, len) = (self.address(script), script.below(3000));
                self.frame = self.wiring(script).echo(*to.ip(), script.word() % 4, script.word(), &vec![4; len]);
                self.send(script);
            }
            7 => {
                let wiring = self.wiring(script);
                let mut ip = wiring.header(*self.address(script).ip(), PROTOCOL_UDP);
                ip.id = script.word() % 3;
                ip.more_fragments = script.one_in(2);
                ip.fragment_offset = (script.word() % 80) << 3;
                let len = script.below(40) * 8;
                self.frame = wiring.ipv4(&ip, &vec![5; len]);
                self.send(script);
            }
            8 => {
                for _ in 0..=script.byte() % 4 {
                    let at = script.below(self.frame.len());
                    let with = script.byte();
                    if let Some(byte) = self.frame.get_mut(at) {
                        *byte ^= with;
                    }
                }
                self.send(script);
            }
            9 => self.host_event(script),
            10 => {
                let by = Duration::from_millis(u64::from(script.word()));
                self.clock.advance(by);
                self.stack.on_timeout(&mut self.io, self.clock.now());
            }
            11 => {
                let peer = self.peer(script);
                let guest = self.guests[usize::from(script.byte() & 1)].0;
                if let Some(flow) = self.stack.on_accept(&mut self.io, guest, 80, peer, now) {
                    self.io.uplink.adopt(flow);
                }
            }
            12 => {
                let peer = self.peer(script);
                let known: Vec<_> =
                    self.io.uplink.datagrams.keys().copied().chain(self.bindings.iter().copied()).collect();
                if let Some(&binding) = known.get(script.below(known.len())) {
                    let len = script.below(5000);
                    let size = script.one_in(2).then(|| script.word() % 2000);
                    self.stack.on_datagrams(&mut self.io, binding, peer, &vec![6; len], size, now);
                    self.stack.on_datagram_error(&mut self.io, binding, peer, error(script.byte()));
                }
            }
            13 => {
                let guest = self.guests[usize::from(script.byte() & 1)].0;
                match self.bindings.pop() {
                    Some(binding) if script.one_in(2) => self.stack.unpublish_udp(&mut self.io, binding),
                    kept => {
                        self.bindings.extend(kept);
                        self.bindings.extend(self.stack.publish_udp(guest, script.word() % 4));
                    }
                }
            }
            14 => {
                self.io.device.refuse(usize::from(script.byte() % 4));
                self.io.uplink.initial_room = script.one_in(2).then_some(script.below(5000));
                self.io.uplink.open_error = script.one_in(8).then_some(error(script.byte()));
                self.io.uplink.send_error = script.one_in(8).then_some(error(script.byte()));
                self.io.uplink.connect_error = script.one_in(8).then_some(error(script.byte()));
            }
            _ => self.settle(),
        }
    }

    fn wiring(&self, script: &mut Script<'_>) -> Wiring {
        let (_, mut wiring) = self.guests[0];
        if script.one_in(4) {
            wiring.next_hop = [self.guests[1].1.guest_mac, Mac::BROADCAST][script.below(2)];
        }
        wiring
    }

    fn address(&self, script: &mut Script<'_>) -> SocketAddrV4 {
        let last = self.last.as_ref().map_or(SERVER, |(_, segment)| segment.from);
        [
            SERVER,
            SERVER,
            SocketAddrV4::new(GATEWAY, 53),
            SocketAddrV4::new(GATEWAY, 80),
            SocketAddrV4::new(self.guests[1].1.guest, 80),
            SocketAddrV4::new(Ipv4Addr::LOCALHOST, 80),
            last,
        ][script.below(7)]
    }

    fn peer(&self, script: &mut Script<'_>) -> SocketAddr {
        let port = script.word() % 8;
        match script.byte() % 4 {
            0 => SERVER.into(),
            1 => SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into(),
            2 => SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 9), port).into(),
            _ => self.address(script).into(),
        }
    }

    /// A segment near to what would be right.
    fn segment(&self, script: &mut Script<'_>) -> Vec<u8> {
        const FLAGS: [Flags; 4] = [Flags::ACK, Flags::SYN, Flags::FIN, Flags::RST];
        let mut flags = FLAGS[script.below(4)];
        if script.one_in(2) {
            flags = flags.with(Flags::ACK);
        }
        let near = |script: &mut Script<'_>, seq: Seq| match script.byte() % 8 {
            0 => Seq(script.long()),
            1 => seq.add(u32::from(script.word())),
            2 => seq.add(u32::MAX - u32::from(script.word())),
            _ => seq,
        };
        let (guest, port, to, seq, ack) = match &self.last {
            Some((guest, seen)) if !script.one_in(8) => (*guest, seen.to.port(), seen.from, seen.ack, seen.end()),
            _ => (0, script.word() % 4, self.address(script), Seq(u32::MAX - 100), Seq(0)),
        };
        let options: Vec<u8> = match script.byte() % 4 {
            0 => Options::emit_syn(script.word(), Some(script.byte()), script.one_in(2)).to_vec(),
            1 => {
                let mut sack = vec![1, 1, 5, 10];
                sack.extend(near(script, ack).0.to_be_bytes());
                sack.extend(near(script, ack).0.to_be_bytes());
                sack
            }
            2 => {
                let words = usize::from(script.byte() % 10);
                script.take(words * 4).to_vec()
            }
            _ => Vec::new(),
        };
        let options = &options[..options.len() / 4 * 4];
        let payload = vec![7; script.below(2000)];
        let (seq, ack) = (near(script, seq), near(script, ack));
        let segment =
            TestSegment { from_port: port, to, seq, ack, flags, window: script.word(), options, payload: &payload };
        self.guests[guest].1.tcp(&segment)
    }

    fn send(&mut self, script: &mut Script<'_>) {
        let vnet = Vnet {
            checksum: match script.byte() % 4 {
                0 => Checksum::Valid,
                1 => Checksum::Partial { start: 34, offset: 16 },
                2 => Checksum::Partial { start: script.word(), offset: script.word() },
                _ => Checksum::Complete,
            },
            gso: match script.byte() % 16 {
                // A zero never comes out of `Vnet::parse`.
                0 => Gso::TcpV4 { size: script.word().max(1) },
                1 => Gso::UdpL4 { size: script.word().max(1) },
                2 => Gso::TcpV6 { size: script.word().max(1) },
                _ => Gso::None,
            },
            header_len: script.word(),
        };
        let from =
            self.guests.iter().position(|(_, wiring)| self.frame.get(6..12) == Some(&wiring.guest_mac.0)).unwrap_or(0);
        let now = self.clock.now();
        self.stack.on_frame(&mut self.io, self.guests[from].0, &vnet, &self.frame, now);
    }

    fn host_event(&mut self, script: &mut Script<'_>) {
        let open: Vec<_> = self.io.uplink.streams.iter().filter(|(_, s)| s.is_open()).map(|(&flow, _)| flow).collect();
        let Some(&flow) = open.get(script.below(open.len())) else { return };
        let uplink = &mut self.io.uplink;
        match script.byte() % 8 {
            0..=2 => uplink.connected(flow),
            3 => uplink.feed(flow, &vec![8; script.below(60_000)]),
            4 => uplink.end(flow),
            5 => uplink.add_room(flow, script.below(10_000)),
            6 => uplink.fail(flow, error(script.byte())),
            _ => uplink.fail_silently(flow, error(script.byte())),
        }
    }

    fn settle(&mut self) {
        for _ in 0..10_000 {
            let now = self.clock.now();
            let mut idle = true;
            while let Some((flow, ready)) = self.io.uplink.next_event() {
                self.stack.on_socket(&mut self.io, flow, ready, now);
                idle = false;
            }
            self.stack.flush(&mut self.io, now);
            if idle && !self.stack.has_work() {
                return;
            }
        }
        panic!("the stack never comes to rest");
    }

    /// Looks at what the guests were sent.
    fn check(&mut self) {
        assert!(self.stack.flow_count() <= FLOWS, "more flows than there may be");
        assert!(self.stack.held_bytes() < HELD, "{} bytes held", self.stack.held_bytes());
        while let Some(Frame { endpoint, vnet, bytes }) = self.io.device.pop() {
            let of_the_gateway = bytes.get(6..12) == Some(&GATEWAY_MAC.0);
            if !of_the_gateway {
                continue;
            }
            let guest = usize::from(endpoint == self.guests[1].0);
            let capabilities = self.io.device.capabilities(endpoint);
            assert!(capabilities.vnet || vnet == Vnet::default(), "an open header for a plain device");
            assert!(vnet.gso != Gso::None || bytes.len() <= usize::from(MTU) + 14, "a frame over the MTU");
            if let Some((ip, _)) = parse_ipv4(&bytes) {
                assert_eq!(ip.destination, self.guests[guest].1.guest, "for somebody else");
                if let Some(segment) = parse_tcp(&bytes) {
                    self.last = Some((guest, segment));
                }
            }
        }
    }

    fn end(mut self) {
        let now = self.clock.now();
        for (guest, _) in self.guests {
            self.stack.remove_endpoint(&mut self.io, guest, now);
        }
        assert_eq!((self.stack.flow_count(), self.stack.held_bytes()), (0, 0), "something is left");
        assert!(self.io.uplink.streams.values().all(|stream| !stream.is_open()), "a stream is left open");
        assert!(self.io.uplink.datagrams.values().all(|socket| !socket.open), "a socket is left open");
        while let Some(at) = self.stack.next_timeout() {
            self.clock.advance_to(at);
            self.stack.on_timeout(&mut self.io, self.clock.now());
        }
        assert!(
            self.io.device.is_empty() || self.io.device.drain().iter().all(|frame| frame.bytes[6..12] != GATEWAY_MAC.0)
        );
    }
}

fn error(n: u8) -> UplinkError {
    use UplinkError::{
        Exhausted, HostUnreachable, NetworkUnreachable, NotPermitted, Other, Refused, Reset, TimedOut, TooLarge,
    };
    [Refused, Reset, HostUnreachable, NetworkUnreachable, TimedOut, NotPermitted, Exhausted, TooLarge, Other]
        [usize::from(n % 9)]
}
