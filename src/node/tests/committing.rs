//! Runs with commitments: nobody's update is made from others', whoever is gone when.

use std::sync::Arc;

use super::exports::{assert_changes_are_found, export};
use super::mesh::{Mesh, Trainer, tiny_run};
use super::runs::{all_join, assert_same_head, run_of, slowed};
use super::stranger::Stranger;
use crate::dag::commitment::{self, Commitment, Reveal};
use crate::dag::{BlobId, Payload, RunSpec, Update, VertexId};
use crate::effect::{Input, Verdict};
use crate::federated::replay;
use crate::federated::run::committed::WhyNot;
use crate::message::{Refusal, Refused, Request, Response, WantBlob};

fn committed_run(rounds: u32, quorum: u32) -> RunSpec {
    RunSpec { commit_reveal: true, ..tiny_run(rounds, quorum) }
}

fn begin(seed: u64, members: usize, spec: RunSpec) -> (Mesh, VertexId) {
    let mut mesh = Mesh::running(seed, members);
    mesh.train_for(300);
    let run = mesh.start_run(0, spec);
    all_join(&mut mesh, &run, &(1..members).collect::<Vec<_>>());
    (mesh, run)
}

#[test]
fn a_run_with_commitments_ends_at_one_head_and_replays() {
    let (mut mesh, run) = begin(51, 4, committed_run(6, 4));
    let began_ms = mesh.now_ms;
    mesh.finish(&run, &[0, 1, 2, 3], 60_000);
    assert!(mesh.now_ms - began_ms < 6 * 2_000, "no round waits: {}", mesh.now_ms - began_ms);
    let known = run_of(&mesh, 2, &run);
    assert_same_head(&mesh, &run, &[0, 1, 2, 3]);
    assert_eq!(known.contributors(&known.head()).len(), 4);
    mesh.run_for(1_000);
    let file = export(&mut mesh, 3, &run);
    let report = replay(&file);
    assert!(report.ok && report.rounds == 6, "{:?}", report.first_mismatch);
    assert!(report.left_out.is_empty(), "{:?}", report.left_out);
    let promise = format!("promise/{run}");
    assert!(mesh.members.iter().all(|member| member.store.meta[&promise].is_empty()));
}

/// The head may go to another branch and back: what was committed to after a reveal had counted as
/// from before it then.
#[test]
fn what_was_seen_of_a_head_is_kept_for_the_way_back() {
    let (mut mesh, run) = begin(64, 2, committed_run(3, 2));
    mesh.members[0].train = Trainer::Honest(900);
    until_committed(&mut mesh, 1, &run, 1);
    let known = run_of(&mesh, 1, &run);
    let node = mesh.members[1].node.as_mut().unwrap();
    let following = node.following.get_mut(&run).unwrap();
    let heads = [1, 2].map(|head| VertexId::of(&[head]));
    let own = known.committed().unwrap().commitments_on(&known.head()).next().unwrap().0;
    let seen_ms = following.seen_ms[&own];
    following.head = heads[0];
    following.forget_seen(&known, &known.head());
    assert_eq!(following.seen_ms.get(&own), Some(&seen_ms));
    following.head = heads[1];
    following.forget_seen(&known, &heads[0]);
    assert!(following.seen_ms.is_empty());
}

/// Milliseconds of a round in which everybody is there.
fn round_ms(spec: RunSpec) -> u64 {
    let (mut mesh, run) = begin(50, 10, RunSpec { updates_min: 10, ..spec });
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 0, &run).round() >= 1));
    let began_ms = mesh.now_ms;
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 0, &run).round() >= 11));
    (mesh.now_ms - began_ms) / 10
}

#[test]
fn commitments_take_one_more_way_through_the_network() {
    let (plain_ms, ms) = (round_ms(tiny_run(11, 10)), round_ms(committed_run(11, 10)));
    assert!(ms > plain_ms && ms - plain_ms < 150, "{plain_ms} ms, {ms} ms");
}

