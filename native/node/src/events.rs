//! Events, flat: `kind` decides which fields are set.

use napi_derive::napi;
use unet_engine::{Event, EventKind};

use crate::convert::number;

/// One thing that happened. Fields that the kind does not name are null.
#[napi(object, use_nullable = true)]
pub struct StackEvent {
    /// attached | started | failed | exited | detached | overflow | fatal
    pub kind: String,
    /// The endpoint it happened to; null for overflow and fatal.
    pub endpoint: Option<String>,
    /// attached: the launcher's supervisor. started: the command. Process numbers of the host.
    pub pid: Option<u32>,
    /// attached: the command runs already; the launcher has come back after a crash of the daemon or the engine.
    pub running: Option<bool>,
    /// attached: vnet-gso-uso | vnet-gso | vnet | plain
    pub device: Option<String>,
    /// failed, exited
    pub exit_code: Option<i32>,
    /// exited: the signal that ended the command
    pub signal: Option<i32>,
    /// failed, fatal
    pub message: Option<String>,
    /// overflow: how many events found no room
    pub lost: Option<f64>,
}

impl From<Event> for StackEvent {
    fn from(event: Event) -> Self {
        let mut out = Self {
            kind: String::new(),
            endpoint: event.endpoint,
            pid: None,
            running: None,
            device: None,
            exit_code: None,
            signal: None,
            message: None,
            lost: None,
        };
        let kind = match event.kind {
            EventKind::Attached { pid, running, device } => {
                out.pid = Some(pid);
                out.running = Some(running);
                out.device = Some(device.to_owned());
                "attached"
            }
            EventKind::Started { pid } => {
                out.pid = Some(pid);
                "started"
            }
            EventKind::Failed { message, exit_code } => {
                out.message = Some(message);
                out.exit_code = Some(exit_code);
                "failed"
            }
            EventKind::Exited { exit_code, signal } => {
                out.exit_code = Some(exit_code);
                out.signal = signal;
                "exited"
            }
            EventKind::Detached => "detached",
            EventKind::Overflow { lost } => {
                out.lost = Some(number(lost));
                "overflow"
            }
            EventKind::Fatal { message } => {
                out.message = Some(message);
                "fatal"
            }
        };
        kind.clone_into(&mut out.kind);
        out
    }
}
