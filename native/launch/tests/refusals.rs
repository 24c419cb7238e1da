//! Bad luck: one line that says what is wrong and what to do, status 125, and nothing left behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::process::{Output, Stdio};

use serde_json::{Value, json};
use support::engine::Answer;
use support::{World, complaint, finish, kill, until};

/// Runs the launcher on a machine that was changed first.
fn changed(world: &World, change: &str, spec: &Value) -> Output {
    let script = format!("set -e; {change}; {}", world.launch_words(spec));
    let mut command = world.other_machine(&script);
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// No process is left that has our launcher or our script in its command line.
fn assert_nothing_left(world: &World) {
    let name = world.dir.to_string_lossy().into_owned();
    let left = || {
        std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(&name).then_some(line)
        })
    };
    until("every process is gone", || left().is_none());
}

#[test]
fn the_machine_is_not_ready() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    for (change, wrong, cure) in [
        ("mount -t tmpfs none /dev/net", "there is no /dev/net/tun", "modprobe tun"),
        // Root's own and closed, as the device is where no udev rule opens it.
        ("mount --bind /etc/shadow /dev/net/tun", "may not be opened by this user", "chmod 0666 /dev/net/tun"),
        ("echo 0 > /proc/sys/user/max_user_namespaces", "no more namespaces", "sysctl -w user.max_user_namespaces="),
        ("echo 0 > /proc/sys/user/max_net_namespaces", "no more namespaces", "sysctl -w user.max_net_namespaces="),
        ("echo 0 > /proc/sys/user/max_mnt_namespaces", "no more namespaces", "sysctl -w user.max_mnt_namespaces="),
    ] {
        let output = changed(&world, change, &world.spec("true"));
        let said = complaint(&output, 125);
        assert!(said.contains(wrong) && said.contains(cure), "{change}: {said}");
        assert_nothing_left(&world);
    }
    assert!(engine.heard().iter().all(|message| message["type"] != "started"));
}

#[test]
fn the_working_directory_is_not_there() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    let mut spec = world.spec("true");
    spec["cwd"] = json!("/no/such/directory");
    let said = complaint(&world.run(&spec), 125);
    assert!(said.contains("/no/such/directory") && said.contains("-w"), "{said}");
    let failed = engine.expect("failed");
    assert_eq!(failed["exitCode"], 125);
    assert_nothing_left(&world);
}

#[test]
fn a_missing_etc_file_is_named() {
    let Some(world) = World::new() else { return };
    let _engine = world.engine(Answer::Go);
    let mut spec = world.spec("true");
    spec["etc"]["resolv.conf"] = json!("/no/such/resolv.conf");
    let said = complaint(&world.run(&spec), 125);
    assert!(said.contains("/no/such/resolv.conf") && said.contains("/etc/resolv.conf"), "{said}");
}

#[test]
fn there_is_no_daemon() {
    let Some(world) = World::new() else { return };
    let said = complaint(&world.run(&world.spec("true")), 125);
    assert!(said.contains("it is not there") && said.contains("handoff.sock"), "{said}");
    // A socket that nobody listens at, as a killed daemon leaves it.
    let engine = world.engine(Answer::Go);
    let kept = world.dir.join("runtime/kept.sock");
    std::fs::hard_link(world.handoff(), &kept).unwrap();
    engine.die();
    let mut spec = world.spec("true");
    spec["handoffSocket"] = json!(kept);
    let said = complaint(&world.run(&spec), 125);
    assert!(said.contains("nobody listens"), "{said}");
    assert_nothing_left(&world);
}

#[test]
fn the_daemon_says_no() {
    let Some(world) = World::new() else { return };
    for (answer, words) in [
        (Answer::Refuse, "the ticket is not known"),
        (Answer::Abort("the port 8080 is taken: choose another"), "unet: the port 8080 is taken: choose another\n"),
        (Answer::HangUp, "the daemon ended before the container was started"),
    ] {
        let engine = world.engine(answer.clone());
        let marker = world.dir.join("ran");
        let said = complaint(&world.run(&world.spec("touch ran")), 125);
        assert!(said.contains(words), "{answer:?}: {said}");
        assert!(!marker.exists(), "the command must not have run");
        assert_nothing_left(&world);
        drop(engine);
    }
}

#[test]
fn interrupted_while_waiting_for_the_daemon() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Ready);
    let child = world.command(&world.spec("true")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    engine.expect("attach");
    std::thread::sleep(std::time::Duration::from_millis(100));
    kill(child.id() as i32, 2);
    complaint(&finish(child), 130);
    assert_eq!(engine.expect("failed")["exitCode"], 130);
    assert_nothing_left(&world);
}

#[test]
fn a_broken_spec_is_refused() {
    let Some(world) = World::new() else { return };
    let mut spec = world.spec("true");
    spec["interface"]["name"] = json!("a-name-of-sixteen");
    assert!(complaint(&world.run(&spec), 125).contains("interface.name"));
    let said = complaint(&finish_of(&world, "run --spec-fd 3 3</dev/null"), 125);
    assert!(said.contains("different versions"), "{said}");
    assert!(complaint(&finish_of(&world, "run --spec-fd 9"), 125).contains("descriptor 9"));
    assert!(complaint(&finish_of(&world, "walk"), 125).contains("usage"));
}

fn finish_of(world: &World, arguments: &str) -> Output {
    let words = world.launch_words(&json!({}));
    let launcher = words.split_once(" run ").unwrap().0;
    let mut command = world.shell(&format!("exec {launcher} {arguments}"));
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[test]
fn the_doctor_knows_a_machine_that_is_not_ready() {
    let Some(world) = World::new() else { return };
    let words = world.launch_words(&json!({}));
    let launcher = words.split_once(" run ").unwrap().0;
    for (change, id) in [
        ("mount -t tmpfs none /dev/net", "tun-device"),
        ("echo 0 > /proc/sys/user/max_user_namespaces", "user-namespaces"),
        ("echo 0 > /proc/sys/user/max_mnt_namespaces", "user-namespaces"),
    ] {
        let mut command = world.other_machine(&format!("{change}; {launcher} doctor"));
        let output = finish(command.stdout(Stdio::piped()).spawn().unwrap());
        assert!(output.status.success());
        let probes: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let probe = probes.iter().find(|probe| probe["id"] == id).unwrap();
        assert_eq!(probe["ok"], "fail", "{change}: {probe}");
        assert!(probe["fix"].as_str().unwrap().contains("sudo"), "{probe}");
    }
}
