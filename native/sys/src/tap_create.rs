//! Making a TAP device, as an unprivileged user in a network namespace of his own.
//!
//! # Theory of operation
//!
//! The `tun-tap` crate creates the device, but it cannot ask for `IFF_VNET_HDR`, and the kernel refuses a second TUNSETIFF on
//! the same descriptor (EEXIST). So: create through the crate, make the device persistent, close, attach again on a descriptor
//! of our own with `IFF_VNET_HDR`, set the header's size, switch the offloads on, and take the persistence off again. From then
//! on the device lives exactly as long as a descriptor of its queue is open (the engine's, or the launcher's dup).
//!
//! Kernels differ in the offloads they know (USO came with 6.2, and needs TSO beside it), so a refused set is tried again
//! with less, one step at a time ([`OFFLOAD_STEPS`]). When the header itself is refused, the plain device is used.
//!
//! # Limits
//!
//! One queue a device: a multi-queue attach to a device made without it is EINVAL. Names are checked here, because the crate cuts
//! a long one silently.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use tun_tap::{Iface, Mode};

/// Where the kernel's driver is.
pub const TUN_DEVICE: &str = "/dev/net/tun";

/// The vnet header with `num_buffers` (`virtio_net_hdr_v1`), in host byte order.
pub const VNET_HEADER_SIZE: u8 = 12;

const CSUM: u32 = libc::TUN_F_CSUM;
const TSO4: u32 = libc::TUN_F_TSO4;
const TSO6: u32 = libc::TUN_F_TSO6;
const TSO_ECN: u32 = libc::TUN_F_TSO_ECN;
const USO: u32 = libc::TUN_F_USO4 | libc::TUN_F_USO6;

/// Offload sets, best first. Each leaves out what the kernel is most likely to have refused in the one before.
pub const OFFLOAD_STEPS: [u32; 6] =
    [CSUM | TSO4 | TSO6 | TSO_ECN | USO, CSUM | TSO4 | TSO6 | TSO_ECN, CSUM | TSO4 | TSO6, CSUM | TSO4, CSUM, 0];

/// What the device can do. `header_size` is 0 on a plain device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TapFeatures {
    pub vnet_header: bool,
    pub header_size: u8,
    pub csum: bool,
    pub tso4: bool,
    pub tso6: bool,
    pub tso_ecn: bool,
    pub uso: bool,
}

impl TapFeatures {
    fn with_offload(bits: u32) -> Self {
        Self {
            vnet_header: true,
            header_size: VNET_HEADER_SIZE,
            csum: bits & CSUM != 0,
            tso4: bits & TSO4 != 0,
            tso6: bits & TSO6 != 0,
            tso_ecn: bits & TSO_ECN != 0,
            uso: bits & USO == USO,
        }
    }
}

/// A device with its queue attached.
#[derive(Debug)]
pub struct Tap {
    pub fd: OwnedFd,
    pub features: TapFeatures,
    /// Why the device is plain although a vnet header was asked for.
    pub plain_because: Option<io::Error>,
}

/// Creates the device `name` in the caller's network namespace. With `offload`, tries for a vnet header and offloads and
/// falls back to less; without, the device is plain.
pub fn create(name: &str, offload: bool) -> io::Result<Tap> {
    if name.is_empty() || name.len() >= libc::IFNAMSIZ || name.bytes().any(|b| b == 0 || b == b'/' || b == b'%') {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a name for an interface"));
    }
    let plain = Iface::without_packet_info(name, Mode::Tap)?;
    if !offload {
        return Ok(Tap { fd: owned(plain), features: TapFeatures::default(), plain_because: None });
    }
    let plain = owned(plain);
    set_persistent(&plain, true)?;
    drop(plain);
    match upgrade(name) {
        Ok((fd, features)) => {
            set_persistent(&fd, false)?;
            Ok(Tap { fd, features, plain_because: None })
        }
        Err(error) => {
            let fd = attach(name, 0)?;
            set_persistent(&fd, false)?;
            Ok(Tap { fd, features: TapFeatures::default(), plain_because: Some(error) })
        }
    }
}

fn owned(iface: Iface) -> OwnedFd {
    // SAFETY: into_raw_fd gives the crate's only descriptor of the queue away.
    unsafe { OwnedFd::from_raw_fd(iface.into_raw_fd()) }
}

