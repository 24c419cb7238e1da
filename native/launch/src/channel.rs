//! One JSON object a packet, over a SEQPACKET socket, with a descriptor beside it where a message calls for one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use unet_sys::fdpass;

#[derive(Debug)]
pub(crate) struct Channel {
    socket: OwnedFd,
}

impl Channel {
    /// Two connected ends.
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = fdpass::pair()?;
        Ok((Self { socket: a }, Self { socket: b }))
    }

    pub(crate) fn connect(path: &Path) -> io::Result<Self> {
        Ok(Self { socket: fdpass::connect_to(path)? })
    }

    pub(crate) fn send(&self, message: &impl Serialize, fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let bytes = serde_json::to_vec(message)?;
        fdpass::send(self.socket.as_fd(), &bytes, fd, false)
    }

    /// Ends the conversation so that the other end still gets everything that was sent to it. A socket that is closed with
    /// unread packets makes the other end's next receive fail with ECONNRESET, ahead of what lies ready for it there.
    pub(crate) fn close(self) {
        // From here on the other end cannot send, so what is read now is all there is.
        if fdpass::stop_receiving(self.socket.as_fd()).is_ok() {
            let mut buffer = vec![0; fdpass::MAX_PACKET];
            while let Ok(Some(_)) = fdpass::receive(self.socket.as_fd(), &mut buffer, true) {}
        }
    }

    /// The next message; `None` at the end. With `wait` false and nothing there, `WouldBlock`.
    pub(crate) fn receive<T: DeserializeOwned>(&self, wait: bool) -> io::Result<Option<(T, Option<OwnedFd>)>> {
        let mut buffer = vec![0; fdpass::MAX_PACKET];
        let Some(packet) = fdpass::receive(self.socket.as_fd(), &mut buffer, !wait)? else {
            return Ok(None);
        };
        let message = serde_json::from_slice(&buffer[..packet.length])?;
        Ok(Some((message, packet.fd)))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
