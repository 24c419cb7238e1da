//! Each pair of server and client over the machine's loopback: what they print is what happened.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_unet-load");
/// A server that does not end by itself within this time does not end.
const PATIENCE: Duration = Duration::from_secs(5);

struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    address: String,
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    fn start(kind: &str) -> Self {
        let address = free_address();
        let mut child = Command::new(PROGRAM)
            .args([kind, &address])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unet-load is built with its tests");
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        assert_eq!(line(&mut stdout), "ready");
        Self { child, stdin, address, _stdout: stdout }
    }

    /// By the end of its input, as whoever started it would leave it.
    fn end(mut self) {
        drop(self.stdin.take());
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("still there after its input has ended");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free for TCP a moment ago.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim_end().into()
}

fn output(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).stdin(Stdio::null()).output().unwrap()
}

fn client(args: &[&str]) -> Value {
    let output = output(args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(report: &Value, name: &str) -> f64 {
    report[name].as_f64().unwrap_or_else(|| panic!("no number {name} in {report}"))
}

#[test]
fn round_trips() {
    let server = Server::start("rr-server");
    let report = client(&["rr-client", &server.address, "--seconds", "1"]);
    assert!(number(&report, "roundTrips") > 100.0, "{report}");
    assert!((number(&report, "seconds") - 1.0).abs() < 0.5, "{report}");
    let [p50, p99, p999] = ["p50", "p99", "p999"].map(|name| number(&report["microseconds"], name));
    assert!(0.0 < p50 && p50 <= p99 && p99 <= p999, "{report}");
    server.end();
}

#[test]
fn short_connections_one_after_another_and_side_by_side() {
    let server = Server::start("conn-server");
    for (clients, more) in [("1", &["--reset"][..]), ("16", &["--reset"]), ("1", &[]), ("16", &[])] {
        let words = [&["conn-client", &server.address, "--seconds", "1", "--clients", clients], more].concat();
        let report = client(&words);
        assert!(number(&report, "connections") > 100.0, "{report}");
        assert_eq!((number(&report, "errors"), number(&report, "stuck")), (0.0, 0.0), "{report}");
        assert_eq!(report["reset"], !more.is_empty());
    }
    server.end();
}

#[test]
fn datagrams_at_a_rate_all_arrive() {
    let server = Server::start("udp-receive");
    for more in [&[][..], &["--segment"]] {
        let words =
            [&["udp-send", &server.address, "--size", "1200", "--seconds", "1", "--rate", "2000"], more].concat();
        let report = client(&words);
        // Of 2000 asked for; a machine that was busy elsewhere does not send them all, but what it says must add up.
        let (sent, delivered) = (number(&report, "sent"), number(&report, "delivered"));
        assert!((100.0..=2000.0).contains(&sent), "{report}");
        assert!((number(&report, "loss") - (1.0 - delivered / sent)).abs() < 1e-9, "{report}");
        assert!(delivered > 0.9 * sent, "{report}");
        assert_eq!((number(&report, "malformed"), number(&report, "sendErrors")), (0.0, 0.0), "{report}");
        assert_eq!(report["segment"], !more.is_empty());
    }
    server.end();
}

#[test]
fn datagrams_at_full_speed_are_counted() {
    let server = Server::start("udp-receive");
    for more in [&[][..], &["--segment"]] {
        let words = [&["udp-send", &server.address, "--size", "64", "--seconds", "1"], more].concat();
        let report = client(&words);
        assert!(number(&report, "delivered") > 1000.0, "{report}");
        assert!(number(&report, "delivered") <= number(&report, "sent"), "{report}");
        let per_second = number(&report, "deliveredPerSecond");
        assert!((number(&report, "bitsPerSecond") - per_second * 512.0).abs() < 1.0, "{report}");
    }
    server.end();
}

#[test]
fn held_connections_are_all_alive_at_the_end() {
    let server = Server::start("hold-server");
    let mut client = Command::new(PROGRAM)
        .args(["hold-client", &server.address, "--flows", "500", "--wait"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = client.stdin.take().unwrap();
    let mut stdout = BufReader::new(client.stdout.take().unwrap());
    assert_eq!(line(&mut stdout), "ready");
    stdin.write_all(b"open\n").unwrap();
    let opened: Value = serde_json::from_str(&line(&mut stdout)).unwrap();
    assert_eq!((number(&opened, "open"), number(&opened, "errors")), (500.0, 0.0), "{opened}");
    drop(stdin);
    let kept: Value = serde_json::from_str(&line(&mut stdout)).unwrap();
    assert_eq!((number(&kept, "alive"), number(&kept, "errors")), (500.0, 0.0), "{kept}");
    assert!(client.wait().unwrap().success());
    server.end();
}

#[test]
fn held_connections_that_broke_are_not_alive() {
    let server = Server::start("hold-server");
    let mut client = Command::new(PROGRAM)
        .args(["hold-client", &server.address, "--flows", "50"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(client.stdout.take().unwrap());
    let opened: Value = serde_json::from_str(&line(&mut stdout)).unwrap();
    assert_eq!(number(&opened, "open"), 50.0, "{opened}");
    server.end();
    drop(client.stdin.take());
    let kept: Value = serde_json::from_str(&line(&mut stdout)).unwrap();
    assert_eq!((number(&kept, "alive"), number(&kept, "errors")), (0.0, 50.0), "{kept}");
    assert!(client.wait().unwrap().success());
}

#[test]
fn without_a_server_one_line_says_so() {
    let address = free_address();
    for kind in ["rr-client", "conn-client", "udp-send"] {
        let mut words = vec![kind, &address, "--seconds", "1"];
        if kind == "udp-send" {
            words.extend(["--size", "64"]);
        }
        let output = output(&words);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{kind}");
        assert!(error.contains("onnection refused") && error.lines().count() == 1, "{kind}: {error}");
    }
}

#[test]
fn a_taken_port_is_said() {
    let server = Server::start("rr-server");
    let mut second = Command::new(PROGRAM).args(["rr-server", &server.address]).stderr(Stdio::piped()).spawn().unwrap();
    let mut error = String::new();
    second.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert!(!second.wait().unwrap().success());
    assert!(error.contains(&format!("cannot listen on {}", server.address)), "{error}");
    server.end();
}
