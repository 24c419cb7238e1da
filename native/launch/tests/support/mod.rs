//! A place to launch in: a directory of an ordinary user, an engine that is a few lines long, and a spec to change.
//!
//! The launcher always runs as an ordinary user. When the tests run as root, they give it the ids [`ORDINARY_USER`].
//! Where namespaces or /dev/net/tun are out of reach, a test prints `SKIP: reason` and passes; CI counts those lines as failures.

#![allow(dead_code, reason = "every test program uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub(crate) mod engine;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use engine::{Answer, Engine};

/// Nobody's: not in any passwd file, and not the overflow id.
const ORDINARY_USER: u32 = 64_999;

/// How long anything here may take before it counts as hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const ADDRESS: &str = "172.17.0.2";
pub(crate) const GATEWAY: &str = "172.17.0.1";
pub(crate) const MAC: &str = "02:42:ac:11:00:02";
pub(crate) const GATEWAY_MAC: &str = "02:42:ac:11:00:01";

pub(crate) struct World {
    /// Ours to write, the user's too, visible inside.
    pub(crate) dir: PathBuf,
    pub(crate) uid: u32,
    launcher: PathBuf,
}

impl World {
    /// `None`, and a line that says why, where the launcher cannot work.
    pub(crate) fn new() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("unet-launch-test-{}-{number}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        let own_uid = fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own)).unwrap();
        let built = PathBuf::from(env!("CARGO_BIN_EXE_unet-launch"));
        let world = if own_uid == 0 {
            chown(&dir, Some(ORDINARY_USER), Some(ORDINARY_USER)).unwrap();
            // The build directory may be closed to that user.
            let launcher = dir.join("unet-launch");
            // Not by this process: another test's fork would hold the copy open for writing, and executing it is ETXTBSY then.
            assert!(Command::new("cp").arg(built).arg(&launcher).status().unwrap().success());
            Self { dir, uid: ORDINARY_USER, launcher }
        } else {
            Self { dir, uid: own_uid, launcher: built }
        };
        for name in ["runtime", "etc"] {
            world.make_dir(name);
        }
        world.write("etc/hosts", "172.17.0.2\tinside\n127.0.0.1\tlocalhost\n");
        world.write("etc/hostname", "0123456789ab\n");
        world.write("etc/resolv.conf", "nameserver 172.17.0.1\n");
        world.write("runtime/secret", "not for the guest\n");
        match world.missing() {
            None => Some(world),
            Some(reason) => {
                // Past the capture of the test runner, which println! is subject to.
                let _ = writeln!(std::io::stdout(), "SKIP: {reason}");
                None
            }
        }
    }

    /// What the launcher's own doctor finds missing.
    fn missing(&self) -> Option<String> {
        let output = self.as_user(&self.launcher).arg("doctor").output().unwrap();
        let probes: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let failed = probes.into_iter().find(|probe| probe["ok"] == "fail")?;
        Some(format!("{}: {}", failed["title"].as_str()?, failed["detail"].as_str()?))
    }

    pub(crate) fn as_user(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin").env("LC_ALL", "C");
        command.current_dir("/").stdin(Stdio::null());
        if self.is_root() {
            command.uid(self.uid).gid(self.uid);
        }
        command
    }

    fn is_root(&self) -> bool {
        self.uid == ORDINARY_USER
    }

    pub(crate) fn make_dir(&self, name: &str) -> PathBuf {
        let path = self.dir.join(name);
        fs::create_dir(&path).unwrap();
        self.give(&path);
        path
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.join(name);
        fs::write(&path, text).unwrap();
        self.give(&path);
        path
    }

    fn give(&self, path: &Path) {
        if self.is_root() {
            chown(path, Some(self.uid), Some(self.uid)).unwrap();
        }
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }

    pub(crate) fn handoff(&self) -> PathBuf {
        self.dir.join("runtime/handoff.sock")
    }

    pub(crate) fn engine(&self, answer: Answer) -> Engine {
        let engine = Engine::listen(&self.handoff(), answer);
        self.give(&self.handoff());
        engine
    }

