//! What members can say to commitments that they should not: whom it moves, and whom not.

use super::*;

/// Names of commitments that nobody made, in the order of ids.
fn made_up(count: u16) -> Vec<VertexId> {
    (0..count).map(|number| VertexId::of(&number.to_le_bytes())).collect()
}

fn set(ids: &[VertexId]) -> Vec<VertexId> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids
}

/// One reveal that named as many commitments as are waited for, whatever they were, had everybody
/// else answered no more: slower members were out of the round.
#[test]
fn a_reveal_that_answers_what_nobody_made_shuts_nobody_out() {
    let mut promises = Promises::new(4);
    let own: Vec<_> = [0, 1, 3].into_iter().map(|member| promises.commit(member)).collect();
    let early = promises.reveal(3, own[2], &[&own[..], &made_up(100)].concat());
    promises.seen_ms.insert(early, 100);
    let slow = promises.commit(2);
    promises.seen_ms.insert(slow, 101);
    let all = set(&[&own[..], &[slow]].concat());
    let step = promises.step(0, 200, true);
    assert_eq!(step, Step::Reveal { commitment: own[0], answers: all });
}

/// The same by one that has left the run: what it sends counts as a reveal for nobody.
#[test]
fn a_reveal_of_who_is_no_member_shuts_nobody_out() {
    for leaves in [false, true] {
        let mut promises = Promises::new(4);
        let own: Vec<_> = [0, 1, 3].into_iter().map(|member| promises.commit(member)).collect();
        let early = promises.reveal(3, own[2], &own);
        promises.seen_ms.insert(early, 600);
        let slow = promises.commit(2);
        promises.seen_ms.insert(slow, 601);
        if leaves {
            let run = promises.run;
            promises.bench.say(3, vec![Payload::RunLeave { run }]);
        }
        let Step::Reveal { answers, .. } = promises.step(0, 1_000, true) else { panic!("waits") };
        assert_eq!(answers.contains(&slow), leaves, "the control: a member's counts");
    }
}

/// After eight attempts a member said nothing any more, and who was hostile could use them up.
#[test]
fn a_round_may_come_to_nothing_as_often_as_it_does() {
    let mut promises = Promises::new(3);
    let content = promises.content(0);
    for attempt in 0..20 {
        let own = promises.commit_to(0, &content, attempt);
        promises.reveal_as(0, &content, own, &[own]);
    }
    assert_eq!(promises.step(0, 3_000, true), Step::Commit { attempt: 20 });
}

#[test]
fn who_comes_late_begins_with_the_attempt_that_enough_others_are_at() {
    let mut promises = Promises::with(5, 3);
    let begin = |promises: &Promises| promises.step(4, 10_200, false);
    let commit = |promises: &mut Promises, member: usize, attempt, seen_ms| {
        let content = promises.content(member);
        let id = promises.commit_to(member, &content, attempt);
        promises.seen_ms.insert(id, seen_ms);
        id
    };
    commit(&mut promises, 3, u32::MAX, 9_000);
    assert_eq!(begin(&promises), Step::Commit { attempt: 0 }, "one makes no three with it");
    commit(&mut promises, 0, 7, 10_000);
    commit(&mut promises, 1, 6, 10_000);
    assert_eq!(begin(&promises), Step::Commit { attempt: 7 });
    // It waits no longer for the missing than the others do, who began before.
    let own = commit(&mut promises, 4, 7, 10_200);
    assert!(matches!(promises.step(4, 10_201, true), Step::Wait { until_ms: Some(11_000) }));
    let [_, late] = [1, 2].map(|member| commit(&mut promises, member, 7, 10_300));
    let Step::Reveal { answers, .. } = promises.step(4, 11_000, true) else { panic!("waits") };
    assert!(answers.contains(&own) && answers.contains(&late) && answers.len() == 4);
    // Where two are enough one may move another, by no more than to catch up with.
    let mut promises = Promises::new(2);
    commit(&mut promises, 0, u32::MAX, 0);
    let attempt = limits::COMMITMENT_CATCH_UP_MAX;
    assert_eq!(promises.step(1, 0, false), Step::Commit { attempt });
}

