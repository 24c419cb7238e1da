//! Round-trip estimate and retransmission timeout (RFC 6298), RACK's reordering window (RFC 8985).

use super::limits::{DELAYED_ACK, INITIAL_RTO, LONG_ROUND_TRIP, MAX_RTO, MIN_PROBE, MIN_REORDER_WINDOW, MIN_RTO};
use std::time::Duration;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RoundTrip {
    smoothed: Option<Duration>,
    variance: Duration,
}

impl RoundTrip {
    pub(crate) fn sample(&mut self, measured: Duration) {
        match self.smoothed {
            None => {
                self.smoothed = Some(measured);
                self.variance = measured / 2;
            }
            Some(smoothed) => {
                self.variance = (self.variance * 3 + smoothed.abs_diff(measured)) / 4;
                self.smoothed = Some((smoothed * 7 + measured) / 8);
            }
        }
    }

    /// Doubled for every timeout in a row.
    pub(crate) fn timeout(&self, retries: u32) -> Duration {
        let base = self.smoothed.map_or(INITIAL_RTO, |smoothed| (smoothed + self.variance * 4).max(MIN_RTO));
        base.saturating_mul(1 << retries.min(16)).min(MAX_RTO)
    }

    /// When to probe for a lost tail (RFC 8985 §7.2). While the round trip varies much, not before it has varied.
    pub(crate) fn probe(&self, one_segment: bool) -> Duration {
        let likely = |smoothed: Duration| (smoothed * 2).max(smoothed + self.variance * 4).max(MIN_PROBE);
        let base = self.smoothed.map_or(INITIAL_RTO, likely);
        if one_segment { base + DELAYED_ACK } else { base }
    }

    /// Whether the link has a length.
    pub(crate) fn is_long(&self) -> bool {
        self.smoothed.is_some_and(|smoothed| smoothed >= LONG_ROUND_TRIP)
    }

    pub(crate) fn reorder_window(&self) -> Duration {
        self.smoothed.map_or(MIN_REORDER_WINDOW, |smoothed| smoothed + (smoothed / 4).max(MIN_REORDER_WINDOW))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_follow_samples_and_back_off() {
        let mut rtt = RoundTrip::default();
        assert_eq!(rtt.timeout(0), INITIAL_RTO);
        rtt.sample(Duration::from_millis(50));
        assert_eq!(rtt.timeout(0), Duration::from_millis(150));
        assert_eq!(rtt.timeout(1), Duration::from_millis(300));
        assert_eq!(rtt.timeout(30), MAX_RTO);
        for _ in 0..100 {
            rtt.sample(Duration::from_micros(60));
        }
        assert_eq!(rtt.timeout(0), MIN_RTO);
        assert!(rtt.probe(true) > DELAYED_ACK && rtt.probe(false) < DELAYED_ACK);
    }
}
