//! The masks of one run, folded from the history.
//!
//! What counts is a function of what is there, whatever the order it came in: a cohort of deals of
//! different members on one base; a closing of enough updates of one cohort; shares that are what
//! their dealer committed to. A closing is *open* once as many shares of every deal are there as
//! give its secret. Everybody then computes the same sum, from whichever shares they have, because
//! each secret is the one that was committed to.
//!
//! A dealer whose shares come to another secret than it committed to has *broken* the closing,
//! which then never opens; the history shows who it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Change, Run};
use crate::crypto::hash::Digest;
use crate::dag::masking::{Closing, Cohort, Deal, Dealt, Statement, Unmask};
use crate::dag::{RunSpec, VertexId};
use crate::federated::delta;
use crate::identity::AuthorId;
use crate::limits;
use crate::masking::agreement::{self, Public};
use crate::masking::shamir;
use crate::masking::sum::{self, Opened, Party};
use crate::masking::{Error, Settings};

const COMMITMENT: &str = "synaptic-mesh 2026 masking commitment v1";

/// What was said about the masks of a run.
#[derive(Debug, Clone)]
pub struct Masked {
    settings: Settings,
    /// Each author's newest key for sealed shares, with the position of the vertex that has it.
    keys: BTreeMap<AuthorId, (u64, Public)>,
    deals: BTreeMap<VertexId, DealRecord>,
    cohorts: BTreeMap<VertexId, CohortRecord>,
    closings: BTreeMap<VertexId, ClosingRecord>,
    /// Cohorts and deals by base; closings by cohort.
    deals_of: BTreeMap<VertexId, BTreeSet<VertexId>>,
    cohorts_of: BTreeMap<VertexId, BTreeSet<VertexId>>,
    closings_of: BTreeMap<VertexId, BTreeSet<VertexId>>,
    unmasks: BTreeMap<VertexId, Vec<(AuthorId, Unmask)>>,
    /// Closings with shares that name something that is not there.
    incomplete: BTreeSet<VertexId>,
    /// What opens a set of updates.
    open: BTreeMap<Vec<VertexId>, Arc<Opening>>,
    /// Dealers of shares that do not come to what they committed to.
    broken: BTreeSet<AuthorId>,
}

/// A deal and whose it is.
#[derive(Debug, Clone)]
pub struct DealRecord {
    /// The dealer.
    pub author: AuthorId,
    /// Position of its vertex in the author's chain.
    pub seq: u64,
    /// What it says.
    pub deal: Deal,
}

/// A proposed cohort.
#[derive(Debug, Clone)]
pub struct CohortRecord {
    /// Who proposed it.
    pub author: AuthorId,
    /// What it says.
    pub cohort: Cohort,
}

/// A proposed closing.
#[derive(Debug, Clone)]
pub struct ClosingRecord {
    /// Who proposed it.
    pub author: AuthorId,
    /// What it says.
    pub closing: Closing,
}

/// What takes the masks off the sum of a closing's updates.
#[derive(Debug)]
pub struct Opening {
    settings: Settings,
    cohort: VertexId,
    round: u32,
    tensors: Vec<usize>,
    parties: Vec<Party>,
    opened: Vec<Opened>,
}

impl Opening {
    /// Takes the masks off; see [`sum::Cohort::unmask`].
    ///
    /// # Errors
    /// Those of [`sum::Cohort::unmask`].
    pub fn unmask(&self, words: &mut [u64]) -> Result<(), Error> {
        let Self { round, tensors, parties, .. } = self;
        let cohort = sum::Cohort { id: &self.cohort.0.0, round: *round, tensors, parties };
        cohort.unmask(words, &self.opened)
    }

    /// How the run masks.
    pub fn settings(&self) -> Settings {
        self.settings
    }
}

/// The members of a cohort, with what was opened of each.
type Secrets = (Vec<Party>, Vec<Opened>);

/// Values of each tensor of a run's model (count).
pub fn tensor_sizes(spec: &RunSpec) -> Vec<usize> {
    delta::tensors(spec).iter().map(|[rows, columns]| rows * columns).collect()
}

/// The commitment to a secret, or to share `number` of one.
pub fn commitment(number: u8, secret: &[u8; 32]) -> [u8; 32] {
    Digest::derive(COMMITMENT, &[&[number], secret]).0
}

