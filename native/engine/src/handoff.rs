//! Launchers: where a guest's TAP comes from, and the line on which its life is reported.
//!
//! A launcher connects to a SEQPACKET socket in the runtime directory, shows its ticket together with the TAP, and keeps the
//! connection for as long as the guest lives: what it says ("started", "exited") and its end are events for the owner, what
//! the owner wants ("go", "signal") goes the other way. When this process dies, launchers keep their guests running,
//! connect to the next one and show the same ticket with a duplicate of the same queue.
//!
//! Whoever connects must be of our own user and user namespace (a launcher's supervisor never leaves it, a guest is never in it); the
//! ticket, known to the one launcher only, says which endpoint it may have.

use crate::error::EngineError;
use crate::events::EventKind;
use crate::limits::{LAUNCHER_BUDGET, LAUNCHER_PATIENCE, MAX_LAUNCHERS};
use crate::ports::{LauncherId, Source, SourceId};
use crate::run::Loop;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use unet_core::Instant;
use unet_sys::event::Interest;
use unet_sys::fdpass;
use unet_sys::{peer, tap_create};

/// What a launcher says of its TAP.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Device {
    pub(crate) vnet_header: bool,
    #[serde(default)]
    vnet_header_size: u8,
    #[serde(default)]
    pub(crate) csum: bool,
    #[serde(default)]
    pub(crate) tso4: bool,
    #[serde(default)]
    pub(crate) tso6: bool,
    #[serde(default)]
    pub(crate) uso: bool,
}

/// From a launcher.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum FromLauncher {
    Attach { ticket: String, container_id: String, pid: u32, running: bool, device: Device },
    Started { pid: u32 },
    Failed { message: String, exit_code: i32 },
    Exited { exit_code: i32, signal: Option<i32> },
}

