//! Forking without exec, for the launcher: safe because it is refused in a process that has more than one thread.
//!
//! In a single-threaded process the child of a fork is an ordinary program: no lock can be held by a thread that no longer
//! exists, so it may allocate, panic and open files like any other. That is what makes these functions safe to call.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

/// Exit status of a child whose body panicked.
const PANICKED: i32 = 125;

/// Who will be the parent of the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    /// The caller, as with fork(2).
    Caller,
    /// The caller's own parent (`CLONE_PARENT`): it gets the child's exit status and its parent-death signal is tied to it.
    CallersParent,
}

/// Forks: `None` in the child. A child ends with [`end_child`] and never returns into its parent's business.
pub fn fork(parent: Parent) -> io::Result<Option<Pid>> {
    refuse_threads()?;
    let pid = match parent {
        // SAFETY: the process has one thread (checked above), so the child may run any code.
        Parent::Caller => unsafe { libc::fork() },
        // SAFETY: as above. A raw clone without CLONE_VM and with a null stack behaves as fork: the child
        // gets a copy of the address space and goes on on its copy of this stack. glibc's fork handlers do
        // not run; with one thread there is no lock that they would have to mend, and glibc asks the
        // kernel for the process id each time. The exit signal is the caller's own (SIGCHLD).
        Parent::CallersParent => unsafe {
            let flags = libc::c_long::from(libc::SIGCHLD | libc::CLONE_PARENT);
            libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) as libc::pid_t
        },
    };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        pid => Ok(Some(Pid::from_raw(pid))),
    }
}

/// Runs what a forked child is for, and ends it with the status returned. Exit handlers and destructors
/// of the parent's copy do not run.
pub fn end_child(body: impl FnOnce() -> i32) -> ! {
    let status = catch_unwind(AssertUnwindSafe(body)).unwrap_or(PANICKED);
    // SAFETY: `_exit` ends the process at once and touches no memory.
    unsafe { libc::_exit(status) }
}

fn refuse_threads() -> io::Result<()> {
    let threads = fs::read_dir("/proc/self/task")?.count();
    if threads == 1 {
        return Ok(());
    }
    Err(io::Error::other(format!("refusing to fork a process with {threads} threads")))
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Exited(i32),
    Signaled(i32),
}

/// Takes the status of any child that has ended, without waiting: `None` when no child has, or there is none at all.
pub fn reap_any() -> io::Result<Option<(Pid, Ended)>> {
    reap(Pid::from_raw(-1), false)
}

/// Waits for one child.
pub fn wait_for(pid: Pid) -> io::Result<Ended> {
    loop {
        if let Some((_, ended)) = reap(pid, true)? {
            return Ok(ended);
        }
    }
}

/// Takes the status of one child if it has ended.
pub fn try_wait_for(pid: Pid) -> io::Result<Option<Ended>> {
    Ok(reap(pid, false)?.map(|(_, ended)| ended))
}

fn reap(pid: Pid, block: bool) -> io::Result<Option<(Pid, Ended)>> {
    use nix::errno::Errno;
    use nix::sys::wait::{WaitPidFlag, waitpid};
    let flags = if block { WaitPidFlag::empty() } else { WaitPidFlag::WNOHANG };
    loop {
        return match waitpid(pid, Some(flags)) {
            Ok(WaitStatus::Exited(pid, code)) => Ok(Some((pid, Ended::Exited(code)))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => Ok(Some((pid, Ended::Signaled(signal as i32)))),
            Ok(_) => Ok(None),
            Err(Errno::EINTR) => continue,
            Err(Errno::ECHILD) if !block => Ok(None),
            Err(errno) => Err(errno.into()),
        };
    }
}

/// The process id of the caller's parent.
pub fn parent() -> i32 {
    nix::unistd::getppid().as_raw()
}
