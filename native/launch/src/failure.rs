//! Why the launcher gives up: one line for a person, and the exit status that goes with it.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

/// Exit status for errors of our own, as in Docker.
pub(crate) const OWN_ERROR: i32 = 125;
/// The command was found and could not be executed, as in a shell.
pub(crate) const NOT_EXECUTABLE: i32 = 126;
/// The command was not found, as in a shell.
pub(crate) const NOT_FOUND: i32 = 127;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) exit_code: i32,
}

impl Failure {
    /// An error of our own. The message is kept to one line, whatever went into it.
    pub(crate) fn own(message: impl Display) -> Self {
        Self::with_code(message, OWN_ERROR)
    }

    pub(crate) fn with_code(message: impl Display, exit_code: i32) -> Self {
        let message = message.to_string().replace(['\n', '\r'], " ");
        Self { message, exit_code }
    }
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Says which step failed.
pub(crate) trait Step<T> {
    fn step(self, what: impl Display) -> Result<T>;
}

impl<T, E: Display> Step<T> for std::result::Result<T, E> {
    fn step(self, what: impl Display) -> Result<T> {
        self.map_err(|error| Failure::own(format_args!("{what}: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line() {
        assert_eq!(Failure::own("two\nlines\r\nhere").message, "two lines  here");
    }
}
