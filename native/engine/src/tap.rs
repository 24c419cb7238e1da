//! One endpoint's TAP: frames out of it, frames into it, faults on the way where they were asked for.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use unet_core::Capabilities;
use unet_core::fault::{FaultInjector, Faults};
use unet_core::wire::vnet::{LEN as VNET_LEN, Vnet};
use unet_sys::tap_io;

/// Largest read: a virtio-net header, an Ethernet header and 64 KiB of packet.
pub(crate) const FRAME_BUFFER: usize = VNET_LEN + 14 + 65_536;

#[derive(Debug)]
pub(crate) struct Tap {
    fd: OwnedFd,
    pub(crate) capabilities: Capabilities,
    to_guest: Option<FaultInjector>,
    pub(crate) from_guest: Option<FaultInjector>,
    /// Frames and bytes handed to the guest.
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
}

impl Tap {
    pub(crate) fn new(fd: OwnedFd, capabilities: Capabilities, faults: Faults, seed: u64) -> Self {
        let injector = |seed| (!faults.is_none()).then(|| FaultInjector::new(faults, seed));
        Self {
            fd,
            capabilities,
            to_guest: injector(seed),
            from_guest: injector(seed.rotate_left(32)),
            frames: 0,
            bytes: 0,
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The name of what it can do, for people.
    pub(crate) fn device_name(&self) -> &'static str {
        match self.capabilities {
            Capabilities { vnet: false, .. } => "plain",
            Capabilities { tso4: false, .. } => "vnet",
            Capabilities { uso: false, .. } => "vnet-gso",
            Capabilities { .. } => "vnet-gso-uso",
        }
    }

    /// False when the device did not take the frame.
    pub(crate) fn transmit(&mut self, vnet: &Vnet, header: &[u8], payload: &[u8]) -> bool {
        let vnet = vnet.emit();
        let vnet: &[u8] = if self.capabilities.vnet { &vnet } else { &[] };
        self.frames += 1;
        self.bytes += (header.len() + payload.len()) as u64;
        if let Some(faults) = &mut self.to_guest {
            let fd = self.fd.as_fd();
            let frame = [vnet, header, payload].concat();
            faults.offer(&frame, |frame| {
                // A refused frame is a lost one, and this link loses frames.
                let _ = tap_io::write(fd, &[IoSlice::new(frame)]);
            });
            return true;
        }
        let pieces = [IoSlice::new(vnet), IoSlice::new(header), IoSlice::new(payload)];
        tap_io::write(self.fd.as_fd(), &pieces).is_ok()
    }

    pub(crate) fn holds_frames(&self) -> bool {
        self.to_guest.as_ref().is_some_and(FaultInjector::holds_frames)
            || self.from_guest.as_ref().is_some_and(FaultInjector::holds_frames)
    }

    /// Lets go of frames that were held back towards the guest.
    pub(crate) fn release(&mut self) {
        let fd = self.fd.as_fd();
        if let Some(faults) = &mut self.to_guest {
            faults.release(|frame| {
                let _ = tap_io::write(fd, &[IoSlice::new(frame)]);
            });
        }
    }

    /// Frames lost on purpose since the last call.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        [&mut self.to_guest, &mut self.from_guest].into_iter().flatten().map(FaultInjector::take_dropped).sum()
    }
}
