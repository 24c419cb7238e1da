//! One connection between a model guest, which is as clumsy as TCP allows, and a scripted host. Segments overlap, repeat, come late
//! or never; windows open and shut; sockets take what they like. The bytes must come out as they went in, both ways, and when
//! both ends cooperate again the connection must come to its end.

use super::frames::{SeenSegment, TestSegment, Wiring, parse_tcp};
use super::{OFFLOAD, Script, TestIo, VirtualClock};
use crate::device::Capabilities;
use crate::flow::FlowId;
use crate::stack::{Stack, StackConfig};
use crate::switch::{EndpointId, HostAccess};
use crate::wire::tcp::{Flags, Options, Seq};
use crate::wire::vnet::{Checksum, Vnet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 7), 80);
const PORT: u16 = 40_000;
const SCALE: u8 = 7;
/// Rounds in which both ends cooperate: what is not through by then never will be.
const ROUNDS: usize = 3000;

struct Model {
    stack: Stack,
    io: TestIo,
    clock: VirtualClock,
    guest: EndpointId,
    wiring: Wiring,
    flow: FlowId,
    /// Frames on their way to the guest.
    wire: Vec<SeenSegment>,
    iss: Seq,
    irs: Seq,
    sack: bool,
    scaled: bool,
    /// Guest to host: the stream, how much of it is acknowledged, how much may be sent.
    up: Vec<u8>,
    acknowledged: usize,
    allowed: usize,
    fin_acknowledged: bool,
    /// Host to guest: the stream, which bytes of it have arrived, how many in order.
    down: Vec<u8>,
    fed: usize,
    ended: bool,
    arrived: Vec<bool>,
    in_order: usize,
    fin_at: Option<usize>,
    window: u32,
    /// Frames that are to be given together.
    batch: Option<Vec<Vec<u8>>>,
}

/// Runs a script.
///
/// # Panics
/// When bytes are lost, repeated or changed, or the connection does not come to its end.
pub fn model(input: &[u8]) {
    let mut script = Script::new(input);
    let mut model = Model::open(&mut script);
    while !script.is_over() {
        model.step(&mut script);
        model.check();
    }
    model.finish();
}

fn pattern(len: usize, salt: u8) -> Vec<u8> {
    (0..len).map(|n| u8::try_from(((n * 31) ^ ((n >> 8) * 7)) & 0xff).unwrap_or(0) ^ salt).collect()
}

