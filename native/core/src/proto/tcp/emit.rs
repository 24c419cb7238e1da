//! Segments towards the guest: headers into one small array, payload from wherever it lies, one call to the device.

use super::{Addresses, Segment, TcpFlow};
use crate::device::Device;
use crate::proto::segment::{Plan, transmit_tcp};
use crate::proto::{Context, Io};
use crate::wire::ethernet::{self, ETHERTYPE_IPV4, Ethernet};
use crate::wire::ipv4::{self, Ipv4, PROTOCOL_TCP};
use crate::wire::tcp::{self, Flags, Options, Seq, Tcp};

/// Time to live of what the gateway sends.
pub(crate) const TTL: u8 = 64;

/// Longest options written: three SACK blocks behind two paddings, or a SYN's.
const MAX_OPTIONS: usize = 28;
const MAX_HEADERS: usize = ethernet::HEADER_LEN + ipv4::HEADER_LEN + tcp::HEADER_LEN + MAX_OPTIONS;

/// What differs from one segment to the next.
#[derive(Clone, Copy, Debug)]
struct Fields {
    flags: Flags,
    seq: Seq,
    ack: Seq,
    window: u16,
}

/// Writes one segment (or super-segment) of `payload`. False when the device refused it.
fn emit<D: Device>(
    device: &mut D,
    who: &Addresses,
    fields: Fields,
    options: &[u8],
    payload: &[u8],
    mss: usize,
) -> bool {
    debug_assert!(options.len() <= MAX_OPTIONS && options.len().is_multiple_of(4), "writers of options know the bound");
    let mut headers = [0u8; MAX_HEADERS];
    let tcp_at = ethernet::HEADER_LEN + ipv4::HEADER_LEN;
    let end = tcp_at + tcp::HEADER_LEN + options.len();
    let ip = Ipv4 {
        source: who.remote,
        destination: who.guest,
        protocol: PROTOCOL_TCP,
        ttl: TTL,
        tos: 0,
        // Atomic datagrams need no identification (RFC 6864 §4.1).
        id: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
    };
    let tcp_len = tcp::HEADER_LEN + options.len() + payload.len();
    headers[..ethernet::HEADER_LEN].copy_from_slice(
        &Ethernet { destination: who.guest_mac, source: who.gateway_mac, ethertype: ETHERTYPE_IPV4 }.emit(),
    );
    headers[ethernet::HEADER_LEN..tcp_at].copy_from_slice(&ip.emit(tcp_len));
    let header = Tcp {
        source: who.remote_port,
        destination: who.guest_port,
        seq: fields.seq,
        ack: fields.ack,
        flags: fields.flags,
        window: fields.window,
    };
    headers[tcp_at..tcp_at + tcp::HEADER_LEN].copy_from_slice(&header.emit(options.len()));
    headers[tcp_at + tcp::HEADER_LEN..end].copy_from_slice(options);
    let plan = Plan { capabilities: who.capabilities, mss, ip, tcp_at };
    transmit_tcp(device, who.endpoint, &plan, &mut headers[..end], payload)
}

/// The RST that answers a segment of no connection (RFC 9293 §3.10.7.1).
pub(crate) fn reset_reply<D: Device>(device: &mut D, who: &Addresses, segment: &Segment<'_>) {
    if segment.has(Flags::RST) {
        return;
    }
    let fields = if segment.has(Flags::ACK) {
        Fields { flags: Flags::RST, seq: segment.tcp.ack, ack: Seq(0), window: 0 }
    } else {
        Fields { flags: Flags::RST.with(Flags::ACK), seq: Seq(0), ack: segment.tcp.seq.add(segment.len()), window: 0 }
    };
    emit(device, who, fields, &[], &[], 0);
}

impl TcpFlow {
    fn emit<I: Io>(&mut self, cx: &mut Context<'_, I>, fields: Fields, options: &[u8], payload: &[u8]) -> bool {
        let who = Addresses::new(&self.link, self.guest_port, self.remote, self.remote_port);
        emit(cx.io, &who, fields, options, payload, self.mss())
    }

    /// SYN or SYN-ACK.
    pub(super) fn send_syn<I: Io>(&mut self, cx: &mut Context<'_, I>, flags: Flags, scale: Option<u8>, sack: bool) {
        let options = Options::emit_syn(self.own_mss(), scale, sack);
        let window = self.inbox.offer_unscaled();
        let ack = if flags.has(Flags::ACK) { self.inbox.next } else { Seq(0) };
        let fields = Fields { flags, seq: self.snd_una, ack, window };
        self.emit(cx, fields, &options, &[]);
        self.ack_due = false;
    }

    /// A bare acknowledgement, with SACK blocks while there is a gap.
    pub(super) fn send_ack<I: Io>(&mut self, cx: &mut Context<'_, I>) {
        let mut options = [0u8; MAX_OPTIONS];
        let mut len = 0;
        if self.peer.sack && self.inbox.has_gap() {
            let (blocks, count) = self.inbox.sack_blocks::<3>();
            let blocks = &blocks[..count];
            options[..2].copy_from_slice(&[1, 1]);
            options[2] = 5;
            options[3] = u8::try_from(2 + blocks.len() * 8).unwrap_or(2);
            len = 4;
            for (start, end) in blocks {
                options[len..len + 4].copy_from_slice(&start.0.to_be_bytes());
                options[len + 4..len + 8].copy_from_slice(&end.0.to_be_bytes());
                len += 8;
            }
        }
        let window = self.inbox.offer(cx.pool.is_full());
        let fields = Fields { flags: Flags::ACK, seq: self.snd_nxt, ack: self.inbox.next, window };
        self.emit(cx, fields, &options[..len], &[]);
        self.ack_due = false;
    }

    /// Bytes of a chunk of the send queue, with the acknowledgement that goes along.
    pub(super) fn send_part<I: Io>(&mut self, cx: &mut Context<'_, I>, at: usize, start: Seq, end: Seq) {
        let window = self.inbox.offer(cx.pool.is_full());
        let who = Addresses::new(&self.link, self.guest_port, self.remote, self.remote_port);
        let mss = self.mss();
        let Some(chunk) = self.queue.chunks.get(at) else { return };
        let fields = Fields { flags: Flags::ACK.with(Flags::PSH), seq: start, ack: self.inbox.next, window };
        self.ack_due = false;
        // Refused frames are found missing like lost ones.
        emit(cx.io, &who, fields, &[], chunk.payload(start, end), mss);
    }

    pub(super) fn send_fin<I: Io>(&mut self, cx: &mut Context<'_, I>, seq: Seq) {
        let window = self.inbox.offer(cx.pool.is_full());
        let fields = Fields { flags: Flags::ACK.with(Flags::FIN), seq, ack: self.inbox.next, window };
        self.ack_due = false;
        self.emit(cx, fields, &[], &[]);
    }

    /// A segment from before the window: whoever lives answers with an acknowledgement that carries the window
    /// (keep-alive and zero-window probe alike).
    pub(super) fn send_probe<I: Io>(&mut self, cx: &mut Context<'_, I>) {
        let window = self.inbox.offer(cx.pool.is_full());
        let fields = Fields { flags: Flags::ACK, seq: self.snd_una.add(u32::MAX), ack: self.inbox.next, window };
        self.emit(cx, fields, &[], &[]);
    }

    pub(super) fn send_reset<I: Io>(&mut self, cx: &mut Context<'_, I>, seq: Seq) {
        let fields = Fields { flags: Flags::RST.with(Flags::ACK), seq, ack: self.inbox.next, window: 0 };
        self.emit(cx, fields, &[], &[]);
    }
}
