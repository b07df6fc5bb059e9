//! Members that come late to a network where everybody has dropped what they need.

use std::collections::BTreeSet;

use super::mesh::{Crash, Mesh, SnapshotLie};
use super::pruning::{
    KEPT, SHORT, assert_agree, assert_parts, assert_stored, finalised, heads, movements, names,
    pay, pay_around, running, running_with,
};
use crate::dag::{SignedVertex, VertexId};
use crate::effect::{Command, Input};
use crate::limits;
use crate::node::History;

/// Four members that drop, and further ones that were away since the beginning; so many payments
/// later. The late ones are not started.
fn late(seed: u64, count: usize, payments: usize) -> Mesh {
    late_with(seed, count, payments, SHORT)
}

/// The same with generations of so many bytes.
fn late_with(seed: u64, count: usize, payments: usize, generation_bytes: u64) -> Mesh {
    let mut mesh = running_with(seed, count, generation_bytes);
    for member in 4..count {
        mesh.members[member].history = History::Newest(KEPT);
        mesh.crash(member);
    }
    pay_around(&mut mesh, &[0, 1, 2, 3], payments);
    assert!((0..4).all(|member| mesh.node(member).graph().dropped() > 0));
    mesh
}

/// The first four members change their weights twice, and pay so often after each change.
fn change_committee_twice(mesh: &mut Mesh, payments: usize) {
    for weight in [2, 3] {
        let authors = (0..4).map(|member| mesh.members[member].secrets.author());
        let members: Vec<_> = authors.map(|author| (author, weight)).collect();
        for member in 0..4 {
            mesh.ask(member, Command::ProposeCommittee { members: members.clone() }).unwrap();
        }
        mesh.run_for(30_000);
        pay_around(mesh, &[0, 1, 2, 3], payments);
    }
}

fn counted(mesh: &Mesh, member: usize, code: &str) -> u64 {
    let counts = mesh.node(member).counters.snapshot();
    counts.iter().find(|(name, _)| **name == code).map_or(0, |(_, count)| *count)
}

fn has_joined(mesh: &Mesh, member: usize) -> bool {
    mesh.members[member].node.is_some() && counted(mesh, member, "snapshot-taken") > 0
}

/// The same snapshots are handed out by all of them, whatever each of them holds or dropped.
fn assert_same_logs(mesh: &Mesh, members: &[usize]) {
    for member in members {
        let (one, other) = (mesh.node(*member), mesh.node(members[0]));
        assert_eq!(one.snapshots.log, other.snapshots.log, "member {member}");
        assert_eq!(one.graph().coverage(), other.graph().coverage(), "member {member}");
    }
}

/// Late members' chunks in their stores (count).
fn chunks(mesh: &Mesh, member: usize) -> usize {
    mesh.members[member].store.blobs.len()
}

#[test]
fn who_comes_late_is_handed_what_everybody_dropped() {
    let mut mesh = late_with(300, 5, 60, limits::SNAPSHOT_GENERATION_BYTES);
    mesh.start(4);
    mesh.run_for(60_000);
    assert_eq!(counted(&mesh, 4, "snapshot-taken"), 1);
    assert_agree(&mut mesh, &[0, 1, 2, 3, 4]);
    assert_stored(&mesh, 4);
    assert_same_logs(&mesh, &[0, 1, 2, 3, 4]);
    let (dropped, blobs) = (mesh.node(4).graph().dropped(), chunks(&mesh, 4));
    eprintln!("{dropped} covered by {blobs} chunks, {:?}", mesh.asked);
    assert!(dropped > 0 && blobs > 0, "{dropped} of {blobs}");
    let lists = [0, 4].map(|member| {
        let mut items: Vec<_> = finalised(&mut mesh, member).into_iter().map(|v| v.item).collect();
        items.sort_unstable();
        items
    });
    assert_eq!(lists[0], lists[1]);
    assert_eq!(lists[0].len(), 60);
    assert!(movements(&mut mesh, 0, None).movements.len() > 1);
    // And it goes on, after a restart too.
    pay_around(&mut mesh, &[0, 1, 2, 3, 4], 10);
    assert_agree(&mut mesh, &[0, 1, 2, 3, 4]);
    mesh.crash(4);
    mesh.start(4);
    assert_agree(&mut mesh, &[0, 1, 2, 3, 4]);
    assert_stored(&mesh, 4);
    assert_same_logs(&mesh, &[0, 1, 2, 3, 4]);
    // Others dropped more since; it hands that on as they do.
    pay_around(&mut mesh, &[0, 1, 2, 3], 20);
    assert_agree(&mut mesh, &[0, 1, 2, 3, 4]);
    assert_same_logs(&mesh, &[0, 1, 2, 3, 4]);
}

