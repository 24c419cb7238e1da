//! A world of guests that send anything to the DNS desk, driven by a byte string: for the fuzz target and the tests. Nothing may
//! panic, no bound may be passed, whole questions must come out as they went in wherever they were split, and when the guests are gone
//! nothing may be left.

use super::asks::{Asks, Heard, Reply};
use super::frame::may_be_question;
use super::seam::{SMALLEST_ARENA, Seam, answers};
use super::{Asker, Delivery, DnsDesk};
use crate::limits::{
    DNS_STREAMS_FLOOR, MAX_DNS_BACKLOG_PER_GUEST, MAX_DNS_PENDING_PER_GUEST, MAX_DNS_QUESTION,
    MAX_DNS_STREAMS_PER_GUEST,
};
use crate::ports::DnsStreamId;
use slotmap::SlotMap;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use unet_core::testing::Script;
use unet_core::{EndpointId, Instant};
use unet_sys::stream;

const GUESTS: usize = 3;
/// Enough for a guest to feel its share of what is bounded by connections.
const MOST_CLIENTS: usize = 40;

struct Client {
    id: DnsStreamId,
    /// Its end; none after it has gone away.
    fd: Option<OwnedFd>,
    /// Bytes that it has still to write.
    unsent: VecDeque<u8>,
    /// Whole questions on their way, as long as it wrote nothing else.
    honest: Option<VecDeque<Vec<u8>>>,
}

struct World {
    desk: DnsDesk,
    seam: Seam,
    names: Arc<str>,
    guests: Vec<EndpointId>,
    clients: Vec<Client>,
    /// Questions that the daemon knows.
    asked: Vec<u64>,
    now: Instant,
}

/// Runs a script.
///
/// # Panics
/// When the desk does something wrong.
pub fn hostile(input: &[u8]) {
    let mut script = Script::new(input);
    let mut keys: SlotMap<EndpointId, ()> = SlotMap::with_key();
    let guests: Vec<_> = (0..GUESTS).map(|_| keys.insert(())).collect();
    let mut world = World {
        desk: DnsDesk::default(),
        seam: Seam::default(),
        names: "guest".into(),
        guests,
        clients: Vec::new(),
        asked: Vec::new(),
        now: Instant::ZERO,
    };
    while !script.is_over() {
        world.step(&mut script);
        world.pass_on();
        world.check();
    }
    world.end();
}

fn from() -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(172, 17, 0, 2), 5000)
}

fn question(script: &mut Script<'_>) -> Vec<u8> {
    let len = 12 + if script.one_in(8) { script.below(MAX_DNS_QUESTION - 11) } else { script.below(60) };
    let mut message = vec![script.byte(); len];
    message[2] &= 0x7f;
    message
}

impl World {
    fn step(&mut self, script: &mut Script<'_>) {
        let guest = self.guests[script.below(GUESTS)];
        match script.byte() % 13 {
            0 => {
                let len = script.below(40);
                self.desk.ask_datagram(guest, from(), script.take(len));
            }
            1 => {
                let message = question(script);
                for _ in 0..script.byte() {
                    self.desk.ask_datagram(guest, from(), &message);
                }
            }
            2 => self.connect(guest),
            3 | 4 => {
                let message = question(script);
                if let Some(client) = self.client(script) {
                    let len = u16::try_from(message.len()).unwrap_or(0);
                    client.unsent.extend(len.to_be_bytes());
                    client.unsent.extend(&message);
                    if let Some(honest) = &mut client.honest {
                        honest.push_back(message);
                    }
                }
                self.write(script);
            }
            5 => {
                let len = script.below(300);
                let garbage = script.take(len);
                if let Some(client) = self.client(script) {
                    client.honest = None;
                    client.unsent.extend(garbage);
                }
                self.write(script);
            }
            6 => self.write(script),
            7 => {
                let mut buffer = vec![0; script.below(5000) + 1];
                if let Some(client) = self.client(script) {
                    if let Some(fd) = &client.fd {
                        let _ = stream::read(fd.as_fd(), &mut buffer);
                    }
                    let id = client.id;
                    self.wake(id);
                }
            }
            8 => {
                let half = script.one_in(2);
                if let Some(client) = self.client(script) {
                    if half {
                        if let Some(fd) = &client.fd {
                            let _ = stream::finish_sending(fd.as_fd());
                        }
                    } else {
                        client.fd = None;
                    }
                    client.unsent.clear();
                    let id = client.id;
                    self.wake(id);
                }
            }
            9 | 10 => self.answer(script),
            11 => {
                self.now = self.now + Duration::from_millis(u64::from(script.word()));
                self.desk.set_now(self.now);
                for id in self.desk.sweep() {
                    self.close(id);
                }
            }
            _ => {
                let message = question(script);
                let mut reply = message.clone();
                reply[2] |= 0x80;
                let asks: &mut Asks = &mut self.desk.asks;
                let Some(port) = asks.open(guest, u64::MAX, &message, self.now) else { return };
                let noise = if script.one_in(2) { vec![7; script.below(30) + 1] } else { Vec::new() };
                if noise.is_empty() || noise == [7; 12] || noise[..noise.len().min(2)] != reply[..noise.len().min(2)] {
                    let heard = asks.hear(guest, port, &noise);
                    assert_eq!(heard, if noise.is_empty() { Heard::Answer } else { Heard::Noise });
                }
                let _ = asks.hear(guest, port, &reply);
                assert_eq!(asks.hear(guest, port, &reply), Heard::Stranger, "an answer is taken once");
            }
        }
    }