#[test]
fn a_round_costs_two_vertices_of_each_member_and_an_aggregate() {
    let (mut mesh, run) = begin(52, 5, committed_run(10, 5));
    let before = mesh.node(0).graph().len();
    mesh.finish(&run, &[0, 1, 2, 3, 4], 60_000);
    let vertices = mesh.node(0).graph().len() - before;
    assert!(vertices <= 11 * 10, "{vertices} vertices");
}

/// What a thief does in a round: it waits for an update of another, and sends that as its own.
fn steal(mesh: &mut Mesh, thief: usize, run: &VertexId, commits: bool) {
    let (known, now_ms) = (run_of(mesh, thief, run), mesh.now_ms);
    let head = known.head();
    let node = mesh.members[thief].node.as_mut().unwrap();
    let me = node.author();
    let is_done = known.updates_of(&head).any(|(_, update)| update.author == me);
    let stolen = known.updates_of(&head).find(|(_, update)| update.author != me);
    let Some((_, stolen)) = stolen.filter(|_| !is_done && !known.is_finished()) else { return };
    let Some(bytes) = node.blobs.get(&stolen.delta).map(|bytes| bytes.to_vec()) else { return };
    let copy = Update {
        run: *run,
        base: head,
        round: stolen.round,
        samples: stolen.samples,
        delta: stolen.delta,
        delta_bytes: u32::try_from(bytes.len()).unwrap(),
        cohort: None,
        reveal: None,
    };
    node.keep_blob(stolen.delta, Arc::from(bytes));
    if !commits {
        node.writer.queue(Payload::Update(copy), None, true, now_ms);
        return;
    }
    let committed = known.committed().unwrap();
    let mut answers: Vec<VertexId> = committed.commitments_on(&head).map(|(id, _)| id).collect();
    answers.sort_unstable();
    let mut own = committed.commitments_on(&head).filter(|(_, known)| known.author == me);
    let payload = if let Some((commitment, _)) = own.next() {
        let reveal = Some(Reveal { commitment, nonce: [1; 32].into(), answers });
        Payload::Update(Update { reveal, ..copy })
    } else {
        let hash = commitment::hash(&copy, &me, &[1; 32]).into();
        Payload::Commitment(Commitment { run: *run, base: head, attempt: 0, hash })
    };
    node.writer.queue(payload, None, true, now_ms);
}

/// In how many rounds a thief's copy is, and in how many it came too late, as everybody can read.
fn rounds_with_a_copy(spec: RunSpec) -> (usize, usize) {
    let commits = spec.commit_reveal;
    let mut mesh = Mesh::running(53, 4);
    mesh.train_for(300);
    mesh.members[3].train = Trainer::Silent;
    let run = mesh.start_run(0, spec);
    all_join(&mut mesh, &run, &[1, 2, 3]);
    let me = mesh.node(3).author();
    for _ in 0..10_000 {
        steal(&mut mesh, 3, &run, commits);
        mesh.run_for(10);
        if run_of(&mesh, 0, &run).is_finished() {
            break;
        }
    }
    mesh.run_for(3_000);
    let known = run_of(&mesh, 0, &run);
    assert!(known.is_finished(), "round {}", known.round());
    let rounds: Vec<VertexId> = known.tree().chain(known.head()).collect();
    let taken = rounds.iter().filter(|id| known.contributors(id).contains(&me)).count();
    let late = |id: &&VertexId| known.left_out(id).get(&me) == Some(&WhyNot::Late);
    (taken, rounds.iter().filter(late).count())
}

/// Without commitments a copy gets in, round after round; with them never, and everybody can read
/// why.
#[test]
fn a_copy_of_what_others_sent_counts_only_where_nobody_commits() {
    let (taken, _) = rounds_with_a_copy(tiny_run(6, 4));
    assert!(taken >= 3, "the control: {taken} of 6 rounds have the copy");
    let (taken, late) = rounds_with_a_copy(committed_run(6, 4));
    assert_eq!(taken, 0);
    assert!(late >= 2, "{late} of 6 rounds say why");
}

