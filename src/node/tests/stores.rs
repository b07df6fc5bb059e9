//! Crashes and full disks: nothing accepted is lost, and nobody ever contradicts itself.

use super::mesh::{Crash, Mesh, tiny_run};
use super::stranger::Stranger;
use crate::effect::{Command, Verdict};
use crate::event::{Event, Reply};
use crate::limits;
use crate::node::Error;

#[test]
fn a_crash_at_any_write_never_makes_a_member_contradict_itself() {
    for crash in [Crash::BeforeWrite, Crash::BeforeAnswer, Crash::AfterAnswer] {
        for write in 1..26 {
            let mut mesh = Mesh::new(60 + write, 3);
            mesh.members[1].store.crash = Some((write, crash));
            for member in 0..3 {
                mesh.start(member);
            }
            mesh.run_for(5_000);
            let run = mesh.start_run(0, tiny_run(4, 3));
            mesh.run_for(1_000);
            for member in [1, 2] {
                if mesh.members[member].node.is_some() {
                    let samples = mesh.samples(member);
                    mesh.command(member, Command::JoinRun { run: run.to_string(), samples });
                }
            }
            mesh.run_for(2_000);
            if mesh.members[1].node.is_none() {
                let durable = mesh.members[1].store.vertices.len();
                mesh.members[1].store.crash = None;
                mesh.start(1);
                assert!(mesh.node(1).graph().len() >= durable, "every durable vertex is there");
                mesh.run_for(3_000);
            }
            mesh.join(1, &run);
            mesh.finish(&run, &[0, 1, 2], 120_000);
            mesh.run_for(5_000);
            for member in 0..3 {
                let ended = mesh.node(member).graph().equivocated(&mesh.node(1).author());
                assert_eq!(ended, None, "{crash:?} at write {write}");
            }
        }
    }
}

#[test]
fn a_restarted_member_goes_on_where_it_was() {
    let mut mesh = Mesh::running(61, 3);
    mesh.train_for(300);
    let run = mesh.start_run(0, tiny_run(10, 3));
    mesh.run_for(500);
    mesh.join(1, &run);
    mesh.join(2, &run);
    let round = |mesh: &Mesh, member: usize| mesh.node(member).runs().get(&run).unwrap().round();
    assert!(mesh.run_until(60_000, |mesh| round(mesh, 2) >= 3));
    mesh.crash(2);
    let before = mesh.members[2].store.clone();
    mesh.start(2);
    assert!(round(&mesh, 2) >= 2, "the head is remembered, not recomputed");
    assert_eq!(mesh.node(2).graph().len(), before.vertices.len());
    // Without the founder's address: the stored addresses lead back into the mesh.
    mesh.crash(2);
    mesh.start_with(2, Vec::new());
    mesh.run_for(2_000);
    assert_eq!(mesh.members[2].links.len(), 2);
    mesh.join(2, &run);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    let last = mesh.node(2).runs().get(&run).unwrap().clone();
    assert_eq!(last.contributors(&last.head()).len(), 3);
}

#[test]
fn a_full_disk_sends_nothing_loses_nothing_and_says_so() {
    let mut mesh = Mesh::running(62, 2);
    mesh.members[0].store.is_full = true;
    let own = mesh.node(0).graph().author(&mesh.node(0).author()).unwrap().next_seq;
    let spec = Box::new(tiny_run(3, 2));
    let refused = mesh.ask(0, Command::StartRun { spec, samples: mesh.samples(0) });
    assert_eq!(refused.unwrap_err().code, "storage-full");
    let warned = |event: &Event| matches!(event, Event::Warning(p) if p.code == "storage-full");
    assert!(mesh.members[0].events.iter().any(warned));
    mesh.run_for(30_000);
    assert_eq!(mesh.node(0).graph().author(&mesh.node(0).author()).unwrap().next_seq, own);
    assert_eq!(mesh.node(1).runs().iter().count(), 0, "nothing was sent");
    mesh.members[0].store.is_full = false;
    mesh.run_for(90_000);
    assert_eq!(mesh.node(1).runs().iter().count(), 1, "the queued payload was written after all");
    let run = mesh.node(1).runs().iter().next().unwrap().id();
    assert!(mesh.node(1).runs().get(&run).unwrap().is_member(&mesh.node(0).author()));
    mesh.join(1, &run);
    mesh.finish(&run, &[0, 1], 60_000);
}

#[test]
fn a_disk_that_fills_up_in_the_middle_of_a_run_only_delays_it() {
    let mut mesh = Mesh::running(63, 3);
    mesh.train_for(200);
    let run = mesh.start_run(0, tiny_run(12, 3));
    mesh.run_for(500);
    mesh.join(1, &run);
    mesh.join(2, &run);
    mesh.run_for(700);
    mesh.members[1].store.is_full = true;
    mesh.run_for(10_000);
    mesh.members[1].store.is_full = false;
    mesh.finish(&run, &[0, 1, 2], 120_000);
    mesh.run_for(60_000);
    let stored = &mesh.members[1].store.vertices;
    assert!(mesh.node(1).graph().iter().all(|signed| stored.contains_key(&signed.id())));
}

