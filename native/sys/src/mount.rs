//! Mounts of the launcher. Every function does one mount(2) step in the caller's mount namespace.
//!
//! An open O_PATH descriptor ([`hold`]) keeps naming what a later mount covers: `/proc/self/fd/N` is then its path.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::sys::statvfs::{FsFlags, statvfs};

const NONE: Option<&str> = None;

/// Nothing that is mounted from here on reaches the host, and nothing mounted there reaches us.
pub fn make_private() -> io::Result<()> {
    Ok(mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?)
}

/// Opens a path without reading it, so that it can be named after something else was mounted over it.
pub fn hold(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?)
}

/// The path under which a held directory or file can still be named.
pub fn held_path(held: BorrowedFd<'_>) -> PathBuf {
    Path::new("/proc/self/fd").join(held.as_raw_fd().to_string())
}

/// The proc of the caller's PID namespace: possible only from inside it.
pub fn proc(target: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    Ok(mount(Some("proc"), target, Some("proc"), flags, NONE)?)
}

/// A sysfs of the caller's network namespace.
pub fn sysfs(target: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    Ok(mount(Some("sysfs"), target, Some("sysfs"), flags, NONE)?)
}

/// A tmpfs that keeps at most `size` bytes, its root with the given mode.
pub fn tmpfs(target: &Path, size: u64, mode: u32) -> io::Result<()> {
    let options = format!("size={size},mode={mode:o}");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    Ok(mount(Some("tmpfs"), target, Some("tmpfs"), flags, Some(options.as_str()))?)
}

/// An empty directory that nobody can write to or list, over `target`.
pub fn mask(target: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    Ok(mount(Some("tmpfs"), target, Some("tmpfs"), flags, Some("size=0,nr_inodes=1,mode=000"))?)
}

/// An overlay. Without privileges in the first user namespace `userxattr` is demanded. Linux 5.11.
pub fn overlay(target: &Path, lower: &Path, upper: &Path, work: &Path) -> io::Result<()> {
    let options =
        format!("lowerdir={},upperdir={},workdir={},userxattr", lower.display(), upper.display(), work.display());
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    Ok(mount(Some("overlay"), target, Some("overlay"), flags, Some(options.as_str()))?)
}

/// Shows `source` (with everything mounted below it) at `target` too.
pub fn bind(source: &Path, target: &Path) -> io::Result<()> {
    Ok(mount(Some(source), target, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE)?)
}

/// Shows one file or directory at `target` too, read-only, without devices, set-uid or programs.
pub fn bind_read_only(source: &Path, target: &Path) -> io::Result<()> {
    mount(Some(source), target, NONE, MsFlags::MS_BIND, NONE)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    let result = mount(NONE, target, NONE, MsFlags::MS_BIND | MsFlags::MS_REMOUNT | flags | locked(target)?, NONE);
    if let Err(errno) = result {
        // A writable bind would let the guest edit the file: better none at all.
        let _ = detach(target);
        return Err(errno.into());
    }
    Ok(())
}

/// A copy of the tree of mounts at `source`, attached nowhere yet. Unlike a bind of a held directory, it does not hold what
/// is mounted over `source` later. Linux 5.2.
pub fn clone_tree(source: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(source.as_os_str().as_bytes())?;
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE as libc::c_uint;
    // SAFETY: the path ends with a NUL and outlives the call; the rest are numbers.
    let raw = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nothing else owns; it fits an i32, as every descriptor does.
    Ok(unsafe { OwnedFd::from_raw_fd(raw as i32) })
}

/// Attaches what [`clone_tree`] gave.
pub fn attach_tree(tree: BorrowedFd<'_>, target: &Path) -> io::Result<()> {
    let target = CString::new(target.as_os_str().as_bytes())?;
    // SAFETY: both paths end with a NUL and outlive the call; the rest are numbers.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes the topmost mount at `target` away.
pub fn detach(target: &Path) -> io::Result<()> {
    Ok(umount2(target, MntFlags::MNT_DETACH)?)
}

/// The flags that a user namespace may not take off a mount that it inherited, in mount(2)'s words: a remount that leaves
/// one of them out is EPERM. (statvfs has no word for every one: nosymfollow, 5.10, is not seen, and such a mount fails.)
fn locked(path: &Path) -> io::Result<MsFlags> {
    let flags = statvfs(path)?.flags();
    Ok([
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ]
    .into_iter()
    .filter(|(seen, _)| flags.contains(*seen))
    .fold(MsFlags::empty(), |all, (_, flag)| all | flag))
}
