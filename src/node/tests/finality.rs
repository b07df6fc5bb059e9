//! Members of a committee decide, through silence, restarts and lost quorums.

use std::collections::{BTreeMap, BTreeSet};

use super::mesh::{Crash, Mesh};
use crate::clock::Now;
use crate::consensus::{self, Finality, Record, verify_proof};
use crate::dag::vote::{Decision, ItemId, Vote};
use crate::dag::{Payload, SignedVertex, VertexId};
use crate::effect::Command;
use crate::event::{
    CommitteeView, Event, FinalisedView, ItemState, ItemView, Problem, Reply, Status,
};
use crate::genesis::Genesis;
use crate::identity::AuthorId;
use crate::limits;
use crate::node::deciding::Deciding;
use crate::rng::Rng;

type Seats = Vec<(AuthorId, u32)>;

/// All members, the first of them with this weight.
fn seats(mesh: &Mesh, weight: u32) -> Seats {
    let authors = mesh.members.iter().map(|member| member.secrets.author());
    authors.zip(std::iter::once(weight).chain(std::iter::repeat(1))).collect()
}

fn start_all(mesh: &mut Mesh) {
    for member in 0..mesh.members.len() {
        mesh.start(member);
    }
    mesh.run_for(10_000);
}

fn propose(mesh: &mut Mesh, member: usize, weight: u32) -> ItemView {
    let members = seats(mesh, weight);
    match mesh.ask(member, Command::ProposeCommittee { members }) {
        Ok(Reply::Item(view)) => view,
        other => panic!("{other:?}"),
    }
}

fn status(mesh: &mut Mesh, member: usize) -> Status {
    match mesh.ask(member, Command::Status) {
        Ok(Reply::Status(status)) => *status,
        other => panic!("{other:?}"),
    }
}

fn committee(mesh: &mut Mesh, member: usize) -> CommitteeView {
    match mesh.ask(member, Command::Committee) {
        Ok(Reply::Committee(view)) => view,
        other => panic!("{other:?}"),
    }
}

fn item(mesh: &mut Mesh, member: usize, id: &ItemId) -> ItemView {
    match mesh.ask(member, Command::Item { item: id.to_string() }) {
        Ok(Reply::Item(view)) => view,
        other => panic!("{other:?}"),
    }
}

fn finalised(mesh: &mut Mesh, member: usize) -> Vec<FinalisedView> {
    match mesh.ask(member, Command::Finalised { from: 0, count_max: usize::MAX }) {
        Ok(Reply::Finalised(page)) => page.items,
        other => panic!("{other:?}"),
    }
}

fn epoch(mesh: &Mesh, member: usize) -> u64 {
    mesh.node(member).deciding.engine.quorum().unwrap().epoch()
}

fn in_epoch(mesh: &Mesh, members: &[usize], wanted: u64) -> bool {
    members.iter().all(|member| epoch(mesh, *member) == wanted)
}

/// Lets members go on until all of these are in an epoch; the milliseconds it took.
fn reach(mesh: &mut Mesh, members: &[usize], wanted: u64, ms: u64) -> u64 {
    let start_ms = mesh.now_ms;
    let done = mesh.run_until(ms, |mesh| in_epoch(mesh, members, wanted));
    let epochs: Vec<u64> = members.iter().map(|member| epoch(mesh, *member)).collect();
    assert!(done, "epochs {epochs:?} after {ms} ms");
    mesh.now_ms - start_ms
}

/// The one item that is final at all of these members.
fn decided(mesh: &mut Mesh, members: &[usize], number: usize) -> ItemId {
    let items: BTreeSet<ItemId> =
        members.iter().map(|member| finalised(mesh, *member)[number].item).collect();
    assert_eq!(items.len(), 1, "members decided differently: {items:?}");
    items.into_iter().next().unwrap()
}

