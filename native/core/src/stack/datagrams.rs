//! UDP and ICMP echo: flows, and the host sockets ("bindings") that they share.
//!
//! **Mapping** is endpoint-independent (RFC 4787 REQ-1): one host socket serves a guest's address and port whomever it talks to, so
//! every peer sees the same host port, and what one of them is told by another is true. Hole punching and protocols with many
//! peers rest on it. The port is the kernel's choice: nothing of the guest's is kept in it (REQ-3 does not ask for it).
//!
//! **Filtering** is address-dependent: a peer is let in when the guest has written to its address through the same socket, from
//! whatever port it answers. That is the stricter of the two ways that REQ-8 recommends. The looser one (anybody who finds the port)
//! would open a fenced guest to the whole world for as long as it has a socket, and what needs it (a BitTorrent node that wants to be
//! found) has `--publish`. The strictest one, where the port must match too, fails peers behind NATs that choose a port for
//! each destination (games and calls then need a relay), TFTP, and media servers that answer from a port of their own, and protects
//! from nobody: that host could speak from the right port. Two limits:
//! - Where the guest sees an address that is not the peer's own (the host's loopback, or an address of its subnet, as the gateway), the
//!   port must match: there the address stands for everybody on the machine.
//! - A datagram from another port makes no flow and refreshes none. It costs no place in the table, so nobody can push a guest's
//!   flows out of it from outside, and the guest's answer asks the policy like any new flow.
//!
//! A published port's socket lets everybody in, and what the guest sends from that port on its own account leaves through it.
//!
//! **Timers**: see the constants. Datagrams in either direction refresh a flow (REQ-6). The questions of a flow to a DNS server are
//! counted, and it ends with its last answer ([`crate::proto::dns`]).
//!
//! **Bounds**: a binding that is not published has at least one flow, so a guest's share of the flow table bounds its sockets too.

use super::{Flow, Stack};
use crate::drop::DropReason;
use crate::flow::{BindingId, FlowId, FlowKey, Protocol};
use crate::proto::Io;
use crate::proto::dns::Questions;
use crate::proto::icmp::{self, Quote};
use crate::proto::udp::{self, MAX_PARTS};
use crate::route::{self, DNS_PORT, Route};
use crate::switch::{EndpointId, Link, NetworkId};
use crate::time::Instant;
use crate::uplink::{DatagramKind, DatagramPeer, UplinkError};
use crate::wire::icmpv4::{ECHO_REPLY, ECHO_REQUEST, Icmpv4, UNREACHABLE, Unreachable};
use crate::wire::ipv4::{Ipv4, PROTOCOL_ICMP, PROTOCOL_UDP};
use crate::wire::udp::{Udp, Verify};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

/// A UDP flow ends so long after its last datagram (RFC 4787 REQ-5: two minutes at least, five recommended).
const UDP_TIMEOUT: Duration = Duration::from_secs(300);
/// Questions to a DNS server have their answers by then, or never (REQ-5 allows less for well-known ports).
const DNS_TIMEOUT: Duration = Duration::from_secs(15);
/// An echo flow (RFC 5508 REQ-2: at least 60 s).
const ECHO_TIMEOUT: Duration = Duration::from_secs(60);

/// What an error quotes behind the ports of a UDP datagram: length 8 and no checksum, all that is remembered of it.
const UDP_QUOTE: u32 = 8 << 16;

/// A datagram socket of the host.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) endpoint: EndpointId,
    protocol: Protocol,
    guest_port: u16,
    /// Stands as long as it is published, whatever its flows do.
    published: bool,
    flows: u32,
    /// Addresses of the host's side that its flows lead to, each with their number.
    peers: HashMap<IpAddr, u32>,
}

impl Binding {
    fn new(endpoint: EndpointId, protocol: Protocol, guest_port: u16, published: bool) -> Self {
        Self { endpoint, protocol, guest_port, published, flows: 0, peers: HashMap::new() }
    }
}

