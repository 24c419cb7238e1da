//! The engine's side of the hand-over, as short as it can be.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use unet_sys::fdpass;

use super::PATIENCE;

/// What the engine says to an attach.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Go,
    /// "ready", and then nothing until [`Engine::say`].
    Ready,
    Refuse,
    Abort(&'static str),
    /// "ready", and the connection ends.
    HangUp,
}

pub(crate) struct Engine {
    path: PathBuf,
    messages: Receiver<Value>,
    shared: Arc<Mutex<Shared>>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// A handle of the latest connection.
    connection: Option<OwnedFd>,
    tap: Option<OwnedFd>,
    stopped: bool,
}

impl Engine {
    pub(crate) fn listen(path: &Path, answer: Answer) -> Self {
        let _ = std::fs::remove_file(path);
        let listener = fdpass::listen_at(path, 8, true).unwrap();
        let (sender, messages) = channel();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &answer, &sender, &shared)
        });
        Self { path: path.to_owned(), messages, shared, accepting: Some(accepting) }
    }

    /// The next message of this type; others are passed over.
    pub(crate) fn expect(&self, kind: &str) -> Value {
        let limit = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            let left = limit.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left);
            let message = message.unwrap_or_else(|_| panic!("no {kind:?}; there was {seen:?}"));
            if message["type"] == kind {
                return message;
            }
            seen.push(message);
        }
    }

    pub(crate) fn heard(&self) -> Vec<Value> {
        self.messages.try_iter().collect()
    }

    pub(crate) fn say(&self, message: &Value) {
        let shared = self.shared.lock().unwrap();
        fdpass::send(shared.connection.as_ref().unwrap().as_fd(), message.to_string().as_bytes(), None, false).unwrap();
    }

    /// Dies as a killed process does: every descriptor at once.
    pub(crate) fn die(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.stopped = true;
            shared.connection = None;
            shared.tap = None;
        }
        if let Some(accepting) = self.accepting.take() {
            let result = accepting.join();
            assert!(result.is_ok() || std::thread::panicking(), "the engine's thread failed");
        }
        let _ = std::fs::remove_file(&self.path);
    }

    /// The TAP's descriptor, as it was handed over.
    pub(crate) fn tap(&self) -> std::fs::File {
        let shared = self.shared.lock().unwrap();
        shared.tap.as_ref().expect("no TAP yet").try_clone().unwrap().into()
    }

    /// Reads frames, answers echo requests to the gateway, until one was answered. Gives all frames, with their vnet headers.
    pub(crate) fn answer_one_ping(&self, header: usize) -> Vec<Vec<u8>> {
        let mut tap = self.tap();
        let mut frames = Vec::new();
        let limit = Instant::now() + PATIENCE;
        loop {
            wait_readable(&tap, limit);
            let mut frame = vec![0; 65_536 + 64];
            let length = tap.read(&mut frame).unwrap();
            frame.truncate(length);
            let reply = echo_reply(&frame, header);
            frames.push(frame);
            if let Some(reply) = reply {
                tap.write_all(&reply).unwrap();
                return frames;
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

fn wait_readable(tap: &std::fs::File, limit: Instant) {
    let mut waiting = [unet_sys::wait::Waiting::to_read(tap.as_fd())];
    unet_sys::wait::wait(&mut waiting, Some(limit.saturating_duration_since(Instant::now()))).unwrap();
    assert!(waiting[0].is_ready(), "no frame came");
}

/// An echo request turned round: addresses swapped, type 8 to 0, checksum mended.
fn echo_reply(frame: &[u8], header: usize) -> Option<Vec<u8>> {
    let packet = frame.get(header..)?;
    let is_echo =
        packet.len() >= 42 && packet[12..14] == [8, 0] && packet[14] == 0x45 && packet[23] == 1 && packet[34] == 8;
    if !is_echo {
        return None;
    }
    let mut reply = vec![0; header];
    reply.extend_from_slice(&packet[6..12]);
    reply.extend_from_slice(&packet[..6]);
    reply.extend_from_slice(&packet[12..26]);
    reply.extend_from_slice(&packet[30..34]);
    reply.extend_from_slice(&packet[26..30]);
    reply.extend_from_slice(&packet[34..]);
    let icmp = header + 34;
    reply[icmp] = 0;
    let sum = u32::from(u16::from_be_bytes([packet[36], packet[37]])) + 0x0800;
    let sum = (sum & 0xffff) + (sum >> 16);
    reply[icmp + 2..icmp + 4].copy_from_slice(&(sum as u16).to_be_bytes());
    Some(reply)
}

fn accept(listener: &OwnedFd, answer: &Answer, sender: &Sender<Value>, shared: &Mutex<Shared>) {
    let mut connections: Vec<OwnedFd> = Vec::new();
    loop {
        if shared.lock().unwrap().stopped {
            return;
        }
        if let Ok(connection) = fdpass::accept(listener.as_fd(), true) {
            shared.lock().unwrap().connection = Some(connection.try_clone().unwrap());
            connections.push(connection);
        }
        let mut ended = Vec::new();
        for (place, connection) in connections.iter().enumerate() {
            let mut buffer = vec![0; fdpass::MAX_PACKET];
            match fdpass::receive(connection.as_fd(), &mut buffer, true) {
                Ok(Some(packet)) => {
                    let message: Value = serde_json::from_slice(&buffer[..packet.length]).unwrap();
                    let attach = message["type"] == "attach";
                    if attach {
                        shared.lock().unwrap().tap = Some(packet.fd.expect("an attach brings a TAP"));
                        for word in words(answer) {
                            let _ = fdpass::send(connection.as_fd(), word.to_string().as_bytes(), None, false);
                        }
                    } else {
                        assert!(packet.fd.is_none(), "only an attach brings a descriptor");
                    }
                    let _ = sender.send(message);
                    if attach && *answer == Answer::HangUp {
                        ended.push(place);
                    }
                }
                Ok(None) => {
                    let _ = sender.send(json!({"type": "end"}));
                    ended.push(place);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
        for place in ended.into_iter().rev() {
            connections.remove(place);
            shared.lock().unwrap().connection = connections.last().map(|connection| connection.try_clone().unwrap());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn words(answer: &Answer) -> Vec<Value> {
    let ready = json!({"type": "ready"});
    match answer {
        Answer::Go => vec![ready, json!({"type": "go"})],
        Answer::Ready | Answer::HangUp => vec![ready],
        Answer::Refuse => vec![json!({"type": "refused", "reason": "the ticket is not known"})],
        Answer::Abort(message) => vec![ready, json!({"type": "abort", "message": message})],
    }
}
