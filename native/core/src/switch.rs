//! Networks and the endpoints on them.
//!
//! A network is one subnet with the stack's own address on it, the gateway. Who is on it is known beforehand (an endpoint
//! is admitted with its address and MAC, both held by one container), so nothing is learned from traffic and a guest can
//! neither take another's address nor fill a table.

use crate::device::Capabilities;
use crate::wire::ethernet::Mac;
use slotmap::{SlotMap, new_key_type};
use std::collections::HashMap;
use std::net::Ipv4Addr;

new_key_type! {
    /// A network of this stack.
    pub struct NetworkId;
    /// An endpoint: one container's attachment to a network.
    pub struct EndpointId;
}

#[derive(Clone, Debug)]
pub struct NetworkConfig {
    pub subnet: Ipv4Addr,
    /// 0 to 30.
    pub prefix: u8,
    pub gateway: Ipv4Addr,
    pub gateway_mac: Mac,
    pub mtu: u16,
}

#[derive(Clone, Debug)]
pub struct EndpointConfig {
    pub network: NetworkId,
    pub address: Ipv4Addr,
    pub mac: Mac,
    /// The IP MTU of the guest's interface.
    pub mtu: u16,
    pub host_access: HostAccess,
}

/// Ports on the gateway's address that lead to the host's loopback.
#[derive(Clone, Debug, Default)]
pub enum HostAccess {
    #[default]
    None,
    Ports(Vec<u16>),
    All,
}

impl HostAccess {
    #[must_use]
    pub fn allows(&self, port: u16) -> bool {
        match self {
            Self::None => false,
            Self::Ports(ports) => ports.contains(&port),
            Self::All => true,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) config: NetworkConfig,
    by_mac: HashMap<Mac, EndpointId>,
    by_address: HashMap<Ipv4Addr, EndpointId>,
}

impl Network {
    pub(crate) fn contains(&self, address: Ipv4Addr) -> bool {
        let mask = u32::MAX.checked_shl(32 - u32::from(self.config.prefix)).unwrap_or(0);
        u32::from(address) & mask == u32::from(self.config.subnet) & mask
    }

    /// The subnet's directed broadcast address.
    pub(crate) fn broadcast(&self) -> Ipv4Addr {
        let mask = u32::MAX.checked_shl(32 - u32::from(self.config.prefix)).unwrap_or(0);
        Ipv4Addr::from(u32::from(self.config.subnet) | !mask)
    }

    pub(crate) fn by_mac(&self, mac: Mac) -> Option<EndpointId> {
        self.by_mac.get(&mac).copied()
    }

    pub(crate) fn by_address(&self, address: Ipv4Addr) -> Option<EndpointId> {
        self.by_address.get(&address).copied()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = EndpointId> + '_ {
        self.by_mac.values().copied()
    }
}

/// Frames and bytes that a guest has sent. What it got is counted where it is written: by its device.
#[derive(Clone, Copy, Debug, Default)]
pub struct EndpointStats {
    pub tx_frames: u64,
    pub tx_bytes: u64,
    pub flows: u32,
}

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) config: EndpointConfig,
    pub(crate) stats: EndpointStats,
}

/// All networks and endpoints.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    networks: SlotMap<NetworkId, Network>,
    endpoints: SlotMap<EndpointId, Endpoint>,
}

/// What a flow needs of its endpoint and network to write frames: copied into it once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) endpoint: EndpointId,
    pub(crate) guest_mac: Mac,
    pub(crate) gateway_mac: Mac,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) guest: Ipv4Addr,
    pub(crate) mtu: u16,
    pub(crate) capabilities: Capabilities,
}

impl Switch {
    pub(crate) fn add_network(&mut self, config: NetworkConfig) -> NetworkId {
        self.networks.insert(Network { config, by_mac: HashMap::new(), by_address: HashMap::new() })
    }

    pub(crate) fn remove_network(&mut self, id: NetworkId) {
        self.networks.remove(id);
    }

    pub(crate) fn network(&self, id: NetworkId) -> Option<&Network> {
        self.networks.get(id)
    }

    /// None when the address or the MAC is taken, or the network does not exist.
    pub(crate) fn add_endpoint(&mut self, config: EndpointConfig) -> Option<EndpointId> {
        let network = self.networks.get_mut(config.network)?;
        if network.by_mac.contains_key(&config.mac)
            || network.by_address.contains_key(&config.address)
            || config.address == network.config.gateway
            || config.mac == network.config.gateway_mac
        {
            return None;
        }
        let (mac, address) = (config.mac, config.address);
        let id = self.endpoints.insert(Endpoint { config, stats: EndpointStats::default() });
        network.by_mac.insert(mac, id);
        network.by_address.insert(address, id);
        Some(id)
    }

    pub(crate) fn remove_endpoint(&mut self, id: EndpointId) -> bool {
        let Some(endpoint) = self.endpoints.remove(id) else { return false };
        if let Some(network) = self.networks.get_mut(endpoint.config.network) {
            network.by_mac.remove(&endpoint.config.mac);
            network.by_address.remove(&endpoint.config.address);
        }
        true
    }

    pub(crate) fn endpoint(&self, id: EndpointId) -> Option<&Endpoint> {
        self.endpoints.get(id)
    }

    pub(crate) fn endpoint_mut(&mut self, id: EndpointId) -> Option<&mut Endpoint> {
        self.endpoints.get_mut(id)
    }

    /// An endpoint with its network.
    pub(crate) fn resolve(&self, id: EndpointId) -> Option<(&Endpoint, &Network)> {
        let endpoint = self.endpoints.get(id)?;
        Some((endpoint, self.networks.get(endpoint.config.network)?))
    }

    /// Whether any network other than `except` holds the address: networks are isolated from one another.
    pub(crate) fn held_by_another(&self, address: Ipv4Addr, except: NetworkId) -> bool {
        self.networks.iter().any(|(id, network)| id != except && network.contains(address))
    }

    pub(crate) fn link(&self, id: EndpointId, capabilities: Capabilities) -> Option<Link> {
        let (endpoint, network) = self.resolve(id)?;
        Some(Link {
            endpoint: id,
            guest_mac: endpoint.config.mac,
            gateway_mac: network.config.gateway_mac,
            gateway: network.config.gateway,
            guest: endpoint.config.address,
            mtu: endpoint.config.mtu,
            capabilities,
        })
    }
}
