//! Two guests and one DNS service: what one does must not be felt by the other.

use super::{Bench, GATEWAY_MAC, Peer, WIRING, gateway};
use crate::dns::seam::SMALLEST_ARENA;
use crate::endpoints::EndpointSpec;
use crate::events::EventKind;
use crate::faults::FaultsSpec;
use crate::limits::{DNS_QUANTUM, MAX_DNS_PENDING_PER_GUEST, MAX_DNS_STREAMS_PER_GUEST};
use crate::ports::Source;
use crate::tap::Tap;
use std::io::IoSlice;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use unet_core::switch::HostAccess;
use unet_core::testing::frames::{Wiring, parse_ipv4};
use unet_core::wire::ethernet::Mac;
use unet_core::wire::icmpv4::{Icmpv4, UNREACHABLE};
use unet_core::wire::ipv4::PROTOCOL_ICMP;
use unet_core::wire::tcp::Flags;
use unet_core::wire::udp::{Udp, Verify};
use unet_core::{Capabilities, DropReason};
use unet_sys::event::Interest;
use unet_sys::tap_io;

const QUIET: Wiring =
    Wiring { guest: Ipv4Addr::new(172, 17, 0, 3), guest_mac: Mac([2, 0x42, 172, 17, 0, 3]), next_hop: GATEWAY_MAC };
/// Frames that a socket pair holds for sure before the loop must turn.
const BURST: usize = 8;

/// The bench's own guest is the greedy one; this is its neighbour.
struct Quiet(UnixDatagram);

impl Quiet {
    fn join(bench: &mut Bench) -> Self {
        let spec = EndpointSpec {
            id: "quiet".into(),
            network: "net".into(),
            ticket: "another".into(),
            address: QUIET.guest,
            mac: QUIET.guest_mac.0,
            mtu: 1500,
            host_access: HostAccess::None,
            faults: FaultsSpec::default(),
        };
        bench.engine.expect_endpoint(spec).unwrap();
        let (ours, guest) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        guest.set_nonblocking(true).unwrap();
        let id = bench.engine.endpoints["quiet"].id;
        let tap = Tap::new(ours.into(), Capabilities::default());
        let source = bench.engine.ports.watch(tap.fd(), Source::Tap(id), Interest::Read).unwrap();
        bench.engine.ports.taps.insert(id, (tap, source));
        Self(guest)
    }

    fn send(&self, frame: &[u8]) {
        tap_io::write(self.0.as_fd(), &[IoSlice::new(frame)]).unwrap();
    }

    /// The next datagram: port it came from, port it went to, data.
    fn datagram(&self, bench: &mut Bench) -> (u16, u16, Vec<u8>) {
        bench.until("a datagram", |_| {
            let mut frame = vec![0; 2000];
            let len = self.0.recv(&mut frame).ok()?;
            let (_, body) = parse_ipv4(&frame[..len])?;
            let (udp, data) = Udp::parse(body, Verify::Trusted).ok()?;
            Some((udp.source, udp.destination, data.to_vec()))
        })
    }

    /// Asks, and says how many questions of others the owner got first.
    fn is_heard_after(&self, bench: &mut Bench) -> usize {
        let asked = question(9);
        self.send(&QUIET.udp(6000, gateway(53), &asked));
        let mut before = 0;
        let query = bench.until("the question", |bench| {
            for (name, query, message) in drain(bench) {
                if name == "quiet" {
                    assert_eq!(message, asked);
                    return Some(query);
                }
                before += 1;
            }
            None
        });
        bench.engine.answer_dns(query, Some(b"answer"));
        assert_eq!(self.datagram(bench), (53, 6000, b"answer".to_vec()));
        before
    }
}

