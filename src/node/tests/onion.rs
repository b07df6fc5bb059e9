//! Anonymous questions between members: what each learns, and what is dropped.

use std::collections::BTreeSet;

use super::mesh::Mesh;
use crate::consensus::verify_proof;
use crate::crypto::kem::{DecapsulationKey, EncapsulationKey};
use crate::dag::VertexId;
use crate::dag::vote::Decision;
use crate::effect::{Command, Effect, Input, Intention};
use crate::event::{Event, ItemState, Problem, Reply};
use crate::identity::AuthorId;
use crate::limits;
use crate::onion::{self, Answer, Handled, Hop, Outcome, Question, Step, Way};
use crate::units::MicroCredits;

/// Who asks.
const ASKER: usize = 4;

/// Five members, four of which decide, and something that is final and can be proven.
fn decided(seed: u64) -> (Mesh, String) {
    let mut mesh = Mesh::deciding(seed, 5, &[1; 4]);
    (0..5).for_each(|member| mesh.start(member));
    mesh.run_for(10_000);
    let (to, amount) = (author(&mesh, 0), MicroCredits(7));
    let pay = Intention::Pay { to, amount, memo: String::new() };
    let item = match mesh.ask(1, Command::Operate(pay)) {
        Ok(Reply::Item(view)) => view.item.to_string(),
        other => panic!("{other:?}"),
    };
    mesh.run_for(30_000);
    match mesh.ask(2, Command::Item { item: item.clone() }) {
        Ok(Reply::Item(view)) => assert_eq!(view.state, ItemState::Final),
        other => panic!("{other:?}"),
    }
    (mesh, item)
}

fn author(mesh: &Mesh, member: usize) -> AuthorId {
    mesh.members[member].secrets.author()
}

fn ask(mesh: &mut Mesh, question: Question) -> Result<Outcome, Problem> {
    let command = mesh.command(ASKER, Command::AskAnonymously(question));
    mesh.run_for(2 * limits::ONION_PATH_MS * u64::from(limits::ONION_ATTEMPTS_MAX));
    match mesh.members[ASKER].replies.remove(&command).expect("an answer in time")? {
        Reply::Anonymous(outcome) => Ok(*outcome),
        other => panic!("{other:?}"),
    }
}

fn cells(mesh: &Mesh, member: usize) -> Vec<Handled> {
    let events = mesh.members[member].events.iter();
    let cells = events.filter_map(|event| match event {
        Event::Cell(handled) => Some(Handled::clone(handled)),
        _ => None,
    });
    cells.collect()
}

fn holds(handled: &Handled, needle: &[u8]) -> bool {
    let mut both = [&handled.received, &handled.sent].into_iter();
    both.any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
}

/// The guard, the middle relay and the exit of the one question that was asked.
fn path(mesh: &Mesh) -> [usize; 3] {
    let with = |way: Way, from: usize| {
        let is_it = |cell: &Handled| cell.way == way && cell.from == author(mesh, from);
        (0..ASKER).find(|member| cells(mesh, *member).iter().any(is_it))
    };
    let guard = with(Way::Forward, ASKER).unwrap();
    let middle = with(Way::Forward, guard).unwrap();
    [guard, middle, with(Way::Exit, middle).unwrap()]
}

