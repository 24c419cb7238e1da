//! A real shell on a pseudo terminal, whose job the launcher is: keys, job control, and who has the terminal afterwards.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::Child;
use std::time::Instant;

use support::engine::Answer;
use support::{PATIENCE, World, kill, text};
use unet_sys::terminal::PseudoTerminal;
use unet_sys::wait::{Waiting, wait};

/// An interactive bash, and what it has said.
struct Shell {
    terminal: File,
    said: String,
    child: Child,
}

impl Shell {
    fn start(world: &World) -> Self {
        let pair = PseudoTerminal::open(24, 200).unwrap();
        let slave = File::from(pair.slave);
        let mut command = world.as_user("setsid");
        command.args(["--ctty", "--wait", "bash", "--norc", "--noediting", "-i"]);
        command.current_dir(&world.dir).env("PS1", "PROMPT>").env("TERM", "dumb");
        let child =
            command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave).spawn().unwrap();
        let mut shell = Self { terminal: File::from(pair.master), said: String::new(), child };
        shell.expect("PROMPT>");
        shell
    }

    fn type_(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the words were said, and forgets everything up to them.
    fn expect(&mut self, words: &str) -> String {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(place) = self.said.find(words) {
                let before = self.said[..place].to_owned();
                self.said.drain(..place + words.len());
                return before;
            }
            let mut waiting = [Waiting::to_read(self.terminal.as_fd())];
            wait(&mut waiting, Some(limit.saturating_duration_since(Instant::now()))).unwrap();
            assert!(waiting[0].is_ready(), "no {words:?} in {:?}", self.said);
            let mut buffer = [0; 4096];
            let length = self.terminal.read(&mut buffer).unwrap_or(0);
            assert!(length > 0, "the shell ended; no {words:?} in {:?}", self.said);
            self.said += &text(&buffer[..length]);
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        kill(self.child.id() as i32, 9);
        let _ = self.child.wait();
    }
}

#[test]
fn keys_and_job_control() {
    let Some(world) = World::new() else { return };
    let engine = world.engine(Answer::Go);
    let mut shell = Shell::start(&world);

    // Ctrl-C, at a command that says how often it was interrupted.
    let words = world.launch_words(&world.spec("trap 'echo interrupted' INT; echo up; sleep 3 & wait; wait; exit 4"));
    shell.type_(&format!("{words}\n"));
    shell.expect("up\r\n");
    shell.type_("\x03");
    let before = shell.expect("PROMPT>");
    assert_eq!(before.matches("interrupted").count(), 1, "{before:?}");
    shell.type_("echo status=$?\n");
    shell.expect("status=4\r\n");

    // Ctrl-C at one that does not mind.
    let words = world.launch_words(&world.spec("echo up; exec sleep 1000"));
    shell.type_(&format!("{words}\n"));
    shell.expect("up\r\n");
    shell.type_("\x03");
    shell.expect("PROMPT>");
    shell.type_("echo status=$?\n");
    shell.expect("status=130\r\n");
    shell.expect("PROMPT>");
    engine.expect("exited");

    // Ctrl-Z, fg, input, Ctrl-D.
    let words = world.launch_words(&world.spec("echo up; while read line; do echo \"<$line>\"; done; exit 5"));
    shell.type_(&format!("{words}\n"));
    shell.expect("up\r\n");
    shell.type_("\x1a");
    shell.expect("Stopped");
    shell.expect("PROMPT>");
    // The shell knows that the launcher has stopped; the command has been told at the same time and may be a moment later.
    std::thread::sleep(std::time::Duration::from_millis(200));
    shell.type_("echo in between\n");
    shell.expect("in between\r\nPROMPT>");
    shell.type_("fg\n");
    shell.expect("--spec-fd");
    shell.expect("\r\n");
    shell.type_("hello\n");
    shell.expect("<hello>\r\n");
    shell.type_("\x04");
    shell.expect("PROMPT>");
    shell.type_("echo status=$?\n");
    shell.expect("status=5\r\n");

    // In the background it is stopped when it reads.
    let words = world.launch_words(&world.spec("echo up; read line; echo \"<$line>\""));
    shell.type_(&format!("{words} &\n"));
    shell.expect("up\r\n");
    // A shell tells of it before its next prompt.
    std::thread::sleep(std::time::Duration::from_millis(500));
    shell.type_("\n");
    shell.expect("Stopped");
    shell.type_("fg\n");
    shell.expect("--spec-fd");
    shell.expect("\r\n");
    shell.type_("back\n");
    shell.expect("<back>\r\n");
}

#[test]
fn a_shell_inside_has_job_control_and_gives_the_terminal_back() {
    let Some(world) = World::new() else { return };
    let _engine = world.engine(Answer::Go);
    let mut shell = Shell::start(&world);
    let mut spec = world.spec("");
    spec["argv"] = serde_json::json!(["bash", "--norc", "--noediting", "-i"]);
    spec["env"]["PS1"] = serde_json::json!("INSIDE>");
    spec["env"]["TERM"] = serde_json::json!("dumb");
    let words = world.launch_words(&spec);
    shell.type_(&format!("{words}; echo status=$?\n"));
    let before = shell.expect("INSIDE>");
    assert!(!before.contains("no job control"), "{before:?}");
    shell.type_("sleep 1000\n");
    std::thread::sleep(std::time::Duration::from_millis(300));
    shell.type_("\x1a");
    shell.expect("Stopped");
    shell.expect("INSIDE>");
    std::thread::sleep(std::time::Duration::from_millis(200));
    shell.type_("kill %1; fg; stty size\n");
    shell.expect("24 200");
    shell.expect("INSIDE>");
    shell.type_("sleep 1000\n");
    std::thread::sleep(std::time::Duration::from_millis(300));
    shell.type_("\x03");
    shell.expect("INSIDE>");
    shell.type_("exit 3\n");
    shell.expect("status=3\r\n");
    shell.expect("PROMPT>");
    // A script, which does not take the terminal by itself as an interactive shell does.
    let mut inner = world.spec("");
    inner["argv"] = spec["argv"].clone();
    inner["env"] = spec["env"].clone();
    let words = world.launch_words(&inner);
    shell.type_(&format!("sh -c \"{words}; read line; echo got \\$line\"\n"));
    shell.expect("INSIDE>");
    shell.type_("exit\n");
    shell.expect("exit\r\n");
    shell.type_("words\n");
    shell.expect("got words\r\n");
    shell.expect("PROMPT>");
}
