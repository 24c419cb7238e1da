//! `unet-launch doctor`: tries everything that a container needs, on this machine, and says what is missing.
//!
//! Two steps, so that every verdict can be tested on any machine: [`gather`] collects raw facts (numbers, errno values), for
//! which it makes real namespaces and a real TAP in a child process; `verdict.rs` turns facts into words and touches nothing.

mod gather;
mod verdict;

use serde::{Deserialize, Serialize};

use crate::etc_files::Form as EtcForm;
use crate::failure::{Result, Step};
use crate::messages::Device;
use crate::refusal::Facts;

/// The answer, printed as a JSON array.
#[derive(Debug, Serialize)]
pub(crate) struct Probe {
    id: &'static str,
    title: &'static str,
    ok: Grade,
    detail: String,
    /// What to do about it; `null` when there is nothing to do.
    fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    Ok,
    /// Containers work, something in them does not.
    Warn,
    /// No container can be started.
    Fail,
}

/// What was found on the machine itself.
#[derive(Debug, Clone, Default)]
struct HostFacts {
    /// `6.8.0-45-generic`.
    kernel: String,
    settings: Facts,
    /// The errno of opening /dev/net/tun.
    tun: Option<i32>,
    /// `net.ipv4.ping_group_range`.
    ping_group_range: Option<(u32, u32)>,
    /// The caller's groups.
    groups: Vec<u32>,
    ip_unprivileged_port_start: Option<u32>,
    /// `dev.tty.legacy_tiocsti`; the setting came with Linux 6.2.
    legacy_tiocsti: Option<u32>,
    newuidmap: bool,
}

/// What a child process found on its way into the namespaces. It stops at the first refusal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct GuestFacts {
    /// The step of the namespaces that was refused, and its errno.
    refused: Option<(Stage, i32)>,
    /// `None`: it did not come so far. The inner error is an errno.
    tap: Option<std::result::Result<TapFact, i32>>,
    /// Settings of the namespace that could not be written.
    settings: Option<String>,
    proc: Option<std::result::Result<(), i32>>,
    etc: Option<std::result::Result<EtcForm, String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct TapFact {
    device: Device,
    /// Why there is no vnet header.
    plain_because: Option<i32>,
}

/// The steps in [`GuestFacts::refused`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    User,
    Map,
    Network,
    Pid,
    Mount,
    Link,
}

/// The whole answer as text.
pub(crate) fn report() -> Result<String> {
    let host = gather::host();
    let guest = gather::guest().step("cannot probe the namespaces")?;
    serde_json::to_string_pretty(&verdict::probes(&host, &guest)).step("cannot write the answer")
}
