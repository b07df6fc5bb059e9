//! Exported runs, and what a replay finds in changed ones.

use std::collections::BTreeMap;

use super::mesh::{Mesh, tiny_data, tiny_run};
use crate::aggregation::{Rule, Settings};
use crate::dag::{
    Aggregate, BlobId, Citation, Payload, Reference, RunSpec, SignedVertex, VertexId, car,
};
use crate::effect::{Command, Effect, Input};
use crate::event::Reply;
use crate::federated::Standing;
use crate::federated::aggregator::Aggregator;
use crate::federated::initial_weights;
use crate::federated::replay;
use crate::federated::replay::Report;
use crate::rng::Rng;

/// A finished run of three members; a fourth only listens in.
fn finished(seed: u64, rounds: u32, ms: u64) -> (Mesh, VertexId) {
    let mut mesh = Mesh::running(seed, 4);
    let run = mesh.start_run(0, tiny_run(rounds, 3));
    mesh.run_for(500);
    mesh.join(1, &run);
    mesh.join(2, &run);
    mesh.finish(&run, &[0, 1, 2, 3], ms);
    mesh.run_for(2_000);
    (mesh, run)
}

/// Such a run of four rounds, and its file.
fn exported() -> (Mesh, VertexId, Vec<u8>) {
    let (mut mesh, run) = finished(80, 4, 60_000);
    let file = export(&mut mesh, 3, &run);
    (mesh, run, file)
}

/// An export replays, and with a changed bit, wherever that is, it does not.
pub(super) fn assert_changes_are_found(file: &[u8]) {
    assert!(replay(file).ok);
    for part in 1..40 {
        let mut changed = file.to_vec();
        let at = file.len() * part / 40;
        changed[at] ^= 1;
        assert!(!replay(&changed).ok, "byte {at}");
    }
}

pub(super) fn export(mesh: &mut Mesh, member: usize, run: &VertexId) -> Vec<u8> {
    match mesh.ask(member, Command::ExportRun { run: run.to_string() }) {
        Ok(Reply::Car(file)) => file,
        other => panic!("{other:?}"),
    }
}

/// Writes a file again with other vertices or blobs, so that only their meaning is wrong.
fn rewritten(
    file: &[u8],
    vertex: impl Fn(&SignedVertex) -> Option<SignedVertex>,
    blobs: impl Fn(&mut BTreeMap<BlobId, Vec<u8>>),
) -> Vec<u8> {
    let car = car::read(file).unwrap();
    let changed = |signed: &SignedVertex| vertex(signed).unwrap_or_else(|| signed.clone());
    let vertices: Vec<_> = car.vertices.iter().map(|entry| changed(&entry.value)).collect();
    let mut kept: BTreeMap<BlobId, Vec<u8>> =
        car.blobs.iter().map(|(id, entry)| (*id, entry.value.to_vec())).collect();
    blobs(&mut kept);
    let references: Vec<_> = vertices.iter().collect();
    car::write(car.network, car.run, &references, &kept).unwrap()
}

fn assert_fails(report: &Report, code: &str) {
    assert!(!report.ok);
    let found = report.first_mismatch.as_ref().map(|mismatch| mismatch.code);
    assert_eq!(found, Some(code), "{:?}", report.first_mismatch);
}

#[test]
fn bytes_that_are_no_history_are_called_so() {
    let unknown_field = b"\x09\xa1\x65other\x01\x00\x00";
    for file in [&b""[..], b"x,y\n1,2\n", b"PK\x03\x04 some archive", unknown_field] {
        let mismatch = replay(file).first_mismatch.unwrap();
        assert_eq!(mismatch.code, "not-a-history-file");
        assert_eq!(mismatch.what, "this is not a history file");
    }
}

/// An export took sixteen blobs per input, also when all of them were in memory. Nothing came of
/// that but the next tick, so that an export of some hundred blobs took a minute on a quiet node.
#[test]
fn an_export_of_what_is_in_memory_waits_for_nothing() {
    let (mut mesh, run) = finished(81, 9, 120_000);
    let request = Command::ExportRun { run: run.to_string() };
    let out = mesh.poke(3, Input::Command { command: 9_999, request });
    let answered = |effect: &Effect| matches!(effect, Effect::Reply { command: 9_999, .. });
    assert!(out.iter().any(answered), "{} effects and no answer", out.len());
}

