//! Towards the host: layer 4. A flow's bytes go in and out of an ordinary host socket, which the engine owns under the
//! flow's id; the core never sees a descriptor.

use crate::flow::{BindingId, FlowId};
use crate::switch::EndpointId;
use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};

/// Where a TCP flow leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A socket to this address.
    Address(SocketAddr),
    /// The DNS service of the daemon, with messages framed as in RFC 1035 §4.2.2.
    Dns { endpoint: EndpointId },
}

/// Why a socket operation failed, reduced to what a guest can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UplinkError {
    Refused,
    Reset,
    HostUnreachable,
    NetworkUnreachable,
    TimedOut,
    /// EACCES, EPERM: a firewall of the host, or a kind of socket it does not let us open.
    NotPermitted,
    /// No descriptors, ports or memory.
    Exhausted,
    /// EMSGSIZE.
    TooLarge,
    Other,
}

/// What a read from a stream gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// So many bytes, at least one.
    Data(usize),
    /// Nothing now; an event will tell.
    Empty,
    /// The far end has finished sending.
    Closed,
}

/// How a stream's socket goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The kernel delivers what it holds, then FIN.
    Graceful,
    /// RST to the far end.
    Reset,
}

/// The kind of a datagram socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatagramKind {
    Udp,
    /// `SOCK_DGRAM` of `IPPROTO_ICMP`: echo only.
    Ping,
}

/// Whom a datagram comes from or goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramPeer {
    pub address: SocketAddr,
    /// Our own address that the peer wrote to, where the socket listens on several: answers must come from it.
    pub local: Option<IpAddr>,
}

impl From<SocketAddr> for DatagramPeer {
    fn from(address: SocketAddr) -> Self {
        Self { address, local: None }
    }
}

/// What an event on a stream's socket said. Events are edges: a flag is given once and holds until the socket answers
/// [`Received::Empty`] or takes less than it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    pub readable: bool,
    pub writable: bool,
    pub error: Option<UplinkError>,
    /// The far end has finished, or the connection is gone: reading goes on until it says so itself.
    pub ended: bool,
}

/// How a connection attempt began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// Its outcome will be an event: writable, or an error.
    InProgress,
    /// The far end is so near that it stands already.
    Connected,
}

/// Sockets towards the host. Implemented by the engine and by [`crate::testing::FakeUplink`].
pub trait Uplink {
    /// Starts a connection.
    ///
    /// # Errors
    /// What is known at once, a full descriptor table for one.
    fn tcp_connect(&mut self, flow: FlowId, target: Target) -> Result<Started, UplinkError>;

    /// Gives bytes to the socket and says how many it took; fewer than given means: wait for the writable event.
    ///
    /// # Errors
    /// The connection is lost.
    fn tcp_send(&mut self, flow: FlowId, data: &[u8]) -> Result<usize, UplinkError>;

    /// The same for several pieces that follow each other.
    ///
    /// # Errors
    /// The connection is lost.
    fn tcp_send_many(&mut self, flow: FlowId, pieces: &[IoSlice<'_>]) -> Result<usize, UplinkError> {
        let mut sent = 0;
        for piece in pieces {
            let taken = self.tcp_send(flow, piece)?;
            sent += taken;
            if taken < piece.len() {
                break;
            }
        }
        Ok(sent)
    }

    /// Reads into `buffer`.
    ///
    /// # Errors
    /// The connection is lost.
    fn tcp_receive(&mut self, flow: FlowId, buffer: &mut [u8]) -> Result<Received, UplinkError>;

    /// Reads into several buffers, one filled after the other: the fewer calls, the fewer acknowledgements the host's kernel makes of
    /// them. The count is that of all bytes; less than there is room for means that nothing is left.
    ///
    /// # Errors
    /// The connection is lost.
    fn tcp_receive_many(&mut self, flow: FlowId, buffers: &mut [IoSliceMut<'_>]) -> Result<Received, UplinkError>;

    /// No more bytes will be sent (FIN).
    fn tcp_shutdown(&mut self, flow: FlowId);

    /// Closes the socket. No event for the flow comes afterwards.
    fn tcp_close(&mut self, flow: FlowId, how: Close);

    /// Opens a datagram socket.
    ///
    /// # Errors
    /// [`UplinkError::NotPermitted`] for ping sockets where the host forbids them, [`UplinkError::Exhausted`].
    fn datagram_open(&mut self, binding: BindingId, kind: DatagramKind) -> Result<(), UplinkError>;

    /// Sends one datagram, or with `segment` several of that size (the last may be shorter).
    ///
    /// # Errors
    /// The datagram is lost; the error says whether the guest can be told why.
    fn datagram_send(
        &mut self,
        binding: BindingId,
        to: DatagramPeer,
        data: &[u8],
        segment: Option<u16>,
    ) -> Result<(), UplinkError>;

    /// Closes a datagram socket.
    fn datagram_close(&mut self, binding: BindingId);

    /// A DNS question by UDP for the daemon; the answer comes back through [`crate::Stack::dns_answer`].
    fn dns_query(&mut self, endpoint: EndpointId, from: SocketAddrV4, message: &[u8]);

    /// A datagram from port 53 of a guest to this port of its gateway: the answer to what [`crate::Stack::ask_guest`] asked? False
    /// when nobody asked from that port, and the datagram is an ordinary one.
    fn dns_reply(&mut self, endpoint: EndpointId, port: u16, message: &[u8]) -> bool;
}
