//! One rule at a time, on quiet networks: the scenarios of raft-rs's and etcd's own tests, as far
//! as they speak of what a member does.

use std::collections::BTreeSet;

use super::super::state::Mutant;
use super::super::*;
use super::cluster::{Cluster, Setup, author, quiet};
use crate::limits;

fn take(task: &str) -> Operation {
    Operation::Take { task: task.to_owned(), version: None }
}

fn begun(setup: Setup) -> (Cluster, u8) {
    let mut cluster = Cluster::new(setup, 1);
    cluster.run(5_000);
    let leader = cluster.leader().expect("a quiet group has a leader after five seconds");
    (cluster, leader)
}

/// Somebody who does not lead.
fn follower(leader: u8) -> u8 {
    u8::from(leader == 0)
}

#[test]
fn a_group_elects_one_leader_and_keeps_it() {
    for members in [3, 4, 5, 7] {
        let (mut cluster, leader) = begun(quiet(members));
        let term = cluster.state(leader).status().term;
        cluster.run(60_000);
        assert_eq!(cluster.leader(), Some(leader));
        assert_eq!(cluster.state(leader).status().term, term, "nobody disturbs a leader");
        for at in 0..members {
            assert_eq!(cluster.state(at).status().leader, Some(author(leader)));
        }
        assert_eq!(cluster.broken(), None);
    }
}

#[test]
fn a_change_asked_of_any_member_reaches_all_of_them() {
    let (mut cluster, leader) = begun(quiet(5));
    cluster.assign(follower(leader), 1, "t");
    cluster.run(1_000);
    assert!(matches!(cluster.answer(1), Some(Ok(Ok(_)))));
    for at in 0..5 {
        assert_eq!(cluster.state(at).task("t").map(|task| task.state), Some(TaskState::Open));
    }
}

#[test]
fn of_two_that_take_a_task_one_has_it() {
    let (mut cluster, _) = begun(quiet(5));
    cluster.assign(0, 1, "t");
    cluster.run(1_000);
    (0..5).for_each(|at| cluster.propose(at, 10 + u64::from(at), take("t")));
    cluster.run(2_000);
    let won: Vec<u8> = (0..5)
        .filter(|at| matches!(cluster.answer(10 + u64::from(*at)), Some(Ok(Ok(_)))))
        .collect();
    assert_eq!(won.len(), 1, "{:?}", cluster.answers);
    let holder = TaskState::Taken(author(won[0]));
    assert!((0..5).all(|at| cluster.state(at).task("t").map(|task| task.state) == Some(holder)));
}

#[test]
fn a_version_that_was_overtaken_changes_nothing() {
    let (mut cluster, _) = begun(quiet(3));
    cluster.assign(0, 1, "t");
    cluster.run(1_000);
    let version = cluster.state(0).task("t").unwrap().version;
    cluster.propose(0, 2, Operation::Take { task: "t".to_owned(), version: Some(version) });
    cluster.run(1_000);
    // Another member takes it away, and only because it says what it has seen.
    cluster.propose(1, 3, Operation::Release { task: "t".to_owned(), version: None });
    cluster.run(1_000);
    cluster.propose(1, 4, Operation::Release { task: "t".to_owned(), version: Some(version) });
    cluster.run(1_000);
    let seen = cluster.state(1).task("t").unwrap().version;
    cluster.propose(1, 5, Operation::Release { task: "t".to_owned(), version: Some(seen) });
    cluster.run(1_000);
    assert!(matches!(cluster.answer(2), Some(Ok(Ok(_)))));
    assert_eq!(cluster.answer(3), Some(&Ok(Err(Refusal::Holder))));
    assert_eq!(cluster.answer(4), Some(&Ok(Err(Refusal::Version))));
    assert!(matches!(cluster.answer(5), Some(Ok(Ok(_)))));
}

