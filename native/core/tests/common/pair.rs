//! A stack against a real peer: smoltcp's TCP as the guest, a link with delay and faults between them, time that jumps from one
//! event to the next.

use super::world::World;
use super::{GATEWAY, MTU, SERVER};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, ChecksumCapabilities, DeviceCapabilities, Medium};
use smoltcp::socket::tcp;
use smoltcp::time::Instant as SmolInstant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr, IpEndpoint};
use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::time::Duration;
use unet_core::fault::{FaultInjector, Faults};
use unet_core::switch::HostAccess;
use unet_core::testing::{PcapWriter, VirtualClock};
use unet_core::time::Instant;
use unet_core::wire::vnet::{Checksum, Vnet};
use unet_core::{Capabilities, FlowId};

/// One way through the link.
const DELAY: Duration = Duration::from_micros(50);
/// Frames kept for a capture of a failing case.
const CAPTURE: usize = 200_000;
const GUEST_BUFFER: usize = 256 << 10;

/// What the link does to frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct Link {
    pub faults: Faults,
    pub seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Guest,
    Stack,
}

#[derive(Debug)]
struct Flight {
    at: Instant,
    to: To,
    frame: Vec<u8>,
}

/// smoltcp's device: two queues.
struct Wire {
    arrived: VecDeque<Vec<u8>>,
    sent: VecDeque<Vec<u8>>,
    checksum: bool,
}

struct Arrived(Vec<u8>);
struct Outgoing<'a>(&'a mut VecDeque<Vec<u8>>);

impl phy::RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl phy::TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.push_back(frame);
        result
    }
}

impl phy::Device for Wire {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Outgoing<'a>;

    fn receive(&mut self, _now: SmolInstant) -> Option<(Arrived, Outgoing<'_>)> {
        let frame = self.arrived.pop_front()?;
        Some((Arrived(frame), Outgoing(&mut self.sent)))
    }

    fn transmit(&mut self, _now: SmolInstant) -> Option<Outgoing<'_>> {
        Some(Outgoing(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = usize::from(MTU) + 14;
        if !self.checksum {
            capabilities.checksum = ChecksumCapabilities::ignored();
            capabilities.checksum.ipv4 = phy::Checksum::Both;
        }
        capabilities
    }
}

pub struct Pair {
    pub world: World,
    wire: Wire,
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    to_guest: FaultInjector,
    to_stack: FaultInjector,
    flights: VecDeque<Flight>,
    capture: Vec<(Instant, Vec<u8>)>,
    checksum: bool,
    /// Added to the guest's sequence numbers on the way, so that they wrap where a test wants it.
    pub shift: u32,
    /// How often the programs on both ends get their turn although nothing happened on the link.
    pub tick: Option<Duration>,
    /// Frames to the guest so far, before faults.
    pub frames_to_guest: usize,
    pub frames_to_stack: usize,
}

fn smol(now: Instant) -> SmolInstant {
    SmolInstant::from_micros(i64::try_from(now.as_micros()).unwrap())
}

impl Pair {
    pub fn new(capabilities: Capabilities, link: Link) -> Self {
        Self::starting_at(capabilities, link, VirtualClock::default())
    }

