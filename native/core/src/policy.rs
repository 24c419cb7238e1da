//! May this flow exist? Ordered rules, the first that matches decides; what no rule names is allowed.
//!
//! What stands here today is what is closed for everybody: destinations that mean "this very machine" or "this very link"
//! to the host, and must not be reached by a guest merely because the host's kernel would route them.

use std::net::Ipv4Addr;

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allow,
    Deny,
}

struct Rule {
    network: Ipv4Addr,
    prefix: u8,
    verdict: Verdict,
}

const fn deny(network: Ipv4Addr, prefix: u8) -> Rule {
    Rule { network, prefix, verdict: Verdict::Deny }
}

/// Destinations closed by default (docker-style names in brackets; IANA's special-purpose registry, RFC 6890).
const SPECIAL_DESTINATIONS: &[Rule] = &[
    deny(Ipv4Addr::new(0, 0, 0, 0), 8), // "this host": connect() to it reaches the host's loopback
    deny(Ipv4Addr::new(127, 0, 0, 0), 8), // the host's loopback (--host-access opens ports of it by the gateway)
    deny(Ipv4Addr::new(169, 254, 0, 0), 16), // link-local, cloud metadata among them
    deny(Ipv4Addr::new(224, 0, 0, 0), 4), // multicast
    deny(Ipv4Addr::new(240, 0, 0, 0), 4), // reserved, limited broadcast
];

/// The verdict on a new flow from a guest to an address outside of its network.
#[must_use]
pub fn egress(destination: Ipv4Addr) -> Verdict {
    let address = u32::from(destination);
    SPECIAL_DESTINATIONS
        .iter()
        .find(|rule| (address ^ u32::from(rule.network)) >> (32 - u32::from(rule.prefix)) == 0)
        .map_or(Verdict::Allow, |rule| rule.verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_destinations_are_closed_and_their_neighbours_are_not() {
        for closed in
            ["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "169.254.169.254", "224.0.0.251", "255.255.255.255"]
        {
            assert_eq!(egress(closed.parse().unwrap()), Verdict::Deny, "{closed}");
        }
        for open in
            ["1.0.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "10.0.0.1", "223.255.255.255"]
        {
            assert_eq!(egress(open.parse().unwrap()), Verdict::Allow, "{open}");
        }
    }
}
