//! Every frame to a guest is judged by etherparse, which knows nothing of this project: lengths, header checksums and, where no
//! virtio-net header leaves them open, transport checksums.

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use unet_core::Capabilities;
use unet_core::testing::Frame;
use unet_core::wire::vnet::{Checksum, Gso};

const ETHERNET: usize = 14;

#[track_caller]
pub fn judge(frame: &Frame, capabilities: Capabilities, mtu: usize) {
    let packet = SlicedPacket::from_ethernet(&frame.bytes).expect("etherparse takes it");
    let Some(NetSlice::Ipv4(ip)) = &packet.net else {
        assert!(matches!(packet.net, Some(NetSlice::Arp(_))), "neither ARP nor IPv4");
        return;
    };
    let header = ip.header().to_header();
    assert_eq!(header.header_checksum, header.calc_header_checksum(), "IPv4 header checksum");
    assert_eq!(usize::from(header.total_len), frame.bytes.len() - ETHERNET, "total length");
    if !capabilities.vnet {
        assert_eq!(frame.vnet, unet_core::wire::vnet::Vnet::default(), "nothing is left to a plain device");
    }
    if frame.vnet.gso == Gso::None {
        assert!(frame.bytes.len() - ETHERNET <= mtu, "{} bytes over an MTU of {mtu}", frame.bytes.len() - ETHERNET);
    } else {
        assert!(capabilities.tso4, "a super-frame for a device that cannot cut it");
    }
    if header.more_fragments || header.fragment_offset.value() != 0 {
        return;
    }
    match (&packet.transport, frame.vnet.checksum) {
        (Some(TransportSlice::Tcp(tcp)), Checksum::Complete) => {
            let sum = tcp.calc_checksum_ipv4(ip.header().source(), ip.header().destination()).unwrap();
            assert_eq!(tcp.checksum(), sum, "TCP checksum");
        }
        (Some(TransportSlice::Tcp(tcp)), Checksum::Partial { start, offset }) => {
            assert_eq!((start, offset), (34, 16), "where the TCP checksum stands");
            let length = header.total_len - u16::try_from(header.header_len()).unwrap();
            assert_eq!(tcp.checksum(), pseudo(&header, 6, length), "TCP pseudo header");
            if let Gso::TcpV4 { size } = frame.vnet.gso {
                assert!(tcp.payload().len() > usize::from(size), "a super-frame of one segment");
                assert_eq!(usize::from(frame.vnet.header_len), ETHERNET + 20 + tcp.slice().len() - tcp.payload().len());
            }
        }
        (Some(TransportSlice::Udp(udp)), Checksum::Complete) => {
            let body = udp.payload();
            let sum = udp.to_header().calc_checksum_ipv4(&header, body).unwrap();
            assert_eq!(udp.checksum(), sum, "UDP checksum");
        }
        (Some(TransportSlice::Udp(_)), Checksum::Partial { start, offset }) => {
            assert_eq!((start, offset), (34, 6), "where the UDP checksum stands");
        }
        (Some(TransportSlice::Icmpv4(icmp)), checksum) => {
            assert_eq!(checksum, Checksum::Complete, "ICMP is always summed here");
            let sum = icmp.icmp_type().calc_checksum(icmp.payload());
            assert_eq!(icmp.checksum(), sum, "ICMP checksum");
        }
        (other, _) => panic!("an unexpected packet: {other:?}"),
    }
}

fn pseudo(ip: &etherparse::Ipv4Header, protocol: u8, length: u16) -> u16 {
    let mut sum: u32 = u32::from(protocol) + u32::from(length);
    for pair in ip.source.chunks(2).chain(ip.destination.chunks(2)) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair[1]);
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}
