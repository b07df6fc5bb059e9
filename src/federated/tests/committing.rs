//! Commitments folded from hand-made histories: which updates count together, and why others do
//! not.

mod hostile;

use super::*;
use crate::dag::commitment::{self, Commitment, Reveal};
use crate::federated::committing::{self, Mutual, Step};
use crate::federated::run::committed::{Breach, WhyNot};
use crate::federated::run::waiting;

/// A run with commitments that everybody has joined.
struct Promises {
    bench: Bench,
    run: VertexId,
    /// When the member that is asked saw what.
    seen_ms: BTreeMap<VertexId, u64>,
}

impl Promises {
    fn spec() -> RunSpec {
        RunSpec { commit_reveal: true, quorum: 5, ..spec() }
    }

    fn new(members: u8) -> Self {
        Self::with(members, 2)
    }

    fn with(members: u8, updates_min: u32) -> Self {
        let mut bench = Bench::new(members);
        let spec = RunSpec { updates_min, ..Self::spec() };
        let run = bench.say(0, vec![Payload::RunStart(spec)]);
        for member in 0..usize::from(members) {
            bench.join(member, run);
        }
        Self { bench, run, seen_ms: BTreeMap::new() }
    }

    /// The update of a member, of its own content.
    fn content(&self, member: usize) -> Update {
        let delta = BlobId::of(&[u8::try_from(member).unwrap()]);
        Update { delta, ..update(self.run, self.run, 1) }
    }

    fn nonce(member: usize) -> [u8; 32] {
        [u8::try_from(member).unwrap(); 32]
    }

    fn commit_to(&mut self, member: usize, content: &Update, attempt: u32) -> VertexId {
        let hash = commitment::hash(content, &self.bench.author(member), &Self::nonce(member));
        let (run, base) = (self.run, content.base);
        let commitment = Commitment { run, base, attempt, hash: hash.into() };
        self.bench.say(member, vec![Payload::Commitment(commitment)])
    }

    fn commit(&mut self, member: usize) -> VertexId {
        let content = self.content(member);
        self.commit_to(member, &content, 0)
    }

    fn reveal_as(
        &mut self,
        member: usize,
        content: &Update,
        commitment: VertexId,
        answers: &[VertexId],
    ) -> VertexId {
        let mut answers = answers.to_vec();
        answers.sort_unstable();
        let reveal = Some(Reveal { commitment, nonce: Self::nonce(member).into(), answers });
        self.bench.say(member, vec![Payload::Update(Update { reveal, ..content.clone() })])
    }

    fn reveal(&mut self, member: usize, own: VertexId, answers: &[VertexId]) -> VertexId {
        let content = self.content(member);
        self.reveal_as(member, &content, own, answers)
    }

    /// Everybody commits, and then everybody reveals.
    fn round(&mut self, members: std::ops::Range<usize>) -> (Vec<VertexId>, Vec<VertexId>) {
        let commitments: Vec<_> = members.clone().map(|member| self.commit(member)).collect();
        let reveal = |(member, own): (usize, &VertexId)| self.reveal(member, *own, &commitments);
        let updates = members.zip(&commitments).map(reveal).collect();
        (commitments, updates)
    }

    fn aggregate(&mut self, updates: &[VertexId]) -> VertexId {
        self.bench.aggregate(0, self.run, self.run, 1, updates)
    }

    /// Some commit on a base; all but the last member reveal.
    fn open_without_the_last(
        &mut self,
        base: VertexId,
        round: u32,
        members: std::ops::Range<usize>,
    ) -> (Vec<VertexId>, Vec<VertexId>) {
        let last = self.bench.keys.len() - 1;
        let content = |promises: &Self, member| Update { base, round, ..promises.content(member) };
        let commit = |member| {
            let content = content(self, member);
            self.commit_to(member, &content, 0)
        };
        let commitments: Vec<VertexId> = members.map(commit).collect();
        let reveal = |member: usize| {
            let content = content(self, member);
            self.reveal_as(member, &content, commitments[member], &commitments)
        };
        let updates = (0..last).map(reveal).collect();
        (commitments, updates)
    }

