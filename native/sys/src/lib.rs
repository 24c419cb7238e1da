//! The system calls of unet: the only crate with hand-written unsafe code.
//!
//! One file a family of calls. Everything offered here is safe to call: what the kernel demands is either checked here or made
//! impossible by the types (descriptors are `OwnedFd`/`BorrowedFd`, names are length-checked, buffers carry their length).
//! Policy has no place here: a function does one step and gives the kernel's errno back as `std::io::Error`.

pub mod capability;
pub mod counting_allocator;
pub mod datagram;
pub mod datagram_batch;
pub mod event;
pub mod execute;
pub mod fdpass;
pub mod fork;
pub mod lease;
pub mod lock;
pub mod mount;
pub mod namespace;
pub mod netlink;
pub mod peer;
pub mod pidfd;
pub mod signal;
pub mod stream;
pub mod tap_create;
pub mod tap_io;
pub mod terminal;
pub mod wait;
pub mod watch;
