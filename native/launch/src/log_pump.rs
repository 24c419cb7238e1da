//! From the pipes of a detached command to its log file: one JSON object a line.
//!
//! `{"time":"…","stream":"stdout","data":"…"}`. `data` holds the line's newline too, so that all `data` of a stream one after
//! the other are the bytes that were written. What is not UTF-8 is in base64, with `"b64":true`.
//!
//! # Limits
//!
//! A line longer than [`MAX_LINE`] is cut into records of that length. A line that is not finished is written when nothing
//! followed for [`PATIENCE`] (a prompt), never in the middle of a UTF-8 character unless that is all there is. A log that
//! cannot be written to (a full disk) loses lines; it never stops the command: the next record that fits is preceded by
//! a record on stderr that says how many were lost.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::{base64, clock};

pub(crate) const MAX_LINE: usize = 16 * 1024;
const PATIENCE: Duration = Duration::from_millis(100);
const READ_SIZE: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StreamName {
    Stdout,
    Stderr,
}

#[derive(Debug)]
pub(crate) struct LogPump {
    sink: Sink,
    streams: Vec<Stream>,
}

#[derive(Debug)]
struct Stream {
    name: StreamName,
    source: File,
    line: Vec<u8>,
    /// When an unfinished line is written as it is.
    flush_at: Option<Instant>,
}

impl LogPump {
    pub(crate) fn open(path: &Path, sources: Vec<(StreamName, OwnedFd)>) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        let streams = sources
            .into_iter()
            .map(|(name, fd)| Stream { name, source: File::from(fd), line: Vec::new(), flush_at: None })
            .collect();
        Ok(Self { sink: Sink { file: Box::new(file), lost: 0, torn: false }, streams })
    }

    /// The descriptors to wait for; their places are what [`Self::pump`] takes.
    pub(crate) fn sources(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.streams.iter().map(|stream| stream.source.as_fd())
    }

    pub(crate) fn is_done(&self) -> bool {
        self.streams.is_empty()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.streams.iter().filter_map(|stream| stream.flush_at).min()
    }

    /// Takes what is there on the sources that are ready, one read each, so that no stream starves the rest.
    pub(crate) fn pump(&mut self, ready: &[usize], now: Instant) {
        let mut buffer = vec![0; READ_SIZE];
        let mut ended = Vec::new();
        for place in ready {
            let Some(stream) = self.streams.get_mut(*place) else { continue };
            match stream.source.read(&mut buffer) {
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                // The end; a pseudo terminal's is EIO.
                Ok(0) | Err(_) => {
                    stream.end(&mut self.sink);
                    ended.push(*place);
                }
                Ok(length) => stream.take(&buffer[..length], &mut self.sink, now),
            }
        }
        let mut place = 0;
        self.streams.retain(|_| {
            place += 1;
            !ended.contains(&(place - 1))
        });
        for stream in &mut self.streams {
            if stream.flush_at.is_some_and(|at| at <= now) {
                stream.flush_unfinished(&mut self.sink);
            }
        }
    }

    /// Writes what is left, finished or not.
    pub(crate) fn finish(&mut self) {
        for mut stream in self.streams.drain(..) {
            stream.end(&mut self.sink);
        }
    }
}

impl Stream {
    fn take(&mut self, bytes: &[u8], sink: &mut Sink, now: Instant) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            while self.line.len() > MAX_LINE {
                let cut = whole_characters(&self.line[..MAX_LINE]);
                self.write_first(cut, sink);
            }
            if self.line.last() == Some(&b'\n') {
                self.write_first(self.line.len(), sink);
            }
        }
        self.flush_at = if self.line.is_empty() { None } else { Some(now + PATIENCE) };
    }

    fn flush_unfinished(&mut self, sink: &mut Sink) {
        self.flush_at = None;
        self.write_first(whole_characters(&self.line), sink);
    }

    fn end(&mut self, sink: &mut Sink) {
        if !self.line.is_empty() {
            self.write_first(self.line.len(), sink);
        }
    }

    fn write_first(&mut self, length: usize, sink: &mut Sink) {
        sink.write(self.name, &self.line[..length]);
        self.line.drain(..length);
    }
}

/// The length without a UTF-8 character that is cut off at the end; all of it when it is not that.
fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => error.valid_up_to(),
        _ => bytes.len(),
    }
}

struct Sink {
    file: Box<dyn Write>,
    /// Records that could not be written.
    lost: u64,
    /// The last record was written in part: the next one starts a line of its own.
    torn: bool,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("lost", &self.lost).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Record<'a> {
    time: String,
    stream: StreamName,
    data: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    b64: bool,
}

impl Sink {
    fn write(&mut self, stream: StreamName, bytes: &[u8]) {
        if self.lost > 0 {
            let note = format!("unet: {} log records were lost: the log could not be written\n", self.lost);
            if self.append(StreamName::Stderr, note.as_bytes()).is_err() {
                self.lost += 1;
                return;
            }
            self.lost = 0;
        }
        if self.append(stream, bytes).is_err() {
            self.lost += 1;
        }
    }

