//! Whatever guests and hosts do: no panic, no byte lost or changed, nothing left behind.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use proptest::collection::vec;
use proptest::num::u8::ANY;
use proptest::prelude::{ProptestConfig, proptest};
use unet_core::testing::{hostile, model};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn hostile_guests_and_hosts(script in vec(ANY, 0..1500)) {
        hostile(&script);
    }

    #[test]
    fn streams_stay_exact(script in vec(ANY, 0..800)) {
        model(&script);
    }
}
