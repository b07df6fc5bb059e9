//! Masks folded from hand-made histories: what counts of what members say, honest or not.

use super::*;
use crate::dag::masking::{Closing, Cohort, Deal, Statement, Unmask};
use crate::federated::masking::dealing::Root;
use crate::federated::masking::{self, Progress, Step};
use crate::federated::run::waiting;
use crate::masking::Settings;

const SETTINGS: Settings = Settings { clip: 4.0, threshold: 66 };

/// A run with secure aggregation that everybody has joined.
struct Masks {
    bench: Bench,
    run: VertexId,
    roots: Vec<Root>,
}

impl Masks {
    fn new(members: u8) -> Self {
        let mut bench = Bench::new(members);
        let spec = RunSpec { masking: Some(SETTINGS), updates_min: 3, quorum: 5, ..spec() };
        let run = bench.say(0, vec![Payload::RunStart(spec)]);
        let roots: Vec<Root> = (0..members).map(|member| Root::new([member + 1; 32])).collect();
        for (member, root) in roots.iter().enumerate() {
            let key = Some(root.public().into());
            bench.say(member, vec![Payload::RunJoin { run, samples: 10, key }]);
        }
        Self { bench, run, roots }
    }

    fn say(&mut self, member: usize, statement: Statement) -> VertexId {
        self.bench.say(member, vec![Payload::Masking(statement)])
    }

    fn shares(&self, member: usize, attempt: u32) -> Deal {
        let mut holders: Vec<_> = (0..self.roots.len())
            .map(|holder| (self.bench.author(holder), self.roots[holder].public()))
            .collect();
        holders.sort_unstable();
        let (root, me) = (&self.roots[member], self.bench.author(member));
        root.deal(self.run, (self.run, attempt), &me, &holders, SETTINGS).unwrap()
    }

    fn deal(&mut self, member: usize) -> VertexId {
        let deal = self.shares(member, 0);
        self.say(member, Statement::Deal(deal))
    }

    fn deal_all(&mut self) -> Vec<VertexId> {
        (0..self.roots.len()).map(|member| self.deal(member)).collect()
    }

    fn cohort(&mut self, deals: &[VertexId]) -> VertexId {
        let (run, base, mut deals) = (self.run, self.run, deals.to_vec());
        deals.sort_unstable();
        self.say(0, Statement::Cohort(Cohort { run, base, deals }))
    }

    fn update(&mut self, member: usize, cohort: VertexId) -> VertexId {
        let (cohort, delta_bytes) = (Some(cohort), 8 * PARAMETERS);
        let update = Update { delta_bytes, cohort, ..update(self.run, self.run, 1) };
        self.bench.say(member, vec![Payload::Update(update)])
    }

    fn closing(&mut self, cohort: VertexId, updates: &[VertexId]) -> VertexId {
        let (run, mut updates) = (self.run, updates.to_vec());
        updates.sort_unstable();
        self.say(0, Statement::Closing(Closing { run, cohort, updates }))
    }

    /// What a member reveals for a closing in which these are there.
    fn revealed(&self, member: usize, cohort: VertexId, there: &[usize]) -> Vec<(u8, [u8; 32])> {
        let (runs, me) = (self.bench.fold(), self.bench.author(member));
        let run = runs.get(&self.run).unwrap();
        let there: Vec<AuthorId> = there.iter().map(|there| self.bench.author(*there)).collect();
        let deals = run.cohort_deals(&cohort).unwrap();
        let share = |(place, (_, record)): (u8, (VertexId, &run::masked::DealRecord))| {
            let [own, key] = self.roots[member].shares(run, record, &me)?;
            Some((place, if there.contains(&record.author) { own } else { key }))
        };
        (0..).zip(deals).filter_map(share).collect()
    }

    fn unmask(&mut self, member: usize, closing: VertexId, shares: &[(u8, [u8; 32])]) -> VertexId {
        self.say(member, Statement::Unmask(Unmask::new(self.run, closing, shares)))
    }

    fn is_open(&self, updates: &[VertexId]) -> bool {
        is_open(&self.bench.fold(), &self.run, updates)
    }
}

fn is_open(runs: &Runs, run: &VertexId, updates: &[VertexId]) -> bool {
    let mut updates = updates.to_vec();
    updates.sort_unstable();
    runs.get(run).unwrap().masked().unwrap().opening(&updates).is_some()
}

