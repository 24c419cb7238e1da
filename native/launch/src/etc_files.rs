//! The guest's own /etc/hosts, /etc/hostname and /etc/resolv.conf.
//!
//! # Theory of operation
//!
//! A bind mount over the host's file fails where there is none, or where it is a symlink to nowhere; and it is silently taken
//! away when somebody on the host renames another file over it. So the whole of /etc is put behind a layer of
//! our own first, in which the three names are plain files, and the daemon's files are bound over those:
//!
//! - an overlay with the host's /etc below and a small tmpfs on top (Linux 5.11; refused too where something is mounted below
//!   /etc, as in a container: what a mount hides must stay hidden from a namespace with fewer privileges),
//! - or a tmpfs in which everything of the host's /etc appears again: directories bound, symlinks copied (a relative one means
//!   the same there), files as links into a copy of the old directory.
//!
//! # Limits
//!
//! In the second form a file that appears on the host later is not seen. A guest with the caller's own uid cannot create files in
//! /etc, as on the host; root inside can, and they vanish with the container
//! (before Linux 6.6 a tmpfs has no user attributes, and a new directory in the place of one of the host's is refused with EIO).

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde::{Deserialize, Serialize};
use unet_sys::mount;

use crate::failure::{Failure, Result};
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
        // Made before anything covers it: a bind of it later would hold the cover too.
        let host = mount::clone_tree(Path::new(ETC));
        let Err(refused) = overlay(user) else {
            return Ok(Self { form: Form::Overlay });
        };
        host.and_then(|host| links(host.as_fd(), user)).map_err(|error| {
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

fn overlay(user: User) -> io::Result<()> {
    let etc = Path::new(ETC);
    let host = mount::hold(etc)?;
    // The layer lies on /etc itself, where the overlay covers it: no other place is sure to exist and to be of no use.
    mount::tmpfs(etc, LAYER_BYTES, 0o755)?;
    let made = (|| {
        let (upper, work) = (etc.join("upper"), etc.join("work"));
        fs::create_dir(&upper)?;
        fs::create_dir(&work)?;
        fill(&upper, user)?;
        mount::overlay(etc, &mount::held_path(host.as_fd()), &upper, &work)
    })();
    if made.is_err() {
        mount::detach(etc)?;
    }
    made
}

fn links(host: BorrowedFd<'_>, user: User) -> io::Result<()> {
    let etc = Path::new(ETC);
    mount::tmpfs(etc, LAYER_BYTES, 0o755)?;
    let old = etc.join(OLD);
    fs::create_dir(&old)?;
    mount::attach_tree(host, &old)?;
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
    fill(etc, user)
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
