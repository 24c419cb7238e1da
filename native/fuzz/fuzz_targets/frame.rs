//! Guests that send anything and hosts that do anything; see `unet_core::testing::hostile`.
#![no_main]

libfuzzer_sys::fuzz_target!(|script: &[u8]| unet_core::testing::hostile(script));