#[test]
fn a_proof_comes_back_over_three_relays_of_which_none_learns_both_ends() {
    let (mut mesh, item) = decided(700);
    let outcome = ask(&mut mesh, Question::Proof { item: item.clone() }).unwrap();
    assert_eq!((outcome.relays, outcome.exits), (3, 1));
    let Answer::Proof { proof } = &outcome.answer else { panic!("{outcome:?}") };
    let trust = mesh.genesis.clone().unwrap().trust(0).unwrap();
    let (Decision(_, proven), _) = verify_proof(&trust, proof).unwrap();
    assert_eq!(proven.to_string(), item);
    let places = path(&mesh);
    assert_eq!(BTreeSet::from(places).len(), 3);
    for (place, member) in places.into_iter().enumerate() {
        let seen = cells(&mesh, member);
        assert_eq!(seen.len(), if place == 2 { 1 } else { 2 }, "a cell, and a reply passed back");
        for (other, name) in [("asker", ASKER), ("exit", places[2])] {
            let name = author(&mesh, name);
            let is_told = |cell: &Handled| {
                cell.from == name || cell.to == Some(name) || holds(cell, name.as_bytes())
            };
            let knows = seen.iter().any(is_told);
            let neighbour = if other == "asker" { place == 0 } else { place == 1 };
            assert_eq!(knows, neighbour, "{other} at place {place}");
        }
        // Neither the question nor the answer, but at the exit.
        let knows = seen.iter().any(|cell| holds(cell, item.as_bytes()));
        assert_eq!(knows, place == 2, "the item at place {place}");
        assert!(!seen.iter().any(|cell| holds(cell, &proof[..64])), "the proof at place {place}");
    }
    // Whoever was no relay saw nothing at all.
    let other = (0..ASKER).find(|member| !places.contains(member)).unwrap();
    assert!(cells(&mesh, other).is_empty());
}

#[test]
fn two_exits_say_how_a_name_stands_and_the_guard_is_neither() {
    let (mut mesh, _) = decided(701);
    let outcome = ask(&mut mesh, Question::Name { label: "nobody".to_owned() }).unwrap();
    assert_eq!((outcome.relays, outcome.exits), (3, 2));
    let Answer::Name(state) = &outcome.answer else { panic!("{outcome:?}") };
    assert_eq!((state.name.as_str(), state.owner, state.version), ("nobody.dark", None, 0));
    let ways = |member: usize, way: Way| cells(&mesh, member).iter().any(|cell| cell.way == way);
    let exits: Vec<usize> = (0..ASKER).filter(|member| ways(*member, Way::Exit)).collect();
    assert_eq!(exits.len(), 2);
    let from_asker =
        |member: &usize| cells(&mesh, *member).iter().any(|cell| cell.from == author(&mesh, ASKER));
    let guards: Vec<usize> = (0..ASKER).filter(from_asker).collect();
    assert_eq!(guards.len(), 1);
    assert!(!exits.contains(&guards[0]));
}

/// What a member does with a cell that this peer hands it: whether it passed it on or answered it.
fn takes(mesh: &mut Mesh, member: usize, from: usize, bytes: Vec<u8>) -> bool {
    let peer = mesh.transport(from);
    let effects = mesh.poke(member, Input::Cell { peer, token: 99, bytes });
    let acts = |effect: &Effect| match effect {
        Effect::Cell { .. } => true,
        Effect::Respond { token: 99, bytes } => !bytes.is_empty(),
        _ => false,
    };
    let empty = |effect: &Effect| match effect {
        Effect::Respond { token: 99, bytes } => bytes.is_empty(),
        _ => false,
    };
    assert_ne!(effects.iter().any(acts), effects.iter().any(empty), "one of the two");
    effects.iter().any(acts)
}