#[derive(Debug)]
pub(super) struct DatagramFlow {
    pub(super) binding: BindingId,
    /// Whom the host's socket writes to.
    to: DatagramPeer,
    pub(super) expires: Instant,
    pub(super) filed: Option<Instant>,
    /// Of a flow to a DNS server, as long as it carries nothing else.
    questions: Option<Questions>,
}

impl DatagramFlow {
    fn refresh(&mut self, key: &FlowKey, now: Instant) {
        let timeout = match key.protocol {
            Protocol::Echo => ECHO_TIMEOUT,
            _ if self.questions.is_some() => DNS_TIMEOUT,
            _ => UDP_TIMEOUT,
        };
        self.expires = now + timeout;
    }
}

/// The datagrams that stand behind one another in `data`: of `size` bytes each, the last may be shorter; without a size one.
fn parts(data: &[u8], size: Option<u16>) -> impl Iterator<Item = &[u8]> {
    let size = size.map_or(data.len(), usize::from).max(1);
    // `chunks` gives nothing for an empty datagram.
    let empty = data.is_empty().then_some(data);
    empty.into_iter().chain(data.chunks(size))
}

impl Stack {
    #[allow(clippy::too_many_arguments, reason = "the fields of one packet, used once")]
    pub(super) fn on_udp<I: Io>(
        &mut self,
        io: &mut I,
        from: EndpointId,
        ip: &Ipv4,
        verify: Verify,
        segment: Option<u16>,
        body: &[u8],
        now: Instant,
    ) -> Result<(), DropReason> {
        let (header, payload) = Udp::parse(body, verify)?;
        if segment.is_some_and(|size| payload.len() > usize::from(size) * MAX_PARTS) {
            return Err(DropReason::VnetMalformed);
        }
        // Before all flows: no flow of the guest's may take what answers us.
        if header.source == DNS_PORT
            && self.switch.resolve(from).is_some_and(|(_, network)| network.config.gateway == ip.destination)
            && io.dns_reply(from, header.destination, payload)
        {
            return Ok(());
        }
        let key = FlowKey {
            endpoint: from,
            protocol: Protocol::Udp,
            guest_port: header.source,
            remote: ip.destination,
            remote_port: header.destination,
        };
        let flow = match self.flows.find(&key) {
            Some(id) => id,
            None => match route::egress(&self.switch, from, key.remote, key.remote_port) {
                Route::Dns => {
                    for question in parts(payload, segment) {
                        io.dns_query(from, SocketAddrV4::new(ip.source, header.source), question);
                    }
                    return Ok(());
                }
                route => match self.open_datagram_flow(io, key, route, UDP_QUOTE, now)? {
                    Some(id) => id,
                    None => return Ok(()),
                },
            },
        };
        self.send_datagram(io, flow, payload, segment, now)
    }

    pub(super) fn on_icmp<I: Io>(
        &mut self,
        io: &mut I,
        from: EndpointId,
        ip: &Ipv4,
        body: &[u8],
        now: Instant,
    ) -> Result<(), DropReason> {
        let (message, data) = Icmpv4::parse(body)?;
        let (_, network) = self.switch.resolve(from).ok_or(DropReason::EndpointGone)?;
        if message.kind != ECHO_REQUEST || message.code != 0 {
            let port = closed_dns_port(&message, data, network.config.gateway)
                .filter(|_| ip.destination == network.config.gateway);
            // Nobody serves DNS there: the same as an answer that says nothing.
            let is_news = port.is_some_and(|port| io.dns_reply(from, port, &[]));
            return if is_news { Ok(()) } else { Err(DropReason::IcmpUnhandled) };
        }
        if ip.destination == network.config.gateway {
            let link = self.link(io, from).ok_or(DropReason::EndpointGone)?;
            icmp::echo_reply(io, &link, ip.destination, message.id, message.sequence, data);
            return Ok(());
        }
        let key = FlowKey {
            endpoint: from,
            protocol: Protocol::Echo,
            guest_port: message.id,
            remote: ip.destination,
            remote_port: 0,
        };
        let flow = match self.flows.find(&key) {
            Some(id) => id,
            None => {
                let route = route::egress(&self.switch, from, key.remote, 0);
                match self.open_datagram_flow(io, key, route, u32::from(message.sequence), now)? {
                    Some(id) => id,
                    None => return Ok(()),
                }
            }
        };
        self.send_datagram(io, flow, body, None, now)
    }

