//! The guest's network: the TAP, its address and routes, and the settings of its namespace.
//!
//! IPv6 is off on the interface, wholly: the gateway speaks IPv4 only so far, and half an IPv6 (a link-local address without
//! a router) makes programs wait for time-outs. `::1` on lo works.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use unet_sys::namespace::{Namespace, caller, leave, map_one_user};
use unet_sys::netlink::{LinkSettings, RouteSocket, link_index};
use unet_sys::tap_create::{self, Tap};

use crate::failure::Failure;
use crate::refusal::{Attempt, Facts, explain};
use crate::spec::Interface;

/// How long a link is waited for that is up and not yet seen as running: one round of the kernel's worker.
const RUNNING_LIMIT: Duration = Duration::from_millis(1200);
const RUNNING_PAUSE: Duration = Duration::from_millis(1);

/// Makes the interface in the network namespace of the caller, and puts it up.
pub(crate) fn set_up(interface: &Interface, offload: bool, settings: &mut Settings) -> Result<Tap, Refused> {
    let tap = tap_create::create(&interface.name, offload).map_err(Refused::at(Attempt::Tap))?;
    // Before the link goes up, or it sends router solicitations.
    settings.apply();
    configure(interface).map_err(Refused::at(Attempt::SetUp))?;
    Ok(tap)
}

/// # The carrier
///
/// The kernel notices a change of carrier at once only where it changes on a link that is up; any other is noticed by a worker
/// that runs once a second, for the whole machine. Until then the link is not IFF_RUNNING, and Node and Java do not list
/// it. Our TAP got its carrier when it was attached, so it is taken away, and given back when the link is up.
fn configure(interface: &Interface) -> io::Result<()> {
    let mut route = RouteSocket::open()?;
    route.set_up(link_index("lo")?)?;
    let index = link_index(&interface.name)?;
    route.configure_link(
        index,
        LinkSettings { mac: interface.mac.0, mtu: interface.mtu, tx_queue_length: interface.tx_queue_length },
    )?;
    // Linux before 5.0 cannot: its links are late.
    let unplugged = route.set_carrier(index, false).is_ok();
    route.set_up(index)?;
    if unplugged {
        route.set_carrier(index, true)?;
    }
    route.add_address(index, interface.address, interface.prefix_length)?;
    route.add_permanent_neighbour(index, interface.gateway, interface.gateway_mac.0)?;
    route.add_default_route(index, interface.gateway)?;
    let limit = Instant::now() + RUNNING_LIMIT;
    while !route.is_running(index)? && Instant::now() < limit {
        std::thread::sleep(RUNNING_PAUSE);
    }
    Ok(())
}

/// Where a namespace's default congestion control stands.
const CONGESTION_CONTROL: &str = "/proc/sys/net/ipv4/tcp_congestion_control";
/// What suits a guest, the better first.
const UNPACED: [&str; 2] = ["cubic", "reno"];

/// A namespace begins with the host's default. The guest's end of a connection is at the engine, over memory; the way beyond is the
/// host socket's, with the host's own congestion control. BBR in the guest as well sends by a timer where nothing is to be waited for
/// (measured with one stream to the host: 17 to 20 Gbit/s, with reno 26 to 28, where the host's loopback did 34, all with BBR on the
/// host). So a default that is neither of these becomes the first that the kernel allows: outside of the first
/// namespace it allows what `tcp_allowed_congestion_control` names, and reno always. A program still chooses by `TCP_CONGESTION`.
fn leave_pacing_to_the_host() {
    let Ok(inherited) = fs::read_to_string(CONGESTION_CONTROL) else { return };
    if !UNPACED.contains(&inherited.trim()) {
        // Where /proc/sys is read-only all are refused, and the guest is slower, not wrong.
        let _ = UNPACED.iter().find(|name| fs::write(CONGESTION_CONTROL, name).is_ok());
    }
}

/// Settings of the guest's network namespace under /proc/sys. A container's /proc/sys may be read-only, so what fails at
/// first is tried again when the guest has a /proc of its own.
#[derive(Debug)]
pub(crate) struct Settings {
    pending: Vec<(String, String)>,
}

impl Settings {
    /// `gid` is the caller's group as it is called inside: the range takes mapped ids only.
    pub(crate) fn of(interface: &Interface, gid: u32) -> Self {
        let setting = |path: &str, value: &str| (format!("/proc/sys/net/{path}"), value.to_owned());
        Self {
            pending: vec![
                setting(&format!("ipv6/conf/{}/disable_ipv6", interface.name), "1"),
                setting("ipv4/ip_unprivileged_port_start", "0"),
                setting("ipv4/ping_group_range", &format!("{gid} {gid}")),
            ],
        }
    }

    /// Writes what is still to be written. What the kernel does not know (IPv6 switched off altogether) needs no setting.
    pub(crate) fn apply(&mut self) {
        leave_pacing_to_the_host();
        self.pending.retain(|(path, value)| match fs::write(path, value) {
            Ok(()) => false,
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        });
    }

    /// What could not be written, in words.
    pub(crate) fn complaint(&self) -> Option<String> {
        let names: Vec<&str> = self.pending.iter().filter_map(|(path, _)| path.rsplit('/').next()).collect();
        if names.is_empty() {
            return None;
        }
        Some(format!("the container's {} could not be set: /proc/sys is read-only here", names.join(", ")))
    }
}

/// A step that the kernel refused.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) attempt: Attempt,
    pub(crate) error: io::Error,
}

impl Refused {
    pub(crate) fn at(attempt: Attempt) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { attempt, error }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let Refused { attempt, error } = refused;
        Self::own(match explain(attempt, error.raw_os_error().unwrap_or(0), &Facts::read()) {
            Some(explanation) => explanation.to_string(),
            None => format!("{}: {error}", attempt.title()),
        })
    }
}

/// Makes the namespaces in which [`set_up`] works. The caller's next child is PID 1 of the new PID namespace.
pub(crate) fn enter(inside: (u32, u32)) -> Result<(), Refused> {
    let outside = caller();
    leave(&[Namespace::User]).map_err(Refused::at(Attempt::Leave(Namespace::User)))?;
    map_one_user(inside, outside).map_err(Refused::at(Attempt::Map))?;
    for namespace in [Namespace::Network, Namespace::Pid] {
        leave(&[namespace]).map_err(Refused::at(Attempt::Leave(namespace)))?;
    }
    Ok(())
}
