//! A flow's TCP socket.

use crate::error::uplink_error;
use crate::ports::SourceId;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, OwnedFd};
use unet_core::uplink::{Close, Readiness, Received, UplinkError};
use unet_sys::event::Ready;
use unet_sys::stream;

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) fd: OwnedFd,
    pub(crate) source: SourceId,
}

impl Stream {
    pub(crate) fn send(&self, data: &[u8]) -> Result<usize, UplinkError> {
        let mut sent = 0;
        // A short write means a full buffer, except that one call takes at most what one wake-up of the far end left free: try until it
        // says so itself, or the edge-triggered event would never come.
        while sent < data.len() {
            match stream::write(self.fd.as_fd(), &data[sent..]) {
                Ok(taken) => sent += taken,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(uplink_error(&error)),
            }
        }
        Ok(sent)
    }

    pub(crate) fn send_many(&self, pieces: &[IoSlice<'_>]) -> Result<usize, UplinkError> {
        if let [piece] = pieces {
            return self.send(piece);
        }
        let mut sent = match stream::write_many(self.fd.as_fd(), pieces) {
            Ok(taken) => taken,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(uplink_error(&error)),
        };
        let mut skip = sent;
        for piece in pieces {
            let rest = piece.get(skip..).unwrap_or(&[]);
            skip = skip.saturating_sub(piece.len());
            if rest.is_empty() {
                continue;
            }
            // After a short write: one by one until the socket says itself that it is full, as in `send`.
            let taken = self.send(rest)?;
            sent += taken;
            if taken < rest.len() {
                break;
            }
        }
        Ok(sent)
    }

    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<Received, UplinkError> {
        received(stream::read(self.fd.as_fd(), buffer))
    }

    pub(crate) fn receive_many(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<Received, UplinkError> {
        received(stream::read_many(self.fd.as_fd(), buffers))
    }

    pub(crate) fn shutdown(&self) {
        // ENOTCONN: the far end has reset; the event that says so is on its way.
        let _ = stream::finish_sending(self.fd.as_fd());
    }

    pub(crate) fn close(self, how: Close) {
        if how == Close::Reset {
            stream::reset_on_close(self.fd.as_fd());
        }
    }

    /// What an event means.
    pub(crate) fn readiness(&self, ready: Ready) -> Readiness {
        let error = if ready.error || (ready.hang_up && !ready.readable) {
            stream::take_error(self.fd.as_fd()).map(|error| uplink_error(&error))
        } else {
            None
        };
        Readiness { readable: ready.readable, writable: ready.writable, error, ended: ready.ended }
    }
}

fn received(result: io::Result<usize>) -> Result<Received, UplinkError> {
    match result {
        Ok(0) => Ok(Received::Closed),
        Ok(len) => Ok(Received::Data(len)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Received::Empty),
        Err(error) => Err(uplink_error(&error)),
    }
}