#[test]
fn an_exported_run_is_computed_again_bit_for_bit() {
    let (mut mesh, run, file) = exported();
    let report = replay(&file);
    assert!(report.ok, "{:?}", report.first_mismatch);
    let known = mesh.node(0).runs().get(&run).unwrap();
    assert_eq!((report.run, report.rounds), (Some(run), 4));
    assert_eq!(report.updates, known.tree().updates(known.head()));
    let claimed = known.aggregate(&known.head()).unwrap().weights;
    assert_eq!(report.weights, Some(claimed));
    assert_eq!(BlobId::of(&report.weights_bytes), claimed);
    assert_eq!(report.spec.as_ref(), Some(known.spec()));
    assert_eq!(export(&mut mesh, 0, &run), file, "every member exports the same bytes");
}

#[test]
fn a_run_without_rounds_can_be_exported_too() {
    let mut mesh = Mesh::running(81, 1);
    let run = mesh.start_run(0, tiny_run(4, 2));
    let report = replay(&export(&mut mesh, 0, &run));
    assert!(report.ok && report.rounds == 0 && report.weights.is_some(), "{report:?}");
}

#[test]
fn any_flipped_byte_is_found_and_placed() {
    let (_, _, file) = exported();
    let car = car::read(&file).unwrap();
    // Content ranges of all blocks, with the vertex in each.
    let mut blocks: Vec<(usize, usize, Option<VertexId>)> = Vec::new();
    for entry in &car.vertices {
        let end = entry.offset + entry.value.bytes().len();
        blocks.push((entry.offset, end, Some(entry.value.id())));
    }
    for entry in car.blobs.values() {
        blocks.push((entry.offset, entry.offset + entry.value.len(), None));
    }
    let mut rng = Rng::from_u64(82);
    for flip in 0..200 {
        let byte = usize::try_from(rng.below(u32::try_from(file.len()).unwrap())).unwrap();
        let mut changed = file.clone();
        changed[byte] ^= 1 << rng.below(8);
        let report = replay(&changed);
        assert!(!report.ok, "flip {flip} at byte {byte} was not found");
        let mismatch = report.first_mismatch.unwrap();
        let placed = usize::try_from(mismatch.byte).unwrap();
        assert!(placed <= byte, "flip {flip}: byte {byte} was placed at {placed}");
        let hit = blocks.iter().find(|(start, end, _)| (*start..*end).contains(&byte));
        if let Some((start, _, vertex)) = hit {
            assert_eq!(placed, *start, "flip {flip}");
            assert_eq!(mismatch.vertex, *vertex, "flip {flip}");
            assert!(mismatch.cid.is_some());
        }
    }
}

#[test]
fn a_changed_signature_names_its_vertex() {
    let (_, _, file) = exported();
    let car = car::read(&file).unwrap();
    for (index, half) in [(0, 5), (7, 5), (7, 3_370), (12, 3_320)] {
        let id = car.vertices[index].value.id();
        let changed = rewritten(
            &file,
            |signed| {
                let mut signature = signed.signature().as_bytes().to_vec();
                signature[half] ^= 1;
                let signature = crate::crypto::sign::Signature::from_bytes(&signature).unwrap();
                let changed = SignedVertex::from_parts(signed.bytes().to_vec(), signature);
                (signed.id() == id).then(|| changed.unwrap())
            },
            |_| {},
        );
        let report = replay(&changed);
        let code = if half < 3_309 { "signature-ml-dsa" } else { "signature-ed25519" };
        assert_fails(&report, code);
        assert_eq!(report.first_mismatch.unwrap().vertex, Some(id));
    }
}

