//! A bad link in virtual time: what was asked is what happens, exactly.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU64;
use std::time::Duration;
use unet_core::Instant;
use unet_core::fault::{BadLink, Counts, FaultSpec, Faults};
use unet_core::testing::frames::{TestSegment, Wiring, parse_tcp};
use unet_core::wire::ethernet::Mac;
use unet_core::wire::tcp::{Flags, Seq};
use unet_core::wire::vnet::{Checksum, Gso, Vnet};

const NOTHING: &[u8] = &[];
/// A full packet of an MTU of 1500 with its Ethernet header.
const PACKET: usize = 1514;
const MSS: u16 = 1460;
const SEED: u64 = 5;
const ALL: usize = usize::MAX;
const FOREVER: u64 = u64::MAX;

fn at(micros: u64) -> Instant {
    Instant::from_micros(micros)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}

fn delay(delay: Duration, jitter: Duration) -> FaultSpec {
    FaultSpec { delay, jitter, ..FaultSpec::default() }
}

fn rate(bits: u64) -> FaultSpec {
    FaultSpec { rate: NonZeroU64::new(bits), ..FaultSpec::default() }
}

fn loss(loss: f64) -> FaultSpec {
    FaultSpec { shares: Faults { loss, ..Faults::default() }, ..FaultSpec::default() }
}

/// A frame of `len` bytes with its number in front.
fn numbered(number: usize, len: usize) -> Vec<u8> {
    let mut frame = u32::try_from(number).unwrap().to_be_bytes().to_vec();
    frame.resize(len.max(4), 0);
    frame
}

fn offer(link: &mut BadLink, now: u64, frame: &[u8]) -> bool {
    link.offer(at(now), &Vnet::default(), frame, NOTHING)
}

/// What came out, and when.
#[derive(Debug, PartialEq, Eq)]
struct Out {
    at: u64,
    vnet: Vnet,
    bytes: Vec<u8>,
}

impl Out {
    fn number(&self) -> usize {
        u32::from_be_bytes(self.bytes[..4].try_into().unwrap()) as usize
    }
}

/// Lets time pass until `end`, exactly from one deadline to the next.
fn run(link: &mut BadLink, end: u64) -> Vec<Out> {
    let mut out = Vec::new();
    while let Some(due) = link.next_due().filter(|&due| due <= at(end)) {
        link.release(due, ALL, |vnet, frame| {
            out.push(Out { at: due.as_micros(), vnet: *vnet, bytes: frame.to_vec() });
        });
    }
    out
}

/// A super-frame of `len` bytes of payload, as a guest's kernel leaves it to the hardware.
fn super_frame(len: usize) -> (Vnet, Vec<u8>) {
    let wiring = Wiring { guest: Ipv4Addr::new(10, 0, 0, 2), guest_mac: Mac([2; 6]), next_hop: Mac([4; 6]) };
    let payload: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let frame = wiring.tcp(&TestSegment {
        from_port: 1,
        to: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 3), 2),
        seq: Seq(u32::MAX - 5000),
        ack: Seq(9),
        flags: Flags::ACK,
        window: 100,
        options: &[],
        payload: &payload,
    });
    let checksum = Checksum::Partial { start: 34, offset: 16 };
    (Vnet { checksum, gso: Gso::TcpV4 { size: MSS }, header_len: 54 }, frame)
}

#[test]
fn a_delay_is_exact_and_keeps_the_order() {
    for wanted in [1, 50, 1000, 60_000].map(millis).into_iter().chain([Duration::from_micros(200)]) {
        let mut link = BadLink::new(delay(wanted, Duration::ZERO), SEED);
        for n in 0..100 {
            assert!(offer(&mut link, n as u64 * 7, &numbered(n, 64)));
        }
        assert_eq!(link.next_due(), Some(at(0) + wanted));
        link.release(at(micros(wanted) - 1), ALL, |_, _| panic!("too early"));
        let seen: Vec<_> = run(&mut link, FOREVER).iter().map(|out| (out.number(), out.at)).collect();
        assert!(seen.into_iter().eq((0..100).map(|n| (n, n as u64 * 7 + micros(wanted)))));
    }
}

