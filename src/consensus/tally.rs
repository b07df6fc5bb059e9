//! Who said what: sets that only grow, so that neither order nor repetition changes them.

use std::collections::{BTreeMap, BTreeSet};

use super::Committee;
use super::committee::Voters;
use crate::dag::Citation;
use crate::dag::vote::{Block, BlockId, ItemId, Locked};
use crate::identity::AuthorId;

/// Everything said about one conflict key in one epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Key {
    /// Items that claim this key and may be voted for, in the order in which they might first.
    pub(super) candidates: Vec<ItemId>,
    /// Items that claim it and may not be voted for now, with whose they are.
    pub(super) idle: BTreeSet<(AuthorId, ItemId)>,
    pub(super) locks: BTreeMap<ItemId, Voters>,
    pub(super) commits: BTreeMap<ItemId, Voters>,
    /// By the certificate that the report shows.
    pub(super) reports: BTreeMap<Option<ItemId>, Voters>,
}

impl Key {
    /// The item that a quorum has locked.
    pub(super) fn locked(&self, committee: &Committee) -> Option<ItemId> {
        quorum_of(&self.locks, committee)
    }

    /// The item that a quorum has committed to.
    pub(super) fn committed(&self, committee: &Committee) -> Option<ItemId> {
        quorum_of(&self.commits, committee)
    }

    /// Whether reports of a quorum allow this item: none of them shows another.
    pub(super) fn allows(&self, item: ItemId, committee: &Committee) -> bool {
        committee.is_quorum(self.reported(|shown| shown.is_none_or(|shown| shown == item)))
    }

    /// Whether any item claims it.
    pub(super) fn is_claimed(&self) -> bool {
        !self.candidates.is_empty() || !self.idle.is_empty()
    }

    /// The same claims before anything was said.
    pub(super) fn unsaid(self) -> Self {
        Self { candidates: self.candidates, idle: self.idle, ..Self::default() }
    }

    /// Members with a report that `fits`.
    pub(super) fn reported(&self, fits: impl Fn(&Option<ItemId>) -> bool) -> Voters {
        union(self.reports.iter().filter(|(shown, _)| fits(shown)).map(|(_, voters)| *voters))
    }

    /// Whether no item can be locked by a quorum any more, if the `owing` lock none.
    pub(super) fn is_split(&self, committee: &Committee, owing: Voters) -> bool {
        let voted = union(self.locks.values().copied());
        let left = committee.total() - committee.weight(voted.or(owing));
        let most = self.locks.values().map(|voters| committee.weight(*voters)).max();
        most.unwrap_or(0) + left < committee.quorum()
    }
}

/// Everything said about one slot of the slow path.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Slot {
    pub(super) views: BTreeMap<u32, View>,
    pub(super) blocks: BTreeMap<BlockId, Block>,
}

/// Everything said about one view of a slot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct View {
    /// Blocks put forward, by the place of who did.
    pub(super) proposals: BTreeSet<(usize, BlockId)>,
    /// By the certificate shown.
    pub(super) statuses: BTreeMap<Option<Locked>, Voters>,
    pub(super) locks: BTreeMap<BlockId, Voters>,
    pub(super) commits: BTreeMap<BlockId, Voters>,
}

impl Slot {
    /// The block that a quorum has committed to in some view.
    pub(super) fn committed(&self, committee: &Committee) -> Option<BlockId> {
        self.views.values().find_map(|view| quorum_of(&view.commits, committee))
    }

    /// The certificate of the highest view.
    pub(super) fn highest(&self, committee: &Committee) -> Option<Locked> {
        let locked = |(view, said): (&u32, &View)| {
            quorum_of(&said.locks, committee).map(|block| Locked(*view, block))
        };
        self.views.iter().rev().find_map(locked)
    }

    /// Whether statuses of a quorum allow this block in this view: either none of them shows a
    /// certificate, or the block has one as high as any of them shows.
    pub(super) fn justifies(&self, view: u32, block: BlockId, committee: &Committee) -> bool {
        let Some(said) = self.views.get(&view) else { return view == 0 };
        if view == 0 || self.is_free(view, committee) {
            return true;
        }
        let certified = self.views.range(..view).filter(|(_, earlier)| {
            earlier.locks.get(&block).is_some_and(|voters| committee.is_quorum(*voters))
        });
        let highest = certified.map(|(earlier, _)| *earlier).next_back();
        highest.is_some_and(|highest| {
            let fits = |shown: &Option<Locked>| match shown {
                None => true,
                Some(Locked(at, shown)) => *at < highest || (*at == highest && *shown == block),
            };
            let statuses = said.statuses.iter().filter(|(shown, _)| fits(shown));
            committee.is_quorum(union(statuses.map(|(_, voters)| *voters)))
        })
    }

    /// Whether a quorum locked a block in a view before this one.
    pub(super) fn is_certified(&self, view: u32, block: BlockId, committee: &Committee) -> bool {
        let mut earlier = self.views.range(..view).filter_map(|(_, said)| said.locks.get(&block));
        earlier.any(|voters| committee.is_quorum(*voters))
    }

    /// Whether a quorum went to this view without a certificate.
    pub(super) fn is_free(&self, view: u32, committee: &Committee) -> bool {
        let empty = self.views.get(&view).and_then(|said| said.statuses.get(&None));
        view == 0 || empty.is_some_and(|voters| committee.is_quorum(*voters))
    }

    /// Whether a quorum has gone to this view or a later one.
    pub(super) fn is_entered(&self, view: u32, committee: &Committee) -> bool {
        let statuses = self.views.range(view..).flat_map(|(_, said)| said.statuses.values());
        view == 0 || committee.is_quorum(union(statuses.copied()))
    }

    /// The highest view that an honest member went to for sure, if it is above `view`.
    pub(super) fn joined(&self, view: u32, committee: &Committee) -> Option<u32> {
        let mut voters = Voters::default();
        let above = self.views.range(view.saturating_add(1)..).rev();
        for (at, said) in above {
            voters = voters.or(union(said.statuses.values().copied()));
            if committee.has_honest(voters) {
                return Some(*at);
            }
        }
        None
    }
}

/// The entry that a quorum stands behind.
pub(super) fn quorum_of<T: Copy>(votes: &BTreeMap<T, Voters>, committee: &Committee) -> Option<T> {
    votes.iter().find(|(_, voters)| committee.is_quorum(**voters)).map(|(entry, _)| *entry)
}

fn union(sets: impl Iterator<Item = Voters>) -> Voters {
    sets.fold(Voters::default(), Voters::or)
}

/// Vertices that were folded, and are here, for who asks whether a frontier is known.
pub(super) type Seen = BTreeSet<Citation>;
