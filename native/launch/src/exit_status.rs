//! How a command ended, in the words of a shell, and the exit file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use unet_sys::fork::Ended;

use crate::clock;

/// `exit_code` is 128+N when the command was killed by signal N.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExitStatus {
    pub(crate) exit_code: i32,
    pub(crate) signal: Option<i32>,
}

const KILLED_BY_SIGNAL: i32 = 128;

impl ExitStatus {
    pub(crate) fn killed(signal: i32) -> Self {
        Self { exit_code: KILLED_BY_SIGNAL + signal, signal: Some(signal) }
    }

    pub(crate) fn code(exit_code: i32) -> Self {
        Self { exit_code, signal: None }
    }
}

impl From<Ended> for ExitStatus {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Exited(code) => Self::code(code),
            Ended::Signaled(signal) => Self::killed(signal),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(flatten)]
    status: ExitStatus,
    finished_at: &'a str,
}

/// Writes the exit file so that a reader sees all of it or none.
pub(crate) fn record(path: &Path, status: ExitStatus) -> io::Result<()> {
    let finished_at = clock::now_rfc3339();
    let mut text = serde_json::to_vec(&Record { status, finished_at: &finished_at })?;
    text.push(b'\n');
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(&text)?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_128_plus_its_number() {
        let status = ExitStatus::from(Ended::Signaled(9));
        assert_eq!(status, ExitStatus { exit_code: 137, signal: Some(9) });
        assert_eq!(ExitStatus::from(Ended::Exited(7)).exit_code, 7);
    }
}
