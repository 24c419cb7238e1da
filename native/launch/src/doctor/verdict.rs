//! From facts to verdicts. Pure: no file, no call, no clock.

use super::{EtcForm, Grade, GuestFacts, HostFacts, Probe, Stage};
use crate::refusal::{APPARMOR_CURE, Attempt, explain};
use unet_sys::namespace::Namespace;

/// The oldest kernel on which everything the launcher needs exists (`pidfd_open`).
const OLDEST_KERNEL: (u32, u32) = (5, 3);

pub(super) fn probes(host: &HostFacts, guest: &GuestFacts) -> Vec<Probe> {
    vec![
        kernel(host),
        user_namespaces(host, guest),
        apparmor(host, guest),
        tun_device(host),
        tap(host, guest),
        offload(guest),
        container_settings(guest),
        etc(guest),
        proc(guest),
        ping(host),
        low_ports(host),
        terminal_input(host),
        newuidmap(host),
    ]
}

fn probe(id: &'static str, title: &'static str, ok: Grade, detail: impl Into<String>, fix: Option<String>) -> Probe {
    Probe { id, title, ok, detail: detail.into(), fix }
}

const NOT_REACHED: &str = "not tried, because a step before it failed";

fn kernel(host: &HostFacts) -> Probe {
    let mut numbers = host.kernel.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse::<u32>().ok());
    let version = numbers.next().zip(numbers.next());
    let (ok, fix) = match version {
        Some(version) if version < OLDEST_KERNEL => {
            let (major, minor) = OLDEST_KERNEL;
            (Grade::Fail, Some(format!("use Linux {major}.{minor} or later")))
        }
        _ => (Grade::Ok, None),
    };
    probe("kernel", "Linux kernel", ok, format!("Linux {}", host.kernel), fix)
}

fn user_namespaces(host: &HostFacts, guest: &GuestFacts) -> Probe {
    let (id, title) = ("user-namespaces", "Namespaces for ordinary users");
    let Some((step, errno)) = guest.refused else {
        return probe(id, title, Grade::Ok, "user, network, PID and mount namespaces can be made", None);
    };
    let attempt = attempt(step);
    let (detail, fix) = words(attempt, errno, host);
    probe(id, title, Grade::Fail, detail, fix)
}

fn attempt(step: Stage) -> Attempt {
    match step {
        Stage::User => Attempt::Leave(Namespace::User),
        Stage::Map => Attempt::Map,
        Stage::Network => Attempt::Leave(Namespace::Network),
        Stage::Pid => Attempt::Leave(Namespace::Pid),
        Stage::Mount => Attempt::Leave(Namespace::Mount),
        Stage::Link => Attempt::SetUp,
    }
}

/// Ubuntu's switch being on is no fault where unet-launch has a profile that lets it pass.
fn apparmor(host: &HostFacts, guest: &GuestFacts) -> Probe {
    let (id, title) = ("apparmor", "AppArmor restriction of user namespaces");
    let profile = host.settings.apparmor_profile.as_deref().unwrap_or("none");
    match (host.settings.apparmor_restricts, guest.refused) {
        (None, _) => probe(id, title, Grade::Ok, "this kernel has no such restriction", None),
        (Some(0), _) => probe(id, title, Grade::Ok, "switched off", None),
        (Some(_), None) => {
            probe(id, title, Grade::Ok, format!("on, and unet-launch is let through (profile: {profile})"), None)
        }
        (Some(_), Some(_)) => probe(
            id,
            title,
            Grade::Fail,
            format!("on, and unet-launch is not let through (profile: {profile})"),
            Some(APPARMOR_CURE.to_owned()),
        ),
    }
}

fn tun_device(host: &HostFacts) -> Probe {
    let (id, title) = ("tun-device", "/dev/net/tun");
    match host.tun {
        None => probe(id, title, Grade::Ok, "can be opened", None),
        Some(errno) => {
            let (detail, fix) = words(Attempt::Tap, errno, host);
            probe(id, title, Grade::Fail, detail, fix)
        }
    }
}

fn words(attempt: Attempt, errno: i32, host: &HostFacts) -> (String, Option<String>) {
    match explain(attempt, errno, &host.settings) {
        Some(explanation) => (explanation.wrong, explanation.cure),
        None => (format!("{} (errno {errno})", attempt.title()), None),
    }
}

fn tap(host: &HostFacts, guest: &GuestFacts) -> Probe {
    let (id, title) = ("tap", "TAP device in a container's namespaces");
    match guest.tap {
        None => probe(id, title, Grade::Fail, NOT_REACHED, None),
        Some(Err(errno)) => {
            let (detail, fix) = words(Attempt::Tap, errno, host);
            probe(id, title, Grade::Fail, detail, fix)
        }
        Some(Ok(fact)) => match fact.plain_because {
            None => probe(id, title, Grade::Ok, "made, and attached again with a vnet header", None),
            Some(errno) => probe(
                id,
                title,
                Grade::Warn,
                format!("made, but without a vnet header (errno {errno}): traffic is slower"),
                Some("use a newer kernel".to_owned()),
            ),
        },
    }
}

