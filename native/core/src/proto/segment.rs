//! What a device cannot take whole: super-frames are cut into segments here and checksums completed, in software.
//!
//! With a virtio-net header that is a matter of describing the frame; without (`--offload=off`, old kernels) each segment
//! gets its own headers and a full checksum. The same code cuts a guest's super-frame for another guest that cannot take it.

use crate::device::{Capabilities, Device};
use crate::switch::EndpointId;
use crate::wire::checksum::Sum;
use crate::wire::ethernet;
use crate::wire::ipv4::{self, Ipv4, PROTOCOL_TCP, PROTOCOL_UDP};
use crate::wire::tcp::Flags;
use crate::wire::vnet::{Checksum, Gso, Vnet};

const TCP_CHECKSUM: usize = 16;
const UDP_CHECKSUM: usize = 6;

/// A guest that writes to its device by itself could ask for 65,000 frames in one. No kernel makes TCP segments smaller than this
/// (`tcp_min_snd_mss`), nor a super-frame of more datagrams (`UDP_MAX_SEGMENTS`).
const MIN_CUT: u16 = 48;
const MAX_CUT_DATAGRAMS: usize = 128;

/// What stays the same for all segments of one transmission.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) capabilities: Capabilities,
    /// Payload of one segment.
    pub(crate) mss: usize,
    pub(crate) ip: Ipv4,
    /// Where the TCP header starts.
    pub(crate) tcp_at: usize,
}

/// Sends TCP `payload` behind `headers` (Ethernet, IPv4, TCP with a zero checksum). False when the device refused any part.
pub(crate) fn transmit_tcp<D: Device>(
    device: &mut D,
    endpoint: EndpointId,
    plan: &Plan,
    headers: &mut [u8],
    payload: &[u8],
) -> bool {
    let Plan { capabilities, mss, ip, tcp_at } = *plan;
    let tcp_len = headers.len() - tcp_at + payload.len();
    let oversize = mss > 0 && payload.len() > mss;
    if capabilities.vnet && (capabilities.tso4 || !oversize) {
        put16(headers, tcp_at + TCP_CHECKSUM, ip.pseudo(tcp_len).fold());
        let gso = if oversize { Gso::TcpV4 { size: narrow(mss) } } else { Gso::None };
        let checksum = Checksum::Partial { start: narrow(tcp_at), offset: narrow(TCP_CHECKSUM) };
        let vnet = Vnet { checksum, gso, header_len: narrow(headers.len()) };
        return device.transmit(endpoint, &vnet, headers, payload);
    }
    cut(headers, tcp_at, ip, payload, if oversize { mss } else { payload.len().max(1) }, |headers, part| {
        device.transmit(endpoint, &Vnet::default(), headers, part)
    })
}

/// Sends a super-frame of a guest (TCP over IPv4, headers and payload in one piece) to an endpoint that cannot take it whole, or
/// completes the checksum of an ordinary one. False when the frame is not what `vnet` says, or was refused.
pub(crate) fn transmit_foreign<D: Device>(device: &mut D, endpoint: EndpointId, vnet: &Vnet, frame: &[u8]) -> bool {
    if vnet.gso == Gso::None {
        return transmit_whole(device, endpoint, vnet, frame);
    }
    let ip_at = ethernet::HEADER_LEN;
    let Some(Ok((ip, payload))) = frame.get(ip_at..).map(Ipv4::parse) else { return false };
    let Some(transport_at) = frame.get(ip_at).map(|b| ip_at + usize::from(b & 0x0f) * 4) else { return false };
    match (vnet.gso, ip.protocol) {
        (Gso::TcpV4 { size }, PROTOCOL_TCP) if size >= MIN_CUT => {
            let Some(data_at) =
                payload.get(12).map(|b| usize::from(b >> 4) * 4).filter(|&n| n >= 20 && n <= payload.len())
            else {
                return false;
            };
            let mut headers = frame[..transport_at + data_at].to_vec();
            cut(&mut headers, transport_at, ip, &payload[data_at..], usize::from(size), |headers, part| {
                device.transmit(endpoint, &Vnet::default(), headers, part)
            })
        }
        (Gso::UdpL4 { size }, PROTOCOL_UDP)
            if payload.len() >= 8 && payload[8..].len() <= usize::from(size) * MAX_CUT_DATAGRAMS =>
        {
            let mut whole = true;
            let mut headers = frame[..transport_at + 8].to_vec();
            for part in payload[8..].chunks(usize::from(size).max(1)) {
                set_ipv4_length(&mut headers[ip_at..transport_at], 8 + part.len());
                put16(&mut headers, transport_at + 4, narrow(8 + part.len()));
                put16(&mut headers, transport_at + UDP_CHECKSUM, 0);
                let sum = ip.pseudo(8 + part.len()).plus(&headers[transport_at..]).plus(part).finish();
                put16(&mut headers, transport_at + UDP_CHECKSUM, if sum == 0 { 0xffff } else { sum });
                whole &= device.transmit(endpoint, &Vnet::default(), &headers, part);
            }
            whole
        }
        _ => false,
    }
}

