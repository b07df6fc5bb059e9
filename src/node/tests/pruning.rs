//! Members that drop old vertices: bounded for ever, the same as those that keep all, and whole
//! after a crash at any moment.

use std::collections::BTreeSet;

use super::mesh::{Crash, Mesh, tiny_run};
use crate::consensus::Finality;
use crate::dag::operation::Operation;
use crate::dag::vote::ItemId;
use crate::dag::{Graph, RunSpec, SignedVertex, VertexId};
use crate::effect::{Command, Intention};
use crate::event::{FinalisedView, ItemState, MovementPage, Reply};
use crate::identity::AuthorId;
use crate::limits;
use crate::node::History;
use crate::units::MicroCredits;

/// Newest vertices that members keep here.
pub(super) const KEPT: usize = 40;

/// Bytes of a generation that a few checkpoints fill.
pub(super) const SHORT: u64 = 6_000;

/// Four members of a committee; the last of `count` keeps everything, the others do not.
pub(super) fn running(seed: u64, count: usize) -> Mesh {
    running_with(seed, count, limits::SNAPSHOT_GENERATION_BYTES)
}

/// The same with generations of so many bytes.
pub(super) fn running_with(seed: u64, count: usize, generation_bytes: u64) -> Mesh {
    let mut mesh = Mesh::deciding(seed, count, &[1; 4]);
    mesh.generation_bytes = generation_bytes;
    for member in 0..count {
        let keeps_all = member + 1 == count;
        mesh.members[member].history = if keeps_all { History::All } else { History::Newest(KEPT) };
        mesh.start(member);
    }
    mesh.run_for(10_000);
    mesh
}

pub(super) fn pay(mesh: &mut Mesh, from: usize, to: usize) {
    let to = mesh.members[to].secrets.author();
    let wish = Intention::Pay { to, amount: MicroCredits(1), memo: "tea".to_owned() };
    mesh.ask(from, Command::Operate(wish)).unwrap();
}

/// Payments round and round, one in four seconds.
pub(super) fn pay_around(mesh: &mut Mesh, payers: &[usize], payments: usize) {
    for number in 0..payments {
        let from = payers[number % payers.len()];
        pay(mesh, from, payers[(number + 1) % payers.len()]);
        mesh.run_for(4_000);
    }
}

pub(super) fn movements(mesh: &mut Mesh, member: usize, account: Option<AuthorId>) -> MovementPage {
    let request =
        Command::WalletHistory { account, from: 0, count_max: limits::FINALISED_PAGE_MAX };
    match mesh.ask(member, request) {
        Ok(Reply::WalletHistory(page)) => page,
        other => panic!("{other:?}"),
    }
}

pub(super) fn finalised(mesh: &mut Mesh, member: usize) -> Vec<FinalisedView> {
    match mesh.ask(member, Command::Finalised { from: 0, count_max: usize::MAX }) {
        Ok(Reply::Finalised(page)) => page.items,
        other => panic!("{other:?}"),
    }
}

pub(super) fn names(mesh: &Mesh, member: usize) -> Vec<VertexId> {
    mesh.node(member).graph().uncovered().iter().map(|key| key.id).collect()
}

/// Heads that no checkpoint covers: whoever dropped what cites the others takes them for heads.
pub(super) fn heads(graph: &Graph) -> Vec<VertexId> {
    let is_open = |signed: &&SignedVertex| {
        !graph.coverage().has(&signed.vertex().author, signed.vertex().seq)
    };
    let heads = graph.heads().into_iter().filter_map(|id| graph.get(&id));
    heads.filter(is_open).map(SignedVertex::id).collect()
}

/// Lets everybody come to rest, and compares what must be the same.
pub(super) fn assert_agree(mesh: &mut Mesh, members: &[usize]) {
    mesh.run_for(30_000);
    let first = members[0];
    for member in members {
        assert_eq!(names(mesh, *member), names(mesh, first), "member {member}");
        let (one, other) = (mesh.node(*member), mesh.node(first));
        assert_eq!(heads(one.graph()), heads(other.graph()), "member {member}");
        let (one, other) = (one.consensus().unwrap(), other.consensus().unwrap());
        if one.forgotten() == other.forgotten() {
            assert!(one.decisions().eq(other.decisions()), "member {member}");
            assert!(one.checkpoints().eq(other.checkpoints()), "member {member}");
        }
        assert_eq!(one.last_checkpoint(), other.last_checkpoint(), "member {member}");
        assert_eq!(one.mmr().root(), other.mmr().root(), "member {member}");
        assert_eq!(one.certified(), other.certified(), "member {member}");
        assert_eq!(one.ledger(), other.ledger(), "member {member}");
        assert_eq!(mesh.node(*member).deciding.finality(), Finality::Quorum);
    }
}

