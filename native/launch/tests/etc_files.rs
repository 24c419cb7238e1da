//! /etc/hosts, /etc/hostname and /etc/resolv.conf of the guest, on machines whose /etc is not as usual.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::process::{Output, Stdio};

use serde_json::json;
use support::engine::Answer;
use support::{World, finish, out, text, until};

const SHOW: &str = "cat /etc/hosts /etc/hostname /etc/resolv.conf";
const SHOWN: &str = "172.17.0.2\tinside\n127.0.0.1\tlocalhost\n0123456789ab\nnameserver 172.17.0.1\n";

/// The commands of a machine on which /etc can be changed: an overlay whose changes vanish with it.
fn changeable_etc(world: &World, layers: u32) -> String {
    let layer = world.dir.join("layer");
    std::fs::create_dir_all(&layer).unwrap();
    let layer = layer.display();
    let mut script = format!("set -e; mount -t tmpfs layer '{layer}'; ");
    for number in 0..layers {
        script += &format!(
            "mkdir '{layer}/u{number}' '{layer}/w{number}'; \
             mount -t overlay overlay -o 'lowerdir=/etc,upperdir={layer}/u{number},workdir={layer}/w{number},userxattr' /etc; "
        );
    }
    script
}

fn on_other_machine(world: &World, script: &str) -> Output {
    finish(world.other_machine(script).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[test]
fn the_files_are_the_daemons_and_read_only() {
    let Some(world) = World::new() else { return };
    let _engine = world.engine(Answer::Go);
    let mtab = std::fs::read_link("/etc/mtab").unwrap_or_default();
    let mtab = mtab.display();
    for user in ["self", "root"] {
        let script = format!(
            "{SHOW}; (echo bad > /etc/hosts) 2>/dev/null || echo refused; head -c 4 /etc/passwd | wc -c; readlink /etc/mtab"
        );
        let mut spec = world.spec(&script);
        spec["user"] = json!(user);
        let said = out(&world.run(&spec));
        assert_eq!(said, format!("{SHOWN}refused\n4\n{mtab}\n"), "{user}");
    }
    assert!(world.read("etc/hosts").starts_with("172.17.0.2"));
}

#[test]
fn what_the_daemon_writes_later_is_seen() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    let script = "touch ready; while [ ! -e go ]; do sleep 0.02; done; cat /etc/hosts";
    let child = world.command(&world.spec(script)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    engine.expect("started");
    until("the command runs", || world.dir.join("ready").exists());
    // In place, as the daemon does.
    std::fs::write(world.dir.join("etc/hosts"), "172.17.0.3\tdb\n").unwrap();
    world.write("go", "");
    assert_eq!(out(&finish(child)), "172.17.0.3\tdb\n");
}

#[test]
fn an_absent_or_dangling_resolv_conf_is_no_obstacle() {
    let Some(world) = World::new() else { return };
    let _engine = world.engine(Answer::Go);
    for change in [
        "rm -f /etc/resolv.conf /etc/hosts /etc/hostname",
        "rm -f /etc/resolv.conf; ln -s /nowhere/resolv.conf /etc/resolv.conf",
        "rm -f /etc/resolv.conf; ln -s ../proc/version /etc/resolv.conf",
        "rm -f /etc/resolv.conf; mkdir /etc/resolv.conf",
        // As in a container engine's own container.
        "rm -f /etc/resolv.conf; touch /etc/resolv.conf; mount --bind /dev/null /etc/resolv.conf",
    ] {
        let words = world.launch_words(&world.spec(SHOW));
        let script = format!("{}{change}; {words}", changeable_etc(&world, 1));
        assert_eq!(out(&on_other_machine(&world, &script)), SHOWN, "{change}");
    }
}

#[test]
fn a_rename_on_the_host_does_not_take_the_files_away() {
    let Some(world) = World::new() else { return };
    let _engine = world.engine(Answer::Go);
    for layers in [1, 2] {
        for name in ["ready", "go"] {
            let _ = std::fs::remove_file(world.dir.join(name));
        }
        let inside = format!("touch ready; while [ ! -e go ]; do sleep 0.02; done; {SHOW}; ls -d /etc/passwd");
        let words = world.launch_words(&world.spec(&inside));
        let dir = world.dir.display();
        let script = format!(
            "{} {words} & while [ ! -e '{dir}/ready' ]; do sleep 0.02; done; \
             for f in hosts resolv.conf hostname; do echo changed > /etc/new; mv /etc/new /etc/$f; done; \
             touch '{dir}/go'; wait $!",
            changeable_etc(&world, layers)
        );
        assert_eq!(out(&on_other_machine(&world, &script)), format!("{SHOWN}/etc/passwd\n"), "{layers} layers");
    }
}

/// Overlays may be stacked two deep, so on a machine whose /etc is that deep already the other form is used.
#[test]
fn without_an_overlay_links_do() {
    let Some(world) = World::new() else { return };
    let _engine = world.engine(Answer::Go);
    let inside = format!(
        "{SHOW}; readlink /etc/passwd; readlink /etc/mtab; head -c 4 /etc/passwd | wc -c; ls -d /etc/ssl/certs; cat /etc/sub/file; ls -l /etc/.host/shadow >/dev/null && echo old"
    );
    let words = world.launch_words(&world.spec(&inside));
    let script = format!(
        "{}mkdir /etc/sub; mount -t tmpfs sub /etc/sub; echo mounted > /etc/sub/file; ln -sf ../proc/self/mounts /etc/mtab; mkdir -p /etc/ssl/certs; {words}",
        changeable_etc(&world, 2)
    );
    let output = on_other_machine(&world, &script);
    assert_eq!(
        out(&output),
        format!("{SHOWN}.host/passwd\n../proc/self/mounts\n4\n/etc/ssl/certs\nmounted\nold\n"),
        "{}",
        text(&output.stderr)
    );
}

/// What is mounted below /etc would be uncovered by an overlay, which the kernel refuses.
#[test]
fn mounts_below_etc_stay() {
    let Some(world) = World::new() else { return };
    let _engine = world.engine(Answer::Go);
    let words = world.launch_words(&world.spec(&format!("{SHOW}; cat '/etc/with blank/file' /etc/single")));
    let script = format!(
        "{}mkdir '/etc/with blank'; mount -t tmpfs sub '/etc/with blank'; echo mounted > '/etc/with blank/file'; \
         echo single > /etc/source; touch /etc/single; mount --bind /etc/source /etc/single; {words}",
        changeable_etc(&world, 1)
    );
    assert_eq!(out(&on_other_machine(&world, &script)), format!("{SHOWN}mounted\nsingle\n"));
}
