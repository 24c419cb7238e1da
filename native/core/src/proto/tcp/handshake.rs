//! Opening a connection, from either side.

use super::inbox::Inbox;
use super::limits::{CONNECT_PATIENCE, DEFAULT_MSS, MAX_SYN_RETRIES, MIN_MSS, RECEIVE_WINDOW_SCALE};
use super::queue::SendQueue;
use super::recovery::RoundTrip;
use super::{Deadlines, Peer, Segment, Socket, State, TcpFlow};
use crate::drop::DropReason;
use crate::flow::{FlowId, FlowKey};
use crate::proto::icmp::{self, Quote};
use crate::proto::{Context, Io};
use crate::switch::Link;
use crate::time::Instant;
use crate::uplink::{Close, UplinkError};
use crate::wire::icmpv4::Unreachable;
use crate::wire::ipv4::PROTOCOL_TCP;
use crate::wire::tcp::{Flags, Seq};

impl TcpFlow {
    fn new(id: FlowId, key: &FlowKey, link: Link, state: State, inbox: Inbox, iss: Seq, now: Instant) -> Self {
        Self {
            id,
            link,
            guest_port: key.guest_port,
            remote: key.remote,
            remote_port: key.remote_port,
            state,
            peer: Peer { mss: DEFAULT_MSS, ..Peer::default() },
            socket: Socket { open: true, ..Socket::default() },
            inbox,
            queue: SendQueue::default(),
            snd_una: iss,
            snd_nxt: iss,
            snd_wnd: 0,
            max_wnd: 0,
            window_seq: Seq(0),
            window_ack: iss,
            fin_sent: None,
            ack_due: false,
            round_trip: RoundTrip::default(),
            retries: 0,
            backoff: 0,
            opened_at: now,
            probing: false,
            newest_delivered: None,
            persist_retries: 0,
            guest_closed_first: false,
            deadlines: Deadlines::default(),
            last_heard: now,
            last_challenge: Instant::ZERO,
            keepalive_probes: 0,
            filed: None,
            dirty: false,
            waits: false,
            in_time_wait: false,
        }
    }

    /// For a guest's SYN. The caller starts the host connection.
    pub(crate) fn from_guest(id: FlowId, key: &FlowKey, link: Link, syn: &Segment<'_>, iss: Seq, now: Instant) -> Self {
        let scaled = syn.options.window_scale.is_some();
        let inbox = Inbox::new(syn.tcp.seq.add(1), scaled);
        let mut flow = Self::new(id, key, link, State::Connecting, inbox, iss, now);
        flow.learn(syn);
        flow.deadlines.retransmit = Some(now + CONNECT_PATIENCE);
        flow
    }

    /// For a caller of a published port: the socket is connected, the guest is asked.
    pub(crate) fn from_host(id: FlowId, key: &FlowKey, link: Link, iss: Seq, now: Instant) -> Self {
        // Until the guest's SYN tells its sequence number and options, a placeholder.
        let mut flow = Self::new(id, key, link, State::SynSent, Inbox::new(Seq(0), false), iss, now);
        flow.socket.writable = true;
        flow
    }

    /// Sends the SYN of [`TcpFlow::from_host`].
    pub(crate) fn call<I: Io>(&mut self, cx: &mut Context<'_, I>) {
        self.snd_nxt = self.snd_una.add(1);
        self.send_opening(cx);
        self.deadlines.retransmit = Some(cx.now + self.round_trip.timeout(0));
    }

    fn learn(&mut self, syn: &Segment<'_>) {
        let most = self.own_mss().max(MIN_MSS);
        self.peer = Peer {
            mss: syn.options.mss.unwrap_or(DEFAULT_MSS).clamp(MIN_MSS, most),
            window_scale: syn.options.window_scale,
            sack: syn.options.sack_permitted,
        };
        // Never scaled in a SYN.
        self.snd_wnd = u32::from(syn.tcp.window);
        self.max_wnd = self.snd_wnd;
        self.window_seq = syn.tcp.seq;
    }

    /// SYN, or SYN-ACK, whichever the state asks for.
    pub(super) fn send_opening<I: Io>(&mut self, cx: &mut Context<'_, I>) {
        if self.state == State::SynSent {
            self.send_syn(cx, Flags::SYN, Some(RECEIVE_WINDOW_SCALE), true);
        } else {
            let scale = self.peer.window_scale.map(|_| RECEIVE_WINDOW_SCALE);
            let sack = self.peer.sack;
            self.send_syn(cx, Flags::SYN.with(Flags::ACK), scale, sack);
        }
    }

