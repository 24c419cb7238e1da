//! SEQPACKET unix sockets that carry one packet and at most one file descriptor at a time.
//!
//! Used in two places: the hand-over of a TAP from the launcher to the engine, and the launcher's own channel between its
//! supervisor and the processes inside. A packet is never split, so a message is one `send` and one `recv`.
//!
//! Limits: a packet is at most [`MAX_PACKET`] bytes; a longer one is an error of its sender and is refused by the receiver
//! (the kernel cuts it and says so). A peer that sends more than one descriptor has the others closed at once.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, MsgFlags, Shutdown, SockFlag, SockType, UnixAddr, accept4, bind, connect,
    listen, sendmsg, shutdown, socket, socketpair,
};

/// The longest packet that is sent or taken.
pub const MAX_PACKET: usize = 64 * 1024;

/// Room for control data: descriptors beyond the one that is wanted arrive and are closed here; what does not fit the kernel
/// closes itself (`MSG_CTRUNC`).
const CONTROL_BYTES: usize = 64;

/// A packet as it was received.
#[derive(Debug)]
pub struct Packet {
    pub length: usize,
    pub fd: Option<OwnedFd>,
}

/// A pair of connected SEQPACKET sockets, both close-on-exec, both blocking.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Binds and listens at `path`. The caller has removed a stale socket and holds whatever lock makes that safe.
pub fn listen_at(path: &Path, backlog: i32, nonblocking: bool) -> io::Result<OwnedFd> {
    let mut flags = SockFlag::SOCK_CLOEXEC;
    if nonblocking {
        flags |= SockFlag::SOCK_NONBLOCK;
    }
    let fd = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    let parent = ParentDirectory::open(path)?;
    bind(fd.as_raw_fd(), &parent.address()?)?;
    listen(&fd, Backlog::new(backlog)?)?;
    Ok(fd)
}

