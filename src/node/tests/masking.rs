//! Runs with secure aggregation: the sum that nobody's part is seen of, whoever drops out when.

use std::sync::Arc;

use super::exports::{assert_changes_are_found, export};
use super::mesh::{Mesh, Trainer, tiny_data, tiny_run};
use super::runs::{all_join, run_of};
use crate::dag::{BlobId, Payload, RunSpec, Update, VertexId, car};
use crate::event::Event;
use crate::federated::retrain::{self, Retraining};
use crate::federated::{Run, initial_weights, replay};
use crate::masking::Settings;
use crate::neural::{self, LocalTraining};

const MASKING: Settings = Settings { clip: 8.0, threshold: 66 };

fn masked_run(rounds: u32, quorum: u32) -> RunSpec {
    RunSpec { masking: Some(MASKING), updates_min: 3, ..tiny_run(rounds, quorum) }
}

fn begin(seed: u64, members: usize, rounds: u32) -> (Mesh, VertexId) {
    let mut mesh = Mesh::running(seed, members);
    mesh.train_for(300);
    let run = mesh.start_run(0, masked_run(rounds, members.max(3) as u32));
    all_join(&mut mesh, &run, &(1..members).collect::<Vec<_>>());
    (mesh, run)
}

/// The cohorts of which not everybody's update came to be in the aggregate.
fn rounds_with_drop_outs(run: &Run) -> usize {
    let short = |id: &VertexId| {
        let record = run.aggregate(id).unwrap();
        let update = run.update(&record.updates[0]).unwrap();
        let deals = run.cohort_deals(&update.cohort.unwrap()).unwrap();
        deals.len() > record.updates.len()
    };
    let base = |id: &VertexId| run.aggregate(id).map(|record| record.base);
    let chain = std::iter::successors(Some(run.head()), base).take_while(|id| *id != run.id());
    chain.filter(|id| short(id)).count()
}

/// What the updates of a round come to, computed from everybody's rows as no member can.
fn mean_of_rows(mesh: &Mesh, run: &Run, aggregate: &VertexId, weights: &[u8]) -> Vec<u8> {
    let (round, there) = (run.aggregate(aggregate).unwrap().round, run.contributors(aggregate));
    let spec = run.spec();
    let before = neural::weights_of_bytes(weights, run.parameters()).unwrap();
    let mut sum = vec![0_i128; run.parameters()];
    let mut samples = 0_u32;
    for (member, of) in mesh.members.iter().enumerate() {
        let author = of.node.as_ref().unwrap().author();
        if !there.contains(&author) {
            continue;
        }
        let training = LocalTraining {
            epochs: spec.epochs,
            batch: spec.batch,
            learning_rate: spec.learning_rate,
            momentum: spec.momentum,
            seed: run.training_seed(round, &author),
        };
        let rows = tiny_data(member as u64);
        let trained = neural::train_update(&spec.model, &before, &rows, training).unwrap();
        for (sum, value) in sum.iter_mut().zip(&trained.delta) {
            let steps = (f64::from(*value) * 16_777_216.0).round() as i128;
            *sum += steps * i128::from(trained.samples);
        }
        samples += trained.samples;
    }
    let after = before.iter().zip(sum).map(|(weight, sum)| {
        (f64::from(*weight) + sum as f64 / (f64::from(samples) * 16_777_216.0)) as f32
    });
    neural::bytes_of_weights(&after.collect::<Vec<f32>>())
}

#[test]
fn a_masked_run_comes_to_the_mean_of_updates_that_nobody_saw() {
    let (mut mesh, run) = begin(31, 4, 5);
    mesh.finish(&run, &[0, 1, 2, 3], 120_000);
    mesh.run_for(2_000);
    let known = run_of(&mesh, 2, &run);
    assert!((0..4).all(|member| run_of(&mesh, member, &run).head() == known.head()));
    assert_eq!(known.contributors(&known.head()).len(), 4);
    let file = export(&mut mesh, 3, &run);
    let report = replay(&file);
    assert!(report.ok && report.rounds == 5, "{:?}", report.first_mismatch);

    let car = car::read(&file).unwrap();
    let mut chain = vec![known.head()];
    while let Some(record) = known.aggregate(chain.last().unwrap()) {
        chain.push(record.base);
    }
    chain.reverse();
    let mut weights = initial_weights(known.spec()).unwrap();
    for aggregate in &chain[1..] {
        weights = mean_of_rows(&mesh, &known, aggregate, &weights);
        let record = known.aggregate(aggregate).unwrap();
        assert_eq!(BlobId::of(&weights), record.weights, "round {}", record.round);
    }
    // What was published of each update has nothing of its values: every word is far away.
    let sent = known.updates().filter_map(|(_, update)| car.blobs.get(&update.delta));
    for entry in sent {
        let (words, rest) = entry.value.as_chunks::<8>();
        assert!(words.len() == known.parameters() && rest.is_empty());
        let small = words.iter().filter(|word| i64::from_le_bytes(**word).unsigned_abs() < 1 << 40);
        assert!(small.count() < 2);
    }
    assert_eq!(Retraining::open(&file).1.unwrap_err(), retrain::Error::Masked);
}

