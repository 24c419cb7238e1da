//! `udp-send`: one send() a datagram, as most programs do it, or `UDP_SEGMENT` batches, as QUIC servers do; as fast as it goes, or at
//! a rate.
//!
//! At a rate it sleeps between small bursts: what is due since the last one. It does not catch up for longer than a moment, so that a
//! sender that was not scheduled does not answer with a burst that no buffer holds; what it really sent is in the report.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::prctl;
use nix::sys::socket::{setsockopt, sockopt};
use serde::Serialize;

use super::tally::Counts;
use super::{HEADER, MAX_DATAGRAM, MAX_SEQUENCE, hear, stamp};
use crate::args::Args;
use crate::failure::{Context, Result};
use crate::sockets::Errors;
use crate::{output, patience};

const MAX_RATE: u64 = 100_000_000;
/// Segments of one send: what every kernel with `UDP_SEGMENT` takes.
const MAX_SEGMENTS: usize = 64;
/// Between two bursts, at least.
const TICK: Duration = Duration::from_micros(200);
/// The kernel may wake us so much later, in nanoseconds (by default it takes 50 µs).
const TIMER_SLACK: u64 = 1000;
/// No more than this is caught up.
const MOMENT: Duration = Duration::from_millis(5);
/// Sends between two looks at the clock, at full speed.
const CLOCK_EVERY: u64 = 32;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    size: usize,
    segment: bool,
    sent: u64,
    seconds: f64,
    sent_per_second: f64,
    delivered_per_second: f64,
    /// Of payload, delivered.
    bits_per_second: f64,
    /// Of what was sent: 0 to 1.
    loss: f64,
    send_errors: u64,
    first_error: Option<String>,
    #[serde(flatten)]
    counts: Counts,
}

pub(crate) fn run(args: &mut Args) -> Result<()> {
    let (address, wanted) = (args.address()?, args.seconds()?);
    let size = args.number("--size", MAX_DATAGRAM as u64, None)? as usize;
    let rate = match args.option("--rate")?.as_deref() {
        None | Some("max") => None,
        Some(text) => Some(parse_rate(text)?),
    };
    let segment = args.flag("--segment");
    args.end()?;
    if size < HEADER {
        return Err(format!("--size {size}: a datagram holds two numbers, so {HEADER} bytes at least").into());
    }
    patience::end_when_late(wanted);
    prctl::set_timerslack(TIMER_SLACK)?;

    let mut to = TcpStream::connect(address).context(|| format!("cannot connect to udp-receive at {address}"))?;
    let mut from = BufReader::new(to.try_clone()?);
    let run = run_number();
    to.write_all(format!("start {run} {size}\n").as_bytes())?;
    if hear(&mut from)? != "go" {
        return Err(format!("what listens at {address} is not udp-receive").into());
    }
    let mut sender = Sender::new(address, run, size, segment)?;
    let start = Instant::now();
    match rate {
        None => sender.at_full_speed(start + wanted),
        Some(rate) => sender.at_rate(rate, start, wanted),
    }
    let seconds = start.elapsed().as_secs_f64();
    to.write_all(b"end\n")?;
    let counts: Counts = serde_json::from_str(&hear(&mut from)?)?;
    output::json(&report(&sender, seconds, counts))
}

fn parse_rate(text: &str) -> Result<u64> {
    match text.parse() {
        Ok(rate) if (1..=MAX_RATE).contains(&rate) => Ok(rate),
        _ => Err(format!("--rate {text}: give datagrams a second, or max").into()),
    }
}

/// Two runs must not have the same; that it can be guessed does no harm.
fn run_number() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_nanos() as u64 ^ u64::from(std::process::id()) << 40
}

