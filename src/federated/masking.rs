//! What a member does about the masks of a round, and when.
//!
//! One look gives at most one step, in the order of a round:
//!
//! 1. *Deal*, as soon as enough members have keys; again if a round came to nothing.
//! 2. *Cohort*: in a ripe round, members take turns to name the deals that are there.
//! 3. *Mask* the update for the best cohort that has the own deal in it.
//! 4. *Closing*: when all of the cohort are there, or after a deadline, members take turns to name
//!    the updates.
//! 5. *Unmask*: reveal the own shares for the best closing, once for each base, ever.
//!
//! Turns, deadlines and what is best are manners, as in [`super::policy`]. What is not: a member
//! deals anew for every update, masks with a deal once, and reveals shares on a base once. So two
//! closings on one base are both opened only when holders lie: where honest ones are divided
//! between the two, those above a third are enough.

pub mod dealing;

use std::collections::BTreeSet;

use self::dealing::Root;
use super::policy;
use super::run::Run;
use super::run::masked::{DealRecord, Masked};
use crate::dag::VertexId;
use crate::identity::AuthorId;
use crate::limits;
use crate::masking::agreement::Public;

/// What a node knows beyond the history.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What every policy goes by; `ripe_ms` is not used.
    pub round: policy::Facts<'a>,
    /// The member's secrets.
    pub root: &'a Root,
    /// What it has done.
    pub progress: &'a Progress,
    /// Whether an update on the head is trained and waits to be masked.
    pub is_trained: bool,
}

/// What a member has done, and may not be in the history yet.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Deals that were queued (count).
    pub dealt: u32,
    /// Deals that an update was masked with.
    pub masked: BTreeSet<VertexId>,
    /// How many deals there were when a cohort was proposed.
    pub cohort_of: u32,
    /// Cohorts for which a closing was proposed.
    pub closed: BTreeSet<VertexId>,
    /// Bases on which shares were revealed; no more than a run has rounds, and branches.
    pub unmasked: BTreeSet<VertexId>,
    /// Since when there have been deals enough, and updates enough.
    pub cohort_ripe_ms: Option<u64>,
    /// Since when there have been updates enough.
    pub closing_ripe_ms: Option<u64>,
    /// When the first cohort with the own deal was seen.
    pub cohort_seen_ms: Option<u64>,
}

impl Progress {
    /// The same for another head: what must not be done twice is remembered, should the run come
    /// back to the old one.
    #[must_use]
    pub fn moved(self) -> Self {
        let Self { masked, unmasked, .. } = self;
        Self { masked, unmasked, ..Self::default() }
    }
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing until the history changes, or until this time.
    Wait {
        /// Monotonic time, in milliseconds.
        until_ms: Option<u64>,
    },
    /// Deal number `attempt`, from 0, to these members.
    Deal {
        /// Which deal on this base.
        attempt: u32,
        /// Who gets shares, by id, with their keys.
        holders: Vec<(AuthorId, Public)>,
    },
    /// Name the deals of a cohort.
    Cohort {
        /// The deals, by id.
        deals: Vec<VertexId>,
    },
    /// Mask the update with deal number `attempt`, for a cohort.
    Mask {
        /// The cohort.
        cohort: VertexId,
        /// The own deal.
        deal: VertexId,
        /// Its number.
        attempt: u32,
    },
    /// Name the updates of a cohort that are there.
    Closing {
        /// The cohort.
        cohort: VertexId,
        /// The updates, by id.
        updates: Vec<VertexId>,
    },
    /// Reveal shares for a closing: places in the cohort, with a share each.
    Unmask {
        /// The closing.
        closing: VertexId,
        /// What to reveal.
        shares: Vec<(u8, [u8; 32])>,
    },
}

/// Decides about the masks of the round that follows the head; `usable` says whether the blob of an
/// update is here and in order. `progress` is told since when things are ripe.
pub fn step(run: &Run, facts: &Facts<'_>, usable: impl Fn(&VertexId) -> bool) -> (Step, Progress) {
    let mut progress = facts.progress.clone();
    let head = run.head();
    let is_idle = run.is_finished() || !run.is_member(facts.round.me);
    let Some(masked) = run.masked().filter(|_| !is_idle) else {
        return (Step::Wait { until_ms: None }, progress);
    };
    let look = Look { run, masked, facts, head };
    let mut until = Until::default();
    let step = look
        .deal(&mut until)
        .or_else(|| look.unmask(&usable))
        .or_else(|| look.mask())
        .or_else(|| look.closing(&mut progress, &mut until, &usable))
        .or_else(|| look.cohort(&mut progress, &mut until));
    (step.unwrap_or(Step::Wait { until_ms: until.0 }), progress)
}

