//! The stack: everything above, tied together. It is a pure object: frames, socket events and time go in, calls on
//! [`Device`](crate::Device) and [`Uplink`](crate::Uplink) come out.
//!
//! Work on a flow is done in two steps. Events ([`Stack::on_frame`], [`Stack::on_socket`], timers) change the flow and mark it
//! dirty; [`Stack::flush`], called once for a batch of events, lets every dirty flow move what can move and send the one
//! acknowledgement that covers the batch. A batch of sixty frames of one flow thus costs one acknowledgement.

mod datagrams;
mod frames;
mod shares;
mod streams;
mod turns;

use crate::device::Device;
use crate::drop::{DropCounters, DropReason};
use crate::flow::{BindingId, FlowId, FlowKey, FlowTable, Protocol, TimerQueue};
use crate::proto::Io;
use crate::proto::fragment::Reassembler;
use crate::proto::tcp::TcpFlow;
use crate::proto::tcp::buffer::BufferPool;
use crate::switch::{EndpointConfig, EndpointId, EndpointStats, HostAccess, Link, NetworkConfig, NetworkId, Switch};
use crate::time::Instant;
use crate::uplink::Close;
use datagrams::{Binding, DatagramFlow};
use slotmap::{SecondaryMap, SlotMap};

/// What a stack is made with.
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// Secret: keys the flow table's hash and the initial sequence numbers.
    pub secret: [u8; 32],
    /// Flows of all guests together.
    pub max_flows: usize,
    /// Flows of one guest.
    pub max_flows_per_endpoint: usize,
}

#[derive(Debug)]
enum Flow {
    // Boxed: a table of datagram flows must not pay for the size of a connection.
    Tcp(Box<TcpFlow>),
    Datagram(DatagramFlow),
}

/// All networks, endpoints and flows of one engine.
#[derive(Debug)]
pub struct Stack {
    secret: [u8; 16],
    switch: Switch,
    flows: FlowTable<Flow>,
    /// Flows that one endpoint may have.
    share: usize,
    queues: SecondaryMap<EndpointId, shares::Queue>,
    half_open: SecondaryMap<EndpointId, shares::HalfOpen>,
    time_wait: SecondaryMap<EndpointId, shares::TimeWait>,
    bindings: SlotMap<BindingId, Binding>,
    binding_index: std::collections::HashMap<(EndpointId, Protocol, u16), BindingId>,
    timers: TimerQueue,
    fragments: Reassembler,
    pool: BufferPool,
    drops: DropCounters,
    turns: turns::Turns,
}

impl Stack {
    #[must_use]
    pub fn new(config: &StackConfig) -> Self {
        let (table, numbers) = config.secret.split_at(16);
        let key = |bytes: &[u8]| -> [u8; 16] { std::array::from_fn(|n| bytes[n]) };
        Self {
            secret: key(numbers),
            switch: Switch::default(),
            flows: FlowTable::new(key(table), config.max_flows),
            share: config.max_flows_per_endpoint,
            queues: SecondaryMap::new(),
            half_open: SecondaryMap::new(),
            time_wait: SecondaryMap::new(),
            bindings: SlotMap::with_key(),
            binding_index: std::collections::HashMap::new(),
            timers: TimerQueue::default(),
            fragments: Reassembler::default(),
            pool: BufferPool::default(),
            drops: DropCounters::default(),
            turns: turns::Turns::default(),
        }
    }

    pub fn add_network(&mut self, config: NetworkConfig) -> NetworkId {
        self.switch.add_network(config)
    }

    /// The network's endpoints must have been removed.
    pub fn remove_network(&mut self, id: NetworkId) {
        self.switch.remove_network(id);
    }

    /// None when the network does not exist, or its address or MAC is held by another.
    pub fn add_endpoint(&mut self, config: EndpointConfig) -> Option<EndpointId> {
        self.switch.add_endpoint(config)
    }

    /// Ends every flow of the endpoint: far ends see a reset.
    pub fn remove_endpoint<I: Io>(&mut self, io: &mut I, id: EndpointId, now: Instant) {
        self.end_flows(io, id, now);
        let published: Vec<_> =
            self.bindings.iter().filter(|(_, binding)| binding.endpoint == id).map(|(id, _)| id).collect();
        for binding in published {
            self.close_binding(io, binding);
        }
        self.fragments.forget_endpoint(id);
        self.queues.remove(id);
        self.half_open.remove(id);
        self.time_wait.remove(id);
        self.pool.forget(id);
        self.switch.remove_endpoint(id);
    }

    /// The guest behind an endpoint is another now, or its device is: its flows cannot go on.
    pub fn end_flows<I: Io>(&mut self, io: &mut I, id: EndpointId, now: Instant) {
        let flows: Vec<_> = self.flows.ids().filter(|(_, key)| key.endpoint == id).map(|(id, _)| id).collect();
        for flow in flows {
            self.with_tcp(io, flow, now, |tcp, cx| tcp.abort(cx, Close::Reset));
            self.remove_flow(io, flow);
        }
    }

