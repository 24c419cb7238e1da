//! Guests that send anything to the DNS service; see `unet_engine`'s `dns/hostile.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|script: &[u8]| unet_engine::hostile_dns(script));