/// The store holds what the graph holds, and no more.
pub(super) fn assert_stored(mesh: &Mesh, member: usize) {
    let held: BTreeSet<VertexId> = mesh.node(member).graph().iter().map(SignedVertex::id).collect();
    let stored: BTreeSet<VertexId> = mesh.members[member].store.vertices.keys().copied().collect();
    assert_eq!(stored, held, "member {member}");
}

#[test]
fn a_member_that_drops_stays_small_and_agrees_with_one_that_keeps_all() {
    let mut mesh = running(200, 5);
    let (mut most, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..12 {
        let (mut held, mut stored) = (0, 0);
        for _ in 0..5 {
            pay_around(&mut mesh, &[0, 1], 2);
            held = held.max(mesh.node(1).graph().len());
            stored = stored.max(mesh.members[1].store.vertices.values().map(Vec::len).sum());
        }
        most.push(held);
        bytes.push(stored);
    }
    assert_agree(&mut mesh, &[0, 1, 2, 3, 4]);
    let (all, kept) = (mesh.node(4).graph().len(), mesh.node(1).graph());
    eprintln!(
        "of {all} vertices {} dropped; held {most:?}; stored bytes {bytes:?}",
        kept.dropped()
    );
    assert_eq!((mesh.node(4).graph().dropped(), kept.len() + kept.dropped()), (0, all));
    let least = |range: std::ops::Range<usize>| *most[range].iter().max().unwrap();
    assert!(least(8..12) < least(3..7) + KEPT && all > 3 * least(0..12), "{most:?} of {all}");
    for member in 0..5 {
        assert_stored(&mesh, member);
    }
    // What it says of the past is what the other one says.
    let pages = [1, 4].map(|member| movements(&mut mesh, member, None).movements.len());
    let lists = [1, 4].map(|member| {
        let mut items: Vec<_> = finalised(&mut mesh, member).into_iter().map(|v| v.item).collect();
        items.sort_unstable();
        items
    });
    assert!(pages[0] > 0 && lists[0] == lists[1] && lists[0].len() == 120);
    // An old payment can be looked at and proven where its vertex is gone.
    let item = lists[0].iter().find(|item| !mesh.node(1).graph().contains(&item.0)).unwrap();
    let Ok(Reply::Item(view)) = mesh.ask(1, Command::Item { item: item.to_string() }) else {
        panic!("an old item is unknown")
    };
    let Ok(Reply::Item(other)) = mesh.ask(4, Command::Item { item: item.to_string() }) else {
        panic!("an old item is unknown to who keeps all")
    };
    assert_eq!(view, other);
    assert!(matches!(mesh.ask(1, Command::Prove { item: item.to_string() }), Ok(Reply::Proof(_))));
}

/// The store has every part that the log names, and of others no more than one generation.
pub(super) fn assert_parts(mesh: &Mesh, member: usize) {
    let log = &mesh.node(member).snapshots.log;
    let stored = &mesh.members[member].store.blobs;
    assert!(log.parts().all(|part| stored.contains_key(&part)), "member {member}");
    let most = 3 * log.parts().count();
    assert!(stored.len() <= most, "member {member}: {} parts, {most} at most", stored.len());
}

#[test]
fn decisions_are_forgotten_and_what_is_stored_stays_small_for_ever() {
    let mut mesh = running_with(206, 6, SHORT);
    let (mut most, mut paid) = (Vec::new(), Vec::new());
    for round in 0..8 {
        let mut stored = 0;
        for _ in 0..6 {
            pay_around(&mut mesh, &[0, 1, 2, 3], 4);
            let store = &mesh.members[1].store;
            let bytes = |bytes: &Vec<u8>| bytes.len();
            let own = store.vertices.values().map(bytes).sum::<usize>();
            let parts = store.blobs.values().map(bytes).sum::<usize>();
            stored = stored.max(own + parts + store.meta.values().map(bytes).sum::<usize>());
        }
        most.push(stored);
        paid.extend(finalised(&mut mesh, 5).into_iter().map(|view| view.item));
        if round == 4 {
            mesh.crash(1);
            mesh.start(1);
        }
    }
    assert_agree(&mut mesh, &[0, 1, 2, 3, 4, 5]);
    for member in 0..5 {
        assert_stored(&mesh, member);
        assert_parts(&mesh, member);
        let engine = mesh.node(member).consensus().unwrap();
        assert!(engine.forgotten() > 100 && engine.decisions().len() < 60, "member {member}");
    }
    assert_eq!(mesh.node(5).consensus().unwrap().forgotten(), 0, "who keeps all forgets nothing");
    eprintln!("stored at most {most:?}");
    // Own payments, which are kept, are a part of it.
    assert!(most[7] < most[3] + most[3] / 4, "{most:?}");

    // Owners find all that is about them, and no more of long ago.
    let [me, others] = [1, 2].map(|member| mesh.members[member].secrets.author());
    let mut moved = |member, account| {
        let page = movements(&mut mesh, member, account);
        page.movements.into_iter().map(|moved| moved.item).collect::<BTreeSet<_>>()
    };
    let own = moved(1, None);
    assert_eq!((own.len(), &own), (96, &moved(5, Some(me))));
    assert!(moved(1, Some(others)).len() < 96);
    // Payments between others of long ago are proven by who keeps all.
    let is_others = |item: &&ItemId| {
        let found = mesh.node(5).item(item).unwrap();
        let Some(Operation::Transfer { to, .. }) = found.operation else { return false };
        found.author != me && to != me
    };
    let old = paid.iter().find(is_others).unwrap().to_string();
    let own = own.iter().find(|item| !mesh.node(1).graph().contains(&item.0)).unwrap().to_string();
    let mut ask = |member, request| mesh.ask(member, request);
    let unknown = ask(1, Command::Item { item: old.clone() }).unwrap_err();
    assert_eq!(unknown.code, "item-unknown");
    assert!(matches!(ask(5, Command::Prove { item: old }), Ok(Reply::Proof(_))));
    // One's own cannot be proven here any more, and are final all the same.
    let Ok(Reply::Item(view)) = ask(1, Command::Item { item: own.clone() }) else { panic!() };
    assert_eq!(view.state, ItemState::Final);
    assert_eq!(ask(1, Command::Prove { item: own }).unwrap_err().code, "not-final");
}

#[test]
fn a_restarted_member_goes_on_without_what_it_dropped() {
    let mut mesh = running(201, 5);
    for round in 0..3 {
        pay_around(&mut mesh, &[0, 1, 2, 3], 25);
        let before = (names(&mesh, 1), finalised(&mut mesh, 1), movements(&mut mesh, 1, None));
        assert!(mesh.node(1).graph().dropped() > 0, "round {round}");
        mesh.crash(1);
        mesh.start(1);
        let after = names(&mesh, 1);
        assert!(before.0.iter().all(|id| after.contains(id)), "round {round}");
        mesh.run_for(10);
        let again = (finalised(&mut mesh, 1), movements(&mut mesh, 1, None));
        let items =
            |views: &[FinalisedView]| views.iter().map(|view| view.item).collect::<BTreeSet<_>>();
        assert_eq!(items(&again.0), items(&before.1), "round {round}");
        assert_eq!(again.1.movements.len(), before.2.movements.len(), "round {round}");
        assert_agree(&mut mesh, &[0, 1, 2, 3, 4]);
        assert_stored(&mesh, 1);
    }
    // It votes on: without it and one more there is no quorum.
    mesh.crash(0);
    pay_around(&mut mesh, &[1, 2, 3], 6);
    assert_agree(&mut mesh, &[1, 2, 3, 4]);
    assert_eq!(mesh.node(1).deciding.engine.decisions(), 75 + 6);
}

#[test]
fn a_crash_at_any_write_of_a_pruning_is_harmless() {
    let mut mesh = running_with(202, 5, SHORT);
    pay_around(&mut mesh, &[0, 1, 2, 3], 4);
    let until = |mesh: &Mesh| mesh.node(1).graph().dropped() > 0;
    let mut hit = 0;
    for crash in [Crash::BeforeWrite, Crash::BeforeAnswer, Crash::AfterAnswer] {
        for later in 1..5 {
            // Just before the next pruning.
            let record = |mesh: &Mesh| mesh.members[1].store.meta.get("pruned/0000000000").cloned();
            let dropped = mesh.node(1).graph().dropped();
            let before = record(&mesh);
            for _ in 0..60 {
                if mesh.node(1).graph().dropped() > dropped {
                    break;
                }
                for from in 0..4 {
                    pay(&mut mesh, from, (from + 1) % 4);
                }
                mesh.run_until(4_000, |mesh| mesh.node(1).graph().dropped() > dropped);
            }
            assert!(until(&mesh));
            let writes = mesh.members[1].store.writes;
            mesh.members[1].store.crash = Some((writes + later, crash));
            mesh.run_until(20_000, |mesh| mesh.members[1].node.is_none());
            if mesh.members[1].node.is_none() {
                hit += usize::from(record(&mesh) != before);
                mesh.members[1].store.crash = None;
                mesh.start(1);
            }
            mesh.members[1].store.crash = None;
            assert_agree(&mut mesh, &[0, 1, 2, 3, 4]);
            assert_stored(&mesh, 1);
            assert_parts(&mesh, 1);
            let me = mesh.node(1).author();
            assert_eq!(mesh.node(4).graph().equivocated(&me), None, "{crash:?}, {later}");
        }
    }
    assert!(hit > 0, "some crashes came between the record and the removals");
    assert!(mesh.node(1).consensus().unwrap().forgotten() > 0);
}

#[test]
fn who_comes_late_catches_up_whether_or_not_somebody_keeps_all() {
    for keeper in [true, false] {
        let mut mesh = running(203, 6);
        // The last member is away from the beginning, and the one before keeps all or is away too.
        mesh.crash(5);
        mesh.crash(4);
        mesh.members[4].history = if keeper { History::All } else { History::Newest(KEPT) };
        mesh.start(4);
        pay_around(&mut mesh, &[0, 1, 2, 3], 50);
        mesh.start(5);
        mesh.run_for(120_000);
        assert!((0..4).all(|member| mesh.node(member).graph().dropped() > 0));
        assert_agree(&mut mesh, &[0, 1, 2, 3, 4, 5]);
        // Nobody is blamed for what it dropped, or for asking.
        for member in 0..6 {
            assert!(mesh.members[member].links.len() >= 4, "member {member}");
        }
    }
}

#[test]
fn without_a_committee_nothing_is_dropped() {
    let mut mesh = Mesh::new(204, 2);
    for member in 0..2 {
        mesh.members[member].history = History::Newest(2);
        mesh.start(member);
    }
    mesh.run_for(5_000);
    for number in 0..3 {
        let name = format!("run-{number}");
        let run = mesh.start_run(0, RunSpec { name, ..tiny_run(2, 2) });
        mesh.run_for(500);
        mesh.join(1, &run);
        mesh.finish(&run, &[0, 1], 60_000);
    }
    mesh.run_for(60_000);
    assert!(mesh.node(0).graph().len() > 8);
    assert_eq!((mesh.node(0).graph().dropped(), mesh.node(1).graph().dropped()), (0, 0));
}

#[test]
fn a_damaged_record_of_what_was_dropped_is_found_at_the_start() {
    let mut mesh = running(205, 5);
    pay_around(&mut mesh, &[0, 1, 2, 3], 40);
    mesh.run_for(30_000);
    mesh.crash(1);
    let good = mesh.members[1].store.clone();
    let records: Vec<String> =
        good.meta.keys().filter(|name| name.starts_with("pruned/")).cloned().collect();
    assert!(!records.is_empty());
    let mut refused = 0;
    for at in 0..good.meta[&records[0]].len() {
        if at % 997 == 0 {
            let mut store = good.clone();
            store.meta.get_mut(&records[0]).unwrap()[at] ^= 1;
            mesh.members[1].store = store;
            refused += usize::from(mesh.make(1, Vec::new()).is_err());
        }
    }
    assert!(refused > 0, "most bytes matter");
    mesh.members[1].store = good.clone();
    mesh.members[1].store.meta.remove(&records[0]);
    let error = mesh.make(1, Vec::new()).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), "store-damaged");
    mesh.members[1].store = good;
    mesh.start(1);
    assert_agree(&mut mesh, &[0, 1, 2, 3, 4]);
}