fn upgrade(name: &str) -> io::Result<(OwnedFd, TapFeatures)> {
    let fd = attach(name, libc::IFF_VNET_HDR as libc::c_short)?;
    let size = libc::c_int::from(VNET_HEADER_SIZE);
    // SAFETY: TUNSETVNETHDRSZ reads one int.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETVNETHDRSZ as _, &raw const size) })?;
    let bits = first_accepted(|bits| set_offload(&fd, bits))?;
    Ok((fd, TapFeatures::with_offload(bits)))
}

/// The first of [`OFFLOAD_STEPS`] that `try_step` takes; the last error when it takes none.
fn first_accepted(mut try_step: impl FnMut(u32) -> io::Result<()>) -> io::Result<u32> {
    let mut refused = io::Error::from_raw_os_error(libc::EINVAL);
    for bits in OFFLOAD_STEPS {
        match try_step(bits) {
            Ok(()) => return Ok(bits),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Attaches a new descriptor to the existing device.
fn attach(name: &str, extra: libc::c_short) -> io::Result<OwnedFd> {
    let file: File = OpenOptions::new().read(true).write(true).custom_flags(libc::O_CLOEXEC).open(TUN_DEVICE)?;
    let mut request = interface_request(name);
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short | extra;
    // SAFETY: TUNSETIFF reads and writes one ifreq, which outlives the call; its name ends with a NUL.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) })?;
    Ok(file.into())
}

fn interface_request(name: &str) -> libc::ifreq {
    // SAFETY: ifreq is plain data, for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The caller has checked that the name is shorter than the field: the last byte stays NUL.
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from as libc::c_char;
    }
    request
}

fn set_persistent(fd: &OwnedFd, persistent: bool) -> io::Result<()> {
    // SAFETY: TUNSETPERSIST takes its argument as a number.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETPERSIST as _, libc::c_ulong::from(persistent)) })
}

fn set_offload(fd: &OwnedFd, bits: u32) -> io::Result<()> {
    // SAFETY: TUNSETOFFLOAD takes its argument as a number.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETOFFLOAD as _, libc::c_ulong::from(bits)) })
}

/// The flags of an attached queue (TUNGETIFF), for reports and tests.
pub fn flags_of(fd: BorrowedFd<'_>) -> io::Result<libc::c_short> {
    let mut request = interface_request("");
    // SAFETY: TUNGETIFF writes one ifreq, which outlives the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNGETIFF as _, &raw mut request) })?;
    // SAFETY: TUNGETIFF sets the flags member of the union.
    Ok(unsafe { request.ifr_ifru.ifru_flags })
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusing(unknown: u32) -> io::Result<TapFeatures> {
        first_accepted(
            |bits| {
                if bits & unknown == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EINVAL)) }
            },
        )
        .map(TapFeatures::with_offload)
    }

    #[test]
    fn offloads_fall_back_one_step_at_a_time() {
        let all = refusing(0).unwrap();
        assert!(all.uso && all.tso_ecn && all.tso6 && all.tso4 && all.csum);
        let before_6_2 = refusing(USO).unwrap();
        assert!(!before_6_2.uso && before_6_2.tso_ecn && before_6_2.tso6);
        let no_ecn = refusing(USO | TSO_ECN).unwrap();
        assert!(!no_ecn.tso_ecn && no_ecn.tso6);
        assert!(refusing(USO | TSO_ECN | TSO6).unwrap().tso4);
        let sums = refusing(USO | TSO_ECN | TSO6 | TSO4).unwrap();
        assert!(sums.csum && !sums.tso4 && sums.vnet_header);
        let none = refusing(USO | TSO_ECN | TSO6 | TSO4 | CSUM).unwrap();
        assert!(none.vnet_header && !none.csum);
    }

    #[test]
    fn offload_refused_altogether_is_an_error() {
        let error = first_accepted(|_| Err(io::Error::from_raw_os_error(libc::EBADFD))).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADFD));
    }

    #[test]
    fn a_name_that_would_be_cut_is_refused() {
        for name in ["", "sixteen-letters-", "a/b", "tap%d", "a\0b"] {
            assert_eq!(create(name, true).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name:?}");
        }
    }
}