/// Waits until a member has committed on the head and revealed nothing.
fn until_committed(mesh: &mut Mesh, member: usize, run: &VertexId, round: u32) {
    let me = mesh.node(member).author();
    assert!(mesh.run_until(60_000, |mesh| {
        let known = run_of(mesh, member, run);
        let head = known.head();
        let mut on_head = known.committed().unwrap().commitments_on(&head);
        known.round() == round
            && on_head.any(|(_, known)| known.author == me)
            && !known.updates_of(&head).any(|(_, update)| update.author == me)
    }));
}

#[test]
fn a_member_that_commits_and_is_gone_costs_a_deadline_and_is_named() {
    let (mut mesh, run) = begin(54, 4, committed_run(5, 4));
    mesh.members[2].train = Trainer::Honest(900);
    until_committed(&mut mesh, 3, &run, 1);
    // What it committed to has reached the others.
    let gone = mesh.node(3).author();
    assert!(mesh.run_until(10_000, |mesh| {
        let known = run_of(mesh, 0, &run);
        let head = known.head();
        known.committed().unwrap().commitments_on(&head).any(|(_, known)| known.author == gone)
    }));
    mesh.crash(3);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    let known = run_of(&mesh, 0, &run);
    let of = |round| {
        let found = known
            .tree()
            .chain(known.head())
            .find(|id| known.aggregate(id).is_some_and(|aggregate| aggregate.round == round));
        known.left_out(&found.unwrap()).get(&gone).copied()
    };
    assert_eq!((of(1), of(2), of(3)), (None, Some(WhyNot::Withheld), None));
    mesh.run_for(1_000);
    let report = replay(&export(&mut mesh, 1, &run));
    assert!(report.ok && report.rounds == 5, "{:?}", report.first_mismatch);
    let named: Vec<_> =
        report.left_out.iter().map(|one| (one.round, one.author, one.why)).collect();
    assert_eq!(named, [(2, gone, WhyNot::Withheld)]);
}

/// Two of three are killed with a promise, and the third cannot go on alone; started again, they
/// reveal what they had promised before.
#[test]
fn members_killed_between_the_steps_reveal_what_they_promised() {
    let spec = RunSpec { updates_min: 3, ..committed_run(4, 3) };
    let (mut mesh, run) = begin(55, 3, spec);
    until_committed(&mut mesh, 1, &run, 1);
    mesh.crash(1);
    mesh.run_for(9_000);
    assert_eq!(run_of(&mesh, 0, &run).round(), 1, "two are too few");
    let promised = |mesh: &Mesh| {
        let known = run_of(mesh, 0, &run);
        let head = known.head();
        let on_head = known.committed().unwrap().commitments_on(&head);
        on_head.map(|(id, known)| (known.author, id)).collect::<Vec<_>>()
    };
    mesh.start(1);
    mesh.run_for(500);
    mesh.join(1, &run);
    let (head, me) = (run_of(&mesh, 0, &run).head(), mesh.node(1).author());
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 0, &run).round() > 1));
    let known = run_of(&mesh, 0, &run);
    let own: Vec<_> = known
        .committed()
        .unwrap()
        .commitments_on(&head)
        .filter(|(_, known)| known.author == me)
        .collect();
    assert_eq!(own.len(), 1, "it promised once: {:?}", promised(&mesh));
    mesh.finish(&run, &[0, 1, 2], 120_000);
    mesh.run_for(1_000);
    let report = replay(&export(&mut mesh, 1, &run));
    assert!(report.ok && report.rounds == 4, "{:?}", report.first_mismatch);
}

#[test]
fn the_founder_may_leave_and_others_come_late() {
    let (mut mesh, run) = begin(56, 4, committed_run(16, 5));
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 1, &run).round() >= 2));
    mesh.crash(0);
    mesh.add_member(4);
    let address = mesh.address(1);
    mesh.start_with(4, vec![address]);
    mesh.run_for(2_000);
    mesh.join(4, &run);
    mesh.finish(&run, &[1, 2, 3, 4], 240_000);
    let known = run_of(&mesh, 4, &run);
    assert!(known.all_contributors().contains(&mesh.node(4).author()));
    assert_same_head(&mesh, &run, &[1, 2, 3, 4]);
}

