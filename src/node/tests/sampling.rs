//! Members of a network that samples decide, through silence, lies and restarts.

use std::collections::BTreeSet;

use super::mesh::{Crash, Mesh};
use super::stranger::Stranger;
use crate::consensus::Finality;
use crate::dag::operation::name_key;
use crate::dag::vote::{ConflictKey, Decision, ItemId};
use crate::effect::{Command, Intention};
use crate::event::{Event, FinalisedView, ItemState, ItemView, NameView, Problem, Reply, Status};
use crate::genesis::Engine;
use crate::ledger::{Label, Operation};
use crate::limits;
use crate::message::{Ballots, Polls, Refusal, Request, Response};
use crate::node::sampled::Stored;
use crate::sampling::{Answer, Config, PollId, Question};
use crate::units::MicroCredits;

fn start_all(mesh: &mut Mesh) {
    for member in 0..mesh.members.len() {
        mesh.start(member);
    }
    mesh.run_for(10_000);
}

fn running(seed: u64, members: usize) -> Mesh {
    let mut mesh = Mesh::sampling(seed, members, &vec![1; members]);
    start_all(&mut mesh);
    mesh
}

fn operate(mesh: &mut Mesh, member: usize, wish: Intention) -> Result<ItemView, Problem> {
    match mesh.ask(member, Command::Operate(wish))? {
        Reply::Item(view) => Ok(view),
        other => panic!("{other:?}"),
    }
}

fn register(label: &str) -> Intention {
    Intention::RegisterName { label: label.to_owned(), addresses: Vec::new() }
}

fn name(mesh: &mut Mesh, member: usize, label: &str) -> NameView {
    match mesh.ask(member, Command::Name { label: label.to_owned() }) {
        Ok(Reply::Name(view)) => view,
        other => panic!("{other:?}"),
    }
}

fn status(mesh: &mut Mesh, member: usize) -> Status {
    match mesh.ask(member, Command::Status) {
        Ok(Reply::Status(status)) => *status,
        other => panic!("{other:?}"),
    }
}

fn item(mesh: &mut Mesh, member: usize, id: &ItemId) -> ItemView {
    match mesh.ask(member, Command::Item { item: id.to_string() }) {
        Ok(Reply::Item(view)) => view,
        other => panic!("{other:?}"),
    }
}

fn finalised(mesh: &Mesh, member: usize) -> Vec<FinalisedView> {
    let events = mesh.members[member].events.iter();
    let finalised = events.filter_map(|event| match event {
        Event::Finalised(view) => Some(view.clone()),
        _ => None,
    });
    finalised.collect()
}

/// The key of the first owner of a name.
fn key(label: &str) -> ConflictKey {
    name_key(&Label::new(label).unwrap(), 1)
}

fn decided(mesh: &Mesh, member: usize, label: &str) -> Option<ItemId> {
    mesh.node(member).deciding.engine.decided(&key(label))
}

/// Two members register one name at the same moment, so that about half of all see either first.
fn contest(mesh: &mut Mesh, rivals: [usize; 2], label: &str) {
    for rival in rivals {
        mesh.command(rival, Command::Operate(register(label)));
    }
}

/// Runs until these have decided about a name; what they decided, and the milliseconds it took.
fn reach(mesh: &mut Mesh, members: &[usize], label: &str, ms: u64) -> (BTreeSet<ItemId>, u64) {
    let start_ms = mesh.now_ms;
    let all = |mesh: &Mesh| members.iter().all(|member| decided(mesh, *member, label).is_some());
    let done = mesh.run_until(ms, all);
    let found: Vec<_> = members.iter().map(|member| decided(mesh, *member, label)).collect();
    assert!(done, "{found:?} after {ms} ms");
    (found.into_iter().flatten().collect(), mesh.now_ms - start_ms)
}

#[test]
fn a_contested_name_is_decided_one_way_everywhere() {
    for seed in 1..4 {
        // The last one is no member: it asks, and nobody asks it.
        let mut mesh = Mesh::sampling(seed, 6, &[1; 5]);
        start_all(&mut mesh);
        let all: Vec<usize> = (0..6).collect();
        assert_eq!(status(&mut mesh, 0).finality.state, Finality::Sampled);
        contest(&mut mesh, [1, 3], "mesh");
        let (winners, ms) = reach(&mut mesh, &all, "mesh", 20_000);
        eprintln!("decided in {ms} ms");
        assert_eq!(winners.len(), 1, "seed {seed}: {winners:?}");
        let winner = winners.into_iter().next().unwrap();
        let owner = item(&mut mesh, 0, &winner).author;
        for member in all {
            let told = finalised(&mesh, member);
            assert_eq!(told.iter().map(|view| view.item).collect::<Vec<_>>(), [winner]);
            assert_eq!(item(&mut mesh, member, &winner).state, ItemState::Final);
            let view = name(&mut mesh, member, "mesh.dark");
            assert_eq!(view.held.map(|name| name.owner), Some(owner));
            let finality = status(&mut mesh, member).finality;
            assert_eq!(finality.engine, Some(Engine::QrAvalanche));
            assert_eq!((finality.decided, finality.pending, finality.finalised), (1, 0, 1));
            assert_eq!((finality.members, finality.quorum, finality.height), (5, 4, 0));
            assert!(finality.sampling.unwrap().polls >= 20);
            let counters = status(&mut mesh, member).counters;
            let bad = ["poll-forged", "poll-stranger", "poll-rate", "peer-useless-answer"];
            assert!(bad.iter().all(|code| !counters.contains_key(code)), "{counters:?}");
        }
        assert!(!mesh.asked.keys().any(|(asker, _)| *asker > 5));
    }
}

