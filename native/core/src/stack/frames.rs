//! Frames from guests: sorted by who they are for, checked once, handed on.

use super::Stack;
use crate::device::{Capabilities, Device};
use crate::drop::DropReason;
use crate::proto::segment::transmit_foreign;
use crate::proto::tcp::gather::Gather;
use crate::proto::{Io, arp};
use crate::switch::{EndpointId, Network};
use crate::time::Instant;
use crate::wire::arp::Arp;
use crate::wire::ethernet::{ETHERTYPE_ARP, ETHERTYPE_IPV4, Ethernet, Mac};
use crate::wire::ipv4::{Ipv4, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP};
use crate::wire::udp::Verify;
use crate::wire::vnet::{Checksum, Gso, Vnet};

impl Stack {
    /// One frame (or super-frame) from a guest. Answers may be held back until [`Stack::flush`].
    pub fn on_frame<I: Io>(&mut self, io: &mut I, from: EndpointId, vnet: &Vnet, frame: &[u8], now: Instant) {
        let mut gather = Gather::default();
        self.on_frame_of_batch(io, from, vnet, frame, now, &mut gather);
        self.hand_over(io, now, &mut gather);
    }

    /// Frames of one guest that came together, as its device gave them: with a virtio-net header in front if it is one that has them.
    /// What they carry for one connection goes into its socket by one call.
    pub fn on_frames<'a, I: Io>(
        &mut self,
        io: &mut I,
        from: EndpointId,
        has_header: bool,
        frames: impl Iterator<Item = &'a [u8]>,
        now: Instant,
    ) {
        let mut gather = Gather::default();
        for bytes in frames {
            match Vnet::split(has_header, bytes) {
                Ok((vnet, frame)) => self.on_frame_of_batch(io, from, &vnet, frame, now, &mut gather),
                Err(reason) => self.drops.count(reason),
            }
        }
        self.hand_over(io, now, &mut gather);
    }

    fn on_frame_of_batch<'a, I: Io>(
        &mut self,
        io: &mut I,
        from: EndpointId,
        vnet: &Vnet,
        frame: &'a [u8],
        now: Instant,
        gather: &mut Gather<'a>,
    ) {
        if let Some(endpoint) = self.switch.endpoint_mut(from) {
            endpoint.stats.tx_frames += 1;
            endpoint.stats.tx_bytes += frame.len() as u64;
        }
        if let Err(reason) = self.sort(io, from, vnet, frame, now, gather) {
            self.drops.count(reason);
        }
    }

    fn sort<'a, I: Io>(
        &mut self,
        io: &mut I,
        from: EndpointId,
        vnet: &Vnet,
        frame: &'a [u8],
        now: Instant,
        gather: &mut Gather<'a>,
    ) -> Result<(), DropReason> {
        let (ethernet, payload) = Ethernet::parse(frame)?;
        let (endpoint, network) = self.switch.resolve(from).ok_or(DropReason::EndpointGone)?;
        if ethernet.source != endpoint.config.mac {
            return Err(DropReason::SourceMacSpoofed);
        }
        let address = endpoint.config.address;
        match ethernet.ethertype {
            ETHERTYPE_ARP => {
                let request = Arp::parse(payload)?;
                let is_own = request.sender == address || request.sender.is_unspecified();
                if request.sender_mac != endpoint.config.mac || !is_own {
                    return Err(DropReason::SourceAddressSpoofed);
                }
                if arp::answer(io, from, network, &request) {
                    return Ok(());
                }
                forward(io, network, from, ethernet.destination, vnet, frame)
            }
            ETHERTYPE_IPV4 => {
                let (ip, body) = Ipv4::parse(payload)?;
                if ip.source != address {
                    return Err(DropReason::SourceAddressSpoofed);
                }
                if ethernet.destination != network.config.gateway_mac {
                    return forward(io, network, from, ethernet.destination, vnet, frame);
                }
                if ip.destination.is_broadcast() || ip.destination == network.broadcast() {
                    return Err(DropReason::MulticastUnhandled);
                }
                self.on_ipv4(io, from, &ip, (vnet, body), now, gather)
            }
            _ => Err(DropReason::EtherTypeUnknown),
        }
    }

    fn on_ipv4<'a, I: Io>(
        &mut self,
        io: &mut I,
        from: EndpointId,
        ip: &Ipv4,
        (vnet, body): (&Vnet, &'a [u8]),
        now: Instant,
        gather: &mut Gather<'a>,
    ) -> Result<(), DropReason> {
        if !ip.is_fragment() {
            return self.on_transport(io, from, ip, (vnet, body), now, gather);
        }
        let Some(whole) = self.fragments.add(from, ip, body, now)? else { return Ok(()) };
        // Put together here, so it lives no longer than this call: a batch of its own.
        self.hand_over(io, now, gather);
        let mut gather = Gather::default();
        let result = self.on_transport(io, from, ip, (&Vnet::default(), &whole), now, &mut gather);
        self.hand_over(io, now, &mut gather);
        result
    }

    fn on_transport<'a, I: Io>(
        &mut self,
        io: &mut I,
        from: EndpointId,
        ip: &Ipv4,
        (vnet, body): (&Vnet, &'a [u8]),
        now: Instant,
        gather: &mut Gather<'a>,
    ) -> Result<(), DropReason> {
        // A partial checksum is the mark of data that never left this machine: there is nothing to verify.
        let verify = match vnet.checksum {
            Checksum::Complete => Verify::Checksum(ip.pseudo(body.len())),
            Checksum::Partial { .. } | Checksum::Valid => Verify::Trusted,
        };
        match ip.protocol {
            PROTOCOL_TCP => self.on_tcp(io, from, ip, (verify, body), now, gather),
            PROTOCOL_UDP => {
                let segment = if let Gso::UdpL4 { size } = vnet.gso { Some(size) } else { None };
                self.on_udp(io, from, ip, verify, segment, body, now)
            }
            PROTOCOL_ICMP => self.on_icmp(io, from, ip, body, now),
            _ => Err(DropReason::ProtocolUnknown),
        }
    }
}

