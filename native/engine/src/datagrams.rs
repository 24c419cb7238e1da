//! A binding's UDP or ping socket, and what the loop does with its events.

use crate::error::uplink_error;
use crate::limits::DATAGRAM_BUDGET;
use crate::ports::SourceId;
use crate::run::Loop;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use unet_core::BindingId;
use unet_core::uplink::{DatagramPeer, UplinkError};
use unet_sys::datagram::{self, Returned};
use unet_sys::event::Ready;

#[derive(Debug)]
pub(crate) struct DatagramSocket {
    pub(crate) fd: OwnedFd,
    pub(crate) source: SourceId,
}

impl DatagramSocket {
    pub(crate) fn send(&self, to: DatagramPeer, data: &[u8], segment: Option<u16>) -> Result<(), UplinkError> {
        let segment = segment.filter(|&size| data.len() > usize::from(size));
        let send = |data: &[u8], segment| datagram::send_to(self.fd.as_fd(), to.address, to.local, data, segment);
        match send(data, segment) {
            Ok(()) => Ok(()),
            // An error of an earlier datagram, reported by this call: it is on the error queue too, and this datagram has not gone.
            Err(error) if is_pending_error(&error) => send(data, segment).map_err(|error| uplink_error(&error)),
            // Kernels refuse UDP_SEGMENT where the device or the checksum settings do not allow it: one by one then.
            Err(error) if segment.is_some() && error.raw_os_error() == Some(libc::EIO) => {
                let size = usize::from(segment.unwrap_or(1)).max(1);
                for part in data.chunks(size) {
                    send(part, None).map_err(|error| uplink_error(&error))?;
                }
                Ok(())
            }
            Err(error) => Err(uplink_error(&error)),
        }
    }

    /// One datagram; None when there is none.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Option<(usize, DatagramPeer)> {
        // Twice at most: once for a pending error of an earlier datagram.
        for _ in 0..2 {
            match datagram::receive_from(self.fd.as_fd(), buffer) {
                Ok((len, address, local)) => return Some((len, DatagramPeer { address, local })),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => {}
            }
        }
        None
    }

    /// One error that came back; None when there is none.
    pub(crate) fn next_error(&self) -> Option<Returned> {
        datagram::next_error(self.fd.as_fd()).ok().flatten()
    }
}

fn is_pending_error(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::EPROTO))
}

impl Loop {
    /// A binding's socket has datagrams or errors.
    pub(crate) fn on_datagram(&mut self, binding: BindingId, ready: Ready) {
        let now = self.clock.now();
        for _ in 0..DATAGRAM_BUDGET {
            let Some(socket) = self.ports.datagrams.get(binding) else { return };
            let Some((len, from)) = socket.receive(&mut self.frame) else { break };
            let Some(data) = self.frame.get(..len) else { return };
            self.stack.on_datagram(&mut self.ports, binding, from, data, now);
        }
        if !ready.error {
            return;
        }
        for _ in 0..DATAGRAM_BUDGET {
            let Some(socket) = self.ports.datagrams.get(binding) else { return };
            let Some(returned) = socket.next_error() else { return };
            let error = uplink_error(&returned.error);
            self.stack.on_datagram_error(&mut self.ports, binding, returned.to, error);
        }
    }
}
