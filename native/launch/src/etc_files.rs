//! The guest's own /etc/hosts, /etc/hostname and /etc/resolv.conf.
//!
//! # Theory of operation
//!
//! A bind mount over the host's file fails where there is none, or where it is a symlink to nowhere; and it is silently taken
//! away when somebody on the host renames another file over it. So the whole of /etc is put behind a layer of
//! our own first, in which the three names are plain files, and the daemon's files are bound over those:
//!
//! - an overlay with the host's /etc below and a small tmpfs on top (Linux 5.11), or where the kernel refuses that,
//! - a tmpfs in which everything of the host's /etc appears again: directories bound, symlinks copied (a relative one means
//!   the same there), files as links into a bind of the old directory.
//!
//! What the host mounted below its /etc (a container engine's own resolv.conf, for one) is carried over by binds.
//!
//! # Limits
//!
//! In the second form a file that appears on the host later is not seen. A guest with the caller's own uid cannot create files in
//! /etc, as on the host; root inside can, and they vanish with the container.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use unet_sys::mount;

use crate::failure::{Failure, Result, Step};
use crate::spec::{EtcFiles, User};

const ETC: &str = "/etc";
const OUR_NAMES: [&str; 3] = ["hosts", "hostname", "resolv.conf"];
/// Room for what root inside writes to /etc.
const LAYER_BYTES: u64 = 16 * 1024 * 1024;
/// Where the old /etc is bound in the second form.
const OLD: &str = ".host";

/// Which of the two forms the kernel allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Form {
    Overlay,
    Links,
}

/// An /etc in which the three names are plain files that can be mounted over.
#[derive(Debug)]
pub(crate) struct EtcView {
    form: Form,
}

impl EtcView {
    pub(crate) fn prepare(user: User) -> Result<Self> {
        let host = HostEtc::look().step("cannot read /etc")?;
        let Err(refused) = overlay(&host, user) else {
            return Ok(Self { form: Form::Overlay });
        };
        links(&host, user).map_err(|error| {
            Failure::own(format_args!(
                "cannot give the container an /etc of its own: no overlay ({refused}), no tmpfs ({error})"
            ))
        })?;
        Ok(Self { form: Form::Links })
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Mounts the daemon's files, read-only: the guest must not edit them, and sees what the daemon writes into them.
    pub(crate) fn show(&self, files: &EtcFiles) -> Result<()> {
        for (name, source) in OUR_NAMES.into_iter().zip([&files.hosts, &files.hostname, &files.resolv_conf]) {
            mount::bind_read_only(source, &Path::new(ETC).join(name)).map_err(|error| {
                Failure::own(format_args!("cannot mount {} as the container's /etc/{name}: {error}", source.display()))
            })?;
        }
        Ok(())
    }
}

/// The host's /etc, held so that it can be named when it is covered.
struct HostEtc {
    directory: OwnedFd,
    /// Mounts below it, outermost first.
    mounts: Vec<(PathBuf, OwnedFd)>,
}

impl HostEtc {
    fn look() -> io::Result<Self> {
        let directory = mount::hold(Path::new(ETC))?;
        let table = fs::read("/proc/self/mountinfo")?;
        let mounts = mounts_below_etc(&table)
            .into_iter()
            .filter_map(|path| mount::hold(&path).ok().map(|held| (path, held)))
            .collect();
        Ok(Self { directory, mounts })
    }

    fn path(&self) -> PathBuf {
        mount::held_path(self.directory.as_fd())
    }

    /// Puts the mounts back in the view. One that cannot be put back (its place is gone) is left out.
    fn carry_over(&self) {
        for (path, held) in &self.mounts {
            let _ = mount::bind(&mount::held_path(held.as_fd()), path);
        }
    }
}

/// The mount points right below /etc: what is mounted below one of them comes along with it. Our own three are not wanted.
fn mounts_below_etc(mountinfo: &[u8]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = mountinfo
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(unescape)
        .filter(|path| path.starts_with(ETC) && path != Path::new(ETC))
        .filter(|path| !OUR_NAMES.iter().any(|name| path == &Path::new(ETC).join(name)))
        .collect();
    found.sort();
    found.dedup();
    let mut outermost: Vec<PathBuf> = Vec::new();
    for path in found {
        if !outermost.iter().any(|outer| path.starts_with(outer)) {
            outermost.push(path);
        }
    }
    outermost
}

/// mountinfo writes space, tab, newline and backslash as `\ooo`.
fn unescape(text: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let octal = tail.get(..3).filter(|_| *first == b'\\').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        match octal {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

fn overlay(host: &HostEtc, user: User) -> io::Result<()> {
    let etc = Path::new(ETC);
    // The layer lies on /etc itself, where the overlay covers it: no other place is sure to exist and to be of no use.
    mount::tmpfs(etc, LAYER_BYTES, 0o755)?;
    let made = (|| {
        let (upper, work) = (etc.join("upper"), etc.join("work"));
        fs::create_dir(&upper)?;
        fs::create_dir(&work)?;
        fill(&upper, user)?;
        mount::overlay(etc, &host.path(), &upper, &work)
    })();
    if made.is_err() {
        mount::detach(etc)?;
        return made;
    }
    host.carry_over();
    Ok(())
}

fn links(host: &HostEtc, user: User) -> io::Result<()> {
    let etc = Path::new(ETC);
    mount::tmpfs(etc, LAYER_BYTES, 0o755)?;
    let old = etc.join(OLD);
    fs::create_dir(&old)?;
    mount::bind(&host.path(), &old)?;
    for entry in fs::read_dir(&old)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        if OUR_NAMES.iter().any(|ours| name == *ours) {
            continue;
        }
        let place = etc.join(&name);
        if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, place)?;
        } else if kind.is_dir() {
            fs::create_dir(&place)?;
            mount::bind(&entry.path(), &place)?;
        } else {
            symlink(Path::new(OLD).join(&name), place)?;
        }
    }
    fill(etc, user)?;
    host.carry_over();
    Ok(())
}

/// Makes the three places, and the directory as unwritable as the host's is for the caller.
fn fill(directory: &Path, user: User) -> io::Result<()> {
    for name in OUR_NAMES {
        fs::write(directory.join(name), "")?;
    }
    let mode = match user {
        User::Caller => 0o555,
        User::Root => 0o755,
    };
    fs::set_permissions(directory, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_below_etc_are_found_once_and_without_ours() {
        let table = b"22 1 254:0 / / rw - ext4 /dev/vda rw\n\
            30 22 0:5 / /etc/ssl rw - tmpfs t rw\n\
            31 30 0:6 / /etc/ssl/certs rw - tmpfs t rw\n\
            32 22 0:7 /x /etc/hosts rw - ext4 d rw\n\
            33 22 0:7 /y /etc/resolv.conf rw - ext4 d rw\n\
            34 22 0:8 / /etc/a\\040b rw - tmpfs t rw\n\
            35 22 0:8 / /etcetera rw - tmpfs t rw\n\
            36 22 0:9 / /etc rw - tmpfs t rw\n\
            37 22 0:8 / /etc/ssl rw - tmpfs again rw\n";
        assert_eq!(mounts_below_etc(table), [PathBuf::from("/etc/a b"), PathBuf::from("/etc/ssl")]);
    }

    #[test]
    fn escapes_that_are_none_stay() {
        assert_eq!(unescape(b"/a\\134b\\04"), PathBuf::from("/a\\b\\04"));
    }
}