fn question(tag: u8) -> Vec<u8> {
    vec![tag; 12]
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

/// What the owner gets: name, number, message.
pub(super) fn drain(bench: &Bench) -> Vec<(String, u64, Vec<u8>)> {
    let mut arena = vec![0; SMALLEST_ARENA];
    let used = bench.events.dns(|seam| seam.drain(&mut arena, usize::MAX));
    let mut rest = &arena[..used];
    let mut out = Vec::new();
    while !rest.is_empty() {
        let len = usize::try_from(u32::from_le_bytes(*rest.first_chunk().unwrap())).unwrap();
        let name = usize::from(u16::from_le_bytes([rest[6], rest[7]]));
        let query = u64::from_le_bytes(*rest[8..].first_chunk().unwrap());
        let (record, tail) = rest.split_at(16 + name + len);
        let name = String::from_utf8(record[16..16 + name].to_vec()).unwrap();
        out.push((name, query, record[record.len() - len..].to_vec()));
        rest = tail;
    }
    out
}

fn drops(bench: &Bench, reason: DropReason) -> u64 {
    bench.engine.ports.dns.drops.get(reason)
}

/// Frames of the greedy guest, with turns of the loop between.
fn flood(bench: &mut Bench, count: usize, frame: impl Fn(usize) -> Vec<u8>) {
    for n in 0..count {
        bench.send(&frame(n));
        if n % BURST == BURST - 1 {
            bench.engine.turn(Some(std::time::Duration::ZERO)).unwrap();
        }
    }
}

#[test]
fn a_flood_of_questions_is_its_own_senders_loss() {
    let mut bench = Bench::new();
    let quiet = Quiet::join(&mut bench);
    let count = MAX_DNS_PENDING_PER_GUEST + 500;
    flood(&mut bench, count, |n| WIRING.udp(5000, gateway(53), &question((n % 100) as u8)));
    bench.events.push(Some("quiet"), EventKind::Exited { exit_code: 0, signal: None });
    let before = quiet.is_heard_after(&mut bench);
    assert!(before <= MAX_DNS_PENDING_PER_GUEST, "{before} came first");
    assert!(drops(&bench, DropReason::DnsShareUsed) >= 490);
    let events = bench.events.drain(usize::MAX);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, EventKind::Exited { exit_code: 0, signal: None }, "nothing was pushed out");
}

#[test]
fn a_quiet_guests_question_is_among_the_next() {
    let mut bench = Bench::new();
    let quiet = Quiet::join(&mut bench);
    flood(&mut bench, 400, |_| WIRING.udp(5000, gateway(53), &question(1)));
    quiet.send(&QUIET.udp(6000, gateway(53), &question(2)));
    for _ in 0..3 {
        bench.engine.turn(Some(std::time::Duration::ZERO)).unwrap();
    }
    let at = drain(&bench).iter().position(|(name, ..)| name == "quiet");
    assert!(at.is_some_and(|at| at <= DNS_QUANTUM), "{at:?}");
}

#[test]
fn garbage_never_reaches_the_owner() {
    let mut bench = Bench::new();
    let quiet = Quiet::join(&mut bench);
    let mut answer = question(1);
    answer[2] |= 0x80;
    let kinds = [b"short".to_vec(), answer, Vec::new()];
    flood(&mut bench, 3000, |n| WIRING.udp(5000, gateway(53), &kinds[n % 3]));
    assert_eq!(quiet.is_heard_after(&mut bench), 0);
    assert_eq!(drops(&bench, DropReason::DnsNotAQuestion), 3000);
    let mut peer = Peer::connect(&mut bench, 4000, gateway(53));
    peer.say(&bench, Flags::ACK, b"GET / HTTP/1.1\r\n\r\n");
    bench.segment("the end", |seen| seen.has(Flags::FIN) || seen.has(Flags::RST));
    assert_eq!(drops(&bench, DropReason::DnsNotAQuestion), 3001);
}

