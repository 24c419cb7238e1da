//! TCP flows of the stack: found or made, given their events.

use super::{Flow, Stack};
use crate::drop::DropReason;
use crate::flow::{FlowId, FlowKey, Protocol};
use crate::proto::icmp::{self, Quote};
use crate::proto::tcp::gather::Gather;
use crate::proto::tcp::{Addresses, Segment, TcpFlow, reset_reply};
use crate::proto::{Context, Io};
use crate::route::{self, Route};
use crate::switch::{EndpointId, Link};
use crate::time::Instant;
use crate::uplink::{Close, Readiness, Started, Target};
use crate::wire::icmpv4::Unreachable;
use crate::wire::ipv4::{Ipv4, PROTOCOL_TCP};
use crate::wire::tcp::{Flags, Seq, Tcp};
use crate::wire::udp::Verify;
use siphasher::sip::SipHasher13;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;

/// Ports tried for a caller whose own is taken (two callers on different loopback addresses, seen as one gateway).
const CALLER_PORT_ATTEMPTS: u16 = 64;

impl Stack {
    pub(super) fn on_tcp<'a, I: Io>(
        &mut self,
        io: &mut I,
        from: EndpointId,
        ip: &Ipv4,
        (verify, body): (Verify, &'a [u8]),
        now: Instant,
        gather: &mut Gather<'a>,
    ) -> Result<(), DropReason> {
        let (tcp, options, payload) = Tcp::parse(body, verify)?;
        let segment = Segment { tcp, options, payload };
        let key = FlowKey {
            endpoint: from,
            protocol: Protocol::Tcp,
            guest_port: tcp.source,
            remote: ip.destination,
            remote_port: tcp.destination,
        };
        let opens = tcp.flags.has(Flags::SYN) && !tcp.flags.has(Flags::ACK) && !tcp.flags.has(Flags::RST);
        let found = self.flows.find(&key);
        if gather.flow().is_some() && gather.flow() != found {
            self.hand_over(io, now, gather);
        }
        if let Some(id) = found {
            if !(opens && self.gives_way(id)) {
                self.with_tcp(io, id, now, |flow, cx| flow.on_segment(cx, &segment, gather));
                self.mark_dirty(id);
                return Ok(());
            }
            self.remove_flow(io, id);
        }
        let link = self.link(io, from).ok_or(DropReason::EndpointGone)?;
        if !opens {
            let who = Addresses::new(&link, key.guest_port, key.remote, key.remote_port);
            reset_reply(io, &who, &segment);
            return Err(DropReason::TcpNoFlow);
        }
        self.open(io, key, link, &segment, now)
    }

    /// The end of a batch, or of one flow's part of it.
    pub(super) fn hand_over<I: Io>(&mut self, io: &mut I, now: Instant, gather: &mut Gather<'_>) {
        if let Some(flow) = gather.flow() {
            self.with_tcp(io, flow, now, |tcp, cx| tcp.hand_over(cx, gather));
            // Of a flow that is gone nothing may be left for the next one.
            gather.take();
        }
    }

    /// Whether a new connection may take the place of one with the same addresses: one that waits out its time (RFC 9293
    /// §3.10.7.4), or has ended earlier in this batch.
    fn gives_way(&self, id: FlowId) -> bool {
        matches!(self.flows.get(id), Some((_, Flow::Tcp(flow))) if flow.is_time_wait() || flow.is_closed())
    }

