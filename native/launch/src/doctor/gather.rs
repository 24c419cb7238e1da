//! Raw facts: what the files say, and what the kernel answers when a container is tried.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use unet_sys::fork::{Parent, end_child, fork, wait_for};
use unet_sys::namespace::{self, Namespace};
use unet_sys::{capability, mount, tap_create};

use super::{GuestFacts, HostFacts, Stage, TapFact};
use crate::etc_files::EtcView;
use crate::mounts;
use crate::network::{self, Settings};
use crate::refusal::{Attempt, Facts};
use crate::spec::{Interface, Mac, User};

const SIGKILL: i32 = 9;

pub(super) fn host() -> HostFacts {
    let sysctl = |path: &str| fs::read_to_string(format!("/proc/sys/{path}")).ok();
    let number = |path: &str| sysctl(path)?.trim().parse().ok();
    let range = |text: String| {
        let mut bounds = text.split_whitespace().map(str::parse);
        Some((bounds.next()?.ok()?, bounds.next()?.ok()?))
    };
    HostFacts {
        kernel: sysctl("kernel/osrelease").unwrap_or_default().trim().to_owned(),
        settings: Facts::read(),
        tun: errno(File::options().read(true).write(true).open(tap_create::TUN_DEVICE)).err(),
        ping_group_range: sysctl("net/ipv4/ping_group_range").and_then(range),
        groups: namespace::groups(),
        ip_unprivileged_port_start: number("net/ipv4/ip_unprivileged_port_start"),
        legacy_tiocsti: number("dev/tty/legacy_tiocsti"),
        newuidmap: ["/usr/bin/newuidmap", "/bin/newuidmap", "/usr/local/bin/newuidmap"]
            .iter()
            .any(|path| Path::new(path).exists()),
    }
}

/// Tries a container without a command, in children that are gone afterwards.
pub(super) fn guest() -> io::Result<GuestFacts> {
    let mut facts = in_child(|| {
        let mut facts = GuestFacts::default();
        enter(&mut facts);
        if facts.refused.is_none() {
            // The PID namespace begins with the next child: there the mounts can be tried.
            match in_child(look_inside) {
                Ok(inside) => {
                    facts.refused = inside.refused;
                    facts.proc = inside.proc;
                    facts.etc = inside.etc;
                }
                Err(error) => facts.refused = Some((Stage::Pid, code(&error))),
            }
        }
        facts
    })?;
    if facts.refused.is_some() {
        facts.settings = None;
    }
    Ok(facts)
}

fn enter(facts: &mut GuestFacts) {
    let (uid, gid) = namespace::caller();
    if let Err(refused) = network::enter((uid.as_raw(), gid.as_raw())) {
        facts.refused = Some((step(refused.attempt), code(&refused.error)));
        return;
    }
    let interface = example();
    let mut settings = Settings::of(&interface, gid.as_raw());
    match network::set_up(&interface, true, &mut settings) {
        Ok(tap) => {
            facts.settings = settings.complaint();
            facts.tap =
                Some(Ok(TapFact { device: tap.features.into(), plain_because: tap.plain_because.as_ref().map(code) }));
        }
        Err(refused) if refused.attempt == Attempt::Tap => facts.tap = Some(Err(code(&refused.error))),
        Err(refused) => facts.refused = Some((step(refused.attempt), code(&refused.error))),
    }
}

fn look_inside() -> GuestFacts {
    let mut facts = GuestFacts::default();
    if let Err(error) = namespace::leave(&[Namespace::Mount]).and_then(|()| mount::make_private()) {
        facts.refused = Some((Stage::Mount, code(&error)));
        return facts;
    }
    facts.proc = Some(mounts::fresh_proc().map_err(|error| code(&error)));
    facts.etc = Some(EtcView::prepare(User::Caller).map(|view| view.form()).map_err(|failure| failure.message));
    facts
}

/// An interface as a container has it.
fn example() -> Interface {
    use std::net::Ipv4Addr;
    Interface {
        name: "eth0".to_owned(),
        mac: Mac([0x02, 0x42, 0xac, 0x11, 0, 2]),
        address: Ipv4Addr::new(172, 17, 0, 2),
        prefix_length: 16,
        gateway: Ipv4Addr::new(172, 17, 0, 1),
        gateway_mac: Mac([0x02, 0x42, 0xac, 0x11, 0, 1]),
        mtu: 1500,
        tx_queue_length: 1000,
    }
}

fn step(attempt: Attempt) -> Stage {
    match attempt {
        Attempt::Leave(Namespace::User) => Stage::User,
        Attempt::Leave(Namespace::Network) => Stage::Network,
        Attempt::Leave(Namespace::Pid) => Stage::Pid,
        Attempt::Leave(_) => Stage::Mount,
        Attempt::Map => Stage::Map,
        Attempt::SetUp | Attempt::Tap => Stage::Link,
    }
}

/// Runs `look` in a child and brings its facts back.
fn in_child(look: impl FnOnce() -> GuestFacts) -> io::Result<GuestFacts> {
    let (mut reader, mut writer) = io::pipe()?;
    let Some(child) = fork(Parent::Caller)? else {
        end_child(|| {
            drop(reader);
            let _ = capability::parent_death_signal(SIGKILL);
            let told = serde_json::to_vec(&look()).map(|text| writer.write_all(&text));
            i32::from(!matches!(told, Ok(Ok(()))))
        });
    };
    drop(writer);
    let mut text = Vec::new();
    reader.read_to_end(&mut text)?;
    wait_for(child)?;
    Ok(serde_json::from_slice(&text)?)
}

fn code(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}

fn errno<T>(result: io::Result<T>) -> Result<T, i32> {
    result.map_err(|error| code(&error))
}