/// Five members, four updates: the shares of four of five open it, in whatever order they come.
#[test]
fn enough_right_shares_open_a_closing_in_any_order() {
    let mut masks = Masks::new(5);
    let deals = masks.deal_all();
    let cohort = masks.cohort(&deals);
    let updates: Vec<_> = (0..4).map(|member| masks.update(member, cohort)).collect();
    let closing = masks.closing(cohort, &updates);
    for member in [1, 2] {
        let shares = masks.revealed(member, cohort, &[0, 1, 2, 3]);
        masks.unmask(member, closing, &shares);
    }
    // A share that is not what was dealt counts for nothing, and so does one of the wrong secret.
    let mut wrong = masks.revealed(3, cohort, &[0, 1, 2, 3]);
    wrong[2].1[0] ^= 1;
    masks.unmask(3, closing, &wrong);
    let both = masks.revealed(4, cohort, &[0, 1, 2]);
    masks.unmask(4, closing, &both);
    assert!(!masks.is_open(&updates));
    let shares = masks.revealed(0, cohort, &[0, 1, 2, 3]);
    masks.unmask(0, closing, &shares);
    assert!(masks.is_open(&updates), "of each deal four right shares of five are there");

    let mut masks = Masks::new(5);
    let deals = masks.deal_all();
    let cohort = masks.cohort(&deals);
    let updates: Vec<_> = (0..4).map(|member| masks.update(member, cohort)).collect();
    let closing = masks.closing(cohort, &updates);
    for member in 1..5 {
        assert!(!masks.is_open(&updates), "{} shares", member - 1);
        let shares = masks.revealed(member, cohort, &[0, 1, 2, 3]);
        masks.unmask(member, closing, &shares);
    }
    assert!(masks.is_open(&updates));
    let mut all: Vec<SignedVertex> = masks.bench.graph.iter().cloned().collect();
    let mut rng = Rng::from_u64(5);
    for _ in 0..20 {
        rng.shuffle(&mut all);
        let mut runs = Runs::new();
        for signed in &all {
            runs.apply(signed);
        }
        assert!(is_open(&runs, &masks.run, &updates));
    }
}

#[test]
fn a_dealer_of_shares_of_something_else_is_named_and_opens_nothing() {
    let mut masks = Masks::new(3);
    let mut deals: Vec<_> = (0..2).map(|member| masks.deal(member)).collect();
    // Its shares are in order, each as committed to; what they come to is not its seed.
    let deal = Deal { commitment: [9; 32].into(), ..masks.shares(2, 0) };
    deals.push(masks.say(2, Statement::Deal(deal)));
    let cohort = masks.cohort(&deals);
    let updates: Vec<_> = (0..3).map(|member| masks.update(member, cohort)).collect();
    let closing = masks.closing(cohort, &updates);
    for member in 0..3 {
        let shares = masks.revealed(member, cohort, &[0, 1, 2]);
        masks.unmask(member, closing, &shares);
    }
    let runs = masks.bench.fold();
    let masked = runs.get(&masks.run).unwrap().masked().unwrap();
    assert!(masked.broken().iter().eq([&masks.bench.author(2)]));
    assert!(!masks.is_open(&updates));
}

/// Four of its five shares open its seed, and four others something else: whoever heard the one
/// four first would have opened a sum that others never do.
#[test]
fn a_dealer_whose_shares_do_not_belong_together_is_named_whoever_reveals_first() {
    let mut masks = Masks::new(5);
    let mut deals: Vec<_> = (0..4).map(|member| masks.deal(member)).collect();
    let mut deal = masks.shares(4, 0);
    let aside = deal.shares[4].holder;
    deal.shares[4].own = run::masked::commitment(5, &[7; 32]).into();
    deals.push(masks.say(4, Statement::Deal(deal)));
    let cohort = masks.cohort(&deals);
    let updates: Vec<_> = (0..5).map(|member| masks.update(member, cohort)).collect();
    let closing = masks.closing(cohort, &updates);
    for member in (0..5).filter(|member| masks.bench.author(*member) != aside).collect::<Vec<_>>() {
        let shares = masks.revealed(member, cohort, &[0, 1, 2, 3, 4]);
        masks.unmask(member, closing, &shares);
    }
    let runs = masks.bench.fold();
    let masked = runs.get(&masks.run).unwrap().masked().unwrap();
    assert!(masked.broken().iter().eq([&masks.bench.author(4)]));
    assert!(!masks.is_open(&updates));
}

/// Whoever names a cohort or a closing cannot single a member out.
#[test]
fn closings_that_would_show_too_much_do_not_count() {
    let mut masks = Masks::new(5);
    let mut deals = masks.deal_all();
    let cohort = masks.cohort(&deals);
    let updates: Vec<_> = (0..5).map(|member| masks.update(member, cohort)).collect();
    let other = masks.cohort(&deals[..4]);
    let foreign = masks.update(0, other);
    let again = masks.update(1, cohort);
    deals.push(masks.say(0, Statement::Deal(masks.shares(0, 1))));
    let twice = masks.cohort(&deals);
    let few = masks.cohort(&deals[..3]);
    let runs = masks.bench.fold();
    let run = runs.get(&masks.run).unwrap();
    assert!(run.cohort_deals(&cohort).is_some() && run.cohort_deals(&few).is_some());
    assert!(run.cohort_deals(&twice).is_none(), "one author twice");
    let counts = |updates: &[VertexId]| run.is_closing(&cohort, updates);
    assert!(counts(&updates) && counts(&updates[1..]));
    // As many as the run closes with, but fewer than open a secret: one might stand alone.
    assert!(!counts(&updates[..3]));
    assert!(!counts(&[&updates[..4], &[foreign]].concat()), "for another cohort");
    assert!(!counts(&[&updates[..4], &[again]].concat()), "one author twice");
    assert!(!run.is_closing(&few, &updates[..3]));
}

