//! One TCP connection to the DNS service, seen from the service's end.

use super::frame::Framer;
use crate::limits::{MAX_DNS_BACKLOG, MAX_DNS_PER_STREAM};
use crate::ports::SourceId;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use unet_core::{DropReason, EndpointId, Instant};
use unet_sys::stream;

/// Bytes taken from a connection by one read.
const CHUNK: usize = 4096;

#[derive(Debug)]
pub(super) struct DnsStream {
    pub(super) endpoint: EndpointId,
    pub(super) fd: OwnedFd,
    pub(super) source: Option<SourceId>,
    framer: Framer,
    output: Vec<u8>,
    pub(super) under_way: usize,
    /// The client has sent all its questions.
    ended: bool,
    /// When it last brought a whole question, or took a whole answer. Single bytes of one do not count: who drips them is idle.
    pub(super) useful: Instant,
}

/// Why a connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All is answered, or the client is gone.
    Done,
    Dropped(DropReason),
}

impl DnsStream {
    pub(super) fn new(endpoint: EndpointId, fd: OwnedFd, now: Instant) -> Self {
        Self {
            endpoint,
            fd,
            source: None,
            framer: Framer::default(),
            output: Vec::new(),
            under_way: 0,
            ended: false,
            useful: now,
        }
    }

    /// Whether nobody would miss it.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way == 0
    }

    /// Bytes that its client has not taken.
    pub(super) fn backlog(&self) -> usize {
        self.output.len()
    }

    pub(super) fn held(&self) -> usize {
        self.framer.held() + self.output.len()
    }

    /// The next question, as long as there is one to be had and the connection may have one more under way. A client that does not
    /// read its answers is not heard.
    pub(super) fn next_question(&mut self, now: Instant) -> Result<Option<Vec<u8>>, End> {
        let mut chunk = [0; CHUNK];
        while self.under_way < MAX_DNS_PER_STREAM && self.output.is_empty() {
            // What is complete goes on first, so that no more than a message and a read is held.
            if let Some(message) = self.framer.next().map_err(End::Dropped)? {
                self.under_way += 1;
                self.useful = now;
                return Ok(Some(message));
            }
            if self.ended {
                break;
            }
            match stream::read(self.fd.as_fd(), &mut chunk) {
                Ok(0) => self.ended = true,
                Ok(len) => self.framer.feed(&chunk[..len]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Err(End::Done),
            }
        }
        if self.ended && self.under_way == 0 && self.output.is_empty() { Err(End::Done) } else { Ok(None) }
    }

    /// Takes an answer and sends what can be sent. `room` is what the guest's connections together may still hold.
    pub(super) fn answer(&mut self, message: &[u8], room: usize, now: Instant) -> Result<(), End> {
        // Longer than a length can say: not ours.
        let len = u16::try_from(message.len()).map_err(|_| End::Done)?;
        self.output.reserve(2 + message.len());
        self.output.extend_from_slice(&len.to_be_bytes());
        self.output.extend_from_slice(message);
        self.write(now)?;
        if self.output.len() > MAX_DNS_BACKLOG.min(room) {
            return Err(End::Dropped(DropReason::DnsAnswersUnread));
        }
        Ok(())
    }

    pub(super) fn write(&mut self, now: Instant) -> Result<(), End> {
        while !self.output.is_empty() {
            match stream::write(self.fd.as_fd(), &self.output) {
                Ok(taken) => {
                    self.output.drain(..taken);
                    if self.output.is_empty() {
                        self.useful = now;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Err(End::Done),
            }
        }
        Ok(())
    }
}