    fn open_datagram_flow<I: Io>(
        &mut self,
        io: &mut I,
        key: FlowKey,
        route: Route,
        quoted: u32,
        now: Instant,
    ) -> Result<Option<FlowId>, DropReason> {
        let (code, reason) = match route {
            Route::Host(to) => return self.bind_flow(io, key, to, quoted, now),
            Route::Dns | Route::ClosedPort => (Unreachable::Port, DropReason::GatewayPortClosed),
            Route::Unreachable => (Unreachable::Host, DropReason::HostUnreachable),
            Route::Prohibited => (Unreachable::AdministrativelyProhibited, DropReason::PolicyDenied),
        };
        // Nobody is told about multicast (RFC 1122 §3.2.2).
        if !key.remote.is_multicast() && !key.remote.is_broadcast() {
            self.refuse_datagram(io, &key, code, quoted);
        }
        Err(reason)
    }

    fn bind_flow<I: Io>(
        &mut self,
        io: &mut I,
        key: FlowKey,
        to: SocketAddr,
        quoted: u32,
        now: Instant,
    ) -> Result<Option<FlowId>, DropReason> {
        if !self.make_room(io, key.endpoint) {
            // Counted where it was refused.
            return Ok(None);
        }
        let index = (key.endpoint, key.protocol, key.guest_port);
        let binding = match self.binding_index.get(&index) {
            Some(&id) => id,
            None => {
                let kind = if key.protocol == Protocol::Echo { DatagramKind::Ping } else { DatagramKind::Udp };
                let id = self.bindings.insert(Binding::new(key.endpoint, key.protocol, key.guest_port, false));
                if let Err(error) = io.datagram_open(id, kind) {
                    self.bindings.remove(id);
                    return Err(match error {
                        UplinkError::NotPermitted if kind == DatagramKind::Ping => {
                            self.refuse_datagram(io, &key, Unreachable::AdministrativelyProhibited, quoted);
                            DropReason::PingNotPermitted
                        }
                        _ => DropReason::UplinkExhausted,
                    });
                }
                self.binding_index.insert(index, id);
                id
            }
        };
        let questions = (key.protocol == Protocol::Udp && key.remote_port == DNS_PORT).then(Questions::default);
        self.add_datagram_flow(key, binding, to.into(), questions, now).map(Some).ok_or(DropReason::EndpointGone)
    }

    fn add_datagram_flow(
        &mut self,
        key: FlowKey,
        binding: BindingId,
        to: DatagramPeer,
        questions: Option<Questions>,
        now: Instant,
    ) -> Option<FlowId> {
        let mut flow = DatagramFlow { binding, to, expires: now, filed: None, questions };
        flow.refresh(&key, now);
        let expires = flow.expires;
        let id = self.add_flow(key, |_| Flow::Datagram(flow))?;
        if let Some(binding) = self.bindings.get_mut(binding) {
            binding.flows += 1;
            *binding.peers.entry(to.address.ip()).or_default() += 1;
        }
        self.queue_datagram_flow(key.endpoint, id, expires);
        self.file_timer(id);
        Some(id)
    }

