//! What the command's standard descriptors are, and where the other ends go.

use std::io::{self, PipeWriter};
use std::os::fd::OwnedFd;

use unet_sys::terminal::PseudoTerminal;

use crate::execute::Standard;
use crate::log_pump::StreamName;
use crate::spec::{Spec, Stdin};

/// The size of a pseudo terminal that nobody looks at.
const ROWS: u16 = 24;
const COLUMNS: u16 = 80;

/// The supervisor's ends.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) streams: Vec<(StreamName, OwnedFd)>,
    /// Held open, so that the command's stdin never ends (`-i` with `-d`).
    pub(crate) held: Option<PipeWriter>,
}

/// In the foreground the command has the caller's own; detached, pipes or a pseudo terminal.
pub(crate) fn make(spec: &Spec) -> io::Result<(Standard, Option<Sources>)> {
    if !spec.detach {
        return Ok((Standard::Inherit, None));
    }
    if spec.tty {
        let terminal = PseudoTerminal::open(ROWS, COLUMNS)?;
        let sources = Sources { streams: vec![(StreamName::Stdout, terminal.master)], held: None };
        return Ok((Standard::Terminal(terminal.slave), Some(sources)));
    }
    let (stdin, held) = match spec.stdin {
        Stdin::Open => {
            let (reader, writer) = io::pipe()?;
            (Some(reader), Some(writer))
        }
        // The supervisor's own stdin is /dev/null.
        Stdin::Null | Stdin::Inherit => (None, None),
    };
    let (stdout_reader, stdout) = io::pipe()?;
    let (stderr_reader, stderr) = io::pipe()?;
    let streams = vec![(StreamName::Stdout, stdout_reader.into()), (StreamName::Stderr, stderr_reader.into())];
    Ok((Standard::Pipes { stdin, stdout, stderr }, Some(Sources { streams, held })))
}