#[test]
fn sparse_jitter_is_uniform_around_the_delay() {
    let mut link = BadLink::new(delay(millis(50), millis(20)), SEED);
    let mut delays = Vec::new();
    for n in 0..10_000u64 {
        let now = n * 100_000;
        assert!(offer(&mut link, now, b"ping"));
        delays.push(run(&mut link, FOREVER)[0].at - now);
    }
    let (min, max) = (*delays.iter().min().unwrap(), *delays.iter().max().unwrap());
    assert!((30_000..30_200).contains(&min) && (69_800..=70_000).contains(&max), "{min} to {max}");
    let mean = delays.iter().sum::<u64>() / 10_000;
    assert!((49_500..50_500).contains(&mean), "mean {mean}");
    let low = delays.iter().filter(|&&delay| delay < 40_000).count();
    assert!((2300..2700).contains(&low), "a quarter is in the lowest quarter: {low}");
}

#[test]
fn dense_jitter_keeps_the_order_and_is_no_hidden_delay() {
    let mut link = BadLink::new(delay(millis(50), millis(20)), SEED);
    let mut seen = Vec::new();
    const GAP: u64 = 100;
    for n in 0..100_000 {
        assert!(offer(&mut link, n as u64 * GAP, &numbered(n, 64)));
        seen.extend(run(&mut link, n as u64 * GAP));
    }
    seen.extend(run(&mut link, FOREVER));
    let mut sum = 0;
    for (n, out) in seen.iter().enumerate() {
        assert_eq!(out.number(), n, "in order");
        let delay = out.at - n as u64 * GAP;
        assert!((30_000..=70_000).contains(&delay), "{delay}");
        sum += delay;
    }
    let mean = sum / 100_000;
    assert!((47_500..52_500).contains(&mean), "within 5 %: mean {mean}");
}

#[test]
fn rates_are_what_was_asked() {
    for (bits, frames) in [
        (800, 20),
        (64_000, 100),
        (1_000_000, 500),
        (10_000_000, 2000),
        (100_000_000, 2000),
        (1_000_000_000, 2000),
        (10_000_000_000, 2000),
    ] {
        let mut link = BadLink::new(rate(bits), SEED);
        let (mut now, mut seen, mut offered) = (0, Vec::new(), 0);
        while seen.len() < frames {
            // Whatever is refused is offered again: the line is never idle.
            while offered < frames && link.room(at(now)) > 0 {
                assert!(offer(&mut link, now, &numbered(offered, PACKET)));
                offered += 1;
            }
            now = link.next_due().unwrap().as_micros();
            seen.extend(run(&mut link, now));
        }
        let took = seen.last().unwrap().at as f64 / 1e6;
        let measured = (frames * PACKET * 8) as f64 / took;
        let off = (measured / bits as f64 - 1.0).abs();
        assert!(off < 0.001, "{bits} became {measured}");
        assert!(seen.iter().enumerate().all(|(n, out)| out.number() == n), "in order");
    }
}

#[test]
fn an_idle_line_saves_nothing_up() {
    let mut link = BadLink::new(rate(8_000_000), SEED);
    for now in [0, 1_000_000, 1_000_400] {
        assert!(offer(&mut link, now, &numbered(0, 1000)));
    }
    // A microsecond a byte, one after the other.
    let times: Vec<_> = run(&mut link, FOREVER).iter().map(|out| out.at).collect();
    assert_eq!(times, [1000, 1_001_000, 1_002_000]);
}

#[test]
fn delay_comes_behind_the_rate() {
    let spec = FaultSpec { delay: millis(5), ..rate(8_000_000) };
    let mut link = BadLink::new(spec, SEED);
    for n in 0..3 {
        assert!(offer(&mut link, 0, &numbered(n, 1000)));
    }
    let times: Vec<_> = run(&mut link, FOREVER).iter().map(|out| out.at).collect();
    assert_eq!(times, [6000, 7000, 8000]);
}

