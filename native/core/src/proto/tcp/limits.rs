//! Every bound of a TCP flow, in one place.
//!
//! # What a flow costs
//!
//! *Idle*: its entry ([`ENTRY_SIZE`] at most), its place in the flow table and one or two deadlines, together less than 1 KiB. Buffers
//! and the rings that hold them go back to the pool when nothing is under way, whatever the flow did before
//! (`tests/tcp_memory.rs` counts it). The engine adds two small entries, the host's kernel a socket.
//!
//! *Busy*: what is under way. Towards the guest at most [`MAX_IN_FLIGHT`] in buffers of [`MAX_HELD_IN_FLIGHT`] (and the reads of one
//! turn). Towards the host the offered window ([`MAX_RECEIVE_WINDOW`], or [`MAX_LONG_WINDOW`]) in buffers that are filled one after
//! the other, and [`MAX_REORDER_PIECES`] small allocations while there is a gap. All flows of a guest together:
//! [`MAX_HELD_BYTES_PER_GUEST`]; of all guests: [`MAX_HELD_BYTES`].

use super::buffer::SIZES;
use std::time::Duration;

/// Largest window offered to a guest: what a slow host peer can make one flow hold. 1 MiB keeps sixteen super-frames under
/// way, and the link has no length; delay beyond it is covered by the host socket's own buffer.
pub(crate) const MAX_RECEIVE_WINDOW: u32 = 1 << 20;
/// The same where the link has a length after all (a delay made on purpose, a guest that is rarely scheduled): all that the field can
/// say with our shift, 3.3 Gbit/s over 10 ms.
pub(crate) const MAX_LONG_WINDOW: u32 = 0xffff << RECEIVE_WINDOW_SCALE;
/// Round trips from which a link is long.
pub(crate) const LONG_ROUND_TRIP: Duration = Duration::from_millis(2);
/// The same for a guest without super-frames: 180 frames, so that twenty flows at once do not overflow the 4096 that its
/// interface queues.
pub(crate) const MAX_PLAIN_WINDOW: u32 = 256 << 10;
/// Window of a flow that holds nothing while all flows together hold [`MAX_HELD_BYTES`].
pub(crate) const PRESSED_WINDOW: u32 = 64 << 10;
/// Window offered at first.
pub(crate) const INITIAL_RECEIVE_WINDOW: u32 = 128 << 10;
/// Our shift: 2^6 · 65,535 covers [`MAX_RECEIVE_WINDOW`] with steps of 64 bytes.
pub(crate) const RECEIVE_WINDOW_SCALE: u8 = 6;
const _: () = assert!((MAX_RECEIVE_WINDOW >> RECEIVE_WINDOW_SCALE) <= 0xffff, "the largest window fits its field");

/// Pieces of data out of order that one flow keeps: a guest that sends one byte out of every two gets no more.
pub(crate) const MAX_REORDER_PIECES: usize = 512;

/// Bytes of a connection's own entry.
pub(crate) const ENTRY_SIZE: usize = 640;

/// RFC 9293 §3.7.1, where a SYN names none.
pub(crate) const DEFAULT_MSS: u16 = 536;
/// Smaller segments are not believed: they would turn one read into thousands of frames.
pub(crate) const MIN_MSS: u16 = 88;

/// Unacknowledged bytes towards a guest, whatever window it offers.
pub(crate) const MAX_IN_FLIGHT: u32 = 4 << 20;
/// What the buffers of these bytes may cost. A read a little longer than a smaller buffer takes a whole one: a far end that sends so,
/// and a guest that acknowledges nothing, would have sixteen times [`MAX_IN_FLIGHT`] held. Beyond it what comes waits in the host's
/// socket, where it adds up to reads that fill their buffers.
pub(crate) const MAX_HELD_IN_FLIGHT: usize = 2 * MAX_IN_FLIGHT as usize;
/// Windows below this, and below a segment, are let grow for [`SILLY_WAIT`] before they are used (RFC 9293 §3.8.6.2.1 says between
/// 100 ms and a second; what it saves here is frames, not a line, and nobody should have to wait for it).
pub(crate) const SILLY_WINDOW: usize = 4096;
pub(crate) const SILLY_WAIT: Duration = Duration::from_millis(40);
/// Chunks towards a guest that wait for their acknowledgement: bounds what bookkeeping costs when a far end sends byte by
/// byte, and the walk over them for each SACK. With whole chunks [`MAX_IN_FLIGHT`] is reached at 64.
pub(crate) const MAX_CHUNKS: usize = 1024;
/// Chunks read from a socket for one flow before others get their turn, when it is alone.
pub(crate) const RECEIVE_BUDGET: usize = 16;
/// The same for all flows of one turn together (`stack/turns.rs`): what is read should still be in the processor's cache when the guest
/// copies it. It also keeps flows alike: with long turns a flow whose guest offers a small window gets that much where others get a
/// megabyte, and its guest, which sizes windows by what comes in a round trip, never offers more.
pub(crate) const TURN_BUDGET: usize = 32;
/// However many there are, a flow's turn is worth the call; others wait for theirs. (4 carries 7 % more with sixteen flows, and the slowest has
/// half of the fastest instead of four fifths.)
pub(crate) const LEAST_BUDGET: usize = 2;