#[test]
fn a_lying_aggregate_is_named_with_its_round_and_byte() {
    let (mesh, run, file) = exported();
    let known = mesh.node(0).runs().get(&run).unwrap();
    let head = known.head();
    let record = known.aggregate(&head).unwrap().clone();
    let car = car::read(&file).unwrap();
    let mut lie = car.blobs[&record.weights].value.to_vec();
    lie[17] ^= 1;
    let lied = BlobId::of(&lie);
    let liar = mesh.members.iter().find(|member| member.secrets.author() == record.author).unwrap();
    let key = liar.secrets.signing_key();
    let changed = rewritten(
        &file,
        |signed| {
            let mut vertex = signed.vertex().clone();
            for payload in &mut vertex.payloads {
                if let Payload::Aggregate(aggregate) = payload {
                    aggregate.weights = lied;
                }
            }
            let signs = signed.id() == head;
            signs.then(|| SignedVertex::sign(&vertex, &key, [0; 32]).unwrap())
        },
        |blobs| {
            blobs.insert(lied, lie.clone());
        },
    );
    let report = replay(&changed);
    assert_fails(&report, "replay-weights-differ");
    let mismatch = report.first_mismatch.unwrap();
    assert_eq!((mismatch.round, report.rounds), (4, 3));
    let blob = car::read(&changed).unwrap().blobs[&lied].offset;
    assert_eq!(mismatch.byte, u64::try_from(blob + 17).unwrap());
}

/// Nodes accept such vertices once their place is covered, and one would keep a run from being
/// replayed. What was written at no place of the file may be what an honest member wrote.
#[test]
fn who_cites_what_never_was_keeps_no_run_from_being_replayed() {
    let (mesh, run, file) = exported();
    let known = mesh.node(0).runs().get(&run).unwrap();
    let (head, author) = (known.head(), known.aggregate(&known.head()).unwrap().author);
    let author = mesh.members.iter().find(|member| member.secrets.author() == author).unwrap();
    let key = author.secrets.signing_key();
    let cites = |made_up: Citation| {
        let changed = |signed: &SignedVertex| {
            let mut vertex = signed.vertex().clone();
            vertex.parents.push(made_up);
            vertex.parents.sort_unstable();
            let signs = signed.id() == head;
            signs.then(|| SignedVertex::sign(&vertex, &key, [0; 32]).unwrap())
        };
        replay(&rewritten(&file, changed, |_| {}))
    };
    let first = car::read(&file).unwrap().vertices[0].value.citation();
    let other = Citation { id: VertexId::of(b"never was"), ..first };
    let report = cites(other);
    assert!(report.ok, "{:?}", report.first_mismatch);
    assert_eq!((report.beside, replay(&file).beside), (1, 0), "what is absent is counted");
    assert_fails(&cites(Citation { seq: 9_999, ..other }), "store-damaged");
}

/// A run of three members that takes the median of each coordinate, against one hostile member.
fn median_run(rounds: u32) -> RunSpec {
    let aggregation =
        Some(Settings { rule: Rule::Median, byzantine: 1, radius: 0.0, mixing: false });
    RunSpec { aggregation, updates_min: 3, ..tiny_run(rounds, 3) }
}

/// What the updates of the last round come to by their mean, which is not the rule of the run.
fn averaged(mesh: &Mesh, run: &VertexId, file: &[u8]) -> (Vec<u8>, Aggregate) {
    let known = mesh.node(0).runs().get(run).unwrap();
    let record = known.aggregate(&known.head()).unwrap();
    let car = car::read(file).unwrap();
    let options = known.spec().clone();
    let plain = RunSpec { aggregation: None, server_momentum: None, reference: None, ..options };
    let mut mean = Aggregator::new(&plain, 0);
    for update in record.updates.iter().map(|id| known.update(id).unwrap()) {
        mean.add(update.samples, car.blobs[&update.delta].value).unwrap();
    }
    let base = known.aggregate(&record.base).unwrap().weights;
    let bytes = mean.finish(car.blobs[&base].value, None).unwrap();
    let aggregate = Aggregate {
        run: *run,
        base: record.base,
        round: record.round,
        updates: record.updates.clone(),
        weights: BlobId::of(&bytes),
        weights_bytes: u32::try_from(bytes.len()).unwrap(),
    };
    (bytes, aggregate)
}

