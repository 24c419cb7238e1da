//! Behaviour of the protocols, under the names that their formats have in [`crate::wire`].

pub(crate) mod arp;
pub(crate) mod dns;
pub mod fragment;
pub(crate) mod icmp;
pub mod segment;
pub(crate) mod tcp;
pub(crate) mod udp;

use crate::device::Device;
use crate::drop::DropCounters;
use crate::time::Instant;
use crate::uplink::Uplink;
use tcp::buffer::BufferPool;

/// Both sides at once, as a flow needs them.
pub trait Io: Device + Uplink {}
impl<T: Device + Uplink> Io for T {}

/// What a flow may use while it works: the two sides, the time, the counters, the buffers.
pub(crate) struct Context<'a, I: Io> {
    pub(crate) io: &'a mut I,
    pub(crate) now: Instant,
    pub(crate) drops: &'a mut DropCounters,
    pub(crate) pool: &'a mut BufferPool,
}
