//! Short connections: connect, send one byte, receive one byte, close; then the next.
//!
//! One client alone does it by blocking calls, as a program would that asks one thing after another. Several run side by side in one
//! thread, each by its own place in an epoll: one process with one wake-up for many answers, so that the load stays cheaper than
//! what it loads.
//!
//! With `--reset` the client closes by RST. Without it each connection leaves a TIME_WAIT of a minute behind on the client's side, and
//! a client that has one address to connect to has used all its 28,000 ports after a few seconds: then it measures that.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};
use serde::Serialize;

use crate::args::Args;
use crate::exchange::Exchange;
use crate::failure::Result;
use crate::latency::{Latencies, Percentiles};
use crate::sockets::Errors;
use crate::{limits, output, patience, sockets};

const MAX_CLIENTS: u64 = 10_000;
/// Room for so many a second, so that nothing grows while the clock runs.
const EXPECTED_PER_SECOND: usize = 50_000;
/// A connection that is this old when the time ends was stuck, not just unfinished: a SYN that nobody took is sent again after a
/// second. In short runs half of the run is as telling.
const STUCK: Duration = Duration::from_millis(500);
/// Failing costs nothing, and trying again at once would be a loop without an end: this many in all are too many.
const MAX_ERRORS: u64 = 100_000;
/// How long a round of waiting may take, so that the end is noticed.
const TURN_MS: u8 = 50;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    clients: u64,
    reset: bool,
    connections: usize,
    seconds: f64,
    per_second: f64,
    /// From the call of connect() to the end of close().
    microseconds: Percentiles,
    errors: u64,
    first_error: Option<String>,
    /// Connections that had come to nothing for long when the time was over.
    stuck: usize,
}

struct Tally {
    address: SocketAddr,
    reset: bool,
    start: Instant,
    end: Instant,
    latencies: Latencies,
    errors: Errors,
    stuck: usize,
}

pub(crate) fn run(args: &mut Args) -> Result<()> {
    let (address, wanted) = (args.address()?, args.seconds()?);
    let clients = args.number("--clients", MAX_CLIENTS, Some(1))?;
    let reset = args.flag("--reset");
    args.end()?;
    limits::need_descriptors(clients)?;
    patience::end_when_late(wanted);
    let expected = (wanted.as_secs() as usize + 1) * EXPECTED_PER_SECOND;
    let latencies = Latencies::with_capacity(expected);
    let start = Instant::now();
    let mut tally =
        Tally { address, reset, start, end: start + wanted, latencies, errors: Errors::default(), stuck: 0 };
    if clients == 1 {
        one_after_another(&mut tally);
    } else {
        side_by_side(&mut tally, clients as usize)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let Tally { latencies, errors, stuck, .. } = tally;
    let connections = latencies.count();
    let Some(microseconds) = latencies.percentiles() else {
        let why = errors.first.unwrap_or_else(|| "no answer".into());
        return Err(format!("not one connection to {address} was finished: {why}").into());
    };
    let per_second = connections as f64 / seconds;
    let (errors, first_error) = (errors.count, errors.first);
    output::json(&Report { clients, reset, connections, seconds, per_second, microseconds, errors, first_error, stuck })
}

fn one_after_another(tally: &mut Tally) {
    let mut begun = Instant::now();
    while begun < tally.end && tally.errors.count < MAX_ERRORS {
        let result = one(tally.address, tally.reset);
        let now = Instant::now();
        match result {
            Ok(()) => tally.latencies.add(now - begun),
            Err(error) => tally.errors.add(error),
        }
        begun = now;
    }
}

fn one(address: SocketAddr, reset: bool) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    if reset {
        sockets::close_by_reset(&stream)?;
    }
    let mut byte = [b'?'];
    stream.write_all(&byte)?;
    stream.read_exact(&mut byte)
}

/// One of many.
struct Client {
    exchange: Exchange,
    begun: Instant,
}

fn side_by_side(tally: &mut Tally, clients: usize) -> Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let mut places: Vec<Option<Client>> = (0..clients).map(|_| None).collect();
    let mut events = vec![EpollEvent::empty(); clients];
    let mut empty: Vec<usize> = (0..clients).rev().collect();
    let mut now = Instant::now();
    while now < tally.end && tally.errors.count < MAX_ERRORS {
        while let Some(place) = empty.pop() {
            match begin(&epoll, tally, place) {
                Ok(client) => places[place] = Some(client),
                Err(error) => {
                    tally.errors.add(error);
                    empty.push(place);
                    break;
                }
            }
        }
        let count = match epoll.wait(&mut events, EpollTimeout::from(TURN_MS)) {
            Err(Errno::EINTR) => 0,
            other => other?,
        };
        for event in &events[..count] {
            let place = event.data() as usize;
            let Some(client) = &mut places[place] else { continue };
            let result = client.exchange.advance(event.events());
            let begun = client.begun;
            match result {
                Ok(false) => continue,
                Ok(true) => {
                    places[place] = None;
                    tally.latencies.add(begun.elapsed());
                }
                Err(error) => {
                    places[place] = None;
                    tally.errors.add(error);
                }
            }
            empty.push(place);
        }
        now = Instant::now();
    }
    let old = STUCK.min((tally.end - tally.start) / 2);
    tally.stuck = places.iter().flatten().filter(|client| now - client.begun > old).count();
    Ok(())
}

fn begin(epoll: &Epoll, tally: &Tally, place: usize) -> io::Result<Client> {
    let begun = Instant::now();
    let exchange = Exchange::begin(epoll, tally.address, tally.reset, place as u64)?;
    Ok(Client { exchange, begun })
}
