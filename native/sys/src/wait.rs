//! Waiting for one of a few descriptors: poll(2) for set-up code. The packet path has epoll.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// What a descriptor is waited for, and what came of it.
#[derive(Debug)]
pub struct Waiting<'fd>(PollFd<'fd>);

impl<'fd> Waiting<'fd> {
    pub fn to_read(fd: BorrowedFd<'fd>) -> Self {
        Self(PollFd::new(fd, PollFlags::POLLIN))
    }

    /// There is something to read, an end or an error: in each case a read will not block.
    pub fn is_ready(&self) -> bool {
        self.0.any().unwrap_or(false)
    }
}

/// Waits until one is ready or the time is up (`None`: no limit); an interrupting signal counts as the time being up.
pub fn wait(waiting: &mut [Waiting<'_>], limit: Option<Duration>) -> io::Result<()> {
    // Rounded up, so that a wait for a deadline does not spin through the last millisecond.
    let timeout = match limit {
        None => PollTimeout::NONE,
        Some(limit) => PollTimeout::try_from(limit.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX),
    };
    let mut fds: Vec<PollFd<'_>> = waiting.iter().map(|one| one.0.clone()).collect();
    match poll(&mut fds, timeout) {
        Ok(_) => {}
        Err(nix::errno::Errno::EINTR) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    }
    for (one, polled) in waiting.iter_mut().zip(fds) {
        one.0 = polled;
    }
    Ok(())
}