#[test]
fn a_slow_line_asks_for_a_fifth_of_a_second_or_a_few_packets_and_holds_a_quarter_more() {
    for (bits, most) in [(100_000_000, 2_500_000), (10_000_000, 250_000), (64_000, 16 << 10)] {
        let mut link = BadLink::new(rate(bits), SEED);
        assert!(link.room(at(0)).abs_diff(most) < 2, "{}", link.room(at(0)));
        let mut asked = 0;
        while link.room(at(0)) > 0 {
            assert!(offer(&mut link, 0, &numbered(0, PACKET)));
            asked += PACKET;
        }
        assert!((most..most + PACKET).contains(&asked), "{asked} of {most}");
        // As soon as one has gone there is room for one.
        let first = link.next_due().unwrap();
        assert_eq!(run(&mut link, first.as_micros()).len(), 1);
        assert!(link.room(first) > 0);
        let mut more = 0;
        while offer(&mut link, first.as_micros(), &numbered(0, PACKET)) {
            more += PACKET;
        }
        assert!(more.abs_diff(most / 4) < 3 * PACKET, "{more} on top of {most}");
        assert_eq!((link.room(first), link.take_counts()), (0, Counts { lost: 0, refused: 1 }));
    }
}

#[test]
fn ten_gigabits_over_sixty_milliseconds_fit_and_four_times_as_much_does_not() {
    let (vnet, frame) = super_frame(64_000);
    let wanted = 10_000_000_000 / 8 * 60 / 1000;
    let mut link = BadLink::new(delay(millis(60), Duration::ZERO), SEED);
    let mut taken = 0;
    while link.offer(at(0), &vnet, &frame, NOTHING) {
        taken += frame.len();
        assert!(taken < 4 * wanted, "without end");
    }
    assert!(taken > wanted, "{taken}");
    assert_eq!(link.take_counts(), Counts { lost: 0, refused: 1 });
    assert_eq!(run(&mut link, FOREVER).len(), taken / frame.len());
    assert!(link.offer(at(0), &vnet, &frame, NOTHING), "room again");
}

#[test]
fn delay_leaves_super_frames_whole_and_so_does_a_fast_line_which_counts_what_they_stand_for() {
    let (vnet, frame) = super_frame(10 * usize::from(MSS));
    let mut link = BadLink::new(delay(millis(1), Duration::ZERO), SEED);
    let (header, payload) = frame.split_at(54);
    assert!(link.offer(at(0), &vnet, header, payload));
    assert_eq!(run(&mut link, FOREVER), [Out { at: 1000, vnet, bytes: frame.clone() }]);

    let mut link = BadLink::new(rate(1_000_000_000), SEED);
    assert!(link.offer(at(0), &vnet, &frame, NOTHING));
    let out = run(&mut link, FOREVER);
    // Ten frames of 1514 bytes at eight nanoseconds a byte.
    assert_eq!((out.len(), out[0].at), (1, (10u64 * 1514 * 8).div_ceil(1000)));
}

#[test]
fn shares_and_slow_lines_are_of_packets_not_of_super_frames() {
    let (vnet, frame) = super_frame(10 * usize::from(MSS));
    for spec in [loss(0.000_001), rate(999_999_999)] {
        let mut link = BadLink::new(spec, SEED);
        let (header, payload) = frame.split_at(54);
        assert!(link.offer(at(0), &vnet, header, payload));
        let out = run(&mut link, FOREVER);
        assert!(out.iter().all(|out| out.bytes.len() == PACKET && out.vnet.gso == Gso::None));
        let whole: Vec<u8> = out.iter().flat_map(|out| parse_tcp(&out.bytes).unwrap().payload).collect();
        assert_eq!((out.len(), &whole[..]), (10, payload));
    }
    let mut link = BadLink::new(loss(0.1), SEED);
    for n in 0..1000 {
        assert!(link.offer(at(n), &vnet, &frame, NOTHING));
    }
    let (passed, lost) = (run(&mut link, FOREVER).len(), link.take_counts().lost);
    assert_eq!(passed as u64 + lost, 10_000);
    assert!((900..1100).contains(&lost), "{lost}");
}

