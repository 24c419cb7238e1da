//! The packet core of unet. It **decides** and touches nothing: no sockets, no clock, no threads, no unsafe code.
//!
//! Frames of the guests come in through [`Stack::on_frame`], events of host sockets through [`Stack::on_uplink`] and its
//! sisters, time through the `now` that every call carries. What the core wants done it asks of two traits: [`Device`]
//! (frames towards a guest) and [`Uplink`] (sockets towards the host). The engine implements both with real TAPs and
//! sockets, [`testing`] with queues in memory, so that every behaviour can be shown without a kernel.
//!
//! Layers, each seeing only those above it in this list:
//!
//! | module | what it is |
//! |---|---|
//! | [`wire`] | bytes to fields and back, one file a protocol; every length is checked here and nowhere else |
//! | [`drop`], [`time`] | the reasons why a frame ends here, with their counters; points in time |
//! | [`device`], [`uplink`] | the two traits |
//! | [`flow`] | the table of conversations, its key, its timers |
//! | [`policy`], [`route`] | may this flow exist, and where does it go; every address translation is in `route` |
//! | [`proto`] | behaviour: ARP, ICMP, fragments, UDP, TCP |
//! | [`switch`] | networks and endpoints, guest-to-guest frames |
//! | [`fault`] | bad links on purpose, for whoever implements [`Device`] |
//! | [`stack`] | ties it together |
#![forbid(unsafe_code)]

pub mod device;
pub mod drop;
pub mod fault;
pub mod flow;
pub mod policy;
pub mod proto;
pub mod route;
pub mod stack;
pub mod switch;
pub mod testing;
pub mod time;
pub mod uplink;
pub mod wire;

pub use device::{Capabilities, Device};
pub use drop::{DropCounters, DropReason};
pub use flow::{BindingId, FlowId};
pub use stack::{Stack, StackConfig};
pub use switch::{EndpointConfig, EndpointId, NetworkConfig, NetworkId};
pub use time::Instant;
pub use uplink::Uplink;
