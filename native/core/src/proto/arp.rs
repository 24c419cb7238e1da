//! ARP for the gateway's address (RFC 826). Guests' own addresses are answered by the guests: their requests are flooded.

use crate::device::Device;
use crate::switch::{EndpointId, Network};
use crate::wire::arp::{Arp, Operation};
use crate::wire::ethernet::{ETHERTYPE_ARP, Ethernet};
use crate::wire::vnet::Vnet;

/// Answers a request for the gateway. False when it asks for somebody else.
pub(crate) fn answer<D: Device>(device: &mut D, endpoint: EndpointId, network: &Network, request: &Arp) -> bool {
    if request.operation != Operation::Request || request.target != network.config.gateway {
        return false;
    }
    let mac = network.config.gateway_mac;
    let reply = Arp {
        operation: Operation::Reply,
        sender_mac: mac,
        sender: network.config.gateway,
        target_mac: request.sender_mac,
        target: request.sender,
    };
    let header = Ethernet { destination: request.sender_mac, source: mac, ethertype: ETHERTYPE_ARP }.emit();
    device.transmit(endpoint, &Vnet::default(), &header, &reply.emit());
    true
}
