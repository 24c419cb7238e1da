//! What Node lacks: flock, and who is at the other end of a unix socket.

use napi_derive::napi;
use std::path::Path;
use unet_sys::{lock, peer};

use crate::convert::{Result, io_failed};

/// A lock on a file, held until `release` or the end of the process.
#[napi]
pub struct FileLock {
    held: Option<lock::FileLock>,
}

#[napi]
impl FileLock {
    /// Lets go. Calling it twice is no error.
    #[napi]
    pub fn release(&mut self) {
        self.held = None;
    }
}

/// Takes the lock on `path` (created 0600 when absent), or answers null when another process holds it.
#[napi(catch_unwind)]
pub fn lock_file(path: String) -> Result<Option<FileLock>> {
    let held = lock::try_lock(Path::new(&path)).map_err(io_failed)?;
    Ok(held.map(|held| FileLock { held: Some(held) }))
}

/// The process that connected to a unix socket, as the kernel saw it then.
#[napi(object)]
pub struct PeerIdentity {
    pub uid: u32,
    pub gid: u32,
    pub pid: i32,
    /// False as well when it cannot be found out.
    pub same_user_namespace: bool,
}

/// Says who connected to the unix socket `fd` (which stays the caller's).
#[napi(catch_unwind)]
pub fn peer_identity(fd: i32) -> Result<PeerIdentity> {
    let peer = peer::identify_number(fd).map_err(io_failed)?;
    Ok(PeerIdentity { uid: peer.uid, gid: peer.gid, pid: peer.pid, same_user_namespace: peer.same_user_namespace })
}
