//! What the entries of the log amount to: tasks, members, and the last request of each author.
//!
//! A function of the log and of nothing else. Requests are numbered, and one that was sent twice
//! counts once (Ongaro's dissertation, section 6.3).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::entry::{Entry, Operation, Position, Request, check_number};
use super::genesis::{check_members, is_name};
use super::{Error, Genesis};
use crate::dag::cbor::{self, Bounds};
use crate::identity::AuthorId;
use crate::limits;

/// Items of a snapshot: a task has ten with their keys, and some to spare.
const BOUNDS: Bounds = Bounds {
    bytes_max: limits::GROUP_IMAGE_BYTES_MAX,
    items_max: 20 * limits::GROUP_TASKS_MAX + 20 * limits::GROUP_SESSIONS_MAX + 64,
    depth_max: 5,
};

/// Something to be done by one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Its name in the group.
    pub name: String,
    /// Who alone may take it; anybody if nobody is named.
    pub assignee: Option<AuthorId>,
    /// What it is.
    pub payload: ByteBuf,
    /// How far it is.
    pub state: TaskState,
    /// The index of the entry that changed it last.
    pub version: u64,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// To be taken.
    Open,
    /// This member is at it.
    Taken(AuthorId),
    /// This member has done it.
    Done(AuthorId),
}

/// Why the group did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Refusal {
    /// There is a task of this name.
    #[error("there is a task of this name already; choose another one")]
    Exists,
    /// There is no task of this name.
    #[error("there is no task of this name")]
    Unknown,
    /// The task, or the membership, was changed in the meantime.
    #[error("it was changed in the meantime; look again and decide anew")]
    Version,
    /// The task is somebody else's: taken by it, or kept for it.
    #[error("another member has the task, or it is kept for one")]
    Holder,
    /// The task is not in the state that this change begins from.
    #[error("the task is not in the state that this begins from")]
    State,
    /// No room for another task: none of them is done.
    #[error("the group has {max} tasks and none is done", max = limits::GROUP_TASKS_MAX)]
    Full,
    /// It is one already, or it is none; or the group would become too small or too large.
    #[error(
        "members must differ, and a group has {min} to {max} of them",
        min = limits::GROUP_MEMBERS_MIN,
        max = limits::GROUP_MEMBERS_MAX
    )]
    Members,
    /// Who asks is no member.
    #[error("who asks is no member")]
    NotMember,
    /// A later request of the same author came first.
    #[error("a later request of the same author came first")]
    Stale,
}

impl Refusal {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Exists => "task-exists",
            Refusal::Unknown => "task-unknown",
            Refusal::Version => "task-version",
            Refusal::Holder => "task-holder",
            Refusal::State => "task-state",
            Refusal::Full => "group-full",
            Refusal::Members => "group-members",
            Refusal::NotMember => "group-not-member",
            Refusal::Stale => "group-stale",
        }
    }
}

/// What became of a request: the version it made, or why it was refused.
pub type Outcome = Result<u64, Refusal>;

/// Who is a member, and since which entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// The index of the entry that made it; 0 for the first members.
    pub version: u64,
    /// The members, ascending.
    pub members: Vec<AuthorId>,
}

/// The last request of an author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Session {
    number: u64,
    outcome: Outcome,
}

/// The state that a log makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    /// The last entry that was taken in.
    pub(super) applied: Position,
    pub(super) membership: Membership,
    tasks: BTreeMap<String, Task>,
    sessions: BTreeMap<AuthorId, Session>,
}

/// A machine as bytes, field by field.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    applied: Position,
    membership: Membership,
    tasks: Vec<Task>,
    sessions: Vec<(AuthorId, Session)>,
}

