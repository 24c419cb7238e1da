//! A command in the foreground: it has the caller's terminal, and the launcher its exit status.
//!
//! The command stays in the process group it was started in, so the terminal's keys, job control of the caller's shell, raw mode
//! and window sizes are the real thing. Only one matter is left to see to: a job-controlling shell inside takes the terminal for a
//! group of its own, and cannot give it back, because the group it should go to has no number in its PID namespace.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use unet_sys::{capability, terminal};

use crate::failure::Step;
use crate::spec::{Spec, Stdin};
use crate::supervisor::{self, Reporter};
use crate::{say, stdio};

const SIGKILL: i32 = 9;

/// Runs the spec; the exit status of the launcher.
pub(crate) fn run(spec: &Spec) -> i32 {
    let turn = Turn::look();
    let result = prepare(spec)
        .step("cannot prepare the command's input and output")
        .and_then(|(standard, sources)| supervisor::run(spec, standard, sources, &mut Voice));
    turn.restore();
    if let Err(failure) = &result {
        say::error(&failure.message);
    }
    supervisor::status_of(&result)
}

fn prepare(spec: &Spec) -> io::Result<(crate::execute::Standard, Option<stdio::Sources>)> {
    capability::parent_death_signal(SIGKILL)?;
    if spec.stdin != Stdin::Inherit {
        let null = std::fs::File::open("/dev/null")?;
        unet_sys::execute::replace_standard(null.as_fd(), 0)?;
    }
    stdio::make(spec)
}

struct Voice;

impl Reporter for Voice {
    fn warn(&mut self, text: &str) {
        say::warning(text);
    }

    fn started(&mut self) {}
}

/// Whether it was our turn on the terminal when we started.
struct Turn {
    ours: bool,
}

impl Turn {
    fn look() -> Self {
        let ours = with_terminal(|fd| terminal::foreground_group(fd) == Some(terminal::own_group()));
        Self { ours: ours == Some(true) }
    }

    /// Takes the terminal back from a group that no longer exists. A living one has been given it by the caller's shell.
    fn restore(&self) {
        if !self.ours {
            return;
        }
        with_terminal(|fd| {
            let abandoned = terminal::foreground_group(fd)
                .is_some_and(|group| group != terminal::own_group() && terminal::group_is_dead(group));
            if abandoned {
                // Without it the caller's shell takes the terminal itself, as most do.
                let _ = terminal::take_foreground(fd);
            }
        });
    }
}

fn with_terminal<T>(act: impl FnOnce(BorrowedFd<'_>) -> T) -> Option<T> {
    let terminal = std::fs::File::options().read(true).write(true).open("/dev/tty").ok()?;
    Some(act(terminal.as_fd()))
}