/// The switch: to one other endpoint, or to all of them.
fn forward<I: Io>(
    io: &mut I,
    network: &Network,
    from: EndpointId,
    to: Mac,
    vnet: &Vnet,
    frame: &[u8],
) -> Result<(), DropReason> {
    if to.is_group() {
        for other in network.members().filter(|&other| other != from) {
            pass(io, from, other, vnet, frame);
        }
        return Ok(());
    }
    let other = network.by_mac(to).ok_or(DropReason::DestinationMacUnknown)?;
    if pass(io, from, other, vnet, frame) { Ok(()) } else { Err(DropReason::DeviceRefused) }
}

/// As it came, where the receiver can take it so; cut and summed where not.
fn pass<I: Io>(io: &mut I, from: EndpointId, to: EndpointId, vnet: &Vnet, frame: &[u8]) -> bool {
    let capabilities = io.capabilities(to);
    let takes = capabilities.vnet
        && match vnet.gso {
            Gso::None => true,
            Gso::TcpV4 { .. } => capabilities.tso4,
            Gso::TcpV6 { .. } => capabilities.tso6,
            Gso::UdpL4 { .. } => capabilities.uso,
        };
    if takes {
        io.forward(from, to, vnet, frame, &[])
    } else {
        transmit_foreign(&mut Forwarding { device: io, from }, to, vnet, frame)
    }
}

/// What is written to it was written by a guest.
struct Forwarding<'a, D> {
    device: &'a mut D,
    from: EndpointId,
}

impl<D: Device> Device for Forwarding<'_, D> {
    fn capabilities(&self, endpoint: EndpointId) -> Capabilities {
        self.device.capabilities(endpoint)
    }

    fn transmit(&mut self, endpoint: EndpointId, vnet: &Vnet, header: &[u8], payload: &[u8]) -> bool {
        self.device.forward(self.from, endpoint, vnet, header, payload)
    }
}
