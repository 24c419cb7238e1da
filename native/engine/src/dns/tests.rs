use super::*;
use crate::limits::{DNS_QUANTUM, MAX_DNS_PER_STREAM};
use seam::{SMALLEST_ARENA, Seam};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use unet_sys::stream as socket;

const FROM: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(172, 17, 0, 2), 5000);

fn guests<const N: usize>() -> [EndpointId; N] {
    let mut keys: SlotMap<EndpointId, ()> = SlotMap::with_key();
    std::array::from_fn(|_| keys.insert(()))
}

fn desk() -> (DnsDesk, DnsStreamId, OwnedFd) {
    let (client, service) = socket::pair().unwrap();
    let mut desk = DnsDesk::default();
    let id = desk.add_stream(guests::<1>()[0], service);
    (desk, id, client)
}

fn question(tag: u8) -> Vec<u8> {
    vec![tag & 0x7f; 12]
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

#[test]
fn messages_split_anywhere_and_answers_in_any_order() {
    let (mut desk, id, client) = desk();
    let wanted = [question(1), question(2), question(3)];
    for byte in wanted.iter().flat_map(|message| framed(message)) {
        socket::write(client.as_fd(), &[byte]).unwrap();
        assert!(!desk.on_stream(id));
    }
    let questions = desk.take_questions();
    assert!(questions.iter().map(|question| &question.message).eq(&wanted));
    assert!(questions.iter().all(|question| question.tcp));
    for question in questions.iter().rev() {
        assert_eq!(desk.answer(question.query, Some(b"ok")).1, None);
    }
    let mut answer = [0; 64];
    assert_eq!(socket::read(client.as_fd(), &mut answer).unwrap(), 12);
    assert_eq!(&answer[..12], b"\0\x02ok\0\x02ok\0\x02ok");
    socket::finish_sending(client.as_fd()).unwrap();
    assert!(desk.on_stream(id), "closed when all is answered");
}

#[test]
fn one_connection_cannot_have_more_than_its_share_under_way() {
    let (mut desk, id, client) = desk();
    let wire = framed(&question(1)).repeat(MAX_DNS_PER_STREAM + 10);
    socket::write(client.as_fd(), &wire).unwrap();
    assert!(!desk.on_stream(id));
    let first = desk.take_questions();
    assert_eq!(first.len(), MAX_DNS_PER_STREAM);
    assert_eq!(desk.answer(first[0].query, Some(b"y")).1, None);
    assert_eq!(desk.take_questions().len(), 1, "an answer makes room for one more");
}

#[test]
fn silent_connections_and_lost_questions_are_swept() {
    let (mut desk, id, client) = desk();
    socket::write(client.as_fd(), &[&framed(&question(1))[..], &[0]].concat()).unwrap();
    assert!(!desk.on_stream(id));
    assert_eq!(desk.sweep(), []);
    desk.set_now(Instant::ZERO + DNS_PATIENCE + DNS_PATIENCE);
    assert_eq!(desk.sweep(), [id]);
    assert_eq!(desk.drops.get(DropReason::DnsUnanswered), 1);
    assert_eq!(desk.answer(1, Some(b"late")).0, Delivery::Nobody);
}

#[test]
fn a_client_that_drips_bytes_is_idle() {
    let (mut desk, id, client) = desk();
    let wire = framed(&question(1));
    for (n, byte) in (1..).zip(&wire[..11]) {
        desk.set_now(Instant::ZERO + std::time::Duration::from_secs(n));
        socket::write(client.as_fd(), &[*byte]).unwrap();
        assert!(!desk.on_stream(id));
    }
    assert_eq!(desk.sweep(), [id]);
}

#[test]
fn what_is_no_question_ends_a_connection_and_is_counted() {
    let mut answer = question(1);
    answer[2] |= 0x80;
    for wrong in
        [framed(b""), framed(b"too short"), framed(&answer), b"\xff\xff".to_vec(), b"GET / HTTP/1.1\r\n".to_vec()]
    {
        let (mut desk, id, client) = desk();
        socket::write(client.as_fd(), &[framed(&question(1)), wrong].concat()).unwrap();
        assert!(desk.on_stream(id));
        assert_eq!(desk.drops.get(DropReason::DnsNotAQuestion), 1);
        assert_eq!(desk.take_questions().len(), 1, "what came before it was one");
    }
    let (mut desk, ..) = desk();
    let [guest] = guests();
    for wrong in [&b""[..], b"too short", &answer, &[1; 4097]] {
        desk.ask_datagram(guest, FROM, wrong);
    }
    assert_eq!((desk.take_questions().len(), desk.drops.get(DropReason::DnsNotAQuestion)), (0, 4));
}

#[test]
fn a_client_that_never_reads_is_not_heard_and_then_closed() {
    let (mut desk, id, client) = desk();
    let big = vec![1; 60_000];
    // Answers fill the socket; from then on nothing more is read from it.
    let mut answered = 0;
    let closed = loop {
        let _ = socket::write(client.as_fd(), &framed(&question(1)));
        if desk.on_stream(id) {
            break true;
        }
        let questions = desk.take_questions();
        if questions.is_empty() {
            break false;
        }
        for question in questions {
            answered += 1;
            assert_eq!(desk.answer(question.query, Some(&big)).1, None);
        }
        assert!(answered < 100);
    };
    assert!(!closed, "an answer waits, and the client is not heard");
    assert!(desk.load()[2] < 70_000);
    desk.set_now(Instant::ZERO + DNS_PATIENCE + DNS_PATIENCE);
    assert_eq!(desk.sweep(), [id]);
}

#[test]
fn questions_asked_ahead_without_reading_end_the_connection() {
    let (mut desk, id, client) = desk();
    socket::write(client.as_fd(), &framed(&question(1)).repeat(MAX_DNS_PER_STREAM)).unwrap();
    assert!(!desk.on_stream(id));
    let big = vec![1; 60_000];
    let closed = desk.take_questions().iter().find_map(|question| desk.answer(question.query, Some(&big)).1);
    assert_eq!(closed, Some(id));
    assert_eq!(desk.drops.get(DropReason::DnsAnswersUnread), 1);
    assert!(desk.load()[2] <= crate::limits::MAX_DNS_BACKLOG + 2 + big.len());
    desk.close_stream(id);
    assert_eq!(desk.load()[2], 0);
}

#[test]
fn a_guest_has_a_share_of_the_questions_and_a_floor() {
    let mut desk = DnsDesk::default();
    let [quiet, first, second, third, fourth, fifth] = guests();
    let flood = |desk: &mut DnsDesk, guest| {
        for _ in 0..MAX_DNS_PENDING_PER_GUEST + 10 {
            desk.ask_datagram(guest, FROM, &question(1));
        }
    };
    flood(&mut desk, first);
    assert_eq!(desk.take_questions().len(), MAX_DNS_PENDING_PER_GUEST);
    assert_eq!(desk.drops.get(DropReason::DnsShareUsed), 10);
    for guest in [second, third, fourth, fifth] {
        flood(&mut desk, guest);
    }
    assert!(desk.drops.get(DropReason::DnsFull) > 0, "the whole is used up");
    desk.take_questions();
    for _ in 0..DNS_PENDING_FLOOR {
        desk.ask_datagram(quiet, FROM, &question(2));
    }
    assert_eq!(desk.take_questions().len(), DNS_PENDING_FLOOR, "and the quiet one is heard all the same");
    desk.answer(1, None);
    flood(&mut desk, first);
    assert_eq!(desk.take_questions().len(), 0, "no more than the whole");
}

#[test]
fn a_guest_has_a_share_of_the_connections() {
    let mut desk = DnsDesk::default();
    let [greedy, quiet] = guests();
    let mut clients = Vec::new();
    let mut connect = |desk: &mut DnsDesk, guest| {
        let victim = desk.make_room(guest)?;
        let (client, service) = socket::pair()?;
        clients.push(client);
        if let Some(victim) = victim {
            desk.close_stream(victim);
        }
        Ok::<_, io::Error>((desk.add_stream(guest, service), victim))
    };
    let (first, _) = connect(&mut desk, greedy).unwrap();
    let (second, _) = connect(&mut desk, greedy).unwrap();
    for _ in 2..MAX_DNS_STREAMS_PER_GUEST {
        assert_eq!(connect(&mut desk, greedy).unwrap().1, None);
    }
    desk.ask(greedy, Asker::Stream(first), || question(1)).unwrap();
    desk.streams[first].under_way = 1;
    assert_eq!(connect(&mut desk, greedy).unwrap().1, Some(second), "the oldest that nobody would miss");
    assert_eq!(desk.drops.get(DropReason::DnsStreamEvicted), 1);
    assert_eq!(connect(&mut desk, quiet).unwrap().1, None);
    for stream in desk.streams.values_mut() {
        stream.under_way = 1;
    }
    assert!(connect(&mut desk, greedy).is_err());
    assert_eq!(desk.drops.get(DropReason::DnsStreamRefused), 1);
    assert_eq!(connect(&mut desk, quiet).unwrap().1, None);
}

#[test]
fn guests_are_served_in_turn() {
    let mut desk = DnsDesk::default();
    let [greedy, quiet] = guests();
    let mut seam = Seam::default();
    let name: Arc<str> = "guest".into();
    for _ in 0..1000 {
        desk.ask_datagram(greedy, FROM, &question(1));
    }
    desk.ask_datagram(quiet, FROM, &question(2));
    for question in desk.take_questions() {
        assert!(seam.push(&name, question));
    }
    let mut arena = vec![0; SMALLEST_ARENA];
    let used = seam.drain(&mut arena, usize::MAX);
    let record = 16 + name.len() + 12;
    assert_eq!(used, 1001 * record);
    let at = arena[..used].chunks(record).position(|record| record.ends_with(&question(2))).unwrap();
    assert_eq!(at, DNS_QUANTUM);
    assert_eq!(seam.drain(&mut arena, usize::MAX), 0);
    // A buffer takes what fits, and the rest comes next.
    for _ in 0..3 {
        desk.ask_datagram(quiet, FROM, &question(3));
    }
    for question in desk.take_questions() {
        assert!(seam.push(&name, question));
    }
    let small = &mut arena[..record * 2];
    assert_eq!([seam.drain(small, 1), seam.drain(small, 9), seam.drain(small, 9)], [record, record * 2, 0]);
}

#[test]
fn what_a_guest_asked_goes_with_it() {
    let mut desk = DnsDesk::default();
    let [leaving, staying] = guests();
    let mut seam = Seam::default();
    for guest in [leaving, staying] {
        desk.ask_datagram(guest, FROM, &question(1));
    }
    for question in desk.take_questions() {
        seam.push(&"guest".into(), question);
    }
    desk.ask_datagram(leaving, FROM, &question(1));
    desk.forget_endpoint(leaving);
    seam.forget(leaving);
    assert_eq!(desk.load()[0], 1);
    assert_eq!(seam.drain(&mut [0; 100], 9), 16 + 5 + 12);
    assert!(desk.take_questions().is_empty());
}

#[test]
fn guests_servers_are_asked_within_bounds() {
    use crate::limits::{DNS_ASK_PATIENCE, MAX_DNS_ASKS_PER_GUEST};
    let [guest, other] = guests();
    let mut asks = Asks::default();
    let message = question(5);
    let port = asks.open(guest, 1, &message, Instant::ZERO).unwrap();
    let mut reply = message.clone();
    reply[2] |= 0x80;
    assert_eq!(asks.hear(other, port, &reply), asks::Heard::Stranger);
    assert_eq!(asks.hear(guest, port, &message), asks::Heard::Noise, "a question");
    assert_eq!(asks.hear(guest, port, &[vec![6, 6], reply[2..].to_vec()].concat()), asks::Heard::Noise, "another id");
    assert_eq!(asks.hear(guest, port, &reply), asks::Heard::Answer);
    assert_eq!(asks.take_replies(), [asks::Reply { query: 1, message: Some(reply) }]);
    for n in 0..MAX_DNS_ASKS_PER_GUEST as u64 {
        assert!(asks.open(guest, n, &message, Instant::ZERO).is_some());
    }
    assert_eq!(asks.open(guest, 9999, &message, Instant::ZERO), None, "its share");
    let port = asks.open(other, 5000, &message, Instant::ZERO).unwrap();
    assert_eq!(asks.hear(other, port, b""), asks::Heard::Answer, "nobody serves there");
    assert_eq!(asks.take_replies(), [asks::Reply { query: 5000, message: None }]);
    asks.sweep(Instant::ZERO + DNS_ASK_PATIENCE * 2);
    assert!(!asks.is_empty(), "what came of them is still to be told");
    assert_eq!(asks.take_replies().len(), MAX_DNS_ASKS_PER_GUEST);
    assert!(asks.is_empty());
    assert_eq!(asks.open(guest, 1, b"short", Instant::ZERO), None);
}

/// Random scripts for the fuzz target's world.
#[test]
fn any_bytes_at_all() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..200 {
        let script: Vec<u8> = (0..3000)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[3]
            })
            .collect();
        hostile::hostile(&script);
    }
}

#[test]
fn the_corpus_of_the_fuzz_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/dns");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 5, "a corpus");
    for file in files {
        let script = std::fs::read(&file).unwrap();
        if std::panic::catch_unwind(|| hostile::hostile(&script)).is_err() {
            panic!("{} fails", file.display());
        }
    }
}