#[test]
fn a_task_goes_from_open_to_taken_to_done_and_no_other_way() {
    let (mut cluster, _) = begun(quiet(3));
    let done = || Operation::Done { task: "t".to_owned(), version: None };
    let asked: [(u8, Operation, Outcome); 7] = [
        (0, take("t"), Err(Refusal::Unknown)),
        (
            0,
            Operation::Assign {
                task: "t".to_owned(),
                assignee: Some(author(1)),
                payload: Vec::new(),
            },
            Ok(0),
        ),
        (0, take("t"), Err(Refusal::Holder)),
        (1, done(), Err(Refusal::State)),
        (1, take("t"), Ok(0)),
        (0, done(), Err(Refusal::Holder)),
        (1, done(), Ok(0)),
    ];
    for (token, (at, operation, expected)) in (1..).zip(asked) {
        cluster.propose(at, token, operation);
        cluster.run(1_000);
        let answer = cluster.answer(token).and_then(|result| result.clone().ok());
        assert_eq!(answer.map(|outcome| outcome.map(drop)), Some(expected.map(drop)), "{token}");
    }
    cluster.propose(0, 9, take("t"));
    cluster.run(1_000);
    assert_eq!(cluster.answer(9), Some(&Ok(Err(Refusal::State))));
}

#[test]
fn a_minority_decides_nothing_and_the_rest_goes_on() {
    let (mut cluster, leader) = begun(quiet(5));
    let other = follower(leader);
    cluster.partition(&BTreeSet::from([leader, other]), true);
    cluster.assign(leader, 1, "lost");
    cluster.run(8_000);
    assert_ne!(cluster.state(leader).status().role, "leader", "it hears no majority");
    let next = cluster.leader().expect("the majority has a leader");
    assert!(next != leader && next != other);
    cluster.assign(next, 2, "kept");
    cluster.run(8_000);
    assert!(matches!(cluster.answer(2), Some(Ok(Ok(_)))));
    assert_eq!(cluster.answer(1), Some(&Err(Error::Timeout)), "in fifteen seconds");
    cluster.heal();
    cluster.run(5_000);
    for at in 0..5 {
        assert!(
            cluster.state(at).task("kept").is_some() && cluster.state(at).task("lost").is_none()
        );
    }
    assert!(cluster.broken().is_none() && cluster.logs_match());
}

#[test]
fn a_member_that_was_cut_off_does_not_disturb_when_it_comes_back() {
    let (mut cluster, leader) = begun(quiet(5));
    let term = cluster.state(leader).status().term;
    cluster.partition(&BTreeSet::from([follower(leader)]), true);
    cluster.run(30_000);
    cluster.heal();
    cluster.run(5_000);
    assert_eq!(cluster.leader(), Some(leader), "its polls have changed no term");
    assert_eq!(cluster.state(leader).status().term, term);
}

#[test]
fn a_leader_that_hears_nobody_although_it_is_heard_is_replaced() {
    let (mut cluster, leader) = begun(quiet(3));
    let others = (0..3).filter(|at| *at != leader).collect();
    cluster.partition(&others, false);
    cluster.run(10_000);
    assert_ne!(cluster.state(leader).status().role, "leader");
    assert!(cluster.leader().is_some_and(|next| next != leader));
}

#[test]
fn leadership_is_handed_over_without_an_election_timeout() {
    let (mut cluster, leader) = begun(quiet(3));
    let heir = cluster.state(leader).heir().expect("somebody is up to date");
    cluster.step(leader, Input::Transfer(heir));
    cluster.run(300);
    assert_eq!(cluster.leader().map(author), Some(heir));
    cluster.assign(leader, 1, "t");
    cluster.run(1_000);
    assert!(matches!(cluster.answer(1), Some(Ok(Ok(_)))));
}

#[test]
fn a_member_that_is_far_behind_gets_a_snapshot() {
    let setup = Setup {
        config: Config { snapshot_entries: 16, keep_entries: 4, ..quiet(3).config },
        ..quiet(3)
    };
    let (mut cluster, leader) = begun(setup);
    let late = follower(leader);
    cluster.crash(late);
    for token in 1..60 {
        cluster.assign(leader, token, &format!("task {token}"));
    }
    cluster.run(5_000);
    let base = cluster.state(leader).log.base().index;
    assert!(base > 30, "what it needs is not in the log any more: {base}");
    cluster.start(late);
    cluster.run(3_000);
    assert_eq!(cluster.state(late).tasks().len(), 59);
    assert_eq!(cluster.state(late).status().commit, cluster.state(leader).status().commit);
    assert_eq!(cluster.broken(), None);
}

