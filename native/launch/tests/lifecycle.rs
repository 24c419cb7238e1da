//! Detached commands, and guests that outlive their engine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::os::fd::AsFd;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::engine::Answer;
use support::{GATEWAY, World, complaint, finish, is_alive, kill, out, text, until};

fn log(world: &World) -> Vec<Value> {
    world.read("output.log").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn logged(world: &World, stream: &str) -> String {
    log(world)
        .iter()
        .filter(|record| record["stream"] == stream)
        .filter_map(|record| record["data"].as_str().map(str::to_owned))
        .collect()
}

fn exit_file(world: &World) -> Value {
    until("the exit file is written", || world.dir.join("exit.json").exists());
    serde_json::from_str(&world.read("exit.json")).unwrap()
}

#[test]
fn a_detached_command_logs_and_leaves_its_status() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    let script = "cat; echo to stdout; echo to stderr >&2; printf '\\377\\376\\375\\n'; printf 'no newline'; [ -t 0 ] || echo; ps -o sid= -p $$; exit 9";
    // The launcher ends, and nobody holds its output open: `output` would wait for that.
    let output = world.run(&world.detached(script));
    assert_eq!(out(&output), "");
    assert_eq!(text(&output.stderr), "");
    assert_eq!(engine.expect("exited")["exitCode"], 9);
    let exit = exit_file(&world);
    assert_eq!((&exit["exitCode"], &exit["signal"]), (&json!(9), &Value::Null));
    assert!(exit["finishedAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(logged(&world, "stderr"), "to stderr\n");
    let said = logged(&world, "stdout");
    assert!(said.starts_with("to stdout\n//79Cg==no newline"), "{said:?}");
    assert!(said.ends_with(" 2\n"), "a session of its own: {said:?}");
    let binary = log(&world).into_iter().find(|record| record.get("b64").is_some()).unwrap();
    assert_eq!(binary["b64"], true);
}

#[test]
fn a_detached_command_that_cannot_start_says_so_in_the_foreground() {
    let Some(world) = World::new() else { return };
    let _engine = world.engine(Answer::Go);
    let mut spec = world.detached("");
    spec["argv"] = json!(["no-such-command"]);
    complaint(&world.run(&spec), 127);
    spec["argv"] = json!(["true"]);
    spec["cwd"] = json!("/no/such/directory");
    complaint(&world.run(&spec), 125);
    spec["cwd"] = json!("/");
    spec["logFile"] = json!("/no/such/output.log");
    assert!(complaint(&world.run(&spec), 125).contains("/no/such/output.log"));
    assert!(!world.dir.join("exit.json").exists());
}

#[test]
fn a_killed_guest_leaves_137() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    assert!(world.run(&world.detached("exec sleep 1000")).status.success());
    let guest = engine.expect("started")["pid"].as_i64().unwrap() as i32;
    engine.say(&json!({"type": "signal", "signal": 9}));
    let exit = exit_file(&world);
    assert_eq!((&exit["exitCode"], &exit["signal"]), (&json!(137), &json!(9)));
    assert!(!is_alive(guest));
    assert_eq!(engine.expect("exited")["signal"], 9);
}

#[test]
fn standard_input_is_held_open_or_a_terminal() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    let mut spec = world.detached("if read -t 0.3 line; then echo read; else echo $?; fi; exit 3");
    spec["argv"][0] = json!("bash");
    spec["stdin"] = json!("open");
    assert!(world.run(&spec).status.success());
    engine.expect("exited");
    // More than 128: the time was up. At an end it would be 1.
    assert!(logged(&world, "stdout").trim().parse::<u32>().unwrap() > 128, "{:?}", log(&world));

    std::fs::remove_file(world.dir.join("output.log")).unwrap();
    let mut spec = world.detached("[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && stty size && ps -o tty= -p $$ && echo error >&2; exec 3</dev/tty && echo controlling");
    spec["tty"] = json!(true);
    assert!(world.run(&spec).status.success());
    engine.expect("exited");
    let said = logged(&world, "stdout");
    assert!(said.starts_with("24 80\r\npts/"), "{said:?}");
    assert!(said.ends_with("error\r\ncontrolling\r\n"), "{said:?}");
}

