//! A command in the foreground: its exit status, its view of the world, its frames.

mod support;

use serde_json::json;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::Stdio;

use support::engine::Answer;
use support::{GATEWAY, World, complaint, finish, is_alive, kill, out, text, until};

#[test]
fn exit_statuses_are_the_commands_own() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("exit 125", 125), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
    {
        let output = world.run(&world.spec(script));
        assert_eq!(output.status.code(), Some(code), "{script}: {}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "", "{script}");
        let exited = engine.expect("exited");
        assert_eq!(exited["exitCode"], code);
        assert_eq!(exited["signal"], if code > 128 { json!(code - 128) } else { json!(null) });
        engine.expect("end");
    }
}

#[test]
fn what_cannot_be_executed_is_126_or_127() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    world.write("plain", "echo hello\n");
    let script = world.write("script", "echo from a script without a first line $1\n");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let broken = world.write("broken", "#!/no/such/interpreter\n");
    std::fs::set_permissions(&broken, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for (argv, code, words) in [
        (json!(["no-such-command"]), 127, "no-such-command: command not found"),
        (json!(["./no-such-file"]), 127, "./no-such-file: command not found"),
        (json!(["./plain"]), 126, "./plain is not executable"),
        (json!(["/tmp"]), 126, "/tmp is a directory"),
        (json!(["./broken"]), 126, "its interpreter is not there"),
    ] {
        let mut spec = world.spec("");
        spec["argv"] = argv;
        let said = complaint(&world.run(&spec), code);
        assert!(said.contains(words), "{said}");
        let failed = engine.expect("failed");
        assert_eq!(failed["exitCode"], code);
        assert_eq!(format!("unet: {}\n", failed["message"].as_str().unwrap()), said);
    }
    let mut spec = world.spec("");
    spec["argv"] = json!(["./script", "argument"]);
    assert_eq!(out(&world.run(&spec)), "from a script without a first line argument\n");
}

#[test]
fn the_command_is_an_ordinary_process() {
    let Some(world) = World::new() else { return };
    let _engine = world.engine(Answer::Go);
    let script = "id -u; id -g; pwd; hostname; echo $MARK; ulimit -Sn; ls /proc/self/fd | wc -l; \
        grep -E '^(Cap|NoNewPrivs|SigBlk|SigIgn|SigCgt)' /proc/self/status";
    let mut child = world.shell(&format!("ulimit -Sn 4096; exec {}", world.launch_words(&world.spec(script))));
    let output = finish(child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let said = out(&output);
    let lines: Vec<&str> = said.lines().collect();
    let uid = world.uid.to_string();
    assert_eq!(lines[..7], [&uid, &uid, world.dir.to_str().unwrap(), "0123456789ab", "kept", "1024", "4"]);
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb", "SigBlk"] {
        assert!(lines.contains(&format!("{set}:\t0000000000000000").as_str()), "{set} in {said}");
    }
    let ignored = lines.iter().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
    // None of the standard ones: Rust's own SIGPIPE is not handed on.
    assert_eq!(u64::from_str_radix(ignored, 16).unwrap() & 0x7fff_ffff, 0, "{said}");
    assert!(said.contains("NoNewPrivs:\t1"));
    // Full, or a ping with a file capability could not be executed.
    assert!(!said.contains("CapBnd:\t0000000000000000"));
}

#[test]
fn root_inside_is_zero_without_power() {
    let Some(world) = World::new() else { return };
    let _engine = world.engine(Answer::Go);
    let mut spec = world.spec("id -u; id -g; grep CapEff /proc/self/status; unshare -Ur id -u; touch owned; cat /proc/sys/net/ipv4/ping_group_range");
    spec["user"] = json!("root");
    let said = out(&world.run(&spec));
    // CAP_SETFCAP alone, which a nested user namespace needs.
    assert_eq!(said, "0\n0\nCapEff:\t0000000080000000\n0\n0\t0\n");
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(world.dir.join("owned")).unwrap());
    assert_eq!(owner, world.uid, "on the host it is the caller's");
}

