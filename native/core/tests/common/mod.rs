//! What the tests of the core share: a stack with its doubles (`World`), a hand-driven TCP peer (`Conn`), a real one
//! (`Pair`, around smoltcp), an independent judge of every frame (`oracle`), and both sides without memory (`lean`).
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests fail by panicking")]

pub mod conn;
pub mod lean;
pub mod oracle;
pub mod pair;
pub mod world;

pub use conn::Conn;
pub use pair::{Link, Pair};
pub use world::World;

pub use unet_core::testing::{GATEWAY, GATEWAY_MAC};

use std::net::{Ipv4Addr, SocketAddrV4};

pub const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 7), 80);
pub const MTU: u16 = 1500;

/// A stream in which every place is told from its neighbours, so that a shifted or repeated piece shows.
pub fn pattern(len: usize, salt: u8) -> Vec<u8> {
    (0..len).map(|n| (n.wrapping_mul(31) ^ (n >> 8).wrapping_mul(7) ^ (n >> 16)) as u8 ^ salt).collect()
}

/// Equal, or the first place where they are not (a mebibyte in an assertion's message helps nobody).
#[track_caller]
pub fn assert_same(left: &[u8], right: &[u8], what: &str) {
    if let Some(at) = left.iter().zip(right).position(|(a, b)| a != b) {
        panic!("{what}: differs at byte {at} of {} and {}", left.len(), right.len());
    }
    assert_eq!(left.len(), right.len(), "{what}: length");
}
