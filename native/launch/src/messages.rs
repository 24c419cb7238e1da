//! What the supervisor says to the engine and to the processes inside, and hears from them.

use serde::{Deserialize, Serialize};
use unet_sys::tap_create::TapFeatures;

use crate::exit_status::ExitStatus;
use crate::failure::Failure;

/// The TAP as the engine is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Device {
    pub(crate) vnet_header: bool,
    pub(crate) vnet_header_size: u8,
    pub(crate) csum: bool,
    pub tso4: bool,
    pub tso6: bool,
    pub(crate) uso: bool,
}

impl From<TapFeatures> for Device {
    fn from(features: TapFeatures) -> Self {
        Self {
            vnet_header: features.vnet_header,
            vnet_header_size: features.header_size,
            csum: features.csum,
            tso4: features.tso4,
            tso6: features.tso6,
            uso: features.uso,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum ToEngine<'a> {
    /// With the TAP's descriptor. `running`: a guest that goes on, after the engine before this one died.
    Attach {
        ticket: &'a str,
        container_id: &'a str,
        pid: u32,
        running: bool,
        device: Device,
    },
    Started {
        pid: i32,
    },
    Failed(&'a Failure),
    Exited(ExitStatus),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum FromEngine {
    Ready,
    Refused { reason: String },
    Go,
    Abort { message: String },
    Signal { signal: i32 },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum FromInside {
    /// The network stands; with the TAP's descriptor.
    Device(Device),
    /// The init of the guest has been forked; its number on the host.
    Init {
        pid: i32,
    },
    /// The command runs; with its pidfd. Answered by [`ToInside::Noted`].
    Started,
    /// Something that a person should know and that stops nobody.
    Warning {
        message: String,
    },
    Failed(Failure),
    Exited(ExitStatus),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum ToInside {
    /// The daemon has bound the ports and written the files.
    Go,
    /// The command's number has been read from its pidfd: it may be reaped.
    Noted,
}