#[test]
fn a_group_that_lost_its_power_comes_back_with_everything() {
    let (mut cluster, leader) = begun(quiet(3));
    for token in 1..=20 {
        cluster.assign(leader, token, &format!("task {token}"));
    }
    cluster.run(5_000);
    assert!((1..=20).all(|token| matches!(cluster.answer(token), Some(Ok(Ok(_))))));
    (0..3).for_each(|at| cluster.crash(at));
    cluster.run(1_000);
    (0..3).for_each(|at| cluster.start(at));
    cluster.run(5_000);
    assert!((0..3).all(|at| cluster.state(at).tasks().len() == 20));
}

#[test]
fn members_are_added_and_removed_one_at_a_time() {
    let (mut cluster, leader) = begun(Setup { spares: 1, ..quiet(3) });
    assert_eq!(cluster.state(3).status().role, "none");
    cluster.assign(3, 1, "not mine");
    assert_eq!(cluster.answer(1), Some(&Err(Error::NotMember)));
    cluster.propose(0, 2, Operation::Add { member: author(3), version: 0 });
    cluster.run(3_000);
    assert!(matches!(cluster.answer(2), Some(Ok(Ok(_)))));
    assert_eq!(cluster.state(3).status().leader, Some(author(leader)));
    cluster.assign(3, 3, "mine");
    cluster.run(1_000);
    assert!(matches!(cluster.answer(3), Some(Ok(Ok(_)))));
    // The version it was conditional on is over.
    cluster.propose(0, 4, Operation::Remove { member: author(3), version: 0 });
    cluster.run(1_000);
    assert_eq!(cluster.answer(4), Some(&Ok(Err(Refusal::Version))));
    let version = cluster.state(0).membership().version;
    cluster.propose(0, 5, Operation::Remove { member: author(leader), version });
    cluster.run(10_000);
    assert!(matches!(cluster.answer(5), Some(Ok(Ok(_)))));
    assert_eq!(cluster.state(leader).status().role, "none", "a leader that is removed goes");
    let next = cluster.leader().expect("the others elect one");
    assert_ne!(next, leader);
    let version = cluster.state(next).membership().version;
    cluster.propose(next, 6, Operation::Remove { member: author(next), version });
    cluster.run(3_000);
    assert_eq!(cluster.answer(6), Some(&Ok(Err(Refusal::Members))), "three are the least");
    assert_eq!(cluster.broken(), None);
}

/// A leader that only two newcomers can hear asks for both of them at once.
fn two_changes_at_once(mutant: Option<Mutant>) -> Cluster {
    let (mut cluster, leader) = begun(Setup { spares: 2, mutant, ..quiet(3) });
    let others = (0..3).filter(|at| *at != leader).collect();
    cluster.partition(&others, true);
    let version = cluster.state(leader).log.last().index + 1;
    cluster.propose(leader, 1, Operation::Add { member: author(3), version: 0 });
    // As a member asks whose request comes while the first is on its way.
    let operation = Operation::Add { member: author(4), version };
    let request = Request { author: author(others_first(&others)), number: 1, operation };
    let message = Message { term: 1, body: Body::Propose(request) };
    let from = author(others_first(&others));
    cluster.step(leader, Input::Message { from, message });
    cluster.run(10_000);
    cluster
}

fn others_first(others: &BTreeSet<u8>) -> u8 {
    *others.first().expect("two others")
}

#[test]
fn a_second_change_of_the_members_waits_for_the_first() {
    let cluster = two_changes_at_once(None);
    assert_eq!(cluster.broken(), None);
    let broken = two_changes_at_once(Some(Mutant::ManyChanges));
    assert!(broken.broken().is_some(), "two majorities that have nobody in common");
}

#[test]
fn a_member_that_was_away_when_it_was_removed_is_told() {
    let (mut cluster, leader) = begun(quiet(4));
    let gone = follower(leader);
    cluster.crash(gone);
    cluster.propose(leader, 1, Operation::Remove { member: author(gone), version: 0 });
    cluster.run(3_000);
    cluster.start(gone);
    cluster.run(10_000);
    assert_eq!(cluster.state(gone).status().role, "none");
    cluster.assign(gone, 2, "t");
    assert_eq!(cluster.answer(2), Some(&Err(Error::NotMember)));
}