impl Masked {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            keys: BTreeMap::new(),
            deals: BTreeMap::new(),
            cohorts: BTreeMap::new(),
            closings: BTreeMap::new(),
            deals_of: BTreeMap::new(),
            cohorts_of: BTreeMap::new(),
            closings_of: BTreeMap::new(),
            unmasks: BTreeMap::new(),
            incomplete: BTreeSet::new(),
            open: BTreeMap::new(),
            broken: BTreeSet::new(),
        }
    }

    /// How the run masks.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// The key to which shares for an author are sealed.
    pub fn key(&self, author: &AuthorId) -> Option<&Public> {
        self.keys.get(author).map(|(_, key)| key)
    }

    /// A deal.
    pub fn deal(&self, id: &VertexId) -> Option<&DealRecord> {
        self.deals.get(id)
    }

    /// A cohort, whether it counts or not.
    pub fn cohort(&self, id: &VertexId) -> Option<&CohortRecord> {
        self.cohorts.get(id)
    }

    /// A closing, whether it counts or not.
    pub fn closing(&self, id: &VertexId) -> Option<&ClosingRecord> {
        self.closings.get(id)
    }

    /// Deals on a base, in the order of their ids.
    pub fn deals_on(&self, base: &VertexId) -> impl Iterator<Item = (VertexId, &DealRecord)> {
        let ids = self.deals_of.get(base).into_iter().flatten();
        ids.filter_map(|id| self.deals.get(id).map(|record| (*id, record)))
    }

    /// Cohorts on a base, a few of each author.
    pub fn cohorts_on(&self, base: &VertexId) -> impl Iterator<Item = (VertexId, &CohortRecord)> {
        let ids = self.cohorts_of.get(base).into_iter().flatten();
        few(ids.filter_map(|id| self.cohorts.get(id).map(|record| (*id, record))), |record| {
            record.author
        })
    }

    /// Closings of a cohort, a few of each author.
    pub fn closings_of(
        &self,
        cohort: VertexId,
    ) -> impl Iterator<Item = (VertexId, &ClosingRecord)> {
        let ids = self.closings_of.get(&cohort).into_iter().flatten();
        few(ids.filter_map(|id| self.closings.get(id).map(|record| (*id, record))), |record| {
            record.author
        })
    }

    /// Whether an author has revealed shares for anything on this base.
    pub fn has_unmasked(&self, author: &AuthorId, base: &VertexId) -> bool {
        let closings = self
            .unmasks
            .iter()
            .filter(|(_, said)| said.iter().any(|(said_by, _)| said_by == author));
        let of = |id: &VertexId| {
            let cohort = self.closings.get(id).map(|record| record.closing.cohort)?;
            self.cohorts.get(&cohort).map(|record| record.cohort.base)
        };
        // What a closing that is not here is on is not known: better none than two.
        closings.into_iter().any(|(id, _)| of(id).is_none_or(|found| found == *base))
    }

    /// What opens these updates, if it is there.
    pub fn opening(&self, updates: &[VertexId]) -> Option<&Arc<Opening>> {
        self.open.get(updates)
    }

    /// Dealers whose shares came to something else than they committed to.
    pub fn broken(&self) -> &BTreeSet<AuthorId> {
        &self.broken
    }
}

