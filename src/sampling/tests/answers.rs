//! Which answers count, and why the others do not.

use std::collections::BTreeMap;

use super::{Bench, NETWORK, item, key, signing_key, single};
use crate::identity::{AuthorId, NetworkId};
use crate::sampling::{Answer, Ballot, Config, Input, Output, PollId, Question, Refusal};

/// An engine with one poll under way, and the questions of it.
fn asking() -> (Bench, Vec<(AuthorId, Question)>) {
    let mut bench = Bench::new(single(), 40);
    bench.handle(Input::Item(key("a"), item(1)));
    let questions = bench.next_poll();
    (bench, questions)
}

fn refusal(bench: &mut Bench, from: AuthorId, answer: Answer) -> Option<Refusal> {
    bench.handle(Input::Answer(from, answer));
    match bench.out.pop() {
        Some(Output::Refused(who, refusal)) if who == from => Some(refusal),
        None => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_the_very_answer_that_was_asked_for_counts() {
    let (mut bench, questions) = asking();
    let (member, question) = questions[0];
    let ballot = Ballot { poll: question.poll, key: question.key, preference: Some(item(1)) };
    let signer = signing_key(1);
    let (own, me) = (&bench.keys[&member], bench.me);
    let forged = [
        // Signed by somebody else.
        ballot.sign(&NETWORK, &me, &signer, [0; 32]),
        // Said on another network, and to another asker.
        ballot.sign(&NetworkId::from_bytes([8; 32]), &me, own, [0; 32]),
        ballot.sign(&NETWORK, &member, own, [0; 32]),
        // Said in another poll, about another key, for another item, or for none.
        moved(ballot, Ballot { poll: PollId::from_bytes([1; 16]), ..ballot }, &bench, member),
        moved(ballot, Ballot { key: key("b"), ..ballot }, &bench, member),
        moved(ballot, Ballot { preference: Some(item(2)), ..ballot }, &bench, member),
        moved(ballot, Ballot { preference: None, ..ballot }, &bench, member),
    ];
    assert_ne!(AuthorId::of(signer.public()), member, "another member");
    for (number, answer) in forged.into_iter().enumerate() {
        let found = refusal(&mut bench, member, answer);
        assert_eq!(found, Some(Refusal::Forged), "forgery {number}");
    }
    // The seat is not lost by what others forged: the control is that the true answer counts.
    let sound = bench.signed(&member, question, Some(item(1)));
    assert_eq!(refusal(&mut bench, member, sound.clone()), None);
    assert_eq!(refusal(&mut bench, member, sound), Some(Refusal::Repeated));
    let expected = BTreeMap::from([(Refusal::Forged, 7), (Refusal::Repeated, 1)]);
    assert_eq!(bench.state.counters().refused, expected);
    assert_eq!(bench.state.counters().checked, 8, "a repetition costs no check");
}

/// An answer that says `ballot` with the member's signature of `said`.
fn moved(ballot: Ballot, said: Ballot, bench: &Bench, member: AuthorId) -> Answer {
    let key = &bench.keys[&member];
    Answer { ballot, signature: said.sign(&NETWORK, &bench.me, key, [0; 32]).signature }
}

#[test]
fn whoever_was_not_asked_is_not_heard() {
    let (mut bench, questions) = asking();
    let question = questions[0].1;
    let asked: Vec<AuthorId> = questions.iter().map(|(member, _)| *member).collect();
    let unasked = *bench.keys.keys().find(|member| !asked.contains(member)).unwrap();
    let answer = bench.signed(&unasked, question, Some(item(1)));
    assert_eq!(refusal(&mut bench, unasked, answer.clone()), Some(Refusal::Unasked));
    let stranger = AuthorId::of(signing_key(200).public());
    assert_eq!(refusal(&mut bench, stranger, answer), Some(Refusal::Stranger));
}

#[test]
fn an_answer_about_another_key_than_was_asked_for_does_not_count() {
    let (mut bench, questions) = asking();
    let (member, question) = questions[0];
    let other = Question { key: key("b"), ..question };
    let answer = bench.signed(&member, other, Some(item(1)));
    assert_eq!(refusal(&mut bench, member, answer), Some(Refusal::OtherKey));
}

#[test]
fn late_answers_are_told_from_replays() {
    let (mut bench, questions) = asking();
    let (member, question) = questions[0];
    let answer = bench.signed(&member, question, Some(item(1)));
    bench.now_ms = Config::default().poll_ms;
    assert_eq!(refusal(&mut bench, member, answer.clone()), Some(Refusal::Late), "time is up");
    bench.handle(Input::Tick);
    assert_eq!(bench.counted(), 1);
    assert_eq!(refusal(&mut bench, member, answer), Some(Refusal::Late), "the poll is over");
    let never = Question { poll: PollId::from_bytes([9; 16]), ..question };
    let replayed = bench.signed(&member, never, Some(item(1)));
    assert_eq!(refusal(&mut bench, member, replayed), Some(Refusal::Unknown));
}

#[test]
fn answers_of_members_whose_key_is_unknown_wait_for_nobody() {
    let mut bench = Bench::new(single(), 40);
    let list = bench.keys.keys().map(|author| (*author, 1)).collect();
    let members = super::Members::new(list).unwrap();
    let rng = crate::rng::Rng::from_u64(1);
    bench.state = super::State::new(single(), NETWORK, members, bench.me, rng).unwrap();
    bench.handle(Input::Item(key("a"), item(1)));
    let (member, question) = bench.next_poll()[0];
    let answer = bench.signed(&member, question, Some(item(1)));
    assert_eq!(refusal(&mut bench, member, answer.clone()), Some(Refusal::Keyless));
    assert!(bench.state.introduce(bench.keys[&member].public()));
    assert!(!bench.state.introduce(signing_key(200).public()), "no member");
    assert_eq!(refusal(&mut bench, member, answer), None);
}

#[test]
fn messages_are_read_back_and_nothing_else_is() {
    let (bench, questions) = asking();
    let (member, question) = questions[0];
    let bytes = question.encode();
    assert_eq!(Question::decode(&bytes), Ok(question));
    for preference in [None, Some(item(1))] {
        let answer = bench.signed(&member, question, preference);
        let bytes = answer.encode();
        assert!(bytes.len() <= crate::limits::POLL_MESSAGE_BYTES_MAX, "{}", bytes.len());
        let read = Answer::decode(&bytes).expect("an own message");
        assert_eq!(read, answer);
        assert_eq!(read.verify(&NETWORK, &bench.me, bench.keys[&member].public()), Ok(()));
        for cut in [0, 1, bytes.len() - 1] {
            let error = Answer::decode(&bytes[..cut]).expect_err("it is too short");
            assert_eq!(error.code(), "poll-message-malformed");
        }
        assert!(Question::decode(&bytes).is_err(), "an answer is no question");
    }
    assert!(Question::decode(&[bytes, vec![0]].concat()).is_err(), "bytes after the end");
}
