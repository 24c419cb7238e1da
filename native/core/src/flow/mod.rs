//! What is remembered about a conversation: its key, its entry, its deadline.

mod table;
mod timer;

pub(crate) use table::FlowTable;
pub(crate) use timer::TimerQueue;

use crate::switch::EndpointId;
use slotmap::new_key_type;
use std::net::{Ipv4Addr, SocketAddrV4};

new_key_type! {
    /// A flow: index and generation, so that a late event for a dead flow finds nothing.
    pub struct FlowId;
    /// A datagram socket of the host, shared by all flows of one guest address and port (RFC 4787 REQ-1:
    /// endpoint-independent mapping).
    pub struct BindingId;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
    /// ICMP echo; the identifier stands for the guest's port, and the remote port is zero.
    Echo,
}

/// A conversation as the guest sees it. The guest's address is the endpoint's own, so the endpoint stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    pub endpoint: EndpointId,
    pub protocol: Protocol,
    pub guest_port: u16,
    pub remote: Ipv4Addr,
    pub remote_port: u16,
}

impl FlowKey {
    #[must_use]
    pub fn remote_address(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.remote, self.remote_port)
    }
}