/// Opened and left idle, with half of a length in front of a question that never comes.
#[test]
fn a_thousand_idle_clients_keep_nobody_waiting() {
    let mut bench = Bench::with_flows(10_000);
    let quiet = Quiet::join(&mut bench);
    for n in 0..1000 {
        let mut peer = Peer::connect(&mut bench, 4000 + n, gateway(53));
        peer.say(&bench, Flags::ACK, &[0]);
        bench.backlog.clear();
    }
    assert_eq!(quiet.is_heard_after(&mut bench), 0);
    assert_eq!(bench.engine.ports.dns.load()[1], MAX_DNS_STREAMS_PER_GUEST);
    assert_eq!(drops(&bench, DropReason::DnsStreamEvicted), 1000 - MAX_DNS_STREAMS_PER_GUEST as u64);
    // Its own newest client is heard as well.
    let mut peer = Peer::connect(&mut bench, 9000, gateway(53));
    peer.say(&bench, Flags::ACK, &framed(&question(3)));
    let query = bench.until("the question", |bench| drain(bench).pop().map(|(_, query, _)| query));
    bench.engine.answer_dns(query, Some(b"answer"));
    assert_eq!(peer.take(&mut bench, 8), b"\0\x06answer");
}

#[test]
fn a_client_that_never_reads_keeps_nobody_waiting() {
    let mut bench = Bench::new();
    let quiet = Quiet::join(&mut bench);
    let mut peer = Peer::connect(&mut bench, 4000, gateway(53));
    let big = vec![1; 60_000];
    let mut answered = 0;
    for _ in 0..100 {
        peer.say(&bench, Flags::ACK, &framed(&question(1)));
        for _ in 0..3 {
            bench.engine.turn(Some(std::time::Duration::ZERO)).unwrap();
        }
        for (_, query, _) in drain(&bench) {
            bench.engine.answer_dns(query, Some(&big));
            answered += 1;
        }
    }
    assert!((1..100).contains(&answered), "{answered}");
    assert!(bench.engine.ports.dns.load()[2] < 300_000);
    assert_eq!(quiet.is_heard_after(&mut bench), 0);
}

#[test]
fn a_guests_own_server_is_asked_and_nobody_else_answers_for_it() {
    let mut bench = Bench::new();
    let quiet = Quiet::join(&mut bench);
    let ask = |bench: &mut Bench, query| bench.engine.ask_guest("net", QUIET.guest, query, &question(4));
    ask(&mut bench, 7);
    let (port, to, message) = quiet.datagram(&mut bench);
    assert_eq!((to, message), (53, question(4)));
    let mut reply = question(4);
    reply[2] |= 0x80;
    // The neighbour says the same, and is not believed.
    bench.send(&WIRING.udp(53, gateway(port), &reply));
    quiet.send(&QUIET.udp(53, gateway(port), b"no answer to anything"));
    quiet.send(&QUIET.udp(53, gateway(port), &reply));
    let got = bench.until("the reply", |bench| drain(bench).pop());
    assert_eq!(got, (String::new(), 7, reply));
    assert_eq!(drops(&bench, DropReason::DnsReplyUnexpected), 1);
    // Nobody serves there: the guest's kernel says so.
    ask(&mut bench, 8);
    let (port, ..) = quiet.datagram(&mut bench);
    let asked = unet_core::wire::ipv4::Ipv4 {
        source: super::GATEWAY,
        destination: QUIET.guest,
        ..QUIET.header(super::GATEWAY, unet_core::wire::ipv4::PROTOCOL_UDP)
    };
    let udp = [Udp { source: port, destination: 53 }.emit(12, 0).to_vec(), question(4)].concat();
    let quote = [asked.emit(udp.len()).to_vec(), udp].concat();
    let icmp = Icmpv4 { kind: UNREACHABLE, code: 3, id: 0, sequence: 0 }.emit(&quote);
    quiet.send(&QUIET.ipv4(&QUIET.header(super::GATEWAY, PROTOCOL_ICMP), &icmp));
    let got = bench.until("the end", |bench| drain(bench).pop());
    assert_eq!(got, (String::new(), 8, Vec::new()));
    // An address that nobody has.
    bench.engine.ask_guest("net", Ipv4Addr::new(172, 17, 9, 9), 9, &question(4));
    bench.engine.ask_guest("none", QUIET.guest, 10, &question(4));
    bench.engine.turn(Some(std::time::Duration::ZERO)).unwrap();
    assert_eq!(drain(&bench), [(String::new(), 9, vec![]), (String::new(), 10, vec![])]);
}