#[test]
fn four_and_seven_members_decide_the_next_committee() {
    for (count, weights) in [(4, vec![1; 4]), (7, vec![1; 7]), (5, vec![1; 4])] {
        let mut mesh = Mesh::deciding(1, count, &weights);
        start_all(&mut mesh);
        let all: Vec<usize> = (0..count).collect();
        for member in 0..weights.len() {
            assert_eq!(status(&mut mesh, member).finality.state, Finality::Quorum);
            let view = propose(&mut mesh, member, 2);
            assert_ne!(view.state, ItemState::Rejected);
        }
        let ms = reach(&mut mesh, &all, 1, 20_000);
        eprintln!("{} members of {count} turned the epoch in {ms} ms", weights.len());
        let id = decided(&mut mesh, &all, 0);
        for member in all {
            let view = item(&mut mesh, member, &id);
            assert_eq!(
                (view.state, view.kind, view.height),
                (ItemState::Final, "committee", Some(1))
            );
            let finality = status(&mut mesh, member).finality;
            assert_eq!((finality.epoch, finality.members), (1, count));
            assert_eq!((finality.decided, finality.pending, finality.height), (1, 0, 1));
            let events = &mesh.members[member].events;
            let is_final = |event: &&Event| matches!(event, Event::Finalised(v) if v.item == id);
            assert_eq!(events.iter().filter(is_final).count(), 1, "member {member}");
            assert!(events.contains(&Event::Epoch { epoch: 1, members: count }));
        }
    }
}

/// Votes are many in a large committee, and nobody takes them for a flood.
#[test]
fn thirty_one_members_decide_and_nobody_is_slowed_down() {
    let mut mesh = Mesh::deciding(11, 31, &[1; 31]);
    start_all(&mut mesh);
    let all: Vec<usize> = (0..31).collect();
    for turn in 1..3 {
        let weight = u32::try_from(turn).unwrap() + 1;
        for member in &all {
            let members = seats(&mesh, weight);
            mesh.command(*member, Command::ProposeCommittee { members });
        }
        let ms = reach(&mut mesh, &all, turn, 60_000);
        eprintln!("31 members turned epoch {turn} in {ms} ms");
    }
    decided(&mut mesh, &all, 1);
    assert_consistent(&mesh).unwrap();
    for member in all {
        let counters = status(&mut mesh, member).counters;
        let slowed = ["gossip-author-rate", "peer-gossip-flood", "answer-author-rate"];
        assert!(slowed.iter().all(|code| !counters.contains_key(code)), "{counters:?}");
        let lost = Event::Finality(Finality::NoQuorum);
        assert!(!mesh.members[member].events.contains(&lost));
    }
}

/// Everybody wants two different committees, half of them one first: one of them is decided, the
/// same one everywhere, and the other is out for good.
#[test]
fn of_two_next_committees_one_is_decided_everywhere() {
    for seed in 1..4 {
        let mut mesh = Mesh::deciding(seed, 6, &[1; 6]);
        start_all(&mut mesh);
        let mut items = Vec::new();
        for weight in [2, 3] {
            for member in 0..6 {
                let weight = if member < 3 { weight } else { 5 - weight };
                items.push(propose(&mut mesh, member, weight).item);
            }
        }
        let all: Vec<usize> = (0..6).collect();
        reach(&mut mesh, &all, 1, 20_000);
        let id = decided(&mut mesh, &all, 0);
        assert!(items.contains(&id), "what is decided was proposed");
        for member in all {
            let rejected = items.iter().filter(|other| **other != id);
            for other in rejected {
                assert_eq!(item(&mut mesh, member, other).state, ItemState::Rejected);
            }
        }
        assert_consistent(&mesh).unwrap();
    }
}