    /// A spec that works, for `script` in a shell.
    pub(crate) fn spec(&self, script: &str) -> Value {
        json!({
            "version": 1,
            "ticket": "0badc0de",
            "containerId": "ab".repeat(32),
            "name": "web",
            "handoffSocket": self.handoff(),
            "detach": false,
            "logFile": null,
            "exitFile": null,
            "stdin": "inherit",
            "tty": false,
            "user": "self",
            "hostname": "0123456789ab",
            "interface": {
                "name": "eth0", "mac": MAC, "address": ADDRESS, "prefixLength": 16,
                "gateway": GATEWAY, "gatewayMac": GATEWAY_MAC, "mtu": 1500, "txQueueLength": 4096
            },
            "offload": true,
            "etc": {
                "hosts": self.dir.join("etc/hosts"),
                "hostname": self.dir.join("etc/hostname"),
                "resolv.conf": self.dir.join("etc/resolv.conf")
            },
            "mask": [self.dir.join("runtime")],
            "cwd": self.dir,
            "env": {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", "MARK": "kept"},
            "argv": ["sh", "-c", script]
        })
    }

    pub(crate) fn detached(&self, script: &str) -> Value {
        let mut spec = self.spec(script);
        spec["detach"] = json!(true);
        spec["stdin"] = json!("null");
        spec["logFile"] = json!(self.dir.join("output.log"));
        spec["exitFile"] = json!(self.dir.join("exit.json"));
        spec
    }

    /// The words of a shell that start the launcher with this spec on descriptor 3.
    pub(crate) fn launch_words(&self, spec: &Value) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("spec-{}.json", NUMBER.fetch_add(1, Ordering::Relaxed));
        let file = self.write(&name, &spec.to_string());
        format!("'{}' run --spec-fd 3 3<'{}'", self.launcher.display(), file.display())
    }

    pub(crate) fn command(&self, spec: &Value) -> Command {
        self.shell(&format!("exec {}", self.launch_words(spec)))
    }

    pub(crate) fn shell(&self, script: &str) -> Command {
        let mut command = self.as_user("sh");
        command.arg("-c").arg(script);
        command
    }

    /// A shell that is root in namespaces of its own, as a machine on which things can be changed. It has the
    /// user's own id, and capabilities only in there.
    pub(crate) fn other_machine(&self, script: &str) -> Command {
        let mut command = self.as_user("unshare");
        command
            .args(["--user", "--mount", "--keep-caps"])
            .arg(format!("--map-user={}", self.uid))
            .arg(format!("--map-group={}", self.uid))
            .args(["sh", "-c", script]);
        command
    }

    pub(crate) fn run(&self, spec: &Value) -> Output {
        finish(self.command(spec).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // What a failing test left is worth a look.
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// Waits for a child, for [`PATIENCE`] at most.
pub(crate) fn finish(mut child: Child) -> Output {
    let limit = Instant::now() + PATIENCE;
    let pid = child.id();
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    // The output has to be read meanwhile, which wait_with_output does; a watchdog ends a child that hangs.
    let watchdog = std::thread::spawn(move || {
        let hangs = receiver.recv_timeout(limit.saturating_duration_since(Instant::now())).is_err();
        if hangs {
            kill(pid as i32, 9);
        }
        hangs
    });
    child.stdin.take();
    let output = child.wait_with_output().unwrap();
    let _ = sender.send(());
    assert!(!watchdog.join().unwrap(), "hangs; it said: {}", text(&output.stderr));
    output
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, text(&output.stderr));
    text(&output.stdout)
}

/// A failure of our own: one line on stderr.
pub(crate) fn complaint(output: &Output, code: i32) -> String {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.starts_with("unet: ") && said.ends_with('\n') && said.lines().count() == 1, "{said:?}");
    said
}

pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < limit, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn is_alive(pid: i32) -> bool {
    // A zombie is not alive; its parent may be a test runner that never reaps.
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
}

pub(crate) fn kill(pid: i32, signal: i32) {
    use std::os::fd::AsFd;
    let Some(pid) = unet_sys::namespace::pid(pid) else { return };
    if let Ok(handle) = unet_sys::pidfd::open(pid) {
        let _ = unet_sys::pidfd::send_signal(handle.as_fd(), signal);
    }
}
