//! Both sides of a stack that keep nothing, so that what is allocated is the stack's. Guests are frames written in place, sockets are
//! two numbers.

use std::io::IoSliceMut;
use std::net::SocketAddrV4;
use std::time::Duration;
use unet_core::switch::HostAccess;
use unet_core::testing::OFFLOAD;
use unet_core::testing::frames::{TestSegment, Wiring};
use unet_core::testing::network;
use unet_core::time::Instant;
use unet_core::uplink::{Close, DatagramKind, DatagramPeer, Readiness, Received, Started, Target, UplinkError};
use unet_core::wire::tcp::{Flags, Options, Seq};
use unet_core::wire::vnet::Vnet;
use unet_core::{BindingId, Capabilities, Device, EndpointId, FlowId, Stack, StackConfig, Uplink};

use super::SERVER;
use super::world::partial_tcp;

const TCP: usize = 34;

/// What the last frame to a guest said, and how many there were.
#[derive(Debug, Default)]
pub struct Sides {
    pub capabilities: Capabilities,
    pub flow: FlowId,
    pub frames: u64,
    pub seq: u32,
    pub end: u32,
    pub window: u16,
    /// Bytes that the sockets took and gave.
    pub taken: usize,
    pub given: usize,
    /// Bytes that a slow line before the guest has room for.
    pub line: usize,
    /// Bytes that they still will.
    pub room: usize,
    pub available: usize,
}

impl Device for Sides {
    fn capabilities(&self, _: EndpointId) -> Capabilities {
        self.capabilities
    }

    fn transmit(&mut self, _: EndpointId, _: &Vnet, header: &[u8], payload: &[u8]) -> bool {
        let word = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
        let flags = header[TCP + 13];
        self.frames += 1;
        self.seq = word(TCP + 4);
        let marks = u32::from(flags & 2 != 0) + u32::from(flags & 1 != 0);
        self.end = self.seq.wrapping_add(u32::try_from(payload.len()).unwrap() + marks);
        self.window = u16::from_be_bytes([header[TCP + 14], header[TCP + 15]]);
        true
    }

    fn room(&self, _: EndpointId) -> usize {
        self.line
    }
}

impl Uplink for Sides {
    fn tcp_connect(&mut self, flow: FlowId, _: Target) -> Result<Started, UplinkError> {
        self.flow = flow;
        Ok(Started::InProgress)
    }

    fn tcp_send(&mut self, _: FlowId, data: &[u8]) -> Result<usize, UplinkError> {
        let len = data.len().min(self.room);
        self.room -= if self.room == usize::MAX { 0 } else { len };
        self.taken += len;
        Ok(len)
    }

    fn tcp_receive(&mut self, _: FlowId, buffer: &mut [u8]) -> Result<Received, UplinkError> {
        let len = buffer.len().min(self.available);
        self.available -= len;
        self.given += len;
        Ok(if len > 0 { Received::Data(len) } else { Received::Empty })
    }

    fn tcp_receive_many(&mut self, _: FlowId, buffers: &mut [IoSliceMut<'_>]) -> Result<Received, UplinkError> {
        let len = buffers.iter().map(|buffer| buffer.len()).sum::<usize>().min(self.available);
        self.available -= len;
        self.given += len;
        Ok(if len > 0 { Received::Data(len) } else { Received::Empty })
    }

    fn tcp_shutdown(&mut self, _: FlowId) {}

    fn tcp_close(&mut self, _: FlowId, _: Close) {}

    fn datagram_open(&mut self, _: BindingId, _: DatagramKind) -> Result<(), UplinkError> {
        Err(UplinkError::Other)
    }

    fn datagram_send(&mut self, _: BindingId, _: DatagramPeer, _: &[u8], _: Option<u16>) -> Result<(), UplinkError> {
        Err(UplinkError::Other)
    }

    fn datagram_close(&mut self, _: BindingId) {}

    fn dns_query(&mut self, _: EndpointId, _: SocketAddrV4, _: &[u8]) {}

    fn dns_reply(&mut self, _: EndpointId, _: u16, _: &[u8]) -> bool {
        false
    }
}

/// One connection of the guest.
#[derive(Clone, Copy, Debug)]
pub struct LeanConn {
    pub port: u16,
    pub flow: FlowId,
    pub seq: u32,
    pub ack: u32,
}

/// A stack between two sides that keep nothing.
pub struct Lean {
    pub stack: Stack,
    pub sides: Sides,
    pub now: Instant,
    guest: EndpointId,
    syn: Vec<u8>,
    /// A frame with as much payload as one can have; shorter ones are cut from it.
    full: Vec<u8>,
}

impl Lean {
    pub fn new(max_flows: usize) -> Self {
        let config = StackConfig { secret: [7; 32], max_flows, max_flows_per_endpoint: max_flows };
        let mut stack = Stack::new(&config);
        let network = stack.add_network(network(1500));
        let wiring = Wiring::of_guest(2);
        let guest = stack.add_endpoint(wiring.endpoint(network, 1500, HostAccess::None)).expect("the address is free");
        let segment = |flags, options: &[u8], payload: &[u8]| {
            wiring.tcp(&TestSegment {
                from_port: 0,
                to: SERVER,
                seq: Seq(1000),
                ack: Seq(0),
                flags,
                window: 60_000,
                options,
                payload,
            })
        };
        let offer = Options::emit_syn(1460, Some(7), true);
        let syn = segment(Flags::SYN, &offer, &[]);
        let full = segment(Flags::ACK, &[], &[7; 65_000]);
        let sides = Sides { capabilities: OFFLOAD, room: usize::MAX, line: usize::MAX, ..Sides::default() };
        Self { stack, sides, now: Instant::from_micros(1_000_000), guest, syn, full }
    }

