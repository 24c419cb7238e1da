//! Ring 2: the loop with real sockets on 127.0.0.1 and a guest made of frames, which come and go through a socket pair in
//! the place of a TAP. No privileges, no namespaces.

mod dns;
mod faults;

use crate::endpoints::{EndpointSpec, NetworkSpec};
use crate::events::{EventKind, EventQueue};
use crate::faults::FaultsSpec;
use crate::handle::{Engine, EngineOptions, Mailbox};
use crate::ports::Source;
use crate::publish::{Protocol, PublishSpec};
use crate::run::{Loop, LoopOptions};
use crate::tap::Tap;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant as Clock};
use unet_core::Capabilities;
use unet_core::switch::HostAccess;
use unet_core::testing::frames::{SeenSegment, TestSegment, Wiring, parse_tcp};
use unet_core::wire::ethernet::Mac;
use unet_core::wire::tcp::{Flags, Seq};
use unet_sys::event::Interest;
use unet_sys::tap_io;

mod udp;

const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 1);
const GUEST: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 2);
const GATEWAY_MAC: Mac = Mac([2, 0x42, 172, 17, 0, 1]);
const GUEST_MAC: Mac = Mac([2, 0x42, 172, 17, 0, 2]);
const PATIENCE: Duration = Duration::from_secs(5);
const WIRING: Wiring = Wiring { guest: GUEST, guest_mac: GUEST_MAC, next_hop: GATEWAY_MAC };

struct Bench {
    engine: Loop,
    events: Arc<EventQueue>,
    guest: OwnedFd,
    /// Frames that came while something else was looked for.
    backlog: Vec<Vec<u8>>,
    directory: std::path::PathBuf,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn directory() -> std::path::PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("unet-engine-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir(&path).unwrap();
    path
}

impl Bench {
    fn new() -> Self {
        Self::with_flows(100)
    }

    fn with_flows(max_flows: usize) -> Self {
        // A shell gives 1024; these tests run side by side, one with a thousand clients.
        unet_sys::execute::set_soft_open_files(u64::MAX).unwrap();
        let directory = directory();
        let events = Arc::new(EventQueue::new(Box::new(|| {})));
        let options = LoopOptions { handoff_socket: directory.join("handoff.sock"), max_flows };
        let mut engine = Loop::new(&options, Arc::new(Mailbox::new().unwrap()), Arc::clone(&events)).unwrap();
        engine
            .add_network(NetworkSpec {
                id: "net".into(),
                subnet: Ipv4Addr::new(172, 17, 0, 0),
                prefix: 16,
                gateway: GATEWAY,
                gateway_mac: GATEWAY_MAC.0,
                mtu: 1500,
            })
            .unwrap();
        engine
            .expect_endpoint(EndpointSpec {
                id: "guest".into(),
                network: "net".into(),
                ticket: "ticket".into(),
                address: GUEST,
                mac: GUEST_MAC.0,
                mtu: 1500,
                host_access: HostAccess::All,
                faults: FaultsSpec::default(),
            })
            .unwrap();
        // A datagram socket keeps frames apart as a TAP does.
        let (ours, guest) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        guest.set_nonblocking(true).unwrap();
        let id = engine.endpoints["guest"].id;
        let tap = Tap::new(ours.into(), Capabilities::default());
        let source = engine.ports.watch(tap.fd(), Source::Tap(id), Interest::Read).unwrap();
        engine.ports.taps.insert(id, (tap, source));
        Self { engine, events, guest: guest.into(), backlog: Vec::new(), directory }
    }

    fn send(&self, frame: &[u8]) {
        tap_io::write(self.guest.as_fd(), &[IoSlice::new(frame)]).unwrap();
    }

    /// Turns the loop until `find` answers, for at most [`PATIENCE`].
    fn until<T>(&mut self, what: &str, mut find: impl FnMut(&mut Self) -> Option<T>) -> T {
        let start = Clock::now();
        loop {
            self.engine.turn(Some(Duration::from_millis(5))).unwrap();
            if let Some(found) = find(self) {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "{what} did not happen");
        }
    }

