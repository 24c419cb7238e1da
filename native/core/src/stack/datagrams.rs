//! UDP and ICMP echo: flows, and the host sockets ("bindings") that they share.
//!
//! One host socket serves a guest's address and port whomever it talks to (RFC 4787 REQ-1). What comes back is let in when the
//! guest has written to that very address and port before (address and port-dependent filtering): stricter than REQ-8
//! asks for, and what people expect of a firewall. A published port's socket lets everybody in.

use super::{Flow, Stack};
use crate::drop::DropReason;
use crate::flow::{BindingId, FlowId, FlowKey, Protocol};
use crate::proto::icmp::{self, Quote};
use crate::proto::{Io, udp};
use crate::route::{self, DNS_PORT, Route};
use crate::switch::{EndpointId, Link};
use crate::time::Instant;
use crate::uplink::{DatagramKind, DatagramPeer, UplinkError};
use crate::wire::icmpv4::{ECHO_REPLY, ECHO_REQUEST, HEADER_LEN, Icmpv4, Unreachable};
use crate::wire::ipv4::{Ipv4, PROTOCOL_ICMP, PROTOCOL_UDP};
use crate::wire::udp::{Udp, Verify};
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

/// A UDP flow ends so long after its last datagram (RFC 4787 REQ-5: at least two minutes).
const UDP_TIMEOUT: Duration = Duration::from_secs(180);
/// Questions to a DNS server have their answer by then, or never (REQ-5 allows less for well-known ports).
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
}

#[derive(Debug)]
pub(super) struct DatagramFlow {
    pub(super) binding: BindingId,
    /// Whom the host's socket writes to.
    to: DatagramPeer,
    pub(super) expires: Instant,
    pub(super) filed: Option<Instant>,
}

fn timeout(key: &FlowKey) -> Duration {
    match key.protocol {
        Protocol::Echo => ECHO_TIMEOUT,
        _ if key.remote_port == DNS_PORT => DNS_TIMEOUT,
        _ => UDP_TIMEOUT,
    }
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
                    io.dns_query(from, SocketAddrV4::new(ip.source, header.source), payload);
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
        if message.kind != ECHO_REQUEST || message.code != 0 {
            return Err(DropReason::IcmpUnhandled);
        }
        let (_, network) = self.switch.resolve(from).ok_or(DropReason::EndpointGone)?;
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
                let id = self.bindings.insert(Binding {
                    endpoint: key.endpoint,
                    protocol: key.protocol,
                    guest_port: key.guest_port,
                    published: false,
                    flows: 0,
                });
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
        self.add_datagram_flow(key, binding, to.into(), now).map(Some).ok_or(DropReason::EndpointGone)
    }

    fn add_datagram_flow(
        &mut self,
        key: FlowKey,
        binding: BindingId,
        to: DatagramPeer,
        now: Instant,
    ) -> Option<FlowId> {
        let expires = now + timeout(&key);
        let id = self.add_flow(key, |_| Flow::Datagram(DatagramFlow { binding, to, expires, filed: None }))?;
        if let Some(binding) = self.bindings.get_mut(binding) {
            binding.flows += 1;
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
        flow.expires = now + timeout(key);
        let (key, to, binding) = (*key, flow.to, flow.binding);
        let Err(error) = io.datagram_send(binding, to, data, segment) else { return Ok(()) };
        self.tell_datagram_error(io, &key, error);
        Err(match error {
            UplinkError::TooLarge => DropReason::DatagramTooLarge,
            _ => DropReason::DatagramNotSent,
        })
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
        if let Err(reason) = self.receive_datagram(io, binding, from.into(), data, now) {
            self.drops.count(reason);
        }
    }

    fn receive_datagram<I: Io>(
        &mut self,
        io: &mut I,
        id: BindingId,
        from: DatagramPeer,
        data: &[u8],
        now: Instant,
    ) -> Result<(), DropReason> {
        let binding = self.bindings.get(id).ok_or(DropReason::EndpointGone)?;
        let (published, guest_port, protocol) = (binding.published, binding.guest_port, binding.protocol);
        let link = self.link(io, binding.endpoint).ok_or(DropReason::EndpointGone)?;
        let key = self.key_of_peer(id, from.address).ok_or(DropReason::EndpointGone)?;
        let flow = match self.flows.find(&key) {
            Some(id) => id,
            None if published && !self.make_room(io, key.endpoint) => return Ok(()),
            None if published => self.add_datagram_flow(key, id, from, now).ok_or(DropReason::EndpointGone)?,
            None => return Err(DropReason::DatagramUnsolicited),
        };
        let Some((_, Flow::Datagram(entry))) = self.flows.get_mut(flow) else {
            return Err(DropReason::DatagramUnsolicited);
        };
        // Two callers on different loopback addresses are seen as one gateway: the first one's flow stands.
        if entry.to.address != from.address && protocol == Protocol::Udp {
            return Err(DropReason::DatagramUnsolicited);
        }
        entry.to.local = from.local;
        entry.expires = now + timeout(&key);
        let delivered = match protocol {
            Protocol::Echo => {
                let (message, body) = Icmpv4::parse(data)?;
                if message.kind != ECHO_REPLY || data.len() < HEADER_LEN {
                    return Err(DropReason::IcmpUnhandled);
                }
                // The socket has an identifier of its own; the guest's is the flow's.
                icmp::echo_reply(io, &link, key.remote, guest_port, message.sequence, body);
                true
            }
            _ => udp::deliver(io, &link, key.remote_address(), guest_port, data),
        };
        if delivered { Ok(()) } else { Err(DropReason::DeviceRefused) }
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

    /// A published UDP port: the engine has bound the socket and keeps it under the id that is returned.
    pub fn publish_udp(&mut self, endpoint: EndpointId, guest_port: u16) -> Option<BindingId> {
        self.switch.endpoint(endpoint)?;
        Some(self.bindings.insert(Binding { endpoint, protocol: Protocol::Udp, guest_port, published: true, flows: 0 }))
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

    pub(super) fn unbind<I: Io>(&mut self, io: &mut I, id: BindingId) {
        let Some(binding) = self.bindings.get_mut(id) else { return };
        binding.flows = binding.flows.saturating_sub(1);
        if binding.flows == 0 && !binding.published {
            self.close_binding(io, id);
        }
    }

    pub(super) fn close_binding<I: Io>(&mut self, io: &mut I, id: BindingId) {
        let Some(binding) = self.bindings.remove(id) else { return };
        if !binding.published {
            self.binding_index.remove(&(binding.endpoint, binding.protocol, binding.guest_port));
        }
        io.datagram_close(id);
    }
}
