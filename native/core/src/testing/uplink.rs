//! Scripted host sockets. They behave as the kernel's do where the core can tell (partial sends, edges instead of levels, data that
//! is still readable after FIN) and panic when the core breaks the contract: a socket used after it was closed or shut, opened
//! twice, read into nothing.

use crate::flow::{BindingId, FlowId};
use crate::switch::EndpointId;
use crate::uplink::{Close, DatagramKind, DatagramPeer, Readiness, Received, Started, Target, Uplink, UplinkError};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::IoSlice;
use std::io::IoSliceMut;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};

/// One stream's socket, and what happened to it. It stays here after it was closed.
#[derive(Debug)]
pub struct FakeStream {
    /// None for a caller of a published port.
    pub target: Option<Target>,
    /// All bytes that the socket took.
    pub sent: Vec<u8>,
    /// In how many calls it was asked to.
    pub sends: usize,
    /// Bytes it will take before it is full.
    pub room: usize,
    /// The core has finished sending.
    pub shut: bool,
    pub closed: Option<Close>,
    incoming: VecDeque<u8>,
    ended: bool,
    error: Option<UplinkError>,
    /// The last send was cut short: room is worth an event.
    starved: bool,
    /// Longest single read, for tests of fairness; the kernel gives less than asked for as it likes.
    pub max_read: usize,
}

impl FakeStream {
    fn new(target: Option<Target>) -> Self {
        Self {
            target,
            sent: Vec::new(),
            sends: 0,
            room: usize::MAX,
            shut: false,
            closed: None,
            incoming: VecDeque::new(),
            ended: false,
            error: None,
            starved: false,
            max_read: usize::MAX,
        }
    }

    #[must_use]
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// Bytes that the far end sent and the core has not read.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.incoming.len()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentDatagram {
    pub to: SocketAddr,
    /// Our own address that it was to come from.
    pub from: Option<IpAddr>,
    pub data: Vec<u8>,
    pub segment: Option<u16>,
}

/// One datagram socket, and what happened to it.
#[derive(Debug)]
pub struct FakeDatagramSocket {
    pub kind: DatagramKind,
    pub sent: Vec<SentDatagram>,
    pub open: bool,
}

/// A DNS question on its way to the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub endpoint: EndpointId,
    pub from: SocketAddrV4,
    pub message: Vec<u8>,
}

/// Sockets towards the host, under a test's control.
#[derive(Debug, Default)]
pub struct FakeUplink {
    pub streams: BTreeMap<FlowId, FakeStream>,
    pub datagrams: BTreeMap<BindingId, FakeDatagramSocket>,
    pub queries: Vec<Query>,
    /// Ports of the gateway from which a guest has been asked something.
    pub asked_from: BTreeSet<(EndpointId, u16)>,
    /// What came back to them.
    pub replies: Vec<Vec<u8>>,
    /// What the next [`Uplink::tcp_connect`] answers at once.
    pub connect_error: Option<UplinkError>,
    /// What every [`Uplink::datagram_open`] answers.
    pub open_error: Option<UplinkError>,
    /// What every [`Uplink::datagram_send`] answers.
    pub send_error: Option<UplinkError>,
    /// Room of sockets made from now on; None: no bound.
    pub initial_room: Option<usize>,
    events: VecDeque<(FlowId, Readiness)>,
    order: Vec<FlowId>,
}

impl FakeUplink {
    /// The streams in the order of their making.
    #[must_use]
    pub fn order(&self) -> &[FlowId] {
        &self.order
    }

    /// The stream made last.
    ///
    /// # Panics
    /// When there was none.
    #[must_use]
    pub fn last(&self) -> FlowId {
        *self.order.last().expect("a stream was made")
    }

    /// # Panics
    /// When the flow never had one.
    #[must_use]
    pub fn stream(&self, flow: FlowId) -> &FakeStream {
        &self.streams[&flow]
    }

    /// # Panics
    /// When the flow never had one.
    pub fn stream_mut(&mut self, flow: FlowId) -> &mut FakeStream {
        self.streams.get_mut(&flow).expect("the flow has a stream")
    }

    /// The socket behind an accepted caller, under the id that the stack gave it.
    pub fn adopt(&mut self, flow: FlowId) {
        let mut stream = FakeStream::new(None);
        stream.room = self.initial_room.unwrap_or(usize::MAX);
        self.streams.insert(flow, stream);
        self.order.push(flow);
    }

    /// The connection that was begun stands now.
    pub fn connected(&mut self, flow: FlowId) {
        self.events.push_back((flow, Readiness { writable: true, ..Readiness::default() }));
    }

    /// The connection failed, or breaks. What the far end sent before stays readable.
    pub fn fail(&mut self, flow: FlowId, error: UplinkError) {
        self.stream_mut(flow).error = Some(error);
        self.events.push_back((flow, Readiness { readable: true, writable: true, error: Some(error), ended: true }));
    }

    /// The connection breaks without an event: the next call finds out.
    pub fn fail_silently(&mut self, flow: FlowId, error: UplinkError) {
        self.stream_mut(flow).error = Some(error);
    }

    /// Bytes from the far end.
    pub fn feed(&mut self, flow: FlowId, data: &[u8]) {
        self.stream_mut(flow).incoming.extend(data);
        self.events.push_back((flow, Readiness { readable: true, ..Readiness::default() }));
    }

    /// The far end has finished sending.
    pub fn end(&mut self, flow: FlowId) {
        self.stream_mut(flow).ended = true;
        self.events.push_back((flow, Readiness { readable: true, ended: true, ..Readiness::default() }));
    }