#[test]
fn a_silent_member_holds_nothing_up() {
    for silent in [3, 0] {
        let mut mesh = Mesh::deciding(2, 4, &[1; 4]);
        let awake: Vec<usize> = (0..4).filter(|member| *member != silent).collect();
        for member in &awake {
            let bootstrap = vec![mesh.address(awake[0])];
            mesh.start_with(*member, bootstrap);
        }
        mesh.run_for(10_000);
        for member in &awake {
            propose(&mut mesh, *member, 2);
        }
        let ms = reach(&mut mesh, &awake, 1, 20_000);
        eprintln!("without member {silent} the epoch turned in {ms} ms");
        // Who comes late has it, too, and is told nothing else.
        let bootstrap = vec![mesh.address(awake[0])];
        mesh.start_with(silent, bootstrap);
        reach(&mut mesh, &[silent], 1, 20_000);
        decided(&mut mesh, &[0, 1, 2, 3], 0);
    }
    // Control: nobody decides without a quorum.
    let mut mesh = Mesh::deciding(2, 4, &[1; 4]);
    mesh.start(0);
    mesh.start(1);
    mesh.run_for(10_000);
    for member in [0, 1] {
        propose(&mut mesh, member, 2);
    }
    mesh.run_for(60_000);
    assert!(in_epoch(&mesh, &[0, 1], 0));
}

/// All four want the same committee, and two of them fall over before anything is decided.
fn half_away(seed: u64) -> Mesh {
    let mut mesh = Mesh::deciding(seed, 4, &[1; 4]);
    start_all(&mut mesh);
    let members = seats(&mesh, 2);
    for member in 0..4 {
        mesh.command(member, Command::ProposeCommittee { members: members.clone() });
    }
    let knows = |mesh: &Mesh, member: usize| {
        let wishes = &mesh.node(member).deciding.wishes;
        wishes.values().any(|by| by.len() == 4)
    };
    for _ in 0..100 {
        if knows(&mesh, 0) && knows(&mesh, 1) {
            break;
        }
        mesh.run_for(1);
    }
    assert!(in_epoch(&mesh, &[0, 1, 2, 3], 0), "it was decided too soon for this test");
    mesh.crash(2);
    mesh.crash(3);
    mesh
}

#[test]
fn lost_finality_is_said_and_so_is_its_return() {
    let mut mesh = half_away(3);
    mesh.run_for(20_000);
    for member in [0, 1] {
        let finality = status(&mut mesh, member).finality;
        assert_eq!((finality.state, finality.pending), (Finality::NoQuorum, 1));
        let events = &mesh.members[member].events;
        let warned = |event: &Event| matches!(event, Event::Warning(p) if p.code == "no-quorum");
        assert!(events.contains(&Event::Finality(Finality::NoQuorum)));
        assert!(events.iter().any(warned));
        assert!(finalised(&mut mesh, member).is_empty(), "half of the weight decides nothing");
        let away = committee(&mut mesh, member).members;
        let away: Vec<usize> = (0..4)
            .filter(|at| {
                let author = mesh.members[*at].secrets.author();
                away.iter().any(|seat| seat.author == author && !seat.connected)
            })
            .collect();
        assert_eq!(away, [2, 3]);
    }
    mesh.start(2);
    let ms = reach(&mut mesh, &[0, 1, 2], 1, 60_000);
    eprintln!("finality was back {ms} ms after one member was");
    for member in [0, 1] {
        assert_eq!(status(&mut mesh, member).finality.state, Finality::Quorum);
        let last = mesh.members[member].events.iter().rev().find_map(|event| match event {
            Event::Finality(state) => Some(*state),
            _ => None,
        });
        assert_eq!(last, Some(Finality::Quorum));
    }
    mesh.start(3);
    reach(&mut mesh, &[0, 1, 2, 3], 1, 20_000);
    decided(&mut mesh, &[0, 1, 2, 3], 0);
    assert_consistent(&mesh).unwrap();
}

/// One member's wish for another committee made all of them say that the others were out of reach,
/// for as long as nobody else wanted it.
#[test]
fn a_wish_that_nobody_shares_is_no_loss_of_finality() {
    let mut mesh = Mesh::deciding(4, 4, &[1; 4]);
    start_all(&mut mesh);
    propose(&mut mesh, 1, 2);
    mesh.run_for(60_000);
    for member in 0..4 {
        let finality = status(&mut mesh, member).finality;
        assert_eq!((finality.state, finality.pending), (Finality::Quorum, 0));
        let wishes = committee(&mut mesh, member).wishes;
        assert_eq!(wishes.iter().map(|wish| wish.weight).collect::<Vec<_>>(), [1]);
    }
    // When the others share it, it has not waited for their votes before.
    for member in [0, 2, 3] {
        propose(&mut mesh, member, 2);
    }
    reach(&mut mesh, &[0, 1, 2, 3], 1, 20_000);
    let lost = |event: &Event| *event == Event::Finality(Finality::NoQuorum);
    assert!(!mesh.members.iter().any(|member| member.events.iter().any(lost)));
}

