//! Errors are one line for a person; nobody branches on them.

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Says what was tried, before what the system said.
pub(crate) trait Context<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: std::fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| format!("{}: {error}", what()).into())
    }
}
