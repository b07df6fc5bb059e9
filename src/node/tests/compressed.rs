//! Runs whose updates are compressed: they learn, are replayed, and take no other bytes.

use std::sync::Arc;

use super::mesh::{Mesh, tiny_data, tiny_run};
use super::runs::{all_join, run_of};
use crate::compression::Settings;
use crate::dag::{BlobId, Payload, RunSpec, Update, car};
use crate::effect::Command;
use crate::event::Reply;
use crate::federated::replay;
use crate::neural::{self, Arena, Network};

/// Half of the values, four bits each, in blobs of half of the bytes: the model is tiny.
#[test]
fn a_run_of_compressed_updates_learns_and_is_replayed() {
    let mut mesh = Mesh::running(12, 3);
    let compression = Some(Settings { bits: 4, keep: 500_000 });
    let run = mesh.start_run(0, RunSpec { compression, ..tiny_run(12, 3) });
    all_join(&mut mesh, &run, &[1, 2]);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    mesh.run_for(2_000);
    let last = run_of(&mesh, 1, &run);
    assert!((0..3).all(|member| run_of(&mesh, member, &run).head() == last.head()));
    let Ok(Reply::Car(file)) = mesh.ask(2, Command::ExportRun { run: run.to_string() }) else {
        panic!("no file");
    };
    let report = replay(&file);
    assert!(report.ok && report.rounds == 12, "{:?}", report.first_mismatch);
    let car = car::read(&file).unwrap();
    let whole = 4 * last.parameters();
    for update in last.updates_of(&last.id()).map(|(_, update)| update.delta) {
        let bytes = car.blobs[&update].value.len();
        assert!(2 * bytes <= whole, "{bytes} bytes of {whole}");
    }
    let weights = neural::weights_of_bytes(&report.weights_bytes, last.parameters()).unwrap();
    let network = Network::from_weights(&last.spec().model, &weights).unwrap();
    let of = |seed| network.evaluate(&mut Arena::new(), &tiny_data(seed)).unwrap().accuracy;
    let mean = (20..40).map(|seed| of(seed).unwrap()).sum::<f64>() / 20.0;
    assert!(mean > 0.75, "{mean}");
}

/// Bytes that are no update of the run: dropped by the others, and the run goes on without.
#[test]
fn what_is_no_compressed_update_is_dropped() {
    let mut mesh = Mesh::running(13, 3);
    mesh.train_for(300);
    let compression = Some(Settings { bits: 4, keep: 500_000 });
    let run = mesh.start_run(0, RunSpec { compression, ..tiny_run(6, 3) });
    all_join(&mut mesh, &run, &[1]);
    mesh.join(2, &run);
    mesh.run_for(200);
    // Of the size that an update may have, and with bytes that nothing comes to.
    let junk: Arc<[u8]> = vec![0xff; 40].into();
    let delta = BlobId::of(&junk);
    let lie = Payload::Update(Update {
        run,
        base: run,
        round: 1,
        samples: 9,
        delta,
        delta_bytes: 40,
        cohort: None,
        reveal: None,
    });
    let now_ms = mesh.now_ms;
    let node = mesh.members[2].node.as_mut().unwrap();
    node.keep_blob(delta, junk);
    node.writer.queue(lie, None, true, now_ms);
    mesh.finish(&run, &[0, 1], 60_000);
    assert!((0..2).any(|n| mesh.node(n).counters.snapshot().contains_key("update-unusable")));
    let known = run_of(&mesh, 0, &run);
    let used = known.aggregates().flat_map(|(_, record)| &record.updates);
    assert!(used.filter_map(|id| known.update(id)).all(|update| update.delta != delta));
}