/// One member at the last attempt of all had those that began after it wait for one another there,
/// and those before it elsewhere: round after round with two as the minimum.
#[test]
fn one_member_splits_nobody_where_two_make_a_round() {
    let mut promises = Promises::with(4, 2);
    let at_last = |promises: &mut Promises, member: usize| {
        let content = promises.content(member);
        promises.commit_to(member, &content, u32::MAX);
    };
    at_last(&mut promises, 3);
    assert_eq!(promises.step(0, 0, false), Step::Commit { attempt: 0 });
    promises.commit(1);
    assert_eq!(promises.step(0, 0, false), Step::Commit { attempt: 0 });
    at_last(&mut promises, 2);
    let attempt = limits::COMMITMENT_CATCH_UP_MAX;
    assert_eq!(promises.step(0, 0, false), Step::Commit { attempt }, "the control: two move it");
}

/// Whoever wrote an update for each of a thousand attempts had all of them fetched by everybody.
#[test]
fn of_one_author_only_updates_of_its_last_attempts_are_fetched() {
    let mut promises = Promises::new(3);
    let content = promises.content(0);
    let mut last = Vec::new();
    for attempt in [4, 0, 5, 2, 1] {
        let own = promises.commit_to(0, &content, attempt);
        let update = promises.reveal_as(0, &content, own, &[own]);
        if attempt >= 4 {
            last.push(update);
        }
    }
    let other = promises.commit(1);
    last.push(promises.reveal(1, other, &[other]));
    let runs = promises.bench.fold();
    let run = runs.get(&promises.run).unwrap();
    let fetched: Vec<_> = run.candidates(&promises.run).map(|(id, _)| id).collect();
    assert_eq!(set(&fetched), set(&last));
}

/// What was revealed just now may still be aggregated, however long the round has been open.
#[test]
fn an_update_that_was_revealed_late_is_not_promised_anew_at_once() {
    let mut promises = Promises::new(3);
    let own: Vec<_> = (0..2).map(|member| promises.commit(member)).collect();
    let update = promises.reveal(0, own[0], &own);
    promises.seen_ms.insert(update, 2_900);
    assert_eq!(promises.step(0, 3_000, true), Step::Wait { until_ms: Some(4_900) });
    assert_eq!(promises.step(0, 4_900, true), Step::Commit { attempt: 1 });
}

/// Anybody's update, of any attempt, had started the time that those who withhold are waited for.
#[test]
fn the_time_to_wait_for_updates_begins_with_enough_of_the_newest_attempt() {
    let set = |count: u16, attempt| Mutual { updates: made_up(count), expected: 3, attempt };
    let since = |set: Mutual, before, now_ms| set.since(2, before, now_ms);
    assert_eq!(since(set(1, 0), None, 100), None);
    let first = since(set(2, 0), None, 200);
    assert_eq!(first, Some((0, 200)));
    assert_eq!(since(set(3, 0), first, 300), first);
    assert_eq!(since(set(1, 1), first, 400), first);
    let second = since(set(2, 1), first, 500);
    assert_eq!(second, Some((1, 500)));
    assert_eq!(since(set(2, 0), second, 600), second);
}

