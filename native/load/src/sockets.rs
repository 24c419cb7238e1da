//! What std does not offer: connecting without waiting, the length of a backlog, and closing by a reset.

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, connect, listen, setsockopt, socket, sockopt,
};

use crate::failure::{Context, Result};

/// A listener with the longest backlog that the machine allows.
pub(crate) fn listener(address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).context(|| format!("cannot listen on {address}"))?;
    listen(&listener, Backlog::MAXALLOWABLE)?;
    Ok(listener)
}

/// Starts to connect: the socket is writable when it is, or has failed.
pub(crate) fn start_connect(address: SocketAddr) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let fd: OwnedFd = socket(family, SockType::Stream, flags, None)?;
    match connect(fd.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(fd.into()),
        Err(error) => Err(error.into()),
    }
}

/// Has the closing of this socket send RST: no TIME_WAIT, so the ports of a client that connects for seconds do not run out.
pub(crate) fn close_by_reset(stream: &TcpStream) -> io::Result<()> {
    Ok(setsockopt(stream, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?)
}

/// Watches `source`; `key` comes back with its events. Closing it ends that.
pub(crate) fn watch(epoll: &Epoll, source: impl AsFd, flags: EpollFlags, key: u64) -> nix::Result<()> {
    epoll.add(source, EpollEvent::new(flags, key))
}

/// How often something failed, and how the first time.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    pub(crate) count: u64,
    pub(crate) first: Option<String>,
}

impl Errors {
    pub(crate) fn add(&mut self, error: impl Display) {
        self.count += 1;
        self.first.get_or_insert_with(|| error.to_string());
    }
}
