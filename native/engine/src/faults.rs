//! Faults on purpose around the real TAPs: what a bad link does to frames on their way, and when those that it held back go on.

use crate::ports::Ports;
use crate::run::Loop;
use unet_core::wire::vnet::Vnet;
use unet_core::{EndpointId, Instant, Stack};

impl Loop {
    /// The first `len` bytes of the frame buffer, read from the TAP of an endpoint with faults.
    pub(crate) fn take_through_faults(&mut self, endpoint: EndpointId, len: usize, now: Instant) {
        let Some((tap, _)) = self.ports.taps.get_mut(endpoint) else { return };
        let Some(bytes) = self.frame.get(..len) else { return };
        let has_header = tap.capabilities.vnet;
        let Some(faults) = &mut tap.from_guest else { return };
        let mut passed = Vec::new();
        faults.offer(bytes, |frame| passed.push(frame.to_vec()));
        for frame in passed {
            give(&mut self.stack, &mut self.ports, endpoint, has_header, &frame, now);
        }
    }

    /// Frames that the fault injectors held back go on when their link has been silent for a moment.
    pub(crate) fn release_held_frames(&mut self) {
        let holding: Vec<EndpointId> =
            self.ports.taps.iter().filter(|(_, (tap, _))| tap.holds_frames()).map(|(id, _)| id).collect();
        let now = self.clock.now();
        for endpoint in holding {
            let Some((tap, _)) = self.ports.taps.get_mut(endpoint) else { continue };
            tap.release();
            let has_header = tap.capabilities.vnet;
            let mut passed = Vec::new();
            if let Some(faults) = &mut tap.from_guest {
                faults.release(|frame| passed.push(frame.to_vec()));
            }
            for frame in passed {
                give(&mut self.stack, &mut self.ports, endpoint, has_header, &frame, now);
            }
        }
    }
}

/// One frame from a TAP to the stack.
pub(crate) fn give(
    stack: &mut Stack,
    ports: &mut Ports,
    endpoint: EndpointId,
    has_header: bool,
    bytes: &[u8],
    now: Instant,
) {
    if !has_header {
        stack.on_frame(ports, endpoint, &Vnet::default(), bytes, now);
        return;
    }
    match Vnet::parse(bytes) {
        Ok((vnet, frame)) => stack.on_frame(ports, endpoint, &vnet, frame, now),
        Err(reason) => stack.count_drop(reason),
    }
}
