//! The command line: a subcommand, an address, and options in any order.

use std::net::SocketAddr;
use std::time::Duration;

use crate::failure::Result;

/// Shorter says nothing, and longer than anybody measures is a slip of the finger.
const MIN_SECONDS: f64 = 0.1;
const MAX_SECONDS: f64 = 3600.0;

pub(crate) struct Args {
    words: Vec<String>,
}

impl Args {
    pub(crate) fn new(words: impl Iterator<Item = String>) -> Self {
        Self { words: words.collect() }
    }

    /// The next word that is no option; empty when there is none.
    pub(crate) fn word(&mut self) -> String {
        if self.words.is_empty() { String::new() } else { self.words.remove(0) }
    }

    pub(crate) fn address(&mut self) -> Result<SocketAddr> {
        let word = self.word();
        word.parse().map_err(|_| format!("'{word}' is no ADDR:PORT (numbers, no names)").into())
    }

    /// Whether an option without a value is there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        self.words.len() < before
    }

    pub(crate) fn option(&mut self, name: &str) -> Result<Option<String>> {
        let Some(at) = self.words.iter().position(|word| word == name) else { return Ok(None) };
        if at + 1 >= self.words.len() {
            return Err(format!("{name} needs a value").into());
        }
        self.words.remove(at);
        Ok(Some(self.words.remove(at)))
    }

    /// A number from 1 to `most`.
    pub(crate) fn number(&mut self, name: &str, most: u64, otherwise: Option<u64>) -> Result<u64> {
        let Some(text) = self.option(name)? else {
            return otherwise.ok_or_else(|| format!("{name} is missing").into());
        };
        match text.parse() {
            Ok(number) if (1..=most).contains(&number) => Ok(number),
            _ => Err(format!("{name} {text}: give a number from 1 to {most}").into()),
        }
    }

    /// `--seconds`, with a fraction where it must be.
    pub(crate) fn seconds(&mut self) -> Result<Duration> {
        let text = self.option("--seconds")?.ok_or("--seconds is missing")?;
        match text.parse() {
            Ok(seconds) if (MIN_SECONDS..=MAX_SECONDS).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
            _ => Err(format!("--seconds {text}: give a number from {MIN_SECONDS} to {MAX_SECONDS}").into()),
        }
    }

    /// Everything must have been asked for by now.
    pub(crate) fn end(&self) -> Result<()> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => Err(format!("'{word}' is not understood here").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Args;

    fn args(line: &str) -> Args {
        Args::new(line.split_whitespace().map(String::from))
    }

    #[test]
    fn options_come_in_any_order() {
        let mut args = args("127.0.0.1:80 --reset --seconds 3.5 --clients 64");
        assert_eq!(args.address().unwrap().port(), 80);
        assert_eq!(args.number("--clients", 100, Some(1)).unwrap(), 64);
        assert!(args.flag("--reset"));
        assert!(!args.flag("--reset"));
        assert_eq!(args.seconds().unwrap().as_millis(), 3500);
        args.end().unwrap();
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let error = |text: &str, read: fn(&mut Args) -> crate::failure::Result<u64>| {
            read(&mut args(text)).unwrap_err().to_string()
        };
        assert!(error("--clients 0", |args| args.number("--clients", 9, None)).contains("from 1 to 9"));
        assert!(error("--clients 10", |args| args.number("--clients", 9, None)).contains("from 1 to 9"));
        assert!(error("--clients", |args| args.number("--clients", 9, None)).contains("needs a value"));
        assert!(error("", |args| args.number("--clients", 9, None)).contains("is missing"));
        for wrong in ["--seconds 0", "--seconds 1e9", "--seconds NaN", "--seconds soon"] {
            assert!(error(wrong, |args| args.seconds().map(|_| 0)).contains("from 0.1 to 3600"));
        }
        assert!(error("localhost:80", |args| args.address().map(|_| 0)).contains("no ADDR:PORT"));
        assert!(error("--what", |args| args.end().map(|()| 0)).contains("'--what'"));
    }
}