    fn next_frame(&mut self) -> Option<Vec<u8>> {
        if !self.backlog.is_empty() {
            return Some(self.backlog.remove(0));
        }
        let mut frame = vec![0; 70_000];
        match tap_io::read(self.guest.as_fd(), &mut frame) {
            Ok(len) => {
                frame.truncate(len);
                Some(frame)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn segment(&mut self, what: &str, wanted: impl Fn(&SeenSegment) -> bool) -> SeenSegment {
        self.until(what, |bench| {
            while let Some(frame) = bench.next_frame() {
                if let Some(segment) = parse_tcp(&frame)
                    && wanted(&segment)
                {
                    return Some(segment);
                }
            }
            None
        })
    }

    fn tcp(&self, segment: &TestSegment<'_>) {
        self.send(&WIRING.tcp(segment));
    }
}

/// One end of a connection, as a guest without much of a TCP has it.
struct Peer {
    port: u16,
    to: SocketAddrV4,
    seq: Seq,
    ack: Seq,
}

impl Peer {
    fn segment<'a>(&self, flags: Flags, payload: &'a [u8]) -> TestSegment<'a> {
        TestSegment {
            from_port: self.port,
            to: self.to,
            seq: self.seq,
            ack: self.ack,
            flags,
            window: 65_535,
            options: &[],
            payload,
        }
    }

    fn say(&mut self, bench: &Bench, flags: Flags, payload: &[u8]) {
        bench.tcp(&self.segment(flags, payload));
        let marks = u32::from(flags.has(Flags::SYN)) + u32::from(flags.has(Flags::FIN));
        self.seq = self.seq.add(u32::try_from(payload.len()).unwrap() + marks);
    }

    /// A connection that the guest opens.
    fn connect(bench: &mut Bench, port: u16, to: SocketAddrV4) -> Self {
        let mut peer = Self { port, to, seq: Seq(1000), ack: Seq(0) };
        peer.say(bench, Flags::SYN, &[]);
        let answer = bench.segment("SYN-ACK", |seen| seen.has(Flags::SYN) && seen.has(Flags::ACK));
        assert_eq!((answer.from, answer.to.port(), answer.ack), (to, port, peer.seq));
        peer.ack = answer.end();
        peer.say(bench, Flags::ACK, &[]);
        peer
    }

    /// Takes bytes until there are `len`, acknowledging each segment.
    fn take(&mut self, bench: &mut Bench, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let next = self.ack;
            let seen = bench.segment("data", |seen| !seen.payload.is_empty() && seen.seq == next);
            bytes.extend_from_slice(&seen.payload);
            self.ack = seen.end();
            self.say(bench, Flags::ACK, &[]);
        }
        bytes
    }
}

fn gateway(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(GATEWAY, port)
}

#[test]
fn a_guests_connection_reaches_a_real_server_and_ends_in_order() {
    let mut bench = Bench::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peer = Peer::connect(&mut bench, 4000, gateway(server.local_addr().unwrap().port()));
    let (mut socket, _) = server.accept().unwrap();
    peer.say(&bench, Flags::ACK, b"hello");
    let sent = peer.seq;
    bench.segment("acknowledgement", |seen| seen.ack == sent);
    let mut bytes = [0; 5];
    socket.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"hello");
    socket.write_all(&[7; 10_000]).unwrap();
    assert_eq!(peer.take(&mut bench, 10_000), [7; 10_000]);
    // Half-closed: the guest has finished, the server has not.
    peer.say(&bench, Flags::FIN.with(Flags::ACK), &[]);
    bench.until("the server's end of stream", |_| {
        socket.set_nonblocking(true).unwrap();
        matches!(socket.read(&mut [0; 1]), Ok(0)).then_some(())
    });
    socket.set_nonblocking(false).unwrap();
    socket.write_all(b"late").unwrap();
    assert_eq!(peer.take(&mut bench, 4), b"late");
    drop(socket);
    let fin = bench.segment("FIN", |seen| seen.has(Flags::FIN));
    peer.ack = fin.end();
    peer.say(&bench, Flags::ACK, &[]);
    bench.until("the flow's end", |bench| (bench.engine.stack.flow_count() == 0).then_some(()));
    assert_eq!(bench.engine.stack.held_bytes(), 0);
    assert!(bench.engine.ports.streams.is_empty(), "no socket is left");
}

