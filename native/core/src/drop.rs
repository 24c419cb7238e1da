//! Why a frame or a flow ended here. These counters are the only record of bad input: nothing on the packet path logs.

macro_rules! drop_reasons {
    ($($(#[doc = $doc:expr])+ $variant:ident => $name:literal,)+) => {
        /// A reason, with a stable snake_case name for people and metrics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub enum DropReason { $($(#[doc = $doc])+ $variant,)+ }

        impl DropReason {
            /// Every reason, in the order of the counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name shown in snapshots.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

drop_reasons! {
    /// Shorter than its Ethernet header.
    EthernetTruncated => "ethernet_truncated",
    /// An EtherType that nobody here speaks (IPv6 included until it is served).
    EtherTypeUnknown => "ethertype_unknown",
    /// A source MAC that is not the endpoint's.
    SourceMacSpoofed => "source_mac_spoofed",
    /// A source address that is not the endpoint's.
    SourceAddressSpoofed => "source_address_spoofed",
    /// Addressed to a MAC that no endpoint of the network has.
    DestinationMacUnknown => "destination_mac_unknown",
    /// ARP that is not Ethernet/IPv4, truncated, or of an unknown operation.
    ArpMalformed => "arp_malformed",
    /// An IPv4 header that is truncated, of a bad version, length or header length.
    Ipv4Malformed => "ipv4_malformed",
    /// The IPv4 header's checksum is wrong.
    Ipv4Checksum => "ipv4_checksum",
    /// An IP protocol other than TCP, UDP and ICMP.
    ProtocolUnknown => "protocol_unknown",
    /// A TCP header that is truncated, or whose options or flags make no sense.
    TcpMalformed => "tcp_malformed",
    /// The TCP checksum is wrong.
    TcpChecksum => "tcp_checksum",
    /// A UDP header whose length field does not fit.
    UdpMalformed => "udp_malformed",
    /// The UDP checksum is wrong.
    UdpChecksum => "udp_checksum",
    /// A truncated ICMP message.
    IcmpMalformed => "icmp_malformed",
    /// The ICMP checksum is wrong.
    IcmpChecksum => "icmp_checksum",
    /// An ICMP message that is not an echo request.
    IcmpUnhandled => "icmp_unhandled",
    /// A virtio-net header that does not describe the frame behind it.
    VnetMalformed => "vnet_malformed",
    /// A fragment with an impossible offset or length, or overlapping another.
    FragmentMalformed => "fragment_malformed",
    /// Fragments of a datagram that was never completed.
    FragmentTimeout => "fragment_timeout",
    /// No memory is set aside for another datagram in fragments.
    FragmentLimit => "fragment_limit",
    /// A destination that policy closes (host loopback, link-local, multicast and the like).
    PolicyDenied => "policy_denied",
    /// A multicast or broadcast datagram with no listener on the network's gateway.
    MulticastUnhandled => "multicast_unhandled",
    /// An address inside the subnet that no endpoint holds.
    HostUnreachable => "host_unreachable",
    /// A port of the gateway that offers no service.
    GatewayPortClosed => "gateway_port_closed",
    /// The flow table is full.
    FlowTableFull => "flow_table_full",
    /// The guest has used up its share of the flow table with connections.
    FlowShareUsed => "flow_share_used",
    /// A guest's oldest datagram flow, ended to make room for its newest.
    FlowEvicted => "flow_evicted",
    /// A guest's oldest connection that was not established, ended to make room for its newest.
    HalfOpenEvicted => "half_open_evicted",
    /// The host refused a socket (descriptors or memory used up).
    UplinkExhausted => "uplink_exhausted",
    /// The host does not let its users open ping sockets (`net.ipv4.ping_group_range`).
    PingNotPermitted => "ping_not_permitted",
    /// A datagram that the host's socket refused or had no room for.
    DatagramNotSent => "datagram_not_sent",
    /// A datagram from an address that the guest never wrote to.
    DatagramUnsolicited => "datagram_unsolicited",
    /// A datagram too large for IPv4.
    DatagramTooLarge => "datagram_too_large",
    /// A segment of no known connection; answered with RST.
    TcpNoFlow => "tcp_no_flow",
    /// A segment outside of the window, or otherwise not acceptable (RFC 9293 §3.10.7.4); answered with ACK.
    TcpUnacceptable => "tcp_unacceptable",
    /// A RST or SYN that asks for proof first (RFC 5961).
    TcpChallenged => "tcp_challenged",
    /// Out-of-order data beyond what is kept for one connection.
    TcpReorderLimit => "tcp_reorder_limit",
    /// Data that was not kept because all flows together hold as much as they may.
    TcpMemory => "tcp_memory",
    /// Sent to the DNS service, and no question: too short, too long, or an answer.
    DnsNotAQuestion => "dns_not_a_question",
    /// A DNS question of a guest that has as many under way as it may.
    DnsShareUsed => "dns_share_used",
    /// A DNS question while those of all guests were as many as there may be.
    DnsFull => "dns_full",
    /// A DNS question that the daemon did not answer in time.
    DnsUnanswered => "dns_unanswered",
    /// A guest's oldest idle connection to the DNS service, ended to make room for its newest.
    DnsStreamEvicted => "dns_stream_evicted",
    /// A connection to the DNS service of a guest that has as many as it may, and none idle.
    DnsStreamRefused => "dns_stream_refused",
    /// A connection to the DNS service whose client does not read its answers.
    DnsAnswersUnread => "dns_answers_unread",
    /// A datagram from a guest's DNS server that answers nothing that it was asked.
    DnsReplyUnexpected => "dns_reply_unexpected",
    /// The TAP did not take a frame.
    DeviceRefused => "device_refused",
    /// An endpoint that has left.
    EndpointGone => "endpoint_gone",
    /// Dropped on purpose by the fault injector.
    FaultInjected => "fault_injected",
    /// More than what a delayed or slowed link holds (tail drop).
    FaultQueueFull => "fault_queue_full",
}

/// One counter a reason.
#[derive(Clone, Debug)]
pub struct DropCounters([u64; DropReason::ALL.len()]);

impl Default for DropCounters {
    fn default() -> Self {
        Self([0; DropReason::ALL.len()])
    }
}

impl DropCounters {
    pub fn count(&mut self, reason: DropReason) {
        self.0[reason as usize] += 1;
    }

    /// Adds what another part counted by itself.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|reason| self.0[reason] + other.0[reason]))
    }

    #[must_use]
    pub fn get(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// Every counter with its name, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        DropReason::ALL.iter().map(|&reason| (reason.name(), self.get(reason)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_counts_under_its_own_name() {
        let mut counters = DropCounters::default();
        counters.count(DropReason::FaultInjected);
        counters.count(DropReason::FaultInjected);
        counters.count(DropReason::EthernetTruncated);
        let seen: Vec<_> = counters.iter().filter(|&(_, n)| n > 0).collect();
        assert_eq!(seen, [("ethernet_truncated", 1), ("fault_injected", 2)]);
    }
}
