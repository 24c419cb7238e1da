//! The conversation with the engine: the TAP is handed over, and again to the next engine after a crash.
//!
//! A lost engine is looked for at the same path: at once when something appears in the socket's directory (a new engine's
//! socket, most likely), and with a growing pause ([`FIRST_PAUSE`] to [`LONGEST_PAUSE`]) in any case, since the directory itself may have been
//! made anew.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use unet_sys::watch::DirectoryWatch;

use crate::channel::Channel;
use crate::failure::{Failure, Result, Step};
use crate::messages::{Device, FromEngine, ToEngine};
use crate::spec::Spec;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const AFTER_A_CHANGE: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(crate) struct Handoff<'a> {
    spec: &'a Spec,
    channel: Option<Channel>,
    /// Ours for as long as the guest lives.
    tap: Option<(Device, OwnedFd)>,
    /// The command's number on the host, once it runs.
    command: Option<i32>,
    /// `Some` while there is no engine that has the TAP.
    retry_at: Option<Instant>,
    pause: Duration,
    /// The socket's directory, while there is no engine.
    watch: Option<DirectoryWatch>,
}

impl<'a> Handoff<'a> {
    pub(crate) fn new(spec: &'a Spec) -> Self {
        Self { spec, channel: None, tap: None, command: None, retry_at: None, pause: FIRST_PAUSE, watch: None }
    }

    pub(crate) fn connect(&mut self) -> Result<()> {
        let path = &self.spec.handoff_socket;
        self.channel = Some(Channel::connect(path).map_err(|error| {
            let why = match error.kind() {
                io::ErrorKind::NotFound => "it is not there".to_owned(),
                io::ErrorKind::ConnectionRefused => "nobody listens".to_owned(),
                _ => error.to_string(),
            };
            Failure::own(format_args!(
                "cannot reach the daemon at {} ({why}): try again, or look at `unet daemon status`",
                path.display()
            ))
        })?);
        Ok(())
    }

    /// The first hand-over. The engine gets a copy; the descriptor stays with us.
    pub(crate) fn attach(&mut self, device: Device, tap: OwnedFd) -> Result<()> {
        self.tap = Some((device, tap));
        self.send_tap(false).step("the daemon ended while the container was started")
    }

    fn send_tap(&self, running: bool) -> io::Result<()> {
        let (Some(channel), Some((device, tap))) = (&self.channel, &self.tap) else {
            return Err(io::Error::from(io::ErrorKind::NotConnected));
        };
        let message = ToEngine::Attach {
            ticket: &self.spec.ticket,
            container_id: &self.spec.container_id,
            pid: std::process::id(),
            running,
            device: *device,
        };
        channel.send(&message, Some(tap.as_fd()))
    }

    pub(crate) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.channel.as_ref().map(AsFd::as_fd)
    }

    /// The next word; `None` at the end.
    pub(crate) fn receive(&self) -> io::Result<Option<FromEngine>> {
        let Some(channel) = &self.channel else { return Ok(None) };
        Ok(channel.receive(false)?.map(|(message, _)| message))
    }

    /// An engine that cannot be told is gone, which the loop sees by itself.
    pub(crate) fn tell(&self, message: &ToEngine<'_>) {
        if let Some(channel) = &self.channel {
            let _ = channel.send(message, None);
        }
    }

    /// The command runs. Said again to every later engine, whose owner may never have learned its number.
    pub(crate) fn started(&mut self, pid: i32) {
        self.command = Some(pid);
        self.tell(&ToEngine::Started { pid });
    }

    pub(crate) fn close(&mut self) {
        if let Some(channel) = self.channel.take() {
            channel.close();
        }
    }

    /// When to try again; `None` while all is well.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// The engine is gone, or did not take the TAP.
    pub(crate) fn lost(&mut self, now: Instant) {
        self.channel = None;
        self.retry_at = Some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        if self.watch.is_none() {
            let directory = self.spec.handoff_socket.parent();
            self.watch = directory.and_then(|directory| DirectoryWatch::open(directory).ok());
        }
    }

    pub(crate) fn watch(&self) -> Option<BorrowedFd<'_>> {
        self.watch.as_ref().map(AsFd::as_fd)
    }

    /// Something appeared in the directory. A socket's name appears when it is bound, a moment before it can be connected to.
    pub(crate) fn directory_changed(&mut self, now: Instant) {
        if self.watch.as_ref().is_some_and(|watch| watch.clear().is_err()) {
            self.watch = None;
        }
        self.pause = FIRST_PAUSE;
        if let Some(at) = &mut self.retry_at {
            *at = (*at).min(now + AFTER_A_CHANGE);
        }
    }

    /// Offers the TAP to whoever listens now; its answer comes by [`Self::receive`].
    pub(crate) fn retry(&mut self, now: Instant) {
        self.retry_at = None;
        let offered = Channel::connect(&self.spec.handoff_socket).and_then(|channel| {
            self.channel = Some(channel);
            self.send_tap(true)
        });
        if offered.is_err() {
            self.lost(now);
        }
    }

    pub(crate) fn attached_again(&mut self) {
        self.pause = FIRST_PAUSE;
        self.watch = None;
        if let Some(pid) = self.command {
            self.tell(&ToEngine::Started { pid });
        }
    }
}
