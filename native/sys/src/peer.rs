//! Who is at the other end of a unix socket.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use nix::sys::socket::{getsockopt, sockopt};

/// As the kernel saw it when the connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub uid: u32,
    pub gid: u32,
    pub pid: i32,
    /// False as well when it cannot be found out: whoever hides from us does not get in.
    pub same_user_namespace: bool,
}

/// The peer of a connected unix socket.
///
/// The user namespace is read from /proc. Between connecting and that read the process may end and its number be given to another
/// one of the same user; where the kernel offers a pidfd of the peer (Linux 6.5), the read is checked against it.
pub fn identify(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let credentials = getsockopt(&socket, sockopt::PeerCredentials)?;
    let pid = credentials.pid();
    let handle: Option<OwnedFd> = getsockopt(&socket, sockopt::PeerPidfd).ok();
    let own = fs::read_link("/proc/self/ns/user")?;
    let same = fs::read_link(format!("/proc/{pid}/ns/user")).is_ok_and(|theirs| theirs == own);
    let still_there = match &handle {
        Some(handle) => crate::pidfd::number(handle.as_fd())? == Some(pid),
        None => true,
    };
    Ok(Peer { uid: credentials.uid(), gid: credentials.gid(), pid, same_user_namespace: same && still_there })
}

/// [`identify`] for a runtime that knows its sockets by number. EBADF for a number that is no descriptor.
pub fn identify_number(number: RawFd) -> io::Result<Peer> {
    if number < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: not -1, and used only for getsockopt within this call: on a descriptor that was closed or reused meanwhile, that
    // answers an error or names another peer, and touches no memory but its own result.
    let socket = unsafe { BorrowedFd::borrow_raw(number) };
    identify(socket)
}