/// Who withheld an update was waited for again once it had sent it, though too late, or after a
/// round without it.
#[test]
fn who_withholds_is_waited_for_again_only_after_an_update_in_time() {
    let mut promises = Promises::new(3);
    let (first, withheld) = promises.closed_without_the_last(promises.run, 1);
    let expected = |promises: &Promises, updates: &[VertexId]| promises.mutual(updates).expected;
    let late = promises.reveal(2, withheld, &[withheld]);
    assert_eq!(promises.why_not(&first, 2), Some(WhyNot::LeftOut));
    assert!(promises.bench.fold().get(&promises.run).unwrap().is_in_order(&late));
    let (_, updates) = promises.open_without_the_last(first, 2, 0..3);
    assert_eq!(expected(&promises, &updates), 2, "it had sent it too late");
    // A round that it has no part in is no excuse either.
    let mut promises = Promises::new(3);
    let (first, _) = promises.closed_without_the_last(promises.run, 1);
    let (_, updates) = promises.open_without_the_last(first, 2, 0..2);
    let second = promises.bench.aggregate(0, promises.run, first, 2, &updates);
    let (commitments, updates) = promises.open_without_the_last(second, 3, 0..3);
    assert_eq!(expected(&promises, &updates), 2);
    // An update in an aggregate is.
    let content = Update { base: second, round: 3, ..promises.content(2) };
    let last = promises.reveal_as(2, &content, commitments[2], &commitments);
    let all = [&updates[..], &[last]].concat();
    promises.bench.aggregate(0, promises.run, second, 3, &all);
    assert!(promises.bench.fold().get(&promises.run).unwrap().defaulted().is_empty());
}

/// A liar does not answer one that committed in time, and the history had called that one late.
#[test]
fn who_is_passed_over_by_one_is_not_called_late() {
    let mut promises = Promises::new(4);
    let own: Vec<_> = (0..4).map(|member| promises.commit(member)).collect();
    let mut updates: Vec<_> =
        [0, 1].into_iter().map(|member| promises.reveal(member, own[member], &own)).collect();
    updates.push(promises.reveal(3, own[3], &[own[0], own[1], own[3]]));
    promises.reveal(2, own[2], &own);
    let aggregate = promises.aggregate(&updates);
    assert_eq!(promises.standing(&aggregate), Standing::Valid);
    assert_eq!(promises.why_not(&aggregate, 2), Some(WhyNot::Unanswered));
    // The control: whom all but one pass over came after they had revealed.
    let mut promises = Promises::new(4);
    let own: Vec<_> = (0..4).map(|member| promises.commit(member)).collect();
    let mut updates: Vec<_> = [0, 1]
        .into_iter()
        .map(|member| promises.reveal(member, own[member], &[own[0], own[1], own[3]]))
        .collect();
    updates.push(promises.reveal(3, own[3], &own));
    let aggregate = promises.aggregate(&updates);
    assert_eq!(promises.why_not(&aggregate, 2), Some(WhyNot::Late));
}

/// A member that is started anew sees a whole round at once, and had taken what was committed to
/// after the first reveal for something from before it.
#[test]
fn what_is_seen_in_one_look_with_a_reveal_is_answered_only_where_that_one_does() {
    let mut promises = Promises::new(4);
    let own: Vec<_> = (0..3).map(|member| promises.commit(member)).collect();
    let first = promises.reveal(0, own[0], &own);
    let copy = promises.content(0);
    let late = promises.commit_to(3, &copy, 0);
    for id in own.iter().chain([&first, &late]) {
        promises.seen_ms.insert(*id, 600);
    }
    let answers = |promises: &Promises| match promises.step(1, 1_000, true) {
        Step::Reveal { answers, .. } => answers,
        step => panic!("{step:?}"),
    };
    assert_eq!(answers(&promises), set(&own));
    // What the reveal names was there before it, whenever it came here.
    promises.seen_ms.insert(own[2], 700);
    assert_eq!(answers(&promises), set(&own));
    // The control: seen before the reveal.
    promises.seen_ms.insert(late, 599);
    assert_eq!(answers(&promises).len(), 4);
}