/// The earliest time at which something is due.
#[derive(Default)]
struct Until(Option<u64>);

impl Until {
    fn at(&mut self, ms: u64) {
        self.0 = Some(self.0.map_or(ms, |known| known.min(ms)));
    }
}

struct Look<'a> {
    run: &'a Run,
    masked: &'a Masked,
    facts: &'a Facts<'a>,
    head: VertexId,
}

impl Look<'_> {
    fn deadline_ms(&self) -> u64 {
        u64::from(self.run.spec().deadline_ms)
    }

    fn minimum(&self) -> usize {
        usize::try_from(self.run.spec().updates_min).unwrap_or(usize::MAX)
    }

    fn active(&self) -> BTreeSet<AuthorId> {
        let facts = self.facts.round;
        policy::active(self.run, facts.joined_lately, facts.ended)
    }

    /// Own deals on the head, in the order of the own chain.
    fn own_deals(&self) -> Vec<(VertexId, &DealRecord)> {
        let own = |(_, record): &(_, &DealRecord)| record.author == *self.facts.round.me;
        let mut deals: Vec<_> = self.masked.deals_on(&self.head).filter(own).collect();
        deals.sort_by_key(|(_, record)| record.seq);
        deals
    }

    fn has_unmasked(&self) -> bool {
        self.facts.progress.unmasked.contains(&self.head)
            || self.masked.has_unmasked(self.facts.round.me, &self.head)
    }

    fn deal(&self, until: &mut Until) -> Option<Step> {
        let facts = self.facts.round;
        let known = u32::try_from(self.own_deals().len()).unwrap_or(u32::MAX);
        let attempt = known.max(self.facts.progress.dealt);
        // A round that came to nothing is tried again, unless own shares may have opened it.
        let each_ms = self.deadline_ms().saturating_mul(limits::MASKING_RETRY_DEADLINES);
        let due_ms = facts.adopted_ms.saturating_add(each_ms.saturating_mul(attempt.into()));
        if self.has_unmasked() || attempt >= limits::MASKING_DEALS_MAX {
            return None;
        }
        if facts.now_ms < due_ms {
            until.at(due_ms);
            return None;
        }
        let key = |author: AuthorId| Some((author, *self.masked.key(&author)?));
        let holders: Vec<(AuthorId, Public)> =
            self.active().into_iter().filter_map(key).take(limits::MASKING_MEMBERS_MAX).collect();
        (holders.len() >= self.minimum()).then_some(Step::Deal { attempt, holders })
    }

    /// The newest deal of each member on the head, if no cohort that counts has it yet.
    fn unused_deals(&self) -> Vec<(VertexId, &DealRecord)> {
        let mut newest: std::collections::BTreeMap<AuthorId, (VertexId, &DealRecord)> =
            std::collections::BTreeMap::new();
        for (id, record) in self.masked.deals_on(&self.head) {
            let known = newest.entry(record.author).or_insert((id, record));
            if known.1.seq < record.seq {
                *known = (id, record);
            }
        }
        let counting = self
            .masked
            .cohorts_on(&self.head)
            .filter(|(id, _)| self.run.cohort_deals(id).is_some());
        let named: BTreeSet<VertexId> =
            counting.flat_map(|(_, record)| record.cohort.deals.iter().copied()).collect();
        let ended = self.facts.round.ended;
        let mut deals: Vec<_> = newest
            .into_values()
            .filter(|(id, record)| {
                let author = &record.author;
                let is_wrong = ended.contains(author) || self.masked.broken().contains(author);
                // A dealer of shares that cannot be read would hold everybody up.
                let is_readable = record.deal.shares.iter().all(|dealt| {
                    dealt.holder != *self.facts.round.me
                        || self.facts.root.shares(self.run, record, self.facts.round.me).is_some()
                });
                !named.contains(id) && !is_wrong && self.run.is_member(author) && is_readable
            })
            .collect();
        deals.sort_by_key(|(id, _)| *id);
        deals.truncate(self.run.spec().updates_max());
        // A deal among too few of its holders would keep the cohort from ever being closed.
        loop {
            let before = deals.len();
            let all = deals.clone();
            deals.retain(|(_, record)| self.is_enough(record, &all));
            if deals.len() == before {
                return deals;
            }
        }
    }

    /// Whether among the dealers of a cohort are as many holders of a deal as open it.
    fn is_enough(&self, record: &DealRecord, cohort: &[(VertexId, &DealRecord)]) -> bool {
        let holders = &record.deal.shares;
        let dealers: BTreeSet<AuthorId> = cohort.iter().map(|(_, deal)| deal.author).collect();
        let there = holders.iter().filter(|dealt| dealers.contains(&dealt.holder));
        there.count() >= self.masked.settings().needed(holders.len())
    }

    /// Deals of cohorts for which their dealer has an update.
    fn used(&self) -> impl Iterator<Item = VertexId> {
        let of = move |update: &super::run::UpdateRecord| {
            let cohort = self.masked.cohort(&update.cohort?)?;
            let author = update.author;
            let is_its = move |id: &&VertexId| {
                self.masked.deal(id).is_some_and(|record| record.author == author)
            };
            cohort.cohort.deals.iter().find(is_its).copied()
        };
        self.run.updates_of(&self.head).filter_map(move |(_, update)| of(update))
    }

    /// Cohorts that count and have this deal, the best first.
    fn cohorts_with(&self, deal: &VertexId) -> Vec<VertexId> {
        let fits = |(id, record): &(VertexId, &super::run::masked::CohortRecord)| {
            record.cohort.deals.contains(deal) && self.run.cohort_deals(id).is_some()
        };
        let mut cohorts: Vec<_> = self.masked.cohorts_on(&self.head).filter(fits).collect();
        cohorts.sort_by_key(|(id, record)| (std::cmp::Reverse(record.cohort.deals.len()), *id));
        cohorts.into_iter().map(|(id, _)| id).collect()
    }

    fn cohort(&self, progress: &mut Progress, until: &mut Until) -> Option<Step> {
        let facts = self.facts.round;
        let own = self.own_deals();
        let (own_deal, _) = *own.last()?;
        let count = u32::try_from(own.len()).unwrap_or(u32::MAX);
        let is_done = progress.cohort_of >= count || progress.masked.contains(&own_deal);
        if is_done || !self.cohorts_with(&own_deal).is_empty() {
            return None;
        }
        let deals = self.unused_deals();
        let active = self.active();
        let quorum = usize::try_from(self.run.spec().quorum).unwrap_or(usize::MAX);
        let wanted =
            quorum.min(active.len()).min(self.run.spec().updates_max()).max(self.minimum());
        let tries = limits::MASKING_RETRY_DEADLINES.saturating_mul(u64::from(count - 1));
        let late_ms = facts
            .adopted_ms
            .saturating_add(self.deadline_ms().saturating_mul(tries.saturating_add(1)));
        if deals.len() < self.minimum() || (deals.len() < wanted && facts.now_ms < late_ms) {
            // After it only what comes from others changes anything.
            if facts.now_ms < late_ms {
                until.at(late_ms);
            }
            return None;
        }
        let ripe_ms = *progress.cohort_ripe_ms.get_or_insert(facts.now_ms);
        let deals = deals.into_iter().map(|(id, _)| id).collect();
        self.turn(ripe_ms, &active, until).then_some(Step::Cohort { deals })
    }

    /// Whether it is this member's turn to propose what has been ripe since then.
    fn turn(&self, ripe_ms: u64, active: &BTreeSet<AuthorId>, until: &mut Until) -> bool {
        let turn_ms = policy::turn_ms(&self.head, self.facts.round.me, active);
        let due_ms = ripe_ms.saturating_add(turn_ms);
        if self.facts.round.now_ms < due_ms {
            until.at(due_ms);
        }
        self.facts.round.now_ms >= due_ms
    }

    fn mask(&self) -> Option<Step> {
        if !self.facts.is_trained {
            return None;
        }
        let own = self.own_deals();
        let attempt = u32::try_from(own.len().checked_sub(1)?).unwrap_or(u32::MAX);
        let (deal, record) = *own.last()?;
        let is_used =
            self.facts.progress.masked.contains(&deal) || self.used().any(|used| used == deal);
        if is_used || self.has_unmasked() {
            return None;
        }
        // Nobody masks for a cohort in which it would be nearly alone.
        let is_enough = |id: &VertexId| {
            self.run.cohort_deals(id).is_some_and(|deals| self.is_enough(record, &deals))
        };
        let cohort = self.cohorts_with(&deal).into_iter().find(is_enough)?;
        Some(Step::Mask { cohort, deal, attempt })
    }

    fn closing(
        &self,
        progress: &mut Progress,
        until: &mut Until,
        usable: impl Fn(&VertexId) -> bool,
    ) -> Option<Step> {
        let facts = self.facts.round;
        let (deal, _) = *self.own_deals().last()?;
        let cohorts = self.cohorts_with(&deal);
        let now_ms = facts.now_ms;
        let first = *cohorts.first()?;
        let seen_ms = *progress.cohort_seen_ms.get_or_insert(now_ms);
        let late_ms = seen_ms.saturating_add(self.deadline_ms());
        let there = |cohort: &VertexId| {
            let mut authors = BTreeSet::new();
            let of = self.run.candidates(&self.head).filter(|(id, update)| {
                update.cohort == Some(*cohort) && usable(id) && authors.insert(update.author)
            });
            of.map(|(id, _)| id).collect::<Vec<VertexId>>()
        };
        // Of several cohorts the one that most members masked for.
        let best = cohorts.iter().map(|id| (*id, there(id)));
        let (cohort, updates) =
            best.max_by_key(|(_, updates)| updates.len()).unwrap_or((first, Vec::new()));
        if progress.closed.contains(&cohort)
            || self
                .masked
                .closings_of(cohort)
                .any(|(_, record)| self.run.is_closing(&cohort, &record.closing.updates))
        {
            return None;
        }
        let all = self.run.cohort_deals(&cohort).map_or(usize::MAX, |deals| deals.len());
        if updates.len() < all && now_ms < late_ms {
            until.at(late_ms);
            return None;
        }
        if !self.run.is_closing(&cohort, &updates) {
            return None;
        }
        let ripe_ms = *progress.closing_ripe_ms.get_or_insert(now_ms);
        self.turn(ripe_ms, &self.active(), until).then_some(Step::Closing { cohort, updates })
    }

    /// Reveals for a closing of which every update is here and in order: with a sum that cannot be
    /// made, the only answer on this base would be spent for nothing.
    fn unmask(&self, usable: impl Fn(&VertexId) -> bool) -> Option<Step> {
        if self.has_unmasked() {
            return None;
        }
        let cohorts = self.masked.cohorts_on(&self.head);
        let closings = cohorts.flat_map(|(cohort, _)| {
            self.masked
                .closings_of(cohort)
                .filter(move |(_, record)| self.run.is_closing(&cohort, &record.closing.updates))
        });
        let closings = closings.filter(|(_, record)| record.closing.updates.iter().all(&usable));
        let best = closings
            .min_by_key(|(id, record)| (std::cmp::Reverse(record.closing.updates.len()), *id));
        let (closing, record) = best?;
        let shares = self.shares(&record.closing);
        (!shares.is_empty()).then_some(Step::Unmask { closing, shares })
    }

    /// The own shares for a closing: of the seed where the update is there, else of the key.
    fn shares(&self, closing: &crate::dag::masking::Closing) -> Vec<(u8, [u8; 32])> {
        let authors: BTreeSet<AuthorId> = closing
            .updates
            .iter()
            .filter_map(|id| self.run.update(id).map(|update| update.author))
            .collect();
        let deals = self.run.cohort_deals(&closing.cohort).unwrap_or_default();
        let share = |(place, (_, record)): (u8, (VertexId, &DealRecord))| {
            let [own, key] = self.facts.root.shares(self.run, record, self.facts.round.me)?;
            Some((place, if authors.contains(&record.author) { own } else { key }))
        };
        (0_u8..).zip(deals).filter_map(share).collect()
    }
}