#[test]
fn one_honest_peer_among_liars_is_enough() {
    use SnapshotLie::{Certificate, Chunks, Closed, Dropped, Manifest, Signers, Silence, Vertices};
    let lies = [Certificate, Chunks, Closed, Manifest, Signers, Silence, Vertices];
    let mut mesh = late(301, 4 + lies.len(), 40);
    for (member, lie) in (4..).zip(lies) {
        mesh.faults.snapshot_liars = [0, 1, 2].into();
        mesh.faults.snapshot_lie = Some(lie);
        mesh.start(member);
        let joined = mesh.run_until(120_000, |mesh| has_joined(mesh, member));
        assert!(joined, "{lie:?}: {:?}", mesh.node(member).counters.snapshot());
        mesh.faults.snapshot_liars.clear();
        assert_agree(&mut mesh, &[3, member]);
        assert_same_logs(&mesh, &[3, member]);
        let counters = mesh.node(member).counters.snapshot();
        eprintln!("{lie:?}: {counters:?}");
        let blamed = match lie {
            Manifest | Certificate | Signers => counters.contains_key("peer-false-snapshot"),
            Chunks => counters.contains_key("peer-wrong-blob"),
            Vertices => counters.contains_key("peer-invalid-vertex"),
            Closed | Silence | Dropped => true,
        };
        assert!(blamed, "{lie:?}: {counters:?}");
        mesh.crash(member);
    }
}

#[test]
fn liars_alone_convince_nobody() {
    use SnapshotLie::{Certificate, Chunks, Manifest, Signers, Silence, Vertices};
    let lies = [Certificate, Chunks, Manifest, Signers, Silence, Vertices];
    let mut mesh = late(302, 4 + lies.len(), 40);
    for (member, lie) in (4..).zip(lies) {
        mesh.faults.snapshot_liars = (0..4).collect();
        mesh.faults.snapshot_lie = Some(lie);
        mesh.start(member);
        mesh.run_for(60_000);
        // Who sends wrong signatures is banned before it comes to that.
        assert!(lie == Vertices || mesh.asked.contains_key(&(member, "snapshot")), "{lie:?}");
        assert_eq!(counted(&mesh, member, "snapshot-taken"), 0, "{lie:?}");
        let node = mesh.node(member);
        assert_eq!(node.graph().dropped(), 0, "{lie:?}");
        assert!(node.consensus().unwrap().last_checkpoint().is_none(), "{lie:?}");
        mesh.crash(member);
    }
}

#[test]
fn a_crash_at_any_write_of_a_snapshot_is_harmless() {
    let mut mesh = late(303, 5, 40);
    // It has written who it is before.
    mesh.cut(&[4]);
    mesh.start(4);
    mesh.run_for(1_000);
    mesh.crash(4);
    mesh.heal();
    let blank = mesh.members[4].store.clone();
    let (mut hit, mut between) = (0, 0);
    for crash in [Crash::BeforeWrite, Crash::BeforeAnswer, Crash::AfterAnswer] {
        for later in 1..=8 {
            mesh.members[4].store = blank.clone();
            mesh.members[4].store.crash = Some((blank.writes + later, crash));
            mesh.start(4);
            let over = |mesh: &Mesh| mesh.members[4].node.is_none() || has_joined(mesh, 4);
            assert!(mesh.run_until(60_000, over));
            mesh.run_for(10);
            if mesh.members[4].node.is_none() {
                hit += 1;
                let records = mesh.members[4].store.meta.keys();
                between += usize::from(records.filter(|n| n.starts_with("pruned/")).count() > 0);
                mesh.members[4].store.crash = None;
                mesh.start(4);
            }
            mesh.members[4].store.crash = None;
            let caught_up = |mesh: &Mesh| names(mesh, 4) == names(mesh, 3);
            assert!(mesh.run_until(60_000, caught_up), "{crash:?}, {later}");
            mesh.run_for(5_000);
            assert_eq!(heads(mesh.node(4).graph()), heads(mesh.node(3).graph()));
            let engines = [3, 4].map(|member| mesh.node(member).consensus().unwrap());
            assert_eq!(engines[0].certified(), engines[1].certified(), "{crash:?}, {later}");
            assert_eq!(engines[0].ledger(), engines[1].ledger(), "{crash:?}, {later}");
            assert_same_logs(&mesh, &[3, 4]);
            assert_stored(&mesh, 4);
            assert_parts(&mesh, 4);
            mesh.crash(4);
        }
    }
    eprintln!("{hit} crashes, {between} of them with the records there");
    assert!(hit > 9 && between > 0, "{hit}, {between}");
}

