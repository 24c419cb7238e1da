//! TCP sockets of the host, and the pairs that stand in for them.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, SockaddrLike, SockaddrStorage, bind, connect, getsockname,
    getsockopt, listen, recv, send, sendmsg, setsockopt, shutdown, socket, socketpair, sockopt,
};
use nix::sys::uio::readv;

fn family(address: &SocketAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// A kernel's address as the standard library knows it.
pub(crate) fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::V4(SocketAddrV4::from(*v4)));
    }
    address.as_sockaddr_in6().map(|v6| SocketAddr::V6(SocketAddrV6::from(*v6)))
}

/// A non-blocking socket for [`start_connect`] to `address`, or another of its family.
pub fn socket_to_connect(address: &SocketAddr) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let fd = socket(family(address), SockType::Stream, flags, None)?;
    prepare(fd.as_fd());
    Ok(fd)
}

/// Starts a connection. True: it stands already. Otherwise a writable event will tell that it stands, an error event that it failed.
pub fn start_connect(fd: BorrowedFd<'_>, address: SocketAddr) -> io::Result<bool> {
    let address = SockaddrStorage::from(address);
    match connect(fd.as_raw_fd(), &address) {
        Ok(()) => return Ok(true),
        Err(Errno::EINPROGRESS) => {}
        Err(errno) => return Err(errno.into()),
    }
    // On this machine the handshake is over before the first call returns, but only a second one tells. It costs less than the
    // wake-up that it saves there, and nothing that counts elsewhere.
    match connect(fd.as_raw_fd(), &address) {
        Ok(()) => Ok(true),
        Err(Errno::EALREADY | Errno::EINPROGRESS) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// What every stream that carries a guest's bytes wants: the guest's own kernel has decided how to cut them (no second Nagle), a far
/// end that vanished is noticed, and urgent data, which the guest is not told of, is not lost to it.
fn prepare(fd: BorrowedFd<'_>) {
    // None can fail on a TCP socket in a way that matters: without them it is slower, not wrong.
    let _ = setsockopt(&fd, sockopt::TcpNoDelay, &true);
    let _ = setsockopt(&fd, sockopt::KeepAlive, &true);
    let _ = setsockopt(&fd, sockopt::OobInline, &true);
}

/// Binds and listens. The socket is non-blocking.
pub fn listen_on(address: SocketAddr, backlog: i32) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let fd = socket(family(&address), SockType::Stream, flags, None)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    // Accepted sockets inherit these: no call for each of them.
    prepare(fd.as_fd());
    if address.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&fd, Backlog::new(backlog)?)?;
    Ok(fd)
}

/// Takes one waiting connection, non-blocking, with its peer's address.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<(OwnedFd, SocketAddr)> {
    // nix's accept4 does not tell the peer's address, and asking for it is another call, which fails for a caller that has reset.
    // SAFETY: all bytes zero are a valid sockaddr_storage (family AF_UNSPEC).
    let mut address: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut len = libc::socklen_t::try_from(size_of_val(&address)).unwrap_or(0);
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: `address` and `len` live through the call, and `len` is the size of `address`, which the kernel does not exceed.
    let raw = unsafe { libc::accept4(listener.as_raw_fd(), (&raw mut address).cast(), &raw mut len, flags) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: accept4 returned a new descriptor that nothing else owns.
    let fd = unsafe { OwnedFd::from_raw_fd(raw) };
    // SAFETY: the kernel has filled in `len` bytes of `address`, which is as large as any address can be.
    let peer = unsafe { SockaddrStorage::from_raw((&raw const address).cast(), Some(len)) };
    let peer = peer.as_ref().and_then(to_std).ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))?;
    Ok((fd, peer))
}

/// The address that a socket is bound to.
pub fn local_address(fd: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    let name: SockaddrStorage = getsockname(fd.as_raw_fd())?;
    to_std(&name).ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))
}

/// Sends without blocking; says how much was taken.
pub fn write(fd: BorrowedFd<'_>, data: &[u8]) -> io::Result<usize> {
    Ok(send(fd.as_raw_fd(), data, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)?)
}

/// The same with several pieces that follow each other.
pub fn write_many(fd: BorrowedFd<'_>, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    Ok(sendmsg::<()>(fd.as_raw_fd(), pieces, &[], MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL, None)?)
}

/// Receives without blocking; 0 is the end of the stream.
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(recv(fd.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT)?)
}

/// Receives into several buffers, one filled after the other. The descriptor must be non-blocking.
pub fn read_many(fd: BorrowedFd<'_>, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    Ok(readv(fd, buffers)?)
}

/// Sends FIN.
pub fn finish_sending(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(shutdown(fd.as_raw_fd(), nix::sys::socket::Shutdown::Write)?)
}

/// Makes the close that follows a reset (RFC 9293 §3.10.5).
pub fn reset_on_close(fd: BorrowedFd<'_>) {
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    // On anything but TCP this does nothing, and nothing is what is wanted.
    let _ = setsockopt(&fd, sockopt::Linger, &at_once);
}

/// The error that an error event stands for, once.
pub fn take_error(fd: BorrowedFd<'_>) -> Option<io::Error> {
    match getsockopt(&fd, sockopt::SocketError) {
        Ok(0) => None,
        Ok(errno) => Some(io::Error::from_raw_os_error(errno)),
        Err(errno) => Some(errno.into()),
    }
}

/// Two connected non-blocking stream sockets inside this process.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    Ok(socketpair(AddressFamily::Unix, SockType::Stream, None, flags)?)
}
