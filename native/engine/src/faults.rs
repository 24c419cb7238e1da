//! Bad links on purpose, around the real TAPs: where they stand, and when they let frames go.
//!
//! What a bad link does is in [`unet_core::fault`]. Here are three places for one: behind a guest's TAP (its egress), before it
//! (ingress), and between two guests, where the switch asks ([`unet_core::Device::forward`]). A frame from one guest to another goes
//! through all three, as far as they exist, in the order of its way.
//!
//! A link exists from the moment something is asked of it until nothing is and all that it held has gone on. When there is
//! none at all, the path of frames has one look at an empty `Option` for each frame towards a guest (and each read for one), and at an
//! empty table for each batch from one; no clock is read for it, and the loop's sleep is as it was.

use crate::clock::Clock;
use crate::error::EngineError;
use crate::limits::FAULT_BUDGET;
use crate::run::Loop;
use slotmap::SecondaryMap;
use std::collections::HashMap;
use unet_core::fault::{BadLink, Counts, FaultSpec};
use unet_core::wire::vnet::Vnet;
use unet_core::{DropReason, EndpointId, Instant};

/// Both directions of an endpoint (or of a pair: from the first to the second, and back).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FaultsSpec {
    /// From the guest.
    pub egress: FaultSpec,
    /// Towards it.
    pub ingress: FaultSpec,
}

/// The links that frames towards guests meet.
#[derive(Debug)]
pub(crate) struct TowardsGuests {
    clock: Clock,
    ingress: SecondaryMap<EndpointId, BadLink>,
    between: HashMap<(EndpointId, EndpointId), BadLink>,
}

/// A link, and the time for it.
pub(crate) struct Timed<'a> {
    link: &'a mut BadLink,
    now: Instant,
}

impl Timed<'_> {
    pub(crate) fn offer(self, vnet: &Vnet, header: &[u8], payload: &[u8]) -> bool {
        self.link.offer(self.now, vnet, header, payload)
    }
}

impl TowardsGuests {
    fn new(clock: Clock) -> Self {
        Self { clock, ingress: SecondaryMap::new(), between: HashMap::new() }
    }

    pub(crate) fn towards(&mut self, endpoint: EndpointId) -> Option<Timed<'_>> {
        let link = self.ingress.get_mut(endpoint)?;
        Some(Timed { link, now: self.clock.now() })
    }

    pub(crate) fn room(&self, endpoint: EndpointId) -> usize {
        self.ingress.get(endpoint).map_or(usize::MAX, |link| link.room(self.clock.now()))
    }

    /// The first link on the way from one guest to another: theirs, or the receiver's own.
    pub(crate) fn between(&mut self, from: EndpointId, to: EndpointId) -> Option<Timed<'_>> {
        let link = self.between.get_mut(&(from, to)).or_else(|| self.ingress.get_mut(to))?;
        Some(Timed { link, now: self.clock.now() })
    }

    fn links(&self) -> impl Iterator<Item = &BadLink> {
        self.ingress.values().chain(self.between.values())
    }

    fn is_empty(&self) -> bool {
        self.ingress.is_empty() && self.between.is_empty()
    }
}

impl Loop {
    /// What an endpoint's own link does from now on.
    pub(crate) fn set_faults(&mut self, name: &str, spec: &FaultsSpec) -> Result<(), EngineError> {
        let endpoint = self.endpoints.get_mut(name).ok_or(EngineError::NotFound("endpoint"))?;
        let id = endpoint.id;
        let (now, seed) = (self.clock.now(), self.seed(id));
        match self.faults_from_guests.get_mut(id) {
            Some(link) => link.change(spec.egress, now),
            None if spec.egress.is_none() => {}
            None => {
                self.faults_from_guests.insert(id, BadLink::new(spec.egress, seed));
            }
        }
        if spec.ingress.is_none() && self.ports.faults.is_none() {
            return Ok(());
        }
        let ingress = &mut self.ports.faults.get_or_insert_with(|| Box::new(TowardsGuests::new(self.clock))).ingress;
        match ingress.get_mut(id) {
            Some(link) => link.change(spec.ingress, now),
            None if spec.ingress.is_none() => {}
            None => {
                ingress.insert(id, BadLink::new(spec.ingress, seed.rotate_left(32)));
            }
        }
        Ok(())
    }

