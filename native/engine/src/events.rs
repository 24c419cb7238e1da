//! What the loop tells its owner: a bounded queue, and one call that says "there is something".

use crate::limits::MAX_EVENTS;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The endpoint it happened to.
    pub endpoint: Option<String>,
    pub kind: EventKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A launcher handed over the endpoint's TAP. `running`: its command runs already (the launcher came back).
    Attached { pid: u32, running: bool, device: &'static str },
    /// The command runs.
    Started { pid: u32 },
    /// The command could not be run.
    Failed { message: String, exit_code: i32 },
    /// The command ended.
    Exited { exit_code: i32, signal: Option<i32> },
    /// The launcher is gone, and the guest with it.
    Detached,
    /// A DNS question.
    Dns { query: u64, tcp: bool, message: Vec<u8> },
    /// So many events found no room.
    Overflow { lost: u64 },
    /// The loop has ended by a panic.
    Fatal { message: String },
}

/// The queue between the loop and its owner.
pub(crate) struct EventQueue {
    events: Mutex<Queue>,
    /// The owner has been told and has not drained yet.
    told: AtomicBool,
    tell: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Event>,
    lost: u64,
}

impl std::fmt::Debug for EventQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventQueue").finish_non_exhaustive()
    }
}

impl EventQueue {
    pub(crate) fn new(tell: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { events: Mutex::default(), told: AtomicBool::new(false), tell }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic elsewhere leaves the queue as it was: every change to it is one push or one pop.
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, endpoint: Option<&str>, kind: EventKind) {
        let event = Event { endpoint: endpoint.map(str::to_owned), kind };
        {
            let mut queue = self.lock();
            let vital = !matches!(event.kind, EventKind::Dns { .. });
            // A guest's questions must not push out what the owner has to know: they may fill half.
            let room = if vital { MAX_EVENTS } else { MAX_EVENTS / 2 };
            if queue.waiting.len() >= room {
                queue.lost += 1;
            } else {
                queue.waiting.push_back(event);
            }
        }
        if !self.told.swap(true, Ordering::AcqRel) {
            (self.tell)();
        }
    }

    /// Up to `max` events. The owner calls until it gets none.
    pub(crate) fn drain(&self, max: usize) -> Vec<Event> {
        self.told.store(false, Ordering::Release);
        let mut queue = self.lock();
        let count = queue.waiting.len().min(max);
        let mut events: Vec<_> = queue.waiting.drain(..count).collect();
        let lost = std::mem::take(&mut queue.lost);
        if lost > 0 {
            events.push(Event { endpoint: None, kind: EventKind::Overflow { lost } });
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn tells_once_until_drained_and_counts_what_is_lost() {
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        let queue = EventQueue::new(Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        }));
        for _ in 0..MAX_EVENTS + 5 {
            queue.push(Some("a"), EventKind::Detached);
        }
        assert_eq!(told.load(Ordering::Relaxed), 1);
        let first = queue.drain(10);
        assert_eq!(first.len(), 11);
        assert_eq!(first[10].kind, EventKind::Overflow { lost: 5 });
        queue.push(None, EventKind::Dns { query: 1, tcp: false, message: vec![] });
        assert_eq!(told.load(Ordering::Relaxed), 2);
        let rest = queue.drain(usize::MAX);
        assert_eq!(rest.len(), MAX_EVENTS - 10 + 1);
        let last = rest.last().map(|event| &event.kind);
        assert_eq!(last, Some(&EventKind::Overflow { lost: 1 }), "questions may fill half of the queue only");
    }
}
