//! Machines that are not at hand, as recorded states.

use super::*;
use crate::doctor::TapFact;
use crate::messages::Device;
use crate::refusal::Facts;

fn device(uso: bool, tso: bool, vnet_header: bool) -> Device {
    Device { vnet_header, vnet_header_size: 12, csum: tso, tso4: tso, tso6: tso, uso }
}

/// Debian 13: everything works.
fn good() -> (HostFacts, GuestFacts) {
    let host = HostFacts {
        kernel: "6.12.41+deb13-amd64".to_owned(),
        settings: Facts { max_user_namespaces: Some(63_000), unprivileged_userns_clone: Some(1), ..Facts::default() },
        tun: None,
        ping_group_range: Some((0, 2_147_483_647)),
        groups: vec![1000, 27],
        ip_unprivileged_port_start: Some(1024),
        legacy_tiocsti: Some(0),
        newuidmap: true,
    };
    let guest = GuestFacts {
        refused: None,
        tap: Some(Ok(TapFact { device: device(true, true, true), plain_because: None })),
        settings: None,
        proc: Some(Ok(())),
        etc: Some(Ok(EtcForm::Overlay)),
    };
    (host, guest)
}

fn find<'a>(probes: &'a [Probe], id: &str) -> &'a Probe {
    probes.iter().find(|probe| probe.id == id).unwrap_or_else(|| panic!("no probe {id}"))
}

#[test]
fn a_good_machine_has_nothing_to_complain_about() {
    let (host, guest) = good();
    for probe in probes(&host, &guest) {
        assert_eq!(probe.ok, Grade::Ok, "{probe:?}");
    }
}

#[test]
fn ubuntu_24_04_with_its_restriction_on() {
    let (mut host, _) = good();
    host.kernel = "6.8.0-45-generic".to_owned();
    host.settings.apparmor_restricts = Some(1);
    host.settings.apparmor_profile = Some("unprivileged_userns (enforce)".to_owned());
    // unshare succeeds there, and writing the maps is refused.
    let guest = GuestFacts { refused: Some((Stage::Map, 1)), ..GuestFacts::default() };
    let probes = probes(&host, &guest);
    for id in ["user-namespaces", "apparmor"] {
        let probe = find(&probes, id);
        assert_eq!(probe.ok, Grade::Fail);
        assert!(probe.fix.as_deref().unwrap().contains("apparmor_restrict_unprivileged_userns=0"), "{probe:?}");
    }
    assert!(find(&probes, "apparmor").detail.contains("unprivileged_userns (enforce)"));
    assert_eq!(find(&probes, "tap").detail, NOT_REACHED);
}

#[test]
fn ubuntu_with_a_profile_that_lets_us_through() {
    let (mut host, guest) = good();
    host.settings.apparmor_restricts = Some(1);
    host.settings.apparmor_profile = Some("unet-launch (unconfined)".to_owned());
    let probes = probes(&host, &guest);
    assert_eq!(find(&probes, "apparmor").ok, Grade::Ok);
    assert_eq!(find(&probes, "user-namespaces").ok, Grade::Ok);
}

#[test]
fn user_namespaces_switched_off() {
    let (mut host, _) = good();
    let refused = |errno| GuestFacts { refused: Some((Stage::User, errno)), ..GuestFacts::default() };
    let probes_limit = probes(&host, &refused(28));
    let limit = find(&probes_limit, "user-namespaces");
    assert!(limit.fix.as_deref().unwrap().contains("user.max_user_namespaces"), "{limit:?}");
    host.settings.unprivileged_userns_clone = Some(0);
    let probes_debian = probes(&host, &refused(1));
    let debian = find(&probes_debian, "user-namespaces");
    assert!(debian.fix.as_deref().unwrap().contains("unprivileged_userns_clone=1"), "{debian:?}");
}

#[test]
fn the_tun_device_absent_or_closed() {
    let (mut host, mut guest) = good();
    for (errno, cure) in [(2, "modprobe tun"), (13, "chmod 0666 /dev/net/tun")] {
        host.tun = Some(errno);
        guest.tap = Some(Err(errno));
        let probes = probes(&host, &guest);
        for id in ["tun-device", "tap"] {
            let probe = find(&probes, id);
            assert_eq!(probe.ok, Grade::Fail);
            assert!(probe.fix.as_deref().unwrap().contains(cure), "{probe:?}");
        }
    }
}

#[test]
fn debian_12_has_no_uso() {
    let (host, mut guest) = good();
    guest.tap = Some(Ok(TapFact { device: device(false, true, true), plain_because: None }));
    let probes = probes(&host, &guest);
    let offload = find(&probes, "offload");
    assert_eq!(offload.ok, Grade::Ok);
    assert!(offload.detail.contains("TSO6") && offload.detail.contains("without USO"), "{offload:?}");
}

#[test]
fn a_plain_tap_is_a_warning() {
    let (host, mut guest) = good();
    guest.tap = Some(Ok(TapFact {
        device: Device { vnet_header_size: 0, ..device(false, false, false) },
        plain_because: Some(22),
    }));
    let probes = probes(&host, &guest);
    assert_eq!(find(&probes, "tap").ok, Grade::Warn);
    assert_eq!(find(&probes, "offload").ok, Grade::Warn);
}

#[test]
fn a_closed_ping_range_and_a_low_port_start() {
    let (mut host, guest) = good();
    host.ping_group_range = Some((1, 0));
    assert_eq!(find(&probes(&host, &guest), "ping").ok, Grade::Warn);
    host.ping_group_range = Some((27, 27));
    assert_eq!(find(&probes(&host, &guest), "ping").ok, Grade::Ok, "a supplementary group is enough");
    assert!(find(&probes(&host, &guest), "low-ports").fix.is_some());
    host.ip_unprivileged_port_start = Some(0);
    assert!(find(&probes(&host, &guest), "low-ports").fix.is_none());
}

#[test]
fn in_a_container_proc_and_overlay_are_refused() {
    let (host, mut guest) = good();
    guest.proc = Some(Err(1));
    guest.etc = Some(Ok(EtcForm::Links));
    let probes = probes(&host, &guest);
    assert_eq!(find(&probes, "proc").ok, Grade::Warn);
    assert_eq!(find(&probes, "etc").ok, Grade::Ok);
}

#[test]
fn old_kernels_and_the_terminal() {
    let (mut host, guest) = good();
    host.kernel = "4.19.0-27-amd64".to_owned();
    host.legacy_tiocsti = None;
    let before = probes(&host, &guest);
    assert_eq!(find(&before, "kernel").ok, Grade::Fail);
    assert_eq!(find(&before, "terminal-input").ok, Grade::Warn);
    host.kernel = "10.0".to_owned();
    host.legacy_tiocsti = Some(1);
    let after = probes(&host, &guest);
    assert_eq!(find(&after, "kernel").ok, Grade::Ok);
    assert!(find(&after, "terminal-input").fix.as_deref().unwrap().contains("legacy_tiocsti=0"));
}