#[test]
fn an_aggregate_by_another_rule_than_the_runs_is_found() {
    check_other_rule(median_run(3));
}

#[test]
fn an_aggregate_without_the_momentum_of_its_run_is_found() {
    check_other_rule(RunSpec { server_momentum: Some(0.5), ..tiny_run(3, 3) });
}

#[test]
fn an_aggregate_that_does_not_go_by_the_trusted_rows_is_found() {
    let reference = Some(Reference::of(&tiny_data(91)));
    check_other_rule(RunSpec { reference, ..tiny_run(3, 3) });
}

#[test]
fn an_aggregate_of_updates_that_were_not_mixed_is_found() {
    let mut spec = median_run(3);
    spec.aggregation = spec.aggregation.map(|settings| Settings { mixing: true, ..settings });
    check_other_rule(spec);
}

/// A run whose last aggregate is exchanged for the mean, signed by its author.
fn check_other_rule(spec: RunSpec) {
    let mut mesh = Mesh::running(84, 3);
    let run = mesh.start_run(0, spec);
    mesh.run_for(500);
    mesh.join(1, &run);
    mesh.join(2, &run);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    mesh.run_for(2_000);
    let file = export(&mut mesh, 1, &run);
    let report = replay(&file);
    assert!(report.ok && report.rounds == 3, "{:?}", report.first_mismatch);
    let (mean, averaged) = averaged(&mesh, &run, &file);
    let known = mesh.node(0).runs().get(&run).unwrap();
    let (head, author) = (known.head(), known.aggregate(&known.head()).unwrap().author);
    let liar = mesh.members.iter().find(|member| member.secrets.author() == author).unwrap();
    let key = liar.secrets.signing_key();
    let changed = rewritten(
        &file,
        |signed| {
            let mut vertex = signed.vertex().clone();
            for payload in &mut vertex.payloads {
                if let Payload::Aggregate(aggregate) = payload {
                    *aggregate = averaged.clone();
                }
            }
            let signs = signed.id() == head;
            signs.then(|| SignedVertex::sign(&vertex, &key, [0; 32]).unwrap())
        },
        |blobs| drop(blobs.insert(averaged.weights, mean.clone())),
    );
    let report = replay(&changed);
    assert_fails(&report, "replay-weights-differ");
    assert_eq!((report.rounds, report.first_mismatch.unwrap().round), (2, 3));
}

/// The same while the run goes on: who proposes the mean is caught by everybody.
#[test]
fn members_drop_an_aggregate_by_another_rule_than_the_runs() {
    let mut mesh = Mesh::running(85, 3);
    mesh.train_for(300);
    let run = mesh.start_run(0, median_run(6));
    mesh.run_for(500);
    mesh.join(1, &run);
    mesh.join(2, &run);
    let round = |mesh: &Mesh| mesh.node(1).runs().get(&run).unwrap().round();
    assert!(mesh.run_until(60_000, |mesh| round(mesh) >= 2));
    mesh.run_for(200);
    let file = export(&mut mesh, 0, &run);
    let (_, averaged) = averaged(&mesh, &run, &file);
    let now_ms = mesh.now_ms;
    let lie = Payload::Aggregate(averaged);
    mesh.members[2].node.as_mut().unwrap().writer.queue(lie, None, true, now_ms);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    mesh.run_for(2_000);
    assert_eq!([0, 1].map(|n| mesh.node(n).counters.snapshot()["aggregate-wrong"]), [1, 1]);
    let report = replay(&export(&mut mesh, 0, &run));
    assert!(report.ok && report.rounds == 6, "{:?}", report.first_mismatch);
}

