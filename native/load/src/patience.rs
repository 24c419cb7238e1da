//! Nothing is left behind: servers end with their standard input, clients when their time is long over.

use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use crate::output;

/// How long a client may take beyond what it was asked for: connecting, draining, and one SYN that is sent again.
const GRACE: Duration = Duration::from_secs(15);

/// Ends the process when standard input does. A thread of its own, because input may be a pipe, a terminal or a file, and
/// a file cannot be polled; it sleeps all the while.
pub(crate) fn end_with_input() {
    thread::spawn(|| {
        wait_for_end_of_input();
        std::process::exit(0);
    });
}

/// Reads what comes until there is no more.
pub(crate) fn wait_for_end_of_input() {
    let mut buffer = [0; 256];
    loop {
        match io::stdin().read(&mut buffer) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
            _ => {}
        }
    }
}

/// Ends the process with an error when it is still there so long after `work` should have been done.
pub(crate) fn end_when_late(work: Duration) {
    thread::spawn(move || {
        thread::sleep(work + GRACE);
        output::complain(&format!(
            "nothing came back: gave up {} s after the measurement should have ended",
            GRACE.as_secs()
        ));
        std::process::exit(1);
    });
}
