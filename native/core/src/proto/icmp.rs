//! ICMP towards the guest (RFC 792, RFC 1812): echo replies and unreachable errors.

use super::tcp::TTL;
use super::udp::transmit_ipv4;
use crate::device::Device;
use crate::switch::Link;
use crate::wire::icmpv4::{ECHO_REPLY, Icmpv4, UNREACHABLE, Unreachable};
use crate::wire::ipv4::{Ipv4, PROTOCOL_ICMP};
use std::net::Ipv4Addr;

/// What of the guest's packet an error quotes: its header and eight bytes (RFC 792), as far as a flow remembers them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quote {
    pub(crate) protocol: u8,
    pub(crate) source_port: u16,
    pub(crate) destination: Ipv4Addr,
    pub(crate) destination_port: u16,
    /// The four bytes behind the ports: TCP's sequence number, UDP's length and checksum; an echo's sequence number.
    pub(crate) rest: u32,
}

/// Tells a guest that its packet did not get through. The error comes from the gateway.
pub(crate) fn unreachable<D: Device>(device: &mut D, link: &Link, code: Unreachable, quote: &Quote) {
    let quoted = Ipv4 { protocol: quote.protocol, ..header(link.guest, quote.destination) };
    let mut body = quoted.emit(8).to_vec();
    if quote.protocol == PROTOCOL_ICMP {
        // Echo request: type, code, checksum (unknown), then identifier and sequence number.
        body.extend_from_slice(&[8, 0, 0, 0]);
        body.extend_from_slice(&quote.source_port.to_be_bytes());
        body.extend_from_slice(&u16::try_from(quote.rest).unwrap_or(0).to_be_bytes());
    } else {
        body.extend_from_slice(&quote.source_port.to_be_bytes());
        body.extend_from_slice(&quote.destination_port.to_be_bytes());
        body.extend_from_slice(&quote.rest.to_be_bytes());
    }
    let message = Icmpv4 { kind: UNREACHABLE, code: code as u8, id: 0, sequence: 0 }.emit(&body);
    transmit_ipv4(device, link, &header(link.gateway, link.guest), &message);
}

/// An echo reply from `from`.
pub(crate) fn echo_reply<D: Device>(device: &mut D, link: &Link, from: Ipv4Addr, id: u16, sequence: u16, data: &[u8]) {
    let message = Icmpv4 { kind: ECHO_REPLY, code: 0, id, sequence }.emit(data);
    transmit_ipv4(device, link, &header(from, link.guest), &message);
}

fn header(source: Ipv4Addr, destination: Ipv4Addr) -> Ipv4 {
    Ipv4 {
        source,
        destination,
        protocol: PROTOCOL_ICMP,
        ttl: TTL,
        tos: 0,
        id: 0,
        dont_fragment: false,
        more_fragments: false,
        fragment_offset: 0,
    }
}
