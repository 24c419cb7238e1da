//! What Node lacks: flock, leases, and who is at the other end of a unix socket.

use napi_derive::napi;
use std::path::Path;
use std::time::Duration;
use unet_sys::{lease, lock, peer};

use crate::convert::{Result, io_failed};

const MAX_PATIENCE_MICROS: u32 = 100_000;

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

/// Replaces the content of a file in place while nobody else has it open; false when somebody had, all through `patience`
/// (microseconds, at most 100,000, in which this thread does nothing else), and nothing was written.
#[napi(catch_unwind)]
pub fn overwrite_unopened(path: String, content: String, patience: u32) -> Result<bool> {
    let patience = Duration::from_micros(patience.min(MAX_PATIENCE_MICROS).into());
    lease::overwrite_unopened(Path::new(&path), content.as_bytes(), patience).map_err(io_failed)
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