/// What a snapshot does not hold is not there after a restart, whatever came in the meantime; votes
/// that followed from it would be forgotten.
#[test]
fn what_comes_while_a_snapshot_is_stored_is_not_taken_and_lost_later() {
    let mut mesh = running_with(306, 6, SHORT);
    mesh.crash(4);
    mesh.members[4].history = History::Newest(KEPT);
    pay_around(&mut mesh, &[0, 1, 2, 3], 40);
    mesh.cut(&[5]);
    mesh.start(4);
    let is_writing = |mesh: &mut Mesh| {
        mesh.run_for(1);
        mesh.node(4).joining.is_writing()
    };
    assert!((0..30_000).any(|_| is_writing(&mut mesh)));
    let early = mesh.node(5).graph().timeline().range(0..40);
    let early: Vec<VertexId> = early.map(|key| key.id).collect();
    let peer = mesh.transport(0);
    for (id, message) in early.iter().zip(1 << 40..) {
        let bytes = mesh.node(5).graph().get(id).unwrap().encode();
        mesh.poke(4, Input::Gossip { peer: peer.clone(), message, bytes });
    }
    assert!(mesh.node(4).joining.is_writing(), "all of it came before the store was done");
    let refused = counted(&mesh, 4, "vertex-while-snapshot");
    assert!(refused > 20, "{refused} of {}", early.len());
    assert!(mesh.run_until(30_000, |mesh| has_joined(mesh, 4)));
    let whole = |mesh: &Mesh| -> BTreeSet<VertexId> {
        mesh.node(4).graph().iter().map(SignedVertex::id).collect()
    };
    let before = whole(&mesh);
    assert!(early.iter().any(|id| !mesh.node(4).graph().contains(id)));
    mesh.crash(4);
    mesh.start(4);
    let lost: Vec<VertexId> = before.difference(&whole(&mesh)).copied().collect();
    assert!(lost.is_empty(), "{} vertices that it had were gone", lost.len());
    assert_agree(&mut mesh, &[0, 1, 2, 3, 4]);
    assert_stored(&mesh, 4);
}

#[test]
fn what_came_before_an_interruption_is_not_fetched_again() {
    let mut mesh = late(304, 5, 60);
    // It has written who it is before, so that chunks are stored as they come.
    mesh.cut(&[4]);
    mesh.start(4);
    mesh.run_for(1_000);
    mesh.heal();
    assert!(mesh.run_until(30_000, |mesh| chunks(mesh, 4) > 0));
    assert!(!has_joined(&mesh, 4));
    // It stops, and so does a peer that it was fetching from.
    mesh.crash(4);
    mesh.crash(0);
    let (had, asked) = (chunks(&mesh, 4), mesh.asked[&(4, "blob")]);
    mesh.start_with(4, vec![mesh.address(1)]);
    assert!(mesh.run_until(60_000, |mesh| has_joined(mesh, 4)));
    let more = mesh.asked[&(4, "blob")] - asked;
    let all = chunks(&mesh, 4);
    eprintln!("{had} of {all} chunks before, {more} questions after");
    assert!(more <= all - had, "{more} for {all} less {had}");
    assert_agree(&mut mesh, &[1, 2, 3, 4]);
}

#[test]
fn a_peer_that_leaves_on_the_way_is_no_loss() {
    let mut mesh = late(305, 5, 60);
    mesh.start(4);
    assert!(mesh.run_until(30_000, |mesh| mesh.asked.contains_key(&(4, "blob"))));
    mesh.crash(0);
    assert!(mesh.run_until(60_000, |mesh| has_joined(mesh, 4)));
    assert_agree(&mut mesh, &[1, 2, 3, 4]);
}

#[test]
fn a_member_that_was_away_votes_again() {
    let mut mesh = running_with(306, 5, SHORT);
    mesh.crash(4);
    pay_around(&mut mesh, &[0, 1, 2, 3], 3);
    mesh.crash(3);
    pay_around(&mut mesh, &[0, 1, 2], 60);
    assert!((0..3).all(|member| mesh.node(member).graph().dropped() > 0));
    mesh.start(3);
    assert!(mesh.run_until(60_000, |mesh| has_joined(mesh, 3)));
    assert_agree(&mut mesh, &[0, 1, 2, 3]);
    // Without it and one more there is no quorum.
    mesh.crash(0);
    pay_around(&mut mesh, &[1, 2, 3], 6);
    assert_agree(&mut mesh, &[1, 2, 3]);
    assert_eq!(mesh.node(3).deciding.engine.decisions(), 69);
    assert_same_logs(&mesh, &[1, 2, 3]);
}