    /// The host connection stands.
    pub(super) fn host_connected<I: Io>(&mut self, cx: &mut Context<'_, I>) {
        self.state = State::SynReceived;
        self.opened_at = cx.now;
        self.snd_nxt = self.snd_una.add(1);
        self.send_opening(cx);
        self.deadlines.retransmit = Some(cx.now + self.round_trip.timeout(0));
    }

    /// The host connection failed: what the guest is told.
    pub(super) fn host_refused<I: Io>(&mut self, cx: &mut Context<'_, I>, error: UplinkError) {
        let code = match error {
            UplinkError::HostUnreachable => Some(Unreachable::Host),
            UplinkError::NetworkUnreachable => Some(Unreachable::Network),
            UplinkError::NotPermitted => Some(Unreachable::AdministrativelyProhibited),
            _ => None,
        };
        match (error, code) {
            (_, Some(code)) => {
                let quote = Quote {
                    protocol: PROTOCOL_TCP,
                    source_port: self.guest_port,
                    destination: self.remote,
                    destination_port: self.remote_port,
                    // The SYN's sequence number stands behind the ports; a guest checks it (RFC 5927 §4.1).
                    rest: self.inbox.next.add(u32::MAX).0,
                };
                icmp::unreachable(cx.io, &self.link, code, &quote);
            }
            // No ICMP error means "timed out": the guest's own timer says it, as on any network.
            (UplinkError::TimedOut, None) => {}
            (_, None) => {
                if error == UplinkError::Exhausted {
                    cx.drops.count(DropReason::UplinkExhausted);
                }
                self.send_reset(cx, Seq(0));
            }
        }
        self.finish(cx, Close::Reset);
    }

    pub(super) fn while_connecting<I: Io>(&mut self, cx: &mut Context<'_, I>, segment: &Segment<'_>) {
        if segment.has(Flags::RST) && segment.tcp.seq == self.inbox.next {
            self.finish(cx, Close::Reset);
        }
        // A repeated SYN: the answer is under way.
    }

    pub(super) fn while_syn_received<I: Io>(&mut self, cx: &mut Context<'_, I>, segment: &Segment<'_>) {
        if segment.has(Flags::RST) {
            if segment.tcp.seq == self.inbox.next {
                self.finish(cx, Close::Reset);
            }
        } else if segment.has(Flags::SYN) {
            if segment.tcp.seq.add(1) == self.inbox.next {
                self.send_opening(cx);
            }
        } else if segment.has(Flags::ACK) && segment.tcp.ack == self.snd_nxt {
            self.established(cx, segment);
            self.while_established(cx, segment);
        } else {
            cx.drops.count(DropReason::TcpUnacceptable);
        }
    }

    pub(super) fn while_syn_sent<I: Io>(&mut self, cx: &mut Context<'_, I>, segment: &Segment<'_>) {
        let acknowledged = segment.has(Flags::ACK) && segment.tcp.ack == self.snd_nxt;
        if segment.has(Flags::RST) {
            if acknowledged {
                self.finish(cx, Close::Reset);
            }
        } else if acknowledged && segment.has(Flags::SYN) {
            self.learn(segment);
            self.inbox = Inbox::new(segment.tcp.seq.add(1), segment.options.window_scale.is_some());
            self.established(cx, segment);
            self.ack_due = true;
        } else if segment.has(Flags::ACK) {
            // Left over from an earlier connection of the same ports (RFC 9293 §3.10.7.3).
            self.send_reset(cx, segment.tcp.ack);
        }
    }

    fn established<I: Io>(&mut self, cx: &mut Context<'_, I>, segment: &Segment<'_>) {
        self.state = State::Established;
        self.snd_una = self.snd_nxt;
        self.retries = 0;
        self.deadlines.retransmit = None;
        // From the first of them: too long where it was repeated, but never too short.
        self.measured(cx.now.since(self.opened_at));
        if !segment.has(Flags::SYN) {
            self.snd_wnd = u32::from(segment.tcp.window) << self.peer.window_scale.unwrap_or(0);
            self.max_wnd = self.max_wnd.max(self.snd_wnd);
        }
        self.window_seq = segment.tcp.seq;
        self.window_ack = segment.tcp.ack;
        self.arm_keepalive(cx.now);
    }

    /// SYN or SYN-ACK was not answered in time.
    pub(super) fn opening_timed_out<I: Io>(&mut self, cx: &mut Context<'_, I>) {
        self.retries += 1;
        if self.retries > MAX_SYN_RETRIES {
            self.finish(cx, Close::Reset);
            return;
        }
        self.send_opening(cx);
        self.deadlines.retransmit = Some(cx.now + self.round_trip.timeout(self.retries));
    }
}