#[test]
fn replayed_altered_and_stale_cells_are_dropped_by_every_hop() {
    let (mut mesh, item) = decided(702);
    ask(&mut mesh, Question::Proof { item: item.clone() }).unwrap();
    for member in path(&mesh) {
        let cell = cells(&mesh, member).remove(0);
        let from = (0..5).find(|other| author(&mesh, *other) == cell.from).unwrap();
        assert!(!takes(&mut mesh, member, from, cell.received.clone()), "a replay");
        let last = cells(&mesh, member).pop().unwrap();
        assert_eq!(last.way, Way::Dropped("onion-replayed"));
        let mut altered = cell.received.clone();
        altered[2_000] ^= 1;
        assert!(!takes(&mut mesh, member, from, altered), "an altered cell");
        assert_eq!(cells(&mesh, member).pop().unwrap().way, Way::Dropped("onion-altered"));
        assert!(!takes(&mut mesh, member, from, vec![7; 10]), "no cell");
    }
    // The control: a cell that was made and not handed over is taken, once, and not when it is old.
    let fresh = |mesh: &mut Mesh, command: u64| {
        let request = Command::AskAnonymously(Question::Proof { item: item.clone() });
        let effects = mesh.poke(ASKER, Input::Command { command, request });
        let cell = effects.into_iter().find_map(|effect| match effect {
            Effect::Cell { peer, bytes, .. } => Some((peer, bytes)),
            _ => None,
        });
        let (peer, bytes) = cell.unwrap();
        ((0..5).find(|member| mesh.transport(*member) == peer).unwrap(), bytes)
    };
    let (guard, bytes) = fresh(&mut mesh, 1_001);
    assert!(takes(&mut mesh, guard, ASKER, bytes.clone()));
    assert!(!takes(&mut mesh, guard, ASKER, bytes));
    let (guard, bytes) = fresh(&mut mesh, 1_002);
    mesh.run_for(2 * limits::ONION_PERIOD_MS);
    assert!(!takes(&mut mesh, guard, ASKER, bytes));
    assert_eq!(cells(&mesh, guard).pop().unwrap().way, Way::Dropped("onion-period"));
}

#[test]
fn a_peer_that_sends_cells_too_fast_is_not_heard() {
    let (mut mesh, _) = decided(703);
    let bytes = vec![7; onion::CELL_BYTES];
    for _ in 0..limits::ONION_CELLS_BURST {
        assert!(!takes(&mut mesh, 0, 1, bytes.clone()));
        assert_eq!(cells(&mesh, 0).pop().unwrap().way, Way::Dropped("onion-altered"));
    }
    assert!(!takes(&mut mesh, 0, 1, bytes.clone()));
    assert_eq!(cells(&mesh, 0).pop().unwrap().way, Way::Dropped("onion-rate"));
    assert!(!takes(&mut mesh, 0, 2, bytes));
    assert_eq!(cells(&mesh, 0).pop().unwrap().way, Way::Dropped("onion-altered"));
}

#[test]
fn a_question_finds_another_way_when_relays_are_gone_and_says_when_there_is_none() {
    let (mut mesh, item) = decided(704);
    ask(&mut mesh, Question::Proof { item: item.clone() }).unwrap();
    let [guard, ..] = path(&mesh);
    mesh.crash(guard);
    mesh.run_for(1_000);
    let again = ask(&mut mesh, Question::Proof { item: item.clone() });
    assert!(again.is_ok(), "{again:?}");
    let other = (0..ASKER).find(|member| *member != guard).unwrap();
    mesh.crash(other);
    mesh.run_for(1_000);
    let refused = ask(&mut mesh, Question::Proof { item }).unwrap_err();
    assert_eq!(refused.code, "onion-too-few");
    assert!(refused.message.contains("2 are connected"), "{}", refused.message);
}

#[test]
fn a_refusal_of_every_exit_is_told_and_what_is_no_question_is_not_sent() {
    let (mut mesh, _) = decided(705);
    let unknown = VertexId::of(b"of another network").to_string();
    let refused = ask(&mut mesh, Question::Proof { item: unknown }).unwrap_err();
    assert_eq!(refused.code, "onion-refused");
    let no_item = ask(&mut mesh, Question::Proof { item: "a".repeat(600) }).unwrap_err();
    assert_eq!(no_item.code, "item-malformed");
    let no_name = ask(&mut mesh, Question::Name { label: "-".to_owned() }).unwrap_err();
    assert!(no_name.code.starts_with("name"), "{}", no_name.code);
}