#[test]
fn refusal_and_reset_are_mirrored() {
    let mut bench = Bench::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let peer = Peer { port: 4000, to: gateway(closed), seq: Seq(1), ack: Seq(0) };
    bench.tcp(&peer.segment(Flags::SYN, &[]));
    bench.segment("RST for a closed port", |seen| seen.has(Flags::RST) && seen.ack == Seq(2));

    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = gateway(server.local_addr().unwrap().port());
    let mut peer = Peer::connect(&mut bench, 4001, to);
    let (mut socket, _) = server.accept().unwrap();
    peer.say(&bench, Flags::RST, &[]);
    let error = bench.until("the server's reset", |_| {
        socket.set_nonblocking(true).unwrap();
        socket.read(&mut [0; 1]).err().filter(|error| error.kind() != ErrorKind::WouldBlock)
    });
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    let mut peer = Peer::connect(&mut bench, 4002, to);
    let (socket, _) = server.accept().unwrap();
    unet_sys::stream::reset_on_close(socket.as_fd());
    drop(socket);
    bench.segment("RST from the server", |seen| seen.has(Flags::RST) && seen.to.port() == 4002);
    peer.say(&bench, Flags::ACK, b"x");
    bench.segment("RST for a dead flow", |seen| seen.has(Flags::RST) && seen.to.port() == 4002);
}

