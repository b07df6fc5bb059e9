//! States, steps and properties of the model.

use stateright::{Model, Property};

/// Members that follow the rules. The fourth says anything to anyone.
const HONEST: usize = 3;
/// The most views of the slow path that are explored.
const VIEWS: usize = 3;
const ITEMS: [u8; 2] = [1, 2];
/// Stands for no item, and for "not said".
const NONE: u8 = 0;
/// A report or status that shows no certificate.
const EMPTY: u8 = 3;

/// The rules that can be broken one by one.
#[expect(clippy::struct_excessive_bools, reason = "each is a rule of its own")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Votes that make a certificate, of four.
    pub quorum: usize,
    /// A block is locked only if a quorum's reports allow its item.
    pub blocks_checked: bool,
    /// A block after view 0 is locked only if a quorum's statuses allow it.
    pub views_checked: bool,
    /// Of the certificates in the statuses the one of the highest view binds.
    pub highest_binds: bool,
    /// A member locks one item of a key on the fast path, and commits to one.
    pub votes_once: bool,
    /// A member that reported casts no fast vote any more.
    pub reports_stop_commits: bool,
    /// A member that went to a view casts no commit for earlier ones.
    pub views_stop_commits: bool,
    /// A report shows the certificate that its author committed on.
    pub reports_show_locks: bool,
}

impl Rules {
    pub(crate) const SOUND: Rules = Rules {
        quorum: 3,
        blocks_checked: true,
        views_checked: true,
        highest_binds: true,
        votes_once: true,
        reports_stop_commits: true,
        views_stop_commits: true,
        reports_show_locks: true,
    };
}

/// What one honest member has said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Member {
    /// Items it locked on the fast path, as a set of bits.
    locks: u8,
    /// Items it committed to on the fast path, likewise.
    commits: u8,
    /// Its report that the key is contested: [`NONE`], [`EMPTY`], or the item with a certificate.
    report: u8,
    /// The highest view it has gone to.
    view: u8,
    /// In each view of the slow path.
    block_locks: [u8; VIEWS],
    block_commits: [u8; VIEWS],
    statuses: [Status; VIEWS],
}

/// What a member said on going to a view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Status {
    #[default]
    Unsaid,
    Empty,
    /// It knows of this certificate, the highest it has seen.
    Shows {
        view: u8,
        item: u8,
    },
}

pub(crate) type State = [Member; HONEST];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    Lock(u8),
    Commit(u8),
    Report(u8),
    LockBlock(usize, u8),
    CommitBlock(usize, u8),
    Enter(usize, Status),
}

#[derive(Clone, Debug)]
pub(crate) struct Finality {
    pub rules: Rules,
    /// Views that are explored, up to [`VIEWS`].
    pub views: usize,
    /// Whether the fast path is explored; else everybody has reported that nothing is locked.
    pub fast: bool,
}

impl Finality {
    /// Whether this many honest members and the Byzantine one are a quorum.
    fn quorum(&self, state: &State, said: impl Fn(&Member) -> bool) -> bool {
        state.iter().filter(|member| said(member)).count() + 1 >= self.rules.quorum
    }

    fn locked(&self, state: &State, item: u8) -> bool {
        self.quorum(state, |member| member.locks & item != 0)
    }

    fn block_locked(&self, state: &State, view: usize, item: u8) -> bool {
        self.quorum(state, |member| at(&member.block_locks, view) == item)
    }

    fn decided_fast(&self, state: &State, item: u8) -> bool {
        self.quorum(state, |member| member.commits & item != 0)
    }

    fn decided_in(&self, state: &State, view: usize, item: u8) -> bool {
        self.quorum(state, |member| at(&member.block_commits, view) == item)
    }

    fn decided(&self, state: &State, item: u8) -> bool {
        self.decided_fast(state, item) || (0..VIEWS).any(|view| self.decided_in(state, view, item))
    }