    /// The same, aggregated. Returns that, and what the last member committed to.
    fn closed_without_the_last(&mut self, base: VertexId, round: u32) -> (VertexId, VertexId) {
        let members = self.bench.keys.len();
        let (commitments, updates) = self.open_without_the_last(base, round, 0..members);
        let aggregate = self.bench.aggregate(0, self.run, base, round, &updates);
        (aggregate, commitments[members - 1])
    }

    /// The commitment of a member.
    fn own(&self, member: usize) -> VertexId {
        let (runs, author) = (self.bench.fold(), self.bench.author(member));
        let committed = runs.get(&self.run).unwrap().committed().unwrap();
        let mut on_base = committed.commitments_on(&self.run);
        on_base.find(|(_, known)| known.author == author).unwrap().0
    }

    fn standing(&self, aggregate: &VertexId) -> Standing {
        let runs = self.bench.fold();
        runs.get(&self.run).unwrap().aggregate(aggregate).unwrap().standing
    }

    fn breach(&self, updates: &[VertexId]) -> Option<Breach> {
        self.bench.fold().get(&self.run).unwrap().breach(updates)
    }

    fn mutual(&self, updates: &[VertexId]) -> Mutual {
        let runs = self.bench.fold();
        committing::mutual(runs.get(&self.run).unwrap(), updates, &BTreeSet::new())
    }

    fn why_not(&self, aggregate: &VertexId, member: usize) -> Option<WhyNot> {
        let (runs, author) = (self.bench.fold(), self.bench.author(member));
        runs.get(&self.run).unwrap().left_out(aggregate).get(&author).copied()
    }

    /// What a member does at a time, with something trained, or with what it committed to.
    /// The history folded twenty times, each time in another order.
    fn in_any_order(&self, seed: u64) -> impl Iterator<Item = Runs> {
        let mut all: Vec<SignedVertex> = self.bench.graph.iter().cloned().collect();
        let mut rng = Rng::from_u64(seed);
        (0..20).map(move |_| {
            rng.shuffle(&mut all);
            let mut runs = Runs::new();
            for signed in &all {
                let changes = runs.apply(signed);
                judge_all(&mut runs, changes);
            }
            runs
        })
    }

    fn step(&self, member: usize, now_ms: u64, is_committed: bool) -> Step {
        let (runs, me, none) = (self.bench.fold(), self.bench.author(member), BTreeSet::new());
        let round = Facts {
            me: &me,
            now_ms,
            adopted_ms: 0,
            ripe_ms: None,
            mutual: None,
            joined_lately: &none,
            ended: &none,
        };
        let hash = commitment::hash(&self.content(member), &me, &Self::nonce(member));
        let trained = Some(is_committed.then_some(hash));
        let seen_ms = &self.seen_ms;
        let facts = committing::Facts { round, trained, queued: 0, revealed: None, seen_ms };
        committing::step(runs.get(&self.run).unwrap(), &facts)
    }
}

#[test]
fn updates_that_answer_each_other_count_in_whatever_order_they_come() {
    let mut promises = Promises::new(3);
    let (_, updates) = promises.round(0..3);
    let aggregate = promises.aggregate(&updates);
    assert_eq!(promises.standing(&aggregate), Standing::Valid);
    for runs in promises.in_any_order(5) {
        assert_eq!(runs.get(&promises.run).unwrap().head(), aggregate);
    }
}

/// It has seen what the others sent, commits to a copy, and reveals it: nobody had answered it.
#[test]
fn who_commits_after_a_reveal_stands_in_no_aggregate_with_it() {
    let mut promises = Promises::new(3);
    let (commitments, updates) = promises.round(0..2);
    let copy = promises.content(0);
    let late = promises.commit_to(2, &copy, 0);
    let all = [&commitments[..], &[late]].concat();
    let copied = promises.reveal_as(2, &copy, late, &all);
    let with = promises.aggregate(&[updates[0], updates[1], copied]);
    assert_eq!(promises.standing(&with), Standing::Void);
    let breach = promises.breach(&[updates[0], copied]);
    assert_eq!(breach, Some(Breach::Unanswered(updates[0], copied)));
    let without = promises.aggregate(&updates);
    assert_eq!(promises.standing(&without), Standing::Valid);
    assert_eq!(promises.why_not(&without, 2), Some(WhyNot::Late));
    assert_eq!(promises.why_not(&without, 0), None, "it is in it");
}

