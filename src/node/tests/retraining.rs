//! Updates of exported runs, trained again from the rows of their members.

use super::exports::export;
use super::mesh::{Mesh, Trainer, tiny_data, tiny_run};
use super::runs::{all_join, run_of};
use crate::compression::Settings;
use crate::dag::{Payload, RunSpec, Update, VertexId, car};
use crate::federated::retrain::{Checked, Error, Retraining, Verdict};
use crate::federated::run::UpdateRecord;
use crate::identity::AuthorId;
use crate::neural::{self, Dataset, Labels};
use crate::privacy;

/// The same rows under the other class.
fn flipped(rows: &Dataset) -> Dataset {
    let Labels::Classes(classes) = rows.labels() else { panic!("tiny rows have classes") };
    let other = Labels::Classes(classes.iter().map(|class| 1 - class).collect());
    let (values, names) = (rows.values().to_vec(), rows.classes().to_vec());
    Dataset::from_parts(2, values, other, names).unwrap()
}

/// A finished run of three members, the last of whom trains on flipped labels, and its file.
fn with_a_liar(seed: u64, spec: RunSpec) -> (Mesh, VertexId, Vec<u8>) {
    let mut mesh = Mesh::running(seed, 3);
    mesh.members[2].data = flipped(&mesh.members[2].data);
    let run = mesh.start_run(0, spec);
    all_join(&mut mesh, &run, &[1, 2]);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    mesh.run_for(2_000);
    let file = export(&mut mesh, 0, &run);
    (mesh, run, file)
}

fn author(mesh: &Mesh, member: usize) -> AuthorId {
    mesh.node(member).author()
}

fn retrain(file: &[u8], author: AuthorId, rows: &Dataset) -> Vec<Checked> {
    let (report, retraining) = Retraining::open(file);
    assert!(report.ok, "{:?}", report.first_mismatch);
    let mut retraining = retraining.unwrap();
    let count = retraining.begin(author).unwrap();
    let mut checked = Vec::new();
    while let Some(update) = retraining.next(rows).unwrap() {
        checked.push(update);
    }
    assert_eq!(checked.len(), count);
    checked
}

fn all_are(checked: &[Checked], verdict: Verdict) -> bool {
    !checked.is_empty() && checked.iter().all(|update| update.verdict == verdict)
}

#[test]
fn honest_updates_are_confirmed_and_those_of_flipped_labels_are_not() {
    let (mesh, run, file) = with_a_liar(60, RunSpec { momentum: 0.5, ..tiny_run(5, 3) });
    for member in [0, 1] {
        let checked = retrain(&file, author(&mesh, member), &tiny_data(member as u64));
        assert!(all_are(&checked, Verdict::Equal), "member {member}: {checked:?}");
        let rounds: Vec<u32> = checked.iter().map(|update| update.round).collect();
        assert_eq!(rounds, [1, 2, 3, 4, 5]);
    }
    let liar = author(&mesh, 2);
    // What it says its rows are, and what it trained on.
    let checked = retrain(&file, liar, &tiny_data(2));
    assert!(all_are(&checked, Verdict::Differs), "{checked:?}");
    assert!(all_are(&retrain(&file, liar, &flipped(&tiny_data(2))), Verdict::Equal));
    // Nobody else's rows come to its updates, and one changed value is enough.
    let rows = tiny_data(0);
    let (said, found) = (mesh.samples(2), mesh.samples(0));
    assert!(all_are(&retrain(&file, liar, &rows), Verdict::Rows { said, found }));
    let mut values = rows.values().to_vec();
    values[7] += 1.0e-3;
    let changed =
        Dataset::from_parts(2, values, rows.labels().clone(), rows.classes().to_vec()).unwrap();
    let checked = retrain(&file, author(&mesh, 0), &changed);
    assert!(all_are(&checked, Verdict::Differs), "{checked:?}");
    let known = run_of(&mesh, 0, &run);
    assert!(checked.iter().all(|checked| known.update(&checked.update).is_some()));
}