#[test]
fn a_name_changes_hands_and_only_its_owner_changes_it() {
    let mut mesh = running(1, 5);
    let all: Vec<usize> = (0..5).collect();
    operate(&mut mesh, 1, register("mesh")).unwrap();
    reach(&mut mesh, &all, "mesh", 20_000);
    let taken = operate(&mut mesh, 2, register("mesh")).unwrap_err();
    assert_eq!(taken.code, "name-taken");
    let label = || "mesh".to_owned();
    let update = || Intention::UpdateName { label: label(), addresses: vec!["/ip4/1".to_owned()] };
    assert_eq!(operate(&mut mesh, 2, update()).unwrap_err().code, "name-foreign");
    operate(&mut mesh, 1, update()).unwrap();
    // What waits for a decision is not built on, and not contradicted.
    assert_eq!(operate(&mut mesh, 1, update()).unwrap_err().code, "name-pending");
    let holds = |mesh: &mut Mesh, version: u64| {
        let reached = |mesh: &Mesh| {
            (0..5).all(|member| {
                let names = mesh.node(member).deciding.engine.ledger();
                let held = names.name(&Label::new("mesh").unwrap());
                held.is_some_and(|name| name.version == version)
            })
        };
        assert!(mesh.run_until(20_000, reached), "version {version}");
    };
    holds(&mut mesh, 2);
    let to = mesh.members[4].secrets.author();
    operate(&mut mesh, 1, Intention::TransferName { label: label(), to }).unwrap();
    holds(&mut mesh, 3);
    assert_eq!(operate(&mut mesh, 1, update()).unwrap_err().code, "name-foreign");
    assert!(name(&mut mesh, 4, "mesh").mine);
    let renewed = operate(&mut mesh, 4, Intention::RenewName { label: label() }).unwrap_err();
    assert_eq!(renewed.code, "sampling-no-expiry");
    let committed = operate(&mut mesh, 4, Intention::CommitName { label: "free".to_owned() });
    assert_eq!(committed.unwrap_err().code, "sampling-no-commitment");
}

#[test]
fn what_has_value_is_refused_with_the_reason() {
    let mut mesh = running(1, 4);
    let to = mesh.members[2].secrets.author();
    let pay = Intention::Pay { to, amount: MicroCredits(1), memo: String::new() };
    let members = mesh.genesis.as_ref().unwrap().committee.clone();
    let view = operate(&mut mesh, 1, register("mesh")).unwrap();
    reach(&mut mesh, &[0, 1, 2, 3], "mesh", 20_000);
    let rows = [
        (Command::Operate(pay), "sampling-no-value"),
        (Command::Wallet { account: None }, "sampling-no-value"),
        (Command::WalletHistory { account: None, from: 0, count_max: 10 }, "sampling-no-value"),
        (Command::ProposeCommittee { members }, "sampling-members-fixed"),
        (Command::Prove { item: view.item.to_string() }, "sampling-no-proof"),
    ];
    for (command, code) in rows {
        let refused = mesh.ask(1, command.clone()).unwrap_err();
        assert_eq!(refused.code, code, "{command:?}");
        assert!(!refused.hint.is_empty());
    }
}

/// Who writes a payment all the same has written something that nobody looks at.
#[test]
fn nobody_polls_about_payments() {
    let mut mesh = running(2, 4);
    let mut stranger = Stranger::new(9, mesh.network());
    stranger.greet(&mut mesh, 0);
    let operation = Operation::Transfer {
        sequence: 0,
        to: mesh.members[2].secrets.author(),
        amount: MicroCredits(1),
        memo: String::new(),
    };
    let vertex = stranger.paying(operation);
    let id = ItemId(vertex.id(), 0);
    stranger.gossip(&mut mesh, 0, &vertex.encode());
    mesh.run_for(5_000);
    for member in 0..4 {
        assert_eq!(item(&mut mesh, member, &id).state, ItemState::Free);
        assert_eq!(status(&mut mesh, member).finality.pending, 0);
    }
    assert!(!mesh.asked.keys().any(|(_, kind)| *kind == "polls"));
}

