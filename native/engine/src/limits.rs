//! Every bound of the engine, in one place.

use std::time::Duration;

/// Frames read from one TAP before others get their turn.
pub(crate) const TAP_BUDGET: usize = 64;
/// Bytes of the frames that are read from one TAP before they are worked on: eight super-frames.
pub(crate) const BATCH_BYTES: usize = 8 * (64 << 10) + 4096;
/// Datagrams read from one socket before others get their turn.
pub(crate) const DATAGRAM_BUDGET: usize = 64;
/// Callers accepted from one listener before running flows get their turn.
pub(crate) const ACCEPT_BUDGET: usize = 64;
/// Callers that the kernel holds for a listener.
pub(crate) const LISTEN_BACKLOG: i32 = 4096;
/// Flows of all guests together, unless the owner says otherwise.
pub(crate) const DEFAULT_MAX_FLOWS: usize = 65_536;
/// Of these, one guest's: a part of so many.
pub(crate) const ENDPOINT_SHARE: usize = 4;
/// Descriptors that no flow may have: for the control socket, launchers, listeners and files. A quarter of what there is, where that
/// is less.
pub(crate) const RESERVED_DESCRIPTORS: usize = 1024;

/// How long the loop looks for events before it sleeps, where that pays (`spin.rs`): about what a round trip through two processes on
/// one machine takes.
pub(crate) const SPIN: Duration = Duration::from_micros(50);
/// A look that takes longer than this found the core taken by somebody else.
pub(crate) const SPIN_CROWDED: Duration = Duration::from_micros(100);
/// How long the loop then sleeps without looking: at first, and at most.
pub(crate) const SPIN_PAUSE: Duration = Duration::from_millis(50);
pub(crate) const SPIN_PAUSE_MAX: Duration = Duration::from_secs(2);
/// Events of one turn above which it is a crowd's.
pub(crate) const SPIN_EVENTS: usize = 3;
/// Bytes moved in one turn above which it is a bulk transfer's.
pub(crate) const SPIN_BYTES: u64 = 16 << 10;

/// So long before a frame is to leave a bad link the loop stops sleeping: a sleeper wakes late by this much, and a delay of a millisecond
/// is promised to a twentieth.
pub(crate) const FAULT_LEAD: Duration = Duration::from_micros(100);

/// Events that wait for the owner; more are counted as lost.
pub(crate) const MAX_EVENTS: usize = 8192;
/// DNS questions that wait for their answer; the next is dropped, as a busy server does.
pub(crate) const MAX_DNS_PENDING: usize = 8192;
/// Of these, questions of one TCP connection.
pub(crate) const MAX_DNS_PER_STREAM: usize = 64;
/// TCP connections to the DNS service.
pub(crate) const MAX_DNS_STREAMS: usize = 1024;
/// A DNS question that is not answered by then is forgotten; a connection without one is closed.
pub(crate) const DNS_PATIENCE: Duration = Duration::from_secs(10);
/// Answers that wait in one DNS connection for its client to read.
pub(crate) const MAX_DNS_BACKLOG: usize = 256 * 1024;

/// Launchers connected at once.
pub(crate) const MAX_LAUNCHERS: usize = 4096;
/// Messages taken from one launcher before others get their turn.
pub(crate) const LAUNCHER_BUDGET: usize = 16;
/// A connection that has not redeemed its ticket by then is closed.
pub(crate) const LAUNCHER_PATIENCE: Duration = Duration::from_secs(10);

/// How long the owner waits for the loop to do what it was asked.
pub(crate) const CALL_PATIENCE: Duration = Duration::from_secs(5);
/// Frames that one direction of a bad link lets go before others get their turn.
pub(crate) const FAULT_BUDGET: usize = 512;
/// How often housekeeping looks for what has outlived its patience.
pub(crate) const SWEEP: Duration = Duration::from_secs(1);