    /// What the way between two endpoints does from now on: `egress` from `a` to `b`, `ingress` back.
    pub(crate) fn set_faults_between(&mut self, a: &str, b: &str, spec: &FaultsSpec) -> Result<(), EngineError> {
        let find = |name: &str| self.endpoints.get(name).map(|found| found.id).ok_or(EngineError::NotFound("endpoint"));
        let (a, b) = (find(a)?, find(b)?);
        if a == b {
            return Err(EngineError::Invalid("faults: between an endpoint and itself"));
        }
        let now = self.clock.now();
        for (from, to, spec) in [(a, b, spec.egress), (b, a, spec.ingress)] {
            let seed = self.seed(from) ^ self.seed(to).rotate_left(32);
            if spec.is_none() && self.ports.faults.is_none() {
                continue;
            }
            let faults = self.ports.faults.get_or_insert_with(|| Box::new(TowardsGuests::new(self.clock)));
            match faults.between.get_mut(&(from, to)) {
                Some(link) => link.change(spec, now),
                None if spec.is_none() => {}
                None => {
                    faults.between.insert((from, to), BadLink::new(spec, seed));
                }
            }
        }
        Ok(())
    }

    /// What links hold of an endpoint that leaves is lost with them.
    pub(crate) fn forget_faults(&mut self, endpoint: EndpointId) {
        self.faults_from_guests.remove(endpoint);
        let Some(faults) = &mut self.ports.faults else { return };
        faults.ingress.remove(endpoint);
        faults.between.retain(|&(from, to), _| from != endpoint && to != endpoint);
        if faults.is_empty() {
            self.ports.faults = None;
        }
    }

    /// The frame in the batch, read from the TAP of an endpoint whose egress has faults.
    pub(crate) fn take_through_faults(&mut self, endpoint: EndpointId, has_header: bool) {
        let Some(link) = self.faults_from_guests.get_mut(endpoint) else { return };
        let Some(bytes) = self.batch.frames().next() else { return };
        let (vnet, frame) = match Vnet::split(has_header, bytes) {
            Ok(parts) => parts,
            Err(reason) => return self.stack.count_drop(reason),
        };
        // When it was read, not when the batch began: reading a batch takes a part of a short delay.
        link.offer(self.clock.now(), &vnet, frame, &[]);
    }

    /// Frames from guests whose time has come go to the stack.
    pub(crate) fn release_from_guests(&mut self) {
        if self.faults_from_guests.is_empty() {
            return;
        }
        let now = self.clock.now();
        let mut counts = Counts::default();
        self.faults_from_guests.retain(|endpoint, link| {
            link.release(now, FAULT_BUDGET, |vnet, frame| {
                self.stack.on_frame(&mut self.ports, endpoint, vnet, frame, now);
            });
            add(&mut counts, link);
            !link.is_idle()
        });
        self.count_faults(counts);
    }

    /// Frames to guests whose time has come go to their TAPs.
    pub(crate) fn release_towards_guests(&mut self) {
        // Out of the ports for a moment, as the frames go into them.
        let Some(mut faults) = self.ports.faults.take() else { return };
        let now = self.clock.now();
        let mut counts = Counts::default();
        let TowardsGuests { ingress, between, .. } = &mut *faults;
        between.retain(|&(_, to), link| {
            link.release(now, FAULT_BUDGET, |vnet, frame| {
                match ingress.get_mut(to) {
                    Some(next) => next.offer(now, vnet, frame, &[]),
                    None => self.ports.write(to, vnet, frame, &[]),
                };
            });
            add(&mut counts, link);
            !link.is_idle()
        });
        ingress.retain(|endpoint, link| {
            link.release(now, FAULT_BUDGET, |vnet, frame| {
                self.ports.write(endpoint, vnet, frame, &[]);
            });
            add(&mut counts, link);
            !link.is_idle()
        });
        if !faults.is_empty() {
            self.ports.faults = Some(faults);
        }
        self.count_faults(counts);
    }

    /// When the next frame may leave a bad link.
    pub(crate) fn next_release(&self) -> Option<Instant> {
        let towards = self.ports.faults.iter().flat_map(|faults| faults.links());
        self.faults_from_guests.values().chain(towards).filter_map(BadLink::next_due).min()
    }

    fn count_faults(&mut self, Counts { lost, refused }: Counts) {
        for (count, reason) in [(lost, DropReason::FaultInjected), (refused, DropReason::FaultQueueFull)] {
            for _ in 0..count {
                self.stack.count_drop(reason);
            }
        }
    }

    fn seed(&self, endpoint: EndpointId) -> u64 {
        let address = self.endpoints.values().find(|found| found.id == endpoint).map(|found| found.address);
        self.clock.now().as_micros() ^ address.map_or(0, |address| u64::from(u32::from(address)))
    }
}

fn add(counts: &mut Counts, link: &mut BadLink) {
    let more = link.take_counts();
    counts.lost += more.lost;
    counts.refused += more.refused;
}
