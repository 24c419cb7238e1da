//! All devices and sockets of the engine, under the ids that the core gave them. This is what implements the core's two
//! traits, so the core's calls end here in system calls.

use crate::closer::Closer;
use crate::datagrams::DatagramSocket;
use crate::dns::DnsDesk;
use crate::dns::asks::Heard;
use crate::error::uplink_error;
use crate::faults::TowardsGuests;
use crate::outbox::{LARGEST_GATHERED, Outbox};
use crate::stock::Stock;
use crate::streams::Stream;
use crate::tap::Tap;
use slotmap::{Key, KeyData, SecondaryMap, SlotMap, new_key_type};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use unet_core::uplink::{Close, DatagramKind, DatagramPeer, Received, Started, Target, UplinkError};
use unet_core::wire::vnet::Vnet;
use unet_core::{BindingId, Capabilities, Device, DropReason, EndpointId, FlowId, Uplink};
use unet_sys::event::{Interest, Poller};
use unet_sys::{datagram, stream};

new_key_type! {
    /// What stands in an epoll event: index and generation, so that an event for a source that is gone finds nothing.
    pub(crate) struct SourceId;
    pub(crate) struct ListenerId;
    pub(crate) struct LauncherId;
    pub(crate) struct DnsStreamId;
}

/// Whose descriptor an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Waker,
    Handoff,
    Launcher(LauncherId),
    Tap(EndpointId),
    Stream(FlowId),
    Datagram(BindingId),
    Listener(ListenerId),
    DnsStream(DnsStreamId),
}

#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) poller: Poller,
    sources: SlotMap<SourceId, Source>,
    pub(crate) taps: SecondaryMap<EndpointId, (Tap, SourceId)>,
    pub(crate) streams: SecondaryMap<FlowId, Stream>,
    pub(crate) datagrams: SecondaryMap<BindingId, DatagramSocket>,
    pub(crate) outbox: Outbox,
    pub(crate) dns: DnsDesk,
    closer: Closer,
    pub(crate) stock: Stock,
    /// Bytes of payload that went either way.
    pub(crate) moved: u64,
    /// None while no guest has a bad link: then faults cost this one look a frame, and no clock is read.
    pub(crate) faults: Option<Box<TowardsGuests>>,
}

impl Ports {
    pub(crate) fn new(poller: Poller) -> Self {
        Self {
            poller,
            sources: SlotMap::with_key(),
            taps: SecondaryMap::new(),
            streams: SecondaryMap::new(),
            datagrams: SecondaryMap::new(),
            outbox: Outbox::default(),
            dns: DnsDesk::default(),
            closer: Closer::default(),
            stock: Stock::default(),
            moved: 0,
            faults: None,
        }
    }

    pub(crate) fn watch(&mut self, fd: BorrowedFd<'_>, source: Source, interest: Interest) -> io::Result<SourceId> {
        let id = self.sources.insert(source);
        if let Err(error) = self.poller.add(fd, id.data().as_ffi(), interest) {
            self.sources.remove(id);
            return Err(error);
        }
        Ok(id)
    }

    /// The descriptor is about to be closed (with all its duplicates, or it must be removed from the poller as well).
    pub(crate) fn forget(&mut self, id: SourceId) {
        self.sources.remove(id);
    }

    #[cfg(test)]
    pub(crate) fn source_count(&self) -> usize {
        self.sources.len()
    }

    pub(crate) fn source(&self, token: u64) -> Option<Source> {
        self.sources.get(KeyData::from_ffi(token).into()).copied()
    }

    /// Keeps a connected socket for a flow.
    pub(crate) fn adopt_stream(&mut self, flow: FlowId, fd: OwnedFd) -> io::Result<()> {
        let source = self.watch(fd.as_fd(), Source::Stream(flow), Interest::Edges)?;
        self.streams.insert(flow, Stream { fd, source });
        Ok(())
    }

