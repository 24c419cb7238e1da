//! UDP and other datagrams towards the guest, in fragments where the interface's MTU asks for it.

use super::tcp::TTL;
use crate::device::Device;
use crate::switch::Link;
use crate::wire::ethernet::{self, ETHERTYPE_IPV4, Ethernet};
use crate::wire::ipv4::{self, Ipv4, PROTOCOL_UDP};
use crate::wire::udp::{self, Udp};
use crate::wire::vnet::{Checksum, Vnet};
use std::net::SocketAddrV4;

/// The largest payload of a UDP datagram over IPv4.
pub(crate) const MAX_PAYLOAD: usize = ipv4::MAX_LEN - ipv4::HEADER_LEN - udp::HEADER_LEN;

/// One datagram to the guest's `port`. False when it is too large for IPv4 or the device refused it.
pub(crate) fn deliver<D: Device>(device: &mut D, link: &Link, from: SocketAddrV4, port: u16, data: &[u8]) -> bool {
    if data.len() > MAX_PAYLOAD {
        return false;
    }
    let ip = Ipv4 {
        source: *from.ip(),
        destination: link.guest,
        protocol: PROTOCOL_UDP,
        ttl: TTL,
        tos: 0,
        id: 0,
        dont_fragment: false,
        more_fragments: false,
        fragment_offset: 0,
    };
    let header = Udp { source: from.port(), destination: port };
    let udp_len = udp::HEADER_LEN + data.len();
    let pseudo = ip.pseudo(udp_len);
    if link.capabilities.vnet && ipv4::HEADER_LEN + udp_len <= usize::from(link.mtu) {
        let at = ethernet::HEADER_LEN + ipv4::HEADER_LEN;
        let mut headers = [0; ethernet::HEADER_LEN + ipv4::HEADER_LEN + udp::HEADER_LEN];
        headers[..ethernet::HEADER_LEN].copy_from_slice(&ethernet_header(link));
        headers[ethernet::HEADER_LEN..at].copy_from_slice(&ip.emit(udp_len));
        headers[at..].copy_from_slice(&header.emit(data.len(), pseudo.fold()));
        let checksum = Checksum::Partial { start: u16::try_from(at).unwrap_or(0), offset: 6 };
        let vnet = Vnet { checksum, ..Vnet::default() };
        return device.transmit(link.endpoint, &vnet, &headers, data);
    }
    let sum = match pseudo.plus(&header.emit(data.len(), 0)).plus(data).finish() {
        0 => 0xffff,
        sum => sum,
    };
    let mut payload = Vec::with_capacity(udp_len);
    payload.extend_from_slice(&header.emit(data.len(), sum));
    payload.extend_from_slice(data);
    transmit_ipv4(device, link, &ip, &payload)
}

fn ethernet_header(link: &Link) -> [u8; ethernet::HEADER_LEN] {
    Ethernet { destination: link.guest_mac, source: link.gateway_mac, ethertype: ETHERTYPE_IPV4 }.emit()
}

/// A packet whose transport checksum is complete, in as many fragments as the MTU asks for (RFC 791 §3.2).
pub(crate) fn transmit_ipv4<D: Device>(device: &mut D, link: &Link, ip: &Ipv4, payload: &[u8]) -> bool {
    let room = usize::from(link.mtu).saturating_sub(ipv4::HEADER_LEN);
    let eth = ethernet_header(link);
    let send = |device: &mut D, ip: &Ipv4, part: &[u8]| {
        let mut headers = [0; ethernet::HEADER_LEN + ipv4::HEADER_LEN];
        headers[..ethernet::HEADER_LEN].copy_from_slice(&eth);
        headers[ethernet::HEADER_LEN..].copy_from_slice(&ip.emit(part.len()));
        device.transmit(link.endpoint, &Vnet::default(), &headers, part)
    };
    if payload.len() <= room {
        return send(device, ip, payload);
    }
    let step = (room & !7).max(8);
    // Fragments of one datagram must be told from those of the next; the checksum of the payload differs where it matters.
    let id = crate::wire::checksum::checksum(payload) ^ 0x5a5a;
    let mut whole = true;
    for (index, part) in payload.chunks(step).enumerate() {
        let offset = index * step;
        let fragment = Ipv4 {
            id,
            dont_fragment: false,
            more_fragments: offset + part.len() < payload.len(),
            fragment_offset: u16::try_from(offset).unwrap_or(u16::MAX),
            ..*ip
        };
        whole &= send(device, &fragment, part);
    }
    whole
}
