//! Networks and endpoints by the names that the owner gave them, from "expected" to "attached" to gone.

use crate::error::EngineError;
use crate::faults::FaultsSpec;
use crate::handoff::Device;
use crate::ports::{LauncherId, ListenerId};
use crate::run::Loop;
use crate::tap::Tap;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use unet_core::switch::{EndpointConfig, HostAccess, NetworkConfig};
use unet_core::wire::ethernet::Mac;
use unet_core::{BindingId, Capabilities, EndpointId, NetworkId};
use unet_sys::event::Interest;
use unet_sys::tap_io;

/// Smallest MTU that IPv4 asks of a link (RFC 791), and the largest that a TAP takes with 64 KiB frames behind.
pub(crate) const MTU_RANGE: std::ops::RangeInclusive<u16> = 68..=65_520;
/// Prefixes with room for a gateway and one endpoint.
const PREFIX_RANGE: std::ops::RangeInclusive<u8> = 1..=30;

/// A network to add.
#[derive(Clone, Debug)]
pub struct NetworkSpec {
    pub id: String,
    pub subnet: Ipv4Addr,
    pub prefix: u8,
    pub gateway: Ipv4Addr,
    pub gateway_mac: [u8; 6],
    pub mtu: u16,
}

/// An endpoint to expect: whoever shows the ticket may hand over its TAP.
#[derive(Clone, Debug)]
pub struct EndpointSpec {
    pub id: String,
    pub network: String,
    pub ticket: String,
    pub address: Ipv4Addr,
    pub mac: [u8; 6],
    pub mtu: u16,
    pub host_access: HostAccess,
    pub faults: FaultsSpec,
}

/// What the engine knows of one endpoint.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) id: EndpointId,
    pub(crate) network: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) ticket: String,
    pub(crate) launcher: Option<LauncherId>,
    pub(crate) listeners: Vec<ListenerId>,
    pub(crate) bindings: Vec<(crate::publish::PublishSpec, BindingId)>,
}

impl Loop {
    pub(crate) fn add_network(&mut self, spec: NetworkSpec) -> Result<(), EngineError> {
        if self.networks.contains_key(&spec.id) {
            return Err(EngineError::Exists("network"));
        }
        if !MTU_RANGE.contains(&spec.mtu) {
            return Err(EngineError::Invalid("mtu: 68 to 65520"));
        }
        if !PREFIX_RANGE.contains(&spec.prefix) {
            return Err(EngineError::Invalid("prefix length: 1 to 30"));
        }
        let id = self.stack.add_network(NetworkConfig {
            subnet: spec.subnet,
            prefix: spec.prefix,
            gateway: spec.gateway,
            gateway_mac: Mac(spec.gateway_mac),
            mtu: spec.mtu,
        });
        self.networks.insert(spec.id, id);
        Ok(())
    }

    pub(crate) fn remove_network(&mut self, id: &str) -> Result<(), EngineError> {
        if self.endpoints.values().any(|endpoint| endpoint.network == id) {
            return Err(EngineError::Invalid("request: the network has endpoints"));
        }
        let id: NetworkId = self.networks.remove(id).ok_or(EngineError::NotFound("network"))?;
        self.stack.remove_network(id);
        Ok(())
    }

    pub(crate) fn expect_endpoint(&mut self, spec: EndpointSpec) -> Result<(), EngineError> {
        if self.endpoints.contains_key(&spec.id) {
            return Err(EngineError::Exists("endpoint"));
        }
        if !MTU_RANGE.contains(&spec.mtu) {
            return Err(EngineError::Invalid("mtu: 68 to 65520"));
        }
        if spec.ticket.is_empty() {
            return Err(EngineError::Invalid("ticket"));
        }
        let network = *self.networks.get(&spec.network).ok_or(EngineError::NotFound("network"))?;
        let config = EndpointConfig {
            network,
            address: spec.address,
            mac: Mac(spec.mac),
            mtu: spec.mtu,
            host_access: spec.host_access,
        };
        let id = self.stack.add_endpoint(config).ok_or(EngineError::Exists("address or mac"))?;
        self.names.insert(id, spec.id.as_str().into());
        self.endpoints.insert(
            spec.id.clone(),
            Endpoint {
                id,
                network: spec.network,
                address: spec.address,
                ticket: spec.ticket,
                launcher: None,
                listeners: Vec::new(),
                bindings: Vec::new(),
            },
        );
        self.set_faults(&spec.id, &spec.faults)
    }

    /// Takes everything of an endpoint back. Asking twice is no error.
    pub(crate) fn drop_endpoint(&mut self, name: &str) {
        let Some(endpoint) = self.endpoints.remove(name) else { return };
        for listener in endpoint.listeners {
            self.close_listener(listener);
        }
        for (_, binding) in endpoint.bindings {
            self.stack.unpublish_udp(&mut self.ports, binding);
        }
        if let Some(launcher) = endpoint.launcher {
            self.close_launcher(launcher);
        }
        self.stack.remove_endpoint(&mut self.ports, endpoint.id, self.clock.now());
        for stream in self.ports.dns.forget_endpoint(endpoint.id) {
            self.ports.close_dns_stream(stream);
        }
        self.events.dns(|seam| seam.forget(endpoint.id));
        self.ports.remove_tap(endpoint.id);
        self.forget_faults(endpoint.id);
        self.names.remove(endpoint.id);
    }

    /// Puts a TAP behind an endpoint; one that stood there before is let go, and its flows with it.
    pub(crate) fn attach(&mut self, name: &str, fd: OwnedFd, device: Device) -> Result<&'static str, EngineError> {
        let endpoint = self.endpoints.get(name).ok_or(EngineError::NotFound("endpoint"))?;
        let id = endpoint.id;
        tap_io::set_nonblocking(fd.as_fd())?;
        self.detach(id);
        let capabilities = Capabilities {
            vnet: device.vnet_header,
            tso4: device.vnet_header && device.csum && device.tso4,
            tso6: device.vnet_header && device.csum && device.tso6,
            uso: device.vnet_header && device.csum && device.uso,
        };
        let tap = Tap::new(fd, capabilities);
        let name = tap.device_name();
        let source = self.ports.watch(tap.fd(), crate::ports::Source::Tap(id), Interest::Read)?;
        self.ports.taps.insert(id, (tap, source));
        Ok(name)
    }

    /// Lets go of an endpoint's TAP and flows; the endpoint itself stays expected.
    pub(crate) fn detach(&mut self, id: EndpointId) {
        if self.ports.taps.contains_key(id) {
            self.stack.end_flows(&mut self.ports, id, self.clock.now());
            self.ports.remove_tap(id);
        }
    }
}
