//! Durations of single events and their percentiles.

use std::time::Duration;

use serde::Serialize;

/// Every duration is kept (4 bytes each): no histogram whose buckets would round what is compared.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<u32>);

/// In microseconds.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

impl Latencies {
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Durations of more than four seconds count as four seconds.
    pub(crate) fn add(&mut self, duration: Duration) {
        self.0.push(u32::try_from(duration.as_nanos()).unwrap_or(u32::MAX));
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// None when nothing was measured.
    pub(crate) fn percentiles(mut self) -> Option<Percentiles> {
        self.0.sort_unstable();
        Some(Percentiles { p50: self.at(500)?, p99: self.at(990)?, p999: self.at(999)?, max: self.at(1000)? })
    }

    /// The least duration that so many of a thousand do not exceed (nearest rank).
    fn at(&self, permille: usize) -> Option<f64> {
        let rank = (self.0.len() * permille).div_ceil(1000);
        let nanoseconds = self.0.get(rank.checked_sub(1)?)?;
        Some(f64::from(*nanoseconds) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Latencies, Percentiles};
    use std::time::Duration;

    #[test]
    fn nearest_rank_of_a_thousand() {
        let mut all = Latencies::default();
        for microseconds in (1..=1000).rev() {
            all.add(Duration::from_micros(microseconds));
        }
        let expected = Percentiles { p50: 500.0, p99: 990.0, p999: 999.0, max: 1000.0 };
        assert_eq!(all.percentiles(), Some(expected));
    }

    #[test]
    fn of_one_all_are_that_one_and_of_none_there_is_none() {
        let mut one = Latencies::default();
        one.add(Duration::from_nanos(1500));
        assert_eq!(one.percentiles(), Some(Percentiles { p50: 1.5, p99: 1.5, p999: 1.5, max: 1.5 }));
        assert_eq!(Latencies::default().percentiles(), None);
    }

    #[test]
    fn a_tail_shows_where_it_begins() {
        let mut all = Latencies::default();
        (0..985).for_each(|_| all.add(Duration::from_micros(10)));
        (0..15).for_each(|_| all.add(Duration::from_millis(2)));
        let percentiles = all.percentiles().unwrap();
        assert_eq!((percentiles.p50, percentiles.p99), (10.0, 2000.0));
    }

    #[test]
    fn a_very_long_one_does_not_wrap() {
        let mut all = Latencies::default();
        all.add(Duration::from_secs(60));
        assert!(all.percentiles().unwrap().max > 4e6);
    }
}
