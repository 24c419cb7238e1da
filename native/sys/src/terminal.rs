//! Terminals: whose turn it is on the controlling one, and pseudo terminals for guests without one.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::unistd::{Pid, getpgrp, setsid, tcgetpgrp, tcsetpgrp};

/// Both ends of a new pseudo terminal, close-on-exec.
#[derive(Debug)]
pub struct PseudoTerminal {
    pub master: OwnedFd,
    pub slave: OwnedFd,
}

impl PseudoTerminal {
    pub fn open(rows: u16, columns: u16) -> io::Result<Self> {
        use nix::fcntl::{FcntlArg, FdFlag, fcntl};
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = nix::pty::openpty(&size, None)?;
        for fd in [&pair.master, &pair.slave] {
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        }
        Ok(Self { master: pair.master, slave: pair.slave })
    }
}

/// Starts a session with `terminal` as its controlling terminal.
pub fn take_as_controlling(terminal: BorrowedFd<'_>) -> io::Result<()> {
    setsid()?;
    // SAFETY: TIOCSCTTY takes its argument as a number; 0: do not steal it from another session.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY as _, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Starts a session without a terminal.
pub fn new_session() -> io::Result<()> {
    setsid()?;
    Ok(())
}

/// The foreground process group of the caller's controlling terminal, if `fd` is that terminal.
pub fn foreground_group(fd: BorrowedFd<'_>) -> Option<Pid> {
    tcgetpgrp(fd).ok()
}

pub fn own_group() -> Pid {
    getpgrp()
}

/// Whether no process is left in the group.
pub fn group_is_dead(group: Pid) -> bool {
    nix::sys::signal::killpg(group, None) == Err(nix::errno::Errno::ESRCH)
}

/// Gives the terminal back to the caller's group. The caller has SIGTTOU blocked, or it would be stopped for asking.
pub fn take_foreground(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(tcsetpgrp(fd, getpgrp())?)
}