    fn send_datagram<I: Io>(
        &mut self,
        io: &mut I,
        id: FlowId,
        data: &[u8],
        segment: Option<u16>,
        now: Instant,
    ) -> Result<(), DropReason> {
        let Some((key, Flow::Datagram(flow))) = self.flows.get_mut(id) else {
            return Err(DropReason::DatagramNotSent);
        };
        if let Some(questions) = &mut flow.questions
            && !parts(data, segment).all(|part| questions.ask(part))
        {
            flow.questions = None;
        }
        flow.refresh(key, now);
        let (key, to, binding) = (*key, flow.to, flow.binding);
        let Err(error) = io.datagram_send(binding, to, data, segment) else { return Ok(()) };
        self.tell_datagram_error(io, &key, error);
        Err(unsent(error))
    }

    /// A datagram arrived at a host socket.
    pub fn on_datagram<I: Io>(
        &mut self,
        io: &mut I,
        binding: BindingId,
        from: impl Into<DatagramPeer>,
        data: &[u8],
        now: Instant,
    ) {
        self.on_datagrams(io, binding, from, data, None, now);
    }

    /// Datagrams of one sender arrived at a host socket: of `size` bytes each (the last may be shorter), without a size one.
    pub fn on_datagrams<I: Io>(
        &mut self,
        io: &mut I,
        binding: BindingId,
        from: impl Into<DatagramPeer>,
        data: &[u8],
        size: Option<u16>,
        now: Instant,
    ) {
        if let Err(reason) = self.receive_datagrams(io, binding, from.into(), data, size, now) {
            for _ in parts(data, size) {
                self.drops.count(reason);
            }
        }
    }

    fn receive_datagrams<I: Io>(
        &mut self,
        io: &mut I,
        id: BindingId,
        from: DatagramPeer,
        data: &[u8],
        size: Option<u16>,
        now: Instant,
    ) -> Result<(), DropReason> {
        let binding = self.bindings.get(id).ok_or(DropReason::EndpointGone)?;
        let (published, guest_port, protocol) = (binding.published, binding.guest_port, binding.protocol);
        let link = self.link(io, binding.endpoint).ok_or(DropReason::EndpointGone)?;
        let key = self.key_of_peer(id, from.address).ok_or(DropReason::EndpointGone)?;
        let flow = match self.flows.find(&key) {
            Some(id) => Some(id),
            None if published && !self.make_room(io, key.endpoint) => return Ok(()),
            None if published => {
                Some(self.add_datagram_flow(key, id, from, None, now).ok_or(DropReason::EndpointGone)?)
            }
            None if self.may_answer(id, &key, from.address) => None,
            None => return Err(DropReason::DatagramUnsolicited),
        };
        let mut answered = false;
        if let Some(flow) = flow {
            let Some((_, Flow::Datagram(entry))) = self.flows.get_mut(flow) else {
                return Err(DropReason::DatagramUnsolicited);
            };
            // Two callers on different loopback addresses are seen as one gateway: the first one's flow stands.
            if entry.to.address != from.address && protocol == Protocol::Udp {
                return Err(DropReason::DatagramUnsolicited);
            }
            entry.to.local = from.local;
            entry.refresh(&key, now);
            if let Some(questions) = &mut entry.questions {
                answered = parts(data, size).fold(false, |_, part| questions.answer(part));
            }
        }
        let delivered = match protocol {
            // The socket has an identifier of its own; the guest's is the flow's.
            Protocol::Echo => {
                for part in parts(data, size) {
                    match Icmpv4::parse(part) {
                        Ok((message, body)) if message.kind == ECHO_REPLY => {
                            icmp::echo_reply(io, &link, key.remote, guest_port, message.sequence, body);
                        }
                        Ok(_) => self.drops.count(DropReason::IcmpUnhandled),
                        Err(reason) => self.drops.count(reason),
                    }
                }
                true
            }
            _ => match size {
                Some(size) => udp::deliver_all(io, &link, key.remote_address(), guest_port, data, size),
                None => udp::deliver(io, &link, key.remote_address(), guest_port, data),
            },
        };
        if let Some(flow) = flow.filter(|_| answered) {
            self.remove_flow(io, flow);
        }
        if delivered { Ok(()) } else { Err(DropReason::DeviceRefused) }
    }