fn report(sender: &Sender, seconds: f64, counts: Counts) -> Report {
    // What still arrives after the last send belongs to the time in which it arrived.
    let interval = seconds.max(counts.arrival_seconds);
    let delivered_per_second = counts.delivered as f64 / interval;
    let sent = sender.sequence;
    Report {
        size: sender.size,
        segment: sender.per_send > 1,
        sent,
        seconds,
        sent_per_second: sent as f64 / seconds,
        delivered_per_second,
        bits_per_second: delivered_per_second * sender.size as f64 * 8.0,
        loss: loss(sent, counts.delivered),
        send_errors: sender.errors.count,
        first_error: sender.errors.first.clone(),
        counts,
    }
}

fn loss(sent: u64, delivered: u64) -> f64 {
    if sent == 0 { 0.0 } else { 1.0 - delivered.min(sent) as f64 / sent as f64 }
}

struct Sender {
    socket: UdpSocket,
    buffer: Vec<u8>,
    run: u64,
    size: usize,
    /// Datagrams of one call.
    per_send: usize,
    /// The next number; what was not sent has none.
    sequence: u64,
    errors: Errors,
}

impl Sender {
    fn new(address: SocketAddr, run: u64, size: usize, segment: bool) -> Result<Self> {
        let any: SocketAddr = if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(any)?;
        socket.connect(address)?;
        let per_send = if segment { (MAX_DATAGRAM / size).clamp(1, MAX_SEGMENTS) } else { 1 };
        if per_send > 1 {
            setsockopt(&socket, sockopt::UdpGsoSegment, &i32::try_from(size)?)
                .context(|| "this kernel has no UDP_SEGMENT".into())?;
        }
        let buffer = vec![0; size * per_send];
        Ok(Self { socket, buffer, run, size, per_send, sequence: 0, errors: Errors::default() })
    }

    fn at_full_speed(&mut self, end: Instant) {
        while Instant::now() < end && self.sequence < MAX_SEQUENCE {
            for _ in 0..CLOCK_EVERY {
                self.send();
            }
        }
    }

    fn at_rate(&mut self, rate: u64, start: Instant, wanted: Duration) {
        let most = due(rate, MOMENT).max(self.per_send as u64);
        let mut done = 0;
        loop {
            let elapsed = start.elapsed();
            if elapsed >= wanted || self.sequence >= MAX_SEQUENCE {
                return;
            }
            let due = due(rate, elapsed);
            done = done.max(due.saturating_sub(most));
            while done + self.per_send as u64 <= due {
                self.send();
                done += self.per_send as u64;
            }
            let next = Duration::from_secs_f64((done + self.per_send as u64) as f64 / rate as f64);
            thread::sleep(next.saturating_sub(start.elapsed()).max(TICK));
        }
    }

    fn send(&mut self) {
        for (n, datagram) in self.buffer.chunks_mut(self.size).enumerate() {
            stamp(datagram, self.run, self.sequence + n as u64);
        }
        match self.socket.send(&self.buffer) {
            Ok(_) => self.sequence += self.per_send as u64,
            Err(error) => self.errors.add(error),
        }
    }
}

/// How many datagrams a rate has let through by then.
fn due(rate: u64, elapsed: Duration) -> u64 {
    (rate as f64 * elapsed.as_secs_f64()) as u64
}

#[cfg(test)]
mod tests {
    use super::{due, loss, parse_rate};
    use std::time::Duration;

    #[test]
    fn loss_is_a_share_of_what_was_sent() {
        assert!((loss(1000, 999) - 0.001).abs() < 1e-12);
        assert!((loss(10, 0) - 1.0).abs() < 1e-12);
        // Nothing sent is nothing lost, and more than was sent cannot arrive.
        assert!(loss(0, 0).abs() < 1e-12);
        assert!(loss(10, 11).abs() < 1e-12);
    }

    #[test]
    fn a_rate_lets_through_what_is_due() {
        assert_eq!(due(1000, Duration::from_millis(2500)), 2500);
        assert_eq!(due(3, Duration::from_millis(300)), 0);
    }

    #[test]
    fn a_rate_is_a_number() {
        assert_eq!(parse_rate("50000").unwrap(), 50_000);
        for wrong in ["0", "-1", "fast", "1000000000"] {
            assert!(parse_rate(wrong).unwrap_err().to_string().contains(wrong));
        }
    }
}
