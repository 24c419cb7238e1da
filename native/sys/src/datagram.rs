//! UDP and ping sockets of the host.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage,
    bind, recvmsg, sendmsg, setsockopt, socket, sockopt,
};

use crate::stream::to_std;

const FLAGS: SockFlag = SockFlag::SOCK_NONBLOCK.union(SockFlag::SOCK_CLOEXEC);

/// A UDP socket bound to `address`, non-blocking, that remembers ICMP errors for [`next_error`].
pub fn udp(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let fd = socket(family, SockType::Datagram, FLAGS, None)?;
    if address.is_ipv4() {
        setsockopt(&fd, sockopt::Ipv4RecvErr, &true)?;
    } else {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
        setsockopt(&fd, sockopt::Ipv6RecvErr, &true)?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(fd)
}

/// A socket that may send ICMP echo requests and gets the replies to them. EACCES where `net.ipv4.ping_group_range` does not
/// name one of our groups.
pub fn ping() -> io::Result<OwnedFd> {
    let fd = socket(AddressFamily::Inet, SockType::Datagram, FLAGS, SockProtocol::Icmp)?;
    setsockopt(&fd, sockopt::Ipv4RecvErr, &true)?;
    Ok(fd)
}

/// Sends one datagram, or with `segment` several of that many bytes in one call (`UDP_SEGMENT`, Linux 4.18); `from` is the
/// address of ours that it comes from (the kernel chooses when none is given).
pub fn send_to(
    fd: BorrowedFd<'_>,
    to: SocketAddr,
    from: Option<IpAddr>,
    data: &[u8],
    segment: Option<u16>,
) -> io::Result<()> {
    let iov = [IoSlice::new(data)];
    let address = SockaddrStorage::from(to);
    let v4 = match from {
        Some(IpAddr::V4(address)) => Some(packet_info(address)),
        _ => None,
    };
    let v6 = match from {
        Some(IpAddr::V6(address)) => Some(packet_info6(address)),
        _ => None,
    };
    let pieces = [
        segment.as_ref().map(ControlMessage::UdpGsoSegments),
        v4.as_ref().map(ControlMessage::Ipv4PacketInfo),
        v6.as_ref().map(ControlMessage::Ipv6PacketInfo),
    ];
    let mut control = [ControlMessage::UdpGsoSegments(&0); 3];
    let mut count = 0;
    for piece in pieces.into_iter().flatten() {
        control[count] = piece;
        count += 1;
    }
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg(fd.as_raw_fd(), &iov, &control[..count], flags, Some(&address))?;
    Ok(())
}

fn packet_info(from: Ipv4Addr) -> libc::in_pktinfo {
    libc::in_pktinfo {
        ipi_ifindex: 0,
        // Linux reads the source from here; `ipi_addr` is for receiving.
        ipi_spec_dst: libc::in_addr { s_addr: u32::from(from).to_be() },
        ipi_addr: libc::in_addr { s_addr: 0 },
    }
}

fn packet_info6(from: Ipv6Addr) -> libc::in6_pktinfo {
    libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: from.octets() }, ipi6_ifindex: 0 }
}

/// Has [`receive_from`] say which address of ours a datagram was sent to: for sockets that listen on all of them.
pub fn tell_local_address(fd: BorrowedFd<'_>) -> io::Result<()> {
    if crate::stream::local_address(fd)?.is_ipv4() {
        setsockopt(&fd, sockopt::Ipv4PacketInfo, &true)?;
    } else {
        setsockopt(&fd, sockopt::Ipv6RecvPacketInfo, &true)?;
    }
    Ok(())
}

/// Receives one datagram, with its sender and (after [`tell_local_address`]) the address of ours that it was sent to.
pub fn receive_from(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr, Option<IpAddr>)> {
    let mut iov = [IoSliceMut::new(buffer)];
    let mut control = nix::cmsg_space!(libc::in6_pktinfo);
    let message = recvmsg::<SockaddrStorage>(fd.as_raw_fd(), &mut iov, Some(&mut control), MsgFlags::MSG_DONTWAIT)?;
    let from = message.address.as_ref().and_then(to_std);
    let from = from.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));
    let local = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr))))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr))),
        _ => None,
    });
    Ok((message.bytes, from, local))
}

/// An error that came back for a datagram: its errno, and where the datagram had gone.
#[derive(Debug)]
pub struct Returned {
    pub error: io::Error,
    pub to: SocketAddr,
}

/// Takes one error off the socket's error queue; `WouldBlock` when it is empty.
pub fn next_error(fd: BorrowedFd<'_>) -> io::Result<Option<Returned>> {
    let mut start = [0u8; 64];
    let mut iov = [IoSliceMut::new(&mut start)];
    let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrStorage>(fd.as_raw_fd(), &mut iov, Some(&mut control), flags)?;
    let to = message.address.as_ref().and_then(to_std);
    for control in message.cmsgs()? {
        let error = match control {
            ControlMessageOwned::Ipv4RecvErr(error, _) => error,
            ControlMessageOwned::Ipv6RecvErr(error, _) => error,
            _ => continue,
        };
        if let Some(to) = to {
            let errno = i32::try_from(error.ee_errno).unwrap_or(libc::EIO);
            return Ok(Some(Returned { error: io::Error::from_raw_os_error(errno), to }));
        }
    }
    Ok(None)
}
