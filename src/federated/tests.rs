//! Runs folded from hand-made histories: what counts, what does not, and that order is irrelevant.

mod committing;
mod masking;

use std::collections::BTreeSet;

use super::policy::{self, Facts, Step};
use super::*;
use crate::aggregation::{Rule, Settings};
use crate::clock::Now;
use crate::crypto::sign::SigningKey;
use crate::dag::{Aggregate, BlobId, Graph, NetworkId, Source, Update, Vertex};
use crate::identity::{Binding, Terms, TransportId};
use crate::limits;
use crate::neural::{Activation, Layer, Loss, Scaling, Shape, Specification};
use crate::rng::Rng;

const NETWORK: NetworkId = NetworkId::from_bytes([4; 32]);
const NOW: Now = Now { mono_ms: 0, unix_ms: 1_763_000_000_000 };
const PARAMETERS: u32 = 6;

/// Authors with one graph that all of them see.
struct Bench {
    graph: Graph,
    keys: Vec<SigningKey>,
}

impl Bench {
    fn new(authors: u8) -> Self {
        let mut bench = Self { graph: Graph::new(NETWORK), keys: Vec::new() };
        for index in 0..authors {
            let key = SigningKey::from_seeds(&[index + 1; 64]);
            let terms = Terms {
                transport: TransportId::from_bytes(&[index + 1]).unwrap(),
                epoch: 0,
                valid_from_ms: 0,
                valid_until_ms: 1_000,
            };
            let binding = Binding::sign(&key, &NETWORK, terms, [0; 32]).unwrap();
            let vertex = Vertex::identity(NETWORK, key.public(), binding, 0);
            let signed = SignedVertex::sign(&vertex, &key, [0; 32]).unwrap();
            bench.graph.insert(signed, &Source::Own, NOW).unwrap();
            bench.keys.push(key);
        }
        bench
    }

    fn author(&self, index: usize) -> AuthorId {
        AuthorId::of(self.keys[index].public())
    }

    fn say(&mut self, author: usize, payloads: Vec<Payload>) -> VertexId {
        let vertex = self.graph.next_vertex(self.author(author), payloads, NOW).unwrap();
        let signed = SignedVertex::sign(&vertex, &self.keys[author], [0; 32]).unwrap();
        let id = signed.id();
        self.graph.insert(signed, &Source::Own, NOW).unwrap();
        id
    }

    fn start(&mut self, author: usize) -> VertexId {
        self.say(author, vec![Payload::RunStart(spec())])
    }

    /// A run of one author that everybody has joined.
    fn start_for_all(&mut self) -> VertexId {
        let run = self.start(0);
        for author in 0..self.keys.len() {
            self.join(author, run);
        }
        run
    }

    fn join(&mut self, author: usize, run: VertexId) -> VertexId {
        self.say(author, vec![Payload::RunJoin { run, samples: 10, key: None }])
    }

    fn update(&mut self, author: usize, run: VertexId, base: VertexId, round: u32) -> VertexId {
        let update = update(run, base, round);
        self.say(author, vec![Payload::Update(update)])
    }

    fn aggregate(
        &mut self,
        author: usize,
        run: VertexId,
        base: VertexId,
        round: u32,
        updates: &[VertexId],
    ) -> VertexId {
        let mut updates = updates.to_vec();
        updates.sort_unstable();
        let weights = BlobId::of(&round.to_le_bytes());
        let weights_bytes = PARAMETERS * 4;
        let aggregate = Aggregate { run, base, round, updates, weights, weights_bytes };
        self.say(author, vec![Payload::Aggregate(aggregate)])
    }

    /// Folds everything in the order of the graph; every sound aggregate is judged to be right.
    fn fold(&self) -> Runs {
        let mut runs = Runs::new();
        for signed in self.graph.iter() {
            let changes = runs.apply(signed);
            judge_all(&mut runs, changes);
        }
        runs
    }
}

fn judge_all(runs: &mut Runs, changes: Vec<(VertexId, Change)>) {
    let mut open = changes;
    while let Some((run, change)) = open.pop() {
        if let Change::Sound(aggregate) = change {
            open.extend(runs.judge(&run, aggregate, true));
        }
    }
}