#[test]
fn an_update_without_its_own_commitment_is_out_of_order() {
    let mut promises = Promises::new(5);
    let commitments: Vec<_> = (0..5).map(|member| promises.commit(member)).collect();
    let honest: Vec<_> =
        (0..2).map(|member| promises.reveal(member, commitments[member], &commitments)).collect();
    // Another content than it committed to, the commitment of another, and none at all.
    let other = Update { samples: 11, ..promises.content(2) };
    let changed = promises.reveal_as(2, &other, commitments[2], &commitments);
    let taken = promises.reveal_as(3, &promises.content(0), commitments[0], &commitments);
    let open = promises.bench.say(4, vec![Payload::Update(promises.content(4))]);
    for bad in [changed, taken, open] {
        let with = promises.aggregate(&[honest[0], honest[1], bad]);
        assert_eq!(promises.standing(&with), Standing::Void);
        assert_eq!(promises.breach(&[honest[0], bad]), Some(Breach::Disordered(bad)));
    }
    let aggregate = promises.aggregate(&honest);
    assert_eq!(promises.standing(&aggregate), Standing::Valid);
    assert_eq!(promises.why_not(&aggregate, 2), Some(WhyNot::Mismatched));
    assert_eq!(promises.why_not(&aggregate, 3), Some(WhyNot::Mismatched));
    assert_eq!(promises.why_not(&aggregate, 4), Some(WhyNot::Uncommitted));
}

/// In a run without commitments the same updates count, and one that reveals something does not.
#[test]
fn a_run_without_commitments_takes_updates_without_them() {
    let mut bench = Bench::new(2);
    let run = bench.start_for_all();
    let updates: Vec<_> = (0..2).map(|member| bench.update(member, run, run, 1)).collect();
    let aggregate = bench.aggregate(0, run, run, 1, &updates);
    let reveal = Some(Reveal { commitment: run, nonce: [0; 32].into(), answers: vec![run] });
    let odd = Update { reveal, ..update(run, run, 1) };
    let odd = bench.say(0, vec![Payload::Update(odd)]);
    let runs = bench.fold();
    let state = runs.get(&run).unwrap();
    assert!(state.head() == aggregate && state.left_out(&aggregate).is_empty());
    assert!(state.update(&odd).is_none());
}

#[test]
fn who_commits_and_does_not_reveal_is_named_and_waited_for_only_once() {
    let mut promises = Promises::new(3);
    let commitments: Vec<_> = (0..3).map(|member| promises.commit(member)).collect();
    let updates: Vec<_> =
        (0..2).map(|member| promises.reveal(member, commitments[member], &commitments)).collect();
    let runs = promises.bench.fold();
    let run = runs.get(&promises.run).unwrap();
    let mutual = committing::mutual(run, &updates, &BTreeSet::new());
    assert_eq!((mutual.updates.len(), mutual.expected), (2, 3), "the third is waited for");
    let first = promises.aggregate(&updates);
    assert_eq!(promises.why_not(&first, 2), Some(WhyNot::Withheld));
    // The same in the next round: nobody waits any more for what may never come.
    let base = first;
    let content =
        |promises: &Promises, member| Update { base, round: 2, ..promises.content(member) };
    let again: Vec<_> =
        (0..3).map(|member| promises.commit_to(member, &content(&promises, member), 0)).collect();
    let updates: Vec<_> = (0..2)
        .map(|member| {
            let content = content(&promises, member);
            promises.reveal_as(member, &content, again[member], &again)
        })
        .collect();
    let runs = promises.bench.fold();
    let run = runs.get(&promises.run).unwrap();
    assert_eq!(run.head(), first);
    let mutual = committing::mutual(run, &updates, &BTreeSet::new());
    assert_eq!((mutual.updates.len(), mutual.expected), (2, 2));
}

