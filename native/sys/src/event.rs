//! epoll and eventfd.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// Events taken by one wait.
pub const MAX_EVENTS: usize = 256;

/// What to watch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Readable, reported for as long as it is.
    Read,
    /// Readable and writable, each reported once when it becomes so.
    Edges,
}

/// What happened to one source.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    pub token: u64,
    pub readable: bool,
    pub writable: bool,
    pub error: bool,
    pub hang_up: bool,
    /// The far end has finished sending, or worse.
    pub ended: bool,
}

/// An epoll instance.
#[derive(Debug)]
pub struct Poller {
    epoll: Epoll,
    events: Vec<EpollEvent>,
}

impl Poller {
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?, events: vec![EpollEvent::empty(); MAX_EVENTS] })
    }

    /// Watches a descriptor until it is closed or removed.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        let flags = match interest {
            Interest::Read => EpollFlags::EPOLLIN,
            Interest::Edges => {
                EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET
            }
        };
        Ok(self.epoll.add(fd, EpollEvent::new(flags, token))?)
    }

    /// Needed before closing only where a duplicate of the descriptor lives on elsewhere.
    pub fn remove(&self, fd: BorrowedFd<'_>) {
        // ENOENT means that there is nothing to remove.
        let _ = self.epoll.delete(fd);
    }

    /// Waits for at most `limit` (rounded up to milliseconds; none: for ever) and appends what happened to `out`.
    pub fn wait(&mut self, limit: Option<Duration>, out: &mut Vec<Ready>) -> io::Result<()> {
        let timeout = match limit {
            None => EpollTimeout::NONE,
            Some(limit) => {
                let millis = limit.as_micros().div_ceil(1000);
                EpollTimeout::try_from(i32::try_from(millis).unwrap_or(i32::MAX)).unwrap_or(EpollTimeout::MAX)
            }
        };
        let count = match self.epoll.wait(&mut self.events, timeout) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(errno) => return Err(errno.into()),
        };
        out.extend(self.events[..count].iter().map(|event| {
            let flags = event.events();
            Ready {
                token: event.data(),
                readable: flags.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP),
                writable: flags.contains(EpollFlags::EPOLLOUT),
                error: flags.contains(EpollFlags::EPOLLERR),
                hang_up: flags.contains(EpollFlags::EPOLLHUP),
                ended: flags.intersects(EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR),
            }
        }));
        Ok(())
    }
}

/// Wakes a [`Poller`] from another thread.
#[derive(Debug)]
pub struct Waker(EventFd);

impl Waker {
    pub fn new() -> io::Result<Self> {
        Ok(Self(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?))
    }

    pub fn wake(&self) {
        // EAGAIN: the counter is full, so the poller is about to wake anyway.
        let _ = self.0.write(1);
    }

    pub fn clear(&self) {
        // EAGAIN: nobody has woken us.
        let _ = self.0.read();
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
