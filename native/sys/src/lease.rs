//! Leases: writing a file while nobody else has it open.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

/// The kernel's asm-generic/fcntl.h; not in libc.
const F_SETSIG: libc::c_int = 10;

/// Replaces the content of the file at `path`, which is not created, in place, and only while nobody else has it open. Whoever opens it in the
/// meantime waits in `open` until all of it is written.
///
/// False: all through `patience` somebody had it open, and nothing was written. An error before the first byte (no room, no leases on this file system: `EINVAL`)
/// leaves the file as it was, too.
pub fn overwrite_unopened(path: &Path, content: &[u8], patience: Duration) -> io::Result<bool> {
    let began = Instant::now();
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        // Somebody holds a lease of their own, and has been told to give it up; the kernel takes it after `lease-break-time`.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
        Err(error) => return Err(error),
    };
    // Its room first: a disk that fills up must not leave half of it.
    match fallocate(&file, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, length_of(content)?) {
        Ok(()) | Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {}
        Err(errno) => return Err(errno.into()),
    }
    while !take(&file)? {
        if began.elapsed() >= patience {
            return Ok(false);
        }
    }
    // The lease goes with the descriptor, whatever becomes of this.
    file.write_all_at(content, 0)?;
    file.set_len(content.len() as u64)?;
    Ok(true)
}

fn length_of(content: &[u8]) -> io::Result<libc::off_t> {
    if content.is_empty() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    libc::off_t::try_from(content.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

/// A write lease: granted where no other descriptor of the file is open, and no open succeeds while it is held.
fn take(file: &File) -> io::Result<bool> {
    // The kernel tells of an open that waits by a signal, SIGIO unless told otherwise, which ends a process that does not
    // expect it. This one is ignored by default.
    fcntl(file.as_raw_fd(), F_SETSIG, libc::SIGURG)?;
    match fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => Ok(false),
        Err(error) => Err(error),
    }
}

fn fcntl(fd: RawFd, command: libc::c_int, argument: libc::c_int) -> io::Result<()> {
    // SAFETY: both commands take an int and touch no memory of ours; a bad descriptor is an error.
    if unsafe { libc::fcntl(fd, command, argument) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Longer than what one read of any libc takes, so that a reader needs several.
    const LINES: usize = 2000;
    const NO_TIME: Duration = Duration::ZERO;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("unet-lease-{}-{name}", std::process::id()));
        fs::write(&path, "before, and longer than what follows\n").expect("scratch file");
        path
    }

    #[test]
    fn replaces_all_of_it_in_the_same_inode() {
        let path = scratch("inode");
        let inode = fs::metadata(&path).expect("metadata").ino();
        assert!(overwrite_unopened(&path, b"after\n", NO_TIME).expect("overwritten"));
        assert_eq!(fs::read_to_string(&path).expect("text"), "after\n");
        assert_eq!(fs::metadata(&path).expect("metadata").ino(), inode);
        fs::remove_file(path).expect("removed");
    }

    #[test]
    fn writes_nothing_while_somebody_has_it_open() {
        let path = scratch("open");
        let reader = File::open(&path).expect("opened");
        assert!(!overwrite_unopened(&path, b"after\n", NO_TIME).expect("refused"));
        assert_eq!(fs::read_to_string(&path).expect("text"), "before, and longer than what follows\n");
        drop(reader);
        assert!(overwrite_unopened(&path, b"after\n", NO_TIME).expect("overwritten"));
        fs::remove_file(path).expect("removed");
    }

    #[test]
    fn does_not_wait_for_one_who_holds_a_lease() {
        let path = scratch("leased");
        let reader = File::open(&path).expect("opened");
        fcntl(reader.as_raw_fd(), F_SETSIG, libc::SIGURG).expect("no signal that ends this");
        fcntl(reader.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK).expect("leased");
        let began = Instant::now();
        assert!(!overwrite_unopened(&path, b"after\n", NO_TIME).expect("refused"));
        assert!(began.elapsed() < Duration::from_secs(5), "the kernel takes a lease away after 45 s");
        drop(reader);
        assert!(overwrite_unopened(&path, b"after\n", NO_TIME).expect("overwritten"));
        fs::remove_file(path).expect("removed");
    }

    #[test]
    fn waits_for_a_reader_to_close_it() {
        let path = scratch("patience");
        let reader = File::open(&path).expect("opened");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(20));
                drop(reader);
            });
            assert!(overwrite_unopened(&path, b"after\n", Duration::from_secs(10)).expect("overwritten"));
        });
        fs::remove_file(path).expect("removed");
    }

    #[test]
    fn does_not_make_a_file_or_follow_a_link() {
        let path = scratch("target");
        let link = path.with_extension("link");
        std::os::unix::fs::symlink(&path, &link).expect("link");
        assert_eq!(overwrite_unopened(&link, b"x\n", NO_TIME).expect_err("link").raw_os_error(), Some(libc::ELOOP));
        fs::remove_file(&link).expect("removed");
        assert_eq!(overwrite_unopened(&link, b"x\n", NO_TIME).expect_err("absent").raw_os_error(), Some(libc::ENOENT));
        assert_eq!(overwrite_unopened(&path, b"", NO_TIME).expect_err("empty").kind(), io::ErrorKind::InvalidInput);
        fs::remove_file(path).expect("removed");
    }

    /// A reader that takes the file in small pieces, as a C library does, finds all pieces of one writing.
    #[test]
    fn a_reader_of_many_pieces_never_sees_two_writings() {
        let path = scratch("pieces");
        let text = |mark: char| format!("{mark}\n").repeat(LINES + usize::from(mark == 'b'));
        assert!(overwrite_unopened(&path, text('a').as_bytes(), NO_TIME).expect("overwritten"));
        let done = AtomicBool::new(false);
        let written = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut seen = 0;
                while !done.load(Ordering::Relaxed) {
                    let found = in_pieces(&path);
                    assert!(found == text('a') || found == text('b'), "{} bytes of a mixture", found.len());
                    seen += 1;
                }
                seen
            });
            let mut written = 0;
            for round in 0..20_000 {
                let mark = if round % 2 == 0 { 'b' } else { 'a' };
                written += u32::from(overwrite_unopened(&path, text(mark).as_bytes(), NO_TIME).expect("tried"));
            }
            done.store(true, Ordering::Relaxed);
            assert!(reader.join().expect("reader") > 0);
            written
        });
        assert!(written > 0);
        fs::remove_file(path).expect("removed");
    }

    fn in_pieces(path: &Path) -> String {
        use std::io::Read;
        let mut file = File::open(path).expect("opened");
        let mut text = String::new();
        let mut piece = [0; 128];
        loop {
            let length = file.read(&mut piece).expect("read");
            if length == 0 {
                return text;
            }
            text.push_str(std::str::from_utf8(&piece[..length]).expect("text"));
        }
    }
}
