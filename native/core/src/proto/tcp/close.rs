//! Ends: orderly, by reset, by loss of either side.

use super::limits::TIME_WAIT;
use super::{Deadlines, State, TcpFlow};
use crate::proto::{Context, Io};
use crate::uplink::{Close, Readiness, UplinkError};

impl TcpFlow {
    /// An event of the host's socket.
    pub(crate) fn on_socket<I: Io>(&mut self, cx: &mut Context<'_, I>, ready: Readiness) {
        if let Some(error) = ready.error {
            match self.state {
                State::Connecting => self.host_refused(cx, error),
                State::TimeWait | State::Closed => {}
                State::SynSent => self.host_lost(cx),
                State::SynReceived | State::Established => self.host_broke(),
            }
            return;
        }
        self.socket.readable |= ready.readable;
        self.socket.ending |= ready.ended;
        if ready.writable && !self.socket.broken {
            self.socket.writable = true;
            if self.state == State::Connecting {
                self.host_connected(cx);
            }
        }
    }

    /// The host side could not even be started.
    pub(crate) fn on_connect_failed<I: Io>(&mut self, cx: &mut Context<'_, I>, error: UplinkError) {
        self.socket.open = false;
        self.host_refused(cx, error);
    }

    /// The host's connection broke. What arrived before that goes to the guest first, as far as its window lets it: a server that
    /// answers "too large" and resets means to be read.
    pub(super) fn host_broke(&mut self) {
        self.socket.broken = true;
        self.socket.writable = false;
        self.socket.readable = true;
    }

    /// Nothing more comes from a host's connection that broke: the guest gets RST, after what it had been sent.
    pub(super) fn host_lost<I: Io>(&mut self, cx: &mut Context<'_, I>) {
        let seq = self.snd_nxt;
        self.send_reset(cx, seq);
        self.finish(cx, Close::Reset);
    }

    /// The guest's connection broke, or it is gone: the host's end follows.
    pub(crate) fn abort<I: Io>(&mut self, cx: &mut Context<'_, I>, how: Close) {
        self.finish(cx, how);
    }

    /// Gives up on a guest that does not answer.
    pub(super) fn give_up<I: Io>(&mut self, cx: &mut Context<'_, I>) {
        let seq = self.snd_una;
        self.send_reset(cx, seq);
        self.finish(cx, Close::Reset);
    }

    /// Both directions done?
    pub(super) fn maybe_finished<I: Io>(&mut self, cx: &mut Context<'_, I>) {
        if self.state != State::Established || !self.socket.shut || !self.fin_acknowledged() {
            return;
        }
        // Whoever sent FIN first keeps the memory of the connection; when that was the guest, its kernel does.
        let guest_first = self.guest_closed_first;
        if self.ack_due {
            self.send_ack(cx);
        }
        self.finish(cx, Close::Graceful);
        if !guest_first {
            self.state = State::TimeWait;
            self.deadlines.linger = Some(cx.now + TIME_WAIT);
        }
    }

    /// Lets go of socket and memory.
    pub(super) fn finish<I: Io>(&mut self, cx: &mut Context<'_, I>, how: Close) {
        if self.socket.open {
            self.socket.open = false;
            cx.io.tcp_close(self.id, how);
        }
        self.inbox.discard(cx.pool);
        self.queue.clear(cx.pool);
        self.deadlines = Deadlines::default();
        self.state = State::Closed;
    }
}