/// One flipped byte in any block of a masked run is found.
#[test]
fn a_changed_byte_of_a_masked_run_is_found() {
    let (mut mesh, run) = begin(32, 3, 2);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    mesh.run_for(1_000);
    let file = export(&mut mesh, 0, &run);
    assert_changes_are_found(&file);
}

#[test]
fn a_member_that_deals_and_is_gone_before_it_masks_is_left_out() {
    let (mut mesh, run) = begin(33, 4, 4);
    assert!(mesh.run_until(60_000, |mesh| {
        let run = run_of(mesh, 0, &run);
        run.round() == 1 && run.masked().unwrap().cohorts_on(&run.head()).count() > 0
    }));
    mesh.crash(3);
    mesh.finish(&run, &[0, 1, 2], 120_000);
    let known = run_of(&mesh, 0, &run);
    assert_eq!(rounds_with_drop_outs(&known), 1, "its key was opened in this round");
    assert_eq!(known.contributors(&known.head()).len(), 3);
    mesh.run_for(1_000);
    let report = replay(&export(&mut mesh, 1, &run));
    assert!(report.ok && report.rounds == 4, "{:?}", report.first_mismatch);
}

#[test]
fn a_member_that_masks_and_is_gone_before_it_unmasks_counts_for_its_last_round() {
    let (mut mesh, run) = begin(34, 4, 4);
    let mut head = run;
    assert!(mesh.run_until(60_000, |mesh| {
        let run = run_of(mesh, 0, &run);
        head = run.head();
        run.round() == 1 && run.update_count(&head) == 4
    }));
    let gone = mesh.node(3).author();
    mesh.crash(3);
    mesh.finish(&run, &[0, 1, 2], 120_000);
    let known = run_of(&mesh, 0, &run);
    let unmasked = |author| known.masked().unwrap().has_unmasked(author, &head);
    assert!(!unmasked(&gone) && unmasked(&mesh.node(0).author()));
    let next = known.aggregates().find(|(_, record)| record.base == head).unwrap().0;
    assert!(known.contributors(next).contains(&gone));
    assert_eq!(known.contributors(&known.head()).len(), 3);
}

/// The secrets are in its store: it opens what others need of it after it was started again.
#[test]
fn a_member_killed_between_masking_and_recovery_goes_on_where_it_was() {
    let (mut mesh, run) = begin(35, 4, 6);
    let mut head = run;
    assert!(mesh.run_until(60_000, |mesh| {
        let (me, known) = (mesh.node(1).author(), run_of(mesh, 1, &run));
        head = known.head();
        let have = |member: usize| {
            let following = &mesh.node(member).following[&run];
            following.head == head && following.checked.values().filter(|good| **good).count() == 4
        };
        let has_unmasked = known.masked().unwrap().has_unmasked(&me, &head);
        known.round() > 0 && have(0) && have(3) && !has_unmasked
    }));
    let round = run_of(&mesh, 1, &run).round();
    // Three of four open a secret, and two are killed.
    mesh.crash(2);
    mesh.crash(1);
    mesh.run_for(20_000);
    assert_eq!(run_of(&mesh, 0, &run).round(), round, "two alone open nothing");
    mesh.start(1);
    mesh.run_for(1_000);
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 0, &run).round() > round));
    let known = run_of(&mesh, 0, &run);
    assert!(known.masked().unwrap().has_unmasked(&mesh.node(1).author(), &head));
    mesh.start(2);
    mesh.run_for(500);
    mesh.join(1, &run);
    mesh.join(2, &run);
    mesh.finish(&run, &[0, 1, 2, 3], 240_000);
    assert_eq!(run_of(&mesh, 2, &run).head(), run_of(&mesh, 0, &run).head());
}