/// Commitments without end for one attempt cost a member two of them, and change nothing in what
/// counts: an aggregate may name any.
#[test]
fn of_the_commitments_of_one_attempt_two_are_looked_at_and_all_count() {
    let mut promises = Promises::new(3);
    let own: Vec<_> = (0..2).map(|member| promises.commit(member)).collect();
    let contents: Vec<_> =
        (20..26).map(|samples| Update { samples, ..promises.content(2) }).collect();
    let many: Vec<_> = contents.iter().map(|one| promises.commit_to(2, one, 0)).collect();
    let last = (0..many.len()).max_by_key(|at| many[*at]).unwrap();
    let answers = [&own[..], &[many[last]]].concat();
    let mut updates: Vec<_> =
        (0..2).map(|member| promises.reveal(member, own[member], &answers)).collect();
    updates.push(promises.reveal_as(2, &contents[last], many[last], &answers));
    let aggregate = promises.aggregate(&updates);
    for runs in promises.in_any_order(6) {
        let run = runs.get(&promises.run).unwrap();
        assert_eq!(run.head(), aggregate);
        let committed = run.committed().unwrap();
        let kept: Vec<_> = committed.commitments_on(&promises.run).map(|(id, _)| id).collect();
        assert_eq!(kept.len(), 4);
        assert!(set(&many)[..2].iter().all(|id| kept.contains(id)));
    }
}

/// Of too many updates those with the lowest ids were looked at, and one member that revealed for
/// attempt after attempt had most of them.
#[test]
fn one_member_cannot_fill_what_a_set_is_looked_for_among() {
    let mut promises = Promises::new(4);
    let (_, honest) = promises.round(0..3);
    let content = promises.content(3);
    let mut all = honest.clone();
    for attempt in 0..12 {
        let own = promises.commit_to(3, &content, attempt);
        all.push(promises.reveal_as(3, &content, own, &[own]));
    }
    let runs = promises.bench.fold();
    let run = runs.get(&promises.run).unwrap();
    let of = |most| committing::mutual_of(run, &set(&all), &BTreeSet::new(), most).updates;
    assert_eq!(of(4), set(&honest));
    assert_eq!(of(100), set(&honest));
}

/// Who has left, or has signed two vertices for one place, is not waited for.
#[test]
fn who_does_not_take_part_any_more_is_not_waited_for() {
    let mut promises = Promises::new(4);
    let own: Vec<_> = (0..4).map(|member| promises.commit(member)).collect();
    let updates: Vec<_> = (0..2).map(|member| promises.reveal(member, own[member], &own)).collect();
    assert_eq!(promises.mutual(&updates).expected, 4);
    let run = promises.run;
    promises.bench.say(3, vec![Payload::RunLeave { run }]);
    assert_eq!(promises.mutual(&updates).expected, 3);
    let ended = BTreeSet::from([promises.bench.author(2)]);
    let runs = promises.bench.fold();
    let mutual = committing::mutual(runs.get(&run).unwrap(), &updates, &ended);
    assert_eq!(mutual.expected, 2);
}

#[test]
fn who_never_joined_is_in_no_report() {
    let mut bench = Bench::new(3);
    let run = bench.say(0, vec![Payload::RunStart(Promises::spec())]);
    bench.join(0, run);
    bench.join(1, run);
    let mut promises = Promises { bench, run, seen_ms: BTreeMap::new() };
    let (_, updates) = promises.round(0..2);
    promises.commit(2);
    let aggregate = promises.aggregate(&updates);
    assert_eq!(promises.standing(&aggregate), Standing::Valid);
    assert_eq!(promises.why_not(&aggregate, 2), None);
}

/// A member in time for the second attempt had been called late for the update of the first.
#[test]
fn only_the_attempt_that_is_aggregated_says_why_one_is_not_in_it() {
    let mut promises = Promises::new(3);
    for member in 0..3 {
        let own = promises.commit(member);
        promises.reveal(member, own, &[own]);
    }
    let contents: Vec<_> = (0..3).map(|member| promises.content(member)).collect();
    let again: Vec<_> =
        (0..3).map(|member| promises.commit_to(member, &contents[member], 1)).collect();
    let updates: Vec<_> = (0..3)
        .map(|member| promises.reveal_as(member, &contents[member], again[member], &again))
        .collect();
    let aggregate = promises.aggregate(&updates[..2]);
    assert_eq!(promises.why_not(&aggregate, 2), Some(WhyNot::LeftOut));
}
