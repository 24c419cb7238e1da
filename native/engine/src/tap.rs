//! One endpoint's TAP: frames out of it, frames into it.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use unet_core::Capabilities;
use unet_core::wire::vnet::{LEN as VNET_LEN, Vnet};
use unet_sys::tap_io;

/// Largest read: a virtio-net header, an Ethernet header and 64 KiB of packet.
pub(crate) const FRAME_BUFFER: usize = VNET_LEN + 14 + 65_536;

#[derive(Debug)]
pub(crate) struct Tap {
    fd: OwnedFd,
    pub(crate) capabilities: Capabilities,
    /// Frames and bytes handed to the guest.
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
}

impl Tap {
    pub(crate) fn new(fd: OwnedFd, capabilities: Capabilities) -> Self {
        Self { fd, capabilities, frames: 0, bytes: 0 }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(crate) fn into_fd(self) -> OwnedFd {
        self.fd
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
        let pieces = [IoSlice::new(vnet), IoSlice::new(header), IoSlice::new(payload)];
        tap_io::write(self.fd.as_fd(), &pieces).is_ok()
    }
}