    /// A guest's SYN for a new connection.
    fn open<I: Io>(
        &mut self,
        io: &mut I,
        key: FlowKey,
        link: Link,
        segment: &Segment<'_>,
        now: Instant,
    ) -> Result<(), DropReason> {
        let refuse = |io: &mut I, code| {
            let quote = Quote {
                protocol: PROTOCOL_TCP,
                source_port: key.guest_port,
                destination: key.remote,
                destination_port: key.remote_port,
                rest: segment.tcp.seq.0,
            };
            icmp::unreachable(io, &link, code, &quote);
        };
        let target = match route::egress(&self.switch, key.endpoint, key.remote, key.remote_port) {
            Route::Dns => Target::Dns { endpoint: key.endpoint },
            Route::Host(address) => Target::Address(address),
            Route::ClosedPort => {
                let who = Addresses::new(&link, key.guest_port, key.remote, key.remote_port);
                reset_reply(io, &who, segment);
                return Err(DropReason::GatewayPortClosed);
            }
            Route::Unreachable => {
                refuse(io, Unreachable::Host);
                return Err(DropReason::HostUnreachable);
            }
            Route::Prohibited => {
                refuse(io, Unreachable::AdministrativelyProhibited);
                return Err(DropReason::PolicyDenied);
            }
        };
        if !self.make_room(io, key.endpoint) {
            // Counted where it was refused. The guest tries its SYN again.
            return Ok(());
        }
        let iss = self.initial_sequence(&key, now);
        let id = self.add_flow(key, |id| Flow::Tcp(Box::new(TcpFlow::from_guest(id, &key, link, segment, iss, now))));
        let Some(id) = id else { return Ok(()) };
        self.note_half_open(io, key.endpoint, id, now);
        match io.tcp_connect(id, target) {
            Ok(Started::InProgress) => {}
            Ok(Started::Connected) => {
                let ready = Readiness { writable: true, ..Readiness::default() };
                self.with_tcp(io, id, now, |flow, cx| flow.on_socket(cx, ready));
            }
            Err(error) => {
                self.with_tcp(io, id, now, |flow, cx| flow.on_connect_failed(cx, error));
            }
        }
        self.mark_dirty(id);
        Ok(())
    }

    /// A caller of a published port, accepted by the host. The engine keeps the socket under the id that is returned; None means
    /// that it is to be reset.
    pub fn on_accept<I: Io>(
        &mut self,
        io: &mut I,
        endpoint: EndpointId,
        guest_port: u16,
        peer: SocketAddr,
        now: Instant,
    ) -> Option<FlowId> {
        let (_, network) = self.switch.resolve(endpoint)?;
        let seen = route::visible(network, peer);
        let link = self.link(io, endpoint)?;
        let mut key =
            FlowKey { endpoint, protocol: Protocol::Tcp, guest_port, remote: *seen.ip(), remote_port: seen.port() };
        let mut attempts = 0;
        while let Some(taken) = self.flows.find(&key) {
            if self.gives_way(taken) {
                self.remove_flow(io, taken);
                break;
            }
            attempts += 1;
            if attempts > CALLER_PORT_ATTEMPTS {
                self.drops.count(DropReason::FlowTableFull);
                return None;
            }
            // Only the number that the guest sees changes.
            key.remote_port = key.remote_port.wrapping_add(1).max(1024);
        }
        if !self.make_room(io, endpoint) {
            return None;
        }
        let iss = self.initial_sequence(&key, now);
        let id = self.add_flow(key, |id| Flow::Tcp(Box::new(TcpFlow::from_host(id, &key, link, iss, now))))?;
        self.note_half_open(io, endpoint, id, now);
        self.with_tcp(io, id, now, TcpFlow::call);
        self.mark_dirty(id);
        Some(id)
    }

    /// An event of a flow's socket.
    pub fn on_socket<I: Io>(&mut self, io: &mut I, flow: FlowId, ready: Readiness, now: Instant) {
        self.with_tcp(io, flow, now, |tcp, cx| tcp.on_socket(cx, ready));
        self.mark_dirty(flow);
    }

    /// Ends one connection: RST both ways.
    pub fn reset_flow<I: Io>(&mut self, io: &mut I, flow: FlowId, now: Instant) {
        self.with_tcp(io, flow, now, |tcp, cx| tcp.abort(cx, Close::Reset));
        self.mark_dirty(flow);
    }

    /// Runs `work` on a TCP flow with everything that it may touch.
    pub(super) fn with_tcp<I: Io, T>(
        &mut self,
        io: &mut I,
        id: FlowId,
        now: Instant,
        work: impl FnOnce(&mut TcpFlow, &mut Context<'_, I>) -> T,
    ) -> Option<T> {
        let Some((key, Flow::Tcp(flow))) = self.flows.get_mut(id) else { return None };
        self.pool.work_for(key.endpoint);
        let mut cx = Context { io, now, drops: &mut self.drops, pool: &mut self.pool };
        Some(work(flow, &mut cx))
    }

    /// RFC 6528: a keyed hash of the connection plus a clock of four microseconds.
    fn initial_sequence(&self, key: &FlowKey, now: Instant) -> Seq {
        let mut hasher = SipHasher13::new_with_key(&self.secret);
        key.hash(&mut hasher);
        let clock = now.as_micros() / 4;
        let [.., a, b, c, d] = hasher.finish().wrapping_add(clock).to_be_bytes();
        Seq(u32::from_be_bytes([a, b, c, d]))
    }
}
