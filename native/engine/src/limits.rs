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

/// Host sockets made before they are needed: enough for one client after the other; a crowd keeps the engine busy, and then it does not
/// matter when sockets are made.
pub(crate) const SPARE_SOCKETS: usize = 2;
/// Host sockets that wait for the end of a turn to be closed.
pub(crate) const MAX_DONE_SOCKETS: usize = 64;
/// TAPs that wait to be closed beside the loop: each is a descriptor.
pub(crate) const MAX_CLOSING: usize = 64;
/// How long a launcher may take to exit once its TAP is let go.
pub(crate) const CLOSING_GRACE: Duration = Duration::from_millis(50);

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

/// Events of the life of endpoints that wait for the owner; more are counted as lost. Questions wait elsewhere and push none of them out.
pub(crate) const MAX_EVENTS: usize = 8192;
/// Of these, one endpoint's: a launcher that comes and goes in a loop loses its own.
pub(crate) const MAX_EVENTS_PER_GUEST: usize = 64;

/// A guest's part of what follows is so many times smaller than the whole.
const DNS_SHARE: usize = 4;
/// DNS questions that wait for their answer; the next is dropped, as a busy server does.
pub(crate) const MAX_DNS_PENDING: usize = 8192;
/// Of these, one guest's.
pub(crate) const MAX_DNS_PENDING_PER_GUEST: usize = MAX_DNS_PENDING / DNS_SHARE;
/// So many a guest may have even when others have used up the whole.
pub(crate) const DNS_PENDING_FLOOR: usize = 64;
/// Questions of one TCP connection.
pub(crate) const MAX_DNS_PER_STREAM: usize = 64;
/// TCP connections to the DNS service.
pub(crate) const MAX_DNS_STREAMS: usize = 1024;
/// Of these, one guest's: beyond it, its own longest idle one makes room.
pub(crate) const MAX_DNS_STREAMS_PER_GUEST: usize = MAX_DNS_STREAMS / DNS_SHARE;
/// So many a guest may have even when others have used up the whole.
pub(crate) const DNS_STREAMS_FLOOR: usize = 16;
/// A DNS question that is not answered by then is forgotten; a connection that has not brought a whole one for so long, and waits for
/// no answer, is closed.
pub(crate) const DNS_PATIENCE: Duration = Duration::from_secs(10);
/// Longest question in bytes, EDNS and all; the daemon's admission says the same (`MAX_QUERY_BYTES` in `src/dns/admit.ts`).
pub(crate) const MAX_DNS_QUESTION: usize = 4096;
/// Bytes of answers that wait in one DNS connection for its client to read: the largest message and another.
pub(crate) const MAX_DNS_BACKLOG: usize = 128 << 10;
/// In all connections of one guest.
pub(crate) const MAX_DNS_BACKLOG_PER_GUEST: usize = 1 << 20;
/// Questions of one guest that the owner gets before another guest's.
pub(crate) const DNS_QUANTUM: usize = 16;

/// Questions that we have put to DNS servers in guests: all together, and to one guest.
pub(crate) const MAX_DNS_ASKS: usize = 1024;
pub(crate) const MAX_DNS_ASKS_PER_GUEST: usize = 256;
/// One that is not answered by then never will be; whoever asked has lost patience before.
pub(crate) const DNS_ASK_PATIENCE: Duration = Duration::from_secs(5);

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
