//! What the loop tells its owner: a bounded queue of what happens to endpoints, beside it the DNS questions, and one call that says
//! "there is something" of either.

use crate::dns::seam::Seam;
use crate::limits::{MAX_EVENTS, MAX_EVENTS_PER_GUEST};
use std::collections::{HashMap, VecDeque};
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
    /// So many events found no room.
    Overflow { lost: u64 },
    /// The loop has ended by a panic.
    Fatal { message: String },
}

/// The queue between the loop and its owner.
pub(crate) struct EventQueue {
    events: Mutex<Queue>,
    dns: Mutex<Seam>,
    /// The owner has been told and has not asked for events yet.
    told: AtomicBool,
    tell: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Event>,
    /// How many of these are an endpoint's.
    shares: HashMap<String, usize>,
    lost: u64,
}

impl Queue {
    fn push(&mut self, event: Event) {
        // The end of everything is heard of in any case.
        let is_last = matches!(event.kind, EventKind::Fatal { .. });
        let own = event.endpoint.as_ref().and_then(|name| self.shares.get(name)).copied().unwrap_or(0);
        if !is_last && (self.waiting.len() >= MAX_EVENTS || own >= MAX_EVENTS_PER_GUEST) {
            self.lost += 1;
            return;
        }
        if let Some(name) = &event.endpoint {
            *self.shares.entry(name.clone()).or_default() += 1;
        }
        self.waiting.push_back(event);
    }

    fn pop(&mut self) -> Option<Event> {
        let event = self.waiting.pop_front()?;
        if let Some(name) = &event.endpoint
            && let Some(own) = self.shares.get_mut(name)
        {
            *own -= 1;
            if *own == 0 {
                self.shares.remove(name);
            }
        }
        Some(event)
    }
}

impl std::fmt::Debug for EventQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventQueue").finish_non_exhaustive()
    }
}

impl EventQueue {
    pub(crate) fn new(tell: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { events: Mutex::default(), dns: Mutex::default(), told: AtomicBool::new(false), tell }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic elsewhere leaves the queue as it was: every change to it is one push or one pop.
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, endpoint: Option<&str>, kind: EventKind) {
        self.lock().push(Event { endpoint: endpoint.map(str::to_owned), kind });
        self.tell();
    }

    fn tell(&self) {
        if !self.told.swap(true, Ordering::AcqRel) {
            (self.tell)();
        }
    }

    /// Works on what waits of the DNS service, without telling anybody.
    pub(crate) fn dns<T>(&self, work: impl FnOnce(&mut Seam) -> T) -> T {
        work(&mut self.dns.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same, and says that there is something.
    pub(crate) fn push_dns(&self, work: impl FnOnce(&mut Seam)) {
        self.dns(work);
        self.tell();
    }

    /// Up to `max` events. The owner calls until it gets none, then takes what waits of the DNS service: it is told anew of what comes
    /// after this call, of either kind.
    pub(crate) fn drain(&self, max: usize) -> Vec<Event> {
        self.told.store(false, Ordering::Release);
        let mut queue = self.lock();
        let mut events: Vec<_> = std::iter::from_fn(|| queue.pop()).take(max).collect();
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
        for _ in 0..MAX_EVENTS_PER_GUEST + 5 {
            queue.push(Some("a"), EventKind::Detached);
        }
        queue.push(Some("b"), EventKind::Started { pid: 7 });
        assert_eq!(told.load(Ordering::Relaxed), 1);
        let first = queue.drain(10);
        assert_eq!(first.len(), 11);
        assert_eq!(first[10].kind, EventKind::Overflow { lost: 5 });
        queue.push_dns(|_| {});
        assert_eq!(told.load(Ordering::Relaxed), 2);
        for _ in 0..20 {
            queue.push(Some("a"), EventKind::Detached);
        }
        let rest = queue.drain(usize::MAX);
        assert_eq!(rest.len(), MAX_EVENTS_PER_GUEST + 1 + 1);
        let others: Vec<_> = rest.iter().filter(|event| event.endpoint.as_deref() == Some("b")).collect();
        assert_eq!(others.len(), 1, "what happens to one pushes out nothing of another's");
        assert_eq!(rest.last().map(|event| &event.kind), Some(&EventKind::Overflow { lost: 10 }));
    }

    #[test]
    fn all_together_are_bounded_but_for_the_end() {
        let queue = EventQueue::new(Box::new(|| {}));
        for n in 0..=MAX_EVENTS {
            queue.push(Some(&n.to_string()), EventKind::Detached);
        }
        queue.push(None, EventKind::Fatal { message: "over".into() });
        let events = queue.drain(usize::MAX);
        let kinds: Vec<_> = events.iter().rev().take(2).map(|event| event.kind.clone()).collect();
        assert_eq!(kinds, [EventKind::Overflow { lost: 1 }, EventKind::Fatal { message: "over".into() }]);
        assert_eq!(events.len(), MAX_EVENTS + 2);
    }
}