#[test]
fn what_is_no_super_frame_although_it_says_so_goes_on_as_it_is() {
    let mut link = BadLink::new(loss(0.000_001), SEED);
    let vnet = Vnet { gso: Gso::TcpV4 { size: MSS }, ..Vnet::default() };
    for frame in [&b""[..], b"short", &[0; 200]] {
        assert!(link.offer(at(0), &vnet, frame, NOTHING));
        assert_eq!(run(&mut link, FOREVER), [Out { at: 0, vnet, bytes: frame.to_vec() }]);
    }
}

#[test]
fn reordered_frames_are_late_and_not_lost_even_when_nothing_comes_after_them() {
    let shares = Faults { reorder: 1.0, ..Faults::default() };
    let mut link = BadLink::new(FaultSpec { shares, ..delay(millis(10), Duration::ZERO) }, SEED);
    assert!(offer(&mut link, 0, b"last"));
    let out = run(&mut link, FOREVER);
    assert_eq!((out.len(), out[0].at), (1, 13_000), "a silence of three milliseconds, and the delay");

    let shares = Faults { reorder: 0.1, ..Faults::default() };
    let mut link = BadLink::new(FaultSpec { shares, ..delay(millis(10), Duration::ZERO) }, SEED);
    for n in 0..10_000 {
        assert!(offer(&mut link, n as u64, &numbered(n, 64)));
    }
    let numbers: Vec<_> = run(&mut link, FOREVER).iter().map(Out::number).collect();
    let late = numbers.iter().scan(0, |highest, &n| Some((n < *highest, *highest = n.max(*highest)).0));
    let late = late.filter(|&late| late).count();
    assert!((800..1200).contains(&late), "{late}");
    let mut sorted = numbers;
    sorted.sort_unstable();
    assert!(sorted.into_iter().eq(0..10_000), "each exactly once");
}

#[test]
fn a_cut_link_lets_nothing_through_and_loses_what_it_held() {
    let mut link = BadLink::new(delay(millis(100), Duration::ZERO), SEED);
    assert!(offer(&mut link, 0, b"under way"));
    link.change(loss(1.0), at(10));
    assert!(offer(&mut link, 20, b"into the void"));
    assert_eq!((run(&mut link, FOREVER), link.take_counts()), (vec![], Counts { lost: 2, refused: 0 }));
    link.change(FaultSpec::default(), at(30));
    assert!(link.is_idle());
    assert!(offer(&mut link, 40, b"healed"));
    assert_eq!(run(&mut link, FOREVER)[0].at, 40);
}

#[test]
fn a_link_that_is_mended_lets_go_of_all_it_held_in_order_at_once() {
    let shares = Faults { reorder: 0.5, ..Faults::default() };
    for bad in [delay(Duration::from_secs(60), Duration::ZERO), FaultSpec { shares, ..rate(64_000) }] {
        let mut link = BadLink::new(bad, SEED);
        for n in 0..10 {
            assert!(offer(&mut link, 0, &numbered(n, PACKET)));
        }
        link.change(FaultSpec::default(), at(100));
        assert!(!link.is_idle(), "until it has");
        assert!(offer(&mut link, 100, &numbered(10, 4)));
        let out = run(&mut link, 100);
        assert_eq!((out.len(), out[10].number(), link.is_idle()), (11, 10, true));
    }
}

#[test]
fn the_same_spec_again_changes_nothing() {
    let mut link = BadLink::new(delay(millis(10), Duration::ZERO), SEED);
    assert!(offer(&mut link, 0, b"x"));
    link.change(delay(millis(10), Duration::ZERO), at(5000));
    assert_eq!(run(&mut link, FOREVER)[0].at, 10_000);
}

#[test]
fn a_budget_leaves_the_rest_for_the_next_turn() {
    let mut link = BadLink::new(delay(millis(1), Duration::ZERO), SEED);
    for n in 0..10 {
        assert!(offer(&mut link, 0, &numbered(n, 64)));
    }
    let mut count = 0;
    link.release(at(5000), 4, |_, _| count += 1);
    assert_eq!((count, link.next_due()), (4, Some(at(1000))));
}
