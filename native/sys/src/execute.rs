//! Becoming another program, and what it inherits: descriptors and resource limits.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Replaces the process. Returns only when that failed.
pub fn execute(path: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
    match nix::unistd::execve(path, arguments, environment) {
        Ok(never) => match never {},
        Err(errno) => errno.into(),
    }
}

/// Puts `from` in place of a standard descriptor (0, 1, 2), inheritable.
pub fn replace_standard(from: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    assert!((0..=2).contains(&number), "only the standard descriptors are nobody's property");
    // dup3 refuses equal numbers, dup2 would leave close-on-exec set.
    if from.as_raw_fd() == number {
        use nix::fcntl::{FcntlArg, FdFlag, fcntl};
        fcntl(from, FcntlArg::F_SETFD(FdFlag::empty()))?;
        return Ok(());
    }
    // SAFETY: the standard descriptors are not owned by any object of ours, so none is closed behind its owner's back.
    let result = unsafe { libc::dup2(from.as_raw_fd(), number) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Closes every descriptor from `first` on.
///
/// # Safety
///
/// No object in the process may own one of them.
unsafe fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: close_range takes three numbers; that nobody owns the descriptors is the caller's promise.
    if unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0_u32) } == 0 {
        return Ok(());
    }
    // Before Linux 5.9.
    let numbers: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd >= first as RawFd)
        .collect();
    for fd in numbers {
        // SAFETY: as above; the directory's own descriptor is closed already and gives EBADF, which is ignored.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

/// What a process was started with, taken over once at its very start.
#[derive(Debug)]
pub struct Inherited(());

impl Inherited {
    /// Once in the life of a process, before it has opened anything: takes the descriptor `number` (3 or above), and closes
    /// every other one above the standard three. `None` asks for no descriptor.
    pub fn take(number: Option<RawFd>) -> io::Result<Option<std::os::fd::OwnedFd>> {
        use std::os::fd::{FromRawFd, OwnedFd};
        use std::sync::atomic::{AtomicBool, Ordering};
        static TAKEN: AtomicBool = AtomicBool::new(false);
        assert!(!TAKEN.swap(true, Ordering::SeqCst), "inherited descriptors are taken once");
        let kept = match number {
            Some(number) if number < 3 => return Err(io::Error::from_raw_os_error(libc::EBADF)),
            Some(number) => {
                // SAFETY: fcntl on a number; a bad one is EBADF. The copy is a new descriptor that nothing else owns.
                let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
                if copy < 0 {
                    return Err(io::Error::last_os_error());
                }
                // SAFETY: as above.
                Some(unsafe { OwnedFd::from_raw_fd(copy) })
            }
            None => None,
        };
        // Leave only the copy, moved to the lowest place: 3.
        let Some(kept) = kept else {
            // SAFETY: this runs once, before anything was opened (documented above and asserted).
            unsafe { close_from(3) }?;
            return Ok(None);
        };
        let low = if kept.as_raw_fd() == 3 {
            kept
        } else {
            // SAFETY: 3 is inherited and owned by nobody here; dup3 makes it ours.
            let low = unsafe { libc::dup3(kept.as_raw_fd(), 3, libc::O_CLOEXEC) };
            if low < 0 {
                return Err(io::Error::last_os_error());
            }
            drop(kept);
            // SAFETY: the descriptor was just made.
            unsafe { OwnedFd::from_raw_fd(low) }
        };
        // SAFETY: this runs once, before anything was opened (documented above and asserted).
        unsafe { close_from(4) }?;
        Ok(Some(low))
    }
}

/// Sets the soft limit on open files; the hard one stays, so that a program can raise it again.
pub fn set_soft_open_files(soft: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, soft.min(hard), hard)?)
}

pub fn soft_open_files() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.0)
}
