//! What to run and where: the JSON object that the command line client writes to the launcher.
//!
//! It comes from our own client, so it is trusted to be meant; it is checked all the same, because a NUL or a long name
//! would otherwise fail far from its cause.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::{Failure, Result};

const VERSION: u32 = 1;
/// A spec longer than this is refused: arguments and environment of one exec cannot be longer either (ARG_MAX is 2 MiB).
pub(crate) const MAX_SPEC: u64 = 8 * 1024 * 1024;
const MAX_TICKET: usize = 256;
/// HOST_NAME_MAX.
const MAX_HOSTNAME: usize = 64;
/// IFNAMSIZ without its NUL.
const MAX_INTERFACE_NAME: usize = 15;
/// The smallest MTU that IPv4 allows a link, and the largest that the kernel allows a TAP.
const MTU_RANGE: std::ops::RangeInclusive<u32> = 68..=65_521;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spec {
    version: u32,
    pub(crate) ticket: String,
    pub(crate) container_id: String,
    pub(crate) handoff_socket: PathBuf,
    #[serde(default)]
    pub(crate) detach: bool,
    #[serde(default)]
    pub(crate) log_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) exit_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) stdin: Stdin,
    #[serde(default)]
    pub(crate) tty: bool,
    #[serde(default)]
    pub(crate) user: User,
    pub(crate) hostname: String,
    pub(crate) interface: Interface,
    #[serde(default = "yes")]
    pub(crate) offload: bool,
    pub(crate) etc: EtcFiles,
    #[serde(default)]
    pub(crate) mask: Vec<PathBuf>,
    pub(crate) cwd: PathBuf,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) argv: Vec<String>,
    /// Soft limit on open files. Without it: 1024 at most (`execute.rs` says why).
    #[serde(default)]
    pub(crate) open_files: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stdin {
    /// The launcher's own.
    #[default]
    Inherit,
    Null,
    /// A pipe that is held open and never written to.
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum User {
    /// The caller's own ids.
    #[default]
    #[serde(rename = "self")]
    Caller,
    /// The caller's ids, shown as 0 inside.
    Root,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) mac: Mac,
    pub(crate) address: Ipv4Addr,
    pub(crate) prefix_length: u8,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) gateway_mac: Mac,
    pub(crate) mtu: u32,
    pub(crate) tx_queue_length: u32,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct EtcFiles {
    pub(crate) hosts: PathBuf,
    pub(crate) hostname: PathBuf,
    #[serde(rename = "resolv.conf")]
    pub(crate) resolv_conf: PathBuf,
}

/// Written `02:42:ac:11:00:02`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Mac(pub [u8; 6]);

impl TryFrom<String> for Mac {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()));
            *byte = part
                .and_then(|part| u8::from_str_radix(part, 16).ok())
                .ok_or_else(|| format!("{text:?} is not a MAC address"))?;
        }
        match parts.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(format!("{text:?} is not a MAC address")),
        }
    }
}

fn yes() -> bool {
    true
}