    fn client(&mut self, script: &mut Script<'_>) -> Option<&mut Client> {
        let at = script.below(self.clients.len());
        self.clients.get_mut(at)
    }

    fn connect(&mut self, guest: EndpointId) {
        if self.clients.len() >= MOST_CLIENTS {
            return;
        }
        let Ok(victim) = self.desk.make_room(guest) else { return };
        if let Some(id) = victim {
            self.close(id);
        }
        let (service, client) = stream::pair().expect("descriptors");
        let id = self.desk.add_stream(guest, service);
        let honest = Some(VecDeque::new());
        self.clients.push(Client { id, fd: Some(client), unsent: VecDeque::new(), honest });
    }

    /// Some client writes some of what it has to write.
    fn write(&mut self, script: &mut Script<'_>) {
        let len = if script.one_in(2) { usize::from(script.byte() % 8) } else { script.below(9000) };
        let Some(client) = self.client(script) else { return };
        let len = len.min(client.unsent.len());
        if let Some(fd) = &client.fd {
            let taken = stream::write(fd.as_fd(), &client.unsent.make_contiguous()[..len]).unwrap_or(0);
            client.unsent.drain(..taken);
        }
        let id = client.id;
        self.wake(id);
    }

    fn wake(&mut self, id: DnsStreamId) {
        if self.desk.on_stream(id) {
            self.close(id);
        }
    }

    fn close(&mut self, id: DnsStreamId) {
        self.desk.close_stream(id);
        // What was read before is still on its way to the daemon.
        self.pass_on();
        self.clients.retain(|client| client.id != id);
    }

    fn answer(&mut self, script: &mut Script<'_>) {
        let at = script.below(self.asked.len());
        if at >= self.asked.len() {
            return;
        }
        let query = self.asked.swap_remove(at);
        let big = script.one_in(4);
        let message = vec![0x80; if big { script.word().into() } else { script.below(600) }];
        let message = (!script.one_in(8)).then_some(message.as_slice());
        let (delivery, close) = self.desk.answer(query, message);
        assert!(message.is_some() || delivery == Delivery::Nobody);
        if let Some(id) = close {
            self.close(id);
        }
        assert_eq!(self.desk.answer(query, message), (Delivery::Nobody, None), "an answer is taken once");
    }

    /// To the daemon, through the seam.
    fn pass_on(&mut self) {
        for question in self.desk.take_questions() {
            assert!(may_be_question(&question.message));
            if let Some(Asker::Stream(id)) = self.desk.pending.get(&question.query).map(|pending| pending.asker)
                && let Some(client) = self.clients.iter_mut().find(|client| client.id == id)
                && let Some(honest) = &mut client.honest
            {
                assert_eq!(honest.pop_front().as_ref(), Some(&question.message), "as it was written");
            }
            assert!(self.seam.push(&self.names, question), "what is under way has room");
        }
        for reply in self.desk.asks.take_replies() {
            self.seam.push_reply(Reply { query: reply.query, message: reply.message });
        }
        let mut arena = vec![0; SMALLEST_ARENA];
        loop {
            let used = self.seam.drain(&mut arena, usize::MAX);
            if used == 0 {
                break;
            }
            let mut rest = &arena[..used];
            while !rest.is_empty() {
                let len = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
                let name = usize::from(u16::from_le_bytes([rest[6], rest[7]]));
                let query = u64::from_le_bytes(std::array::from_fn(|at| rest[8 + at]));
                if rest[4] < 2 {
                    assert_eq!(&rest[16..16 + name], self.names.as_bytes());
                    self.asked.push(query);
                }
                rest = &rest[16 + name + len..];
            }
        }
        // The other direction's reader sees the same bytes: it must end, whatever they are.
        assert!(answers(&arena[..1000]).count() <= 1000 / 16);
    }

    fn check(&self) {
        for (endpoint, guest) in &self.desk.guests {
            let own = |other: EndpointId| other == endpoint;
            let streams = self.desk.streams.values().filter(|stream| own(stream.endpoint));
            assert_eq!(guest.pending, self.desk.pending.values().filter(|pending| own(pending.endpoint)).count());
            assert_eq!(guest.streams, streams.clone().count());
            assert_eq!(guest.backlog, streams.map(super::DnsStream::backlog).sum::<usize>());
            assert!(guest.pending <= MAX_DNS_PENDING_PER_GUEST);
            assert!(guest.streams <= MAX_DNS_STREAMS_PER_GUEST.max(DNS_STREAMS_FLOOR));
            assert!(guest.backlog <= MAX_DNS_BACKLOG_PER_GUEST + 2 + 65_535);
        }
    }

    fn end(mut self) {
        for guest in self.guests.clone() {
            for id in self.desk.forget_endpoint(guest) {
                self.desk.close_stream(id);
            }
            self.seam.forget(guest);
        }
        self.pass_on();
        assert!(self.desk.is_idle() && self.desk.guests.is_empty());
        assert_eq!(self.desk.load(), [0, 0, 0]);
    }
}