impl Membership {
    /// The membership after an entry; `None` if the entry changes nothing.
    ///
    /// It depends on the one before and on the entry alone, so that everybody who has the entry
    /// counts the same majority, whether it is committed or not.
    pub(super) fn after(&self, entry: &Entry) -> Option<Self> {
        let request = entry.request.as_ref()?;
        let mut members = self.members.clone();
        let (member, version) = match &request.operation {
            Operation::Add { member, version } | Operation::Remove { member, version } => {
                (member, *version)
            }
            _ => return None,
        };
        match (&request.operation, members.binary_search(member)) {
            (Operation::Add { .. }, Err(place)) => members.insert(place, *member),
            (Operation::Remove { .. }, Ok(place)) => drop(members.remove(place)),
            _ => return None,
        }
        let sound = version == self.version && check_members(&members).is_ok();
        sound.then_some(Self { version: entry.at.index, members })
    }

    pub(super) fn has(&self, author: &AuthorId) -> bool {
        self.members.binary_search(author).is_ok()
    }

    /// Members that decide together (count).
    pub(super) fn quorum(&self) -> usize {
        self.members.len() / 2 + 1
    }
}

impl Machine {
    /// The state before the first entry.
    pub(super) fn new(genesis: &Genesis) -> Self {
        Self {
            applied: Position::default(),
            membership: Membership { version: 0, members: genesis.members().to_vec() },
            tasks: BTreeMap::new(),
            sessions: BTreeMap::new(),
        }
    }

    pub(super) fn tasks(&self) -> impl ExactSizeIterator<Item = &Task> {
        self.tasks.values()
    }

    pub(super) fn task(&self, name: &str) -> Option<&Task> {
        self.tasks.get(name)
    }

    /// What became of a request, if it was the last one of its author.
    pub(super) fn outcome(&self, author: &AuthorId, number: u64) -> Option<Outcome> {
        let session = self.sessions.get(author)?;
        (session.number == number).then_some(session.outcome)
    }

    /// Whether this request, or a later one of its author, was taken in.
    pub(super) fn is_settled(&self, author: &AuthorId, number: u64) -> bool {
        self.sessions.get(author).is_some_and(|session| session.number >= number)
    }

    /// Takes in the next entry.
    pub(super) fn apply(&mut self, entry: &Entry) {
        assert_eq!(entry.at.index, self.applied.index + 1, "entries are applied in order");
        self.applied = entry.at;
        // Whatever else: everybody who has this entry counts with these members already.
        let after = self.membership.after(entry);
        let before = after.map(|after| std::mem::replace(&mut self.membership, after));
        let Some(request) = &entry.request else { return };
        if self.is_settled(&request.author, request.number) {
            return;
        }
        let outcome = if request.operation.is_membership() {
            let changed = before.is_some();
            if changed { Ok(entry.at.index) } else { Err(self.why_not(&request.operation)) }
        } else if self.membership.has(&request.author) {
            self.perform(request, entry.at.index)
        } else {
            Err(Refusal::NotMember)
        };
        self.sessions.insert(request.author, Session { number: request.number, outcome });
        self.forget_session();
    }

    /// Forgets what was asked before: a mutant.
    #[cfg(test)]
    pub(super) fn forget_all(&mut self) {
        self.sessions.clear();
    }

    /// Why a change of the members changed nothing.
    fn why_not(&self, operation: &Operation) -> Refusal {
        match operation {
            Operation::Add { version, .. } | Operation::Remove { version, .. }
                if *version != self.membership.version =>
            {
                Refusal::Version
            }
            _ => Refusal::Members,
        }
    }

    /// Sessions of members stay. Of those that were, the one that asked least is forgotten.
    fn forget_session(&mut self) {
        if self.sessions.len() > limits::GROUP_SESSIONS_MAX {
            let gone = self.sessions.iter().filter(|(author, _)| !self.membership.has(author));
            let first = gone.min_by_key(|(author, session)| (session.number, **author));
            if let Some(author) = first.map(|(author, _)| *author) {
                self.sessions.remove(&author);
            }
        }
    }