/// No more of one author's than it can need.
fn few<'a, R: 'a>(
    records: impl Iterator<Item = (VertexId, &'a R)>,
    author: impl Fn(&R) -> AuthorId,
) -> impl Iterator<Item = (VertexId, &'a R)> {
    let mut seen: BTreeMap<AuthorId, usize> = BTreeMap::new();
    records.filter(move |(_, record)| {
        let count = seen.entry(author(record)).or_default();
        *count += 1;
        *count <= limits::MASKING_PROPOSALS_PER_AUTHOR_MAX
    })
}

impl Run {
    /// What was said about masks, in a run with secure aggregation.
    pub fn masked(&self) -> Option<&Masked> {
        self.masked.as_ref()
    }

    /// Takes the key of an author that joins.
    pub(super) fn add_key(&mut self, author: AuthorId, seq: u64, key: Option<Public>) {
        let key = key.filter(agreement::is_usable);
        let (Some(masked), Some(key)) = (&mut self.masked, key) else { return };
        let known = masked.keys.entry(author).or_insert((seq, key));
        if known.0 < seq {
            *known = (seq, key);
        }
    }

    /// Takes a statement about masks.
    pub(in crate::federated) fn add_masking(
        &mut self,
        id: VertexId,
        (author, seq): (AuthorId, u64),
        statement: &Statement,
        changes: &mut Vec<Change>,
    ) {
        let Some(masked) = &mut self.masked else { return };
        changes.push(Change::Masking);
        match statement {
            Statement::Deal(deal) if !agreement::is_usable(&deal.key) => {}
            Statement::Deal(deal) => {
                masked.deals_of.entry(deal.base).or_default().insert(id);
                masked.deals.insert(id, DealRecord { author, seq, deal: deal.clone() });
                self.settle_incomplete(changes);
            }
            Statement::Cohort(cohort) => {
                masked.cohorts_of.entry(cohort.base).or_default().insert(id);
                masked.cohorts.insert(id, CohortRecord { author, cohort: cohort.clone() });
                self.settle_incomplete(changes);
            }
            Statement::Closing(closing) => {
                masked.closings_of.entry(closing.cohort).or_default().insert(id);
                masked.closings.insert(id, ClosingRecord { author, closing: closing.clone() });
                self.try_open(id, changes);
            }
            Statement::Unmask(unmask) => {
                let said = masked.unmasks.entry(unmask.closing).or_default();
                // Whoever reveals twice for one closing reveals the same.
                if said.iter().all(|(other, _)| *other != author) {
                    said.push((author, unmask.clone()));
                    self.try_open(unmask.closing, changes);
                }
            }
        }
    }

    /// Looks again at closings that named something that was not there.
    pub(super) fn settle_incomplete(&mut self, changes: &mut Vec<Change>) {
        let Some(masked) = &mut self.masked else { return };
        for closing in std::mem::take(&mut masked.incomplete) {
            self.try_open(closing, changes);
        }
    }

    /// The deals of a cohort that counts, in the order of their ids: of different authors, who had
    /// joined, on its base, and neither too few nor too many.
    pub fn cohort_deals(&self, id: &VertexId) -> Option<Vec<(VertexId, &DealRecord)>> {
        let masked = self.masked.as_ref()?;
        let cohort = &masked.cohorts.get(id)?.cohort;
        let deals: Option<Vec<(VertexId, &DealRecord)>> =
            cohort.deals.iter().map(|id| Some((*id, masked.deals.get(id)?))).collect();
        let deals = deals?;
        let mut authors = BTreeSet::new();
        let fits = deals.iter().all(|(_, record)| {
            let has_joined = self.joined.get(&record.author).is_some_and(|seq| *seq <= record.seq);
            record.deal.base == cohort.base && has_joined && authors.insert(record.author)
        });
        (fits && self.is_count(deals.len())).then_some(deals)
    }

    /// Whether a closing counts: enough updates of different members of its cohort, among them,
    /// of the holders of each deal, as many as open it. So nobody is left alone with strangers.
    pub fn is_closing(&self, cohort: &VertexId, updates: &[VertexId]) -> bool {
        self.closing_authors(cohort, updates).is_some()
    }

    /// The authors of the updates of a closing that counts.
    fn closing_authors(
        &self,
        cohort: &VertexId,
        updates: &[VertexId],
    ) -> Option<BTreeSet<AuthorId>> {
        let settings = self.masked.as_ref()?.settings;
        let deals = self.cohort_deals(cohort)?;
        let mut authors = BTreeSet::new();
        let first = self.updates.get(updates.first()?)?;
        for id in updates {
            let update = self.updates.get(id)?;
            let of_cohort = deals.iter().any(|(_, record)| {
                record.author == update.author && record.deal.base == update.base
            });
            let fits = update.cohort == Some(*cohort) && update.round == first.round && of_cohort;
            if !fits || !authors.insert(update.author) {
                return None;
            }
        }
        let is_safe = deals.iter().all(|(_, record)| {
            let holders = &record.deal.shares;
            let there = holders.iter().filter(|dealt| authors.contains(&dealt.holder));
            there.count() >= settings.needed(holders.len())
        });
        (is_safe && self.is_count(updates.len())).then_some(authors)
    }

    fn is_count(&self, members: usize) -> bool {
        let least = usize::try_from(self.spec.updates_min).unwrap_or(usize::MAX);
        (least..=self.spec.updates_max()).contains(&members)
    }

    /// Opens a closing if what that takes is there.
    fn try_open(&mut self, id: VertexId, changes: &mut Vec<Change>) {
        let Some(masked) = &self.masked else { return };
        let Some(record) = masked.closings.get(&id) else { return };
        let Closing { cohort, updates, .. } = record.closing.clone();
        if masked.open.contains_key(&updates) || !masked.unmasks.contains_key(&id) {
            return;
        }
        let Some(authors) = self.closing_authors(&cohort, &updates) else {
            if let Some(masked) = &mut self.masked {
                masked.incomplete.insert(id);
            }
            return;
        };
        let opened = self.open(&id, &cohort, &authors);
        let first = updates.first().copied();
        let Some(masked) = &mut self.masked else { return };
        match opened {
            Ok(None) => {}
            Err(dealer) => {
                masked.broken.insert(dealer);
            }
            Ok(Some((parties, opened))) => {
                let round = first.and_then(|id| self.updates.get(&id)).map_or(0, |u| u.round);
                let (settings, tensors) = (masked.settings, tensor_sizes(&self.spec));
                let opening = Opening { settings, cohort, round, tensors, parties, opened };
                masked.open.insert(updates, Arc::new(opening));
                self.revision += 1;
                // Aggregates of these updates wait for the first of them.
                if let Some(first) = first {
                    self.settle(first, changes);
                }
            }
        }
    }

    /// The secrets of a closing: nothing while shares are missing, a dealer who dealt wrong ones.
    fn open(
        &self,
        closing: &VertexId,
        cohort: &VertexId,
        there: &BTreeSet<AuthorId>,
    ) -> Result<Option<Secrets>, AuthorId> {
        let (Some(masked), Some(deals)) = (&self.masked, self.cohort_deals(cohort)) else {
            return Ok(None);
        };
        let said = masked.unmasks.get(closing).map(Vec::as_slice).unwrap_or_default();
        let (mut parties, mut opened) = (Vec::new(), Vec::new());
        let mut enough = Vec::new();
        for (place, (_, record)) in (0_u8..).zip(&deals) {
            let shares = shares_of(record, place, said, there.contains(&record.author));
            let needed = masked.settings.needed(record.deal.shares.len());
            match shares.get(..needed) {
                Some(shares) => enough.push(shares.to_vec()),
                None => return Ok(None),
            }
        }
        for ((id, record), shares) in deals.iter().zip(enough) {
            let secret = shamir::combine(&shares).ok_or(record.author)?;
            let is_there = there.contains(&record.author);
            let is_right = if is_there {
                commitment(0, &secret) == *record.deal.commitment
            } else {
                agreement::public_of(&secret) == *record.deal.key
            };
            // Or what is opened would depend on whose shares came first.
            if !is_right || !is_one_polynomial(record, &shares, is_there) {
                return Err(record.author);
            }
            parties.push(Party { id: id.0.0, key: *record.deal.key });
            opened.push(if is_there { Opened::Own(secret) } else { Opened::Key(secret) });
        }
        Ok(Some((parties, opened)))
    }
}

/// Whether a share is the one that the dealer committed to: of the seed where the update is there,
/// else of the key.
fn is_as_dealt(dealt: &Dealt, number: u8, share: &shamir::Bytes, is_there: bool) -> bool {
    let committed = if is_there { &dealt.own } else { &dealt.key };
    commitment(number, share) == **committed
}

/// Whether all shares that were dealt of a secret belong to these.
fn is_one_polynomial(record: &DealRecord, shares: &[(u8, shamir::Bytes)], is_there: bool) -> bool {
    (1..).zip(&record.deal.shares).all(|(number, dealt)| {
        let share = shamir::share_at(number, shares);
        share.is_some_and(|share| is_as_dealt(dealt, number, &share, is_there))
    })
}

/// The shares of a deal's secret that are what the dealer committed to, with their numbers.
fn shares_of(
    record: &DealRecord,
    place: u8,
    said: &[(AuthorId, Unmask)],
    is_there: bool,
) -> Vec<(u8, shamir::Bytes)> {
    let share = |(author, unmask): &(AuthorId, Unmask)| {
        let at = record.deal.shares.iter().position(|dealt| dealt.holder == *author)?;
        let dealt = record.deal.shares.get(at)?;
        let number = u8::try_from(at).ok()?.checked_add(1)?;
        let (_, share) = unmask.revealed().find(|(found, _)| *found == place)?;
        is_as_dealt(dealt, number, &share, is_there).then_some((number, share))
    };
    said.iter().filter_map(share).collect()
}