    /// The far end has read `bytes` bytes: so much more may be sent.
    pub fn add_room(&mut self, flow: FlowId, bytes: usize) {
        let stream = self.stream_mut(flow);
        stream.room = stream.room.saturating_add(bytes);
        if std::mem::take(&mut stream.starved) {
            self.events.push_back((flow, Readiness { writable: true, ..Readiness::default() }));
        }
    }

    /// The oldest event of a socket that is still open.
    pub fn next_event(&mut self) -> Option<(FlowId, Readiness)> {
        while let Some(event) = self.events.pop_front() {
            if self.streams.get(&event.0).is_some_and(FakeStream::is_open) {
                return Some(event);
            }
        }
        None
    }

    fn open_stream(&mut self, flow: FlowId, what: &str) -> &mut FakeStream {
        let stream = self.streams.get_mut(&flow).unwrap_or_else(|| panic!("{what} on {flow:?}, which has no socket"));
        assert!(stream.closed.is_none(), "{what} on {flow:?}, which was closed");
        stream
    }
}

impl Uplink for FakeUplink {
    fn tcp_connect(&mut self, flow: FlowId, target: Target) -> Result<Started, UplinkError> {
        if let Some(error) = self.connect_error.take() {
            return Err(error);
        }
        let mut stream = FakeStream::new(Some(target));
        stream.room = self.initial_room.unwrap_or(usize::MAX);
        assert!(self.streams.insert(flow, stream).is_none(), "{flow:?} connects twice");
        self.order.push(flow);
        Ok(Started::InProgress)
    }

    fn tcp_send(&mut self, flow: FlowId, data: &[u8]) -> Result<usize, UplinkError> {
        let stream = self.open_stream(flow, "send");
        assert!(!stream.shut, "send on {flow:?} after shutdown");
        assert!(!data.is_empty(), "send of nothing on {flow:?}");
        if let Some(error) = stream.error {
            return Err(error);
        }
        stream.sends += 1;
        let taken = data.len().min(stream.room);
        stream.room -= if stream.room == usize::MAX { 0 } else { taken };
        stream.starved = taken < data.len();
        stream.sent.extend_from_slice(&data[..taken]);
        Ok(taken)
    }

    fn tcp_send_many(&mut self, flow: FlowId, pieces: &[IoSlice<'_>]) -> Result<usize, UplinkError> {
        self.tcp_send(flow, &pieces.iter().flat_map(|piece| piece.iter().copied()).collect::<Vec<u8>>())
    }

    fn tcp_receive(&mut self, flow: FlowId, buffer: &mut [u8]) -> Result<Received, UplinkError> {
        let stream = self.open_stream(flow, "receive");
        assert!(!buffer.is_empty(), "receive into nothing on {flow:?}");
        let len = buffer.len().min(stream.incoming.len()).min(stream.max_read);
        if len > 0 {
            for (slot, byte) in buffer.iter_mut().zip(stream.incoming.drain(..len)) {
                *slot = byte;
            }
            return Ok(Received::Data(len));
        }
        match (stream.error, stream.ended) {
            (Some(error), _) => Err(error),
            (None, true) => Ok(Received::Closed),
            (None, false) => Ok(Received::Empty),
        }
    }

    fn tcp_receive_many(&mut self, flow: FlowId, buffers: &mut [IoSliceMut<'_>]) -> Result<Received, UplinkError> {
        let mut total = 0;
        for buffer in buffers {
            match self.tcp_receive(flow, buffer) {
                Ok(Received::Data(len)) => {
                    total += len;
                    if len < buffer.len() {
                        break;
                    }
                }
                // What ends the stream is said by the next call, as the kernel does.
                other if total == 0 => return other,
                _ => break,
            }
        }
        Ok(Received::Data(total))
    }

    fn tcp_shutdown(&mut self, flow: FlowId) {
        let stream = self.open_stream(flow, "shutdown");
        assert!(!stream.shut, "{flow:?} is shut twice");
        stream.shut = true;
    }

    fn tcp_close(&mut self, flow: FlowId, how: Close) {
        self.open_stream(flow, "close").closed = Some(how);
    }

    fn datagram_open(&mut self, binding: BindingId, kind: DatagramKind) -> Result<(), UplinkError> {
        if let Some(error) = self.open_error {
            return Err(error);
        }
        let socket = FakeDatagramSocket { kind, sent: Vec::new(), open: true };
        assert!(self.datagrams.insert(binding, socket).is_none(), "{binding:?} is opened twice");
        Ok(())
    }

    fn datagram_send(
        &mut self,
        binding: BindingId,
        to: DatagramPeer,
        data: &[u8],
        segment: Option<u16>,
    ) -> Result<(), UplinkError> {
        if let Some(error) = self.send_error {
            return Err(error);
        }
        // A published port's socket is bound by the engine before the core hears of it.
        let socket = self.datagrams.entry(binding).or_insert_with(|| FakeDatagramSocket {
            kind: DatagramKind::Udp,
            sent: Vec::new(),
            open: true,
        });
        assert!(socket.open, "send on {binding:?}, which was closed");
        socket.sent.push(SentDatagram { to: to.address, from: to.local, data: data.to_vec(), segment });
        Ok(())
    }

    fn datagram_close(&mut self, binding: BindingId) {
        if let Some(socket) = self.datagrams.get_mut(&binding) {
            assert!(socket.open, "{binding:?} is closed twice");
            socket.open = false;
        }
    }

    fn dns_query(&mut self, endpoint: EndpointId, from: SocketAddrV4, message: &[u8]) {
        self.queries.push(Query { endpoint, from, message: message.to_vec() });
    }

    fn dns_reply(&mut self, endpoint: EndpointId, port: u16, message: &[u8]) -> bool {
        let was_asked = self.asked_from.remove(&(endpoint, port));
        if was_asked {
            self.replies.push(message.to_vec());
        }
        was_asked
    }
}
