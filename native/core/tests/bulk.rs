//! Bytes both ways against a real TCP implementation, on good links and bad ones.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::world::PLAIN;
use common::{Link, Pair, assert_same, pattern};
use smoltcp::socket::tcp::State;
use std::time::Duration;
use unet_core::fault::Faults;
use unet_core::testing::{OFFLOAD, VirtualClock};
use unet_core::time::Instant;
use unet_core::{Capabilities, FlowId};

const BAD: Faults = Faults { loss: 0.02, duplicate: 0.01, reorder: 0.10 };

/// How a transfer goes.
struct Transfer {
    upload: usize,
    download: usize,
    /// Bytes that the host's program reads per millisecond; None: everything at once.
    host_reads: Option<usize>,
    /// Bytes that the guest's program reads per step.
    guest_reads: usize,
}

impl Default for Transfer {
    fn default() -> Self {
        Self { upload: 4 << 20, download: 4 << 20, host_reads: None, guest_reads: usize::MAX }
    }
}

/// Both directions at once, to the last byte and FIN both ways. Gives the time it took on the link.
#[track_caller]
fn transfer(pair: &mut Pair, flow: FlowId, plan: &Transfer) -> Duration {
    let up = pattern(plan.upload, 1);
    let down = pattern(plan.download, 2);
    let (mut written, mut read) = (0, Vec::with_capacity(down.len()));
    pair.world.io.uplink.feed(flow, &down);
    pair.world.io.uplink.end(flow);
    let start = pair.world.now();
    let mut last_drain = start;
    pair.tick = Some(Duration::from_millis(1));
    if plan.host_reads.is_some() {
        pair.world.io.uplink.stream_mut(flow).room = 0;
    }
    let mut finished = false;
    pair.run_until("the end of the transfer", |pair| {
        let now = pair.world.now();
        if let Some(rate) = plan.host_reads
            && now.since(last_drain) >= Duration::from_millis(1)
        {
            last_drain = now;
            pair.world.io.uplink.add_room(flow, rate);
        }
        let socket = pair.guest();
        if socket.can_send() && written < up.len() {
            written += socket.send_slice(&up[written..]).unwrap();
        }
        if written == up.len() && !finished {
            finished = true;
            socket.close();
        }
        let mut budget = plan.guest_reads;
        while socket.can_recv() && budget > 0 {
            let n = socket
                .recv(|bytes| {
                    let n = bytes.len().min(budget);
                    read.extend_from_slice(&bytes[..n]);
                    (n, n)
                })
                .unwrap();
            budget -= n;
        }
        let guest_done = matches!(socket.state(), State::Closed | State::TimeWait);
        let stream = pair.world.io.uplink.stream(flow);
        guest_done && read.len() == down.len() && stream.shut
    });
    let took = pair.world.now().since(start);
    pair.tick = None;
    let stream = pair.world.io.uplink.stream(flow);
    assert_same(&stream.sent, &up, "guest to host");
    assert_same(&read, &down, "host to guest");
    pair.run_until("the end of the flow", |pair| pair.world.stack.flow_count() == 0);
    pair.world.assert_empty();
    took
}

fn good(capabilities: Capabilities) -> (Pair, FlowId) {
    let mut pair = Pair::new(capabilities, Link { seed: 1, ..Link::default() });
    let flow = pair.connect();
    (pair, flow)
}

#[test]
fn super_frames_both_ways() {
    let (mut pair, flow) = good(OFFLOAD);
    let took = transfer(&mut pair, flow, &Transfer::default());
    assert!(took < Duration::from_secs(1), "took {took:?}");
    // 4 MiB in super-frames, and an acknowledgement for a batch: far fewer frames than segments.
    assert!(pair.frames_to_guest < 2000, "{} frames", pair.frames_to_guest);
}

#[test]
fn plain_segments_both_ways() {
    let (mut pair, flow) = good(PLAIN);
    let took = transfer(&mut pair, flow, &Transfer::default());
    assert!(took < Duration::from_secs(1), "took {took:?}");
}

