//! From the kernel's errno to a sentence that says what is wrong on this machine and what to do about it.
//!
//! Pure: what the machine's settings are is an argument ([`Facts`]), so that every case can be tested anywhere, the ones
//! that this kernel cannot show (AppArmor's restriction, Debian's switch) included.

use std::fs;

use unet_sys::namespace::Namespace;

/// Settings that decide whether an ordinary user may make namespaces. `None`: the kernel has no such setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// `user.max_user_namespaces`.
    pub(crate) max_user_namespaces: Option<u64>,
    /// `kernel.unprivileged_userns_clone` (Debian's patch).
    pub(crate) unprivileged_userns_clone: Option<u64>,
    /// `kernel.apparmor_restrict_unprivileged_userns` (Ubuntu 23.10 and later).
    pub(crate) apparmor_restricts: Option<u64>,
    /// The AppArmor profile this process runs under.
    pub(crate) apparmor_profile: Option<String>,
}

impl Facts {
    pub(crate) fn read() -> Self {
        let sysctl = |path: &str| fs::read_to_string(format!("/proc/sys/{path}")).ok()?.trim().parse().ok();
        Self {
            max_user_namespaces: sysctl("user/max_user_namespaces"),
            unprivileged_userns_clone: sysctl("kernel/unprivileged_userns_clone"),
            apparmor_restricts: sysctl("kernel/apparmor_restrict_unprivileged_userns"),
            apparmor_profile: fs::read_to_string("/proc/self/attr/current")
                .ok()
                .map(|profile| profile.trim_end_matches(['\0', '\n']).to_owned())
                .filter(|profile| !profile.is_empty()),
        }
    }

    /// Ubuntu's restriction holds for this process.
    pub(crate) fn apparmor_in_the_way(&self) -> bool {
        self.apparmor_restricts == Some(1)
    }
}

/// What was being done when the kernel refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    Leave(Namespace),
    /// Writing the id maps of the new user namespace.
    Map,
    /// Something that needs capabilities inside.
    SetUp,
    /// Opening /dev/net/tun or making the TAP.
    Tap,
}

impl Attempt {
    /// Words for one without a known cause.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Leave(Namespace::User) => "cannot make a user namespace",
            Self::Leave(Namespace::Network) => "cannot make a network namespace",
            Self::Leave(Namespace::Pid) => "cannot make a PID namespace",
            Self::Leave(Namespace::Mount) => "cannot make a mount namespace",
            Self::Leave(Namespace::Hostname) => "cannot make a namespace for the host name",
            Self::Leave(Namespace::Ipc) => "cannot make an IPC namespace",
            Self::Map => "cannot map the user into the namespace",
            Self::SetUp => "cannot set up the container's network interface",
            Self::Tap => "cannot make a TAP device",
        }
    }
}

/// What is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explanation {
    pub(crate) wrong: String,
    pub(crate) cure: Option<String>,
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.wrong)?;
        match &self.cure {
            Some(cure) => write!(f, ": {cure}"),
            None => Ok(()),
        }
    }
}

pub(crate) const APPARMOR_CURE: &str = "run `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, \
    or give unet-launch an AppArmor profile with `userns,`";

