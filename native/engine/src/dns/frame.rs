//! What can be a question, and where one ends on a stream.

use crate::limits::MAX_DNS_QUESTION;
use unet_core::DropReason;

/// RFC 1035 §4.1.1.
const HEADER_LEN: usize = 12;
/// The third byte's first bit: an answer.
const QR: u8 = 0x80;

/// Whether the daemon could have anything to say to it. The daemon looks closer; this keeps from it what costs nothing to know.
pub(crate) fn may_be_question(message: &[u8]) -> bool {
    (HEADER_LEN..=MAX_DNS_QUESTION).contains(&message.len()) && message[2] & QR == 0
}

/// The messages of a stream (RFC 1035 §4.2.2): each behind its length in two bytes.
#[derive(Debug, Default)]
pub(super) struct Framer {
    input: Vec<u8>,
}

impl Framer {
    /// Takes what was read. Ask [`Framer::next`] first until there is none, and no more than a message and a read is held.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The next message that is complete.
    ///
    /// # Errors
    /// What comes next is no question, whatever else comes: nothing behind it can be trusted either. Its length alone may tell.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, DropReason> {
        let Some((head, rest)) = self.input.split_first_chunk::<2>() else { return Ok(None) };
        let len = usize::from(u16::from_be_bytes(*head));
        if !(HEADER_LEN..=MAX_DNS_QUESTION).contains(&len) {
            return Err(DropReason::DnsNotAQuestion);
        }
        let Some(message) = rest.get(..len) else { return Ok(None) };
        if !may_be_question(message) {
            return Err(DropReason::DnsNotAQuestion);
        }
        let message = message.to_vec();
        self.input.drain(..2 + len);
        Ok(Some(message))
    }

    pub(super) fn held(&self) -> usize {
        self.input.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(len: usize) -> Vec<u8> {
        vec![1; len]
    }

    #[test]
    fn what_can_be_a_question() {
        assert!(may_be_question(&question(12)) && may_be_question(&question(MAX_DNS_QUESTION)));
        assert!(!may_be_question(&question(11)) && !may_be_question(&question(MAX_DNS_QUESTION + 1)));
        let mut answer = question(12);
        answer[2] |= QR;
        assert!(!may_be_question(&answer) && !may_be_question(b""));
    }

    #[test]
    fn a_length_that_no_question_has_ends_the_stream_at_once() {
        for len in [0, 11, MAX_DNS_QUESTION + 1, 65_535] {
            let mut framer = Framer::default();
            framer.feed(&u16::try_from(len).unwrap().to_be_bytes()[..1]);
            assert_eq!(framer.next(), Ok(None), "half a length says nothing");
            framer.feed(&u16::try_from(len).unwrap().to_be_bytes()[1..]);
            assert_eq!(framer.next(), Err(DropReason::DnsNotAQuestion), "{len}");
        }
    }
}
