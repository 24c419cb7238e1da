//! The launcher's few words to a person, on stderr: one line each.

use std::io::Write;

pub(crate) fn error(text: &str) {
    line(&format!("unet: {text}"));
}

pub(crate) fn warning(text: &str) {
    line(&format!("unet: warning: {text}"));
}

/// A stderr that is closed is nobody's fault.
fn line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