#[test]
fn who_commits_twice_is_answered_by_nobody_that_knows() {
    let mut promises = Promises::new(4);
    let mut commitments: Vec<_> = (0..3).map(|member| promises.commit(member)).collect();
    commitments.push(promises.commit(3));
    let other = Update { samples: 9, ..promises.content(3) };
    promises.commit_to(3, &other, 0);
    let Step::Reveal { commitment, answers } = promises.step(0, 0, true) else { panic!("waits") };
    let mut honest = commitments[..3].to_vec();
    honest.sort_unstable();
    assert_eq!((commitment, answers), (commitments[0], honest.clone()));
    let updates: Vec<_> =
        (0..3).map(|member| promises.reveal(member, commitments[member], &honest)).collect();
    let doubled = promises.reveal(3, commitments[3], &commitments);
    let with = promises.aggregate(&[&updates[..], &[doubled]].concat());
    assert_eq!(promises.standing(&with), Standing::Void);
    let without = promises.aggregate(&updates);
    assert_eq!(promises.why_not(&without, 3), Some(WhyNot::Doubled));
}

/// A commitment that comes when it may is answered; who is missing is waited for to the deadline.
#[test]
fn a_member_commits_and_waits_for_others_before_it_reveals() {
    let mut promises = Promises::new(3);
    assert_eq!(promises.step(0, 0, false), Step::Commit { attempt: 0 });
    let own = promises.commit(0);
    assert!(matches!(promises.step(0, 900, true), Step::Wait { until_ms: Some(1_000) }));
    assert!(matches!(promises.step(0, 1_000, true), Step::Wait { .. }), "alone it shows nothing");
    let other = promises.commit(1);
    assert!(matches!(promises.step(0, 900, true), Step::Wait { until_ms: Some(1_000) }));
    let mut answers = vec![own, other];
    answers.sort_unstable();
    assert_eq!(
        promises.step(0, 1_000, true),
        Step::Reveal { commitment: own, answers: answers.clone() }
    );
    answers.push(promises.commit(2));
    answers.sort_unstable();
    assert_eq!(promises.step(0, 1, true), Step::Reveal { commitment: own, answers });
    // What was committed to is lost: something else is promised, as another attempt.
    assert_eq!(promises.step(0, 1, false), Step::Commit { attempt: 1 });
}

/// A partition had each answer another: none of the updates go together, and all commit anew.
#[test]
fn a_round_that_came_to_nothing_is_committed_to_anew() {
    let mut promises = Promises::new(3);
    let commitments: Vec<_> = (0..3).map(|member| promises.commit(member)).collect();
    let updates: Vec<_> = (0..3)
        .map(|member| {
            let next = commitments[(member + 1) % 3];
            promises.reveal(member, commitments[member], &[commitments[member], next])
        })
        .collect();
    assert_eq!(promises.mutual(&updates).updates.len(), 1);
    assert!(matches!(promises.step(0, 2_999, true), Step::Wait { until_ms: Some(3_000) }));
    assert_eq!(promises.step(0, 3_000, true), Step::Commit { attempt: 1 });
    let again: Vec<_> =
        (0..3).map(|member| promises.commit_to(member, &promises.content(member), 1)).collect();
    let Step::Reveal { commitment, answers } = promises.step(1, 3_001, true) else { panic!() };
    assert_eq!((commitment, answers.len()), (again[1], 3));
    let updates: Vec<_> =
        (0..3).map(|member| promises.reveal(member, again[member], &answers)).collect();
    let aggregate = promises.aggregate(&updates);
    assert_eq!(promises.standing(&aggregate), Standing::Valid);
}

