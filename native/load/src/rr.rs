//! TCP round trips: one byte there, one byte back, as fast as they come, on one connection.
//!
//! Blocking reads, as most programs do them: what is measured holds the waking up of both ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::args::Args;
use crate::failure::{Context, Result};
use crate::latency::{Latencies, Percentiles};
use crate::{output, patience, sockets};

/// Not counted: caches, the first wake-ups of a stack, and slow start do not belong to the figure.
const WARM_UP: Duration = Duration::from_millis(200);
/// Room for so many a second, so that nothing grows while the clock runs.
const EXPECTED_PER_SECOND: usize = 50_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    round_trips: usize,
    seconds: f64,
    per_second: f64,
    microseconds: Percentiles,
}

pub(crate) fn serve(args: &mut Args) -> Result<()> {
    let listener = sockets::listener(args.address()?)?;
    args.end()?;
    patience::end_with_input();
    output::ready()?;
    loop {
        let (stream, _) = listener.accept()?;
        // Whoever went away has ended his own measurement.
        thread::spawn(move || answer(stream));
    }
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut byte = [0];
    while stream.read(&mut byte)? == 1 {
        stream.write_all(&byte)?;
    }
    Ok(())
}

pub(crate) fn run(args: &mut Args) -> Result<()> {
    let (address, wanted) = (args.address()?, args.seconds()?);
    args.end()?;
    patience::end_when_late(WARM_UP + wanted);
    let mut stream = TcpStream::connect(address).context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    // One more: the one that the time ends in.
    let expected = (wanted.as_secs() as usize + 1) * EXPECTED_PER_SECOND;
    let mut latencies = Latencies::with_capacity(expected);
    let start = Instant::now() + WARM_UP;
    let end = start + wanted;
    let mut sent = Instant::now();
    while sent < end {
        round_trip(&mut stream).context(|| "the connection broke".into())?;
        let answered = Instant::now();
        if sent >= start {
            latencies.add(answered - sent);
        }
        sent = answered;
    }
    let (round_trips, seconds) = (latencies.count(), (sent - start).as_secs_f64());
    let microseconds = latencies.percentiles().ok_or("no round trip was finished in time")?;
    output::json(&Report { round_trips, seconds, per_second: round_trips as f64 / seconds, microseconds })
}

fn round_trip(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut byte = [b'?'];
    stream.write_all(&byte)?;
    stream.read_exact(&mut byte)
}