#[test]
fn the_network_is_set_up() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    let script = "ip -4 -o addr; ip route; ip neigh; ip -o link show eth0; ip -6 -o addr; \
        cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range /proc/sys/net/ipv6/conf/eth0/disable_ipv6; \
        echo sends by $(cat /proc/sys/net/ipv4/tcp_congestion_control); \
        cat /sys/class/net/eth0/address; ls /sys/class/net | tr '\\n' ' '; ping -c 1 -W 5 ::1 >/dev/null && echo v6 loopback";
    let said = out(&world.run(&world.spec(script)));
    for words in [
        "eth0    inet 172.17.0.2/16 brd 172.17.255.255 scope global eth0",
        "lo    inet 127.0.0.1/8",
        "default via 172.17.0.1 dev eth0",
        "172.17.0.1 dev eth0 lladdr 02:42:ac:11:00:01 PERMANENT",
        "mtu 1500",
        "qlen 4096",
        // Running before the first program looks: Node and Java list no other.
        "<BROADCAST,MULTICAST,UP,LOWER_UP>",
        "state UP",
        "lo    inet6 ::1/128",
        "02:42:ac:11:00:02\neth0 lo v6 loopback",
    ] {
        assert!(said.contains(words), "{words:?} in {said}");
    }
    assert!(said.contains(&format!("0\n{0}\t{0}\n1\n", world.uid)), "{said}");
    assert!(["cubic", "reno"].iter().any(|name| said.contains(&format!("sends by {name}\n"))), "no pacing: {said}");
    assert!(!said.contains("eth0    inet6"), "no half an IPv6: {said}");

    let attach = engine.expect("attach");
    assert_eq!(attach["ticket"], "0badc0de");
    assert_eq!(attach["containerId"], "ab".repeat(32));
    assert_eq!(attach["running"], false);
    assert_eq!(attach["device"]["vnetHeader"], true);
    assert_eq!(attach["device"]["vnetHeaderSize"], 12);
}

#[test]
fn an_unprivileged_ping_crosses_the_tap_with_and_without_a_vnet_header() {
    let Some(world) = World::new() else { return };
    for (offload, header) in [(true, 12), (false, 0)] {
        let engine = world.engine(Answer::Go);
        let mut spec = world.spec(&format!("ping -n -c 1 -W 10 {GATEWAY}"));
        spec["offload"] = json!(offload);
        let child = world.command(&spec).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let attach = engine.expect("attach");
        assert_eq!(attach["device"]["vnetHeader"], offload);
        assert_eq!(attach["device"]["csum"], offload);
        let flags = unet_sys::tap_create::flags_of(engine.tap().as_fd()).unwrap();
        // TAP, no packet information; 0x4000 is the vnet header, 0x0800 (persistent) is off again.
        assert_eq!(flags & 0x5802, if offload { 0x5002 } else { 0x1002 }, "{flags:#x}");
        let frames = engine.answer_one_ping(header);
        for frame in &frames {
            let packet = &frame[header..];
            assert_eq!(packet[..6], [0x02, 0x42, 0xac, 0x11, 0, 1], "to the gateway, without ARP");
            assert_eq!(packet[12..14], [8, 0], "IPv4 and nothing else");
        }
        let said = out(&finish(child));
        assert!(said.contains("1 received"), "{said}");
        engine.expect("exited");
    }
}

#[test]
fn input_and_output_are_the_callers() {
    let Some(world) = World::new() else { return };
    let _engine = world.engine(Answer::Go);
    let mut child = world.command(&world.spec("cat; echo to stderr >&2"));
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let mut stdin = child.stdin.take().unwrap();
    let sent = bytes.clone();
    let writing = std::thread::spawn(move || stdin.write_all(&sent).unwrap());
    let output = finish(child);
    writing.join().unwrap();
    assert!(output.stdout == bytes, "every byte, and the end");
    assert_eq!(text(&output.stderr), "to stderr\n");
}

