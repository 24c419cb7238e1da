//! Capabilities and the other one-way switches of a process: no_new_privs, dumpable.
//!
//! The launcher drops permitted, effective, inheritable and ambient, and leaves the bounding set full: without NET_RAW in it,
//! a `ping` with a file capability fails to exec with EPERM. With no_new_privs set such a file gains nothing anyway.

use std::io;

/// CAP_SETFCAP: needed by whoever maps uid 0 into a nested user namespace.
pub const SETFCAP: u8 = 31;

const VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Drops every capability of the calling thread but those in `keep`, which stay permitted and effective.
/// Keeping one that the thread does not have is EPERM.
pub fn keep_only(keep: &[u8]) -> io::Result<()> {
    let mask = keep.iter().fold(0_u64, |mask, cap| mask | 1 << cap);
    let word = |shift: u32| (mask >> shift) as u32;
    let data = [0, 32].map(|shift| Data { effective: word(shift), permitted: word(shift), inheritable: 0 });
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong)?;
    let header = Header { version: VERSION_3, pid: 0 };
    // SAFETY: version 3 takes a header and two data words; both outlive the call and the kernel only reads the data.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// From here on no exec gains privileges: not by set-uid, not by file capabilities.
pub fn no_new_privileges() -> io::Result<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1)
}

/// Makes the process opaque to ptrace, pidfd_getfd and /proc for everybody without privileges over it. An exec undoes it.
pub fn not_dumpable() -> io::Result<()> {
    prctl(libc::PR_SET_DUMPABLE, 0)
}

/// The signal the caller gets when its parent (the thread that made it) dies. Not inherited by children.
pub fn parent_death_signal(signal: i32) -> io::Result<()> {
    prctl(libc::PR_SET_PDEATHSIG, signal as libc::c_ulong)
}

fn prctl(option: i32, argument: libc::c_ulong) -> io::Result<()> {
    // SAFETY: the options used in this file take plain numbers; unused arguments must be zero and are.
    let result = unsafe { libc::prctl(option, argument, 0_usize, 0_usize, 0_usize) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