fn spec() -> RunSpec {
    RunSpec {
        name: "bench".to_owned(),
        model: Specification {
            inputs: Shape::Flat(2),
            layers: vec![Layer::dense(2, Activation::Linear)],
            loss: Loss::Mse,
        },
        seed: 1,
        classes: Vec::new(),
        scaling: Scaling::identity(2),
        rounds: 3,
        epochs: 1,
        batch: 1,
        learning_rate: 0.1,
        momentum: 0.0,
        quorum: 3,
        updates_min: 2,
        deadline_ms: 1_000,
        aggregation: None,
        server_momentum: None,
        compression: None,
        privacy: None,
        masking: None,
        worker_momentum: None,
        reference: None,
        commit_reveal: false,
    }
}

fn update(run: VertexId, base: VertexId, round: u32) -> Update {
    let delta = BlobId::of(&round.to_le_bytes());
    let delta_bytes = PARAMETERS * 4;
    Update { run, base, round, samples: 10, delta, delta_bytes, cohort: None, reveal: None }
}

#[test]
fn a_run_grows_round_by_round_to_its_end() {
    let mut bench = Bench::new(3);
    let run = bench.start_for_all();
    let mut base = run;
    for round in 1..=3 {
        let updates: Vec<_> = (0..3).map(|author| bench.update(author, run, base, round)).collect();
        base = bench.aggregate(2, run, base, round, &updates);
    }
    let runs = bench.fold();
    let run = runs.get(&run).unwrap();
    assert_eq!((run.head(), run.round(), run.is_finished()), (base, 3, true));
    assert_eq!(run.contributors(&base).len(), 3);
    assert_eq!(run.tree().updates(base), 9);
    assert_eq!(run.parameters(), 6);
}

#[test]
fn aggregates_that_break_a_rule_never_count() {
    let mut bench = Bench::new(3);
    let run = bench.start_for_all();
    let [a, b] = [0, 1].map(|author| bench.update(author, run, run, 1));
    let again = bench.update(0, run, run, 1);
    let first = bench.aggregate(0, run, run, 1, &[a, b]);
    let next = bench.update(0, run, first, 2);
    let wrong_round = bench.update(1, run, first, 3);
    let rows = [
        ("too few updates", bench.aggregate(1, run, run, 1, &[a])),
        ("an author twice", bench.aggregate(1, run, run, 1, &[a, again])),
        ("an update of another base", bench.aggregate(1, run, run, 1, &[a, next])),
        ("an update of another round", bench.aggregate(1, run, first, 2, &[next, wrong_round])),
        ("a round too far", bench.aggregate(1, run, first, 3, &[a, b])),
        ("a first round on a later base", bench.aggregate(1, run, first, 1, &[a, b])),
        ("a base that is no aggregate", bench.aggregate(1, run, a, 2, &[a, b])),
        ("no update at all", bench.aggregate(1, run, run, 1, &[first, run])),
        ("a round after the last", bench.aggregate(1, run, first, 4, &[a, b])),
    ];
    let runs = bench.fold();
    let state = runs.get(&run).unwrap();
    for (what, id) in rows {
        let standing = state.aggregate(&id).map(|record| record.standing);
        let counts = matches!(standing, Some(Standing::Valid | Standing::Sound));
        assert!(!counts, "{what}: {standing:?}");
    }
    assert_eq!(state.head(), first);
    assert!(!bench.fold().get(&run).unwrap().is_finished());
}

/// A rule has a bound on the updates it compares, and an aggregate beyond it is none.
#[test]
fn an_aggregate_has_no_more_updates_than_its_rule_takes() {
    let most = limits::AGGREGATION_COMPARED_MAX;
    for (rule, counts) in [(Rule::MultiKrum, false), (Rule::TrimmedMean, true)] {
        let mut bench = Bench::new(u8::try_from(most).unwrap() + 1);
        let aggregation = Some(Settings { rule, byzantine: 0, radius: 0.0, mixing: false });
        let run = bench.say(0, vec![Payload::RunStart(RunSpec { aggregation, ..spec() })]);
        for author in 0..=most {
            bench.join(author, run);
        }
        let updates: Vec<_> = (0..=most).map(|author| bench.update(author, run, run, 1)).collect();
        let over = bench.aggregate(0, run, run, 1, &updates);
        assert_eq!(bench.fold().get(&run).unwrap().aggregate(&over).is_some(), counts);
        let within = bench.aggregate(0, run, run, 1, &updates[..most]);
        let runs = bench.fold();
        let standing = runs.get(&run).unwrap().aggregate(&within).map(|record| record.standing);
        assert_eq!(standing, Some(Standing::Valid));
    }
}

