//! Closing TAPs, beside the loop.
//!
//! # Theory of operation
//!
//! Whoever closes the last descriptor of a TAP waits for the kernel to unregister its interface: 10 to 20 ms of grace periods. On the loop that would be so long
//! a time in which nobody's packets move, whenever any container ends; in the launcher, which keeps a duplicate, its caller would wait
//! for it. So TAPs are closed by a thread of their own, and a while after they were given to it ([`CLOSING_GRACE`]): by then the launcher has let go
//! of its duplicate, which costs it nothing, and the last close is here.
//!
//! # Limits
//!
//! [`MAX_CLOSING`] at once, each for some 20 ms; beyond it, and where no thread can be made, the loop closes by itself. Nobody waits for
//! the thread: when its owner goes, it closes what it has and ends.

use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Instant;

use crate::limits::{CLOSING_GRACE, MAX_CLOSING};
use unet_sys::signal;

type Closing = (OwnedFd, Instant);

/// Where TAPs go at their end. The thread is made with the first.
#[derive(Debug, Default)]
pub(crate) struct Closer {
    queue: Option<SyncSender<Closing>>,
}

impl Closer {
    pub(crate) fn close(&mut self, fd: OwnedFd) {
        if self.queue.is_none() {
            self.queue = start();
        }
        let Some(queue) = &self.queue else { return };
        match queue.try_send((fd, Instant::now())) {
            Ok(()) => {}
            // Closed here, as it is dropped.
            Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => self.queue = None,
        }
    }
}

fn start() -> Option<SyncSender<Closing>> {
    let (sender, receiver) = sync_channel(MAX_CLOSING);
    std::thread::Builder::new().name("unet-closer".into()).spawn(move || close_all(&receiver)).ok()?;
    Some(sender)
}

fn close_all(queue: &Receiver<Closing>) {
    // Signals are Node's business.
    let _ = signal::block_all();
    while let Ok((fd, since)) = queue.recv() {
        std::thread::sleep(CLOSING_GRACE.saturating_sub(since.elapsed()));
        drop(fd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn closes_after_a_while_and_not_in_the_call() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        theirs.set_read_timeout(Some(LONG)).expect("a limit");
        let began = Instant::now();
        let mut closer = Closer::default();
        closer.close(ours.into());
        theirs.set_nonblocking(true).expect("non-blocking");
        assert_eq!(theirs.read(&mut [0]).expect_err("still open").kind(), std::io::ErrorKind::WouldBlock);
        theirs.set_nonblocking(false).expect("blocking");
        assert_eq!(theirs.read(&mut [0]).expect("the end"), 0);
        assert!(began.elapsed() >= CLOSING_GRACE);
    }

    #[test]
    fn goes_on_without_its_owner() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        theirs.set_read_timeout(Some(LONG)).expect("a limit");
        let mut closer = Closer::default();
        closer.close(ours.into());
        drop(closer);
        assert_eq!(theirs.read(&mut [0]).expect("the end"), 0);
    }

    #[test]
    fn closes_at_once_what_it_has_no_room_for() {
        let (queue, waiting) = sync_channel(1);
        let mut closer = Closer { queue: Some(queue) };
        let mut theirs = Vec::new();
        for _ in 0..2 {
            let (ours, other) = UnixStream::pair().expect("a pair");
            other.set_nonblocking(true).expect("non-blocking");
            closer.close(ours.into());
            theirs.push(other);
        }
        assert_eq!(theirs[0].read(&mut [0]).expect_err("waits").kind(), std::io::ErrorKind::WouldBlock);
        assert_eq!(theirs[1].read(&mut [0]).expect("closed at once"), 0);
        drop(waiting);
    }
}