#[test]
fn a_reader_that_ends_early_ends_the_command_quietly() {
    let Some(world) = World::new() else { return };
    let _engine = world.engine(Answer::Go);
    let words = world.launch_words(&world.spec("exec yes"));
    let output = finish(
        world
            .shell(&format!("{{ {words}; echo $? >&2; }} | head -n 1"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    assert_eq!(out(&output), "y\n");
    // 141: SIGPIPE is not ignored, as it is by a Rust program.
    assert_eq!(text(&output.stderr), "141\n");
}

#[test]
fn proc_shows_the_guest_alone_and_orphans_are_reaped() {
    let Some(world) = World::new() else { return };
    let _engine = world.engine(Answer::Go);
    let script = "(sleep 0.1 & ) ; (exit 3) & sleep 0.5; ps -A -o stat= | grep -c Z; cat /proc/1/comm; ps -A -o comm= | wc -l; \
        ls /proc/1/fd 2>/dev/null | wc -l; kill -9 1; kill -TERM 1; sleep 0.1; echo still here";
    let said = text(&world.run(&world.spec(script)).stdout);
    let lines: Vec<&str> = said.lines().collect();
    // ps, wc, grep and the shells: a handful, never the host's.
    assert!(lines[2].trim().parse::<u32>().unwrap() <= 8, "{said}");
    assert_eq!(lines[1], "unet-launch");
    assert_eq!(lines[3], "0", "init cannot be looked into");
    assert_eq!(lines[4], "still here", "init cannot be killed from inside");
    // The shell's own child that ended is its business until it ends; the orphan is init's.
    assert!(lines[0].parse::<u32>().unwrap() <= 1, "{said}");
}

#[test]
fn signals_reach_the_command() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    for (signal, code) in [(15, 15), (1, 1), (2, 2), (3, 3), (10, 10), (12, 12)] {
        let ready = world.dir.join("ready");
        let _ = std::fs::remove_file(&ready);
        let script = "for s in 15 1 2 3 10 12; do trap \"exit $s\" $s; done; touch ready; while :; do sleep 0.05; done";
        let child = world.command(&world.spec(script)).spawn().unwrap();
        until("the command runs", || ready.exists());
        kill(child.id() as i32, signal);
        assert_eq!(finish(child).status.code(), Some(code));
        engine.expect("exited");
    }
}

#[test]
fn the_engine_can_signal_and_kill() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    for (signal, code) in [(15, 5), (9, 137)] {
        let ready = world.dir.join("ready");
        let _ = std::fs::remove_file(&ready);
        let script = "trap 'exit 5' TERM; touch ready; while :; do sleep 0.05; done";
        let child = world.command(&world.spec(script)).spawn().unwrap();
        until("the command runs", || ready.exists());
        engine.say(&json!({"type": "signal", "signal": signal}));
        assert_eq!(finish(child).status.code(), Some(code));
        assert_eq!(engine.expect("exited")["exitCode"], code);
    }
}

#[test]
fn who_dies_with_whom() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    // The supervisor is killed.
    let child = world.command(&world.spec("exec sleep 1000")).spawn().unwrap();
    let guest = engine.expect("started")["pid"].as_i64().unwrap() as i32;
    assert!(is_alive(guest));
    let comm = std::fs::read_to_string(format!("/proc/{guest}/comm")).unwrap_or_default();
    assert!(["sleep\n", "sh\n"].contains(&comm.as_str()), "the number is the command's on the host: {comm}");
    kill(child.id() as i32, 9);
    finish(child);
    until("the guest dies with its supervisor", || !is_alive(guest));
    engine.expect("end");

    // The supervisor's parent (the command line client) is killed.
    let words = world.launch_words(&world.spec("exec sleep 1000"));
    let parent = world.shell(&format!("{words}; true")).spawn().unwrap();
    let guest = engine.expect("started")["pid"].as_i64().unwrap() as i32;
    kill(parent.id() as i32, 9);
    finish(parent);
    until("the guest dies with the client", || !is_alive(guest));

    // What the command leaves running ends with it.
    let child = world.command(&world.spec("sleep 1000 & sleep 1000 & exit 4")).spawn().unwrap();
    assert_eq!(finish(child).status.code(), Some(4));
    engine.expect("exited");
}

#[test]
fn the_mask_hides_the_daemons_directory() {
    let Some(world) = World::new() else { return };
    let _engine = world.engine(Answer::Go);
    let runtime = world.dir.join("runtime");
    let script = format!(
        "cat {0}/secret; ls {0}; touch {0}/x; rmdir {0}; mv {0} {0}-away; mkdir -p {0}; ls {0}",
        runtime.display()
    );
    let mut spec = world.spec(&script);
    spec["mask"] = json!([runtime, "/no/such/place", world.dir.join("etc/hosts")]);
    let output = world.run(&spec);
    assert_eq!(text(&output.stdout), "");
    let said = text(&output.stderr);
    assert!(!said.contains("not for the guest"));
    assert!(runtime.join("secret").exists() && !runtime.join("x").exists());
    // A single file can be hidden too, and /etc/hosts, which shows the same file, stays.
    let mut spec = world.spec("cat etc/hosts; cat /etc/hosts | wc -l");
    spec["mask"] = json!([world.dir.join("etc/hosts")]);
    assert_eq!(out(&world.run(&spec)), "2\n");
    // A working directory in there would be a way round it.
    let mut spec = world.spec("cat secret");
    spec["cwd"] = json!(runtime);
    let said = complaint(&world.run(&spec), 125);
    assert!(said.contains("hidden from containers"), "{said}");
}
