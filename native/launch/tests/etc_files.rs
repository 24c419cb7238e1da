//! /etc/hosts, /etc/hostname and /etc/resolv.conf of the guest, on machines whose /etc is not as usual.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::process::{Output, Stdio};

use serde_json::json;
use support::engine::Answer;
use support::{World, finish, out, until};

const SHOW: &str = "cat /etc/hosts /etc/hostname /etc/resolv.conf";
const SHOWN: &str = "172.17.0.2\tinside\n127.0.0.1\tlocalhost\n0123456789ab\nnameserver 172.17.0.1\n";

/// The commands of a machine on which /etc can be changed: a copy, which vanishes with it. Without `overlay`, something is
/// mounted below /etc, so that the launcher may not put an overlay over it.
fn changeable_etc(world: &World, overlay: bool) -> String {
    let copy = world.dir.join("copy");
    std::fs::create_dir_all(&copy).unwrap();
    let copy = copy.display();
    let mut script = format!(
        "set -e; mount -t tmpfs copy '{copy}'; cp -r --preserve=links,mode /etc/. '{copy}' 2>/dev/null || true; mount --bind '{copy}' /etc; "
    );
    if !overlay {
        script += "mkdir /etc/sub; mount -t tmpfs sub /etc/sub; echo mounted > /etc/sub/file; ";
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
        let script = format!("{}{change}; {words}", changeable_etc(&world, true));
        assert_eq!(out(&on_other_machine(&world, &script)), SHOWN, "{change}");
    }
}

#[test]
fn a_rename_on_the_host_does_not_take_the_files_away() {
    let Some(world) = World::new() else { return };
    let _engine = world.engine(Answer::Go);
    for overlay in [true, false] {
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
            changeable_etc(&world, overlay)
        );
        assert_eq!(out(&on_other_machine(&world, &script)), format!("{SHOWN}/etc/passwd\n"), "overlay: {overlay}");
    }
}

#[test]
fn where_an_overlay_is_refused_links_do() {
    let Some(world) = World::new() else { return };
    let _engine = world.engine(Answer::Go);
    let inside = format!(
        "{SHOW}; readlink /etc/passwd; readlink /etc/mtab; readlink /etc/own; head -c 4 /etc/passwd | wc -c; \
         ls -d /etc/dir/below; cat /etc/sub/file"
    );
    let words = world.launch_words(&world.spec(&inside));
    let script = format!(
        "{}ln -sf ../proc/self/mounts /etc/mtab; mkdir -p /etc/dir/below; ln -s passwd /etc/own; {words}",
        changeable_etc(&world, false)
    );
    let wanted = format!("{SHOWN}.host/passwd\n../proc/self/mounts\npasswd\n4\n/etc/dir/below\nmounted\n");
    assert_eq!(out(&on_other_machine(&world, &script)), wanted);
    // And where it is allowed, nothing of the kind is seen.
    let words = world.launch_words(&world.spec("readlink /etc/passwd /etc/.host; ls /etc/passwd"));
    let script = format!("{}{words}", changeable_etc(&world, true));
    assert_eq!(out(&on_other_machine(&world, &script)), "/etc/passwd\n");
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
        changeable_etc(&world, true)
    );
    assert_eq!(out(&on_other_machine(&world, &script)), format!("{SHOWN}mounted\nsingle\n"));
}