/// What a compressed update lost is in the next one, so that they are one chain from the first; a
/// member that was started anew began with nothing.
#[test]
fn compressed_updates_are_trained_again_in_their_order_also_over_a_restart() {
    let compression = Some(Settings { bits: 2, keep: 300_000 });
    let (mesh, _, file) = with_a_liar(61, RunSpec { compression, ..tiny_run(6, 3) });
    for member in [0, 1] {
        let checked = retrain(&file, author(&mesh, member), &tiny_data(member as u64));
        assert!(all_are(&checked, Verdict::Equal), "member {member}: {checked:?}");
    }
    assert!(all_are(&retrain(&file, author(&mesh, 2), &tiny_data(2)), Verdict::Differs));

    let mut mesh = Mesh::running(62, 3);
    let run = mesh.start_run(0, RunSpec { compression, ..tiny_run(12, 3) });
    all_join(&mut mesh, &run, &[1, 2]);
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 0, &run).round() >= 4));
    mesh.crash(2);
    mesh.start(2);
    mesh.run_for(500);
    mesh.join(2, &run);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    mesh.run_for(2_000);
    let file = export(&mut mesh, 0, &run);
    let checked = retrain(&file, author(&mesh, 2), &tiny_data(2));
    let after = checked.iter().filter(|update| update.round > 6).count();
    assert!(all_are(&checked, Verdict::Equal) && after > 0, "{checked:?}");
}

/// What an update loses counts once it is revealed: a member that is slow commits to some that it
/// never sends, and what those lost is in no other.
#[test]
fn updates_that_were_committed_to_are_trained_again_also_where_some_came_too_late() {
    let compression = Some(Settings { bits: 2, keep: 300_000 });
    let spec = RunSpec { compression, commit_reveal: true, ..tiny_run(8, 3) };
    let spec = RunSpec { deadline_ms: 1_000, ..spec };
    let mut mesh = Mesh::running(63, 3);
    mesh.train_for(300);
    let run = mesh.start_run(0, spec);
    all_join(&mut mesh, &run, &[1, 2]);
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 0, &run).round() >= 2));
    mesh.members[2].train = Trainer::Honest(1_300);
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 0, &run).round() >= 5));
    mesh.members[2].train = Trainer::Honest(300);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    mesh.run_for(2_000);
    let known = run_of(&mesh, 0, &run);
    let slow = author(&mesh, 2);
    let sent = known.updates().filter(|(_, update)| update.author == slow).count();
    assert!((2..8).contains(&sent), "some rounds were without it: {sent} updates");
    let file = export(&mut mesh, 0, &run);
    for member in [0, 1, 2] {
        let checked = retrain(&file, author(&mesh, member), &tiny_data(member as u64));
        assert!(all_are(&checked, Verdict::Equal), "member {member}: {checked:?}");
    }
}

/// The same bytes once more, for another number of rows, had been found equal without a look.
#[test]
fn an_update_that_is_sent_again_for_other_rows_is_not_confirmed() {
    let mut mesh = Mesh::running(66, 3);
    let run = mesh.start_run(0, RunSpec { commit_reveal: true, ..tiny_run(4, 3) });
    all_join(&mut mesh, &run, &[1, 2]);
    let liar = author(&mesh, 2);
    let own = |mesh: &Mesh| {
        let known = run_of(mesh, 2, &run);
        known.updates().find(|(_, update)| update.author == liar).map(|(_, update)| *update)
    };
    assert!(mesh.run_until(60_000, |mesh| own(mesh).is_some()));
    let UpdateRecord { base, round, delta, .. } = own(&mesh).unwrap();
    let (now_ms, node) = (mesh.now_ms, mesh.members[2].node.as_mut().unwrap());
    let delta_bytes = node.blobs.size(&delta).unwrap().try_into().unwrap();
    let (cohort, reveal) = (None, None);
    let again = Update { run, base, round, samples: 1, delta, delta_bytes, cohort, reveal };
    node.writer.queue(Payload::Update(again), None, true, now_ms);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    mesh.run_for(2_000);
    let file = export(&mut mesh, 0, &run);
    let verdicts: Vec<_> =
        retrain(&file, liar, &tiny_data(2)).into_iter().map(|one| one.verdict).collect();
    let found = mesh.samples(2);
    assert_eq!(verdicts[..2], [Verdict::Equal, Verdict::Rows { said: 1, found }]);
}

