//! What the open round of a run with several steps waits for, for people to read.
//!
//! It is a function of the history and of who takes part now, and decides nothing: members go on
//! without the missing when they may ([`crate::federated::policy`]).

use std::collections::{BTreeMap, BTreeSet};

use super::Run;
use super::committed::Committed;
use super::masked::Masked;
use crate::dag::VertexId;
use crate::identity::AuthorId;

/// A step of a round, and who has not taken it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What is missing.
    pub step: Step,
    /// Which try of the round it is, from 0; in a run with commitments.
    pub attempt: u32,
    /// Whose it is that is missing, by id.
    pub members: Vec<AuthorId>,
}

/// What members of a round send one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// What they commit to.
    Commitments,
    /// The updates that they committed to.
    Updates,
    /// Keys and shares of secrets for masks.
    Deals,
    /// Updates under masks.
    MaskedUpdates,
    /// Shares that take the masks off.
    Shares,
}

impl Step {
    /// Stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Commitments => "commitments",
            Self::Updates => "updates",
            Self::Deals => "deals",
            Self::MaskedUpdates => "masked-updates",
            Self::Shares => "shares",
        }
    }
}

impl Run {
    /// What the round after the head waits for; nothing in a run whose rounds have one step, and
    /// where nobody is missing.
    pub fn waiting(&self) -> Option<Waiting> {
        if self.is_finished() {
            return None;
        }
        let waiting = match (&self.committed, &self.masked) {
            (Some(committed), _) => self.promised(committed),
            (_, Some(masked)) => self.masked_step(masked),
            (None, None) => return None,
        };
        (!waiting.members.is_empty()).then_some(waiting)
    }

    /// Of several attempts the one that most members are at, the later of two.
    fn promised(&self, committed: &Committed) -> Waiting {
        let head = self.head();
        let mut at: BTreeMap<u32, BTreeSet<AuthorId>> = BTreeMap::new();
        for (_, known) in committed.commitments_on(&head) {
            if self.is_member(&known.author) {
                at.entry(known.attempt).or_default().insert(known.author);
            }
        }
        let most = at.into_iter().max_by_key(|(attempt, authors)| (authors.len(), *attempt));
        let (attempt, promised) = most.unwrap_or_default();
        let of_attempt = |id: &VertexId, author: &AuthorId| {
            committed.attempt(id, author, &head) == Some(attempt)
        };
        let revealed: BTreeSet<AuthorId> = self
            .updates_of(&head)
            .filter(|(id, update)| of_attempt(id, &update.author))
            .map(|(_, update)| update.author)
            .collect();
        if revealed.is_empty() {
            let members = self.members_without(&promised);
            return Waiting { step: Step::Commitments, attempt, members };
        }
        let members = promised.difference(&revealed).copied().collect();
        Waiting { step: Step::Updates, attempt, members }
    }

    /// Of several cohorts the one that came furthest.
    fn masked_step(&self, masked: &Masked) -> Waiting {
        let head = self.head();
        let waiting = |step, members| Waiting { step, attempt: 0, members };
        let sent = |cohort: &VertexId| -> BTreeSet<AuthorId> {
            let updates = self.updates_of(&head);
            let sent = updates.filter(|(_, update)| update.cohort.as_ref() == Some(cohort));
            sent.map(|(_, update)| update.author).collect()
        };
        let closed = |cohort: &VertexId| masked.closings_of(*cohort).next().map(|(_, one)| one);
        let furthest = masked.cohorts_on(&head).max_by_key(|(id, _)| {
            let is_closed = closed(id).is_some();
            (is_closed, sent(id).len())
        });
        let Some((cohort, record)) = furthest else {
            let dealt = masked.deals_on(&head).map(|(_, deal)| deal.author).collect();
            return waiting(Step::Deals, self.members_without(&dealt));
        };
        let Some(closing) = closed(&cohort) else {
            let dealers = record.cohort.deals.iter().filter_map(|id| masked.deal(id));
            let dealers: BTreeSet<AuthorId> = dealers.map(|deal| deal.author).collect();
            let missing = dealers.difference(&sent(&cohort)).copied().collect();
            return waiting(Step::MaskedUpdates, missing);
        };
        let updates = &closing.closing.updates;
        if masked.opening(updates).is_some() {
            return waiting(Step::Shares, Vec::new());
        }
        let authors = updates.iter().filter_map(|id| self.update(id)).map(|update| update.author);
        let missing = authors.filter(|author| !masked.has_unmasked(author, &head));
        waiting(Step::Shares, missing.collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn members_without(&self, some: &BTreeSet<AuthorId>) -> Vec<AuthorId> {
        let joined = self.members.iter().filter(|(_, member)| member.joined);
        joined.map(|(author, _)| *author).filter(|author| !some.contains(author)).collect()
    }
}