#[test]
fn a_lost_blob_is_fetched_again() {
    let mut mesh = Mesh::running(64, 2);
    let run = mesh.start_run(0, tiny_run(3, 2));
    mesh.run_for(500);
    mesh.join(1, &run);
    mesh.finish(&run, &[0, 1], 60_000);
    mesh.run_for(1_000);
    mesh.crash(1);
    mesh.members[1].store.blobs.values_mut().for_each(|bytes| bytes[0] ^= 1);
    mesh.start(1);
    mesh.run_for(5_000);
    let mut model = mesh.ask(1, Command::Model { run: run.to_string() });
    if model.is_err() {
        mesh.run_for(5_000);
        model = mesh.ask(1, Command::Model { run: run.to_string() });
    }
    assert!(matches!(model, Ok(Reply::Model(model)) if model.round == 3));
}

#[test]
fn a_damaged_store_is_refused_with_its_reason() {
    let mut mesh = Mesh::running(65, 2);
    mesh.start_run(0, tiny_run(3, 2));
    mesh.crash(0);
    let good = mesh.members[0].store.clone();
    let own = good.vertices.iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    let (id, mut bytes) = (*own.0, own.1.clone());
    bytes.truncate(bytes.len() - 1);
    mesh.members[0].store.vertices.insert(id, bytes);
    let error = mesh.make(0, Vec::new()).unwrap_err();
    assert!(matches!(error, Error::Store { .. }), "{error}");
    mesh.members[0].store = good;
    assert!(mesh.make(0, Vec::new()).is_ok());
    mesh.members[0].store.vertices = mesh.members[1].store.vertices.clone();
    assert!(mesh.make(0, Vec::new()).is_ok());
}

#[test]
fn stopping_waits_for_the_write_under_way() {
    let mut mesh = Mesh::running(66, 2);
    let samples = mesh.samples(0);
    let start = mesh.command(0, Command::StartRun { spec: Box::new(tiny_run(3, 2)), samples: 0 });
    let stop = mesh.command(0, Command::Stop);
    mesh.run_for(1_000);
    assert!(matches!(mesh.members[0].replies[&start], Ok(Reply::Run(_))));
    assert!(matches!(mesh.members[0].replies[&stop], Ok(Reply::Done)));
    assert!(matches!(mesh.members[0].events.last(), Some(Event::Stopped)));
    mesh.crash(0);
    mesh.start(0);
    mesh.run_for(3_000);
    assert_eq!(mesh.node(1).runs().iter().count(), 1, "{samples}");
}

#[test]
fn the_last_vertex_of_a_node_that_stops_reaches_a_peer() {
    let mut mesh = Mesh::running(67, 2);
    mesh.command(0, Command::StartRun { spec: Box::new(tiny_run(3, 2)), samples: 0 });
    let stop = mesh.command(0, Command::Stop);
    mesh.run_for(3_000);
    assert!(matches!(mesh.members[0].replies[&stop], Ok(Reply::Done)));
    assert_eq!(mesh.node(1).runs().iter().count(), 1);
}

#[test]
fn a_node_stops_in_time_when_nobody_takes_its_last_vertex() {
    let mut mesh = Mesh::running(68, 2);
    mesh.faults.lost_per_mille = 1_000;
    mesh.command(0, Command::StartRun { spec: Box::new(tiny_run(3, 2)), samples: 0 });
    let stop = mesh.command(0, Command::Stop);
    assert!(
        !mesh.run_until(limits::LEAVE_MS_MAX / 2, |mesh| mesh.members[0]
            .replies
            .contains_key(&stop))
    );
    assert!(
        mesh.run_until(limits::LEAVE_MS_MAX, |mesh| mesh.members[0].replies.contains_key(&stop))
    );
    assert_eq!(mesh.node(1).runs().iter().count(), 0);
}

/// Two halves of an equivocation that others cited are both in the history. Who restarted before
/// the proof was written has to write it after all.
#[test]
fn an_equivocation_is_still_proved_after_a_restart() {
    let mut mesh = Mesh::running(70, 1);
    let mut liar = Stranger::new(1, mesh.network());
    let mut witness = Stranger::new(2, mesh.network());
    liar.greet(&mut mesh, 0);
    witness.greet(&mut mesh, 0);
    let [one, other] = [1, 2].map(|tag| liar.next(&liar.identity, tag));
    let cites = witness.sign(&witness.vertex(&witness.identity, &[&other], 3));
    assert_eq!(liar.gossip(&mut mesh, 0, &one.encode()), Verdict::Accept);
    witness.gossip(&mut mesh, 0, &cites.encode());
    witness.gossip(&mut mesh, 0, &other.encode());
    assert!(mesh.node(0).graph().contains(&cites.id()));
    mesh.run_for(10);
    assert!(!mesh.node(0).graph().has_proof(&liar.author()), "it is too early for that");
    mesh.crash(0);
    mesh.start(0);
    assert_eq!(mesh.node(0).graph().equivocated(&liar.author()), Some(1));
    mesh.run_for(2 * u64::from(limits::ACCUSE_MS_MAX));
    assert!(mesh.node(0).graph().has_proof(&liar.author()));
}

#[test]
fn whoever_tells_a_node_to_stop_is_answered_when_it_has_stopped() {
    let mut mesh = Mesh::running(69, 2);
    mesh.command(0, Command::StartRun { spec: Box::new(tiny_run(3, 2)), samples: 0 });
    let stops = [mesh.command(0, Command::Stop), mesh.command(0, Command::Stop)];
    mesh.run_for(5_000);
    for stop in stops {
        assert!(matches!(mesh.members[0].replies.get(&stop), Some(Ok(Reply::Done))));
    }
}