    fn give(&mut self, is_syn: bool, len: usize, conn: &LeanConn, flags: Flags) {
        let Self { stack, sides, now, guest, syn, full } = self;
        let frame = if is_syn { &mut syn[..] } else { &mut full[..TCP + 20 + len] };
        frame[TCP..TCP + 2].copy_from_slice(&conn.port.to_be_bytes());
        frame[TCP + 4..TCP + 8].copy_from_slice(&conn.seq.to_be_bytes());
        frame[TCP + 8..TCP + 12].copy_from_slice(&conn.ack.to_be_bytes());
        frame[TCP + 13] = flags.0;
        let total = u16::try_from(frame.len() - 14).unwrap();
        frame[16..18].copy_from_slice(&total.to_be_bytes());
        frame[24..26].copy_from_slice(&[0; 2]);
        let sum: u32 = (14..34).step_by(2).map(|at| u32::from(u16::from_be_bytes([frame[at], frame[at + 1]]))).sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        let folded = u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap();
        frame[24..26].copy_from_slice(&(!folded).to_be_bytes());
        stack.on_frame(sides, *guest, &partial_tcp(), frame, *now);
    }

    pub fn flush(&mut self) {
        loop {
            self.stack.flush(&mut self.sides, self.now);
            if !self.stack.has_work() {
                return;
            }
        }
    }

    pub fn event(&mut self, conn: &LeanConn, readable: bool, writable: bool) {
        let ready = Readiness { readable, writable, ..Readiness::default() };
        self.stack.on_socket(&mut self.sides, conn.flow, ready, self.now);
    }

    /// Lets time pass, with what is due.
    pub fn pass(&mut self, by: Duration) {
        let until = self.now + by;
        while let Some(at) = self.stack.next_timeout().filter(|&at| at <= until) {
            self.now = self.now.max(at);
            self.stack.on_timeout(&mut self.sides, self.now);
        }
        self.now = until;
    }

    pub fn open(&mut self, port: u16) -> LeanConn {
        let mut conn = LeanConn { port, flow: FlowId::default(), seq: 1000, ack: 0 };
        self.give(true, 0, &conn, Flags::SYN);
        conn.flow = self.sides.flow;
        self.event(&conn, false, true);
        self.flush();
        conn.seq += 1;
        conn.ack = self.sides.end;
        self.send(&mut conn, 0, Flags::ACK);
        conn
    }

    /// A segment with so many bytes; the stack is flushed.
    pub fn send(&mut self, conn: &mut LeanConn, len: usize, flags: Flags) {
        self.give(false, len, conn, flags);
        conn.seq = conn.seq.wrapping_add(u32::try_from(len).unwrap() + u32::from(flags.has(Flags::FIN)));
        self.flush();
    }

    /// Acknowledges what the guest was sent last.
    pub fn acknowledge(&mut self, conn: &mut LeanConn) {
        conn.ack = self.sides.end;
        self.send(conn, 0, Flags::ACK);
    }
}