#[test]
fn deals_with_unusable_keys_and_updates_without_a_cohort_are_ignored() {
    let mut masks = Masks::new(3);
    let low = Deal { key: [0; 32].into(), ..masks.shares(0, 0) };
    masks.say(0, Statement::Deal(low));
    let plain = update(masks.run, masks.run, 1);
    masks.bench.say(0, vec![Payload::Update(plain.clone())]);
    let whole = Update { delta_bytes: 8 * PARAMETERS, ..plain };
    masks.bench.say(0, vec![Payload::Update(whole)]);
    let runs = masks.bench.fold();
    let run = runs.get(&masks.run).unwrap();
    assert_eq!(run.masked().unwrap().deals_on(&masks.run).count(), 0);
    assert_eq!(run.update_count(&masks.run), 0);
}

/// Two closings on one base: shares go to one of them only, or both secrets of a member were out.
#[test]
fn a_member_reveals_shares_on_a_base_once() {
    let mut masks = Masks::new(4);
    let deals = masks.deal_all();
    let cohort = masks.cohort(&deals);
    let updates: Vec<_> = (0..4).map(|member| masks.update(member, cohort)).collect();
    let first = masks.closing(cohort, &updates[..3]);
    let none = BTreeSet::new();
    let next = |masks: &Masks, progress: &Progress| {
        let (runs, me) = (masks.bench.fold(), masks.bench.author(1));
        let round = Facts {
            me: &me,
            now_ms: 0,
            adopted_ms: 0,
            ripe_ms: None,
            mutual: None,
            joined_lately: &none,
            ended: &none,
        };
        let root = &masks.roots[1];
        let facts = masking::Facts { round, root, progress, is_trained: true };
        masking::step(runs.get(&masks.run).unwrap(), &facts, |_| true).0
    };
    let fresh = Progress::default();
    let Step::Unmask { closing, shares } = next(&masks, &fresh) else { panic!("no step") };
    assert_eq!((closing, shares.len()), (first, 4));
    assert_eq!(shares, masks.revealed(1, cohort, &[0, 1, 2]));
    // Before its own statement is in the history its memory holds it back, and afterwards that.
    masks.closing(cohort, &updates);
    let unmasked = BTreeSet::from([masks.run]);
    let said = Progress { unmasked, ..Progress::default() };
    assert!(!matches!(next(&masks, &said), Step::Unmask { .. }));
    masks.unmask(1, first, &shares);
    assert!(!matches!(next(&masks, &fresh), Step::Unmask { .. }));
}

/// Who has to do what next can be read off the history.
#[test]
fn a_masked_round_says_whom_it_waits_for() {
    let mut masks = Masks::new(4);
    let waits = |masks: &Masks, step: waiting::Step, members: &[usize]| {
        let authors = members.iter().map(|member| masks.bench.author(*member));
        let authors: Vec<_> = authors.collect::<BTreeSet<_>>().into_iter().collect();
        let runs = masks.bench.fold();
        let found = runs.get(&masks.run).unwrap().waiting();
        assert_eq!(found.map(|found| (found.step, found.members)), Some((step, authors)));
    };
    waits(&masks, waiting::Step::Deals, &[0, 1, 2, 3]);
    let mut deals = vec![masks.deal(0)];
    waits(&masks, waiting::Step::Deals, &[1, 2, 3]);
    deals.extend((1..4).map(|member| masks.deal(member)));
    let cohort = masks.cohort(&deals);
    let updates: Vec<_> = (0..3).map(|member| masks.update(member, cohort)).collect();
    waits(&masks, waiting::Step::MaskedUpdates, &[3]);
    let closing = masks.closing(cohort, &updates);
    for member in 0..3 {
        assert!(!masks.is_open(&updates));
        waits(&masks, waiting::Step::Shares, &(member..3).collect::<Vec<_>>());
        let shares = masks.revealed(member, cohort, &[0, 1, 2]);
        masks.unmask(member, closing, &shares);
    }
    assert!(masks.is_open(&updates));
    assert_eq!(masks.bench.fold().get(&masks.run).unwrap().waiting(), None);
}