/// Takes one waiting connection; `WouldBlock` when there is none and the listener is non-blocking.
pub fn accept(listener: BorrowedFd<'_>, nonblocking: bool) -> io::Result<OwnedFd> {
    let mut flags = SockFlag::SOCK_CLOEXEC;
    if nonblocking {
        flags |= SockFlag::SOCK_NONBLOCK;
    }
    let raw = accept4(listener.as_raw_fd(), flags)?;
    // SAFETY: accept4 returned a new descriptor that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Connects to the listener at `path`. The socket is close-on-exec and blocking.
pub fn connect_to(path: &Path) -> io::Result<OwnedFd> {
    let fd = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    let parent = ParentDirectory::open(path)?;
    connect(fd.as_raw_fd(), &parent.address()?)?;
    Ok(fd)
}

/// Sends one packet, with a descriptor when one is given. `flags` may hold `MSG_DONTWAIT`; `MSG_NOSIGNAL` is always set.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], fd: Option<BorrowedFd<'_>>, dont_wait: bool) -> io::Result<()> {
    if bytes.len() > MAX_PACKET {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    let mut flags = MsgFlags::MSG_NOSIGNAL;
    if dont_wait {
        flags |= MsgFlags::MSG_DONTWAIT;
    }
    let iov = [IoSlice::new(bytes)];
    let raw: Option<[RawFd; 1]> = fd.map(|fd| [fd.as_raw_fd()]);
    let rights = raw.as_ref().map(|raw| ControlMessage::ScmRights(raw));
    loop {
        match sendmsg::<()>(socket.as_raw_fd(), &iov, rights.as_slice(), flags, None) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Receives one packet into `buffer`. `Ok(None)` is the end of the stream. A packet that did not fit is `InvalidData`
/// (its descriptors are closed), because half a message means nothing.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8], dont_wait: bool) -> io::Result<Option<Packet>> {
    let mut flags = libc::MSG_CMSG_CLOEXEC;
    if dont_wait {
        flags |= libc::MSG_DONTWAIT;
    }
    let (length, cut, fds) = receive_raw(socket, buffer, flags)?;
    // The others are closed here.
    let mut fds = fds.into_iter();
    let fd = fds.next();
    if cut {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the packet is too long"));
    }
    if length == 0 && fd.is_none() {
        return Ok(None);
    }
    Ok(Some(Packet { length, fd }))
}

/// recvmsg by hand: nix gives no access to the descriptors of a packet whose control data was cut (`MSG_CTRUNC`: more than fit,
/// or than our table has room for), and those that did arrive would stay open for ever.
fn receive_raw(socket: BorrowedFd<'_>, buffer: &mut [u8], flags: i32) -> io::Result<(usize, bool, Vec<OwnedFd>)> {
    // Of u64, so that headers in it are aligned.
    let mut control = [0u64; CONTROL_BYTES / size_of::<u64>()];
    let mut iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all zeros is a valid msghdr (null pointers with zero lengths).
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = CONTROL_BYTES;
    let length = loop {
        // SAFETY: `message` points at one iovec over `buffer` and at `control`, with their true sizes; all three outlive the call.
        let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
        match usize::try_from(received) {
            Ok(length) => break length,
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.raw_os_error() != Some(libc::EINTR) {
                    return Err(error);
                }
            }
        }
    };
    let mut fds = Vec::new();
    // SAFETY: the kernel has written `msg_controllen` bytes of whole headers into `control`; the macros walk within them and give null
    // at the end. Each descriptor in an SCM_RIGHTS header has just been installed for us and is owned by nothing else; they are read
    // unaligned, as many as the header's length says.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let bytes = (*header).cmsg_len - libc::CMSG_LEN(0) as usize;
                let data = libc::CMSG_DATA(header).cast::<RawFd>();
                for n in 0..bytes / size_of::<RawFd>() {
                    fds.push(OwnedFd::from_raw_fd(data.add(n).read_unaligned()));
                }
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    let cut = message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0;
    Ok((length, cut, fds))
}

/// Lets the other end send no more. What it sent before can still be received.
pub fn stop_receiving(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(shutdown(socket.as_raw_fd(), Shutdown::Read)?)
}

/// An address below an open directory. `sun_path` holds 108 bytes and a state directory may be deeper, so a long path is
/// reached as `/proc/self/fd/N/name`; a short one is used as it is, which also works where /proc is absent.
struct ParentDirectory {
    path: std::path::PathBuf,
    /// Keeps the descriptor that `path` names open.
    _directory: Option<OwnedFd>,
}

const SUN_PATH_MAX: usize = 107;

impl ParentDirectory {
    fn open(path: &Path) -> io::Result<Self> {
        if path.as_os_str().as_bytes().len() <= SUN_PATH_MAX {
            return Ok(Self { path: path.to_owned(), _directory: None });
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        };
        let directory = nix::fcntl::open(
            parent,
            nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_DIRECTORY | nix::fcntl::OFlag::O_CLOEXEC,
            nix::sys::stat::Mode::empty(),
        )?;
        let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
        Ok(Self { path, _directory: Some(directory) })
    }

    fn address(&self) -> io::Result<UnixAddr> {
        Ok(UnixAddr::new(&self.path)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_packet_carries_its_descriptor_and_keeps_its_bounds() {
        let (a, b) = pair().unwrap();
        let (read, write) = nix::unistd::pipe().unwrap();
        send(a.as_fd(), b"one", Some(write.as_fd()), false).unwrap();
        send(a.as_fd(), b"two", None, false).unwrap();
        drop(write);
        let mut buffer = [0; 16];
        let packet = receive(b.as_fd(), &mut buffer, true).unwrap().unwrap();
        assert_eq!(&buffer[..packet.length], b"one");
        let write = packet.fd.expect("the descriptor came along");
        nix::unistd::write(&write, b"x").unwrap();
        let mut one = [0; 1];
        assert_eq!(nix::unistd::read(&read, &mut one).unwrap(), 1);
        let packet = receive(b.as_fd(), &mut buffer, true).unwrap().unwrap();
        assert_eq!(&buffer[..packet.length], b"two");
        assert!(packet.fd.is_none());
        assert_eq!(receive(b.as_fd(), &mut buffer, true).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(a);
        assert!(receive(b.as_fd(), &mut buffer, true).unwrap().is_none());
    }

    #[test]
    fn a_packet_that_does_not_fit_is_refused_and_its_descriptor_closed() {
        let (a, b) = pair().unwrap();
        let (read, write) = nix::unistd::pipe().unwrap();
        send(a.as_fd(), b"longer than four", Some(write.as_fd()), false).unwrap();
        drop(write);
        let mut buffer = [0; 4];
        assert_eq!(receive(b.as_fd(), &mut buffer, true).unwrap_err().kind(), io::ErrorKind::InvalidData);
        // The only writer left was in the packet: the pipe is at its end.
        assert_eq!(nix::unistd::read(&read, &mut [0; 1]).unwrap(), 0);
    }

    #[test]
    fn surplus_descriptors_are_closed_however_many_come() {
        let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        for count in [2, 8, 9, 20, 200] {
            let (a, b) = pair().unwrap();
            let (read, write) = nix::unistd::pipe().unwrap();
            let raw: Vec<RawFd> = vec![write.as_raw_fd(); count];
            let iov = [IoSlice::new(b"many")];
            sendmsg::<()>(a.as_raw_fd(), &iov, &[ControlMessage::ScmRights(&raw)], MsgFlags::empty(), None).unwrap();
            drop(write);
            drop(receive(b.as_fd(), &mut [0; 16], true));
            // The only writers left were in the packet: the pipe is at its end when all of them are closed.
            assert_eq!(nix::unistd::read(&read, &mut [0; 1]).unwrap(), 0, "{count} descriptors ({} open)", open());
        }
    }

    #[test]
    fn last_words_survive_a_close_that_stops_receiving_first() {
        let (a, b) = pair().unwrap();
        send(b.as_fd(), b"never read", None, false).unwrap();
        send(a.as_fd(), b"last words", None, false).unwrap();
        stop_receiving(a.as_fd()).unwrap();
        assert_eq!(send(b.as_fd(), b"too late", None, false).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let mut buffer = [0; 16];
        while let Ok(Some(_)) = receive(a.as_fd(), &mut buffer, true) {}
        drop(a);
        let packet = receive(b.as_fd(), &mut buffer, true).unwrap().unwrap();
        assert_eq!(&buffer[..packet.length], b"last words");
        assert!(receive(b.as_fd(), &mut buffer, true).unwrap().is_none());
    }

    #[test]
    fn a_path_longer_than_sun_path_is_reached_through_its_directory() {
        let base = std::env::temp_dir().join(format!("unet-fdpass-{}", std::process::id()));
        let deep = base.join("d".repeat(100)).join("e".repeat(100));
        std::fs::create_dir_all(&deep).unwrap();
        let path = deep.join("handoff.sock");
        let listener = listen_at(&path, 4, true).unwrap();
        let client = connect_to(&path).unwrap();
        let server = accept(listener.as_fd(), true).unwrap();
        send(client.as_fd(), b"hello", None, false).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(receive(server.as_fd(), &mut buffer, false).unwrap().unwrap().length, 5);
        std::fs::remove_dir_all(&base).unwrap();
    }
}
