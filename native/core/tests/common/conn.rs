//! One TCP connection of a guest, driven segment by segment.

use super::{SERVER, World};
use std::net::SocketAddrV4;
use unet_core::testing::frames::{SeenSegment, TestSegment, Wiring, parse_tcp};
use unet_core::wire::tcp::{Flags, Options, Seq};
use unet_core::wire::vnet::Vnet;
use unet_core::{EndpointId, FlowId};

#[derive(Clone, Copy, Debug)]
pub struct Conn {
    pub port: u16,
    pub remote: SocketAddrV4,
    /// Next to send.
    pub seq: Seq,
    /// Next expected.
    pub ack: Seq,
    pub window: u16,
    pub flow: FlowId,
}

/// How the guest's SYN is made.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    pub iss: Seq,
    pub mss: u16,
    pub scale: Option<u8>,
    pub sack: bool,
    pub window: u16,
}

impl Default for Offer {
    fn default() -> Self {
        Self { iss: Seq(1000), mss: 1460, scale: Some(7), sack: true, window: 64_000 }
    }
}

impl Offer {
    pub fn syn(&self, world: &World, port: u16, to: SocketAddrV4) -> Vec<u8> {
        self.syn_from(&world.wiring(), port, to)
    }

    pub fn syn_from(&self, wiring: &Wiring, port: u16, to: SocketAddrV4) -> Vec<u8> {
        let options = Options::emit_syn(self.mss, self.scale, self.sack);
        wiring.tcp(&TestSegment {
            from_port: port,
            to,
            seq: self.iss,
            ack: Seq(0),
            flags: Flags::SYN,
            window: self.window,
            options: &options,
            payload: &[],
        })
    }
}

impl Conn {
    /// A connection outward, all three steps.
    #[track_caller]
    pub fn open(world: &mut World) -> Self {
        Self::open_with(world, 40_000, &Offer::default())
    }

    #[track_caller]
    pub fn open_with(world: &mut World, port: u16, offer: &Offer) -> Self {
        let syn = offer.syn(world, port, SERVER);
        world.send(&syn);
        assert!(world.segments().is_empty(), "no SYN-ACK before the host connection stands");
        let flow = world.io.uplink.last();
        world.io.uplink.connected(flow);
        world.settle();
        let answer = world.segment();
        assert_eq!(answer.flags, Flags::SYN.with(Flags::ACK));
        assert_eq!(answer.ack, offer.iss.add(1));
        let mut conn =
            Self { port, remote: SERVER, seq: offer.iss.add(1), ack: answer.seq.add(1), window: offer.window, flow };
        conn.send(world, Flags::ACK, &[]);
        // Where segments are as large as the window of SYN-ACK the guest is told at once that there is more.
        let update = world.segments();
        assert!(update.is_empty() || world.mtu > 32_000, "an acknowledgement is not acknowledged");
        conn
    }

    /// A connection of a caller of published port 80, all three steps.
    #[track_caller]
    pub fn accept(world: &mut World, peer: SocketAddrV4) -> Self {
        let (guest, now) = (world.guest(), world.now());
        let flow = world.stack.on_accept(&mut world.io, guest, 80, peer.into(), now).expect("a flow");
        world.io.uplink.adopt(flow);
        world.settle();
        let syn = world.segment();
        assert_eq!((syn.flags, syn.to.port()), (Flags::SYN, 80));
        let mut conn = Self { port: 80, remote: syn.from, seq: Seq(5000), ack: syn.seq.add(1), window: 64_000, flow };
        let options = Options::emit_syn(1460, Some(7), true);
        conn.raw(world, conn.seq, Flags::SYN.with(Flags::ACK), &options, &[]);
        world.settle();
        conn.seq = conn.seq.add(1);
        let ack = world.segment();
        assert_eq!((ack.flags, ack.ack), (Flags::ACK, conn.seq));
        conn
    }

    /// The next segment in order; the sequence number moves on.
    pub fn send(&mut self, world: &mut World, flags: Flags, payload: &[u8]) {
        self.queue(world, flags, payload);
        world.settle();
    }

    /// The same, with the answer held back as within a batch.
    pub fn queue(&mut self, world: &mut World, flags: Flags, payload: &[u8]) {
        self.raw(world, self.seq, flags, &[], payload);
        let marks = u32::from(flags.has(Flags::SYN)) + u32::from(flags.has(Flags::FIN));
        self.seq = self.seq.add(u32::try_from(payload.len()).unwrap() + marks);
    }

    /// Any segment at all; nothing moves on.
    pub fn raw(&self, world: &mut World, seq: Seq, flags: Flags, options: &[u8], payload: &[u8]) {
        let frame = world.wiring().tcp(&TestSegment {
            from_port: self.port,
            to: self.remote,
            seq,
            ack: self.ack,
            flags,
            window: self.window,
            options,
            payload,
        });
        world.inject(&frame);
    }

    /// An acknowledgement with SACK blocks.
    pub fn sack(&self, world: &mut World, blocks: &[(Seq, Seq)]) {
        let mut options = vec![1, 1, 5, u8::try_from(2 + blocks.len() * 8).unwrap()];
        for (start, end) in blocks {
            options.extend(start.0.to_be_bytes());
            options.extend(end.0.to_be_bytes());
        }
        self.raw(world, self.seq, Flags::ACK, &options, &[]);
        world.settle();
    }

    /// Takes what the stack sent in order and acknowledges it; gives the payload.
    #[track_caller]
    pub fn receive(&mut self, world: &mut World) -> Vec<u8> {
        let mut out = Vec::new();
        for segment in world.segments() {
            self.take(&segment, &mut out);
        }
        self.send(world, Flags::ACK, &[]);
        out
    }

    /// One segment that must be next in order.
    #[track_caller]
    pub fn take(&mut self, segment: &SeenSegment, out: &mut Vec<u8>) {
        if segment.end() != segment.seq {
            assert_eq!(segment.seq, self.ack, "in order");
        }
        out.extend(&segment.payload);
        if segment.end().after(self.ack) {
            self.ack = segment.end();
        }
    }
}

/// A connection of another guest than the first, all three steps; window and options are the offer's.
pub struct Elsewhere {
    pub guest: EndpointId,
    pub flow: FlowId,
    wiring: Wiring,
    seq: Seq,
    ack: Seq,
}

impl Elsewhere {
    pub const PORT: u16 = 40_000;

    #[track_caller]
    pub fn open(world: &mut World, offer: &Offer) -> Self {
        let guest = world.add_guest();
        let wiring = world.guests.last().unwrap().1;
        world.inject_from(guest, &Vnet::default(), &offer.syn_from(&wiring, Self::PORT, SERVER));
        let flow = world.io.uplink.last();
        world.io.uplink.connected(flow);
        world.settle();
        let answer = parse_tcp(&world.frames().last().unwrap().bytes).unwrap();
        let mut conn = Self { guest, flow, wiring, seq: offer.iss.add(1), ack: answer.seq.add(1) };
        conn.send(world, &[]);
        conn
    }

    pub fn send(&mut self, world: &mut World, payload: &[u8]) {
        let segment = TestSegment {
            from_port: Self::PORT,
            to: SERVER,
            seq: self.seq,
            ack: self.ack,
            flags: Flags::ACK,
            window: 1000,
            options: &[],
            payload,
        };
        world.inject_from(self.guest, &Vnet::default(), &self.wiring.tcp(&segment));
        world.settle();
        self.seq = self.seq.add(u32::try_from(payload.len()).unwrap());
    }
}
