//! The flow table: a slot map that owns the entries, and a hash table from key to slot.
//!
//! The guest chooses most of a key, so the hash is keyed (SipHash-1-3): without the key nobody can make collisions on
//! purpose. The number of flows is bounded by the stack's configuration; a full table refuses, it never evicts.

use super::{FlowId, FlowKey};
use hashbrown::HashTable;
use siphasher::sip::SipHasher13;
use slotmap::SlotMap;
use std::hash::{Hash, Hasher};

#[derive(Debug)]
pub(crate) struct FlowTable<F> {
    slots: SlotMap<FlowId, (FlowKey, F)>,
    index: HashTable<FlowId>,
    hash_key: [u8; 16],
    limit: usize,
}

fn hash(hash_key: &[u8; 16], key: &FlowKey) -> u64 {
    let mut hasher = SipHasher13::new_with_key(hash_key);
    key.hash(&mut hasher);
    hasher.finish()
}

impl<F> FlowTable<F> {
    pub(crate) fn new(hash_key: [u8; 16], limit: usize) -> Self {
        Self { slots: SlotMap::with_key(), index: HashTable::new(), hash_key, limit }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.slots.len() >= self.limit
    }

    pub(crate) fn find(&self, key: &FlowKey) -> Option<FlowId> {
        self.index.find(hash(&self.hash_key, key), |&id| self.slots[id].0 == *key).copied()
    }

    /// None when the table is full or the key is taken.
    pub(crate) fn insert(&mut self, key: FlowKey, make: impl FnOnce(FlowId) -> F) -> Option<FlowId> {
        if self.is_full() || self.find(&key).is_some() {
            return None;
        }
        let id = self.slots.insert_with_key(|id| (key, make(id)));
        let Self { slots, index, hash_key, .. } = self;
        index.insert_unique(hash(hash_key, &key), id, |&id| hash(hash_key, &slots[id].0));
        Some(id)
    }

    pub(crate) fn get(&self, id: FlowId) -> Option<&(FlowKey, F)> {
        self.slots.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: FlowId) -> Option<&mut (FlowKey, F)> {
        self.slots.get_mut(id)
    }

    pub(crate) fn remove(&mut self, id: FlowId) -> Option<(FlowKey, F)> {
        let key = self.slots.get(id)?.0;
        if let Ok(entry) = self.index.find_entry(hash(&self.hash_key, &key), |&other| other == id) {
            entry.remove();
        }
        self.slots.remove(id)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = (FlowId, &FlowKey)> + '_ {
        self.slots.iter().map(|(id, (key, _))| (id, key))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&FlowKey, &F)> + '_ {
        self.slots.values().map(|(key, flow)| (key, flow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Protocol;
    use crate::switch::EndpointId;
    use std::net::Ipv4Addr;

    fn key(port: u16) -> FlowKey {
        FlowKey {
            endpoint: EndpointId::default(),
            protocol: Protocol::Tcp,
            guest_port: port,
            remote: Ipv4Addr::LOCALHOST,
            remote_port: 80,
        }
    }

    #[test]
    fn finds_what_it_holds_and_refuses_when_full() {
        let mut table = FlowTable::new([7; 16], 1000);
        let ids: Vec<_> = (0..1000).map(|port| table.insert(key(port), |_| port).unwrap()).collect();
        assert_eq!(table.insert(key(1000), |_| 0), None, "full");
        for (port, &id) in (0u16..).zip(&ids) {
            assert_eq!(table.find(&key(port)), Some(id));
        }
        for &id in &ids[..500] {
            table.remove(id).unwrap();
        }
        assert_eq!(table.len(), 500);
        assert_eq!(table.find(&key(3)), None);
        assert_eq!(table.find(&key(700)), Some(ids[700]));
        assert!(table.get(ids[3]).is_none(), "an old id finds nothing");
        let again = table.insert(key(3), |_| 3).unwrap();
        assert_ne!(again, ids[3], "a reused slot has another generation");
        assert_eq!(table.insert(key(3), |_| 3), None, "taken");
    }
}
