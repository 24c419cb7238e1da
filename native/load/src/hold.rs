//! Many connections that do nothing: `hold-client` opens them, keeps them until its standard input ends, and then sees whether each
//! still carries a byte there and back.
//!
//! A connection counts as open when a byte has gone both ways: some stacks take a connection before they know whether there
//! is a server.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};
use serde::Serialize;

use crate::args::Args;
use crate::exchange::Exchange;
use crate::failure::Result;
use crate::sockets::Errors;
use crate::{limits, output, patience};

const MAX_FLOWS: u64 = 60_000;
/// Connections under way at once: a burst that servers' backlogs take.
const AT_ONCE: usize = 256;
/// Without any progress for so long, what is missing stays missing.
const STALL: Duration = Duration::from_secs(10);
const EVENTS: usize = 256;
const TURN_MS: u8 = 100;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Opened {
    flows: usize,
    open: usize,
    seconds: f64,
    per_second: f64,
    errors: u64,
    first_error: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    alive: usize,
    held_seconds: f64,
    errors: u64,
    first_error: Option<String>,
}

pub(crate) fn run(args: &mut Args) -> Result<()> {
    let address = args.address()?;
    let flows = args.number("--flows", MAX_FLOWS, None)?;
    let wait = args.flag("--wait");
    args.end()?;
    limits::need_descriptors(flows)?;
    if wait {
        output::ready()?;
        io::stdin().read_line(&mut String::new())?;
    }
    let mut flows = Flows::new(address, flows as usize)?;
    let start = Instant::now();
    flows.open()?;
    let seconds = start.elapsed().as_secs_f64();
    let open = flows.answered;
    let per_second = open as f64 / seconds;
    let errors = std::mem::take(&mut flows.errors);
    output::json(&Opened {
        flows: flows.places.len(),
        open,
        seconds,
        per_second,
        errors: errors.count,
        first_error: errors.first,
    })?;

    let since = Instant::now();
    patience::wait_for_end_of_input();
    let held_seconds = since.elapsed().as_secs_f64();
    flows.ask_again()?;
    let Errors { count, first } = flows.errors;
    output::json(&Kept { alive: flows.answered, held_seconds, errors: count, first_error: first })
}

struct Flow {
    exchange: Exchange,
    answered: bool,
}

struct Flows {
    address: SocketAddr,
    epoll: Epoll,
    /// None: not begun yet, or failed.
    places: Vec<Option<Flow>>,
    /// Asked and not yet answered, or still connecting.
    under_way: usize,
    answered: usize,
    errors: Errors,
}

impl Flows {
    fn new(address: SocketAddr, count: usize) -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let places = (0..count).map(|_| None).collect();
        Ok(Self { address, epoll, places, under_way: 0, answered: 0, errors: Errors::default() })
    }

    fn open(&mut self) -> Result<()> {
        let mut next = 0;
        let mut progress = Instant::now();
        while (next < self.places.len() || self.under_way > 0) && progress.elapsed() < STALL {
            while next < self.places.len() && self.under_way < AT_ONCE {
                self.begin(next);
                next += 1;
            }
            if self.turn()? {
                progress = Instant::now();
            }
        }
        Ok(())
    }

    fn begin(&mut self, place: usize) {
        match Exchange::begin(&self.epoll, self.address, true, place as u64) {
            Ok(exchange) => {
                self.places[place] = Some(Flow { exchange, answered: false });
                self.under_way += 1;
            }
            Err(error) => self.errors.add(error),
        }
    }

    /// A byte on each connection that was open, and its answer.
    fn ask_again(&mut self) -> Result<()> {
        (self.answered, self.under_way) = (0, 0);
        for place in &mut self.places {
            let Some(flow) = place else { continue };
            flow.answered = false;
            match flow.exchange.ask() {
                Ok(()) => self.under_way += 1,
                Err(error) => {
                    self.errors.add(error);
                    *place = None;
                }
            }
        }
        let mut progress = Instant::now();
        while self.under_way > 0 && progress.elapsed() < STALL {
            if self.turn()? {
                progress = Instant::now();
            }
        }
        Ok(())
    }

    /// Whether anything happened.
    fn turn(&mut self) -> Result<bool> {
        let mut events = [EpollEvent::empty(); EVENTS];
        let count = match self.epoll.wait(&mut events, EpollTimeout::from(TURN_MS)) {
            Err(Errno::EINTR) => 0,
            other => other?,
        };
        for event in &events[..count] {
            let Some(place) = self.places.get_mut(event.data() as usize) else { continue };
            let Some(flow) = place else { continue };
            match flow.exchange.advance(event.events()) {
                Ok(true) if !flow.answered => {
                    flow.answered = true;
                    self.answered += 1;
                    self.under_way -= 1;
                }
                Ok(_) => {}
                Err(error) => {
                    let counter = if flow.answered { &mut self.answered } else { &mut self.under_way };
                    *counter -= 1;
                    self.errors.add(error);
                    *place = None;
                }
            }
        }
        Ok(count > 0)
    }
}