#[test]
fn a_silent_fifth_slows_down_and_two_fifths_are_a_loss_that_is_said() {
    let mut mesh = running(3, 5);
    mesh.crash(4);
    contest(&mut mesh, [1, 3], "mesh");
    let (winners, ms) = reach(&mut mesh, &[0, 1, 2, 3], "mesh", 120_000);
    eprintln!("decided in {ms} ms with a silent fifth");
    assert_eq!(winners.len(), 1);
    mesh.crash(3);
    operate(&mut mesh, 1, register("other")).unwrap();
    mesh.run_for(30_000);
    for member in 0..3 {
        assert_eq!(decided(&mesh, member, "other"), None, "control");
        assert_eq!(status(&mut mesh, member).finality.state, Finality::NoQuorum);
        let warned = |event: &Event| matches!(event, Event::Warning(p) if p.code == "no-polls");
        assert!(mesh.members[member].events.iter().any(warned));
    }
    // Polls that must fail are not made.
    let asked = |mesh: &Mesh| -> usize {
        mesh.asked.iter().filter(|((_, kind), _)| *kind == "polls").map(|(_, count)| count).sum()
    };
    let before = asked(&mesh);
    mesh.run_for(10_000);
    assert_eq!(asked(&mesh), before);
    mesh.start(3);
    mesh.start(4);
    let (winners, ms) = reach(&mut mesh, &[0, 1, 2, 3, 4], "other", 60_000);
    eprintln!("finality was back in {ms} ms");
    assert_eq!(winners.len(), 1);
    mesh.run_for(10_000);
    for member in 0..5 {
        assert_eq!(status(&mut mesh, member).finality.state, Finality::Sampled);
    }
}

/// Two of four honest members register one name; a fifth, with a tenth of the weight, tells each of
/// them that it is right. What the four decided.
fn flattered(seed: u64, config: Config) -> BTreeSet<ItemId> {
    let mut mesh = Mesh::sampling(seed, 5, &[9, 9, 9, 9, 4]);
    start_all(&mut mesh);
    for member in 0..5 {
        let node = mesh.members[member].node.as_mut().unwrap();
        node.deciding.engine.sampled_mut().unwrap().engine.set_config(config);
    }
    mesh.faults.flatterer = Some(4);
    contest(&mut mesh, [1, 3], "mesh");
    let (winners, ms) = reach(&mut mesh, &[0, 1, 2, 3], "mesh", 60_000);
    eprintln!("seed {seed}: {} decided in {ms} ms", winners.len());
    winners
}

#[test]
fn a_member_that_tells_everybody_what_they_want_to_hear_splits_nobody() {
    for seed in 1..6 {
        assert_eq!(flattered(seed, Config::default()).len(), 1, "seed {seed}");
    }
    // Control: who decides after one poll of one seat is split at once.
    let (k, alpha, beta) = (1, 1, 1);
    let hasty = Config {
        k,
        alpha_preference: alpha,
        alpha_confidence: alpha,
        beta,
        concurrent: 1,
        ..Config::default()
    };
    let split = (1..6).filter(|seed| flattered(*seed, hasty).len() > 1).count();
    eprintln!("{split} of 5 split");
    assert!(split > 0, "the check above finds nothing");
}

#[test]
fn a_member_that_crashes_at_any_write_never_decides_otherwise() {
    let mut crashes = 0;
    for write in 1..5 {
        for crash in [Crash::BeforeWrite, Crash::BeforeAnswer, Crash::AfterAnswer] {
            let mut mesh = running(write, 5);
            let writes = mesh.members[0].store.writes;
            mesh.members[0].store.crash = Some((writes + write, crash));
            contest(&mut mesh, [1, 3], "mesh");
            mesh.run_until(3_000, |mesh| mesh.members[0].node.is_none());
            let told = finalised(&mesh, 0);
            if mesh.members[0].node.is_none() {
                crashes += 1;
                mesh.run_for(300);
                mesh.start(0);
            }
            let (winners, _) = reach(&mut mesh, &[0, 1, 2, 3, 4], "mesh", 60_000);
            assert_eq!(winners.len(), 1, "write {write}, {crash:?}");
            assert!(told.iter().all(|view| winners.contains(&view.item)));
        }
    }
    eprintln!("{crashes} crashes");
    assert!(crashes > 4);
}