/// A node that only watched was called every few milliseconds for as long as something waited.
#[test]
fn nobody_is_kept_awake_by_what_cannot_be_decided() {
    let mut alone = Mesh::deciding(12, 5, &[1; 4]);
    start_all(&mut alone);
    propose(&mut alone, 1, 2);
    for (mut mesh, running) in [(alone, vec![0, 1, 2, 3, 4]), (half_away(12), vec![0, 1])] {
        mesh.run_for(30_000);
        let before: Vec<u64> = running.iter().map(|at| mesh.members[*at].effects).collect();
        mesh.run_for(60_000);
        for (member, before) in running.into_iter().zip(before) {
            assert!(!mesh.node(member).deciding.wishes.is_empty(), "it was decided");
            let effects = mesh.members[member].effects - before;
            assert!(effects < 600, "member {member}: {effects} effects in a minute");
        }
    }
}

#[test]
fn a_network_without_genesis_says_that_nothing_is_final() {
    let mut mesh = Mesh::running(5, 4);
    for member in 0..4 {
        let finality = status(&mut mesh, member).finality;
        assert_eq!((finality.state, finality.members), (Finality::CausalOnly, 0));
        let members = seats(&mesh, 2);
        for command in [Command::Committee, Command::ProposeCommittee { members }] {
            let problem = mesh.ask(member, command).unwrap_err();
            assert_eq!(problem.code, "no-committee");
        }
        assert!(finalised(&mut mesh, member).is_empty());
    }
    assert!(votes(&mesh).is_empty());
}

#[test]
fn a_genesis_of_another_network_is_refused() {
    let mut mesh = Mesh::deciding(6, 4, &[1; 4]);
    mesh.start(0);
    let other = Mesh::deciding(7, 4, &[1; 4]).genesis;
    let own = std::mem::replace(&mut mesh.genesis, other);
    let refused = mesh.make(1, Vec::new()).unwrap_err();
    assert_eq!(refused.code(), "genesis-foreign", "{refused}");
    mesh.genesis = own;
    assert!(mesh.make(1, Vec::new()).is_ok());
}

#[test]
fn only_members_can_ask_for_another_committee_and_only_for_one_that_can_be() {
    let mut mesh = Mesh::deciding(8, 5, &[1; 4]);
    start_all(&mut mesh);
    let all = seats(&mesh, 1);
    let refused = |mesh: &mut Mesh, member, members| -> Problem {
        mesh.ask(member, Command::ProposeCommittee { members }).unwrap_err()
    };
    assert_eq!(refused(&mut mesh, 4, all.clone()).code, "not-a-member");
    assert_eq!(refused(&mut mesh, 0, all[..3].to_vec()).code, "committee-invalid");
    let twice = [all.clone(), all[..1].to_vec()].concat();
    assert_eq!(refused(&mut mesh, 0, twice).code, "committee-invalid");
    for (text, code) in [("nonsense", "item-malformed"), ("bafy/x", "item-malformed")] {
        let problem = mesh.ask(0, Command::Item { item: text.to_owned() }).unwrap_err();
        assert_eq!(problem.code, code);
    }
    let unknown = VertexId::of(b"nothing").to_string();
    let problem = mesh.ask(0, Command::Item { item: unknown }).unwrap_err();
    assert_eq!(problem.code, "item-unknown");
}