/// Which step of the ladder the device stands on.
fn offload(guest: &GuestFacts) -> Probe {
    let (id, title) = ("offload", "Offloads of the TAP device");
    let Some(Ok(fact)) = guest.tap else {
        return probe(id, title, Grade::Warn, NOT_REACHED, None);
    };
    let device = fact.device;
    let names = [("checksum", device.csum), ("TSO4", device.tso4), ("TSO6", device.tso6), ("USO", device.uso)];
    let has = |wanted: bool| {
        let names: Vec<&str> = names.iter().filter(|(_, has)| *has == wanted).map(|(name, _)| *name).collect();
        names.join(", ")
    };
    let (ok, detail) = match (device.csum && device.tso4, device.uso) {
        (true, true) => (Grade::Ok, has(true)),
        (true, false) => (Grade::Ok, format!("{}; without USO (Linux 6.2), large UDP transfers are slower", has(true))),
        (false, _) => (Grade::Warn, format!("missing: {}: TCP is slower", has(false))),
    };
    probe(id, title, ok, detail, None)
}

fn container_settings(guest: &GuestFacts) -> Probe {
    let (id, title) = ("container-settings", "Network settings inside");
    match (&guest.tap, &guest.settings) {
        (Some(Ok(_)), None) => {
            probe(id, title, Grade::Ok, "ping and ports below 1024 work inside without privileges", None)
        }
        (Some(Ok(_)), Some(complaint)) => probe(
            id,
            title,
            Grade::Warn,
            format!("{complaint}; it is tried again with the container's own /proc"),
            None,
        ),
        _ => probe(id, title, Grade::Warn, NOT_REACHED, None),
    }
}

fn etc(guest: &GuestFacts) -> Probe {
    let (id, title) = ("etc", "A container's own /etc files");
    match &guest.etc {
        None => probe(id, title, Grade::Fail, NOT_REACHED, None),
        Some(Ok(EtcForm::Overlay)) => probe(id, title, Grade::Ok, "an overlay over the host's /etc", None),
        Some(Ok(EtcForm::Links)) => probe(
            id,
            title,
            Grade::Ok,
            "a directory of links and binds, because the kernel refuses an overlay (before Linux 5.11, or in a container)",
            None,
        ),
        Some(Err(text)) => probe(id, title, Grade::Fail, text.clone(), None),
    }
}

fn proc(guest: &GuestFacts) -> Probe {
    let (id, title) = ("proc", "A container's own /proc");
    match guest.proc {
        None => probe(id, title, Grade::Fail, NOT_REACHED, None),
        Some(Ok(())) => probe(id, title, Grade::Ok, "can be mounted", None),
        Some(Err(errno)) => probe(
            id,
            title,
            Grade::Warn,
            format!("refused (errno {errno}): containers see the names of the host's processes"),
            Some(
                "when unet itself runs in a container, start that one with `--security-opt unmask=ALL` (Podman) or \
                  `--security-opt systempaths=unconfined` (Docker)"
                    .to_owned(),
            ),
        ),
    }
}

/// Echo requests of guests leave by an ICMP socket of the daemon's, for which the host has a range of groups.
fn ping(host: &HostFacts) -> Probe {
    let (id, title) = ("ping", "ping from containers to the outside");
    let Some((low, high)) = host.ping_group_range else {
        return probe(id, title, Grade::Warn, "net.ipv4.ping_group_range cannot be read", None);
    };
    if host.groups.iter().any(|group| (low..=high).contains(group)) {
        return probe(id, title, Grade::Ok, format!("net.ipv4.ping_group_range is {low} {high}"), None);
    }
    probe(
        id,
        title,
        Grade::Warn,
        format!(
            "net.ipv4.ping_group_range is {low} {high}, which holds none of your groups: only the gateway and other containers answer"
        ),
        Some("run `sudo sysctl -w net.ipv4.ping_group_range='0 2147483647'`".to_owned()),
    )
}

fn low_ports(host: &HostFacts) -> Probe {
    let (id, title) = ("low-ports", "Publishing ports below 1024");
    match host.ip_unprivileged_port_start {
        Some(start) if start > 80 => probe(
            id,
            title,
            // Every machine's default, and ports can be chosen.
            Grade::Ok,
            format!("ports from {start} on can be published"),
            Some("for lower ones run `sudo sysctl -w net.ipv4.ip_unprivileged_port_start=80`".to_owned()),
        ),
        Some(start) => probe(id, title, Grade::Ok, format!("ports from {start} on can be published"), None),
        None => probe(id, title, Grade::Ok, "ports from 1024 on can be published", None),
    }
}

/// TIOCSTI: a program with the caller's terminal can type into the caller's shell.
fn terminal_input(host: &HostFacts) -> Probe {
    let (id, title) = ("terminal-input", "Containers cannot type into your shell");
    let detail =
        "a program in a foreground container could type commands into the terminal it was started from (TIOCSTI)";
    match host.legacy_tiocsti {
        Some(0) => probe(id, title, Grade::Ok, "dev.tty.legacy_tiocsti is 0", None),
        Some(_) => {
            probe(id, title, Grade::Warn, detail, Some("run `sudo sysctl -w dev.tty.legacy_tiocsti=0`".to_owned()))
        }
        None => {
            probe(id, title, Grade::Warn, detail, Some("use Linux 6.2 or later, which can switch that off".to_owned()))
        }
    }
}

fn newuidmap(host: &HostFacts) -> Probe {
    let detail = if host.newuidmap { "installed" } else { "not installed; nothing of today needs it" };
    probe("newuidmap", "newuidmap (more than one user inside)", Grade::Ok, detail, None)
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
