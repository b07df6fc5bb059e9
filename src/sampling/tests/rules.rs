//! What decides and what does not. Several of these are what the predecessor's engine of this name
//! got wrong.

use std::collections::BTreeSet;

use super::{Bench, at, item, key, single};
use crate::dag::vote::Decision;
use crate::limits;
use crate::sampling::{Config, Input, Output, Question, Refusal, Rule};

fn decided(bench: &Bench) -> Vec<Decision> {
    let decision = |output: &Output| match output {
        Output::Decided(decision) => Some(*decision),
        _ => None,
    };
    bench.out.iter().filter_map(decision).collect()
}

#[test]
fn the_first_answers_decide_nothing() {
    // The predecessor decided when four fifths of the answers *so far* were positive: one of one.
    let mut bench = Bench::new(Config::default(), 40);
    bench.handle(Input::Item(key("a"), item(1)));
    let first = bench.next_poll();
    for (answers, (member, question)) in first.into_iter().enumerate() {
        assert_eq!(bench.state.decided(&key("a")), None, "after {answers} answers");
        let answer = bench.signed(&member, question, Some(item(1)));
        bench.handle(Input::Answer(member, answer));
    }
    for polls in 2..20 {
        bench.poll(Some(item(1)));
        assert!(decided(&bench).is_empty(), "after {polls} polls");
    }
}

#[test]
fn as_many_polls_in_a_row_as_beta_decide_and_no_fewer() {
    for rule in [Rule::Snowflake, Rule::Snowball] {
        let mut bench = Bench::new(Config { rule, ..single() }, 40);
        bench.handle(Input::Item(key("a"), item(1)));
        for poll in 1..20 {
            bench.poll(Some(item(1)));
            assert_eq!(bench.state.confidence(&key("a")), Some(poll));
        }
        // Nineteen in a row, one that nobody has an opinion in: it begins again.
        bench.poll(None);
        assert_eq!(bench.state.confidence(&key("a")), Some(0));
        for _ in 0..19 {
            bench.poll(Some(item(1)));
        }
        assert!(decided(&bench).is_empty(), "38 of 39 polls, and no twenty in a row");
        bench.poll(Some(item(1)));
        assert_eq!(decided(&bench), [Decision(key("a"), item(1))], "{rule:?}");
        assert_eq!(bench.counted(), 40);
        assert_eq!(bench.state.pending(), 0);
    }
}

#[test]
fn fewer_seats_than_alpha_do_not_raise_the_confidence() {
    let mut bench = Bench::new(single(), 40);
    bench.handle(Input::Item(key("a"), item(1)));
    for (yes, confidence) in [(14, 0), (15, 1), (14, 0)] {
        let (mut seats, before) = (0, bench.counted());
        let mut ballots = Vec::new();
        for (member, question) in bench.next_poll() {
            // Each answers for as many seats as it was drawn for.
            let drawn = bench.state.seats(&question.key, &member);
            let preference = (seats + drawn <= yes).then_some(item(1));
            seats += preference.map_or(0, |_| drawn);
            ballots.push((member, bench.signed(&member, question, preference)));
        }
        assert_eq!(seats, yes, "single seats fill what is left");
        for (member, answer) in ballots {
            bench.handle(Input::Answer(member, answer));
        }
        assert_eq!(bench.counted(), before + 1);
        assert_eq!(bench.state.confidence(&key("a")), Some(confidence), "{yes} seats");
    }
}

#[test]
fn a_member_may_change_its_preference() {
    // The predecessor called whoever changed its vote Byzantine; it is what this protocol is.
    let mut bench = Bench::new(single(), 40);
    bench.handle(Input::Item(key("a"), item(1)));
    bench.handle(Input::Item(key("a"), item(2)));
    for number in [1, 2, 1, 2, 2] {
        bench.poll(Some(item(number)));
        assert_eq!(bench.state.preference(&key("a")), Some(item(number)));
    }
    assert_eq!(bench.state.confidence(&key("a")), Some(2));
    let refused = &bench.state.counters().refused;
    assert!(refused.keys().all(|refusal| *refusal == Refusal::Late), "{refused:?}");
    for _ in 0..18 {
        bench.poll(Some(item(2)));
    }
    assert_eq!(decided(&bench), [Decision(key("a"), item(2))], "the second item, by majority");
}