#[test]
fn updates_of_a_wrong_size_or_round_never_count() {
    let mut bench = Bench::new(1);
    let run = bench.start(0);
    let good = update(run, run, 1);
    let rows = [
        Update { delta_bytes: 4, ..good.clone() },
        Update { round: 2, ..good.clone() },
        Update { round: 4, base: VertexId::of(b"x"), ..good.clone() },
        Update { round: 1, base: VertexId::of(b"x"), ..good.clone() },
    ];
    let bad = rows.map(|update| bench.say(0, vec![Payload::Update(update)]));
    let id = bench.say(0, vec![Payload::Update(good)]);
    let runs = bench.fold();
    let state = runs.get(&run).unwrap();
    assert!(state.update(&id).is_some());
    assert!(bad.iter().all(|id| state.update(id).is_none()));
}

#[test]
fn a_vertex_with_two_named_statements_makes_none_of_them() {
    let mut bench = Bench::new(1);
    let run = bench.start(0);
    let one = Payload::Update(update(run, run, 1));
    let join = Payload::RunJoin { run, samples: 3, key: None };
    let both = bench.say(0, vec![one.clone(), join.clone(), Payload::RunStart(spec())]);
    let single = bench.say(0, vec![join, one]);
    let runs = bench.fold();
    assert!(runs.get(&both).is_none());
    let state = runs.get(&run).unwrap();
    assert!(state.update(&both).is_none() && state.update(&single).is_some());
    assert!(state.is_member(&bench.author(0)), "what is not named by its vertex counts");
}

#[test]
fn members_join_leave_and_join_again() {
    let mut bench = Bench::new(2);
    let run = bench.start(0);
    bench.join(1, run);
    assert!(bench.fold().get(&run).unwrap().is_member(&bench.author(1)));
    bench.say(1, vec![Payload::RunLeave { run }]);
    assert!(!bench.fold().get(&run).unwrap().is_member(&bench.author(1)));
    bench.join(1, run);
    let runs = bench.fold();
    let state = runs.get(&run).unwrap();
    assert!(state.is_member(&bench.author(1)));
    assert!(!state.is_member(&bench.author(0)), "to start is not to join");
}

/// Two keys that nobody had let in could write updates, aggregate them and so take over a run.
#[test]
fn updates_of_authors_that_have_not_joined_never_count() {
    let mut bench = Bench::new(4);
    let run = bench.start(0);
    bench.join(0, run);
    bench.join(1, run);
    let [a, b, c, d] = [0, 1, 2, 3].map(|author| bench.update(author, run, run, 1));
    let outsiders = bench.aggregate(2, run, run, 1, &[c, d]);
    let mixed = bench.aggregate(0, run, run, 1, &[a, b, c]);
    let members = bench.aggregate(0, run, run, 1, &[a, b]);
    let runs = bench.fold();
    let state = runs.get(&run).unwrap();
    let standing = |id| state.aggregate(&id).unwrap().standing;
    assert_eq!([outsiders, mixed].map(standing), [Standing::Waiting; 2]);
    assert_eq!((state.head(), standing(members)), (members, Standing::Valid));
    assert_eq!(state.candidates(&run).count(), 2, "nor are they proposed");
    // To join afterwards makes nothing of it true; to join first does.
    bench.join(2, run);
    let late = bench.aggregate(1, run, run, 1, &[a, b, c]);
    let again = bench.update(2, run, run, 1);
    let third = bench.aggregate(1, run, run, 1, &[a, b, again]);
    let runs = bench.fold();
    let state = runs.get(&run).unwrap();
    assert_eq!(state.aggregate(&late).unwrap().standing, Standing::Waiting);
    assert_eq!(state.head(), third);
    // To leave takes nothing back.
    bench.say(2, vec![Payload::RunLeave { run }]);
    assert_eq!(bench.fold().get(&run).unwrap().head(), third);
}