/// What was written meanwhile builds on what the others dropped since.
#[test]
fn what_a_member_paid_while_it_was_cut_off_becomes_final_when_it_is_back() {
    let mut mesh = running(309, 5);
    mesh.members[4].history = History::All;
    pay_around(&mut mesh, &[0, 1, 2, 3], 3);
    mesh.cut(&[3]);
    mesh.run_for(30_000);
    for _ in 0..3 {
        pay(&mut mesh, 3, 0);
        mesh.run_for(1_000);
    }
    let written: Vec<VertexId> = names(&mesh, 3);
    let is_own = |id: &VertexId| {
        let fields = mesh.node(3).graph().get(id).unwrap().vertex();
        let is_payment = fields.payloads.iter().any(|payload| payload.kind() == "ledger");
        is_payment && fields.author == mesh.members[3].secrets.author()
    };
    let own: Vec<VertexId> = written.into_iter().filter(is_own).collect();
    assert!(!own.is_empty());
    pay_around(&mut mesh, &[0, 1, 2], 60);
    assert!((0..3).all(|member| mesh.node(member).graph().dropped() > 0));
    let old = mesh.node(3).graph().get(&own[0]).unwrap().vertex().parents[0];
    mesh.heal();
    assert!(mesh.run_until(120_000, |mesh| has_joined(mesh, 3)));
    mesh.run_for(30_000);
    assert_agree(&mut mesh, &[0, 1, 2, 3, 4]);
    assert!((0..3).all(|member| !mesh.node(member).graph().contains(&old.id)), "it was dropped");
    for member in 0..5 {
        let items = finalised(&mut mesh, member);
        let is_final = |id: &VertexId| items.iter().any(|view| view.item.0 == *id);
        assert!(own.iter().all(is_final), "member {member}");
    }
    assert!(!mesh.node(3).is_mute());
    assert_same_logs(&mesh, &[0, 1, 2, 3, 4]);
}

#[test]
fn certificates_lead_from_the_genesis_through_every_committee() {
    let mut mesh = late(307, 6, 20);
    change_committee_twice(&mut mesh, 30);
    assert_eq!(mesh.node(0).consensus().unwrap().epoch(), 2);
    mesh.start(4);
    assert!(mesh.run_until(60_000, |mesh| has_joined(mesh, 4)));
    assert_agree(&mut mesh, &[0, 1, 2, 3, 4]);
    assert_same_logs(&mesh, &[0, 1, 2, 3, 4]);
    // It can prove to others what it was told, and who comes later can join by it alone.
    let item = finalised(&mut mesh, 4)[0].item;
    mesh.ask(4, Command::Prove { item: item.to_string() }).unwrap();
    pay_around(&mut mesh, &[0, 1, 2, 3], 20);
    mesh.faults.snapshot_liars = BTreeSet::from([0, 1, 2, 3]);
    mesh.faults.snapshot_lie = Some(SnapshotLie::Silence);
    mesh.start_with(5, vec![mesh.address(4)]);
    assert!(mesh.run_until(120_000, |mesh| has_joined(mesh, 5)));
    assert_agree(&mut mesh, &[0, 1, 2, 3, 4, 5]);
}

#[test]
fn who_keeps_everything_waits_for_a_peer_that_has_it() {
    let mut mesh = running(308, 6);
    for late in [4, 5] {
        mesh.members[late].history = History::All;
        mesh.crash(late);
    }
    // The last member of the committee keeps everything, the others do not.
    mesh.members[3].history = History::All;
    mesh.crash(3);
    mesh.start(3);
    pay_around(&mut mesh, &[0, 1, 2, 3], 60);
    assert!((0..3).all(|member| mesh.node(member).graph().dropped() > 0));
    assert_eq!(mesh.node(3).graph().dropped(), 0);
    mesh.start(4);
    let caught_up = |mesh: &Mesh| names(mesh, 4) == names(mesh, 3);
    assert!(mesh.run_until(120_000, caught_up));
    assert!(counted(&mesh, 4, "request-refused") > 0, "some refused");
    assert_eq!(counted(&mesh, 4, "snapshot-taken"), 0);
    assert_eq!(mesh.node(4).graph().dropped(), 0);
    // Alone with those that dropped it, it has no choice.
    mesh.crash(4);
    mesh.crash(3);
    mesh.start_with(5, vec![mesh.address(0), mesh.address(1)]);
    assert!(mesh.run_until(120_000, |mesh| has_joined(mesh, 5)));
}

