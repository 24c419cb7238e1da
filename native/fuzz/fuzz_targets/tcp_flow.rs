//! One connection whose bytes must come out as they went in; see `unet_core::testing::model`.
#![no_main]

libfuzzer_sys::fuzz_target!(|script: &[u8]| unet_core::testing::model(script));