    /// Whether a peer without a flow may write to the guest: see the head of this file.
    fn may_answer(&self, id: BindingId, key: &FlowKey, peer: SocketAddr) -> bool {
        let Some(binding) = self.bindings.get(id) else { return false };
        binding.protocol == Protocol::Udp && peer.ip() == key.remote && binding.peers.contains_key(&peer.ip())
    }

    /// Datagrams that [`crate::Uplink::datagram_send`] took could not be sent after all.
    pub fn on_datagrams_unsent<I: Io>(
        &mut self,
        io: &mut I,
        binding: BindingId,
        to: SocketAddr,
        error: UplinkError,
        datagrams: usize,
    ) {
        for _ in 0..datagrams {
            self.drops.count(unsent(error));
        }
        self.on_datagram_error(io, binding, to, error);
    }

    /// An error that the host's network sent back for a datagram to `to`.
    pub fn on_datagram_error<I: Io>(&mut self, io: &mut I, binding: BindingId, to: SocketAddr, error: UplinkError) {
        let Some(key) = self.key_of_peer(binding, to) else { return };
        if self.flows.find(&key).is_some() {
            self.tell_datagram_error(io, &key, error);
        }
    }

    fn key_of_peer(&self, id: BindingId, peer: SocketAddr) -> Option<FlowKey> {
        let binding = self.bindings.get(id)?;
        let (_, network) = self.switch.resolve(binding.endpoint)?;
        let seen = route::visible(network, peer);
        let remote_port = if binding.protocol == Protocol::Echo { 0 } else { seen.port() };
        Some(FlowKey {
            endpoint: binding.endpoint,
            protocol: binding.protocol,
            guest_port: binding.guest_port,
            remote: *seen.ip(),
            remote_port,
        })
    }

    fn tell_datagram_error<I: Io>(&self, io: &mut I, key: &FlowKey, error: UplinkError) {
        let code = match error {
            UplinkError::Refused | UplinkError::Reset => Unreachable::Port,
            UplinkError::HostUnreachable => Unreachable::Host,
            UplinkError::NetworkUnreachable => Unreachable::Network,
            UplinkError::NotPermitted => Unreachable::AdministrativelyProhibited,
            _ => return,
        };
        // Of an echo that went out earlier only the identifier is remembered.
        let quoted = if key.protocol == Protocol::Echo { 0 } else { UDP_QUOTE };
        self.refuse_datagram(io, key, code, quoted);
    }

    fn refuse_datagram<I: Io>(&self, io: &mut I, key: &FlowKey, code: Unreachable, quoted: u32) {
        let Some(link) = self.link(io, key.endpoint) else { return };
        let protocol = if key.protocol == Protocol::Echo { PROTOCOL_ICMP } else { PROTOCOL_UDP };
        let quote = Quote {
            protocol,
            source_port: key.guest_port,
            destination: key.remote,
            destination_port: key.remote_port,
            rest: quoted,
        };
        icmp::unreachable(io, &link, code, &quote);
    }

    /// Answers a question that went out by [`crate::Uplink::dns_query`].
    pub fn dns_answer<I: Io>(&mut self, io: &mut I, endpoint: EndpointId, to: SocketAddrV4, message: &[u8]) {
        let Some(link): Option<Link> = self.link(io, endpoint) else { return };
        if !udp::deliver(io, &link, SocketAddrV4::new(link.gateway, DNS_PORT), to.port(), message) {
            self.drops.count(DropReason::DeviceRefused);
        }
    }

    /// Who holds an address of a network.
    #[must_use]
    pub fn endpoint_at(&self, network: NetworkId, address: Ipv4Addr) -> Option<EndpointId> {
        self.switch.network(network)?.by_address(address)
    }

