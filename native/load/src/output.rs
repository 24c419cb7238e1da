//! What is said on standard output: `ready`, or one line of JSON.

use std::io::{self, Write};

use serde::Serialize;

use crate::failure::Result;

/// A server listens.
pub(crate) fn ready() -> Result<()> {
    line("ready")
}

pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string(value)?)
}

pub(crate) fn complain(text: &str) {
    // Whoever closed standard error does not want to know.
    let _ = writeln!(io::stderr(), "unet-load: {text}");
}

fn line(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