    /// Replaces what the endpoint may reach on the host's loopback; flows that stand go on.
    pub fn set_host_access(&mut self, id: EndpointId, access: HostAccess) {
        if let Some(endpoint) = self.switch.endpoint_mut(id) {
            endpoint.config.host_access = access;
        }
    }

    #[must_use]
    pub fn drops(&self) -> &DropCounters {
        &self.drops
    }

    /// For what ends outside of the core: the fault injector, a device that is gone.
    pub fn count_drop(&mut self, reason: DropReason) {
        self.drops.count(reason);
    }

    #[must_use]
    pub fn flow_count(&self) -> usize {
        self.flows.len()
    }

    /// Bounds what all flows together hold, and those of each guest; without this call, by the core's own constants.
    pub fn set_memory_limit(&mut self, bytes: usize, per_guest: usize) {
        self.pool.set_limit(bytes, per_guest);
    }

    /// Memory held for all flows' bytes.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.pool.held()
    }

    #[must_use]
    pub fn endpoint_stats(&self, id: EndpointId) -> Option<EndpointStats> {
        self.switch.endpoint(id).map(|endpoint| endpoint.stats)
    }

    /// Flows of each kind: TCP, UDP, echo.
    #[must_use]
    pub fn flow_kinds(&self) -> [usize; 3] {
        let mut kinds = [0; 3];
        for (key, _) in self.flows.iter() {
            kinds[key.protocol as usize] += 1;
        }
        kinds
    }

    /// When [`Stack::on_timeout`] is to be called next, if nothing else happens.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        [self.timers.next(), self.fragments.deadline()].into_iter().flatten().min()
    }

    /// Whether [`Stack::flush`] left work behind for the next round.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.turns.has_work()
    }

    /// Runs every deadline that has passed, and flushes: a turn in which something is due needs no other [`Stack::flush`].
    pub fn on_timeout<I: Io>(&mut self, io: &mut I, now: Instant) {
        if self.fragments.deadline().is_some_and(|at| at <= now) {
            for _ in 0..self.fragments.expire(now) {
                self.drops.count(DropReason::FragmentTimeout);
            }
        }
        while let Some((at, id)) = self.timers.pop_due(now) {
            let Some((_, flow)) = self.flows.get_mut(id) else { continue };
            let filed = match flow {
                Flow::Tcp(tcp) => &mut tcp.filed,
                Flow::Datagram(flow) => &mut flow.filed,
            };
            if *filed != Some(at) {
                continue;
            }
            *filed = None;
            match flow {
                Flow::Tcp(_) => {
                    self.with_tcp(io, id, now, TcpFlow::on_timer);
                    self.mark_dirty(id);
                }
                Flow::Datagram(flow) if flow.expires <= now => self.remove_flow(io, id),
                Flow::Datagram(_) => self.file_timer(id),
            }
        }
        self.flush(io, now);
        let Self { timers, flows, .. } = self;
        timers.tidy(flows.len(), |id| match flows.get(id) {
            Some((_, Flow::Tcp(tcp))) => tcp.filed,
            Some((_, Flow::Datagram(flow))) => flow.filed,
            None => None,
        });
    }

    /// Files the flow's deadline, unless an entry that is early enough stands in the queue.
    fn file_timer(&mut self, id: FlowId) {
        let Some((_, flow)) = self.flows.get_mut(id) else { return };
        let (deadline, filed) = match flow {
            Flow::Tcp(tcp) => (tcp.deadline(), &mut tcp.filed),
            Flow::Datagram(flow) => (Some(flow.expires), &mut flow.filed),
        };
        if let Some(deadline) = deadline
            && filed.is_none_or(|at| deadline < at)
        {
            *filed = Some(deadline);
            self.timers.file(deadline, id);
        }
    }

    /// The caller has made room.
    fn add_flow(&mut self, key: FlowKey, make: impl FnOnce(FlowId) -> Flow) -> Option<FlowId> {
        let id = self.flows.insert(key, make);
        if id.is_some()
            && let Some(endpoint) = self.switch.endpoint_mut(key.endpoint)
        {
            endpoint.stats.flows += 1;
        }
        id
    }

    fn remove_flow<I: Io>(&mut self, io: &mut I, id: FlowId) {
        let Some((key, flow)) = self.flows.remove(id) else { return };
        if let Some(endpoint) = self.switch.endpoint_mut(key.endpoint) {
            endpoint.stats.flows = endpoint.stats.flows.saturating_sub(1);
        }
        if let Flow::Datagram(flow) = flow {
            self.unbind(io, &flow);
        }
    }

    fn link<D: Device>(&self, device: &D, id: EndpointId) -> Option<Link> {
        self.switch.link(id, device.capabilities(id))
    }
}

const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<Stack>();
};