/// Computing costs more than claiming: strangers may claim the same as often as they like.
#[test]
fn copies_of_an_aggregate_are_computed_once() {
    let mut mesh = Mesh::running(86, 3);
    mesh.train_for(300);
    let run = mesh.start_run(0, median_run(6));
    mesh.run_for(500);
    mesh.join(1, &run);
    mesh.join(2, &run);
    let known = |mesh: &Mesh| mesh.node(0).runs().get(&run).unwrap().clone();
    assert!(mesh.run_until(60_000, |mesh| known(mesh).round() >= 2));
    let record = known(&mesh).aggregate(&known(&mesh).head()).unwrap().clone();
    let weights_bytes = u32::try_from(4 * known(&mesh).parameters()).unwrap();
    let copy = |weights| {
        Payload::Aggregate(Aggregate {
            run,
            base: record.base,
            round: record.round,
            updates: record.updates.clone(),
            weights,
            weights_bytes,
        })
    };
    let now_ms = mesh.now_ms;
    for _ in 0..10 {
        let writer = &mut mesh.members[2].node.as_mut().unwrap().writer;
        writer.queue(copy(record.weights), None, true, now_ms);
    }
    mesh.members[1].node.as_mut().unwrap().writer.queue(
        copy(BlobId::of(b"made up")),
        None,
        true,
        now_ms,
    );
    mesh.finish(&run, &[0, 1, 2], 60_000);
    mesh.run_for(2_000);
    assert!(known(&mesh).aggregates().count() >= 6 + 11, "the copies came");
    let sound = |mesh: &Mesh| {
        let known = known(mesh);
        known.aggregates().filter(|(_, record)| record.standing == Standing::Sound).count()
    };
    assert_eq!(sound(&mesh), 0, "all are judged");
    let computed = mesh.node(0).rules.computed;
    assert!((1..=8).contains(&computed), "{computed} in six rounds");
    let report = replay(&export(&mut mesh, 0, &run));
    assert!(report.ok && report.rounds == 6, "{:?}", report.first_mismatch);
}

/// Each aggregate of another set of updates is another computation, and there are more sets than
/// anybody can compute: who proposes right ones without end has a few of them computed at once.
#[test]
fn different_aggregates_of_one_author_are_computed_a_few_at_once() {
    let mut mesh = Mesh::running(87, 8);
    mesh.train_for(300);
    let run = mesh.start_run(0, RunSpec { updates_min: 3, quorum: 8, ..median_run(4) });
    mesh.run_for(500);
    (1..8).for_each(|member| drop(mesh.join(member, &run)));
    let known = |mesh: &Mesh| mesh.node(0).runs().get(&run).unwrap().clone();
    assert!(mesh.run_until(60_000, |mesh| known(mesh).round() >= 1));
    mesh.run_for(1_000);
    let state = known(&mesh);
    let updates: Vec<_> = state.updates_of(&run).map(|(id, update)| (id, *update)).collect();
    assert_eq!(updates.len(), 8);
    let base = initial_weights(state.spec()).unwrap();
    let weights_bytes = u32::try_from(base.len()).unwrap();
    let before = mesh.node(0).rules.computed;
    let now_ms = mesh.now_ms;
    let node = mesh.members[7].node.as_mut().unwrap();
    let sets = (0..8).flat_map(|a| (0..a).flat_map(move |b| (0..b).map(move |c| [c, b, a])));
    for set in sets.take(40) {
        let mut aggregator = Aggregator::new(state.spec(), 3);
        for place in set {
            let (_, update) = updates[place];
            aggregator.add(update.samples, &node.blobs.get(&update.delta).unwrap()).unwrap();
        }
        let weights = BlobId::of(&aggregator.finish(&base, None).unwrap());
        let updates = set.iter().map(|place| updates[*place].0).collect();
        let right = Aggregate { run, base: run, round: 1, updates, weights, weights_bytes };
        node.writer.queue(Payload::Aggregate(right), None, true, now_ms);
    }
    mesh.run_for(1_500);
    let aggregates = known(&mesh).aggregates().count();
    assert!(aggregates > 40, "{aggregates} came");
    let computed = mesh.node(0).rules.computed - before;
    assert!((3..=10).contains(&computed), "{computed} computed of {aggregates}");
    mesh.finish(&run, &[0, 1, 2, 3], 120_000);
    assert_eq!(mesh.node(0).counters.snapshot().get("aggregate-wrong"), None);
}

