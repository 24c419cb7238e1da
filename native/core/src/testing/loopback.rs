//! A device in memory: what guests are sent lies in a queue.

use crate::device::{Capabilities, Device};
use crate::switch::EndpointId;
use crate::wire::vnet::Vnet;
use std::collections::{HashMap, VecDeque};

/// One frame to a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub endpoint: EndpointId,
    pub vnet: Vnet,
    pub bytes: Vec<u8>,
}

/// Records frames for guests. Every endpoint has the default capabilities until it is given others.
#[derive(Debug, Default)]
pub struct Loopback {
    default: Capabilities,
    special: HashMap<EndpointId, Capabilities>,
    frames: VecDeque<Frame>,
    /// Frames to refuse before the next one is taken.
    refuse: usize,
}

/// What a TAP with a virtio-net header can take.
pub const OFFLOAD: Capabilities = Capabilities { vnet: true, tso4: true, tso6: true, uso: true };

impl Loopback {
    /// For endpoints that were not given capabilities of their own.
    pub fn set_default_capabilities(&mut self, capabilities: Capabilities) {
        self.default = capabilities;
    }

    pub fn set_capabilities(&mut self, endpoint: EndpointId, capabilities: Capabilities) {
        self.special.insert(endpoint, capabilities);
    }

    /// Refuses the next `frames` frames, as a full queue would.
    pub fn refuse(&mut self, frames: usize) {
        self.refuse = frames;
    }

    /// The oldest frame that was not taken yet.
    pub fn pop(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }

    /// All frames that were not taken yet.
    pub fn drain(&mut self) -> Vec<Frame> {
        self.frames.drain(..).collect()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

impl Device for Loopback {
    fn capabilities(&self, endpoint: EndpointId) -> Capabilities {
        self.special.get(&endpoint).copied().unwrap_or(self.default)
    }

    fn transmit(&mut self, endpoint: EndpointId, vnet: &Vnet, header: &[u8], payload: &[u8]) -> bool {
        if self.refuse > 0 {
            self.refuse -= 1;
            return false;
        }
        self.frames.push_back(Frame { endpoint, vnet: *vnet, bytes: [header, payload].concat() });
        true
    }
}