impl Spec {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let spec: Self = serde_json::from_slice(bytes).map_err(|error| {
            Failure::own(format_args!(
                "the launcher was given a broken spec ({error}): unet and unet-launch are of different versions"
            ))
        })?;
        spec.check().map_err(|what| Failure::own(format_args!("the launcher was given a bad spec: {what}")))?;
        Ok(spec)
    }

    fn check(&self) -> std::result::Result<(), String> {
        let bad = |what: &str| Err(what.to_owned());
        if self.version != VERSION {
            return Err(format!("version {} instead of {VERSION}", self.version));
        }
        if self.ticket.is_empty() || self.ticket.len() > MAX_TICKET {
            return bad("ticket");
        }
        if self.hostname.is_empty() || self.hostname.len() > MAX_HOSTNAME || self.hostname.contains('\0') {
            return bad("hostname");
        }
        let name = &self.interface.name;
        if name.is_empty() || name.len() > MAX_INTERFACE_NAME || name == "." || name == ".." {
            return bad("interface.name");
        }
        if !name.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b':' && b != b'%') {
            return bad("interface.name");
        }
        if !(1..=32).contains(&self.interface.prefix_length) {
            return bad("interface.prefixLength");
        }
        if !MTU_RANGE.contains(&self.interface.mtu) {
            return bad("interface.mtu");
        }
        // Multicast (the lowest bit of the first byte) or all zeroes: the kernel says EADDRNOTAVAIL.
        if self.interface.mac.0[0] & 1 == 1 || self.interface.mac.0 == [0; 6] {
            return bad("interface.mac");
        }
        for path in self.paths() {
            if !path.is_absolute() || path.as_os_str().as_encoded_bytes().contains(&0) {
                return Err(format!("{} is not an absolute path", path.display()));
            }
        }
        if self.argv.first().is_none_or(String::is_empty) {
            return bad("argv is empty");
        }
        if self.argv.iter().any(|word| word.contains('\0')) {
            return bad("argv holds a NUL");
        }
        if self.env.iter().any(|(key, value)| key.contains(['\0', '=']) || value.contains('\0')) {
            return bad("env holds a NUL, or an = in a name");
        }
        if self.detach && self.stdin == Stdin::Inherit {
            return bad("a detached command cannot inherit stdin");
        }
        if self.detach && self.log_file.is_none() {
            return bad("a detached command needs a logFile");
        }
        if self.tty && !self.detach {
            return bad("tty without detach: in the foreground the command has the caller's terminal");
        }
        Ok(())
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        let etc = [&self.etc.hosts, &self.etc.hostname, &self.etc.resolv_conf];
        [&self.handoff_socket, &self.cwd]
            .into_iter()
            .chain(etc)
            .chain(&self.mask)
            .chain(&self.log_file)
            .chain(&self.exit_file)
            .map(PathBuf::as_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn valid() -> Value {
        json!({
            "version": 1, "ticket": "aa", "containerId": "ab", "name": "web",
            "handoffSocket": "/run/h.sock", "hostname": "web",
            "interface": {"name": "eth0", "mac": "02:42:ac:11:00:02", "address": "172.17.0.2", "prefixLength": 16,
                "gateway": "172.17.0.1", "gatewayMac": "02:42:ac:11:00:01", "mtu": 1500, "txQueueLength": 4096},
            "etc": {"hosts": "/s/hosts", "hostname": "/s/hostname", "resolv.conf": "/s/resolv.conf"},
            "cwd": "/", "env": {"PATH": "/bin"}, "argv": ["sh"], "logFile": null
        })
    }

    fn parse(value: &Value) -> Result<Spec> {
        Spec::parse(value.to_string().as_bytes())
    }

    #[test]
    fn a_spec_with_its_defaults() {
        let spec = parse(&valid()).unwrap();
        assert!(spec.offload && !spec.detach && !spec.tty);
        assert_eq!(spec.user, User::Caller);
        assert_eq!(spec.interface.mac, Mac([2, 0x42, 0xac, 0x11, 0, 2]));
    }

    #[test]
    fn what_would_fail_later_is_refused_at_once() {
        for (pointer, value) in [
            ("/version", json!(2)),
            ("/ticket", json!("")),
            ("/hostname", json!("h".repeat(65))),
            ("/interface/name", json!("sixteen-letters-")),
            ("/interface/name", json!("a/b")),
            ("/interface/mac", json!("03:42:ac:11:00:02")),
            ("/interface/mac", json!("02:42:ac:11:00")),
            ("/interface/mac", json!("02:42:ac:11:00:02:03")),
            ("/interface/mac", json!("+2:42:ac:11:00:02")),
            ("/interface/mtu", json!(65_522)),
            ("/interface/prefixLength", json!(33)),
            ("/handoffSocket", json!("h.sock")),
            ("/etc/hosts", json!("hosts")),
            ("/argv", json!([])),
            ("/argv", json!(["a\u{0}b"])),
            ("/env", json!({"A=B": "c"})),
            ("/env", json!({"A": "c\u{0}"})),
            ("/cwd", json!("")),
        ] {
            let mut spec = valid();
            *spec.pointer_mut(pointer).unwrap() = value.clone();
            let failure = parse(&spec).expect_err(&format!("{pointer} = {value}"));
            assert_eq!(failure.exit_code, crate::failure::OWN_ERROR);
        }
        let mut spec = valid();
        spec["detach"] = json!(true);
        spec["logFile"] = json!("/s/output.log");
        assert!(parse(&spec).is_err(), "detached, and stdin inherited");
        spec["stdin"] = json!("null");
        spec["logFile"] = Value::Null;
        assert!(parse(&spec).is_err(), "detached without a log");
        spec["logFile"] = json!("/s/output.log");
        spec["tty"] = json!(true);
        parse(&spec).unwrap();
    }
}