#[test]
fn decisions_and_preferences_outlive_a_restart() {
    let mut mesh = running(5, 5);
    contest(&mut mesh, [1, 3], "mesh");
    let (winners, _) = reach(&mut mesh, &[0, 1, 2, 3, 4], "mesh", 20_000);
    let winner = winners.into_iter().next().unwrap();
    for member in 0..5 {
        mesh.crash(member);
    }
    // Alone it cannot poll; what it knows it knows from its store.
    mesh.start(0);
    mesh.run_for(1_000);
    assert_eq!(decided(&mesh, 0, "mesh"), Some(winner));
    assert_eq!(item(&mut mesh, 0, &winner).state, ItemState::Final);
    assert!(name(&mut mesh, 0, "mesh").held.is_some());
    // Control: without its notes it does not know.
    mesh.crash(0);
    mesh.members[0].store.meta.retain(|name, _| !name.starts_with("sampled:"));
    mesh.start(0);
    mesh.run_for(1_000);
    assert_eq!(decided(&mesh, 0, "mesh"), None);
    assert_eq!(item(&mut mesh, 0, &winner).state, ItemState::Pending);
    let engine = |mesh: &Mesh| {
        let engine = &mesh.node(0).deciding.engine.sampled().unwrap().engine;
        engine.preference(&key("mesh")).unwrap()
    };
    // The one that it did not see first, by its notes: it goes on with that.
    let first = engine(&mesh);
    let items: BTreeSet<ItemId> = mesh
        .node(0)
        .graph()
        .iter()
        .flat_map(|signed| {
            let items = crate::consensus::Record::of(signed).items;
            items.into_iter().map(|item| item.id).collect::<Vec<_>>()
        })
        .collect();
    let other = *items.iter().find(|id| **id != first).expect("two were written");
    mesh.crash(0);
    let stored = Stored { decided: false, decision: Decision(key("mesh"), other) };
    let (name, bytes) = stored.encode();
    assert!(mesh.members[0].store.meta.insert(name, bytes).is_some(), "preferences are stored");
    mesh.start(0);
    mesh.run_for(1_000);
    assert_eq!(engine(&mesh), other);
}

fn question(number: u8) -> Question {
    Question { poll: PollId::from_bytes([number; 16]), key: key("mesh") }
}

fn polls(questions: &[Question]) -> Request {
    let questions = questions.iter().map(|question| question.encode().into());
    Request::Polls(Polls { questions: questions.collect() })
}

#[test]
fn questions_are_answered_with_signatures_for_the_asker_and_not_too_many() {
    let mut mesh = Mesh::sampling(6, 5, &[1; 4]);
    start_all(&mut mesh);
    operate(&mut mesh, 1, register("mesh")).unwrap();
    let (winners, _) = reach(&mut mesh, &[0, 1, 2, 3, 4], "mesh", 20_000);
    let mut stranger = Stranger::new(9, mesh.network());
    stranger.connect(&mut mesh, 0);
    let early = stranger.refusal(&mut mesh, 0, &polls(&[question(1)]));
    assert_eq!(early, Refusal::Identity, "hello comes first");
    stranger.greet(&mut mesh, 1);
    let asked = [question(1), question(2)];
    let answers = match stranger.request(&mut mesh, 1, &polls(&asked)) {
        Some(Response::Ballots(Ballots { answers })) => answers,
        other => panic!("{other:?}"),
    };
    let public = mesh.members[1].secrets.signing_key().public().clone();
    for (question, bytes) in asked.iter().zip(&answers) {
        let answer = Answer::decode(bytes).unwrap();
        assert_eq!((answer.ballot.poll, answer.ballot.key), (question.poll, question.key));
        assert_eq!(answer.ballot.preference, winners.first().copied());
        answer.verify(&mesh.network(), &stranger.author(), &public).unwrap();
        let other = mesh.members[0].secrets.author();
        assert!(answer.verify(&mesh.network(), &other, &public).is_err(), "control");
    }
    assert_eq!(answers.len(), 2);
    let garbage = Request::Polls(Polls { questions: vec![vec![1, 2, 3].into()] });
    assert_eq!(stranger.refusal(&mut mesh, 1, &garbage), Refusal::Malformed);
    // Who is no member has no say.
    stranger.greet(&mut mesh, 4);
    assert_eq!(stranger.refusal(&mut mesh, 4, &polls(&asked)), Refusal::Unknown);
    let many = vec![question(3); limits::POLL_QUESTIONS_MAX];
    let full = usize::try_from(limits::POLL_QUESTIONS_BURST).unwrap() / many.len() + 1;
    for _ in 0..full {
        stranger.request(&mut mesh, 1, &polls(&many));
    }
    assert_eq!(stranger.refusal(&mut mesh, 1, &polls(&many)), Refusal::Busy);
    // Where quorums decide, nobody is asked.
    let mut mesh = Mesh::deciding(1, 4, &[1; 4]);
    start_all(&mut mesh);
    let mut stranger = Stranger::new(9, mesh.network());
    stranger.greet(&mut mesh, 0);
    assert_eq!(stranger.refusal(&mut mesh, 0, &polls(&asked)), Refusal::Unknown);
}