#[test]
fn a_decision_can_be_proven_to_who_knows_the_network_alone() {
    let mut mesh = Mesh::deciding(9, 5, &[1; 4]);
    start_all(&mut mesh);
    let genesis = mesh.genesis.clone().unwrap();
    for turn in 1..3_u64 {
        let weight = u32::try_from(turn).unwrap() + 1;
        for member in 0..4 {
            propose(&mut mesh, member, weight);
        }
        reach(&mut mesh, &[0, 1, 2, 3, 4], turn, 20_000);
    }
    mesh.run_for(1_000);
    let items: Vec<ItemId> = finalised(&mut mesh, 0).iter().map(|view| view.item).collect();
    assert_eq!(items.len(), 2);
    for (height, id) in (1..).zip(&items) {
        // Whoever has the history can make one, members or not.
        for member in [0, 4] {
            let bytes = match mesh.ask(member, Command::Prove { item: id.to_string() }) {
                Ok(Reply::Proof(bytes)) => bytes,
                other => panic!("{other:?}"),
            };
            let (Decision(_, proven), checkpoint) =
                verify_proof(&genesis.trust(0).unwrap(), &bytes).unwrap();
            assert_eq!((proven, checkpoint.height >= height), (*id, true));
            // Controls: another beginning, and one changed byte.
            let other = Genesis { nonce: [8; 32], ..genesis.clone() };
            assert!(verify_proof(&other.trust(0).unwrap(), &bytes).is_err());
            let mut changed = bytes.clone();
            let last = changed.len() - 1;
            changed[last] ^= 1;
            assert!(verify_proof(&genesis.trust(0).unwrap(), &changed).is_err());
        }
    }
    let vertex = mesh.node(0).graph().iter().next().unwrap().id().to_string();
    let problem = mesh.ask(0, Command::Prove { item: vertex }).unwrap_err();
    assert_eq!(problem.code, "not-final");
}

/// What one member said, one statement after the other, in the order of its chain.
type Said = BTreeMap<AuthorId, Vec<(u64, Vote)>>;

fn votes(mesh: &Mesh) -> Said {
    let mut vertices: BTreeMap<VertexId, SignedVertex> = BTreeMap::new();
    for bytes in mesh.members.iter().flat_map(|member| member.store.vertices.values()) {
        let signed = SignedVertex::decode(bytes).unwrap();
        vertices.insert(signed.id(), signed);
    }
    let mut sorted: Vec<&SignedVertex> = vertices.values().collect();
    sorted.sort_by_key(|signed| (signed.vertex().author, signed.vertex().seq));
    let mut said = Said::new();
    for signed in sorted {
        for payload in &signed.vertex().payloads {
            if let Payload::Votes(votes) = payload {
                let votes_of = votes.votes.iter().map(|vote| (votes.epoch, vote.clone()));
                said.entry(signed.vertex().author).or_default().extend(votes_of);
            }
        }
    }
    said
}

