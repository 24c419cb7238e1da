//! DNS as far as a flow to a resolver must know it: which questions have been answered. Then nothing more will come, and the host
//! socket can go (thousands of idle ones are what a busy resolver otherwise leaves behind), so that the next question leaves from
//! another port, which makes a forged answer harder (RFC 5452 §9.2).
//!
//! Port 53 also carries what is no DNS, tunnels above all. Whatever does not look like a question makes the flow an ordinary one.

/// RFC 1035 §4.1.1, and the shortest question there is: the root's name, type and class.
const HEADER_LEN: usize = 12;
const SHORTEST_QUESTION: usize = HEADER_LEN + 5;

/// Questions under way whose numbers are remembered. A stub resolver has two, for either address family; one that has more is a
/// forwarder, whose socket is used again and again and may as well stay until it is silent.
const REMEMBERED: usize = 8;

/// Questions under way in one flow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Questions {
    ids: [u16; REMEMBERED],
    count: u8,
    /// There were more than are remembered: their answers are not waited for one by one.
    overflowed: bool,
}

impl Questions {
    /// A datagram went out. False when it is no question.
    pub(crate) fn ask(&mut self, message: &[u8]) -> bool {
        let Some(id) = question(message) else { return false };
        let count = usize::from(self.count);
        // Asked again (RFC 1035 §4.2.1), it is the same question.
        if self.ids[..count].contains(&id) {
            return true;
        }
        match self.ids.get_mut(count) {
            Some(slot) => {
                *slot = id;
                self.count += 1;
            }
            None => self.overflowed = true,
        }
        true
    }

    /// A datagram came back. True when it answered the last question that was open.
    pub(crate) fn answer(&mut self, message: &[u8]) -> bool {
        let Some(id) = answer(message) else { return false };
        let count = usize::from(self.count);
        let Some(at) = self.ids[..count].iter().position(|&other| other == id) else { return false };
        self.ids.swap(at, count - 1);
        self.count -= 1;
        self.count == 0 && !self.overflowed
    }
}

fn id(message: &[u8]) -> u16 {
    u16::from_be_bytes([message[0], message[1]])
}

/// The number of a standard query: one question, no answers (nothing that is not DNS has such bytes there, but for chance).
fn question(message: &[u8]) -> Option<u16> {
    let shape = message.len() >= SHORTEST_QUESTION && message[2] & 0xf8 == 0 && message[4..8] == [0, 1, 0, 0];
    shape.then(|| id(message))
}

fn answer(message: &[u8]) -> Option<u16> {
    (message.len() >= HEADER_LEN && message[2] & 0x80 != 0).then(|| id(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: u16, flags: u8) -> Vec<u8> {
        let [high, low] = id.to_be_bytes();
        vec![high, low, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1]
    }

    #[test]
    fn the_last_answer_ends_it_and_no_other() {
        let mut questions = Questions::default();
        assert!(questions.ask(&message(1, 1)) && questions.ask(&message(2, 1)) && questions.ask(&message(1, 1)));
        assert!(!questions.answer(&message(3, 0x81)), "nobody asked that");
        assert!(!questions.answer(&message(2, 0x81)));
        assert!(!questions.answer(&message(2, 0x81)), "twice");
        assert!(!questions.answer(&message(1, 1)), "a question");
        assert!(questions.answer(&message(1, 0x81)));
        assert!(questions.ask(&message(4, 1)) && questions.answer(&message(4, 0x81)), "and again");
    }

    #[test]
    fn many_questions_are_not_told_apart() {
        let mut questions = Questions::default();
        for id in 0..20 {
            assert!(questions.ask(&message(id, 1)));
        }
        for id in 0..20 {
            assert!(!questions.answer(&message(id, 0x81)));
        }
    }

    #[test]
    fn what_is_no_question() {
        let mut questions = Questions::default();
        assert!(!questions.ask(b""));
        assert!(!questions.ask(&message(1, 1)[..16]), "too short");
        assert!(!questions.ask(&message(1, 0x81)), "an answer");
        assert!(!questions.ask(&message(1, 0x28)), "an update (RFC 2136)");
        assert!(
            !questions.ask(&[1, 0, 0, 0, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3, 4]),
            "the first bytes of WireGuard"
        );
    }
}
