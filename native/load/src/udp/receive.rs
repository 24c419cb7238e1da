//! `udp-receive`: the same receiver for every path, made so that it is not the narrow place: the largest buffer that the machine
//! allows, many datagrams a call, and joined ones (UDP_GRO) where the path delivers them so.

use std::io::{BufReader, IoSliceMut, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, recvmmsg, setsockopt, sockopt};

use super::tally::Tally;
use super::{HEADER, MAX_DATAGRAM, hear};
use crate::args::Args;
use crate::failure::{Context, Result};
use crate::{output, patience, sockets};

/// Asked for; the kernel gives as much of it as `net.core.rmem_max` allows.
const RECEIVE_BUFFER: usize = 16 << 20;
/// Receives of one call, each of as much as UDP_GRO joins.
const BATCH: usize = 32;
const JOINED: usize = 65_536;
/// Nothing for so long: all that was under way has arrived, or never will.
const QUIET: Duration = Duration::from_millis(200);
/// Somebody else's datagrams cannot keep a run open.
const DRAIN: Duration = Duration::from_secs(3);

type Shared = Arc<Mutex<Tally>>;

pub(crate) fn serve(args: &mut Args) -> Result<()> {
    let address = args.address()?;
    args.end()?;
    let listener = sockets::listener(address)?;
    let socket = UdpSocket::bind(address).context(|| format!("cannot receive on {address}"))?;
    setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
    setsockopt(&socket, sockopt::UdpGroSegment, &true)?;
    patience::end_with_input();
    let tally = Shared::default();
    let receiving = Arc::clone(&tally);
    thread::spawn(move || {
        if let Err(error) = receive(&socket, &receiving) {
            output::complain(&format!("cannot receive: {error}"));
            std::process::exit(1);
        }
    });
    output::ready()?;
    loop {
        let (stream, _) = listener.accept()?;
        // One run at a time, and a sender that went away does not matter to the next.
        if let Err(error) = attend(stream, &tally) {
            output::complain(&error.to_string());
        }
    }
}

fn attend(stream: TcpStream, tally: &Shared) -> Result<()> {
    let mut to = stream.try_clone()?;
    let mut from = BufReader::new(stream);
    let line = hear(&mut from)?;
    let (run, size) = parse_start(&line).ok_or_else(|| format!("'{line}' is no start of a run"))?;
    *lock(tally) = Tally::new(run, size);
    writeln!(to, "go")?;
    hear(&mut from)?;
    drain(tally);
    let counts = lock(tally).counts();
    *lock(tally) = Tally::default();
    Ok(writeln!(to, "{}", serde_json::to_string(&counts)?)?)
}

fn parse_start(line: &str) -> Option<(u64, usize)> {
    let (run, size) = line.strip_prefix("start ")?.split_once(' ')?;
    let (run, size) = (run.parse().ok()?, size.parse().ok()?);
    (HEADER..=MAX_DATAGRAM).contains(&size).then_some((run, size))
}

fn drain(tally: &Shared) {
    let end = Instant::now() + DRAIN;
    let mut quiet_since = Instant::now();
    while Instant::now() < end {
        thread::sleep(QUIET / 4);
        quiet_since = lock(tally).last().map_or(quiet_since, |last| last.max(quiet_since));
        if quiet_since.elapsed() > QUIET {
            return;
        }
    }
}

fn receive(socket: &UdpSocket, tally: &Shared) -> std::io::Result<()> {
    let mut memory = vec![0; BATCH * JOINED];
    loop {
        // Anew for each call: the kernel writes the length of what it had to say into the header, and the next call
        // would have no room for more.
        let mut headers = MultiHeaders::<()>::preallocate(BATCH, Some(nix::cmsg_space!(i32)));
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            memory.chunks_mut(JOINED).map(|chunk| [IoSliceMut::new(chunk)]).collect();
        let messages = match recvmmsg(socket.as_raw_fd(), &mut headers, &mut slices, MsgFlags::MSG_WAITFORONE, None) {
            Err(Errno::EINTR) => continue,
            other => other?,
        };
        let now = Instant::now();
        let mut tally = lock(tally);
        for message in messages {
            let segment = message.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::UdpGroSegments(size) => usize::try_from(size).ok(),
                _ => None,
            });
            for data in message.iovs() {
                tally.add(data, segment, now);
            }
        }
    }
}

fn lock(tally: &Shared) -> MutexGuard<'_, Tally> {
    // Nothing in a tally can be half done.
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::parse_start;

    #[test]
    fn a_start_names_run_and_size() {
        assert_eq!(parse_start("start 12 1200"), Some((12, 1200)));
        for wrong in ["start 12", "start 12 8", "start 12 70000", "start x 100", "stop 12 100", ""] {
            assert_eq!(parse_start(wrong), None, "{wrong}");
        }
    }
}