#[test]
fn any_causal_order_folds_to_the_same_runs() {
    let mut bench = Bench::new(4);
    let run = bench.start(0);
    for author in 0..4 {
        bench.join(author, run);
    }
    let updates: Vec<_> = (0..4).map(|author| bench.update(author, run, run, 1)).collect();
    let left = bench.aggregate(0, run, run, 1, &updates[..2]);
    let right = bench.aggregate(1, run, run, 1, &updates[1..]);
    let on_left: Vec<_> = (0..2).map(|author| bench.update(author, run, left, 2)).collect();
    let on_right: Vec<_> = (1..4).map(|author| bench.update(author, run, right, 2)).collect();
    bench.aggregate(0, run, left, 2, &on_left);
    bench.aggregate(2, run, right, 2, &on_right);
    bench.aggregate(3, run, right, 2, &on_right[..2]);
    let picture = |runs: &Runs| {
        let state = runs.get(&run).unwrap();
        let standings: Vec<_> =
            state.aggregates().map(|(id, record)| (*id, record.standing)).collect();
        (state.head(), state.round(), standings, state.members().clone())
    };
    let expected = picture(&bench.fold());
    // Statements name what they need by id, so even orders that break causality must agree.
    for seed in 0..100 {
        let mut order: Vec<_> = bench.graph.iter().collect();
        Rng::from_u64(seed).shuffle(&mut order);
        let mut runs = Runs::new();
        for signed in order {
            let changes = runs.apply(signed);
            judge_all(&mut runs, changes);
        }
        assert_eq!(picture(&runs), expected, "seed {seed}");
    }
}

/// Everything that a node shows of its runs.
fn picture_of(runs: &Runs) -> Vec<String> {
    let of = |run: &Run| {
        let standings: Vec<_> = run.aggregates().map(|(id, it)| (*id, it.standing)).collect();
        let (head, round, members) = (run.head(), run.round(), run.members());
        format!("{} {head} {round} {standings:?} {members:?}", run.id())
    };
    runs.iter().map(of).collect()
}

/// Statements of all kinds, right and wrong, of authors who see only a part of what the others say.
fn random_history(rng: &mut Rng) -> Bench {
    let mut bench = Bench::new(4);
    let pick = |rng: &mut Rng, count: usize| {
        usize::try_from(rng.below(u32::try_from(count).unwrap())).unwrap()
    };
    let (mut runs, mut bases) = (vec![bench.start(0)], Vec::new());
    let mut updates: Vec<VertexId> = Vec::new();
    let mut replicas: Vec<Graph> = (0..4).map(|_| copy(&bench.graph)).collect();
    for _ in 0..30 {
        let who = pick(rng, 4);
        std::mem::swap(&mut bench.graph, &mut replicas[who]);
        let run = runs[pick(rng, runs.len())];
        let base = if bases.is_empty() { run } else { bases[pick(rng, bases.len())] };
        let round = 1 + rng.below(2);
        match rng.below(8) {
            0 => runs.push(bench.start(who)),
            1 => drop(bench.say(who, vec![Payload::RunLeave { run }])),
            2..4 => drop(bench.join(who, run)),
            4..7 => {
                let base = if round == 1 { run } else { base };
                updates.push(bench.update(who, run, base, round));
            }
            _ => {
                let some =
                    updates.iter().filter(|_| rng.below(2) == 0).copied().collect::<Vec<_>>();
                if !some.is_empty() {
                    bases.push(bench.aggregate(who, run, run, 1, &some));
                }
            }
        }
        std::mem::swap(&mut bench.graph, &mut replicas[who]);
        let (from, to) = (pick(rng, 4), pick(rng, 4));
        let news: Vec<SignedVertex> = replicas[from].iter().cloned().collect();
        for signed in news {
            replicas[to].restore(signed).unwrap();
        }
    }
    for replica in &replicas {
        replica.iter().for_each(|signed| bench.graph.restore(signed.clone()).unwrap());
    }
    bench
}

fn copy(graph: &Graph) -> Graph {
    let mut copy = Graph::new(NETWORK);
    graph.iter().for_each(|signed| copy.restore(signed.clone()).unwrap());
    copy
}

/// What a node keeps up to date vertex by vertex, parked ones included, is at every moment what it
/// would be if it were made anew from the history in its one order.
#[test]
fn runs_kept_up_to_date_are_those_of_a_rebuild_from_scratch() {
    let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut aggregates = 0;
    for seed in seed..seed + 20_u64 {
        let mut rng = Rng::from_u64(seed);
        let bench = random_history(&mut rng);
        let from = Source::Peer(TransportId::from_bytes(&[1]).unwrap());
        let mut order: Vec<&SignedVertex> = bench.graph.iter().collect();
        let (mut graph, mut runs) = (Graph::new(NETWORK), Runs::new());
        while graph.len() < bench.graph.len() {
            rng.shuffle(&mut order);
            for signed in &order {
                let inserted = graph.insert((*signed).clone(), &from, NOW);
                let Ok(crate::dag::Insert::Accepted(accepted)) = inserted else { continue };
                for id in accepted {
                    let changes = runs.apply(graph.get(&id).unwrap());
                    judge_all(&mut runs, changes);
                }
                let mut anew = Runs::new();
                for key in graph.timeline().iter() {
                    let changes = anew.apply(graph.get(&key.id).unwrap());
                    judge_all(&mut anew, changes);
                }
                assert_eq!(picture_of(&runs), picture_of(&anew), "SEED={seed}");
            }
        }
        aggregates += runs.iter().map(|run| run.aggregates().count()).sum::<usize>();
    }
    assert!(aggregates > 20, "{aggregates} are too few to try the order of");
}