/// A member that trains longer than others wait shows in each round that it works.
#[test]
fn a_member_that_comes_too_late_is_waited_for_in_the_next_round() {
    let spec = RunSpec { deadline_ms: 1_000, ..committed_run(12, 3) };
    let (mut mesh, run) = begin(57, 3, spec);
    mesh.members[2].train = Trainer::Honest(1_300);
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 0, &run).round() >= 2));
    mesh.members[2].train = Trainer::Honest(400);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    let last = run_of(&mesh, 0, &run);
    assert_eq!(last.contributors(&last.head()).len(), 3);
}

#[test]
fn an_unreliable_network_only_slows_a_run_with_commitments() {
    for seed in 0..3 {
        slowed(150 + seed, committed_run(5, 4));
    }
}

#[test]
fn a_partition_heals_to_one_head_with_commitments() {
    let (mut mesh, run) = begin(58, 5, RunSpec { deadline_ms: 1_500, ..committed_run(40, 5) });
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 4, &run).round() >= 2));
    mesh.cut(&[3, 4]);
    mesh.run_for(9_000);
    mesh.heal();
    mesh.finish(&run, &[0, 1, 2, 3, 4], 300_000);
    mesh.run_for(20_000);
    let known = run_of(&mesh, 0, &run);
    assert_same_head(&mesh, &run, &[0, 1, 2, 3, 4]);
    assert_eq!(known.contributors(&known.head()).len(), 5);
}

/// Two runs with commitments and one without, at once on the same members.
#[test]
fn several_runs_at_once_keep_their_promises_apart() {
    let (mut mesh, first) = begin(59, 3, committed_run(5, 3));
    let second = RunSpec { name: "second".to_owned(), ..committed_run(5, 3) };
    let third = RunSpec { name: "third".to_owned(), ..tiny_run(5, 3) };
    let runs = [first, mesh.start_run(0, second), mesh.start_run(0, third)];
    for run in &runs[1..] {
        all_join(&mut mesh, run, &[1, 2]);
    }
    for run in &runs {
        mesh.finish(run, &[0, 1, 2], 120_000);
        mesh.run_for(1_000);
        let report = replay(&export(&mut mesh, 1, run));
        assert!(report.ok && report.rounds == 5, "{:?}", report.first_mismatch);
    }
}

/// One flipped byte in any block is found, and so is an update taken out of its order.
#[test]
fn a_changed_byte_of_a_run_with_commitments_is_found() {
    let (mut mesh, run) = begin(60, 3, committed_run(2, 3));
    mesh.finish(&run, &[0, 1, 2], 60_000);
    mesh.run_for(1_000);
    let file = export(&mut mesh, 0, &run);
    assert_changes_are_found(&file);
}

/// An update that nobody promised, first of all, had begun the time after which a round is closed
/// without those who have not revealed.
#[test]
fn an_update_by_anybody_starts_no_time() {
    let mut mesh = Mesh::running(61, 3);
    mesh.train_for(2_000);
    mesh.members[2].train = Trainer::Silent;
    let run = mesh.start_run(0, committed_run(3, 3));
    all_join(&mut mesh, &run, &[1, 2]);
    let node = mesh.members[2].node.as_mut().unwrap();
    let blob = vec![0; run_bytes(node.runs().get(&run).unwrap())];
    let update = Update {
        run,
        base: run,
        round: 1,
        samples: 5,
        delta: BlobId::of(&blob),
        delta_bytes: u32::try_from(blob.len()).unwrap(),
        cohort: None,
        reveal: None,
    };
    node.keep_blob(update.delta, blob.into());
    node.writer.queue(Payload::Update(update), None, true, mesh.now_ms);
    mesh.poke(2, Input::Tick);
    let begun = |mesh: &Mesh| mesh.node(0).following[&run].promising.mutual().is_some();
    let count = |mesh: &Mesh| run_of(mesh, 0, &run).update_count(&run);
    assert!(mesh.run_until(1_000, |mesh| count(mesh) == 1));
    mesh.run_for(40);
    assert_eq!((count(&mesh), begun(&mesh)), (1, false));
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 0, &run).round() >= 1));
    assert_eq!(run_of(&mesh, 0, &run).contributors(&run_of(&mesh, 0, &run).head()).len(), 2);
}