/// Chunks for each of so many flows.
pub(crate) fn receive_budget(flows: usize) -> usize {
    (TURN_BUDGET / flows.max(1)).clamp(LEAST_BUDGET, RECEIVE_BUDGET)
}

/// Of these, read in one call when the one before found plenty.
pub(crate) const READ_AT_ONCE: usize = RECEIVE_BUDGET;
/// Bytes held for all flows together (host to guest unacknowledged, guest to host not yet taken). Beyond it each flow is held to one
/// chunk in flight; no window is offered where bytes wait, and bytes that a socket does not take are not kept.
pub(crate) const MAX_HELD_BYTES: usize = 512 << 20;
/// Of these, one guest's, with the same consequences for its flows alone: a hundred uploads to a host that does not read fill it.
pub(crate) const MAX_HELD_BYTES_PER_GUEST: usize = MAX_HELD_BYTES / 4;
/// Ranges that SACK reported, for one flow.
pub(crate) const MAX_SACK_RANGES: usize = 256;

/// Free buffers kept for reuse, of each size: 2, 4 and 16 MiB.
pub(crate) const MAX_FREE_BUFFERS: [usize; SIZES.len()] = [4096, 1024, 256];
/// Free rings of buffers kept for reuse, of each kind.
pub(crate) const MAX_FREE_RINGS: usize = 256;

/// Lower bound of a retransmission timeout: above the 40 ms for which Linux delays an acknowledgement. RFC 6298 says one
/// second and allows less; the peer is a kernel on this machine.
pub(crate) const MIN_RTO: Duration = Duration::from_millis(100);
pub(crate) const MAX_RTO: Duration = Duration::from_secs(60);
/// Before the first sample. The peer answers in microseconds unless the frame was lost.
pub(crate) const INITIAL_RTO: Duration = Duration::from_millis(250);
/// Added to a loss probe when a delayed acknowledgement may be all that is missing.
pub(crate) const DELAYED_ACK: Duration = Duration::from_millis(45);
pub(crate) const MIN_PROBE: Duration = Duration::from_millis(10);
/// RACK's tolerance of reordering, at least.
pub(crate) const MIN_REORDER_WINDOW: Duration = Duration::from_millis(1);

/// Timeouts in a row before the connection is given up: with the back-off above, about nine minutes (RFC 9293 §3.8.3 asks
/// for at least 100 s).
pub(crate) const MAX_RETRIES: u32 = 15;
/// The same for SYN and SYN-ACK: about a minute.
pub(crate) const MAX_SYN_RETRIES: u32 = 7;

/// A host connection that neither stands nor fails is given up: Linux itself tries for 127 s (`tcp_syn_retries` 6).
pub(crate) const CONNECT_PATIENCE: Duration = Duration::from_secs(150);
/// Connections of one guest that are not established yet. Each costs a descriptor and, outward, a port of the host.
pub(crate) const MAX_HALF_OPEN: usize = 4096;

/// TIME-WAIT: the link has no length, so this only has to outlive a retransmitted FIN.
pub(crate) const TIME_WAIT: Duration = Duration::from_secs(1);

/// Silence before a probe asks whether the guest still knows the connection; half-closed ones, which a guest's kernel forgets
/// after a minute without telling, are asked sooner.
pub(crate) const KEEPALIVE_IDLE: Duration = Duration::from_secs(7200);
pub(crate) const KEEPALIVE_IDLE_HALF_CLOSED: Duration = Duration::from_secs(75);
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
pub(crate) const KEEPALIVE_PROBES: u32 = 6;

/// At most one challenge acknowledgement, or answer to an empty segment that makes no sense, a flow in this time (RFC 5961 §10).
pub(crate) const CHALLENGE_INTERVAL: Duration = Duration::from_millis(10);
