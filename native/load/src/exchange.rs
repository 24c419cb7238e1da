//! One connection of many in an epoll: it connects, sends a byte and receives a byte, by what its events say.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollFlags};
use nix::sys::socket::{MsgFlags, recv, send};

use crate::sockets;

pub(crate) struct Exchange {
    stream: TcpStream,
    asked: bool,
}

impl Exchange {
    /// Starts to connect; `key` comes back with the events. `reset`: closes by RST.
    pub(crate) fn begin(epoll: &Epoll, address: SocketAddr, reset: bool, key: u64) -> io::Result<Self> {
        let stream = sockets::start_connect(address)?;
        if reset {
            sockets::close_by_reset(&stream)?;
        }
        // Edges: one registration serves "connected" and "answered".
        let flags = EpollFlags::EPOLLOUT | EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        sockets::watch(epoll, &stream, flags, key)?;
        Ok(Self { stream, asked: false })
    }

    pub(crate) fn ask(&mut self) -> io::Result<()> {
        send(self.stream.as_raw_fd(), b"?", MsgFlags::MSG_NOSIGNAL)?;
        self.asked = true;
        Ok(())
    }

    /// Goes on as far as these events let it; whether an answer came.
    pub(crate) fn advance(&mut self, events: EpollFlags) -> io::Result<bool> {
        if events.contains(EpollFlags::EPOLLERR) {
            return Err(self.stream.take_error()?.unwrap_or_else(|| io::ErrorKind::ConnectionReset.into()));
        }
        if !self.asked && events.contains(EpollFlags::EPOLLOUT) {
            self.ask()?;
        }
        if !self.asked || !events.contains(EpollFlags::EPOLLIN) {
            return Ok(false);
        }
        let mut byte = [0];
        match recv(self.stream.as_raw_fd(), &mut byte, MsgFlags::empty()) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
