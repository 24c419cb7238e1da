//! Detached containers: a supervisor that nobody waits for.
//!
//! The launcher forks the supervisor and waits until it says that the command runs, or why it does not; then it ends with 0 or with
//! the failure's status. The supervisor is in a session of its own, has /dev/null as its standard descriptors (so that nobody
//! who reads the launcher's output waits for it), `/` as its directory, and depends on no other process.

use std::fs::File;
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::os::fd::AsFd;

use serde::{Deserialize, Serialize};
use unet_sys::fork::{Parent, end_child, fork};
use unet_sys::{execute, terminal};

use crate::failure::{Failure, Result, Step};
use crate::spec::Spec;
use crate::supervisor::{self, Reporter};
use crate::{say, stdio};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum News {
    Warning(String),
    Started,
    Failed(Failure),
}

/// Starts the spec's supervisor and returns when the command runs.
pub(crate) fn start(spec: &Spec) -> Result<()> {
    let (news, teller) = io::pipe().step("cannot start the supervisor")?;
    match fork(Parent::Caller) {
        Ok(None) => {
            drop(news);
            end_child(|| supervise(spec, teller))
        }
        Ok(Some(_)) => {
            drop(teller);
            hear(news)
        }
        Err(error) => Err(Failure::own(format_args!("cannot start the supervisor: {error}"))),
    }
}

/// Reads no further than the end of the story: init has a copy of the pipe's other end, so the end of the pipe is that of the guest.
fn hear(news: PipeReader) -> Result<()> {
    for line in BufReader::new(news).lines() {
        let line = line.step("cannot hear the supervisor")?;
        match serde_json::from_str(&line).step("cannot understand the supervisor")? {
            News::Warning(text) => say::warning(&text),
            News::Started => return Ok(()),
            News::Failed(failure) => return Err(failure),
        }
    }
    Err(Failure::own("the container's supervisor was killed before the command was started"))
}

fn supervise(spec: &Spec, teller: PipeWriter) -> i32 {
    let mut teller = Teller(Some(teller));
    let result = leave_caller()
        .and_then(|()| stdio::make(spec))
        .step("cannot detach from the caller")
        .and_then(|(standard, sources)| supervisor::run(spec, standard, sources, &mut teller));
    if let Err(failure) = &result {
        teller.tell(&News::Failed(failure.clone()));
    }
    supervisor::status_of(&result)
}

fn leave_caller() -> io::Result<()> {
    terminal::new_session()?;
    std::env::set_current_dir("/")?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    (0..=2).try_for_each(|number| execute::replace_standard(null.as_fd(), number))
}

/// Tells the waiting launcher; silent once it was told of the start.
struct Teller(Option<PipeWriter>);

impl Teller {
    fn tell(&mut self, news: &News) {
        if let (Some(pipe), Ok(mut line)) = (&mut self.0, serde_json::to_vec(news)) {
            line.push(b'\n');
            // A launcher that was killed needs no news.
            let _ = pipe.write_all(&line);
        }
    }
}

impl Reporter for Teller {
    fn warn(&mut self, text: &str) {
        self.tell(&News::Warning(text.to_owned()));
    }

    fn started(&mut self) {
        self.tell(&News::Started);
        self.0 = None;
    }
}