/// A frame of any protocol (ARP among them) that needs no cutting, its checksum completed.
fn transmit_whole<D: Device>(device: &mut D, endpoint: EndpointId, vnet: &Vnet, frame: &[u8]) -> bool {
    let Checksum::Partial { start, offset } = vnet.checksum else {
        return device.transmit(endpoint, &Vnet::default(), frame, &[]);
    };
    let (start, field) = (usize::from(start), usize::from(start) + usize::from(offset));
    if start > frame.len() || field + 2 > frame.len() {
        return false;
    }
    let mut copy = frame.to_vec();
    // The field holds the pseudo header's sum, so summing from `start` completes it.
    let sum = Sum::default().plus(&copy[start..]).finish();
    put16(&mut copy, field, if sum == 0 { 0xffff } else { sum });
    device.transmit(endpoint, &Vnet::default(), &copy, &[])
}

/// Cuts `payload` into segments of `size` and sends each behind headers of its own.
fn cut(
    headers: &mut [u8],
    tcp_at: usize,
    ip: Ipv4,
    payload: &[u8],
    size: usize,
    mut send: impl FnMut(&[u8], &[u8]) -> bool,
) -> bool {
    let flags = headers[tcp_at + 13];
    let seq = u32::from_be_bytes([headers[tcp_at + 4], headers[tcp_at + 5], headers[tcp_at + 6], headers[tcp_at + 7]]);
    let mut at = 0;
    loop {
        let part = &payload[at..payload.len().min(at + size)];
        let last = at + part.len() == payload.len();
        let tcp_len = headers.len() - tcp_at + part.len();
        set_ipv4_length(&mut headers[ethernet::HEADER_LEN..tcp_at], tcp_len);
        headers[tcp_at + 4..tcp_at + 8]
            .copy_from_slice(&seq.wrapping_add(u32::try_from(at).unwrap_or(u32::MAX)).to_be_bytes());
        // FIN and PSH belong to the last one.
        headers[tcp_at + 13] = if last { flags } else { flags & !(Flags::FIN.0 | Flags::PSH.0) };
        put16(headers, tcp_at + TCP_CHECKSUM, 0);
        let sum = ip.pseudo(tcp_len).plus(&headers[tcp_at..]).plus(part).finish();
        put16(headers, tcp_at + TCP_CHECKSUM, sum);
        if !send(headers, part) {
            return false;
        }
        at += part.len();
        if last {
            return true;
        }
    }
}

/// Makes an IPv4 header (options and all) one for another payload length.
fn set_ipv4_length(header: &mut [u8], payload_len: usize) {
    put16(header, 2, narrow(header.len() + payload_len));
    put16(header, 10, 0);
    let sum = crate::wire::checksum::checksum(header);
    put16(header, 10, sum);
}

fn put16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// Lengths inside one IPv4 packet.
fn narrow(value: usize) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

const _: () = assert!(ipv4::MAX_LEN <= u16::MAX as usize, "lengths fit their fields");
