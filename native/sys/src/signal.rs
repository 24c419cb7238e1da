//! Signals of a single-threaded process: blocked, and read from a descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

pub use nix::sys::signal::Signal as Name;

/// A signal as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    pub signal: i32,
    /// The kernel's own doing (the terminal's keys, a hang-up), not a process's.
    pub from_kernel: bool,
    /// The sender's process id, as its own PID namespace numbers it; 0 for the kernel and for senders of an outer namespace.
    pub sender: i32,
}

/// Blocked signals and the descriptor that yields them.
#[derive(Debug)]
pub struct Signals {
    descriptor: SignalFd,
}

impl Signals {
    /// Blocks `listed` (in addition to what is blocked) and makes them readable. `also_blocked` are blocked only.
    pub fn listen(listed: &[Signal], also_blocked: &[Signal]) -> io::Result<Self> {
        let set: SigSet = listed.iter().copied().collect();
        let all: SigSet = listed.iter().chain(also_blocked).copied().collect();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&all), None)?;
        let descriptor = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { descriptor })
    }

    /// The next one that waits.
    pub fn next(&self) -> io::Result<Option<Arrived>> {
        let Some(info) = self.descriptor.read_signal()? else {
            return Ok(None);
        };
        Ok(Some(Arrived { signal: info.ssi_signo as i32, from_kernel: info.ssi_code > 0, sender: info.ssi_pid as i32 }))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// A saved signal mask.
#[derive(Debug, Clone, Copy)]
pub struct Mask(SigSet);

pub fn current_mask() -> io::Result<Mask> {
    let mut set = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, None, Some(&mut set))?;
    Ok(Mask(set))
}

pub fn restore_mask(mask: &Mask) -> io::Result<()> {
    Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask.0), None)?)
}

/// Blocks everything that can be blocked.
pub fn block_all() -> io::Result<()> {
    Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None)?)
}

/// Back to the default action. Rust's runtime ignores SIGPIPE from the start, and an exec would hand that on.
pub fn reset(signal: Signal) -> io::Result<()> {
    // SAFETY: the default action is installed, no handler of ours is involved.
    unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }?;
    Ok(())
}
