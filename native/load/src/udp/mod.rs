//! Datagrams with numbers in them, from `udp-send` to `udp-receive`.
//!
//! Sender and receiver speak about it over a TCP connection to the same address and port: `start RUN SIZE` is answered by `go`, and
//! `end` by what arrived, as JSON. So loss is told from what was really sent and really received, which a sender
//! alone cannot know, and nothing has to guess when the last datagram is there.
//!
//! A datagram begins with the number of the run and its own (8 bytes each, little-endian); the rest is zeros.

pub(crate) mod receive;
pub(crate) mod send;
mod tally;

use std::io::{BufRead, BufReader};
use std::net::TcpStream;

use crate::failure::Result;

/// The two numbers at the beginning of each datagram.
const HEADER: usize = 16;
/// What fits into an IPv4 packet.
const MAX_DATAGRAM: usize = 65_507;
/// Datagrams of one run: a bit each in the receiver.
const MAX_SEQUENCE: u64 = 1 << 28;

fn stamp(datagram: &mut [u8], run: u64, sequence: u64) {
    datagram[..8].copy_from_slice(&run.to_le_bytes());
    datagram[8..HEADER].copy_from_slice(&sequence.to_le_bytes());
}

/// The run and the number of a datagram; none where it is too short to be one of ours.
fn numbers(datagram: &[u8]) -> Option<(u64, u64)> {
    let (run, rest) = datagram.split_first_chunk()?;
    let (sequence, _) = rest.split_first_chunk()?;
    Some((u64::from_le_bytes(*run), u64::from_le_bytes(*sequence)))
}

/// The next line of the other side, without its end.
fn hear(from: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err("the other side has closed the control connection".into());
    }
    Ok(line.trim_end().into())
}
