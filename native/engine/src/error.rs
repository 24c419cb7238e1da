//! What a call can answer, with the codes that the owner sees.

use std::io;
use thiserror::Error;
use unet_core::uplink::UplinkError;

#[derive(Debug, Error)]
pub enum EngineError {
    #[error("the engine has stopped")]
    Stopped,
    #[error("no such {0}")]
    NotFound(&'static str),
    #[error("{0} exists already")]
    Exists(&'static str),
    #[error("invalid {0}")]
    Invalid(&'static str),
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl EngineError {
    /// The code of the table that both sides of the binding share.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stopped => "ESTOPPED",
            Self::NotFound(_) => "ENOENT",
            Self::Exists(_) => "EEXIST",
            Self::Invalid(_) => "EINVAL",
            Self::Io(error) => match error.raw_os_error() {
                Some(libc::EADDRINUSE) => "EADDRINUSE",
                Some(libc::EACCES | libc::EPERM) => "EACCES",
                Some(libc::EADDRNOTAVAIL) => "EADDRNOTAVAIL",
                Some(libc::EMFILE | libc::ENFILE) => "EMFILE",
                _ => "EIO",
            },
        }
    }
}

/// What a socket's errno means to a guest.
pub(crate) fn uplink_error(error: &io::Error) -> UplinkError {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => UplinkError::Refused,
        Some(libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED) => UplinkError::Reset,
        Some(libc::EHOSTUNREACH | libc::EHOSTDOWN) => UplinkError::HostUnreachable,
        Some(libc::ENETUNREACH | libc::ENETDOWN | libc::EADDRNOTAVAIL) => UplinkError::NetworkUnreachable,
        Some(libc::ETIMEDOUT) => UplinkError::TimedOut,
        Some(libc::EACCES | libc::EPERM) => UplinkError::NotPermitted,
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::EAGAIN) => UplinkError::Exhausted,
        Some(libc::EMSGSIZE) => UplinkError::TooLarge,
        _ => UplinkError::Other,
    }
}