fn long(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Model {
    fn open(script: &mut Script<'_>) -> Self {
        let kind = script.byte();
        let mut stack =
            Stack::new(&StackConfig { secret: [script.byte(); 32], max_flows: 4, max_flows_per_endpoint: 4 });
        let network = stack.add_network(super::network(1500));
        let wiring = Wiring::of_guest(2);
        let guest = stack.add_endpoint(wiring.endpoint(network, 1500, HostAccess::None)).expect("the address is free");
        let mut io = TestIo::default();
        io.device.set_default_capabilities(if kind & 1 == 0 { OFFLOAD } else { Capabilities::default() });
        // Near to the end of the numbers in half of the runs.
        let iss = Seq(if kind & 8 == 0 { u32::MAX - u32::from(script.word()) } else { script.long() });
        let (up, down) = (script.below(30_000), script.below(60_000));
        let mut model = Self {
            stack,
            io,
            clock: VirtualClock::default(),
            guest,
            wiring,
            flow: FlowId::default(),
            wire: Vec::new(),
            iss,
            irs: Seq(0),
            sack: kind & 2 == 0,
            scaled: kind & 4 == 0,
            up: pattern(up, 1),
            acknowledged: 0,
            allowed: 0,
            fin_acknowledged: false,
            down: pattern(down, 2),
            fed: 0,
            ended: false,
            arrived: vec![false; down],
            in_order: 0,
            fin_at: None,
            window: 60_000,
            batch: None,
        };
        model.handshake();
        model
    }

    fn handshake(&mut self) {
        let options = Options::emit_syn(1460, self.scaled.then_some(SCALE), self.sack);
        self.emit(self.iss, Seq(0), Flags::SYN, &options, &[]);
        self.flow = self.io.uplink.last();
        self.io.uplink.connected(self.flow);
        self.settle();
        let answer = self.wire.pop().expect("SYN-ACK");
        self.irs = answer.seq;
        self.allowed = usize::from(answer.window);
        self.acknowledge(false);
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match script.byte() % 16 {
            0..=2 => self.send_some(script),
            3 => self.send_batch(script),
            4 | 5 => self.settle(),
            6 | 7 => {
                let n = script.below(self.wire.len());
                if !self.wire.is_empty() {
                    let segment = self.wire.remove(n);
                    self.take(&segment);
                    if script.one_in(8) {
                        self.wire.push(segment);
                    }
                }
            }
            8 => {
                for segment in std::mem::take(&mut self.wire) {
                    self.take(&segment);
                }
            }
            9 => {
                // Lost.
                let n = script.below(self.wire.len());
                if !self.wire.is_empty() {
                    self.wire.remove(n);
                }
            }
            10 => {
                self.window = match script.byte() % 4 {
                    0 => 0,
                    1 => u32::from(script.word()),
                    _ => 60_000,
                };
                self.acknowledge(script.one_in(2));
            }
            11 => self.acknowledge(true),
            12 => {
                let by = Duration::from_micros(u64::from(script.word()) * 10);
                self.clock.advance(by);
                self.stack.on_timeout(&mut self.io, self.clock.now());
            }
            13 => self.feed(script.below(20_000), script.one_in(4)),
            14 => {
                if self.io.uplink.stream(self.flow).is_open() {
                    let room = script.below(5000);
                    self.io.uplink.stream_mut(self.flow).room = room.min(self.io.uplink.stream(self.flow).room);
                    self.io.uplink.add_room(self.flow, script.below(5000));
                }
            }
            _ => self.nonsense(script),
        }
    }

    /// Any part of the stream that the window lets through, whether it was sent before or not.
    fn send_some(&mut self, script: &mut Script<'_>) {
        let from = self.acknowledged.saturating_sub(script.below(3000)) + script.below(6000);
        let to = (from + script.below(4000)).min(self.allowed).min(self.up.len());
        if from <= to {
            self.send(from, to, script.one_in(2));
        }
    }

    /// Frames that come together: mostly what follows each other, with anything else among it.
    fn send_batch(&mut self, script: &mut Script<'_>) {
        self.batch = Some(Vec::new());
        let mut from = self.acknowledged;
        for _ in 0..=script.below(12) {
            match script.byte() % 8 {
                0 => self.send_some(script),
                1 => self.nonsense(script),
                2 => self.acknowledge(true),
                _ => {
                    let to = (from + script.below(1500)).min(self.allowed).min(self.up.len());
                    if from <= to {
                        self.send(from, to, script.one_in(4));
                        from = to;
                    }
                }
            }
        }
        let frames = self.batch.take().unwrap_or_default();
        let now = self.clock.now();
        self.stack.on_frames(&mut self.io, self.guest, false, frames.iter().map(Vec::as_slice), now);
    }

    /// With FIN only where the stream ends and the window has room for it.
    fn send(&mut self, from: usize, to: usize, fin: bool) {
        let flags = if fin && to == self.up.len() { Flags::ACK.with(Flags::FIN) } else { Flags::ACK };
        let payload = self.up[from..to].to_vec();
        let seq = self.iss.add(1 + long(from));
        self.emit(seq, self.next(), flags, &[], &payload);
    }

    /// What a connection must not mind.
    fn nonsense(&mut self, script: &mut Script<'_>) {
        let own = self.iss.add(1 + long(self.acknowledged));
        let far = own.add(0x2000_0000 + script.long() % 0x4000_0000);
        match script.byte() % 5 {
            0 => self.emit(far, self.next(), Flags::RST, &[], &[]),
            // In TIME-WAIT it would be a new connection.
            1 if self.io.uplink.stream(self.flow).is_open() => self.emit(own, self.next(), Flags::SYN, &[], &[]),
            2 => self.emit(far, self.next(), Flags::ACK, &[], &[9; 100]),
            3 => self.emit(own, self.next().add(0x2000_0000), Flags::ACK, &[], &[9; 100]),
            _ => self.emit(own, self.next(), Flags::default(), &[], &[9; 100]),
        }
    }

    /// The next sequence number that the guest expects.
    fn next(&self) -> Seq {
        let fin = self.fin_at.is_some_and(|at| at == self.in_order);
        self.irs.add(1 + long(self.in_order) + u32::from(fin))
    }

    fn acknowledge(&mut self, with_sack: bool) {
        let mut options = Vec::new();
        if with_sack && self.sack {
            // The first island behind the gap.
            let start = (self.in_order..self.arrived.len()).find(|&n| self.arrived[n]);
            if let Some(start) = start {
                let end = (start..self.arrived.len()).find(|&n| !self.arrived[n]).unwrap_or(self.arrived.len());
                options.extend([1, 1, 5, 10]);
                options.extend(self.irs.add(1 + long(start)).0.to_be_bytes());
                options.extend(self.irs.add(1 + long(end)).0.to_be_bytes());
            }
        }
        // The guest's own numbers never go back: what it sent last counts, and that is within what it may.
        let seq = self.iss.add(1 + long(self.acknowledged) + u32::from(self.fin_acknowledged));
        self.emit(seq, self.next(), Flags::ACK, &options, &[]);
    }

    fn emit(&mut self, seq: Seq, ack: Seq, flags: Flags, options: &[u8], payload: &[u8]) {
        let syn = flags.has(Flags::SYN);
        let window = if self.scaled && !syn { self.window >> SCALE } else { self.window };
        let window = u16::try_from(window).unwrap_or(u16::MAX);
        let segment = TestSegment { from_port: PORT, to: SERVER, seq, ack, flags, window, options, payload };
        let frame = self.wiring.tcp(&segment);
        if let Some(batch) = &mut self.batch {
            batch.push(frame);
            return;
        }
        let vnet = Vnet { checksum: Checksum::Complete, ..Vnet::default() };
        self.stack.on_frame(&mut self.io, self.guest, &vnet, &frame, self.clock.now());
    }

    fn feed(&mut self, len: usize, end: bool) {
        if !self.io.uplink.stream(self.flow).is_open() || self.ended {
            return;
        }
        let to = (self.fed + len).min(self.down.len());
        if to > self.fed {
            self.io.uplink.feed(self.flow, &self.down[self.fed..to]);
            self.fed = to;
        }
        if end && self.fed == self.down.len() {
            self.ended = true;
            self.io.uplink.end(self.flow);
        }
    }

    /// A segment reaches the guest.
    fn take(&mut self, segment: &SeenSegment) {
        assert!(!segment.has(Flags::RST) || self.stack.flow_count() == 0, "nobody has reset anything");
        if segment.has(Flags::SYN) || segment.has(Flags::RST) {
            return;
        }
        let at = i64::from(segment.seq.minus(self.irs)) - 1;
        let from = usize::try_from(at.max(0)).unwrap_or(0);
        if !segment.payload.is_empty() {
            assert!(at >= 0, "payload before the stream");
            let to = from + segment.payload.len();
            assert!(to <= self.fed, "bytes that nobody sent");
            assert!(segment.payload == self.down[from..to], "bytes changed between {from} and {to}");
            self.arrived[from..to].fill(true);
        }
        if segment.has(Flags::FIN) {
            assert!(self.ended && from + segment.payload.len() == self.down.len(), "FIN in the middle of the stream");
            self.fin_at = Some(self.down.len());
        }
        while self.arrived.get(self.in_order) == Some(&true) {
            self.in_order += 1;
        }
        if segment.has(Flags::ACK) {
            let ack = usize::try_from(segment.ack.distance_from(self.iss.add(1))).unwrap_or(usize::MAX);
            assert!(ack <= self.up.len() + 1, "bytes acknowledged that were never sent");
            self.fin_acknowledged |= ack == self.up.len() + 1;
            self.acknowledged = self.acknowledged.max(ack.min(self.up.len()));
            let scale = if self.scaled { 6 } else { 0 };
            self.allowed = self.allowed.max(ack + (usize::from(segment.window) << scale));
        }
    }

    fn settle(&mut self) {
        let now = self.clock.now();
        for _ in 0..10_000 {
            let mut idle = true;
            while let Some((flow, ready)) = self.io.uplink.next_event() {
                self.stack.on_socket(&mut self.io, flow, ready, now);
                idle = false;
            }
            self.stack.flush(&mut self.io, now);
            if idle && !self.stack.has_work() {
                self.collect();
                return;
            }
        }
        panic!("the stack never comes to rest");
    }

    fn collect(&mut self) {
        while let Some(frame) = self.io.device.pop() {
            self.wire.extend(parse_tcp(&frame.bytes));
        }
    }

    fn check(&mut self) {
        self.collect();
        let sent = &self.io.uplink.stream(self.flow).sent;
        assert!(self.up.starts_with(sent), "the host got {} bytes that are not what the guest sent", sent.len());
        let stream = self.io.uplink.stream(self.flow);
        assert!(stream.is_open() || (stream.shut && self.has_all()), "closed in the middle");
    }

    /// FIN of the host and everything before it have arrived.
    fn has_all(&self) -> bool {
        self.fin_at == Some(self.in_order)
    }

    /// Both ends do their best.
    fn finish(mut self) {
        self.window = 60_000;
        self.settle();
        for _ in 0..ROUNDS {
            if self.io.uplink.stream(self.flow).is_open() {
                self.feed(usize::MAX / 2, true);
                self.io.uplink.stream_mut(self.flow).room = usize::MAX;
                self.io.uplink.add_room(self.flow, 1);
            }
            self.settle();
            for segment in std::mem::take(&mut self.wire) {
                self.take(&segment);
            }
            if self.stack.flow_count() > 0 {
                let to = self.allowed.min(self.up.len()).min(self.acknowledged + 1460);
                if self.fin_acknowledged {
                    self.acknowledge(true);
                } else {
                    self.send(self.acknowledged, to.max(self.acknowledged), true);
                }
            }
            self.settle();
            self.check();
            if self.stack.flow_count() == 0 {
                break;
            }
            self.clock.advance(Duration::from_millis(50));
            self.stack.on_timeout(&mut self.io, self.clock.now());
        }
        let stream = self.io.uplink.stream(self.flow);
        assert!(stream.sent == self.up, "the host got {} of {} bytes", stream.sent.len(), self.up.len());
        assert_eq!(self.in_order, self.down.len(), "bytes that the guest got");
        assert!(stream.shut && !stream.is_open(), "the host's connection was not finished");
        assert_eq!((self.stack.flow_count(), self.stack.held_bytes()), (0, 0), "something is left");
    }
}
