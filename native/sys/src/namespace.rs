//! Leaving the host's namespaces: unshare(2) and the id maps of a user namespace.
//!
//! A process without privileges may map exactly one uid and one gid, its own, and must have given up setgroups(2) before it
//! writes the gid map; the uid map comes last, because writing it first makes the gid map EPERM (launch order).

use std::fs::OpenOptions;
use std::io::{self, Write};

use nix::sched::CloneFlags;
pub use nix::unistd::{Gid, Pid, Uid};

/// The namespaces the launcher makes, one by one and in its own order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    User,
    Network,
    /// Takes effect for children only: the first one forked afterwards is its init.
    Pid,
    Mount,
    Hostname,
    Ipc,
}

impl Namespace {
    fn flag(self) -> CloneFlags {
        match self {
            Self::User => CloneFlags::CLONE_NEWUSER,
            Self::Network => CloneFlags::CLONE_NEWNET,
            Self::Pid => CloneFlags::CLONE_NEWPID,
            Self::Mount => CloneFlags::CLONE_NEWNS,
            Self::Hostname => CloneFlags::CLONE_NEWUTS,
            Self::Ipc => CloneFlags::CLONE_NEWIPC,
        }
    }

    /// The sysctl that bounds how many of this kind a user may have.
    pub fn limit_sysctl(self) -> &'static str {
        match self {
            Self::User => "user.max_user_namespaces",
            Self::Network => "user.max_net_namespaces",
            Self::Pid => "user.max_pid_namespaces",
            Self::Mount => "user.max_mnt_namespaces",
            Self::Hostname => "user.max_uts_namespaces",
            Self::Ipc => "user.max_ipc_namespaces",
        }
    }
}

/// Leaves the given namespaces for new ones.
pub fn leave(namespaces: &[Namespace]) -> io::Result<()> {
    let flags = namespaces.iter().fold(CloneFlags::empty(), |flags, one| flags | one.flag());
    Ok(nix::sched::unshare(flags)?)
}

/// Maps one uid and one gid of the parent namespace into the user namespace that the caller has just made.
pub fn map_one_user(inside: (u32, u32), outside: (Uid, Gid)) -> io::Result<()> {
    // Kernels without setgroups control (before 3.19) are not supported, so an error here is an error.
    write_once("/proc/self/setgroups", "deny")?;
    write_once("/proc/self/gid_map", &format!("{} {} 1\n", inside.1, outside.1))?;
    write_once("/proc/self/uid_map", &format!("{} {} 1\n", inside.0, outside.0))
}

/// The kernel takes an id map in one write only.
fn write_once(path: &str, text: &str) -> io::Result<()> {
    let written = OpenOptions::new().write(true).open(path)?.write(text.as_bytes())?;
    if written == text.len() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::WriteZero)) }
}

/// The caller's effective ids.
pub fn caller() -> (Uid, Gid) {
    (Uid::effective(), Gid::effective())
}

pub fn set_hostname(name: &str) -> io::Result<()> {
    Ok(nix::unistd::sethostname(name)?)
}

/// The caller's effective group and its supplementary ones.
pub fn groups() -> Vec<u32> {
    let supplementary = nix::unistd::getgroups().unwrap_or_default();
    std::iter::once(Gid::effective()).chain(supplementary).map(Gid::as_raw).collect()
}

/// A process id; `None` for numbers that mean a group or everybody to the calls that take one.
pub fn pid(number: i32) -> Option<Pid> {
    (number > 0).then(|| Pid::from_raw(number))
}