/// The rules F1 to F4 and S1 to S3 of `docs/finality.md`, read off what members have written: each
/// statement is made once, none against an earlier one.
fn assert_consistent(mesh: &Mesh) -> Result<(), String> {
    for (author, said) in votes(mesh) {
        let (mut once, mut reported, mut views) =
            (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        for (epoch, vote) in said {
            let (about, fits) = match &vote {
                Vote::Lock(Decision(key, _)) => {
                    (format!("lock {key:?}"), !reported.contains(&(epoch, *key)))
                }
                Vote::Commit(Decision(key, _)) => {
                    (format!("commit {key:?}"), !reported.contains(&(epoch, *key)))
                }
                Vote::Contested(key, _) => {
                    (format!("report {key:?}"), reported.insert((epoch, *key)))
                }
                Vote::Propose(view, block) => (format!("propose {} {view}", block.slot), true),
                Vote::Enter(slot, view, _) => {
                    let before = views.insert((epoch, *slot), *view);
                    (format!("enter {slot} {view}"), before.is_none_or(|before| before < *view))
                }
                Vote::LockBlock(slot, view, _) => (
                    format!("lock {slot} {view}"),
                    views.get(&(epoch, *slot)).is_none_or(|entered| entered <= view),
                ),
                Vote::CommitBlock(slot, view, _) => (
                    format!("commit {slot} {view}"),
                    views.get(&(epoch, *slot)).is_none_or(|entered| entered <= view),
                ),
                Vote::Close(_) => ("close".to_owned(), true),
                Vote::Sign(height, _) => (format!("sign {height}"), true),
            };
            if !once.insert((epoch, about.clone())) || !fits {
                return Err(format!("{author} said {about} in epoch {epoch} against itself"));
            }
        }
    }
    Ok(())
}

/// A member crashes at a write, and comes back as `restart` makes it.
fn crash_and_return(write: u64, crash: Crash, restart: fn(&mut Mesh)) -> Mesh {
    let mut mesh = Mesh::deciding(write, 4, &[1; 4]);
    start_all(&mut mesh);
    let writes = mesh.members[0].store.writes;
    mesh.members[0].store.crash = Some((writes + write, crash));
    let members = seats(&mesh, 2);
    for member in 0..4 {
        mesh.command(member, Command::ProposeCommittee { members: members.clone() });
    }
    mesh.run_until(3_000, |mesh| mesh.members[0].node.is_none());
    if mesh.members[0].node.is_none() {
        restart(&mut mesh);
    }
    reach(&mut mesh, &[0, 1, 2, 3], 1, 60_000);
    mesh.run_for(2_000);
    mesh
}

#[test]
fn a_member_that_crashes_at_any_write_never_contradicts_itself() {
    let mut crashes = 0;
    for write in 1..14 {
        for crash in [Crash::BeforeWrite, Crash::BeforeAnswer, Crash::AfterAnswer] {
            let mut mesh = crash_and_return(write, crash, |mesh| {
                mesh.run_for(300);
                mesh.start(0);
            });
            crashes += u32::from(mesh.members[0].store.writes >= write);
            assert_consistent(&mesh).unwrap();
            decided(&mut mesh, &[0, 1, 2, 3], 0);
        }
    }
    eprintln!("{crashes} crashes");
}

/// Control of the test above: a member that forgets what it said, and nothing else, is caught.
#[test]
fn a_member_that_forgets_what_it_said_is_caught() {
    let forgets = |mesh: &mut Mesh| {
        mesh.run_for(300);
        mesh.start_with(0, Vec::new());
        let now: Now = mesh.now(0);
        let (network, genesis, me) =
            (mesh.network(), mesh.genesis.clone(), mesh.members[0].secrets.author());
        let node = mesh.members[0].node.as_mut().unwrap();
        let rng = &mut Rng::from_u64(1);
        let mut fresh = Deciding::new(genesis.as_ref(), network, me, rng, now).unwrap();
        for signed in node.graph.iter() {
            let mut record = Record::of(signed);
            if record.author == me {
                record.votes.clear();
            }
            fresh.engine.quorum_mut().unwrap().restore(&record, now);
        }
        node.deciding = fresh;
        for other in 1..4 {
            mesh.link(0, other);
        }
    };
    let caught = (1..14).filter(|write| {
        let mesh = crash_and_return(*write, Crash::BeforeAnswer, forgets);
        assert_consistent(&mesh).is_err()
    });
    let caught = caught.count();
    eprintln!("{caught} of 13 caught");
    assert!(caught > 0, "the check above finds nothing");
}

#[test]
fn when_nothing_waits_nobody_says_anything() {
    let mut mesh = Mesh::deciding(10, 4, &[1; 4]);
    start_all(&mut mesh);
    for member in 0..4 {
        propose(&mut mesh, member, 2);
    }
    reach(&mut mesh, &[0, 1, 2, 3], 1, 20_000);
    mesh.run_for(30_000);
    let said = votes(&mesh);
    let vertices = mesh.node(0).graph().len();
    let votes: usize = said.values().map(Vec::len).sum();
    eprintln!("{votes} votes in {vertices} vertices");
    assert_eq!(said.len(), 4);
    // Nothing waits, so nobody says anything more.
    let quiet = mesh.node(0).graph().len();
    mesh.run_for(60_000);
    assert_eq!(mesh.node(0).graph().len(), quiet);
    let config = consensus::Config::default();
    assert!(limits::FINALITY_LOOK_MS <= config.stalled_ms);
}
