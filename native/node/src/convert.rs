//! From JavaScript's values to the engine's, with an error that names the field.

use crate::stack::{FaultSpec, FaultsSpec};
use napi::{Error, Status};
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU64;
use std::time::Duration;
use unet_engine as engine;
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

/// Longest delay that a link can be given, in microseconds.
const MAX_DELAY_US: f64 = 60_000_000.0;
/// Fastest rate, in bits a second: beyond it a frame takes less than a nanosecond.
const MAX_RATE_BITS: f64 = 1e13;

pub(crate) fn faults(spec: &FaultsSpec) -> Result<engine::FaultsSpec> {
    let one = |spec: &Option<FaultSpec>| spec.as_ref().map_or(Ok(engine::FaultSpec::default()), fault);
    Ok(engine::FaultsSpec { egress: one(&spec.egress)?, ingress: one(&spec.ingress)? })
}

fn fault(spec: &FaultSpec) -> Result<engine::FaultSpec> {
    let share = |value: f64, what| (0.0..=1.0).contains(&value).then_some(value).ok_or_else(|| invalid(what));
    let shares = engine::Faults {
        loss: share(spec.loss, "loss: 0 to 1")?,
        duplicate: share(spec.duplicate, "duplicate: 0 to 1")?,
        reorder: share(spec.reorder, "reorder: 0 to 1")?,
    };
    if !(0.0..=MAX_DELAY_US).contains(&spec.delay_us) {
        return Err(invalid("delayUs: 0 to 60000000"));
    }
    if !(0.0..=spec.delay_us).contains(&spec.jitter_us) {
        return Err(invalid("jitterUs: 0 to delayUs"));
    }
    if !(0.0..=MAX_RATE_BITS).contains(&spec.rate_bits) {
        return Err(invalid("rateBits: 0 to 10000000000000"));
    }
    Ok(engine::FaultSpec {
        shares,
        delay: Duration::from_micros(whole(spec.delay_us)),
        jitter: Duration::from_micros(whole(spec.jitter_us)),
        rate: NonZeroU64::new(whole(spec.rate_bits)),
    })
}

/// A number that was found not to be negative, without what comes behind the point.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ranges are checked before")]
fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_within_their_ranges() {
        let good = FaultSpec {
            loss: 0.01,
            duplicate: 0.0,
            reorder: 1.0,
            delay_us: 5000.0,
            jitter_us: 5000.0,
            rate_bits: 64_000.0,
        };
        let read = fault(&good).unwrap();
        assert_eq!(
            (read.shares.loss, read.delay, read.rate),
            (0.01, Duration::from_millis(5), NonZeroU64::new(64_000))
        );
        for bad in [
            FaultSpec { loss: 1.01, ..good },
            FaultSpec { loss: f64::NAN, ..good },
            FaultSpec { duplicate: -0.1, ..good },
            FaultSpec { delay_us: 60_000_001.0, ..good },
            FaultSpec { delay_us: f64::NAN, ..good },
            FaultSpec { jitter_us: 5001.0, ..good },
            FaultSpec { rate_bits: -1.0, ..good },
            FaultSpec { rate_bits: f64::INFINITY, ..good },
        ] {
            assert!(fault(&bad).is_err());
        }
        let both = faults(&FaultsSpec { egress: None, ingress: Some(good) }).unwrap();
        assert!(both.egress.is_none() && both.ingress == read);
    }

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
