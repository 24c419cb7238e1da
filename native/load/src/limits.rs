//! Descriptors: one a connection.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::failure::Result;

/// Beside the connections: standard streams, the listener, epoll.
const OTHERS: u64 = 32;

/// Raises the soft limit as far as it goes.
pub(crate) fn raise_descriptors() -> Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}

/// Makes sure that so many connections can be open.
pub(crate) fn need_descriptors(connections: u64) -> Result<()> {
    let hard = raise_descriptors()?;
    if hard < connections + OTHERS {
        return Err(format!(
            "{connections} connections need a limit of {} open files, but the hard limit is {hard}: raise it (ulimit -Hn)",
            connections + OTHERS
        )
        .into());
    }
    Ok(())
}
