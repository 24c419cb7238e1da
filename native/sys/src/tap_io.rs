//! Frames in and out of a TAP queue.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// Reads one frame (behind its virtio-net header, where the queue has one).
pub fn read(tap: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(nix::unistd::read(tap, buffer)?)
}

/// Writes one frame from its pieces. A TAP takes a frame whole or not at all.
pub fn write(tap: BorrowedFd<'_>, pieces: &[IoSlice<'_>]) -> io::Result<()> {
    nix::sys::uio::writev(tap, pieces)?;
    Ok(())
}

/// Makes reads give up with `WouldBlock`. The flag belongs to the open file, so every duplicate gets it.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
