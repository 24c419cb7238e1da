//! The engine of unet: it **drives** the core. One thread with one epoll instance reads TAPs and sockets, hands what it
//! reads to [`unet_core::Stack`], and does what the stack asks of its two traits.
//!
//! | module | what it is |
//! |---|---|
//! | [`handle`] | what the owner holds: calls into the loop's thread, events out of it |
//! | `run` | the loop: wait, sort events, flush, sleep until the next deadline |
//! | `ports` | all devices and sockets; implements `Device` and `Uplink` |
//! | `tap`, `streams`, `datagrams` (`outbox`), `dns` | one kind of port each |
//! | `closer`, `stock` | what need not be done in the moment: TAPs closed beside the loop; host sockets made before, closed after |
//! | `faults` | the bad links that were asked for, around TAPs |
//! | `endpoints`, `handoff`, `publish` | networks and endpoints by name; launchers; listeners |
//!
//! Nothing here blocks, nothing logs, and a panic ends the loop with a [`Event::Fatal`], never the process.
#![forbid(unsafe_code)]

mod batch;
mod clock;
mod closer;
mod datagrams;
mod dns;
mod endpoints;
mod error;
mod events;
mod faults;
pub mod handle;
mod handoff;
mod limits;
mod outbox;
mod ports;
mod publish;
mod run;
mod snapshot;
mod spin;
mod stock;
mod streams;
mod tap;
#[cfg(test)]
mod tests;

#[doc(hidden)]
pub use dns::hostile::hostile as hostile_dns;
pub use dns::seam::SMALLEST_ARENA;
pub use endpoints::{EndpointSpec, NetworkSpec};
pub use error::EngineError;
pub use events::{Event, EventKind};
pub use faults::FaultsSpec;
pub use handle::{Engine, EngineOptions};
pub use publish::{Protocol, PublishSpec};
pub use snapshot::{EndpointSnapshot, Snapshot};
pub use unet_core::fault::{FaultSpec, Faults};
pub use unet_core::switch::HostAccess;