/// What an exit says to a question that was handed to it by the second of two relays, as who asked
/// sees it in the end.
fn asked_directly(mesh: &mut Mesh, exit: usize, from: usize, number: u64) -> Answer {
    let path = [0, 1, exit].map(|member| {
        let seed = mesh.members[member].secrets.sealing_seed();
        let key = DecapsulationKey::from_seed(&seed);
        let public = EncapsulationKey::from_bytes(&key.public()).unwrap();
        (Hop { author: author(mesh, member), key: public }, key)
    });
    let mut coins = [[0; 64]; 3];
    coins[2][..8].copy_from_slice(&number.to_be_bytes());
    let question = Question::Name { label: "nobody".to_owned() }.encode();
    let period = onion::period_of(mesh.now(exit).unix_ms);
    let hops = path.each_ref().map(|(hop, _)| hop.clone());
    let (mut cell, back) = onion::wrap(&mesh.network(), &hops, period, &question, &coins).unwrap();
    let mut keys = Vec::new();
    for (hop, key) in path.iter().take(2) {
        let peeled = onion::peel(&mesh.network(), &hop.author, key, &cell).unwrap();
        let Step::Forward { cell: next, .. } = peeled.step else { panic!("it goes on") };
        cell = next;
        keys.push(peeled.keys);
    }
    let peer = mesh.transport(from);
    let effects = mesh.poke(exit, Input::Cell { peer, token: 99, bytes: cell });
    let reply = effects.into_iter().find_map(|effect| match effect {
        Effect::Respond { token: 99, bytes } => Some(bytes),
        _ => None,
    });
    let reply = keys.into_iter().rev().fold(reply.unwrap(), |r, keys| keys.pass_back(r).unwrap());
    let (place, answer) = back.open(&reply).unwrap();
    assert_eq!(place, 2);
    Answer::decode(&answer).unwrap()
}

#[test]
fn an_exit_answers_so_many_questions_and_says_that_it_is_busy() {
    let (mut mesh, _) = decided(706);
    let burst = u64::from(limits::ONION_ANSWERS_BURST);
    // From two peers, so that neither is too fast by itself.
    let mut answers = Vec::new();
    for number in 0..burst + 8 {
        let from = usize::try_from(number % 2).unwrap();
        answers.push(asked_directly(&mut mesh, 2, from, number));
    }
    let is_busy =
        |answer: &&Answer| matches!(answer, Answer::Refused { code, .. } if code == "onion-busy");
    assert_eq!(answers.iter().filter(is_busy).count(), 8);
    assert!(answers.iter().take(32).all(|answer| matches!(answer, Answer::Name(_))));
    mesh.run_for(1_000);
    let later = asked_directly(&mut mesh, 2, 0, 1_000);
    assert!(matches!(later, Answer::Name(_)), "{later:?}");
}

/// An exit that is silent must not use up what those before it need for the history.
#[test]
fn a_silent_exit_leaves_requests_to_the_relay_before_it() {
    let (mut mesh, _) = decided(707);
    let peer = mesh.transport(1);
    let mut passed_on = 0;
    for number in 0..8 {
        let path = [0, 2, 3].map(|member| {
            let seed = mesh.members[member].secrets.sealing_seed();
            let public = DecapsulationKey::from_seed(&seed).public();
            let key = EncapsulationKey::from_bytes(&public).unwrap();
            Hop { author: author(&mesh, member), key }
        });
        let period = onion::period_of(mesh.now(0).unix_ms);
        let coins = [[number; 64], [2; 64], [3; 64]];
        let (bytes, _) = onion::wrap(&mesh.network(), &path, period, b"", &coins).unwrap();
        let input = Input::Cell { peer: peer.clone(), token: u64::from(number), bytes };
        // What it wants is looked at and not done, so that no reply comes.
        let mut out = Vec::new();
        let now = mesh.now(0);
        mesh.members[0].node.as_mut().unwrap().handle(now, input, &mut out);
        passed_on += out.iter().filter(|effect| matches!(effect, Effect::Cell { .. })).count();
    }
    assert_eq!(passed_on, limits::ONION_CELLS_OPEN_MAX);
}