#[test]
fn the_word_of_one_peer_is_not_enough() {
    for liars in [1, 4] {
        let mut mesh = running(309, 5);
        mesh.crash(4);
        mesh.faults.snapshot_liars = (0..liars).collect();
        mesh.faults.snapshot_lie = Some(SnapshotLie::Dropped);
        pay_around(&mut mesh, &[0, 1, 2, 3], 3);
        mesh.start(4);
        // Something is always being said while it comes, so that parents are missing.
        pay_around(&mut mesh, &[0, 1, 2, 3], 3);
        let asked = mesh.asked.get(&(4, "snapshot")).copied().unwrap_or(0);
        let refused = counted(&mesh, 4, "request-refused");
        eprintln!("{liars} liars: {refused} refusals, {asked} snapshots asked for");
        assert!(refused > 0, "{liars}");
        assert_eq!(asked == 0, liars == 1, "{liars}");
    }
}

#[test]
fn a_network_that_is_idle_after_a_change_takes_in_who_comes_late() {
    let mut mesh = late(310, 5, 40);
    let authors = (0..4).map(|member| mesh.members[member].secrets.author());
    let members: Vec<_> = authors.map(|author| (author, 2)).collect();
    for member in 0..4 {
        mesh.ask(member, Command::ProposeCommittee { members: members.clone() }).unwrap();
    }
    mesh.run_for(60_000);
    assert_eq!(mesh.node(0).consensus().unwrap().epoch(), 1);
    mesh.start(4);
    assert!(mesh.run_until(60_000, |mesh| has_joined(mesh, 4)));
    assert_agree(&mut mesh, &[0, 1, 2, 3, 4]);
    assert_same_logs(&mesh, &[0, 1, 2, 3, 4]);
}

/// Two epochs that ended, and member 4, which nobody told of the vertices that signed their ends.
fn told_that_nothing_is_open(seed: u64) -> Mesh {
    let mut mesh = late(seed, 5, 20);
    change_committee_twice(&mut mesh, 20);
    mesh.faults.snapshot_liars = (0..4).collect();
    mesh.faults.snapshot_lie = Some(SnapshotLie::Closed);
    mesh.start(4);
    assert!(mesh.run_until(60_000, |mesh| has_joined(mesh, 4)));
    pay_around(&mut mesh, &[0, 1, 2, 3], 3);
    mesh
}

/// Whether a member can prove what is final: the newest of it.
fn proves(mesh: &mut Mesh, member: usize) -> bool {
    let item = finalised(mesh, 0).last().expect("something is final").item;
    mesh.ask(member, Command::Prove { item: item.to_string() }).is_ok()
}

#[test]
fn who_was_told_of_no_signatures_of_ended_epochs_proves_by_certificates() {
    let mut mesh = told_that_nothing_is_open(312);
    mesh.run_for(30_000);
    assert!(proves(&mut mesh, 4), "{:?}", mesh.node(4).counters.snapshot());
    let stored = |mesh: &Mesh| {
        let meta = mesh.members[4].store.meta.iter();
        let ends = meta.filter(|(name, _)| name.starts_with("ended/"));
        ends.map(|(name, bytes)| (name.clone(), bytes.clone())).collect::<Vec<_>>()
    };
    let before = stored(&mesh);
    assert_eq!(before.len(), 2, "one for each epoch");
    // They are found again, and nothing is asked for.
    mesh.crash(4);
    mesh.start(4);
    mesh.run_for(10_000);
    assert!(proves(&mut mesh, 4));
    assert_eq!(counted(&mesh, 4, "end-certified"), 0);
    // One that is damaged is asked for again.
    mesh.crash(4);
    let (name, bytes) = &before[0];
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    mesh.members[4].store.meta.insert(name.clone(), damaged);
    mesh.start(4);
    assert!(!proves(&mut mesh, 4));
    mesh.run_for(30_000);
    assert!(proves(&mut mesh, 4), "{:?}", mesh.node(4).counters.snapshot());
    assert_eq!(stored(&mesh), before);
    assert_eq!(counted(&mesh, 4, "end-certified"), 1);
}
