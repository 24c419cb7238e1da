//! Noticing that something appears in a directory (inotify).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// A watched directory; readable when a name appeared in it.
#[derive(Debug)]
pub struct DirectoryWatch {
    events: Inotify,
}

impl DirectoryWatch {
    /// Fails when the directory is not there, or the user has too many watches (`fs.inotify.max_user_instances`).
    pub fn open(directory: &Path) -> io::Result<Self> {
        let events = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        events
            .add_watch(directory, AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_ONLYDIR)?;
        Ok(Self { events })
    }

    /// Forgets what was noticed so far.
    pub fn clear(&self) -> io::Result<()> {
        loop {
            match self.events.read_events() {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl AsFd for DirectoryWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}
