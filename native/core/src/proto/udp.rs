//! UDP and other datagrams towards the guest: several of one size as one super-frame where the guest takes it, and in fragments where
//! the interface's MTU asks for it.

use super::tcp::TTL;
use crate::device::Device;
use crate::switch::Link;
use crate::wire::ethernet::{self, ETHERTYPE_IPV4, Ethernet};
use crate::wire::ipv4::{self, Ipv4, PROTOCOL_UDP};
use crate::wire::udp::{self, Udp};
use crate::wire::vnet::{Checksum, Gso, Vnet};
use std::net::SocketAddrV4;

/// The largest payload of a UDP datagram over IPv4.
pub(crate) const MAX_PAYLOAD: usize = ipv4::MAX_LEN - ipv4::HEADER_LEN - udp::HEADER_LEN;

/// Datagrams that a guest's super-frame may hold: the `UDP_MAX_SEGMENTS` of newer kernels. More are nobody's honest work, and each
/// could cost a send.
pub(crate) const MAX_PARTS: usize = 128;
/// Datagrams of a super-frame towards a guest: what kernels older than that take.
const FRAME_PARTS: usize = 64;

const UDP_AT: usize = ethernet::HEADER_LEN + ipv4::HEADER_LEN;
const HEADERS: usize = UDP_AT + udp::HEADER_LEN;
const CHECKSUM_AT: usize = 6;
const PARTIAL: Checksum = Checksum::Partial { start: UDP_AT as u16, offset: CHECKSUM_AT as u16 };

/// Datagrams of `size` bytes (the last may be shorter) that stand behind one another in `data`, to the guest's `port`. False when the
/// device refused any.
pub(crate) fn deliver_all<D: Device>(
    device: &mut D,
    link: &Link,
    from: SocketAddrV4,
    port: u16,
    data: &[u8],
    size: u16,
) -> bool {
    let size = usize::from(size).max(1);
    let fits = ipv4::HEADER_LEN + udp::HEADER_LEN + size <= usize::from(link.mtu);
    let a_frame =
        if link.capabilities.vnet && link.capabilities.uso && fits { FRAME_PARTS.min(MAX_PAYLOAD / size) } else { 1 };
    let mut whole = true;
    for part in data.chunks(a_frame.max(1) * size) {
        whole &= if part.len() > size {
            let gso = Gso::UdpL4 { size: u16::try_from(size).unwrap_or(u16::MAX) };
            let vnet = Vnet { checksum: PARTIAL, gso, header_len: HEADERS as u16 };
            device.transmit(link.endpoint, &vnet, &headers(link, from, port, part, None), part)
        } else {
            deliver(device, link, from, port, part)
        };
    }
    whole
}

/// One datagram to the guest's `port`. False when it is too large for IPv4 or the device refused it.
pub(crate) fn deliver<D: Device>(device: &mut D, link: &Link, from: SocketAddrV4, port: u16, data: &[u8]) -> bool {
    if data.len() > MAX_PAYLOAD {
        return false;
    }
    let udp_len = udp::HEADER_LEN + data.len();
    if link.capabilities.vnet && ipv4::HEADER_LEN + udp_len <= usize::from(link.mtu) {
        let vnet = Vnet { checksum: PARTIAL, ..Vnet::default() };
        return device.transmit(link.endpoint, &vnet, &headers(link, from, port, data, None), data);
    }
    let ip = header(link, from);
    let udp = Udp { source: from.port(), destination: port };
    let sum = match ip.pseudo(udp_len).plus(&udp.emit(data.len(), 0)).plus(data).finish() {
        0 => 0xffff,
        sum => sum,
    };
    if ipv4::HEADER_LEN + udp_len <= usize::from(link.mtu) {
        return device.transmit(link.endpoint, &Vnet::default(), &headers(link, from, port, data, Some(sum)), data);
    }
    let mut payload = Vec::with_capacity(udp_len);
    payload.extend_from_slice(&udp.emit(data.len(), sum));
    payload.extend_from_slice(data);
    transmit_ipv4(device, link, &ip, &payload)
}

fn header(link: &Link, from: SocketAddrV4) -> Ipv4 {
    Ipv4 {
        source: *from.ip(),
        destination: link.guest,
        protocol: PROTOCOL_UDP,
        ttl: TTL,
        tos: 0,
        id: 0,
        dont_fragment: false,
        more_fragments: false,
        fragment_offset: 0,
    }
}

/// All headers of a frame, with `sum` as its UDP checksum, or the pseudo header's for a device that completes it.
fn headers(link: &Link, from: SocketAddrV4, port: u16, data: &[u8], sum: Option<u16>) -> [u8; HEADERS] {
    let ip = header(link, from);
    let udp_len = udp::HEADER_LEN + data.len();
    let sum = sum.unwrap_or_else(|| ip.pseudo(udp_len).fold());
    let mut headers = [0; HEADERS];
    headers[..ethernet::HEADER_LEN].copy_from_slice(&ethernet_header(link));
    headers[ethernet::HEADER_LEN..UDP_AT].copy_from_slice(&ip.emit(udp_len));
    headers[UDP_AT..].copy_from_slice(&Udp { source: from.port(), destination: port }.emit(data.len(), sum));
    headers
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
