//! Bytes in order out of frames that came together, on their way to the flow's socket in one call.
//!
//! A frame's send wakes the program at the far end, and each such wake-up costs about as much as a copy of the frame. So bytes that
//! follow each other are not sent one by one but when the batch of frames ends, or something else than more of them comes. They stay
//! where the device put them; nothing is copied. The flow counts them as received at once (`Inbox::next`), so the next segment is
//! judged as always, but nothing acknowledges them before they have been handed over.

use crate::flow::FlowId;
use std::io::IoSlice;

/// Segments gathered at most. A batch of super-frames is less, one of plain frames may be handed over in two calls.
pub(crate) const MAX_GATHERED: usize = 64;

#[derive(Debug)]
pub(crate) struct Gather<'a> {
    flow: Option<FlowId>,
    slices: [IoSlice<'a>; MAX_GATHERED],
    count: usize,
    bytes: usize,
}

impl Default for Gather<'_> {
    fn default() -> Self {
        Self { flow: None, slices: [IoSlice::new(&[]); MAX_GATHERED], count: 0, bytes: 0 }
    }
}

impl<'a> Gather<'a> {
    /// Whose bytes these are; None when there are none.
    pub(crate) fn flow(&self) -> Option<FlowId> {
        self.flow
    }

    pub(crate) fn has_place(&self) -> bool {
        self.count < MAX_GATHERED
    }

    /// The caller has handed over another flow's bytes and looked for a place.
    pub(crate) fn push(&mut self, flow: FlowId, payload: &'a [u8]) {
        debug_assert!(self.flow.is_none_or(|other| other == flow), "one flow at a time");
        let Some(slot) = self.slices.get_mut(self.count) else { return };
        *slot = IoSlice::new(payload);
        self.flow = Some(flow);
        self.count += 1;
        self.bytes += payload.len();
    }

    /// Everything, and how many bytes it is. Nothing is left.
    pub(crate) fn take(&mut self) -> (&[IoSlice<'a>], usize) {
        let taken = (&self.slices[..self.count], self.bytes);
        (self.flow, self.count, self.bytes) = (None, 0, 0);
        taken
    }
}
