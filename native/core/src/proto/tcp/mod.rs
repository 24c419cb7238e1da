//! TCP towards the guest.
//!
//! # Theory of operation
//!
//! Every connection of a guest is two connections: the guest's, which ends here, and an ordinary host socket, which the
//! host's kernel runs. Bytes are carried between them; congestion control, pacing and path MTU belong to the host's kernel,
//! and what is here only has to be a correct, fast peer on a link that has no length and (nearly) no loss.
//!
//! *Opening.* A guest's SYN opens the host connection first; SYN-ACK waits for its success, a refusal becomes RST, an
//! unreachable network an ICMP error. A caller of a published port is the other way round: the host's kernel has accepted it,
//! SYN goes to the guest, and a refusal there resets the caller.
//!
//! *Guest to host* (`receive.rs`). An in-order segment goes from the frame's buffer straight into the socket. What the socket
//! does not take is kept in order, acknowledged, and closes the offered window by as much; the window opens again when the
//! socket drains. (An alternative is to leave such bytes unacknowledged. Then a guest that writes to a slow peer
//! sees timeouts where it should see a closed window: it would collapse its congestion window and retransmit what we already
//! hold. The bytes are as safe here as in the socket's buffer: both die with the daemon.) Segments out of order are kept
//! beside it within the window and reported by SACK. The window grows with the flow's use of it, so thousands of idle flows
//! offer little and one busy flow offers [`limits::MAX_RECEIVE_WINDOW`], or more where the round trip is long. When all flows
//! together hold what they may, flows whose bytes wait are offered nothing more, others little, and bytes that a socket does not
//! take are dropped unacknowledged.
//!
//! *Host to guest* (`send.rs`). At most the guest's window is read from the socket, behind no header (headers are a second
//! I/O vector), in chunks of whole segments up to 64 KiB, each sent as one super-frame. A chunk is kept in the buffer it was
//! read into until the guest acknowledges it: no second copy. Loss detection follows RACK's idea (RFC 8985): a chunk is lost
//! when one sent later has been delivered and a little time has passed; a probe after two round trips finds lost
//! tails, a retransmission timeout (RFC 6298) the rest. Of a lost chunk only what SACK has not reported goes out again, so a
//! guest without super-frames that missed one segment of forty-four gets that one. There is no congestion window: the link is
//! memory, and what is in flight is bounded by the guest's window and [`limits::MAX_IN_FLIGHT`].
//!
//! A host's socket that has plenty is read into several chunks by one call ([`limits::READ_AT_ONCE`]). The host's kernel answers each
//! call with an acknowledgement to the far end, which on one machine runs the far end's sending half inside of our call. One call
//! for five chunks instead of five took 0.43 instead of 0.69 CPU seconds a GiB, and one for fifteen 0.41 instead of 0.53 where
//! five took that (medians of seven interleaved runs each, on two cores that had other work; 3.9 against 3.4 Gbit/s, then 8.9
//! against 7.6; with four and sixteen streams the same order).
//!
//! *Why chunks and not `SO_PEEK_OFF`.* Since Linux 6.9 unacknowledged bytes could stay in the host's socket: peeked at their offset,
//! discarded with `MSG_TRUNC` when the guest has them, peeked once more when they were lost. Measured beside it (loopback, 64 KiB
//! reads, the reader's CPU seconds a GiB and that of both ends; medians of seven interleaved runs): with four chunks under way
//! chunks 0.35/0.45, peeking 0.36/0.50; with sixteen chunks 0.39/0.67, peeking 0.25/0.44, chunks sixteen in one call 0.18/0.39. So
//! what peeking saves is acknowledgements again, which reading several chunks by one call saves as well, on every kernel, with a
//! quarter of the calls, and with the socket's room free for the far end to fill meanwhile. It would save memory for what is
//! under way; that is bounded anyway.
//!
//! *Nobody waits for a timer.* Stacks like this one have been seen to stall for seconds at an MTU of 65,520, where a segment is as
//! large as a window. So: every batch of frames is acknowledged when it ends, never later; a segment towards the guest is at
//! most half of its window; windows below a segment are used, at once where they are not crumbs; the guest is told of a window
//! that opens before less than its own largest segment fits. `tests/tcp_pace.rs` has a receiver that does as Linux does.
//!
//! *Closing.* FIN is passed on when all bytes before it have been, in each direction by itself, so half-closed connections work
//! for as long as both ends want. RST goes through as RST (by `SO_LINGER` 0 on the host's side).
//!
//! # Limits
//!
//! Timestamps and ECN are not negotiated (on this link they would cost bytes and buy nothing). Urgent data is carried
//! in line. Path MTU towards the guest is the interface's own MTU. What a flow costs stands in [`limits`], the sum over all flows is
//! bounded by the pool ([`buffer::BufferPool`]). Where a fault injector makes the link slow, what it drops comes again, but at
//! no lower pace: there is still no congestion window.

pub(crate) mod buffer;
mod close;
mod emit;
pub(crate) mod gather;
mod handshake;
mod inbox;
pub(crate) mod limits;
mod queue;
mod receive;
mod recovery;
mod scoreboard;
mod segment;
mod send;
mod timers;

use crate::device::Capabilities;
use crate::flow::FlowId;
use crate::switch::{EndpointId, Link};
use crate::time::Instant;
use crate::wire::ethernet::Mac;
use crate::wire::tcp::Seq;
use inbox::Inbox;
use limits::{DEFAULT_MSS, ENTRY_SIZE, MIN_MSS};
use queue::{SendQueue, Sent};
use recovery::RoundTrip;
use std::net::Ipv4Addr;

pub(crate) use emit::{TTL, reset_reply};
pub(crate) use segment::Segment;