#[test]
fn siblings_do_not_conflict_and_a_vote_speaks_for_one_key_only() {
    // The predecessor called vertices in conflict that share a parent or whose names look alike.
    // Here these two share everything but the key.
    let mut bench = Bench::new(single(), 40);
    bench.handle(Input::Item(key("a"), item(1)));
    bench.handle(Input::Item(key("b"), item(1)));
    assert_eq!(bench.state.pending(), 2);
    while decided(&bench).is_empty() {
        let questions = bench.next_poll();
        for (member, question) in questions {
            // Only one of the keys finds support.
            let preference = (question.key == key("b")).then_some(item(1));
            let answer = bench.signed(&member, question, preference);
            bench.handle(Input::Answer(member, answer));
        }
    }
    assert_eq!(decided(&bench), [Decision(key("b"), item(1))]);
    assert_eq!(bench.state.confidence(&key("a")), Some(0), "nothing is carried over");
    while decided(&bench).len() < 2 {
        bench.poll(Some(item(1)));
    }
    let keys: BTreeSet<_> = decided(&bench).iter().map(|Decision(key, _)| *key).collect();
    assert_eq!(keys, [key("a"), key("b")].into(), "both hold: they do not conflict");
}

#[test]
fn what_is_not_known_here_cannot_be_preferred() {
    let mut bench = Bench::new(single(), 40);
    bench.handle(Input::Item(key("a"), item(1)));
    bench.poll(Some(item(1)));
    bench.poll(Some(item(3)));
    let (preference, confidence) =
        (bench.state.preference(&key("a")), bench.state.confidence(&key("a")));
    assert_eq!((preference, confidence), (Some(item(1)), Some(0)));
    bench.handle(Input::Item(key("a"), item(3)));
    bench.poll(Some(item(3)));
    assert_eq!(bench.state.preference(&key("a")), Some(item(3)), "once it has come, it can");
}

#[test]
fn polls_count_in_the_order_in_which_they_were_begun() {
    let mut bench = Bench::new(Config { concurrent: 2, beta: 2, ..Config::default() }, 40);
    bench.handle(Input::Item(key("a"), item(1)));
    let first = bench.next_poll();
    bench.poll(Some(item(1)));
    assert_eq!(bench.counted(), 0, "the second poll is over, the first is not");
    for (member, question) in first {
        let answer = bench.signed(&member, question, Some(item(1)));
        bench.handle(Input::Answer(member, answer));
    }
    assert_eq!((bench.counted(), decided(&bench).len()), (2, 1));
}

#[test]
fn a_poll_ends_at_its_deadline_or_when_nobody_can_answer_any_more() {
    let mut bench = Bench::new(single(), 40);
    bench.handle(Input::Item(key("a"), item(1)));
    bench.now_ms = 299;
    bench.handle(Input::Tick);
    assert_eq!(bench.counted(), 0);
    bench.now_ms = 300;
    bench.handle(Input::Tick);
    assert_eq!(bench.counted(), 1, "nobody answered in time");
    bench.asked.retain(|(_, question)| bench.state.is_open(&question.poll));
    for (member, question) in bench.next_poll() {
        bench.handle(Input::Unreachable(member, question.poll));
    }
    assert_eq!(bench.counted(), 2, "without waiting for the deadline");
    let mut out = Vec::new();
    bench.state.handle(at(300), Input::Tick, &mut out);
    assert_eq!(out, [Output::WakeAt(600)]);
}

