//! epoll and eventfd.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;

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
    /// The far end has finished sending, or worse; or it has sent urgent data, where reads stop as well though more lies behind.
    pub ended: bool,
}

/// An epoll instance.
#[derive(Debug)]
pub struct Poller {
    epoll: Epoll,
    events: Vec<EpollEvent>,
    /// The kernel knows no limits finer than milliseconds.
    coarse: bool,
}

impl Poller {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            events: vec![EpollEvent::empty(); MAX_EVENTS],
            coarse: false,
        })
    }

    /// Watches a descriptor until it is closed or removed.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        let flags = match interest {
            Interest::Read => EpollFlags::EPOLLIN,
            Interest::Edges => {
                EpollFlags::EPOLLIN
                    | EpollFlags::EPOLLPRI
                    | EpollFlags::EPOLLOUT
                    | EpollFlags::EPOLLRDHUP
                    | EpollFlags::EPOLLET
            }
        };
        Ok(self.epoll.add(fd, EpollEvent::new(flags, token))?)
    }

    /// Needed before closing only where a duplicate of the descriptor lives on elsewhere.
    pub fn remove(&self, fd: BorrowedFd<'_>) {
        // ENOENT means that there is nothing to remove.
        let _ = self.epoll.delete(fd);
    }

    /// Waits for at most `limit` (none: for ever) and appends what happened to `out`. The limit is kept to the precision of the
    /// kernel's timers ([`fine_timers`]) from Linux 5.11 on, and rounded up to milliseconds before.
    pub fn wait(&mut self, limit: Option<Duration>, out: &mut Vec<Ready>) -> io::Result<()> {
        let waited = match limit {
            // Nothing to be precise about.
            None => self.epoll.wait(&mut self.events, EpollTimeout::NONE),
            Some(Duration::ZERO) => self.epoll.wait(&mut self.events, EpollTimeout::ZERO),
            Some(limit) if self.coarse => self.epoll.wait(&mut self.events, milliseconds(limit)),
            Some(limit) => match self.wait_finely(limit) {
                // Not in this kernel, or kept from us by a seccomp filter that is older than it.
                Err(Errno::ENOSYS | Errno::EPERM) => {
                    self.coarse = true;
                    self.epoll.wait(&mut self.events, milliseconds(limit))
                }
                waited => waited,
            },
        };
        let count = match waited {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
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
                ended: flags.intersects(
                    EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR | EpollFlags::EPOLLPRI,
                ),
            }
        }));
        Ok(())
    }

    /// `epoll_pwait2`, which older C libraries do not have.
    fn wait_finely(&mut self, limit: Duration) -> nix::Result<usize> {
        let limit = TimeSpec::from_duration(limit);
        let room = libc::c_long::try_from(self.events.len()).unwrap_or(0);
        // SAFETY: `EpollEvent` is a transparent wrapper of the kernel's `epoll_event`; the array is ours, lives through the call and has
        // room for the `room` entries that it may write. `limit` is read only. The signal mask is null, so its size is not looked at.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                libc::c_long::from(self.epoll.0.as_raw_fd()),
                self.events.as_mut_ptr(),
                room,
                std::ptr::from_ref(limit.as_ref()),
                std::ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        Ok(usize::try_from(Errno::result(count)?).unwrap_or(0))
    }
}

/// Rounded up, so that nothing is waited for in a busy loop.
fn milliseconds(limit: Duration) -> EpollTimeout {
    let millis = limit.as_micros().div_ceil(1000);
    EpollTimeout::try_from(i32::try_from(millis).unwrap_or(i32::MAX)).unwrap_or(EpollTimeout::MAX)
}

/// Has the kernel wake the calling thread when it asked to be, not up to 50 µs later to save wake-ups.
pub fn fine_timers() {
    // Refused, timers are as they were: late by that much.
    let _ = nix::sys::prctl::set_timerslack(1);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// A read stops before urgent data, though more lies behind it: whoever takes a short read for an emptied socket must be told.
    #[test]
    fn urgent_data_is_announced_and_stays_in_line() {
        use nix::sys::socket::{MsgFlags, send};
        let listener = crate::stream::listen_on("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let address = crate::stream::local_address(listener.as_fd()).unwrap();
        let far = std::net::TcpStream::connect(address).unwrap();
        let (near, _) = crate::stream::accept(listener.as_fd()).unwrap();
        let mut poller = Poller::new().unwrap();
        poller.add(near.as_fd(), 1, Interest::Edges).unwrap();
        for (data, flags) in [("aaa", MsgFlags::empty()), ("b", MsgFlags::MSG_OOB), ("ccc", MsgFlags::empty())] {
            send(far.as_raw_fd(), data.as_bytes(), flags).unwrap();
        }
        let mut ready = Vec::new();
        poller.wait(Some(Duration::from_secs(5)), &mut ready).unwrap();
        assert!(ready[0].readable && ready[0].ended, "{ready:?}");
        let mut bytes = [0; 100];
        let mut read = || crate::stream::read(near.as_fd(), &mut bytes).map(|len| bytes[..len].to_vec());
        assert_eq!((read().unwrap(), read().unwrap()), (b"aaa".to_vec(), b"bccc".to_vec()));
    }

    #[test]
    fn limits_are_kept_to_a_fraction_of_a_millisecond() {
        fine_timers();
        for coarse in [false, true] {
            let mut poller = Poller { coarse, ..Poller::new().unwrap() };
            let mut waits: Vec<Duration> = Vec::new();
            for _ in 0..21 {
                let began = Instant::now();
                poller.wait(Some(Duration::from_micros(300)), &mut Vec::new()).unwrap();
                waits.push(began.elapsed());
            }
            waits.sort();
            assert!(waits[0] >= Duration::from_micros(300), "never early: {waits:?}");
            // A busy machine may be late now and then, not in most cases.
            assert_eq!(waits[10] >= Duration::from_millis(1), poller.coarse, "{waits:?}");
        }
    }
}