    /// Whether reports of a quorum allow a block with this item: none shows the other one.
    fn allowed(&self, state: &State, item: u8) -> bool {
        let said = |member: &Member| member.report == EMPTY || member.report == item;
        !self.rules.blocks_checked || self.quorum(state, said)
    }

    /// Whether statuses of a quorum allow the item in this view: either none shows a certificate,
    /// or the item has one that is at least as high as all they show.
    fn justified(&self, state: &State, view: usize, item: u8) -> bool {
        if view == 0 || !self.rules.views_checked {
            return true;
        }
        let status = |member: &Member| at(&member.statuses, view);
        if self.quorum(state, |member| status(member) == Status::Empty) {
            return true;
        }
        let below = |limit: usize| {
            move |member: &Member| match status(member) {
                Status::Unsaid => false,
                Status::Empty => true,
                Status::Shows { view, item: shown } => {
                    let view = usize::from(view);
                    !self.rules.highest_binds || view < limit || (view == limit && shown == item)
                }
            }
        };
        (0..view).any(|earlier| {
            self.block_locked(state, earlier, item) && self.quorum(state, below(earlier))
        })
    }

    fn fast_steps(&self, state: &State, member: &Member, steps: &mut Vec<Step>) {
        for item in ITEMS {
            // What it said of this kind forbids it to say more.
            let spoken = |said: u8| said & item != 0 || (self.rules.votes_once && said != NONE);
            if !spoken(member.locks) && member.report == NONE {
                steps.push(Step::Lock(item));
            }
            let silent = member.report != NONE && self.rules.reports_stop_commits;
            let locked = self.locked(state, item);
            if !spoken(member.commits) && !silent && locked {
                steps.push(Step::Commit(item));
            }
            if member.report == NONE
                && locked
                && (member.commits == NONE || member.commits & item != 0)
            {
                steps.push(Step::Report(item));
            }
        }
        let hides = member.commits == NONE || !self.rules.reports_show_locks;
        if member.report == NONE && hides {
            steps.push(Step::Report(EMPTY));
        }
    }

    fn slow_steps(&self, state: &State, member: &Member, steps: &mut Vec<Step>) {
        let own_view = usize::from(member.view);
        for view in 0..self.views {
            for item in ITEMS {
                if view >= own_view
                    && at(&member.block_locks, view) == NONE
                    && self.allowed(state, item)
                    && self.justified(state, view, item)
                {
                    steps.push(Step::LockBlock(view, item));
                }
                if (view >= own_view || !self.rules.views_stop_commits)
                    && at(&member.block_commits, view) == NONE
                    && self.block_locked(state, view, item)
                {
                    steps.push(Step::CommitBlock(view, item));
                }
            }
            if view > own_view {
                self.entries(state, member, view, steps);
            }
        }
    }

    /// Every status a member may send on going to `view`: what it acted on or showed before
    /// bounds from below which certificates it knows of.
    fn entries(&self, state: &State, member: &Member, view: usize, steps: &mut Vec<Step>) {
        let committed = (0..view).rev().find(|view| at(&member.block_commits, *view) != NONE);
        let shown = member.statuses.iter().filter_map(|status| match status {
            Status::Shows { view, .. } => Some(usize::from(*view)),
            _ => None,
        });
        let known = shown.chain(committed).max();
        if known.is_none() {
            steps.push(Step::Enter(view, Status::Empty));
        }
        for earlier in known.unwrap_or(0)..view {
            for item in ITEMS.into_iter().filter(|item| self.block_locked(state, earlier, *item)) {
                let view_shown = u8::try_from(earlier).expect("few views");
                steps.push(Step::Enter(view, Status::Shows { view: view_shown, item }));
            }
        }
    }

