//! Host sockets, made before they are needed and closed when nothing urgent is left.
//!
//! # Theory of operation
//!
//! A guest waits for its SYN-ACK while the host's connection is opened, and a client that makes one connection after the other has its next SYN in the
//! batch that ends the last one. Making a socket with its options and closing one (which wakes the far end) are a fifth of what the
//! engine does for a short connection, and neither has to be done in that moment. So closing waits for the end of the turn, when what
//! was to be sent has been sent, and then the sockets that were used are replaced.
//!
//! # Limits
//!
//! [`SPARE_SOCKETS`] are kept, for IPv4. [`MAX_DONE_SOCKETS`] wait to be closed; beyond it, and when descriptors run out, they are closed at once.

use crate::limits::{MAX_DONE_SOCKETS, SPARE_SOCKETS};
use crate::streams::Stream;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use unet_core::uplink::Close;
use unet_sys::stream;

#[derive(Debug, Default)]
pub(crate) struct Stock {
    spare: Vec<OwnedFd>,
    /// Only where connections are made does it pay to have some.
    is_wanted: bool,
    done: Vec<(Stream, Close)>,
}

impl Stock {
    /// A socket to connect to `address` with.
    pub(crate) fn take(&mut self, address: &SocketAddr) -> io::Result<OwnedFd> {
        if address.is_ipv4() {
            self.is_wanted = true;
            if let Some(fd) = self.spare.pop() {
                return Ok(fd);
            }
        }
        stream::socket_to_connect(address).or_else(|_| {
            // Perhaps for want of descriptors.
            self.close_done();
            stream::socket_to_connect(address)
        })
    }

    pub(crate) fn discard(&mut self, stream: Stream, how: Close) {
        if self.done.len() >= MAX_DONE_SOCKETS {
            stream.close(how);
        } else {
            self.done.push((stream, how));
        }
    }

    /// The end of a turn.
    pub(crate) fn settle(&mut self) {
        self.close_done();
        if std::mem::take(&mut self.is_wanted) {
            while self.spare.len() < SPARE_SOCKETS {
                let Ok(fd) = stream::socket_to_connect(&SocketAddr::from(([0, 0, 0, 0], 0))) else { return };
                self.spare.push(fd);
            }
        }
    }

    fn close_done(&mut self) {
        for (stream, how) in self.done.drain(..) {
            stream.close(how);
        }
    }
}