    /// Asks a DNS server that runs in a guest, from this port of the gateway; what the guest sends back to it comes to
    /// [`crate::Uplink::dns_reply`]. False when it could not be sent.
    pub fn ask_guest<I: Io>(&mut self, io: &mut I, endpoint: EndpointId, port: u16, message: &[u8]) -> bool {
        let Some(link) = self.link(io, endpoint) else { return false };
        let sent = udp::deliver(io, &link, SocketAddrV4::new(link.gateway, port), DNS_PORT, message);
        if !sent {
            self.drops.count(DropReason::DeviceRefused);
        }
        sent
    }

    /// A published UDP port: the engine has bound the socket and keeps it under the id that is returned.
    pub fn publish_udp(&mut self, endpoint: EndpointId, guest_port: u16) -> Option<BindingId> {
        self.switch.endpoint(endpoint)?;
        Some(self.bindings.insert(Binding::new(endpoint, Protocol::Udp, guest_port, true)))
    }

    /// What the guest itself sends from a published port leaves through the port's socket, so that its peers see the port that they
    /// know (REQ-1 again). For sockets that reach every destination: those bound to one address do not.
    pub fn send_from_published(&mut self, id: BindingId) {
        let Some(binding) = self.bindings.get(id) else { return };
        // A socket that the guest has used before stays what its peers know.
        self.binding_index.entry((binding.endpoint, binding.protocol, binding.guest_port)).or_insert(id);
    }

    /// Closes a published UDP port and ends its flows.
    pub fn unpublish_udp<I: Io>(&mut self, io: &mut I, binding: BindingId) {
        let flows: Vec<_> = self
            .flows
            .ids()
            .map(|(id, _)| id)
            .filter(|&id| matches!(self.flows.get(id), Some((_, Flow::Datagram(flow))) if flow.binding == binding))
            .collect();
        for flow in flows {
            self.remove_flow(io, flow);
        }
        self.close_binding(io, binding);
    }

    /// The flow has ended: its socket goes with its last one.
    pub(super) fn unbind<I: Io>(&mut self, io: &mut I, flow: &DatagramFlow) {
        let Some(binding) = self.bindings.get_mut(flow.binding) else { return };
        binding.flows = binding.flows.saturating_sub(1);
        if let Entry::Occupied(mut peer) = binding.peers.entry(flow.to.address.ip()) {
            *peer.get_mut() -= 1;
            if *peer.get() == 0 {
                peer.remove();
            }
        }
        if binding.flows == 0 && !binding.published {
            self.close_binding(io, flow.binding);
        }
    }

    pub(super) fn close_binding<I: Io>(&mut self, io: &mut I, id: BindingId) {
        let Some(binding) = self.bindings.remove(id) else { return };
        let index = (binding.endpoint, binding.protocol, binding.guest_port);
        if self.binding_index.get(&index) == Some(&id) {
            self.binding_index.remove(&index);
        }
        io.datagram_close(id);
    }
}

/// The port of the gateway from which port 53 of a guest was asked that its kernel says is closed.
fn closed_dns_port(message: &Icmpv4, quote: &[u8], gateway: Ipv4Addr) -> Option<u16> {
    if message.kind != UNREACHABLE || message.code != Unreachable::Port as u8 {
        return None;
    }
    let (ip, body) = Ipv4::parse(quote).ok()?;
    let (&[high, low], to) = (body.first_chunk::<2>()?, body.get(2..4)?);
    let is_ours = ip.source == gateway && ip.protocol == PROTOCOL_UDP && to == DNS_PORT.to_be_bytes();
    is_ours.then(|| u16::from_be_bytes([high, low]))
}

fn unsent(error: UplinkError) -> DropReason {
    match error {
        UplinkError::TooLarge => DropReason::DatagramTooLarge,
        _ => DropReason::DatagramNotSent,
    }
}