    /// Keeps a bound socket for a binding.
    pub(crate) fn adopt_datagram(&mut self, binding: BindingId, fd: OwnedFd, kind: DatagramKind) -> io::Result<()> {
        let source = self.watch(fd.as_fd(), Source::Datagram(binding), Interest::Read)?;
        self.datagrams.insert(binding, DatagramSocket::new(fd, source, kind == DatagramKind::Udp));
        Ok(())
    }

    pub(crate) fn flush_datagrams(&mut self) {
        self.outbox.flush(&mut self.datagrams);
    }

    pub(crate) fn remove_tap(&mut self, endpoint: EndpointId) {
        if let Some((tap, source)) = self.taps.remove(endpoint) {
            // The launcher keeps a duplicate, so closing ours would leave it in the poller.
            self.poller.remove(tap.fd());
            self.forget(source);
            self.closer.close(tap.into_fd());
        }
    }

    /// To the guest's TAP, past all faults.
    pub(crate) fn write(&mut self, endpoint: EndpointId, vnet: &Vnet, header: &[u8], payload: &[u8]) -> bool {
        self.moved = self.moved.wrapping_add(payload.len() as u64);
        self.taps.get_mut(endpoint).is_some_and(|(tap, _)| tap.transmit(vnet, header, payload))
    }

    pub(crate) fn close_dns_stream(&mut self, id: DnsStreamId) {
        if let Some(source) = self.dns.close_stream(id) {
            self.forget(source);
        }
    }

    fn open_stream(&mut self, flow: FlowId, target: Target) -> io::Result<Started> {
        match target {
            Target::Address(address) => {
                let fd = self.stock.take(&address)?;
                let connected = stream::start_connect(fd.as_fd(), address)?;
                self.adopt_stream(flow, fd)?;
                Ok(if connected { Started::Connected } else { Started::InProgress })
            }
            Target::Dns { endpoint } => {
                if let Some(victim) = self.dns.make_room(endpoint)? {
                    self.close_dns_stream(victim);
                }
                let (ours, service) = stream::pair()?;
                let id = self.dns.add_stream(endpoint, service);
                let watched = match self.dns.stream_fd(id) {
                    Some(fd) => {
                        // Watched under its own id: the flow's end and the service's end are two sources.
                        let source = self.sources.insert(Source::DnsStream(id));
                        let added = self.poller.add(fd, source.data().as_ffi(), Interest::Edges);
                        added.map(|()| source)
                    }
                    None => Err(io::Error::from_raw_os_error(libc::ENOENT)),
                };
                match watched {
                    Ok(source) => self.dns.set_source(id, source),
                    Err(error) => {
                        self.close_dns_stream(id);
                        return Err(error);
                    }
                }
                self.adopt_stream(flow, ours)?;
                Ok(Started::Connected)
            }
        }
    }
}

impl Device for Ports {
    fn capabilities(&self, endpoint: EndpointId) -> Capabilities {
        self.taps.get(endpoint).map_or(Capabilities::default(), |(tap, _)| tap.capabilities)
    }

    fn room(&self, endpoint: EndpointId) -> usize {
        self.faults.as_ref().map_or(usize::MAX, |faults| faults.room(endpoint))
    }

    fn transmit(&mut self, endpoint: EndpointId, vnet: &Vnet, header: &[u8], payload: &[u8]) -> bool {
        match self.faults.as_mut().and_then(|faults| faults.towards(endpoint)) {
            None => self.write(endpoint, vnet, header, payload),
            Some(link) => link.offer(vnet, header, payload),
        }
    }

    fn forward(&mut self, from: EndpointId, to: EndpointId, vnet: &Vnet, header: &[u8], payload: &[u8]) -> bool {
        match self.faults.as_mut().and_then(|faults| faults.between(from, to)) {
            None => self.write(to, vnet, header, payload),
            Some(link) => link.offer(vnet, header, payload),
        }
    }
}

