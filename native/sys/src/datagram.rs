//! UDP and ping sockets of the host: making them, and the errors that come back. What they carry: [`crate::datagram_batch`].

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, recvmsg,
    setsockopt, socket, sockopt,
};

use crate::stream::to_std;

const FLAGS: SockFlag = SockFlag::SOCK_NONBLOCK.union(SockFlag::SOCK_CLOEXEC);

/// What a UDP socket of a guest may hold in each direction, as far as `net.core.rmem_max` and `wmem_max` allow (their default is a
/// tenth of it). On a busy machine the thread that empties it waits for a processor for some milliseconds: 10 ms of 1.2 Gbit/s are
/// 1.5 MB. The kernel counts its own overhead too (a datagram of 1200 bytes as 2304) and doubles what it is asked for to make up
/// for it. Memory is used only while datagrams wait, and by all sockets together no more than `net.ipv4.udp_mem`.
const SOCKET_BUFFER: usize = 2 * 1024 * 1024;

/// A UDP socket bound to `address`, non-blocking, that remembers ICMP errors for [`next_error`] and takes datagrams put together
/// where the kernel can ([`coalesce`]).
pub fn udp(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let fd = socket(family, SockType::Datagram, FLAGS, None)?;
    if address.is_ipv4() {
        setsockopt(&fd, sockopt::Ipv4RecvErr, &true)?;
    } else {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
        setsockopt(&fd, sockopt::Ipv6RecvErr, &true)?;
    }
    // More room and fewer calls are wishes: without them it is slower, not wrong.
    let _ = setsockopt(&fd, sockopt::RcvBuf, &SOCKET_BUFFER);
    let _ = setsockopt(&fd, sockopt::SndBuf, &SOCKET_BUFFER);
    let _ = coalesce(fd.as_fd());
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(fd)
}

/// Lets the kernel hand over several datagrams of one size from one sender as one (`UDP_GRO`, Linux 5.0).
pub fn coalesce(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(setsockopt(&fd, sockopt::UdpGroSegment, &true)?)
}

/// A socket that may send ICMP echo requests and gets the replies to them. EACCES where `net.ipv4.ping_group_range` does not
/// name one of our groups.
pub fn ping() -> io::Result<OwnedFd> {
    let fd = socket(AddressFamily::Inet, SockType::Datagram, FLAGS, SockProtocol::Icmp)?;
    setsockopt(&fd, sockopt::Ipv4RecvErr, &true)?;
    Ok(fd)
}

/// Has the socket say which address of ours a datagram was sent to: for sockets that listen on all of them.
pub fn tell_local_address(fd: BorrowedFd<'_>) -> io::Result<()> {
    if crate::stream::local_address(fd)?.is_ipv4() {
        setsockopt(&fd, sockopt::Ipv4PacketInfo, &true)?;
    } else {
        setsockopt(&fd, sockopt::Ipv6RecvPacketInfo, &true)?;
    }
    Ok(())
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
