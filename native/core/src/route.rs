//! Where a new flow goes. Every translation of an address is decided here and stored in the flow; nowhere else does an
//! address turn into another.

use crate::policy::{self, Verdict};
use crate::switch::{Endpoint, EndpointId, Network, Switch};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

/// The well-known port of DNS.
pub const DNS_PORT: u16 = 53;

/// The way out for a flow that a guest opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The DNS service on the gateway's address.
    Dns,
    /// An ordinary host socket to this address (a loopback address where host access translates the gateway's).
    Host(SocketAddr),
    /// The gateway's address, a port without a service: refused as a closed port is.
    ClosedPort,
    /// An address of the guest's own subnet that nobody holds, or of a network it is not on.
    Unreachable,
    /// Closed by policy.
    Prohibited,
}

/// The destination of a TCP or UDP flow from a guest, `port` 0 for ICMP.
pub(crate) fn egress(switch: &Switch, id: EndpointId, to: Ipv4Addr, port: u16) -> Route {
    let Some((endpoint, network)) = switch.resolve(id) else { return Route::Unreachable };
    if to == network.config.gateway {
        return gateway(endpoint, port);
    }
    if network.contains(to) || switch.held_by_another(to, endpoint.config.network) {
        return Route::Unreachable;
    }
    match policy::egress(to) {
        Verdict::Allow => Route::Host(SocketAddr::V4(SocketAddrV4::new(to, port))),
        Verdict::Deny => Route::Prohibited,
    }
}

fn gateway(endpoint: &Endpoint, port: u16) -> Route {
    if port == DNS_PORT {
        Route::Dns
    } else if endpoint.config.host_access.allows(port) {
        Route::Host(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)))
    } else {
        Route::ClosedPort
    }
}

/// The address under which a guest sees a peer of the host: its own, except that the host's loopback, and whoever has an
/// address of the guest's own subnet (which the guest would look for on its link), stand as the gateway.
pub(crate) fn visible(network: &Network, peer: SocketAddr) -> SocketAddrV4 {
    let address = match peer.ip() {
        IpAddr::V4(v4) => v4,
        // Until IPv6 is served, a mapped address is its IPv4 self and any other caller stands as the gateway.
        IpAddr::V6(v6) => v6.to_ipv4_mapped().unwrap_or(Ipv4Addr::LOCALHOST),
    };
    let translated = address.is_loopback() || address.is_unspecified() || network.contains(address);
    SocketAddrV4::new(if translated { network.config.gateway } else { address }, peer.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::{EndpointConfig, HostAccess, NetworkConfig};
    use crate::wire::ethernet::Mac;

    fn fixture(host_access: HostAccess) -> (Switch, EndpointId) {
        let mut switch = Switch::default();
        let net = |third: u8| NetworkConfig {
            subnet: Ipv4Addr::new(172, third, 0, 0),
            prefix: 16,
            gateway: Ipv4Addr::new(172, third, 0, 1),
            gateway_mac: Mac([2, 0, 0, 0, third, 1]),
            mtu: 1500,
        };
        let network = switch.add_network(net(17));
        switch.add_network(net(18));
        let id = switch
            .add_endpoint(EndpointConfig {
                network,
                address: Ipv4Addr::new(172, 17, 0, 2),
                mac: Mac([2, 0, 0, 0, 0, 2]),
                mtu: 1500,
                host_access,
            })
            .unwrap();
        (switch, id)
    }

    #[test]
    fn every_kind_of_destination() {
        let (switch, id) = fixture(HostAccess::Ports(vec![5432]));
        let go = |to: &str, port| egress(&switch, id, to.parse().unwrap(), port);
        assert_eq!(go("172.17.0.1", 53), Route::Dns);
        assert_eq!(go("172.17.0.1", 5432), Route::Host("127.0.0.1:5432".parse().unwrap()));
        assert_eq!(go("172.17.0.1", 5433), Route::ClosedPort);
        assert_eq!(go("172.17.9.9", 80), Route::Unreachable);
        assert_eq!(go("172.18.0.2", 80), Route::Unreachable, "another network");
        assert_eq!(go("127.0.0.1", 5432), Route::Prohibited);
        assert_eq!(go("169.254.169.254", 80), Route::Prohibited);
        assert_eq!(go("192.0.2.7", 80), Route::Host("192.0.2.7:80".parse().unwrap()));
    }

    #[test]
    fn callers_keep_their_address_unless_the_guest_could_not_answer_it() {
        let (switch, id) = fixture(HostAccess::None);
        let (_, network) = switch.resolve(id).unwrap();
        let seen = |peer: &str| visible(network, peer.parse().unwrap()).to_string();
        assert_eq!(seen("203.0.113.9:4000"), "203.0.113.9:4000");
        assert_eq!(seen("127.0.0.1:4000"), "172.17.0.1:4000");
        assert_eq!(seen("172.17.3.3:4000"), "172.17.0.1:4000");
        assert_eq!(seen("[::ffff:203.0.113.9]:4000"), "203.0.113.9:4000");
        assert_eq!(seen("[::1]:4000"), "172.17.0.1:4000");
    }
}