#[test]
fn a_request_that_is_sent_twice_counts_once() {
    // Every message twice, and so slow that requests are sent again before they are answered.
    let slow = Setup { doubled: 100, latency_ms: (200, 400), ..quiet(3) };
    let slow = Setup { config: Config { election_ticks: 40, ..slow.config }, ..slow };
    let mut cluster = Cluster::new(slow, 3);
    cluster.run(30_000);
    for token in 1..=5 {
        cluster.assign(follower(cluster.leader().unwrap()), token, &format!("task {token}"));
    }
    cluster.run(30_000);
    assert!((1..=5).all(|token| matches!(cluster.answer(token), Some(Ok(Ok(_))))));
}

#[test]
fn a_group_that_is_full_forgets_what_is_done_first() {
    let (mut cluster, leader) = begun(quiet(3));
    let most = u64::try_from(limits::GROUP_TASKS_MAX).unwrap();
    for token in 1..=most {
        cluster.assign(leader, token, &format!("task {token}"));
        cluster.run(100);
    }
    cluster.run(5_000);
    cluster.assign(leader, 1_001, "one more");
    cluster.run(1_000);
    assert_eq!(cluster.answer(1_001), Some(&Ok(Err(Refusal::Full))));
    cluster.propose(leader, 1_002, take("task 7"));
    let done = Operation::Done { task: "task 7".to_owned(), version: None };
    cluster.propose(leader, 1_003, done);
    cluster.assign(leader, 1_004, "one more");
    cluster.run(2_000);
    assert!(matches!(cluster.answer(1_004), Some(Ok(Ok(_)))));
    assert!(cluster.state(leader).task("task 7").is_none());
    assert!(cluster.state(leader).task("task 1").is_some());
}

#[test]
fn no_more_waits_than_is_bounded() {
    let (mut cluster, leader) = begun(quiet(3));
    let others = (0..3).filter(|at| *at != leader).collect();
    cluster.partition(&others, true);
    for token in 0..200 {
        cluster.assign(leader, token, &format!("task {token}"));
        cluster.step(leader, Input::Read { token: 1_000 + token });
    }
    let busy = |answer: &&super::cluster::Answer| answer.result == Err(Error::Busy);
    let refused = cluster.answers.iter().filter(busy).count();
    let waiting = limits::GROUP_PROPOSALS_MAX + 1 + limits::GROUP_READS_MAX;
    assert_eq!(refused, 400 - waiting);
    assert!(cluster.state(leader).log.last().index < 2 + limits::GROUP_UNCOMMITTED_MAX);
}

#[test]
fn what_is_too_long_is_refused_before_it_is_sent() {
    let (mut cluster, leader) = begun(quiet(3));
    let payload = vec![0; limits::GROUP_PAYLOAD_BYTES_MAX + 1];
    let task = "t".to_owned();
    cluster.propose(leader, 1, Operation::Assign { task, assignee: None, payload });
    cluster.assign(leader, 2, " blank");
    cluster.assign(leader, 3, &"t".repeat(limits::GROUP_TASK_NAME_BYTES_MAX + 1));
    assert!(matches!(cluster.answer(1), Some(Err(Error::Payload { bytes: 1_025 }))));
    assert!(matches!(cluster.answer(2), Some(Err(Error::Name { .. }))));
    assert!(matches!(cluster.answer(3), Some(Err(Error::Name { .. }))));
}

#[test]
fn a_genesis_names_its_group_and_hides_its_secret() {
    let cluster = Cluster::new(quiet(3), 5);
    let again = Genesis::decode(&cluster.genesis.encode()).unwrap();
    assert_eq!(again, cluster.genesis);
    assert_eq!(again.id().to_string().parse(), Ok(again.id()));
    assert!("A".repeat(52).parse::<GroupId>().is_err());
    let secret = format!("{:?}", cluster.genesis.secret());
    assert!(!format!("{:?}", cluster.genesis).contains(&secret));
    let mut rng = crate::rng::Rng::from_u64(1);
    let network = cluster.genesis.network();
    let mut made = |places: &[u8]| {
        let members = places.iter().copied().map(author).collect();
        Genesis::new(network, "g", members, &mut rng).map(|genesis| genesis.id())
    };
    assert_eq!(made(&[1, 2]), Err(Error::Members { count: 2 }));
    assert_eq!(made(&[1, 2, 2]), Err(Error::Members { count: 3 }));
    assert_eq!(made(&[1, 2, 3, 4, 5, 6, 7, 8]), Err(Error::Members { count: 8 }));
    assert_ne!(made(&[1, 2, 3]), made(&[1, 2, 3]), "two secrets");
}
