//! From JavaScript's values to the engine's, with an error that names the field.

use napi::{Error, Status};
use std::net::{IpAddr, Ipv4Addr};
use unet_engine::EngineError;

/// An `Error` whose `code` is one of the table: EINVAL, ENOENT, EEXIST, EADDRINUSE, EACCES, EADDRNOTAVAIL, EMFILE, EIO, ESTOPPED.
pub(crate) type Coded = Error<Code>;
pub(crate) type Result<T> = std::result::Result<T, Coded>;

/// What becomes the error's `code`.
#[derive(Debug)]
pub struct Code(&'static str);

impl AsRef<str> for Code {
    fn as_ref(&self) -> &str {
        self.0
    }
}

impl From<Status> for Code {
    fn from(_: Status) -> Self {
        Self("EINVAL")
    }
}

pub(crate) fn failed(error: &EngineError) -> Coded {
    Error::new(Code(error.code()), error.to_string())
}

pub(crate) fn io_failed(error: std::io::Error) -> Coded {
    failed(&EngineError::from(error))
}

pub(crate) fn invalid(what: &str) -> Coded {
    Error::new(Code("EINVAL"), format!("invalid {what}"))
}

pub(crate) fn ipv4(text: &str, what: &str) -> Result<Ipv4Addr> {
    text.parse().map_err(|_| invalid(what))
}

pub(crate) fn ip(text: &str, what: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| invalid(what))
}

/// `172.17.0.0/16`.
pub(crate) fn subnet(text: &str) -> Result<(Ipv4Addr, u8)> {
    let (address, prefix) = text.split_once('/').ok_or_else(|| invalid("subnet"))?;
    Ok((ipv4(address, "subnet")?, prefix.parse().map_err(|_| invalid("subnet"))?))
}

/// `02:42:ac:11:00:02`.
pub(crate) fn mac(text: &str) -> Result<[u8; 6]> {
    let mut out = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut out {
        let part = parts.next().filter(|part| part.len() == 2).ok_or_else(|| invalid("mac"))?;
        *byte = u8::from_str_radix(part, 16).map_err(|_| invalid("mac"))?;
    }
    if parts.next().is_some() || out[0] & 1 != 0 {
        return Err(invalid("mac"));
    }
    Ok(out)
}

/// A JavaScript number as a 16-bit one.
pub(crate) fn port(number: u32, what: &str) -> Result<u16> {
    u16::try_from(number).map_err(|_| invalid(what))
}

/// A counter as the double that JavaScript has: exact up to 2^53.
#[allow(clippy::cast_precision_loss, reason = "counters beyond 2^53 may round")]
pub(crate) fn number(counter: u64) -> f64 {
    counter as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_what_is_none() {
        assert_eq!(mac("02:42:ac:11:00:02").unwrap(), [2, 0x42, 0xac, 0x11, 0, 2]);
        for bad in
            ["", "02:42:ac:11:00", "02:42:ac:11:00:02:03", "2:42:ac:11:00:02", "zz:42:ac:11:00:02", "03:00:00:00:00:01"]
        {
            assert!(mac(bad).is_err(), "{bad}");
        }
        assert_eq!(subnet("172.17.0.0/16").unwrap(), (Ipv4Addr::new(172, 17, 0, 0), 16));
        for bad in ["172.17.0.0", "172.17.0.0/", "x/16", "172.17.0.0/999"] {
            assert!(subnet(bad).is_err(), "{bad}");
        }
    }
}