#[test]
fn a_detached_supervisor_outlives_its_launcher_and_dies_with_nobody() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    let words = world.launch_words(&world.detached("exec sleep 1000"));
    let output = finish(
        world.shell(&format!("{words}; echo started")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(),
    );
    assert_eq!(out(&output), "started\n");
    let supervisor = engine.expect("attach")["pid"].as_i64().unwrap() as i32;
    let guest = engine.expect("started")["pid"].as_i64().unwrap() as i32;
    assert!(is_alive(supervisor) && is_alive(guest));
    assert_eq!(std::fs::read_link(format!("/proc/{supervisor}/cwd")).unwrap(), std::path::Path::new("/"));
    for fd in 0..=2 {
        let place = std::fs::read_link(format!("/proc/{supervisor}/fd/{fd}")).unwrap();
        assert_eq!(place, std::path::Path::new("/dev/null"));
    }
    kill(supervisor, 15);
    engine.expect("exited");
    until("both are gone", || !is_alive(supervisor) && !is_alive(guest));
    assert_eq!(exit_file(&world)["exitCode"], 143);
}

#[test]
fn a_guest_outlives_its_engine_and_is_handed_to_the_next() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    let script = format!(
        "cat /sys/class/net/eth0/carrier_changes; touch ready; while [ ! -e go ]; do sleep 0.02; done; \
         ping -n -c 1 -W 15 {GATEWAY} | grep received; cat /sys/class/net/eth0/carrier_changes; exit 6"
    );
    assert!(world.run(&world.detached(&script)).status.success());
    let first = engine.expect("attach");
    let started = engine.expect("started");
    until("the command runs", || world.dir.join("ready").exists());
    engine.die();
    // With nobody there frames wait, and the ping with them.
    world.write("go", "");
    std::thread::sleep(Duration::from_millis(500));

    let refusing = world.engine(Answer::Refuse);
    assert_eq!(refusing.expect("attach")["running"], true, "offered again to whoever listens");
    refusing.die();

    // A new engine, told only to attach: there is no second "go". By now attempts are rare, but its socket is noticed.
    std::thread::sleep(Duration::from_millis(1600));
    let appeared = Instant::now();
    let engine = world.engine(Answer::Ready);
    let again = engine.expect("attach");
    assert!(appeared.elapsed() < Duration::from_millis(500), "{:?}", appeared.elapsed());
    assert_eq!(again["running"], true);
    for field in ["ticket", "containerId", "pid", "device"] {
        assert_eq!(again[field], first[field], "{field}");
    }
    assert_eq!(engine.expect("started"), started, "a new daemon may not know the number");
    assert_eq!(unet_sys::tap_create::flags_of(engine.tap().as_fd()).unwrap() & 0x5002, 0x5002);
    let frames = engine.answer_one_ping(12);
    assert!(!frames.is_empty());
    assert_eq!(engine.expect("exited")["exitCode"], 6);
    let said = logged(&world, "stdout");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[1].contains("1 received"), "{said}");
    assert_eq!(lines[0], lines[2], "the link never lost its carrier");
}

#[test]
fn a_guest_that_ends_without_an_engine_leaves_its_status() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    assert!(
        world.run(&world.detached("while [ ! -e go ]; do sleep 0.02; done; echo last words; exit 8")).status.success()
    );
    engine.expect("started");
    engine.die();
    world.write("go", "");
    assert_eq!(exit_file(&world)["exitCode"], 8);
    assert_eq!(logged(&world, "stdout"), "last words\n");
}

#[test]
fn a_flood_of_output_is_logged_whole_and_in_order() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    assert!(world.run(&world.detached("seq 1 20000; head -c 100000 /dev/zero | tr '\\0' x")).status.success());
    engine.expect("exited");
    let said = logged(&world, "stdout");
    let wanted: String = (1..=20_000).map(|number| format!("{number}\n")).collect();
    assert!(said == wanted + &"x".repeat(100_000));
}