#[test]
fn a_published_port_carries_a_caller_in() {
    let mut bench = Bench::new();
    let spec = PublishSpec {
        endpoint: "guest".into(),
        protocol: Protocol::Tcp,
        host: "127.0.0.1:0".parse().unwrap(),
        guest_port: 80,
    };
    let port = bench.engine.publish(spec.clone()).unwrap();
    let taken = bench.engine.publish(PublishSpec { host: SocketAddr::new(spec.host.ip(), port), ..spec.clone() });
    assert_eq!(taken.unwrap_err().code(), "EADDRINUSE");

    let mut caller = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let syn = bench.segment("SYN", |seen| seen.has(Flags::SYN));
    assert_eq!((*syn.from.ip(), syn.to.port()), (GATEWAY, 80), "a caller on loopback is the gateway");
    assert_eq!(syn.from.port(), caller.local_addr().unwrap().port(), "its port is its own");
    let mut peer = Peer { port: 80, to: syn.from, seq: Seq(9000), ack: syn.end() };
    peer.say(&bench, Flags::SYN.with(Flags::ACK), &[]);
    caller.write_all(b"ping").unwrap();
    assert_eq!(peer.take(&mut bench, 4), b"ping");
    peer.say(&bench, Flags::ACK, b"pong");
    let mut bytes = [0; 4];
    bench.until("the answer", |_| {
        caller.set_nonblocking(true).unwrap();
        caller.read_exact(&mut bytes).ok()
    });
    assert_eq!(&bytes, b"pong");

    // Nobody listens inside: the caller is reset.
    caller.shutdown(Shutdown::Both).unwrap();
    let mut second = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let from = second.local_addr().unwrap().port();
    let syn = bench.segment("SYN", |seen| seen.has(Flags::SYN) && seen.from.port() == from);
    let refusal = Peer { port: 80, to: syn.from, seq: Seq(0), ack: syn.end() };
    bench.tcp(&refusal.segment(Flags::RST.with(Flags::ACK), &[]));
    let error = bench.until("the caller's reset", |_| {
        second.set_nonblocking(true).unwrap();
        second.read(&mut [0; 1]).err().filter(|error| error.kind() != ErrorKind::WouldBlock)
    });
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    bench.engine.unpublish(&PublishSpec { host: SocketAddr::new(spec.host.ip(), port), ..spec }).unwrap();
    assert_eq!(TcpStream::connect(("127.0.0.1", port)).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn datagrams_go_out_come_back_and_their_errors_too() {
    let mut bench = Bench::new();
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let to = gateway(server.local_addr().unwrap().port());
    bench.send(&WIRING.udp(5000, to, b"question"));
    bench.engine.turn(Some(PATIENCE)).unwrap();
    let mut bytes = [0; 100];
    let (len, from) = server.recv_from(&mut bytes).unwrap();
    assert_eq!(&bytes[..len], b"question");
    server.send_to(b"answer", from).unwrap();
    let frame = bench.until("the answer", Bench::next_frame);
    assert!(frame.ends_with(b"answer"));
    // Another sender is not let in.
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"intruder", from).unwrap();
    bench.until("the refusal", |bench| {
        (bench.engine.stack.drops().get(unet_core::DropReason::DatagramUnsolicited) == 1).then_some(())
    });
    // A closed port: the host's ICMP error becomes the guest's.
    drop(server);
    bench.send(&WIRING.udp(5000, to, b"anybody?"));
    let frame = bench.until("ICMP", Bench::next_frame);
    assert_eq!((frame[23], frame[34], frame[35]), (1, 3, 3), "destination unreachable, port unreachable");
}

#[test]
fn dns_over_tcp_is_framed_and_answered() {
    let mut bench = Bench::new();
    let mut peer = Peer::connect(&mut bench, 4000, gateway(53));
    peer.say(&bench, Flags::ACK, b"\0\x0ca questi");
    peer.say(&bench, Flags::ACK, b"on!!");
    let (name, query, message) = bench.until("the question", |bench| dns::drain(bench).pop());
    assert_eq!((name.as_str(), message.as_slice()), ("guest", &b"a question!!"[..]));
    bench.engine.answer_dns(query, Some(b"answer"));
    assert_eq!(peer.take(&mut bench, 8), b"\0\x06answer");
}

#[test]
fn a_dropped_endpoint_leaves_nothing() {
    let mut bench = Bench::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    Peer::connect(&mut bench, 4000, gateway(server.local_addr().unwrap().port()));
    bench.send(&WIRING.udp(5000, gateway(9), b"x"));
    Peer::connect(&mut bench, 4001, gateway(53));
    let udp = PublishSpec {
        endpoint: "guest".into(),
        protocol: Protocol::Udp,
        host: "127.0.0.1:0".parse().unwrap(),
        guest_port: 80,
    };
    bench.engine.publish(udp.clone()).unwrap();
    bench.engine.publish(PublishSpec { protocol: Protocol::Tcp, ..udp }).unwrap();
    bench.engine.drop_endpoint("guest");
    bench.engine.drop_endpoint("guest");
    let Loop { ports, stack, listeners, .. } = &bench.engine;
    assert!(ports.taps.is_empty() && ports.streams.is_empty() && ports.datagrams.is_empty() && ports.dns.is_idle());
    assert_eq!(
        (stack.flow_count(), listeners.len(), ports.source_count()),
        (0, 0, 2),
        "the waker and the socket remain"
    );
    bench.engine.remove_network("net").unwrap();
}

#[test]
fn a_panic_is_reported_and_every_later_call_answers() {
    let directory = directory();
    let options = EngineOptions { handoff_socket: directory.join("handoff.sock"), max_flows: None };
    let engine = Engine::start(&options, Box::new(|| {})).unwrap();
    engine.snapshot().unwrap();
    engine.panic_for_test().unwrap();
    let start = Clock::now();
    let fatal = loop {
        if let Some(event) = engine.drain_events(10).pop() {
            break event;
        }
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(fatal.kind, EventKind::Fatal { message: "asked to panic".into() });
    assert_eq!(engine.snapshot().unwrap_err().code(), "ESTOPPED");
    drop(engine);
    // The same place serves the next one.
    let mut next = Engine::start(&options, Box::new(|| {})).unwrap();
    next.snapshot().unwrap();
    next.close();
    assert_eq!(next.snapshot().unwrap_err().code(), "ESTOPPED");
    assert!(!options.handoff_socket.exists());
    std::fs::remove_dir_all(directory).unwrap();
}