/// Where a connection stands. Half-closed states are not here: each direction has its own end (`Inbox`, `Sender`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The guest's SYN is here, the host connection under way.
    Connecting,
    /// SYN-ACK sent.
    SynReceived,
    /// A caller of a published port: SYN sent to the guest.
    SynSent,
    Established,
    /// We closed first and both FINs are acknowledged: late segments are still answered (RFC 9293 §3.6.1).
    TimeWait,
    /// To be removed.
    Closed,
}

/// What the guest's SYN offered.
#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    mss: u16,
    window_scale: Option<u8>,
    sack: bool,
}

/// The side of the host's socket.
#[derive(Clone, Copy, Debug, Default)]
struct Socket {
    open: bool,
    readable: bool,
    /// The last read found as much as there was room for: the next may ask for more at once.
    plenty: bool,
    writable: bool,
    /// An event said that the end is near: a short read is no sign that nothing is left.
    ending: bool,
    /// The far end has finished sending.
    ended: bool,
    /// We have finished sending (FIN passed on).
    shut: bool,
    /// The connection is lost. What came before that is still read and passed on, as a program on the host could read it.
    broken: bool,
}

/// Deadlines; the earliest counts.
#[derive(Clone, Copy, Debug, Default)]
struct Deadlines {
    /// End of patience with the host's connection; SYN or SYN-ACK again, loss probe, retransmission timeout.
    retransmit: Option<Instant>,
    /// A chunk that RACK suspects.
    reorder: Option<Instant>,
    /// Zero-window probe.
    persist: Option<Instant>,
    keepalive: Option<Instant>,
    /// End of TIME-WAIT.
    linger: Option<Instant>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct TcpFlow {
    id: FlowId,
    link: Link,
    guest_port: u16,
    remote: Ipv4Addr,
    remote_port: u16,
    state: State,
    peer: Peer,
    socket: Socket,
    /// Guest to host.
    inbox: Inbox,
    /// Host to guest.
    queue: SendQueue,
    snd_una: Seq,
    snd_nxt: Seq,
    /// Bytes the guest offers beyond `snd_una`.
    snd_wnd: u32,
    /// The largest window ever offered, for silly-window avoidance.
    max_wnd: u32,
    /// Segment that last moved the window (RFC 9293 SND.WL1, SND.WL2).
    window_seq: Seq,
    window_ack: Seq,
    /// FIN has been sent, and its sequence number.
    fin_sent: Option<Seq>,
    /// An acknowledgement is owed.
    ack_due: bool,
    round_trip: RoundTrip,
    /// Timeouts in a row without progress.
    retries: u32,
    /// Doublings of the timeout that hold until a round trip has been measured again (RFC 6298 §5.5, Karn).
    backoff: u32,
    /// When SYN or SYN-ACK was sent first.
    opened_at: Instant,
    /// A tail loss probe is out; the next expiry is a real timeout.
    probing: bool,
    /// The latest-sent of all delivered chunks (RACK.xmit_ts and RACK.end_seq).
    newest_delivered: Option<Sent>,
    /// Zero-window probes in a row.
    persist_retries: u32,
    /// The guest's FIN came before ours went out.
    guest_closed_first: bool,
    deadlines: Deadlines,
    last_heard: Instant,
    last_challenge: Instant,
    keepalive_probes: u32,
    pub(crate) filed: Option<Instant>,
    /// Stands in the stack's list of flows to which something happened.
    pub(crate) dirty: bool,
    /// Stands in the stack's list of flows whose socket has more than they were let read.
    pub(crate) waits: bool,
    /// Stands in the stack's list of flows that wait out their time.
    pub(crate) in_time_wait: bool,
}

const _: () = assert!(size_of::<TcpFlow>() <= ENTRY_SIZE, "ten thousand idle connections are a few MiB");

/// Who is who on the wire, for segments that belong to no flow too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    endpoint: EndpointId,
    capabilities: Capabilities,
    guest_mac: Mac,
    gateway_mac: Mac,
    guest: Ipv4Addr,
    guest_port: u16,
    remote: Ipv4Addr,
    remote_port: u16,
}

impl Addresses {
    pub(crate) fn new(link: &Link, guest_port: u16, remote: Ipv4Addr, remote_port: u16) -> Self {
        Self {
            endpoint: link.endpoint,
            capabilities: link.capabilities,
            guest_mac: link.guest_mac,
            gateway_mac: link.gateway_mac,
            guest: link.guest,
            guest_port,
            remote,
            remote_port,
        }
    }
}

impl TcpFlow {
    pub(crate) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    pub(crate) fn is_time_wait(&self) -> bool {
        self.state == State::TimeWait
    }

    pub(crate) fn is_half_open(&self) -> bool {
        matches!(self.state, State::Connecting | State::SynReceived | State::SynSent)
    }

    /// The earliest deadline.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let d = &self.deadlines;
        [d.retransmit, d.reorder, d.persist, d.keepalive, d.linger].into_iter().flatten().min()
    }

    /// Bytes of one segment towards the guest: never more than half of the largest window it ever offered. A kernel acknowledges
    /// every second full segment at once, a single one when its program has read it, or its timer for delayed
    /// acknowledgements says so; at an MTU of 65,520 one segment could be all that a window holds.
    fn mss(&self) -> usize {
        let half = if self.max_wnd > u32::from(DEFAULT_MSS) { self.max_wnd / 2 } else { self.max_wnd };
        usize::from(self.peer.mss).min(half as usize).max(usize::from(MIN_MSS))
    }

    /// The largest segment that fits the link, as we tell the guest.
    fn own_mss(&self) -> u16 {
        self.link.mtu.saturating_sub(40)
    }

    fn in_flight(&self) -> u32 {
        self.snd_nxt.distance_from(self.snd_una)
    }
}
