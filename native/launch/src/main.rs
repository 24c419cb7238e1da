//! `unet-launch`: enters the namespaces and runs the command.
//!
//! A program of its own, because the kernel refuses to move a process with threads (Node is one) into a user namespace. It has one
//! thread, always. `unet-launch run --spec-fd N` reads what to run from a descriptor (`spec.rs`); `supervisor.rs` is the process
//! that stays, `inside.rs` the way in, `init.rs` the guest's PID 1, `execute.rs` the last step before the command.

#![forbid(unsafe_code)]

mod base64;
mod channel;
mod clock;
mod detach;
mod doctor;
mod etc_files;
mod execute;
mod exit_status;
mod failure;
mod foreground;
mod forwarding;
mod handoff;
mod init;
mod inside;
mod log_pump;
mod messages;
mod mounts;
mod network;
mod refusal;
mod say;
mod spec;
mod stdio;
mod supervisor;

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::process::ExitCode;

use failure::{Failure, Result, Step};
use spec::Spec;
use unet_sys::execute::Inherited;

const USAGE: &str = "usage: unet-launch run --spec-fd N | unet-launch doctor | unet-launch --version";

fn main() -> ExitCode {
    // A bug of ours must not look like a status of the command's.
    let status = std::panic::catch_unwind(work).unwrap_or(failure::OWN_ERROR);
    // Every status made here is between 0 and 255.
    ExitCode::from(status as u8)
}

fn work() -> i32 {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    let status = match words.as_slice() {
        ["run", "--spec-fd", number] => run(number),
        ["doctor"] => doctor::report().map(|answer| print(&answer)),
        ["--version"] => Ok(print(concat!("unet-launch ", env!("CARGO_PKG_VERSION")))),
        _ => Err(Failure::own(USAGE)),
    };
    status.unwrap_or_else(|failure| {
        say::error(&failure.message);
        failure.exit_code
    })
}

#[allow(clippy::print_stdout, reason = "it is the answer to a question on the command line")]
fn print(answer: &str) -> i32 {
    println!("{answer}");
    0
}

fn run(number: &str) -> Result<i32> {
    let spec = read_spec(number)?;
    if spec.detach {
        return detach::start(&spec).map(|()| 0);
    }
    Ok(foreground::run(&spec))
}

fn read_spec(number: &str) -> Result<Spec> {
    let number = number.parse().map_err(|_| Failure::own(USAGE))?;
    let source = Inherited::take(Some(number)).step(format_args!("cannot read the spec from descriptor {number}"))?;
    let source = source.ok_or_else(|| Failure::own(USAGE))?;
    let mut bytes = Vec::new();
    File::from(source).take(spec::MAX_SPEC + 1).read_to_end(&mut bytes).step("cannot read the spec")?;
    if bytes.len() as u64 > spec::MAX_SPEC {
        return Err(Failure::own("the command's arguments and environment are too long"));
    }
    Spec::parse(&bytes)
}