    fn append(&mut self, stream: StreamName, bytes: &[u8]) -> io::Result<()> {
        let encoded;
        let (data, b64) = match std::str::from_utf8(bytes) {
            Ok(text) => (text, false),
            Err(_) => {
                encoded = base64::encode(bytes);
                (encoded.as_str(), true)
            }
        };
        let mut line = if self.torn { vec![b'\n'] } else { Vec::new() };
        serde_json::to_writer(&mut line, &Record { time: clock::now_rfc3339(), stream, data, b64 })?;
        line.push(b'\n');
        let mut rest = line.as_slice();
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                Ok(written) => {
                    rest = &rest[written..];
                    self.torn = !rest.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::sync::{Arc, Mutex};

    /// A file that can be full.
    #[derive(Clone, Default)]
    struct Disk {
        text: Arc<Mutex<Vec<u8>>>,
        full: Arc<Mutex<bool>>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if *self.full.lock().unwrap() {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.text.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Disk {
        fn records(&self) -> Vec<Value> {
            let text = String::from_utf8(self.text.lock().unwrap().clone()).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }

        fn data(&self) -> Vec<String> {
            self.records().iter().map(|record| record["data"].as_str().unwrap().to_owned()).collect()
        }
    }

    fn pump() -> (LogPump, io::PipeWriter, Disk) {
        let (reader, writer) = io::pipe().unwrap();
        let disk = Disk::default();
        let stream = Stream {
            name: StreamName::Stdout,
            source: File::from(OwnedFd::from(reader)),
            line: Vec::new(),
            flush_at: None,
        };
        let sink = Sink { file: Box::new(disk.clone()), lost: 0, torn: false };
        (LogPump { sink, streams: vec![stream] }, writer, disk)
    }

    #[test]
    fn lines_come_whole_whatever_the_writes_were() {
        let (mut pump, mut writer, disk) = pump();
        let now = Instant::now();
        for part in ["on", "e\ntwo\nth", "ree\n"] {
            writer.write_all(part.as_bytes()).unwrap();
            pump.pump(&[0], now);
        }
        assert_eq!(disk.data(), ["one\n", "two\n", "three\n"]);
        assert_eq!(pump.deadline(), None);
    }

    #[test]
    fn a_prompt_is_shown_after_a_while_and_not_before() {
        let (mut pump, mut writer, disk) = pump();
        let now = Instant::now();
        writer.write_all("näme: ".as_bytes()).unwrap();
        writer.write_all(&"ä".as_bytes()[..1]).unwrap();
        pump.pump(&[0], now);
        assert!(disk.data().is_empty());
        let deadline = pump.deadline().unwrap();
        pump.pump(&[], deadline);
        assert_eq!(disk.data(), ["näme: "], "the cut character waits for its other half");
        writer.write_all(&"ä".as_bytes()[1..]).unwrap();
        drop(writer);
        pump.pump(&[0], deadline);
        pump.pump(&[0], deadline);
        assert_eq!(disk.data(), ["näme: ", "ä"]);
        assert!(pump.is_done());
    }

    #[test]
    fn a_line_without_end_is_cut_and_nothing_is_lost() {
        let (mut pump, mut writer, disk) = pump();
        let text = "é".repeat(MAX_LINE);
        let bytes = text.clone();
        let writing = std::thread::spawn(move || writer.write_all(bytes.as_bytes()).unwrap());
        while !pump.is_done() {
            pump.pump(&[0], Instant::now());
            assert!(pump.streams.iter().all(|stream| stream.line.capacity() <= 2 * MAX_LINE + READ_SIZE));
        }
        writing.join().unwrap();
        assert_eq!(disk.data().concat(), text);
        assert!(disk.data().iter().all(|data| data.len() <= MAX_LINE));
    }

    #[test]
    fn bytes_that_are_no_text_are_marked() {
        let (mut pump, mut writer, disk) = pump();
        writer.write_all(b"\xff\xfe\xfd\nplain\n").unwrap();
        pump.pump(&[0], Instant::now());
        let records = disk.records();
        assert_eq!(records[0]["b64"], true);
        assert_eq!(records[0]["data"], "//79Cg==");
        assert_eq!(records[1].get("b64"), None);
        assert_eq!(records[1]["stream"], "stdout");
    }

    #[test]
    fn a_full_disk_loses_lines_and_says_so() {
        let (mut pump, mut writer, disk) = pump();
        *disk.full.lock().unwrap() = true;
        writer.write_all(b"a\nb\n").unwrap();
        pump.pump(&[0], Instant::now());
        *disk.full.lock().unwrap() = false;
        writer.write_all(b"c\n").unwrap();
        pump.pump(&[0], Instant::now());
        assert_eq!(disk.data().len(), 2);
        assert!(disk.data()[0].contains("2 log records were lost"));
        assert_eq!(disk.data()[1], "c\n");
    }
}
