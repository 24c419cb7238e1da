//! A global allocator that counts what each thread does, for tests of what a path costs. A test binary that wants it says
//! `#[global_allocator] static COUNTING: Counting = Counting;`

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

#[derive(Debug)]
pub struct Counting;

/// Allocations that this thread has made so far.
pub fn calls() -> u64 {
    CALLS.get()
}

/// Bytes that this thread has allocated and not given back.
pub fn live() -> i64 {
    LIVE.get()
}

fn note(calls: u64, bytes: i64) {
    CALLS.set(CALLS.get() + calls);
    LIVE.set(LIVE.get() + bytes);
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

// SAFETY: every call goes to the system's allocator unchanged. The counters beside it are constants at first and have no
// destructor, so touching them neither allocates nor fails, at whatever time of a thread's life.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, signed(layout.size()));
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, signed(layout.size()));
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, -signed(layout.size()));
        // SAFETY: `pointer` came from this allocator, so from the system's, with this `layout`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(1, signed(size) - signed(layout.size()));
        // SAFETY: as above, and the caller's promises about `size` are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