    fn perform(&mut self, request: &Request, index: u64) -> Outcome {
        let author = request.author;
        match &request.operation {
            Operation::Assign { task, assignee, payload } => {
                self.assign(task, *assignee, payload, index)
            }
            Operation::Take { task, version } => {
                self.change(task, *version, index, |task| match (task.state, task.assignee) {
                    (TaskState::Open, None) => Ok(TaskState::Taken(author)),
                    (TaskState::Open, Some(only)) if only == author => Ok(TaskState::Taken(author)),
                    (TaskState::Done(_), _) => Err(Refusal::State),
                    _ => Err(Refusal::Holder),
                })
            }
            Operation::Release { task, version } => {
                self.change(task, *version, index, |task| match task.state {
                    TaskState::Taken(holder) if holder == author || version.is_some() => {
                        Ok(TaskState::Open)
                    }
                    TaskState::Taken(_) => Err(Refusal::Holder),
                    _ => Err(Refusal::State),
                })
            }
            Operation::Done { task, version } => {
                self.change(task, *version, index, |task| match task.state {
                    TaskState::Taken(holder) if holder == author => Ok(TaskState::Done(author)),
                    TaskState::Taken(_) => Err(Refusal::Holder),
                    _ => Err(Refusal::State),
                })
            }
            Operation::Add { .. } | Operation::Remove { .. } => Err(Refusal::Members),
        }
    }

    fn assign(
        &mut self,
        name: &str,
        assignee: Option<AuthorId>,
        payload: &[u8],
        version: u64,
    ) -> Outcome {
        if self.tasks.contains_key(name) {
            return Err(Refusal::Exists);
        }
        if self.tasks.len() >= limits::GROUP_TASKS_MAX {
            let done = self.tasks.values().filter(|task| matches!(task.state, TaskState::Done(_)));
            let oldest = done.min_by_key(|task| task.version).ok_or(Refusal::Full)?;
            let oldest = oldest.name.clone();
            self.tasks.remove(&oldest);
        }
        let (state, payload) = (TaskState::Open, ByteBuf::from(payload));
        let task = Task { name: name.to_owned(), assignee, payload, state, version };
        self.tasks.insert(name.to_owned(), task);
        Ok(version)
    }

    /// Compares the version and sets the state, both or neither.
    fn change(
        &mut self,
        name: &str,
        version: Option<u64>,
        index: u64,
        next: impl FnOnce(&Task) -> Result<TaskState, Refusal>,
    ) -> Outcome {
        let task = self.tasks.get_mut(name).ok_or(Refusal::Unknown)?;
        if version.is_some_and(|version| version != task.version) {
            return Err(Refusal::Version);
        }
        task.state = next(task)?;
        task.version = index;
        Ok(index)
    }

    /// The canonical bytes: a snapshot.
    pub(super) fn encode(&self) -> Vec<u8> {
        let image = Image {
            applied: self.applied,
            membership: self.membership.clone(),
            tasks: self.tasks.values().cloned().collect(),
            sessions: self.sessions.iter().map(|(author, session)| (*author, *session)).collect(),
        };
        cbor::encode(&image).expect("plain data always encodes")
    }

    /// Reads a snapshot; total and bounded.
    ///
    /// # Errors
    /// [`Error`] says what is wrong with the bytes.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let Image { applied, membership, tasks, sessions } = cbor::decode(bytes, &BOUNDS)?;
        applied.check()?;
        check_members(&membership.members)?;
        let sound = |task: &Task| {
            is_name(&task.name, limits::GROUP_TASK_NAME_BYTES_MAX)
                && task.payload.len() <= limits::GROUP_PAYLOAD_BYTES_MAX
                && (1..=applied.index).contains(&task.version)
        };
        let bounded = membership.version <= applied.index
            && tasks.len() <= limits::GROUP_TASKS_MAX
            && sessions.len() <= limits::GROUP_SESSIONS_MAX;
        let sorted = tasks.is_sorted_by(|left, right| left.name < right.name)
            && sessions.is_sorted_by(|left, right| left.0 < right.0);
        if !(bounded && sorted && tasks.iter().all(sound)) {
            return Err(Error::Inconsistent { reason: "no state that a log can make" });
        }
        sessions.iter().try_for_each(|(_, session)| check_number(session.number))?;
        let tasks = tasks.into_iter().map(|task| (task.name.clone(), task)).collect();
        Ok(Self { applied, membership, tasks, sessions: sessions.into_iter().collect() })
    }
}