#[test]
fn a_missing_or_unusable_update_is_named() {
    let (mesh, run, file) = exported();
    let known = mesh.node(0).runs().get(&run).unwrap();
    let first = known.tree().chain(known.head()).nth(3).unwrap();
    let record = known.aggregate(&first).unwrap();
    let update = known.update(&record.updates[1]).unwrap();
    let without = rewritten(&file, |_| None, |blobs| drop(blobs.remove(&update.delta)));
    let report = replay(&without);
    assert_fails(&report, "replay-incomplete");
    let mismatch = report.first_mismatch.unwrap();
    assert_eq!((mismatch.vertex, mismatch.round), (Some(first), 1));
}

#[test]
fn a_run_that_is_too_large_for_a_file_is_refused_before_anything_is_read() {
    let (mut mesh, run, _) = exported();
    let known = mesh.node(0).runs().get(&run).unwrap();
    let weights = known.aggregate(&known.head()).unwrap().weights;
    let size = u64::try_from(crate::limits::CAR_BYTES_MAX).unwrap();
    mesh.members[0].node.as_mut().unwrap().blobs.restore(vec![(weights, size)]);
    let command = mesh.command(0, Command::ExportRun { run: run.to_string() });
    let problem = mesh.members[0].replies[&command].clone().unwrap_err();
    assert_eq!(problem.code, "car-too-large");
    assert!(problem.message.contains("1024 MiB"), "{}", problem.message);
}

#[test]
fn a_foreign_or_empty_file_is_refused_in_words() {
    for bytes in [&b""[..], b"PK\x03\x04 not a CAR", &[0xff; 200]] {
        let report = replay(bytes);
        assert!(!report.ok && !report.first_mismatch.unwrap().what.is_empty());
    }
}

#[test]
fn a_wrong_aggregate_beside_the_chain_spoils_nothing() {
    let mut mesh = Mesh::running(83, 3);
    mesh.train_for(300);
    let run = mesh.start_run(0, tiny_run(6, 3));
    mesh.run_for(500);
    mesh.join(1, &run);
    mesh.join(2, &run);
    let round = |mesh: &Mesh| mesh.node(1).runs().get(&run).unwrap().round();
    assert!(mesh.run_until(60_000, |mesh| round(mesh) >= 2));
    // A member publishes an aggregate over real updates that claims made-up weights.
    let known = mesh.node(1).runs().get(&run).unwrap();
    let base = known.tree().base(known.head()).unwrap();
    let record = known.aggregate(&known.head()).unwrap().clone();
    let lie = Payload::Aggregate(Aggregate {
        run,
        base,
        round: record.round,
        updates: record.updates,
        weights: BlobId::of(b"made up"),
        weights_bytes: 88,
    });
    let now_ms = mesh.now_ms;
    mesh.members[2].node.as_mut().unwrap().writer.queue(lie, None, true, now_ms);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    mesh.run_for(2_000);
    let caught = mesh.node(0).counters.snapshot()["aggregate-wrong"];
    assert_eq!(caught, 1);
    let report = replay(&export(&mut mesh, 0, &run));
    assert!(report.ok, "{:?}", report.first_mismatch);
    assert_eq!(report.rounds, 6);
}

#[test]
fn a_binding_that_its_author_never_signed_is_found() {
    let (mesh, run, file) = exported();
    let head = mesh.node(0).runs().get(&run).unwrap().head();
    let car = car::read(&file).unwrap();
    let signed = car.vertices.iter().find(|entry| entry.value.id() == head).unwrap();
    let author = signed.value.vertex().author;
    let writer = mesh.members.iter().find(|member| member.secrets.author() == author).unwrap();
    let key = writer.secrets.signing_key();
    let mut binding = mesh.node(0).graph().author(&author).unwrap().binding.clone();
    binding.epoch += 1;
    let changed = rewritten(
        &file,
        |signed| {
            let mut vertex = signed.vertex().clone();
            vertex.payloads.push(Payload::Binding(binding.clone()));
            let signs = signed.id() == head;
            signs.then(|| SignedVertex::sign(&vertex, &key, [0; 32]).unwrap())
        },
        |_| {},
    );
    assert_fails(&replay(&changed), "binding-signature");
}