#[test]
fn training_seeds_differ_by_round_author_and_run() {
    let mut bench = Bench::new(2);
    let runs_of = [bench.start(0), bench.start(1)];
    let runs = bench.fold();
    let mut seeds = BTreeSet::new();
    for run in runs_of {
        for round in 1..4 {
            for author in 0..2 {
                let seed = runs.get(&run).unwrap().training_seed(round, &bench.author(author));
                assert!(seeds.insert(seed));
            }
        }
    }
}

/// A round of three members with some updates, as one of them sees it.
fn step_of(bench: &Bench, run: VertexId, me: usize, now_ms: u64, ripe_ms: Option<u64>) -> Step {
    let runs = bench.fold();
    let (me, none) = (bench.author(me), BTreeSet::new());
    let facts = Facts {
        me: &me,
        now_ms,
        adopted_ms: 0,
        ripe_ms,
        mutual: None,
        joined_lately: &none,
        ended: &none,
    };
    policy::step(runs.get(&run).unwrap(), &facts, |_| true)
}

#[test]
fn a_round_ripens_by_quorum_or_deadline_and_members_take_turns() {
    let mut bench = Bench::new(4);
    let run = bench.start(0);
    for author in 0..3 {
        bench.join(author, run);
    }
    assert_eq!(step_of(&bench, run, 3, 0, None), Step::Idle, "no member");
    bench.update(0, run, run, 1);
    assert_eq!(step_of(&bench, run, 0, 0, None), Step::Unripe { until_ms: 1_000 });
    assert_eq!(step_of(&bench, run, 0, 5_000, None), Step::Idle, "late, and fewer than it takes");
    bench.update(1, run, run, 1);
    assert!(matches!(step_of(&bench, run, 0, 0, None), Step::Unripe { .. }));
    let late = |member| step_of(&bench, run, member, 5_000, Some(1_000));
    let all_late =
        (0..3).all(|member| matches!(late(member), Step::Propose(ref u) if u.len() == 2));
    assert!(all_late, "long after the deadline it is everybody's turn");
    bench.update(2, run, run, 1);
    let steps: Vec<_> = (0..3).map(|member| step_of(&bench, run, member, 100, Some(100))).collect();
    let proposers = steps.iter().filter(|step| matches!(step, Step::Propose(_))).count();
    assert_eq!(proposers, 1, "{steps:?}");
    let mut waits: Vec<_> = steps
        .iter()
        .filter_map(|step| if let Step::Turn { until_ms } = step { Some(*until_ms) } else { None })
        .collect();
    waits.sort_unstable();
    let stagger_ms = limits::PROPOSER_STAGGER_MS;
    assert_eq!(waits, [100 + stagger_ms, 100 + 2 * stagger_ms]);
}

#[test]
fn an_equivocator_and_unusable_updates_are_left_out_of_proposals() {
    let mut bench = Bench::new(3);
    let run = bench.start(0);
    let updates: Vec<_> = (0..3)
        .map(|author| {
            bench.join(author, run);
            bench.update(author, run, run, 1)
        })
        .collect();
    let runs = bench.fold();
    let (me, none) = (bench.author(0), BTreeSet::new());
    let ended = [bench.author(1)].into();
    let facts = Facts {
        me: &me,
        now_ms: 60_000,
        adopted_ms: 0,
        ripe_ms: Some(0),
        mutual: None,
        joined_lately: &none,
        ended: &ended,
    };
    let state = runs.get(&run).unwrap();
    let mut expected = vec![updates[0], updates[2]];
    expected.sort_unstable();
    assert_eq!(policy::step(state, &facts, |_| true), Step::Propose(expected));
    let step = policy::step(state, &facts, |id| *id != updates[2]);
    assert_eq!(step, Step::Idle, "one usable update is fewer than the minimum");
}
