//! Waking up: a node that stood still for a while goes on at once.
//!
//! A machine that sleeps, a process that is stopped, a page that is frozen: nothing is handled for
//! much longer than between two of the node's own timers. What came to nothing meanwhile is
//! nobody's fault, and addresses that failed before may answer now, on another network perhaps. So
//! requests that are late are given up without blame, and every address that ever led somewhere is
//! due.

use super::Node;
use crate::clock::Now;
use crate::effect::Effect;
use crate::limits;

/// When the node wants to be called, and when it was.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Alarm {
    /// When the timer fires that was asked for last.
    pub(super) timer_ms: Option<u64>,
    /// When the last input was handled.
    handled_ms: Option<u64>,
}

impl Node {
    /// Takes note of the time; wakes up if it has jumped.
    pub(super) fn notice_sleep(&mut self, now: Now, out: &mut Vec<Effect>) {
        let before_ms = self.alarm.handled_ms.replace(now.mono_ms);
        if before_ms.is_none_or(|before_ms| now.since_ms(before_ms) < limits::SLEPT_MS) {
            return;
        }
        self.counters.count("woke-up");
        for request in self.peers.expire(now.mono_ms) {
            self.give_up(&request, now, out);
        }
        self.blobs.expire(now.mono_ms);
        self.book.wake(now.mono_ms, &mut self.rng);
    }
}