#[test]
fn what_cannot_be_trained_again_is_said() {
    let (mesh, _, mut file) = with_a_liar(63, tiny_run(2, 3));
    let (_, retraining) = Retraining::open(&file);
    let mut retraining = retraining.unwrap();
    let sent: Vec<u64> = retraining.members().iter().map(|sent| sent.updates).collect();
    assert_eq!(sent, [2, 2, 2]);
    assert_eq!(retraining.next(&tiny_data(0)).unwrap_err(), Error::Unnamed);
    let nobody = AuthorId::from_bytes([9; 32]);
    assert_eq!(retraining.begin(nobody).unwrap_err(), Error::NoMember(nobody));
    retraining.begin(author(&mesh, 0)).unwrap();
    let narrow = Dataset::from_parts(
        1,
        vec![0.0; 24],
        Labels::Classes(vec![0; 24]),
        tiny_data(0).classes().to_vec(),
    );
    assert!(matches!(retraining.next(&narrow.unwrap()), Err(Error::Training(_))));
    let middle = file.len() / 2;
    file[middle] ^= 1;
    let (report, retraining) = Retraining::open(&file);
    assert!(!report.ok);
    assert_eq!(retraining.unwrap_err(), Error::File);
}

/// Momentum and what compression lost are both carried on, and both begin anew after a restart.
#[test]
fn updates_with_momentum_are_trained_again_in_their_order() {
    let compression = Some(Settings { bits: 4, keep: 500_000 });
    let mut mesh = Mesh::running(65, 3);
    let spec = RunSpec { compression, worker_momentum: Some(0.6), ..tiny_run(9, 3) };
    let run = mesh.start_run(0, spec);
    all_join(&mut mesh, &run, &[1, 2]);
    assert!(mesh.run_until(60_000, |mesh| run_of(mesh, 0, &run).round() >= 4));
    mesh.crash(1);
    mesh.start(1);
    mesh.run_for(500);
    mesh.join(1, &run);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    mesh.run_for(2_000);
    let file = export(&mut mesh, 0, &run);
    for member in 0..3 {
        let checked = retrain(&file, author(&mesh, member), &tiny_data(member as u64));
        assert!(all_are(&checked, Verdict::Equal), "member {member}: {checked:?}");
    }
    let other = retrain(&file, author(&mesh, 0), &flipped(&tiny_data(0)));
    assert!(all_are(&other, Verdict::Differs), "{other:?}");
}

/// The seed of the training is everybody's, that of the noise is its author's alone.
#[test]
fn a_run_with_noise_is_replayed_and_nobody_trains_its_updates_again() {
    let noisy = privacy::Settings { clip: 0.5, noise: 0.02, delta: 1.0e-5 };
    let spec = RunSpec { privacy: Some(noisy), ..tiny_run(4, 3) };
    let (mesh, run, file) = with_a_liar(64, spec);
    let (report, retraining) = Retraining::open(&file);
    assert!(report.ok && report.rounds == 4, "{:?}", report.first_mismatch);
    assert_eq!(retraining.unwrap_err(), Error::Noise);

    let known = run_of(&mesh, 0, &run);
    let view = mesh.node(0).run_view(&known).privacy.unwrap();
    let own = known.updates().filter(|(_, update)| update.author == author(&mesh, 0)).count();
    assert!(own >= 4);
    assert_eq!(view.spent.to_bits(), noisy.epsilon(own as u64).to_bits());
    assert_eq!(view.epsilon.to_bits(), noisy.epsilon(4).to_bits());

    // What everybody reads of an update is about as long as the limit, whatever was trained.
    let car = car::read(&file).unwrap();
    for (_, update) in known.updates().filter(|(_, update)| update.round == 1) {
        let values = neural::weights_of_bytes(car.blobs[&update.delta].value, known.parameters());
        let square: f64 = values.unwrap().iter().map(|value| f64::from(*value).powi(2)).sum();
        let most = 0.5 * (1.0 + 0.02 * 2.0 * (known.parameters() as f64).sqrt());
        assert!(square.sqrt() < most, "{} of {most}", square.sqrt());
    }
}