impl Uplink for Ports {
    fn tcp_connect(&mut self, flow: FlowId, target: Target) -> Result<Started, UplinkError> {
        self.open_stream(flow, target).map_err(|error| uplink_error(&error))
    }

    fn tcp_send(&mut self, flow: FlowId, data: &[u8]) -> Result<usize, UplinkError> {
        self.moved = self.moved.wrapping_add(data.len() as u64);
        match self.streams.get(flow) {
            Some(stream) => stream.send(data),
            None => Err(UplinkError::Other),
        }
    }

    fn tcp_send_many(&mut self, flow: FlowId, pieces: &[IoSlice<'_>]) -> Result<usize, UplinkError> {
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        self.moved = self.moved.wrapping_add(len as u64);
        match self.streams.get(flow) {
            Some(stream) => stream.send_many(pieces),
            None => Err(UplinkError::Other),
        }
    }

    fn tcp_receive(&mut self, flow: FlowId, buffer: &mut [u8]) -> Result<Received, UplinkError> {
        match self.streams.get(flow) {
            Some(stream) => stream.receive(buffer),
            None => Err(UplinkError::Other),
        }
    }

    fn tcp_receive_many(&mut self, flow: FlowId, buffers: &mut [IoSliceMut<'_>]) -> Result<Received, UplinkError> {
        match self.streams.get(flow) {
            Some(stream) => stream.receive_many(buffers),
            None => Err(UplinkError::Other),
        }
    }

    fn tcp_shutdown(&mut self, flow: FlowId) {
        if let Some(stream) = self.streams.get(flow) {
            stream.shutdown();
        }
    }

    fn tcp_close(&mut self, flow: FlowId, how: Close) {
        if let Some(stream) = self.streams.remove(flow) {
            self.forget(stream.source);
            self.stock.discard(stream, how);
        }
    }

    fn datagram_open(&mut self, binding: BindingId, kind: DatagramKind) -> Result<(), UplinkError> {
        let open = || match kind {
            DatagramKind::Udp => datagram::udp(SocketAddr::from(([0, 0, 0, 0], 0))),
            DatagramKind::Ping => datagram::ping(),
        };
        open().and_then(|fd| self.adopt_datagram(binding, fd, kind)).map_err(|error| uplink_error(&error))
    }

    fn datagram_send(
        &mut self,
        binding: BindingId,
        to: DatagramPeer,
        data: &[u8],
        segment: Option<u16>,
    ) -> Result<(), UplinkError> {
        self.moved = self.moved.wrapping_add(data.len() as u64);
        let joinable = self.datagrams.get(binding).ok_or(UplinkError::Other)?.joinable;
        if segment.is_none() && data.len() <= LARGEST_GATHERED {
            if !self.outbox.add(binding, to, data, joinable) {
                self.flush_datagrams();
                self.outbox.add(binding, to, data, joinable);
            }
            return Ok(());
        }
        // Large enough to go by itself, behind what came before it.
        if self.outbox.holds(binding) {
            self.flush_datagrams();
        }
        self.datagrams.get_mut(binding).map_or(Err(UplinkError::Other), |socket| socket.send(to, data, segment))
    }

    fn datagram_close(&mut self, binding: BindingId) {
        if self.outbox.holds(binding) {
            self.flush_datagrams();
        }
        if let Some(socket) = self.datagrams.remove(binding) {
            self.forget(socket.source);
        }
    }

    fn dns_query(&mut self, endpoint: EndpointId, from: SocketAddrV4, message: &[u8]) {
        self.dns.ask_datagram(endpoint, from, message);
    }

    fn dns_reply(&mut self, endpoint: EndpointId, port: u16, message: &[u8]) -> bool {
        let heard = self.dns.asks.hear(endpoint, port, message);
        if heard == Heard::Noise {
            self.dns.drops.count(DropReason::DnsReplyUnexpected);
        }
        heard != Heard::Stranger
    }
}
