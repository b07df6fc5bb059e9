//! What the log of a group holds: positions, entries, requests.

use serde::{Deserialize, Serialize};

use super::Error;
use super::genesis::is_name;
use crate::identity::AuthorId;
use crate::limits;

/// Largest term, index and other number: 2^53 - 1, as everywhere on the wire. A member that ever
/// reached it would stop; nobody does.
pub(super) const NUMBER_MAX: u64 = limits::VERTEX_NUMBER_MAX;

/// A place in a log. Two logs with an entry at the same place have the same entries up to it.
///
/// Ordered as Raft compares logs: by term, then by index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// The term in which it was made; 0 for the place before the first entry.
    pub term: u64,
    /// Its number, from 1; 0 for the place before the first entry.
    pub index: u64,
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Where it stands.
    pub at: Position,
    /// What it says; nothing for the one with which a leader begins its term.
    pub request: Option<Request>,
}

/// What a member asks of the group, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Who asks.
    pub author: AuthorId,
    /// Which of its requests this is: later ones have larger numbers, whatever happened between.
    pub number: u64,
    /// What it asks for.
    pub operation: Operation,
}

/// A change of the tasks or of the members.
///
/// `version` makes a change conditional: on the version of the task, or, for members, on that of
/// the membership. Then of two that saw the same only one comes true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Operation {
    /// A new task, open to one member or to all.
    Assign {
        /// Its name.
        task: String,
        /// Who alone may take it.
        assignee: Option<AuthorId>,
        /// What it is, at most [`limits::GROUP_PAYLOAD_BYTES_MAX`] bytes; the group reads nothing
        /// into them.
        #[serde(with = "serde_bytes")]
        payload: Vec<u8>,
    },
    /// The asker takes an open task.
    Take {
        /// Its name.
        task: String,
        /// What its version has to be.
        version: Option<u64>,
    },
    /// A task that was taken is open again: its holder gives it back, or another member, which
    /// knows the version, takes it away from one that is gone.
    Release {
        /// Its name.
        task: String,
        /// What its version has to be.
        version: Option<u64>,
    },
    /// The asker has done a task it had taken.
    Done {
        /// Its name.
        task: String,
        /// What its version has to be.
        version: Option<u64>,
    },
    /// One more member.
    Add {
        /// Who.
        member: AuthorId,
        /// What the version of the membership has to be.
        version: u64,
    },
    /// One member less.
    Remove {
        /// Who.
        member: AuthorId,
        /// What the version of the membership has to be.
        version: u64,
    },
}

impl Operation {
    /// Whether it changes who is a member.
    pub fn is_membership(&self) -> bool {
        matches!(self, Operation::Add { .. } | Operation::Remove { .. })
    }

    /// # Errors
    /// [`Error`] says which bound is exceeded.
    pub(super) fn check(&self) -> Result<(), Error> {
        let (task, version) = match self {
            Operation::Assign { task, payload, .. } => {
                if payload.len() > limits::GROUP_PAYLOAD_BYTES_MAX {
                    return Err(Error::Payload { bytes: payload.len() });
                }
                (task, 0)
            }
            Operation::Take { task, version }
            | Operation::Release { task, version }
            | Operation::Done { task, version } => (task, version.unwrap_or(0)),
            Operation::Add { version, .. } | Operation::Remove { version, .. } => {
                return check_number(*version);
            }
        };
        if !is_name(task, limits::GROUP_TASK_NAME_BYTES_MAX) {
            return Err(Error::Name { bytes_max: limits::GROUP_TASK_NAME_BYTES_MAX });
        }
        check_number(version)
    }
}

impl Request {
    /// # Errors
    /// [`Error`] says which bound is exceeded.
    pub(super) fn check(&self) -> Result<(), Error> {
        check_number(self.number)?;
        self.operation.check()
    }
}

impl Position {
    /// # Errors
    /// [`Error::Inconsistent`] unless both numbers are in range, and both 0 or none.
    pub(super) fn check(self) -> Result<(), Error> {
        check_number(self.term)?;
        check_number(self.index)?;
        if (self.term == 0) == (self.index == 0) {
            Ok(())
        } else {
            Err(Error::Inconsistent { reason: "an entry without a term, or a term without one" })
        }
    }
}

/// Holds entries to their order: each follows the one before, and no term goes back.
///
/// # Errors
/// [`Error`] says what is wrong.
pub(super) fn check_entries(previous: Position, entries: &[Entry]) -> Result<(), Error> {
    let mut last = previous;
    for entry in entries {
        entry.at.check()?;
        if entry.at.index != last.index + 1 || entry.at.term < last.term {
            return Err(Error::Inconsistent { reason: "entries out of order" });
        }
        entry.request.as_ref().map_or(Ok(()), Request::check)?;
        last = entry.at;
    }
    Ok(())
}

/// # Errors
/// [`Error::Inconsistent`] above [`NUMBER_MAX`].
pub(super) fn check_number(number: u64) -> Result<(), Error> {
    if number <= NUMBER_MAX {
        Ok(())
    } else {
        Err(Error::Inconsistent { reason: "a number above 2^53 - 1" })
    }
}
