//! A stack with its doubles, one network and its guests, driven by hand.

use super::{MTU, oracle};
use std::time::Duration;
use unet_core::switch::HostAccess;
use unet_core::testing::frames::{SeenSegment, Wiring, parse_tcp};
use unet_core::testing::{Frame, TestIo, VirtualClock, network};
use unet_core::time::Instant;
use unet_core::wire::vnet::{Checksum, Vnet};
use unet_core::{Capabilities, DropReason, EndpointId, NetworkId, Stack, StackConfig};

pub struct World {
    pub stack: Stack,
    pub io: TestIo,
    pub clock: VirtualClock,
    pub network: NetworkId,
    /// In the order of their making; the first is made with the world.
    pub guests: Vec<(EndpointId, Wiring)>,
    pub host_access: HostAccess,
    pub mtu: u16,
}

pub const PLAIN: Capabilities = Capabilities { vnet: false, tso4: false, tso6: false, uso: false };

impl World {
    pub fn new(capabilities: Capabilities) -> Self {
        Self::with(capabilities, 1000, VirtualClock::default(), HostAccess::None)
    }

    pub fn with(capabilities: Capabilities, max_flows: usize, clock: VirtualClock, host_access: HostAccess) -> Self {
        let limits = StackConfig { secret: [7; 32], max_flows, max_flows_per_endpoint: max_flows };
        Self::limited(capabilities, &limits, clock, host_access)
    }

    pub fn limited(
        capabilities: Capabilities,
        limits: &StackConfig,
        clock: VirtualClock,
        host_access: HostAccess,
    ) -> Self {
        Self::build(capabilities, limits, clock, host_access, MTU)
    }

    pub fn with_mtu(capabilities: Capabilities, mtu: u16) -> Self {
        let limits = StackConfig { secret: [7; 32], max_flows: 1000, max_flows_per_endpoint: 1000 };
        Self::build(capabilities, &limits, VirtualClock::default(), HostAccess::None, mtu)
    }

    fn build(
        capabilities: Capabilities,
        limits: &StackConfig,
        clock: VirtualClock,
        host_access: HostAccess,
        mtu: u16,
    ) -> Self {
        let mut stack = Stack::new(limits);
        let network = stack.add_network(network(mtu));
        let mut io = TestIo::default();
        io.device.set_default_capabilities(capabilities);
        let mut world = Self { stack, io, clock, network, guests: Vec::new(), host_access, mtu };
        world.add_guest();
        world
    }

    pub fn add_guest(&mut self) -> EndpointId {
        let n = u8::try_from(self.guests.len() + 2).unwrap();
        let wiring = Wiring::of_guest(n);
        let config = wiring.endpoint(self.network, self.mtu, self.host_access.clone());
        let id = self.stack.add_endpoint(config).expect("the address is free");
        self.guests.push((id, wiring));
        id
    }

    pub fn guest(&self) -> EndpointId {
        self.guests[0].0
    }

    pub fn wiring(&self) -> Wiring {
        self.guests[0].1
    }

    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// A frame of the first guest, checksums complete. Answers that can wait do.
    pub fn inject(&mut self, frame: &[u8]) {
        self.inject_from(self.guest(), &Vnet::default(), frame);
    }

    pub fn inject_from(&mut self, from: EndpointId, vnet: &Vnet, frame: &[u8]) {
        self.stack.on_frame(&mut self.io, from, vnet, frame, self.clock.now());
    }

    /// Socket events and flushes until nothing is left to do at this time.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            let now = self.clock.now();
            let mut events = 0;
            while let Some((flow, ready)) = self.io.uplink.next_event() {
                self.stack.on_socket(&mut self.io, flow, ready, now);
                events += 1;
            }
            self.stack.flush(&mut self.io, now);
            if events == 0 && !self.stack.has_work() {
                return;
            }
        }
        panic!("the stack never comes to rest");
    }

    /// A frame of the first guest, and everything that follows from it at once.
    pub fn send(&mut self, frame: &[u8]) {
        self.inject(frame);
        self.settle();
    }

    /// Lets time pass, running every deadline on the way.
    pub fn pass(&mut self, by: Duration) {
        let until = self.clock.now() + by;
        let mut last = None;
        while let Some(at) = self.stack.next_timeout().filter(|&at| at <= until) {
            // A deadline may be due at once, but not for ever.
            assert!(last.is_none_or(|(time, n)| time != at || n < 1000), "a deadline at {at:?} that stays due");
            last = Some((at, last.filter(|(time, _)| *time == at).map_or(0, |(_, n)| n + 1)));
            self.clock.advance_to(at);
            self.stack.on_timeout(&mut self.io, self.clock.now());
            self.settle();
        }
        self.clock.advance_to(until);
        self.settle();
    }

    /// Frames since the last call, each judged.
    #[track_caller]
    pub fn frames(&mut self) -> Vec<Frame> {
        let frames = self.io.device.drain();
        for frame in &frames {
            use unet_core::Device;
            oracle::judge(frame, self.io.device.capabilities(frame.endpoint), usize::from(self.mtu));
        }
        frames
    }

    /// TCP segments since the last call; other frames fail the test.
    #[track_caller]
    pub fn segments(&mut self) -> Vec<SeenSegment> {
        self.frames().iter().map(|frame| parse_tcp(&frame.bytes).expect("only TCP is expected here")).collect()
    }

    /// The one segment since the last call.
    #[track_caller]
    pub fn segment(&mut self) -> SeenSegment {
        let mut segments = self.segments();
        assert_eq!(segments.len(), 1, "exactly one segment: {segments:#?}");
        segments.remove(0)
    }

    pub fn drops(&self, reason: DropReason) -> u64 {
        self.stack.drops().get(reason)
    }

    /// Nothing is kept any more: no flows, no bytes.
    #[track_caller]
    pub fn assert_empty(&self) {
        assert_eq!(self.stack.flow_count(), 0, "flows left: {:?}", self.stack.flow_kinds());
        assert_eq!(self.stack.held_bytes(), 0, "bytes held for no flow");
    }
}

/// The virtio-net header of a frame whose checksum the guest left to the hardware.
pub fn partial_tcp() -> Vnet {
    Vnet { checksum: Checksum::Partial { start: 34, offset: 16 }, ..Vnet::default() }
}