fn run_bytes(run: &crate::federated::Run) -> usize {
    run.parameters() * 4
}

/// Who guesses what a member has promised could ask for it by its id: that it was there told that
/// the guess was right, before anything was revealed.
#[test]
fn what_is_promised_is_told_to_nobody_before_it_is_revealed() {
    let (mut mesh, run) = begin(62, 3, RunSpec { deadline_ms: 4_000, ..committed_run(2, 3) });
    mesh.members[2].train = Trainer::Honest(1_500);
    until_committed(&mut mesh, 0, &run, 0);
    mesh.run_for(100);
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.greet(&mut mesh, 0);
    let guesses: Vec<BlobId> = mesh.members[0].store.blobs.keys().copied().collect();
    let ask = |mesh: &mut Mesh, stranger: &mut Stranger, blob: BlobId| {
        stranger.request(mesh, 0, &Request::Blob(WantBlob { blob, offset: 0 }))
    };
    let told: Vec<_> =
        guesses.iter().map(|blob| (*blob, ask(&mut mesh, &mut stranger, *blob))).collect();
    let me = mesh.node(0).author();
    let own = |mesh: &Mesh| {
        let known = run_of(mesh, 0, &run);
        let mut own = known.updates_of(&run);
        own.find(|(_, update)| update.author == me).map(|(_, update)| update.delta)
    };
    assert_eq!(own(&mesh), None, "it has not revealed");
    assert!(mesh.run_until(60_000, |mesh| own(mesh).is_some()));
    let delta = own(&mesh).unwrap();
    let (_, before) = told.iter().find(|(blob, _)| *blob == delta).expect("it had it");
    let refused = Refused { reason: Refusal::Unknown };
    assert_eq!(before, &Some(Response::Refused(refused)));
    let after = ask(&mut mesh, &mut stranger, delta);
    assert!(matches!(after, Some(Response::Blob(_))), "the control: {after:?}");
}

/// Two commitments for one place of a chain, each shown to other members first: whoever wrote them
/// is ended everywhere, and the run goes on.
#[test]
fn who_signs_two_commitments_for_one_place_ends_and_the_run_goes_on() {
    let (mut mesh, run) = begin(63, 3, committed_run(5, 3));
    mesh.members[2].train = Trainer::Honest(900);
    let mut liar = Stranger::new(2, mesh.network());
    for member in 0..3 {
        liar.greet(&mut mesh, member);
    }
    let saying = |liar: &Stranger, before: &_, payload| {
        let mut vertex = liar.vertex(before, &[], 0);
        vertex.payloads = vec![payload];
        liar.sign(&vertex)
    };
    let joins = saying(&liar, &liar.identity, Payload::RunJoin { run, samples: 9, key: None });
    assert_eq!(liar.gossip(&mut mesh, 0, &joins.encode()), Verdict::Accept);
    until_committed(&mut mesh, 1, &run, 1);
    let base = run_of(&mesh, 1, &run).head();
    let [one, other] = [1, 2].map(|hash| {
        let commitment = Commitment { run, base, attempt: 0, hash: [hash; 32].into() };
        saying(&liar, &joins, Payload::Commitment(commitment))
    });
    assert_eq!(liar.gossip(&mut mesh, 0, &one.encode()), Verdict::Accept);
    liar.gossip(&mut mesh, 1, &other.encode());
    mesh.finish(&run, &[0, 1, 2], 60_000);
    mesh.run_for(20_000);
    let known = run_of(&mesh, 0, &run);
    assert!(!known.all_contributors().contains(&liar.author()));
    for member in 0..3 {
        assert_eq!(run_of(&mesh, member, &run).head(), known.head());
        let node = mesh.node(member);
        assert_eq!(node.graph().equivocated(&liar.author()), Some(2), "member {member}");
    }
    let report = replay(&export(&mut mesh, 2, &run));
    assert!(report.ok && report.rounds == 5, "{:?}", report.first_mismatch);
}
