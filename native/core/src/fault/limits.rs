//! Every bound of a bad link, in one place. All are of one direction.

use std::time::Duration;

/// Bytes that a bad link holds. Enough for 10 Gbit/s over a delay of 60 ms and a third more; what comes beyond is lost at the tail,
/// as by any full queue.
pub(super) const MAX_BYTES: usize = 128 << 20;
/// Frames that it holds: with the smallest of them [`MAX_BYTES`] would be bookkeeping for the most part.
pub(super) const MAX_FRAMES: usize = 1 << 18;
/// Frames lie in pieces of memory of this size, which are used again and again.
pub(super) const PIECE: usize = 256 << 10;
/// Of these, kept when they are empty: 16 MiB, so that a busy link neither allocates nor holds on to what one burst took.
pub(super) const SPARE_PIECES: usize = 64;

/// What a sender that asks may let wait for a slow line (`rate`): so many seconds of it ...
pub(super) const RATE_PATIENCE: Duration = Duration::from_millis(200);
/// ... or so many bytes where that is more: eleven packets.
pub(super) const RATE_ROOM: u64 = 16 << 10;
/// Of that, what is taken on top before anything is refused: a sender counts payload, the line headers as well.
pub(super) const RATE_SLACK: u64 = 4;
/// Smallest room that is worth telling of: two packets.
pub(super) const RATE_STEP: u64 = 2 * 1514;
/// Below this rate (bits a second) super-frames are cut before they are sent: 64 KiB in one piece would be a burst of half a
/// millisecond and more.
pub(super) const WHOLE_FRAMES_FROM: u64 = 1_000_000_000;

/// A frame held back to be late goes on when nothing has come for this long: late, not lost.
pub(super) const SILENCE: Duration = Duration::from_millis(3);
