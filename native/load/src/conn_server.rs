//! Answers connections, short ones and held ones: takes a byte, sends a byte, until the client closes.
//!
//! One thread and one epoll, with as few system calls as it takes (accept4, epoll_ctl, recv, send, recv, close), so that
//! the stack is measured and not the server.

use std::collections::HashMap;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, recv, send};

use crate::args::Args;
use crate::failure::Result;
use crate::sockets::watch;
use crate::{limits, output, patience, sockets};

const LISTENER: u64 = u64::MAX;
const EVENTS: usize = 256;
/// Callers accepted before those that are there get their turn.
const ACCEPT_BUDGET: usize = 64;

pub(crate) fn serve(args: &mut Args) -> Result<()> {
    let listener = sockets::listener(args.address()?)?;
    args.end()?;
    listener.set_nonblocking(true)?;
    limits::raise_descriptors()?;
    patience::end_with_input();
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    watch(&epoll, &listener, EpollFlags::EPOLLIN, LISTENER)?;
    let mut streams: HashMap<u64, TcpStream> = HashMap::new();
    let mut events = [EpollEvent::empty(); EVENTS];
    output::ready()?;
    loop {
        let count = match epoll.wait(&mut events, EpollTimeout::NONE) {
            Err(Errno::EINTR) => 0,
            other => other?,
        };
        for event in &events[..count] {
            if event.data() == LISTENER {
                accept(&listener, &epoll, &mut streams)?;
            } else if streams.get(&event.data()).is_some_and(|stream| !answer(stream)) {
                streams.remove(&event.data());
            }
        }
    }
}

fn accept(listener: &TcpListener, epoll: &Epoll, streams: &mut HashMap<u64, TcpStream>) -> Result<()> {
    for _ in 0..ACCEPT_BUDGET {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            // Gone before it was taken.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error.into()),
        };
        // Never negative.
        let key = stream.as_raw_fd() as u64;
        watch(epoll, &stream, EpollFlags::EPOLLIN, key)?;
        streams.insert(key, stream);
    }
    Ok(())
}

/// Whether the connection stays.
fn answer(stream: &TcpStream) -> bool {
    // One flag saves the call that makes each socket non-blocking.
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    let mut byte = [0];
    match recv(stream.as_raw_fd(), &mut byte, flags) {
        Ok(1) => send(stream.as_raw_fd(), &byte, flags).is_ok(),
        Err(Errno::EAGAIN | Errno::EINTR) => true,
        _ => false,
    }
}
