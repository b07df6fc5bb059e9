//! Events on their way to the application.
//!
//! Whoever reads gets everything. Whoever does not read must not make the node grow or stop, so
//! above [`limits::EVENTS_MAX`] something gives way, in this order:
//!
//! 1. the oldest hint: a peer came or went, an update was seen, a warning;
//! 2. the oldest round of a run of which a newer round is waiting: the newer one says as much;
//! 3. the oldest of the rest, except training jobs and the end.
//!
//! A training job is never dropped: it is work that the node waits for. There are few of them,
//! because the node has at most one open per run ([`limits::RUNS_JOINED_MAX`]). How much gave way
//! is counted, and `status` shows it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use futures::channel::oneshot;

use crate::effect::Job;
use crate::event::Event;
use crate::limits;

/// Something for the application.
#[derive(Debug, Clone)]
pub enum Notice {
    /// Something happened.
    Event(Event),
    /// Something is to be trained.
    Train(Box<Job>),
}

/// The queue; clones are the same queue.
#[derive(Debug, Clone, Default)]
pub struct Outbox(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Notice>,
    readers: VecDeque<oneshot::Sender<Notice>>,
    closed: bool,
    dropped: u64,
}

/// More readers wait at once than [`limits::EVENT_READERS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} readers wait for events already", limits::EVENT_READERS_MAX)]
pub struct TooManyReaders;

impl Outbox {
    /// Hands a notice to a waiting reader, or keeps it.
    pub fn push(&self, notice: Notice) {
        let mut state = self.0.borrow_mut();
        if state.closed {
            return;
        }
        let mut notice = notice;
        while let Some(reader) = state.readers.pop_front() {
            match reader.send(notice) {
                Ok(()) => return,
                // This reader gave up; the next one gets it.
                Err(back) => notice = back,
            }
        }
        if state.waiting.len() >= limits::EVENTS_MAX {
            state.make_room();
        }
        state.waiting.push_back(notice);
    }

    /// The next notice, as soon as there is one; `None` after the last.
    ///
    /// # Errors
    /// When [`limits::EVENT_READERS_MAX`] readers wait already.
    pub async fn next(&self) -> Result<Option<Notice>, TooManyReaders> {
        let receiver = {
            let mut state = self.0.borrow_mut();
            if let Some(notice) = state.waiting.pop_front() {
                return Ok(Some(notice));
            }
            if state.closed {
                return Ok(None);
            }
            state.readers.retain(|reader| !reader.is_canceled());
            if state.readers.len() >= limits::EVENT_READERS_MAX {
                return Err(TooManyReaders);
            }
            let (sender, receiver) = oneshot::channel();
            state.readers.push_back(sender);
            receiver
        };
        Ok(receiver.await.ok())
    }

    /// Takes nothing more. What is kept can still be read.
    pub fn close(&self) {
        let mut state = self.0.borrow_mut();
        state.closed = true;
        state.readers.clear();
    }

    /// How many notices gave way so far.
    pub fn dropped(&self) -> u64 {
        self.0.borrow().dropped
    }
}

impl State {
    fn make_room(&mut self) {
        let victim = self
            .waiting
            .iter()
            .position(is_hint)
            .or_else(|| self.superseded())
            .or_else(|| self.waiting.iter().position(|notice| !must_arrive(notice)));
        if let Some(index) = victim {
            self.waiting.remove(index);
            self.dropped += 1;
        }
    }

    /// The oldest round event of a run that has a later one.
    fn superseded(&self) -> Option<usize> {
        let round_of = |notice: &Notice| match notice {
            Notice::Event(Event::Round(view)) => Some(view.run),
            _ => None,
        };
        self.waiting.iter().enumerate().position(|(index, notice)| {
            round_of(notice).is_some_and(|run| {
                self.waiting.iter().skip(index + 1).any(|later| round_of(later) == Some(run))
            })
        })
    }
}

fn is_hint(notice: &Notice) -> bool {
    matches!(
        notice,
        Notice::Event(
            Event::PeerConnected { .. }
                | Event::PeerDisconnected { .. }
                | Event::Update { .. }
                | Event::Cell(_)
                | Event::Warning(_)
        )
    )
}

fn must_arrive(notice: &Notice) -> bool {
    matches!(notice, Notice::Train(_) | Notice::Event(Event::Stopped))
}
