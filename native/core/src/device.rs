//! Towards the guests: layer 2.

use crate::switch::EndpointId;
use crate::wire::vnet::Vnet;

/// What one guest's device can take from us. A device without any still works: segments are then cut, and checksums
/// computed, by [`crate::proto::segment`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Frames carry a virtio-net header, so checksums may be left partial.
    pub vnet: bool,
    /// Super-frames of TCP over IPv4.
    pub tso4: bool,
    /// Super-frames of TCP over IPv6.
    pub tso6: bool,
    /// Super-frames of UDP (`VIRTIO_NET_HDR_GSO_UDP_L4`).
    pub uso: bool,
}

/// Frames towards guests. Implemented by the engine's TAPs and by [`crate::testing`].
pub trait Device {
    /// What the endpoint's device offers; all false for one that is gone.
    fn capabilities(&self, endpoint: EndpointId) -> Capabilities;

    /// Hands one frame to a guest: `header` followed by `payload`, described by `vnet` (ignored by devices without).
    /// False when the device did not take it; TCP will send it again, datagrams are lost as on any wire.
    fn transmit(&mut self, endpoint: EndpointId, vnet: &Vnet, header: &[u8], payload: &[u8]) -> bool;

    /// Bytes that are worth reading for a guest now, more than any frame unless something slow stands before it. A sender that asks keeps
    /// the rest where it is, rather than finding frames refused.
    fn room(&self, endpoint: EndpointId) -> usize {
        let _ = endpoint;
        usize::MAX
    }

    /// As [`Device::transmit`], for a frame that one guest wrote and another gets. A device that makes faults between two guests
    /// makes them here; for all others there is no difference.
    fn forward(&mut self, from: EndpointId, to: EndpointId, vnet: &Vnet, header: &[u8], payload: &[u8]) -> bool {
        let _ = from;
        self.transmit(to, vnet, header, payload)
    }
}
