//! /proc, /sys and the masks of the guest.

use std::io;
use std::path::{Path, PathBuf};

use unet_sys::mount;

use crate::failure::{Failure, Result};

const CGROUPS: &str = "/sys/fs/cgroup";

/// A /proc of the guest's own PID namespace. EPERM where the host's is partly covered (in a container): the kernel does not
/// let a new one uncover it. Then the host's stays, which shows names of processes that cannot be touched from inside.
pub(crate) fn fresh_proc() -> io::Result<()> {
    mount::proc(Path::new("/proc"))
}

/// A /sys of the guest's own network namespace, with the host's cgroups put back in their place. Where that does not work, the
/// host's /sys stays: it lists the host's network interfaces and lets nobody change them.
pub(crate) fn fresh_sys() {
    let cgroups = mount::hold(Path::new(CGROUPS));
    if mount::sysfs(Path::new("/sys")).is_err() {
        return;
    }
    use std::os::fd::AsFd;
    if let Ok(cgroups) = cgroups
        && mount::bind(&mount::held_path(cgroups.as_fd()), Path::new(CGROUPS)).is_err()
    {
        // Programs read their limits there: without it they are better off with the host's /sys.
        let _ = mount::detach(Path::new("/sys"));
    }
}

/// Hides directories (the daemon's sockets and state) and single files from the guest. One that is not there is hidden enough.
pub(crate) fn mask(paths: &[PathBuf]) -> Result<()> {
    for path in paths {
        let hidden = match path.metadata() {
            Ok(metadata) if metadata.is_dir() => mount::mask(path),
            Ok(_) => mount::bind_read_only(Path::new("/dev/null"), path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        hidden.map_err(|error| {
            Failure::own(format_args!("cannot hide {} from the container: {error}", path.display()))
        })?;
    }
    Ok(())
}
