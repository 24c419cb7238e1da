//! What the owner can see of the engine.

use crate::run::Loop;

/// Counters of one endpoint; rx and tx as the guest sees them.
#[derive(Clone, Debug)]
pub struct EndpointSnapshot {
    pub id: String,
    pub address: String,
    pub attached: bool,
    pub device: Option<&'static str>,
    pub rx_frames: u64,
    pub rx_bytes: u64,
    pub tx_frames: u64,
    pub tx_bytes: u64,
    pub flows: u32,
}

#[derive(Clone, Debug)]
pub struct Snapshot {
    pub endpoints: Vec<EndpointSnapshot>,
    pub counters: Vec<(&'static str, u64)>,
    /// Drop reasons that have happened.
    pub drops: Vec<(&'static str, u64)>,
    pub flows: usize,
}

impl Loop {
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut endpoints: Vec<_> = self
            .endpoints
            .iter()
            .map(|(name, endpoint)| {
                let stats = self.stack.endpoint_stats(endpoint.id).unwrap_or_default();
                let tap = self.ports.taps.get(endpoint.id).map(|(tap, _)| tap);
                EndpointSnapshot {
                    id: name.clone(),
                    address: endpoint.address.to_string(),
                    attached: tap.is_some(),
                    device: tap.map(crate::tap::Tap::device_name),
                    rx_frames: tap.map_or(0, |tap| tap.frames),
                    rx_bytes: tap.map_or(0, |tap| tap.bytes),
                    tx_frames: stats.tx_frames,
                    tx_bytes: stats.tx_bytes,
                    flows: stats.flows,
                }
            })
            .collect();
        endpoints.sort_by(|a, b| a.id.cmp(&b.id));
        let [tcp, udp, echo] = self.stack.flow_kinds().map(|n| n as u64);
        let [questions, dns_streams, dns_held] = self.ports.dns.load().map(|n| n as u64);
        let drops = self.stack.drops().plus(&self.ports.dns.drops);
        let drops = drops.iter().filter(|&(_, count)| count > 0).collect();
        Snapshot {
            endpoints,
            counters: vec![
                ("wakeups", self.wakeups),
                ("flows_tcp", tcp),
                ("flows_udp", udp),
                ("flows_echo", echo),
                ("held_bytes", self.stack.held_bytes() as u64),
                ("dns_questions", questions),
                ("dns_streams", dns_streams),
                ("dns_held_bytes", dns_held),
                ("launchers", self.launchers.len() as u64),
                ("listeners", self.listeners.len() as u64),
            ],
            drops,
            flows: self.stack.flow_count(),
        }
    }
}