/// Who has to do what next can be read off the history.
#[test]
fn a_round_says_whom_it_waits_for() {
    let mut promises = Promises::new(3);
    let waiting = |promises: &Promises| {
        let runs = promises.bench.fold();
        let found = runs.get(&promises.run).unwrap().waiting();
        found.map(|found| (found.step, found.attempt, found.members))
    };
    let of = |promises: &Promises, members: &[usize]| {
        let authors = members.iter().map(|member| promises.bench.author(*member));
        authors.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    let first = promises.commit(0);
    let missing = of(&promises, &[1, 2]);
    assert_eq!(waiting(&promises), Some((waiting::Step::Commitments, 0, missing)));
    let commitments = [first, promises.commit(1), promises.commit(2)];
    assert_eq!(waiting(&promises), None, "all have committed, and may reveal");
    let updates = [promises.reveal(0, first, &commitments)];
    let missing = of(&promises, &[1, 2]);
    assert_eq!(waiting(&promises), Some((waiting::Step::Updates, 0, missing)));
    // Two commit anew: theirs is the attempt that counts.
    for member in 0..2 {
        let content = promises.content(member);
        let own = promises.commit_to(member, &content, 1);
        promises.reveal_as(member, &content, own, &[own]);
    }
    let content = promises.content(2);
    promises.commit_to(2, &content, 1);
    let missing = of(&promises, &[2]);
    assert_eq!(waiting(&promises), Some((waiting::Step::Updates, 1, missing)));
    let other = promises.reveal(1, commitments[1], &commitments);
    promises.aggregate(&[updates[0], other]);
    let missing = of(&promises, &[0, 1, 2]);
    assert_eq!(waiting(&promises), Some((waiting::Step::Commitments, 0, missing)));
}

/// Of five, one answers less than the others: it is left out, and the rest go together.
#[test]
fn the_many_that_go_together_are_proposed() {
    let mut promises = Promises::new(5);
    let commitments: Vec<_> = (0..5).map(|member| promises.commit(member)).collect();
    let mut updates: Vec<_> =
        (0..4).map(|member| promises.reveal(member, commitments[member], &commitments)).collect();
    updates.push(promises.reveal(4, commitments[4], &commitments[3..]));
    let runs = promises.bench.fold();
    let run = runs.get(&promises.run).unwrap();
    let mutual = promises.mutual(&updates);
    let mut most = updates[..4].to_vec();
    most.sort_unstable();
    assert_eq!(mutual.updates, most);
    let none = BTreeSet::new();
    let me = promises.bench.author(0);
    let facts = |now_ms| Facts {
        me: &me,
        now_ms,
        adopted_ms: 0,
        ripe_ms: Some(0),
        mutual: Some((&mutual, 0)),
        joined_lately: &none,
        ended: &none,
    };
    let policy::Step::Propose(proposed) = policy::step(run, &facts(10_000), |_| true) else {
        panic!("nothing is proposed")
    };
    assert_eq!(proposed, most);
}

/// A thief waits for the first reveal and commits to a copy before the last: who has seen that
/// reveal does not answer it, and where somebody does, what is proposed is without the thief.
#[test]
fn who_commits_between_the_first_reveal_and_the_last_is_left_out() {
    let mut promises = Promises::new(4);
    let mut commitments: Vec<_> = (0..3).map(|member| promises.commit(member)).collect();
    commitments.sort_unstable();
    let own: Vec<_> = (0..3).map(|member| promises.own(member)).collect();
    let first = promises.reveal(0, own[0], &commitments);
    promises.seen_ms.insert(first, 700);
    let copy = promises.content(0);
    let late = promises.commit_to(3, &copy, 0);
    promises.seen_ms.insert(late, 701);
    let Step::Reveal { answers, .. } = promises.step(1, 1_000, true) else { panic!("waits") };
    assert_eq!(answers, commitments);
    // The control: a reveal of the first half of the time with few answers stops nobody.
    promises.seen_ms.insert(first, 400);
    let Step::Reveal { answers, .. } = promises.step(1, 400, true) else { panic!("waits") };
    assert_eq!(answers.len(), 4);

    let mut updates = vec![first];
    updates.extend((1..3).map(|member| promises.reveal(member, own[member], &answers)));
    let copied = promises.reveal_as(3, &copy, late, &answers);
    let all = [&updates[..], &[copied]].concat();
    updates.sort_unstable();
    assert_eq!(promises.mutual(&all).updates, updates);
}
