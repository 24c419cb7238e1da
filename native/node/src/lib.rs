//! The N-API binding of unet: it **speaks**. Every function converts its arguments, makes one call, and converts the answer;
//! nothing is decided here. `index.d.ts` is generated from this crate and committed; `src/native/` of the TypeScript side
//! is its only user.

#![deny(unsafe_code)]
// What is exported goes to JavaScript, by macros that want it public.
#![allow(unreachable_pub, missing_debug_implementations, clippy::needless_pass_by_value)]
// Registration is left out of test builds.
#![cfg_attr(test, allow(dead_code))]

mod convert;
mod events;
mod files;
mod stack;
