//! `unet-load`: the benchmarks' own load generator, for what no tool of the distribution measures (README.md says which and why).
//!
//! Pairs of a server and a client. A server prints `ready` when it listens and lives until its standard input ends, so that
//! whoever started it cannot leave it behind; a client ends by itself, prints one line of JSON, and is ended by force
//! when what it measures hangs ([`patience`]). Nothing here spins: two cores are shared by load, stack and kernel, and a load that
//! waits busily would be measured instead of the stack.
//!
//! The same program and the same code are used for every path, kernel loopback too, so what it costs itself is the same for all.

#![forbid(unsafe_code)]

mod args;
mod conn_client;
mod conn_server;
mod exchange;
mod failure;
mod hold;
mod latency;
mod limits;
mod output;
mod patience;
mod rr;
mod sockets;
mod udp;

use std::process::ExitCode;

use args::Args;
use failure::Result;

const USAGE: &str = "\
usage: unet-load rr-server ADDR:PORT
       unet-load rr-client ADDR:PORT --seconds N
       unet-load conn-server ADDR:PORT
       unet-load conn-client ADDR:PORT --seconds N [--clients C] [--reset]
       unet-load udp-receive ADDR:PORT
       unet-load udp-send ADDR:PORT --size BYTES --seconds N [--rate PPS|max] [--segment]
       unet-load hold-server ADDR:PORT
       unet-load hold-client ADDR:PORT --flows N [--wait]";

fn main() -> ExitCode {
    let mut args = Args::new(std::env::args().skip(1));
    match run(&mut args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(args: &mut Args) -> Result<()> {
    match args.word().as_str() {
        "rr-server" => rr::serve(args),
        "rr-client" => rr::run(args),
        // Short connections and long ones want the same of a server: a byte back for each byte, until the client closes.
        "conn-server" | "hold-server" => conn_server::serve(args),
        "conn-client" => conn_client::run(args),
        "udp-receive" => udp::receive::serve(args),
        "udp-send" => udp::send::run(args),
        "hold-client" => hold::run(args),
        _ => Err(USAGE.into()),
    }
}