/// Words for a refusal that has a known cause; `None` for the others.
pub(crate) fn explain(attempt: Attempt, errno: i32, facts: &Facts) -> Option<Explanation> {
    use libc_errno::{EACCES, EINVAL, ENODEV, ENOENT, ENOSPC, ENXIO, EPERM, EUSERS};
    let says = |wrong: &str, cure: &str| {
        let cure = (!cure.is_empty()).then(|| cure.to_owned());
        Some(Explanation { wrong: wrong.to_owned(), cure })
    };
    let apparmor = || says("AppArmor keeps ordinary users out of user namespaces", APPARMOR_CURE);
    let refused = errno == EPERM || errno == EACCES;
    match attempt {
        Attempt::Leave(namespace) if errno == ENOSPC => {
            let sysctl = namespace.limit_sysctl();
            says(
                &format!("no more namespaces allowed ({sysctl} is reached or 0)"),
                &format!("run `sudo sysctl -w {sysctl}=63000`"),
            )
        }
        Attempt::Leave(Namespace::User) if refused && facts.unprivileged_userns_clone == Some(0) => says(
            "user namespaces are switched off for ordinary users",
            "run `sudo sysctl -w kernel.unprivileged_userns_clone=1`",
        ),
        Attempt::Leave(_) | Attempt::Map | Attempt::SetUp if refused && facts.apparmor_in_the_way() => apparmor(),
        Attempt::Leave(Namespace::User) if refused => says(
            "the kernel allows this user no user namespaces",
            "look for a container's seccomp filter or a security module (`unet doctor`)",
        ),
        Attempt::Leave(Namespace::User) if errno == EINVAL => {
            says("this kernel has no user namespaces", "use one built with CONFIG_USER_NS")
        }
        Attempt::Leave(Namespace::User) if errno == EUSERS => {
            says("user namespaces are nested too deep, the kernel allows 32 levels", "")
        }
        Attempt::Tap if errno == ENOENT => says(
            "there is no /dev/net/tun",
            "run `sudo modprobe tun`, or in a container start it with `--device /dev/net/tun`",
        ),
        Attempt::Tap if errno == EACCES => says(
            "/dev/net/tun may not be opened by this user",
            "run `sudo chmod 0666 /dev/net/tun` (for good: a udev rule `KERNEL==\"tun\", MODE=\"0666\"`)",
        ),
        Attempt::Tap if errno == EPERM && facts.apparmor_in_the_way() => apparmor(),
        Attempt::Tap if errno == EPERM => says(
            "the kernel refuses to make a TAP device",
            "look for a container's device filter or a security module in the way of /dev/net/tun",
        ),
        Attempt::Tap if errno == ENODEV || errno == ENXIO => {
            says("/dev/net/tun has no driver behind it", "run `sudo modprobe tun`")
        }
        _ => None,
    }
}

/// The errno values that are told apart, by their names (this crate has no other need of libc).
mod libc_errno {
    pub(super) const EPERM: i32 = 1;
    pub(super) const ENOENT: i32 = 2;
    pub(super) const ENXIO: i32 = 6;
    pub(super) const EACCES: i32 = 13;
    pub(super) const ENODEV: i32 = 19;
    pub(super) const EINVAL: i32 = 22;
    pub(super) const ENOSPC: i32 = 28;
    pub(super) const EUSERS: i32 = 87;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ubuntu() -> Facts {
        Facts {
            max_user_namespaces: Some(63_000),
            apparmor_restricts: Some(1),
            apparmor_profile: Some("unprivileged_userns (enforce)".to_owned()),
            ..Facts::default()
        }
    }

    #[test]
    fn each_known_refusal_names_its_cure() {
        let debian = Facts { unprivileged_userns_clone: Some(0), ..Facts::default() };
        let plain = Facts::default();
        let user = Attempt::Leave(Namespace::User);
        for (attempt, errno, facts, cure) in [
            (user, libc_errno::ENOSPC, &plain, "sysctl -w user.max_user_namespaces="),
            (Attempt::Leave(Namespace::Network), libc_errno::ENOSPC, &plain, "user.max_net_namespaces="),
            (user, libc_errno::EPERM, &debian, "kernel.unprivileged_userns_clone=1"),
            (Attempt::Map, libc_errno::EPERM, &ubuntu(), "apparmor_restrict_unprivileged_userns=0"),
            (Attempt::Map, libc_errno::EACCES, &ubuntu(), "apparmor_restrict_unprivileged_userns=0"),
            (user, libc_errno::EACCES, &ubuntu(), "apparmor_restrict_unprivileged_userns=0"),
            (Attempt::Leave(Namespace::Network), libc_errno::EPERM, &ubuntu(), "apparmor_restrict"),
            (Attempt::Tap, libc_errno::EPERM, &ubuntu(), "apparmor_restrict"),
            (Attempt::Tap, libc_errno::ENOENT, &plain, "modprobe tun"),
            (Attempt::Tap, libc_errno::EACCES, &plain, "chmod 0666 /dev/net/tun"),
            (Attempt::Tap, libc_errno::EACCES, &ubuntu(), "chmod 0666 /dev/net/tun"),
            (user, libc_errno::EPERM, &plain, "seccomp"),
            (user, libc_errno::EINVAL, &plain, "CONFIG_USER_NS"),
        ] {
            let text = explain(attempt, errno, facts).unwrap_or_else(|| panic!("{attempt:?} {errno}")).to_string();
            assert!(text.contains(cure), "{attempt:?} {errno}: {text}");
            assert!(!text.contains('\n'));
        }
    }

    #[test]
    fn an_unknown_refusal_is_left_to_its_errno() {
        assert_eq!(explain(Attempt::Tap, 5, &Facts::default()), None);
        assert_eq!(explain(Attempt::SetUp, libc_errno::EPERM, &Facts::default()), None);
    }
}