#[test]
fn who_comes_late_takes_part_in_a_later_round() {
    let mut mesh = Mesh::running(36, 4);
    mesh.train_for(300);
    let run = mesh.start_run(0, masked_run(30, 5));
    all_join(&mut mesh, &run, &[1, 2, 3]);
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 0, &run).round() >= 2));
    mesh.add_member(4);
    let address = mesh.address(0);
    mesh.start_with(4, vec![address]);
    mesh.run_for(2_000);
    mesh.join(4, &run);
    mesh.finish(&run, &[0, 1, 2, 3, 4], 240_000);
    let known = run_of(&mesh, 4, &run);
    assert!(known.all_contributors().contains(&mesh.node(4).author()));
    assert!((0..5).all(|member| run_of(&mesh, member, &run).head() == known.head()));
}

/// Nobody can be made to show its update among strangers: too few members, and nothing is dealt.
#[test]
fn two_members_alone_deal_nothing() {
    let (mut mesh, run) = begin(37, 2, 2);
    mesh.run_for(30_000);
    let known = run_of(&mesh, 0, &run);
    assert_eq!((known.round(), known.masked().unwrap().deals_on(&run).count()), (0, 0));
    assert_eq!(known.update_count(&run), 0);
    let warned = mesh.members[0].events.iter().any(|event| matches!(event, Event::Warning(_)));
    assert!(!warned, "to wait for a third one is no problem");
}

/// Two of four are gone for good with a cohort that has them in it. With two others the round goes
/// on, with fresh deals.
#[test]
fn a_round_that_came_to_nothing_is_dealt_anew() {
    let (mut mesh, run) = begin(38, 4, 4);
    assert!(mesh.run_until(60_000, |mesh| {
        let run = run_of(mesh, 0, &run);
        run.round() == 1 && run.masked().unwrap().cohorts_on(&run.head()).count() > 0
    }));
    mesh.crash(2);
    mesh.crash(3);
    mesh.run_for(8_000);
    assert_eq!(run_of(&mesh, 0, &run).round(), 1);
    for member in [4, 5] {
        mesh.add_member(member);
        let address = mesh.address(0);
        mesh.start_with(member, vec![address]);
    }
    mesh.run_for(3_000);
    mesh.join(4, &run);
    mesh.join(5, &run);
    mesh.finish(&run, &[0, 1, 4, 5], 240_000);
    mesh.run_for(1_000);
    let report = replay(&export(&mut mesh, 5, &run));
    assert!(report.ok && report.rounds == 4, "{:?}", report.first_mismatch);
}

/// What a member sends under its masks may be anything. What nothing honest comes to is refused by
/// everybody, and said; nobody can tell who it was.
#[test]
fn a_lie_that_no_sum_comes_to_stops_the_run_and_is_said() {
    let mut mesh = Mesh::running(39, 3);
    mesh.train_for(300);
    mesh.members[2].train = Trainer::Silent;
    let run = mesh.start_run(0, masked_run(3, 3));
    all_join(&mut mesh, &run, &[1, 2]);
    let mut cohort = None;
    assert!(mesh.run_until(60_000, |mesh| {
        let known = run_of(mesh, 2, &run);
        cohort = known.masked().unwrap().cohorts_on(&run).next().map(|(id, _)| id);
        cohort.is_some()
    }));
    let junk: Arc<[u8]> = vec![0x5a; 8 * 22].into();
    let delta = BlobId::of(&junk);
    let (samples, delta_bytes) = (9, 8 * 22);
    let lie =
        Update { run, base: run, round: 1, samples, delta, delta_bytes, cohort, reveal: None };
    let now_ms = mesh.now_ms;
    let node = mesh.members[2].node.as_mut().unwrap();
    node.keep_blob(delta, junk);
    node.writer.queue(Payload::Update(lie), None, true, now_ms);
    mesh.run_for(20_000);
    let known = run_of(&mesh, 0, &run);
    assert_eq!((known.round(), known.update_count(&run)), (0, 3));
    let said = |event: &Event| matches!(event, Event::Warning(p) if p.code == "round-unsummable");
    assert!((0..2).any(|member| mesh.members[member].events.iter().any(said)));
}