    pub fn starting_at(capabilities: Capabilities, link: Link, clock: VirtualClock) -> Self {
        let world = World::with(capabilities, 1000, clock, HostAccess::None);
        let wiring = world.wiring();
        let mut wire = Wire { arrived: VecDeque::new(), sent: VecDeque::new(), checksum: !capabilities.vnet };
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(wiring.guest_mac.0)));
        config.random_seed = link.seed;
        let mut interface = Interface::new(config, &mut wire, smol(world.now()));
        interface.update_ip_addrs(|addresses| addresses.push(IpCidr::new(IpAddress::Ipv4(wiring.guest), 16)).unwrap());
        interface.routes_mut().add_default_ipv4_route(GATEWAY).unwrap();
        let mut sockets = SocketSet::new(Vec::new());
        let handle = sockets.add(Self::socket());
        Self {
            checksum: wire.checksum,
            world,
            wire,
            interface,
            sockets,
            handle,
            to_guest: FaultInjector::new(link.faults, link.seed.wrapping_mul(2) + 1),
            to_stack: FaultInjector::new(link.faults, link.seed.wrapping_mul(2) + 77),
            flights: VecDeque::new(),
            capture: Vec::new(),
            shift: 0,
            tick: None,
            frames_to_guest: 0,
            frames_to_stack: 0,
        }
    }

    fn socket() -> tcp::Socket<'static> {
        let buffer = || tcp::SocketBuffer::new(vec![0; GUEST_BUFFER]);
        tcp::Socket::new(buffer(), buffer())
    }

    pub fn guest(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    /// The guest connects to [`SERVER`]; the host accepts at once.
    #[track_caller]
    pub fn connect(&mut self) -> FlowId {
        self.begin_connect(40_000);
        self.run_until("the host connection", |pair| !pair.world.io.uplink.order().is_empty());
        let flow = self.world.io.uplink.last();
        self.world.io.uplink.connected(flow);
        self.run_until("the handshake", |pair| pair.guest().state() == tcp::State::Established);
        flow
    }

    pub fn begin_connect(&mut self, port: u16) {
        let socket: &mut tcp::Socket<'static> = self.sockets.get_mut(self.handle);
        let to = IpEndpoint::new(IpAddress::Ipv4(*SERVER.ip()), SERVER.port());
        socket.connect(self.interface.context(), to, port).unwrap();
    }

    /// A caller reaches the guest's port 80.
    #[track_caller]
    pub fn call(&mut self, peer: SocketAddrV4) -> FlowId {
        let (guest, now) = (self.world.guest(), self.world.now());
        let flow = self.world.stack.on_accept(&mut self.world.io, guest, 80, peer.into(), now).unwrap();
        self.world.io.uplink.adopt(flow);
        flow
    }

    /// Everything that happens at this point in time. True when anything did.
    pub fn step(&mut self) -> bool {
        let now = self.world.now();
        let mut moved = false;
        while self.flights.front().is_some_and(|flight| flight.at <= now) {
            let flight = self.flights.pop_front().unwrap();
            moved = true;
            match flight.to {
                To::Guest => self.wire.arrived.push_back(flight.frame),
                To::Stack => {
                    let checksum = if self.checksum { Checksum::Complete } else { Checksum::Valid };
                    let vnet = Vnet { checksum, ..Vnet::default() };
                    let from = self.world.guest();
                    self.world.inject_from(from, &vnet, &flight.frame);
                }
            }
        }
        if self.world.stack.next_timeout().is_some_and(|at| at <= now) {
            self.world.stack.on_timeout(&mut self.world.io, now);
            moved = true;
        }
        self.world.settle();
        self.interface.poll(smol(now), &mut self.wire, &mut self.sockets);
        for frame in self.world.frames() {
            moved = true;
            self.frames_to_guest += 1;
            let mut frame = frame.bytes;
            self.keep(&frame);
            shift_tcp(&mut frame, 8, self.shift.wrapping_neg());
            let (flights, at) = (&mut self.flights, now + DELAY);
            self.to_guest.offer(&frame, |frame| flights.push_back(Flight { at, to: To::Guest, frame: frame.to_vec() }));
        }
        for mut frame in std::mem::take(&mut self.wire.sent) {
            moved = true;
            self.frames_to_stack += 1;
            shift_tcp(&mut frame, 4, self.shift);
            self.keep(&frame);
            let (flights, at) = (&mut self.flights, now + DELAY);
            self.to_stack.offer(&frame, |frame| flights.push_back(Flight { at, to: To::Stack, frame: frame.to_vec() }));
        }
        if self.flights.is_empty() {
            let (flights, at) = (&mut self.flights, now + DELAY);
            self.to_guest.release(|frame| flights.push_back(Flight { at, to: To::Guest, frame: frame.to_vec() }));
            self.to_stack.release(|frame| flights.push_back(Flight { at, to: To::Stack, frame: frame.to_vec() }));
        }
        moved
    }

    fn keep(&mut self, frame: &[u8]) {
        if self.capture.len() < CAPTURE {
            self.capture.push((self.world.now(), frame.to_vec()));
        }
    }

    /// When the next thing happens by itself.
    fn next_event(&mut self) -> Option<Instant> {
        let now = self.world.now();
        let guest = self.interface.poll_at(smol(now), &self.sockets);
        let guest = guest.map(|at| Instant::from_micros(u64::try_from(at.total_micros()).unwrap_or(0)));
        let link = self.flights.front().map(|flight| flight.at);
        let tick = self.tick.map(|tick| now + tick);
        [self.world.stack.next_timeout(), guest, link, tick].into_iter().flatten().min()
    }

    /// Runs until `done`; fails when nothing happens any more, or after an hour of the link's time.
    #[track_caller]
    pub fn run_until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let start = self.world.now();
        loop {
            self.step();
            if done(self) {
                return;
            }
            let now = self.world.now();
            match self.next_event() {
                Some(at) if now.since(start) < Duration::from_secs(3600) => {
                    self.world.clock.advance_to(at.max(now + Duration::from_micros(1)));
                }
                next => {
                    let path = self.write_capture();
                    panic!(
                        "{what} never came: {:?} passed, next event {next:?}, guest {:?}; capture in {path}",
                        now.since(start),
                        self.guest().state(),
                    );
                }
            }
        }
    }

    /// Lets time pass.
    pub fn run_for(&mut self, by: Duration) {
        let end = self.world.now() + by;
        while self.world.now() < end {
            self.step();
            let now = self.world.now();
            let at = self.next_event().unwrap_or(end).clamp(now + Duration::from_micros(1), end);
            self.world.clock.advance_to(at);
        }
        self.step();
    }

    /// Writes what went over the link (before faults) to a file; says where.
    pub fn write_capture(&self) -> String {
        let path = std::env::temp_dir().join(format!("unet-core-test-{}.pcap", std::process::id()));
        let written = std::fs::File::create(&path).and_then(|file| {
            let mut pcap = PcapWriter::new(std::io::BufWriter::new(file))?;
            for (at, frame) in &self.capture {
                pcap.write(*at, frame)?;
            }
            pcap.finish().map(drop)
        });
        written.map_or_else(|error| format!("no file ({error})"), |()| path.display().to_string())
    }
}

/// Adds to the 32-bit field at `field` of a TCP header; nobody checks sums where this is used.
fn shift_tcp(frame: &mut [u8], field: usize, by: u32) {
    if by == 0 || frame.len() < 54 || frame[23] != 6 {
        return;
    }
    let is_ack_field = field == 8;
    if is_ack_field && frame[47] & 0x10 == 0 {
        return;
    }
    let at = 34 + field;
    let value = u32::from_be_bytes(frame[at..at + 4].try_into().unwrap()).wrapping_add(by);
    frame[at..at + 4].copy_from_slice(&value.to_be_bytes());
}