/// To a launcher.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum ToLauncher<'a> {
    Ready,
    Refused { reason: &'a str },
    Go,
    Abort { message: &'a str },
    Signal { signal: i32 },
}

#[derive(Debug)]
pub(crate) struct Launcher {
    fd: OwnedFd,
    source: SourceId,
    /// The endpoint whose ticket it has shown.
    endpoint: Option<String>,
    since: Instant,
}

impl Loop {
    pub(crate) fn on_handoff(&mut self) {
        loop {
            match fdpass::accept(self.handoff.as_fd(), true) {
                Ok(fd) => self.welcome(fd),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return,
            }
        }
    }

    fn welcome(&mut self, fd: OwnedFd) {
        let ours = peer::identify(fd.as_fd()).is_ok_and(|peer| peer.uid == self.uid && peer.same_user_namespace);
        if !ours || self.launchers.len() >= MAX_LAUNCHERS {
            return;
        }
        let since = self.clock.now();
        let Self { launchers, ports, .. } = self;
        let id = launchers.insert_with_key(|id| {
            let source = ports.watch(fd.as_fd(), Source::Launcher(id), Interest::Read);
            source.map(|source| Launcher { fd, source, endpoint: None, since })
        });
        if launchers[id].is_err() {
            launchers.remove(id);
        } else {
            self.strangers.insert(id);
        }
    }

    pub(crate) fn on_launcher(&mut self, id: LauncherId) {
        let mut reset = false;
        for _ in 0..LAUNCHER_BUDGET {
            let Some(Ok(launcher)) = self.launchers.get(id) else { return };
            match fdpass::receive(launcher.fd.as_fd(), &mut self.frame, true) {
                Ok(Some(packet)) => {
                    let message = serde_json::from_slice(self.frame.get(..packet.length).unwrap_or(&[]));
                    match message {
                        Ok(message) => self.on_message(id, message, packet.fd),
                        // Not our launcher, or another version of it.
                        Err(_) => return self.launcher_gone(id),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The launcher closed before it had read all we said. The kernel tells this once, before what it said itself: its
                // last words are still to come.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset && !reset => reset = true,
                Ok(None) | Err(_) => return self.launcher_gone(id),
            }
        }
    }

    fn on_message(&mut self, id: LauncherId, message: FromLauncher, fd: Option<OwnedFd>) {
        let Some(Ok(launcher)) = self.launchers.get(id) else { return };
        let endpoint = launcher.endpoint.clone();
        match (message, endpoint) {
            (FromLauncher::Attach { ticket, container_id, pid, running, device }, None) => {
                match self.redeem(id, &ticket, &container_id, fd, device) {
                    Ok(device) => {
                        self.say(id, &ToLauncher::Ready);
                        self.events.push(Some(&container_id), EventKind::Attached { pid, running, device });
                    }
                    Err(error) => {
                        self.say(id, &ToLauncher::Refused { reason: &error.to_string() });
                        self.close_launcher(id);
                    }
                }
            }
            (FromLauncher::Started { pid }, Some(name)) => {
                self.events.push(Some(&name), EventKind::Started { pid });
            }
            (FromLauncher::Failed { message, exit_code }, Some(name)) => {
                self.events.push(Some(&name), EventKind::Failed { message, exit_code });
            }
            (FromLauncher::Exited { exit_code, signal }, Some(name)) => {
                self.events.push(Some(&name), EventKind::Exited { exit_code, signal });
            }
            // Out of order: not our launcher.
            _ => self.launcher_gone(id),
        }
    }

    fn redeem(
        &mut self,
        id: LauncherId,
        ticket: &str,
        name: &str,
        fd: Option<OwnedFd>,
        device: Device,
    ) -> Result<&'static str, EngineError> {
        let fd = fd.ok_or(EngineError::Invalid("attach: no device came with it"))?;
        let endpoint = self.endpoints.get(name).ok_or(EngineError::NotFound("container"))?;
        if !same(endpoint.ticket.as_bytes(), ticket.as_bytes()) {
            return Err(EngineError::Invalid("ticket"));
        }
        // Anything but a TAP would make the loop read what it does not understand.
        let flags = tap_create::flags_of(fd.as_fd()).map_err(|_| EngineError::Invalid("device: not a TAP"))?;
        let is_tap = i32::from(flags) & libc::IFF_TAP != 0;
        let has_header = i32::from(flags) & libc::IFF_VNET_HDR != 0;
        let sized = !device.vnet_header || usize::from(device.vnet_header_size) == unet_core::wire::vnet::LEN;
        if !is_tap || has_header != device.vnet_header || !sized {
            return Err(EngineError::Invalid("device: not as described"));
        }
        let previous = endpoint.launcher;
        let attached = self.attach(name, fd, device)?;
        if let Some(previous) = previous {
            self.close_launcher(previous);
        }
        if let Some(endpoint) = self.endpoints.get_mut(name) {
            endpoint.launcher = Some(id);
        }
        if let Some(Ok(launcher)) = self.launchers.get_mut(id) {
            launcher.endpoint = Some(name.to_owned());
            self.strangers.remove(&id);
        }
        Ok(attached)
    }

    /// The connection ended: the launcher is dead, or not what it should be.
    fn launcher_gone(&mut self, id: LauncherId) {
        let Some(Ok(launcher)) = self.launchers.get(id) else { return };
        let name = launcher.endpoint.clone();
        self.close_launcher(id);
        let Some(name) = name else { return };
        if let Some(endpoint) = self.endpoints.get_mut(&name)
            && endpoint.launcher == Some(id)
        {
            endpoint.launcher = None;
            let endpoint = endpoint.id;
            self.detach(endpoint);
            self.events.push(Some(&name), EventKind::Detached);
        }
    }

    pub(crate) fn close_launcher(&mut self, id: LauncherId) {
        self.strangers.remove(&id);
        if let Some(Ok(launcher)) = self.launchers.remove(id) {
            self.ports.forget(launcher.source);
        }
    }

    /// Closes connections that never showed a ticket.
    pub(crate) fn sweep_launchers(&mut self) {
        let now = self.clock.now();
        let is_late = |id: LauncherId| matches!(self.launchers.get(id), Some(Ok(launcher)) if now.since(launcher.since) > LAUNCHER_PATIENCE);
        let late: Vec<_> = self.strangers.iter().copied().filter(|&id| is_late(id)).collect();
        for id in late {
            self.close_launcher(id);
        }
    }

    pub(crate) fn release(&mut self, name: &str) -> Result<(), EngineError> {
        self.tell(name, &ToLauncher::Go)
    }

    pub(crate) fn abort(&mut self, name: &str, message: &str) -> Result<(), EngineError> {
        self.tell(name, &ToLauncher::Abort { message })
    }

    pub(crate) fn signal_guest(&mut self, name: &str, signal: i32) -> Result<(), EngineError> {
        self.tell(name, &ToLauncher::Signal { signal })
    }

    fn tell(&mut self, name: &str, message: &ToLauncher<'_>) -> Result<(), EngineError> {
        let endpoint = self.endpoints.get(name).ok_or(EngineError::NotFound("endpoint"))?;
        let launcher = endpoint.launcher.ok_or(EngineError::NotFound("launcher of the endpoint"))?;
        self.say(launcher, message);
        Ok(())
    }

    fn say(&mut self, id: LauncherId, message: &ToLauncher<'_>) {
        let Some(Ok(launcher)) = self.launchers.get(id) else { return };
        let Ok(bytes) = serde_json::to_vec(message) else { return };
        // A launcher that does not read is stuck or gone; its end will show as the end of the connection.
        let _ = fdpass::send(launcher.fd.as_fd(), &bytes, None, true);
    }
}

/// Compares without telling by its time how much was right.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

/// Launchers that may wait to be accepted.
const BACKLOG: i32 = 128;

/// Listens at `path`; a socket that a dead process left there is replaced.
pub(crate) fn bind_handoff(path: &Path) -> io::Result<OwnedFd> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fdpass::listen_at(path, BACKLOG, true)
}
