//! Bad links around the devices of the bench.

use super::{Bench, Clock, GATEWAY, GATEWAY_MAC, WIRING};
use crate::faults::FaultsSpec;
use crate::ports::Source;
use crate::tap::Tap;
use std::io::IoSlice;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;
use unet_core::fault::{FaultSpec, Faults};
use unet_core::switch::HostAccess;
use unet_core::testing::frames::Wiring;
use unet_core::wire::ethernet::Mac;
use unet_core::{Capabilities, DropReason};
use unet_sys::event::Interest;
use unet_sys::tap_io;

/// Long enough for what is under way to arrive, short against the delays here.
const MOMENT: Duration = Duration::from_millis(20);
const CUT: FaultSpec = FaultSpec {
    shares: Faults { loss: 1.0, duplicate: 0.0, reorder: 0.0 },
    delay: Duration::ZERO,
    jitter: Duration::ZERO,
    rate: None,
};

fn late(delay: Duration) -> FaultSpec {
    FaultSpec { delay, ..FaultSpec::default() }
}

fn both(spec: FaultSpec) -> FaultsSpec {
    FaultsSpec { egress: spec, ingress: spec }
}

/// One more guest on the bench's network.
struct Neighbour {
    wiring: Wiring,
    fd: OwnedFd,
}

impl Neighbour {
    fn new(bench: &mut Bench, name: &str, last: u8) -> Self {
        let (address, mac) = (Ipv4Addr::new(172, 17, 0, last), Mac([2, 0x42, 172, 17, 0, last]));
        bench
            .engine
            .expect_endpoint(crate::EndpointSpec {
                id: name.into(),
                network: "net".into(),
                ticket: name.into(),
                address,
                mac: mac.0,
                mtu: 1500,
                host_access: HostAccess::None,
                faults: FaultsSpec::default(),
            })
            .unwrap();
        let (ours, guest) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        guest.set_nonblocking(true).unwrap();
        let id = bench.engine.endpoints[name].id;
        let tap = Tap::new(ours.into(), Capabilities::default());
        let source = bench.engine.ports.watch(tap.fd(), Source::Tap(id), Interest::Read).unwrap();
        bench.engine.ports.taps.insert(id, (tap, source));
        Self { wiring: Wiring { guest: address, guest_mac: mac, next_hop: GATEWAY_MAC }, fd: guest.into() }
    }

    fn heard(&self) -> usize {
        let mut frame = [0; 2000];
        std::iter::from_fn(|| tap_io::read(self.fd.as_fd(), &mut frame).ok()).count()
    }
}

impl Bench {
    /// Turns the loop for a while, as it would by itself.
    fn live(&mut self, time: Duration) {
        let (start, mut turns) = (Clock::now(), 0);
        // On a busy machine the time may have passed before anything was done.
        while start.elapsed() < time || turns < 20 {
            self.engine.turn(Some(Duration::from_micros(200))).unwrap();
            turns += 1;
        }
    }

    fn echo(&mut self) {
        self.send(&WIRING.echo(GATEWAY, 1, 1, b"ping"));
    }

    fn lost(&self) -> u64 {
        self.engine.stack.drops().get(DropReason::FaultInjected)
    }
}

#[test]
fn a_guests_own_link_is_late_cut_and_mended() {
    let mut bench = Bench::new();
    let (there, back) = (Duration::from_millis(30), Duration::from_millis(60));
    bench.engine.set_faults("guest", &FaultsSpec { egress: late(there), ingress: late(back) }).unwrap();
    let began = Clock::now();
    bench.echo();
    // As the loop sleeps by itself: it must wake for the link alone.
    bench.until("an answer", Bench::next_frame);
    let took = began.elapsed();
    assert!(took >= there + back && took < (there + back) * 2, "{took:?}");

    bench.engine.set_faults("guest", &FaultsSpec { egress: FaultSpec::default(), ingress: CUT }).unwrap();
    bench.echo();
    bench.live(MOMENT);
    assert_eq!((bench.next_frame(), bench.lost()), (None, 1), "the answer was lost on its way back");

    bench.engine.set_faults("guest", &both(FaultSpec::default())).unwrap();
    bench.live(MOMENT);
    assert!(bench.engine.ports.faults.is_none() && bench.engine.faults_from_guests.is_empty(), "nothing is left");
    bench.echo();
    bench.live(MOMENT);
    assert!(bench.next_frame().is_some());
    assert!(bench.engine.set_faults("nobody", &both(CUT)).is_err());
}

#[test]
fn the_loop_sleeps_until_a_link_lets_go() {
    let mut bench = Bench::new();
    let delay = Duration::from_millis(50);
    bench.engine.set_faults("guest", &FaultsSpec { egress: FaultSpec::default(), ingress: late(delay) }).unwrap();
    bench.echo();
    bench.engine.turn(Some(Duration::from_secs(1))).unwrap();
    let left = bench.engine.next_release().unwrap().since(bench.engine.clock.now());
    assert!(left > delay - MOMENT && left <= delay, "{left:?}");
}

#[test]
fn a_link_between_two_guests_is_theirs_alone() {
    let mut bench = Bench::new();
    let db = Neighbour::new(&mut bench, "db", 3);
    let other = Neighbour::new(&mut bench, "other", 4);
    let to = |neighbour: &Neighbour| {
        let wiring = Wiring { next_hop: neighbour.wiring.guest_mac, ..WIRING };
        wiring.echo(neighbour.wiring.guest, 1, 1, b"ping")
    };
    let say = |bench: &mut Bench| {
        bench.send(&to(&db));
        bench.send(&to(&other));
        let answer = Wiring { next_hop: super::GUEST_MAC, ..db.wiring }.echo(super::GUEST, 2, 2, b"ping");
        tap_io::write(db.fd.as_fd(), &[IoSlice::new(&answer)]).unwrap();
        bench.live(MOMENT);
        let mut back = 0;
        while bench.next_frame().is_some() {
            back += 1;
        }
        (db.heard(), other.heard(), back)
    };
    assert_eq!(say(&mut bench), (1, 1, 1));
    bench.engine.set_faults_between("guest", "db", &both(CUT)).unwrap();
    assert_eq!((say(&mut bench), bench.lost()), ((0, 1, 0), 2));
    bench.engine.set_faults_between("db", "guest", &FaultsSpec { egress: FaultSpec::default(), ingress: CUT }).unwrap();
    assert_eq!(say(&mut bench), (0, 1, 1), "one direction is mended");
    bench.engine.set_faults_between("db", "guest", &both(late(MOMENT * 3))).unwrap();
    assert_eq!(say(&mut bench), (0, 1, 0));
    bench.live(MOMENT * 3);
    assert_eq!((db.heard(), bench.next_frame().is_some()), (1, true), "late");
    // A receiver's own link comes behind the one between.
    bench.engine.set_faults("db", &FaultsSpec { egress: FaultSpec::default(), ingress: CUT }).unwrap();
    say(&mut bench);
    bench.live(MOMENT * 3);
    assert_eq!((db.heard(), bench.next_frame().is_some()), (0, true));
    assert!(bench.engine.set_faults_between("db", "db", &both(CUT)).is_err());

    bench.engine.drop_endpoint("db");
    assert!(bench.engine.ports.faults.is_none(), "its links went with it");
}