#[test]
fn a_published_port_carries_the_same() {
    for capabilities in [PLAIN, OFFLOAD] {
        let mut pair = Pair::new(capabilities, Link::default());
        pair.guest().listen(80).unwrap();
        let flow = pair.call("203.0.113.9:5000".parse().unwrap());
        pair.run_until("the handshake", |pair| pair.guest().state() == State::Established);
        transfer(&mut pair, flow, &Transfer { upload: 300_000, download: 300_000, ..Transfer::default() });
    }
}

#[test]
fn loss_reordering_and_repetition_change_nothing() {
    for seed in 1..=12 {
        for capabilities in [PLAIN, OFFLOAD] {
            let mut pair = Pair::new(capabilities, Link { faults: BAD, seed });
            let flow = pair.connect();
            let plan = Transfer { upload: 1 << 20, download: 1 << 20, ..Transfer::default() };
            let took = transfer(&mut pair, flow, &plan);
            assert!(took < Duration::from_secs(120), "seed {seed}: took {took:?}");
        }
    }
}

#[test]
fn downloads_recover_quickly() {
    // Only our own loss recovery is at work here: the guest has nothing to send but acknowledgements.
    for seed in 1..=8 {
        let mut pair = Pair::new(OFFLOAD, Link { faults: BAD, seed });
        let flow = pair.connect();
        let took = transfer(&mut pair, flow, &Transfer { upload: 0, download: 8 << 20, ..Transfer::default() });
        assert!(took < Duration::from_secs(5), "seed {seed}: took {took:?}");
    }
}

#[test]
fn a_slow_host_program_loses_and_repeats_nothing() {
    for faults in [Faults::default(), BAD] {
        let mut pair = Pair::new(OFFLOAD, Link { faults, seed: 3 });
        let flow = pair.connect();
        let plan = Transfer { upload: 3 << 20, download: 100_000, host_reads: Some(7919), ..Transfer::default() };
        transfer(&mut pair, flow, &plan);
    }
}

#[test]
fn a_slow_guest_program_loses_and_repeats_nothing() {
    for capabilities in [PLAIN, OFFLOAD] {
        let mut pair = Pair::new(capabilities, Link { faults: Faults::default(), seed: 3 });
        let flow = pair.connect();
        let plan = Transfer { upload: 0, download: 2 << 20, guest_reads: 977, ..Transfer::default() };
        transfer(&mut pair, flow, &plan);
    }
}

/// Where our sequence numbers begin for a connection opened at `start`.
fn iss_at(start: Instant) -> u32 {
    let mut pair = Pair::starting_at(OFFLOAD, Link { seed: 1, ..Link::default() }, VirtualClock::starting_at(start));
    pair.begin_connect(40_000);
    pair.run_until("SYN", |pair| !pair.world.io.uplink.order().is_empty());
    let flow = pair.world.io.uplink.last();
    pair.world.io.uplink.connected(flow);
    pair.world.settle();
    pair.world.segment().seq.0
}

#[test]
fn sequence_numbers_wrap_on_both_sides() {
    // The number grows by one every four microseconds: wait until it is just short of the end.
    let start = Instant::from_micros(1_000_000);
    let missing = u64::from(u32::MAX - iss_at(start)).saturating_sub(100_000);
    let start = start + Duration::from_micros(missing * 4);
    let iss = iss_at(start);
    assert!(iss > u32::MAX - 200_000, "close enough to the end: {iss}");
    for faults in [Faults::default(), BAD] {
        for shift in [0, 0x4000_0000, 0x7fff_ff00, 0xc000_0000] {
            let link = Link { seed: 1, faults };
            let mut pair = Pair::starting_at(OFFLOAD, link, VirtualClock::starting_at(start));
            pair.shift = shift;
            let flow = pair.connect();
            transfer(&mut pair, flow, &Transfer { upload: 1 << 20, download: 1 << 20, ..Transfer::default() });
        }
    }
}
