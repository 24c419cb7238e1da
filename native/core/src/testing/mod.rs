//! Test doubles, public so that other crates can use them.
//!
//! | name | what it is |
//! |---|---|
//! | [`Loopback`] | a [`Device`](crate::Device) in memory: records the frames that guests are sent |
//! | [`FakeUplink`] | an [`Uplink`](crate::Uplink) of scripted sockets, strict about its contract |
//! | [`TestIo`] | both in one, as the stack wants them |
//! | [`VirtualClock`] | time that moves when it is told to |
//! | [`frames`] | frames as a guest would write them, and what one of them says |
//! | [`hostile`], [`model`] | worlds driven by a byte string, for property tests and fuzzing |
//! | [`PcapWriter`] | keeps a failing case as a file that other tools read |
//!
//! Nothing here reads a clock, draws random numbers or opens a socket: a test that uses only this is repeatable.

mod clock;
pub mod frames;
mod hostile;
mod loopback;
mod model;
mod pcap;
mod script;
mod uplink;

pub use clock::VirtualClock;
pub use hostile::hostile;
pub use loopback::{Frame, Loopback, OFFLOAD};
pub use model::model;
pub use pcap::PcapWriter;
pub use script::Script;
pub use uplink::{FakeDatagramSocket, FakeStream, FakeUplink, Query, SentDatagram};

use crate::device::{Capabilities, Device};
use crate::flow::{BindingId, FlowId};
use crate::switch::{EndpointId, NetworkConfig};
use crate::uplink::{Close, DatagramKind, DatagramPeer, Received, Started, Target, Uplink, UplinkError};
use crate::wire::ethernet::Mac;
use crate::wire::vnet::Vnet;
use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4};

pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 1);
pub const GATEWAY_MAC: Mac = Mac([2, 0x42, 0xac, 0x11, 0, 1]);

/// The network that tests put their guests on: 172.17.0.0/16.
#[must_use]
pub fn network(mtu: u16) -> NetworkConfig {
    let subnet = Ipv4Addr::new(172, 17, 0, 0);
    NetworkConfig { subnet, prefix: 16, gateway: GATEWAY, gateway_mac: GATEWAY_MAC, mtu }
}

/// Guests' side and host's side in one value, as [`crate::Stack`] takes them.
#[derive(Debug, Default)]
pub struct TestIo {
    pub device: Loopback,
    pub uplink: FakeUplink,
}

impl Device for TestIo {
    fn capabilities(&self, endpoint: EndpointId) -> Capabilities {
        self.device.capabilities(endpoint)
    }

    fn transmit(&mut self, endpoint: EndpointId, vnet: &Vnet, header: &[u8], payload: &[u8]) -> bool {
        self.device.transmit(endpoint, vnet, header, payload)
    }
}

impl Uplink for TestIo {
    fn tcp_connect(&mut self, flow: FlowId, target: Target) -> Result<Started, UplinkError> {
        self.uplink.tcp_connect(flow, target)
    }

    fn tcp_send(&mut self, flow: FlowId, data: &[u8]) -> Result<usize, UplinkError> {
        self.uplink.tcp_send(flow, data)
    }

    fn tcp_send_many(&mut self, flow: FlowId, pieces: &[IoSlice<'_>]) -> Result<usize, UplinkError> {
        self.uplink.tcp_send_many(flow, pieces)
    }

    fn tcp_receive(&mut self, flow: FlowId, buffer: &mut [u8]) -> Result<Received, UplinkError> {
        self.uplink.tcp_receive(flow, buffer)
    }

    fn tcp_receive_many(&mut self, flow: FlowId, buffers: &mut [IoSliceMut<'_>]) -> Result<Received, UplinkError> {
        self.uplink.tcp_receive_many(flow, buffers)
    }

    fn tcp_shutdown(&mut self, flow: FlowId) {
        self.uplink.tcp_shutdown(flow);
    }

    fn tcp_close(&mut self, flow: FlowId, how: Close) {
        self.uplink.tcp_close(flow, how);
    }

    fn datagram_open(&mut self, binding: BindingId, kind: DatagramKind) -> Result<(), UplinkError> {
        self.uplink.datagram_open(binding, kind)
    }

    fn datagram_send(
        &mut self,
        binding: BindingId,
        to: DatagramPeer,
        data: &[u8],
        segment: Option<u16>,
    ) -> Result<(), UplinkError> {
        self.uplink.datagram_send(binding, to, data, segment)
    }

    fn datagram_close(&mut self, binding: BindingId) {
        self.uplink.datagram_close(binding);
    }

    fn dns_query(&mut self, endpoint: EndpointId, from: SocketAddrV4, message: &[u8]) {
        self.uplink.dns_query(endpoint, from, message);
    }

    fn dns_reply(&mut self, endpoint: EndpointId, port: u16, message: &[u8]) -> bool {
        self.uplink.dns_reply(endpoint, port, message)
    }
}