#[test]
fn whoever_asks_is_told_the_preference_and_later_the_decision() {
    let mut bench = Bench::new(Config { beta: 1, ..single() }, 40);
    let asker = *bench.keys.keys().next().unwrap();
    let question = Question { poll: super::PollId::from_bytes([5; 16]), key: key("a") };
    let ask = |bench: &mut Bench| {
        bench.handle(Input::Question(asker, question));
        match bench.out.pop() {
            Some(Output::Answer(to, ballot)) if to == asker => {
                assert_eq!((ballot.poll, ballot.key), (question.poll, question.key));
                ballot.preference
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ask(&mut bench), None, "nothing is known of the key");
    bench.handle(Input::Item(key("a"), item(1)));
    assert_eq!(ask(&mut bench), Some(item(1)));
    bench.handle(Input::Item(key("a"), item(2)));
    bench.poll(Some(item(2)));
    assert_eq!(bench.state.decided(&key("a")), Some(item(2)));
    bench.handle(Input::Item(key("a"), item(1)));
    assert_eq!(bench.state.pending(), 0, "it is not asked about again");
    assert_eq!(ask(&mut bench), Some(item(2)));
}

#[test]
fn a_restart_keeps_decisions_and_begins_everything_else_anew() {
    let mut bench = Bench::new(single(), 40);
    bench.state.restore(Decision(key("a"), item(1)));
    bench.handle(Input::Item(key("a"), item(2)));
    assert_eq!(bench.state.decided(&key("a")), Some(item(1)));
    assert_eq!((bench.state.pending(), bench.state.decisions().len()), (0, 1));
    assert!(bench.asked.is_empty());
}

#[test]
fn memory_is_bounded_and_what_finds_no_room_is_said() {
    let mut bench = Bench::new(single(), 4);
    let named = |number: usize| key(&number.to_string());
    for number in 0..limits::SAMPLED_KEYS_MAX + 3 {
        bench.handle(Input::Item(named(number), item(1)));
    }
    assert_eq!(bench.state.pending(), limits::SAMPLED_KEYS_MAX);
    let full = Output::Full(named(limits::SAMPLED_KEYS_MAX + 2), item(1));
    assert_eq!((bench.out.len(), bench.out.last()), (3, Some(&full)));
    bench.out.clear();
    for number in 1..=20 {
        bench.handle(Input::Item(named(0), item(number)));
    }
    assert_eq!(bench.out.len(), 20 - limits::SAMPLED_CANDIDATES_MAX);
    bench.state.forget(&named(0));
    bench.out.clear();
    bench.handle(Input::Item(named(300), item(1)));
    assert!(bench.out.is_empty(), "there is room again");
    // Decisions are never given up for new keys.
    for number in 1_000..1_000 + limits::SAMPLED_DECIDED_MAX {
        bench.state.restore(Decision(named(number), item(1)));
    }
    bench.state.forget(&named(1));
    bench.handle(Input::Item(named(301), item(1)));
    assert_eq!(bench.out, [Output::Full(named(301), item(1))]);
}

/// Everything that waited was asked about at once, which is more than members answer.
#[test]
fn few_keys_are_asked_about_at_a_time_and_each_gets_its_turn() {
    let mut bench = Bench::new(single(), 40);
    let named = |number: usize| key(&number.to_string());
    let keys = limits::POLLED_KEYS_MAX + 2;
    for number in 0..keys {
        bench.handle(Input::Item(named(number), item(1)));
    }
    let polled = |bench: &Bench| -> BTreeSet<_> {
        bench.asked.iter().map(|(_, question)| question.key).collect()
    };
    assert_eq!(polled(&bench).len(), limits::POLLED_KEYS_MAX);
    // Nobody prefers anything, so that nothing is decided; the others get their turns all the same.
    let mut seen = BTreeSet::new();
    for _ in 0..limits::POLLS_PER_TURN_MAX * u32::try_from(keys).unwrap() {
        seen.extend(polled(&bench));
        bench.asked.retain(|(_, question)| bench.state.is_open(&question.poll));
        bench.poll(None);
    }
    assert_eq!(seen.len(), keys);
    // While it rests it begins no polls, and goes on afterwards.
    bench.state.rest(true);
    while !bench.asked.is_empty() {
        bench.poll(None);
    }
    bench.handle(Input::Tick);
    assert!(bench.asked.is_empty());
    bench.state.rest(false);
    bench.handle(Input::Tick);
    assert!(!bench.asked.is_empty());
}
