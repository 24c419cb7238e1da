//! Which signals the command is sent on behalf of the caller, and which it has had already.
//!
//! A key of the terminal (Ctrl-C) signals the whole foreground group: the client, this supervisor and the command alike. The client
//! then also sends us its copy, by kill. So a signal that the kernel sent is not forwarded, and one from our parent that follows
//! the same signal of somebody else within [`SAME_KEYPRESS`] is that same keypress (or the same `kill` of the whole group,
//! as timeout(1) does it), and is dropped.
//!
//! # Limits
//!
//! A guest that signals its whole process group (`kill 0`) reaches us too, and is told a second time: the kernel gives the
//! sender's number as it is in the sender's own PID namespace, so that it cannot be told from a process of the host's.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use unet_sys::signal::{Arrived, Name};

const SAME_KEYPRESS: Duration = Duration::from_millis(200);

const FORWARDED: [Name; 6] = [Name::SIGHUP, Name::SIGINT, Name::SIGQUIT, Name::SIGTERM, Name::SIGUSR1, Name::SIGUSR2];

#[derive(Debug)]
pub(crate) struct Forwarding {
    parent: i32,
    /// When a signal last came from somebody who is not our parent.
    seen: HashMap<i32, Instant>,
}

impl Forwarding {
    pub(crate) fn new(parent: i32) -> Self {
        Self { parent, seen: HashMap::new() }
    }

    pub(crate) fn is_listed(signal: i32) -> bool {
        FORWARDED.iter().any(|name| *name as i32 == signal)
    }

    /// Whether the command is to be sent this one.
    pub(crate) fn admits(&mut self, arrived: Arrived, now: Instant) -> bool {
        if !Self::is_listed(arrived.signal) {
            return false;
        }
        if !arrived.from_kernel && arrived.sender == self.parent {
            let before = self.seen.remove(&arrived.signal);
            return before.is_none_or(|at| now.saturating_duration_since(at) > SAME_KEYPRESS);
        }
        self.seen.insert(arrived.signal, now);
        !arrived.from_kernel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: i32 = 100;
    const INT: i32 = Name::SIGINT as i32;

    fn key(signal: i32) -> Arrived {
        Arrived { signal, from_kernel: true, sender: 0 }
    }

    fn kill(signal: i32, sender: i32) -> Arrived {
        Arrived { signal, from_kernel: false, sender }
    }

    #[test]
    fn a_keypress_is_not_sent_twice() {
        let mut forwarding = Forwarding::new(PARENT);
        let now = Instant::now();
        assert!(!forwarding.admits(key(INT), now), "the command had it from the terminal");
        assert!(!forwarding.admits(kill(INT, PARENT), now + Duration::from_millis(50)));
        assert!(forwarding.admits(kill(INT, PARENT), now + Duration::from_millis(60)), "a second one is meant");
    }

    #[test]
    fn a_kill_is_sent_on_whoever_sent_it() {
        let mut forwarding = Forwarding::new(PARENT);
        let now = Instant::now();
        assert!(forwarding.admits(kill(15, PARENT), now));
        assert!(forwarding.admits(kill(15, 7), now));
        assert!(!forwarding.admits(kill(15, PARENT), now + Duration::from_millis(10)), "a kill of the whole group");
        assert!(forwarding.admits(kill(15, PARENT), now + Duration::from_secs(1)));
        assert!(!forwarding.admits(kill(28, PARENT), now), "SIGWINCH is the terminal's business");
    }

    #[test]
    fn a_key_long_ago_does_not_swallow_a_kill() {
        let mut forwarding = Forwarding::new(PARENT);
        let now = Instant::now();
        assert!(!forwarding.admits(key(INT), now));
        assert!(forwarding.admits(kill(INT, PARENT), now + Duration::from_millis(201)));
    }
}
