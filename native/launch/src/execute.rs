//! The last steps of the command's own process: standard descriptors, signals, limits, exec.
//!
//! RLIMIT_NOFILE: Node raises its own soft limit to the hard one when it starts, and its children inherit that; what the caller's
//! shell had is lost. A high soft limit breaks programs that use select(2) and slows those that close every possible
//! descriptor, which is why 1024 is what systems start with; a program that needs more raises it itself, since the hard limit is
//! left alone. So without a word in the spec (`openFiles`) the soft limit is 1024 at most.

use std::ffi::{CString, OsStr};
use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use unet_sys::signal::{self, Mask};
use unet_sys::{execute, terminal};

use crate::failure::{Failure, NOT_EXECUTABLE, NOT_FOUND, OWN_ERROR};
use crate::spec::Spec;

const SOFT_OPEN_FILES: u64 = 1024;
/// As in a shell whose PATH is unset.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SHELL: &str = "/bin/sh";

/// What the command gets as stdin, stdout and stderr.
#[derive(Debug)]
pub(crate) enum Standard {
    /// The launcher's own.
    Inherit,
    /// Read by the log pump.
    Pipes { stdin: Option<PipeReader>, stdout: PipeWriter, stderr: PipeWriter },
    /// All three, and the controlling terminal.
    Terminal(OwnedFd),
}

/// Becomes the command. Returns only when that failed, after saying so through `report`.
pub(crate) fn run(spec: &Spec, standard: Standard, mask: &Mask, mut report: PipeWriter) -> i32 {
    let failure = match prepare(spec, standard, mask) {
        Ok(()) => become_command(spec),
        Err(error) => Failure::own(format_args!("cannot prepare the command's process: {error}")),
    };
    // Nobody else could be told if this failed.
    let _ = serde_json::to_vec(&failure).map(|text| report.write_all(&text));
    failure.exit_code
}

fn prepare(spec: &Spec, standard: Standard, mask: &Mask) -> io::Result<()> {
    match standard {
        Standard::Inherit => {}
        Standard::Pipes { stdin, stdout, stderr } => {
            // A session of its own: `kill 0` inside must not reach the supervisor.
            terminal::new_session()?;
            if let Some(stdin) = stdin {
                execute::replace_standard(stdin.as_fd(), 0)?;
            }
            execute::replace_standard(stdout.as_fd(), 1)?;
            execute::replace_standard(stderr.as_fd(), 2)?;
        }
        Standard::Terminal(slave) => {
            terminal::take_as_controlling(slave.as_fd())?;
            for number in 0..=2 {
                execute::replace_standard(slave.as_fd(), number)?;
            }
        }
    }
    execute::set_soft_open_files(match spec.open_files {
        Some(soft) => soft,
        None => execute::soft_open_files()?.min(SOFT_OPEN_FILES),
    })?;
    signal::reset(signal::Name::SIGPIPE)?;
    signal::restore_mask(mask)
}

fn become_command(spec: &Spec) -> Failure {
    let name = &spec.argv[0];
    let Ok(arguments) = spec.argv.iter().map(|word| CString::new(word.as_bytes())).collect::<Result<Vec<_>, _>>()
    else {
        return Failure::own("an argument holds a NUL");
    };
    let environment = spec.env.iter().map(|(key, value)| CString::new(format!("{key}={value}")));
    let Ok(environment) = environment.collect::<Result<Vec<_>, _>>() else {
        return Failure::own("an environment variable holds a NUL");
    };
    let mut refused: Option<(PathBuf, io::Error)> = None;
    for path in candidates(name, spec.env.get("PATH").map(String::as_str)) {
        let Ok(c_path) = CString::new(path.as_os_str().as_bytes()) else { continue };
        let error = match execute::execute(&c_path, &arguments, &environment) {
            error if error.raw_os_error() == Some(ENOEXEC) => run_by_shell(&c_path, &arguments, &environment),
            error => error,
        };
        if !means_absent(&error) || path.exists() {
            // The first one that is there is the one that is meant; a shell says so too.
            refused = refused.or(Some((path, error)));
        }
    }
    verdict(name, refused)
}

const ENOEXEC: i32 = 8;

/// A file without `#!` that is no program: a shell script, as execvp(3) has it.
fn run_by_shell(path: &CString, arguments: &[CString], environment: &[CString]) -> io::Error {
    let Ok(shell) = CString::new(SHELL) else { return io::Error::from_raw_os_error(ENOEXEC) };
    let words: Vec<CString> =
        [shell.clone(), path.clone()].into_iter().chain(arguments.iter().skip(1).cloned()).collect();
    execute::execute(&shell, &words, environment)
}

fn means_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The places where a command of this name is looked for.
fn candidates(name: &str, search: Option<&str>) -> Vec<PathBuf> {
    if name.contains('/') {
        return vec![PathBuf::from(name)];
    }
    search
        .unwrap_or(DEFAULT_PATH)
        .split(':')
        // An empty entry is the working directory.
        .map(|directory| Path::new(if directory.is_empty() { "." } else { directory }).join(OsStr::new(name)))
        .collect()
}

fn verdict(name: &str, refused: Option<(PathBuf, io::Error)>) -> Failure {
    let Some((path, error)) = refused else {
        let place = if name.contains('/') { "there is no such file" } else { "it is in no directory of PATH" };
        return Failure::with_code(format_args!("{name}: command not found ({place})"), NOT_FOUND);
    };
    let path = path.display();
    let text = match error.kind() {
        io::ErrorKind::NotFound => format!("{path}: its interpreter is not there (see its first line, or `ldd`)"),
        io::ErrorKind::PermissionDenied if Path::new(&path.to_string()).is_dir() => format!("{path} is a directory"),
        io::ErrorKind::PermissionDenied => format!("{path} is not executable: permission denied (try `chmod +x`)"),
        io::ErrorKind::ArgumentListTooLong => return Failure::with_code(format_args!("{path}: {error}"), OWN_ERROR),
        _ => format!("{path} cannot be executed: {error}"),
    };
    Failure::with_code(text, NOT_EXECUTABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_for_where_a_shell_looks() {
        assert_eq!(candidates("./a", Some("/bin")), [PathBuf::from("./a")]);
        assert_eq!(candidates("a", Some("/x::/y")), ["/x/a", "./a", "/y/a"].map(PathBuf::from));
        assert_eq!(candidates("a", None).len(), 6);
    }

    #[test]
    fn not_found_is_127_and_not_executable_126() {
        assert_eq!(verdict("a", None).exit_code, NOT_FOUND);
        for errno in [13, 2, 8, 26] {
            let refused = Some((PathBuf::from("/x/a"), io::Error::from_raw_os_error(errno)));
            assert_eq!(verdict("a", refused).exit_code, NOT_EXECUTABLE, "errno {errno}");
        }
    }
}