    /// Whether the next view decides if everything said is delivered, its leader follows the
    /// rules and the Byzantine member is silent: the three others report, send their statuses,
    /// and one item is allowed by both.
    fn settles(&self, state: &State) -> bool {
        let reported = |member: &Member| match member.report {
            NONE => ITEMS.into_iter().find(|item| self.locked(state, *item)).unwrap_or(EMPTY),
            report => report,
        };
        let highest = (0..VIEWS)
            .rev()
            .find_map(|view| ITEMS.into_iter().find(|item| self.block_locked(state, view, *item)));
        // A block that has a certificate was allowed by reports that everybody has by now.
        let allowed = |item: u8| {
            let compatible = |member: &&Member| [EMPTY, item].contains(&reported(member));
            highest == Some(item) || state.iter().filter(compatible).count() >= self.rules.quorum
        };
        let item = highest.or_else(|| ITEMS.into_iter().find(|item| allowed(*item)));
        item.is_some_and(allowed) && HONEST >= self.rules.quorum
    }
}

impl Model for Finality {
    type State = State;
    type Action = (usize, Step);

    fn init_states(&self) -> Vec<State> {
        let report = if self.fast { NONE } else { EMPTY };
        vec![[Member { report, ..Member::default() }; HONEST]]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Self::Action>) {
        let mut steps = Vec::new();
        for (index, member) in state.iter().enumerate() {
            // Equal members take equal steps.
            if state.iter().position(|other| other == member) != Some(index) {
                continue;
            }
            if self.fast {
                self.fast_steps(state, member, &mut steps);
            }
            self.slow_steps(state, member, &mut steps);
            actions.extend(steps.drain(..).map(|step| (index, step)));
        }
    }

    fn next_state(&self, state: &State, (index, step): Self::Action) -> Option<State> {
        let mut next = *state;
        next.get_mut(index)?.take(step);
        Some(representative(next))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("one decision", |model: &Self, state: &State| {
                !ITEMS.into_iter().all(|item| model.decided(state, item))
            }),
            Property::always("a sound leader settles it", |model: &Self, state: &State| {
                model.settles(state)
            }),
            Property::sometimes("decided at once", |model: &Self, state: &State| {
                !model.fast || model.decided_fast(state, 1)
            }),
            Property::sometimes("decided by a leader", |model: &Self, state: &State| {
                model.decided_in(state, 0, 1)
            }),
            Property::sometimes("decided in the last view", |model: &Self, state: &State| {
                model.decided_in(state, model.views - 1, 1)
            }),
        ]
    }
}

impl Member {
    fn take(&mut self, step: Step) {
        match step {
            Step::Lock(item) => self.locks |= item,
            Step::Commit(item) => self.commits |= item,
            Step::Report(shown) => self.report = shown,
            Step::LockBlock(view, item) => put(&mut self.block_locks, view, item),
            Step::CommitBlock(view, item) => put(&mut self.block_commits, view, item),
            Step::Enter(view, status) => {
                self.view = u8::try_from(view).expect("few views");
                put(&mut self.statuses, view, status);
            }
        }
    }

    /// The same with the two items exchanged.
    fn mirrored(mut self) -> Member {
        let other = |item: u8| if [1, 2].contains(&item) { 3 - item } else { item };
        let both = |set: u8| (set & 1) << 1 | set >> 1;
        self.locks = both(self.locks);
        self.commits = both(self.commits);
        self.report = other(self.report);
        self.block_locks = self.block_locks.map(other);
        self.block_commits = self.block_commits.map(other);
        for status in &mut self.statuses {
            if let Status::Shows { item, .. } = status {
                *item = other(*item);
            }
        }
        self
    }
}

/// The least of the states that differ only in the names of members and items.
fn representative(mut state: State) -> State {
    let mut mirrored = state.map(Member::mirrored);
    state.sort_unstable();
    mirrored.sort_unstable();
    state.min(mirrored)
}

fn at<T: Copy + Default>(row: &[T; VIEWS], view: usize) -> T {
    row.get(view).copied().unwrap_or_default()
}

fn put<T>(row: &mut [T; VIEWS], view: usize, value: T) {
    if let Some(place) = row.get_mut(view) {
        *place = value;
    }
}
