//! What is fuzzed of groups: a member that hears anything.

use std::collections::BTreeMap;

use synaptic_mesh::group;
use synaptic_mesh::identity::AuthorId;
use synaptic_mesh::rng::Rng;

use super::{NETWORK, framed};

/// Packets of a group, each behind its author and its length in two bytes, given to a member that
/// leads whenever it is let; an empty one is a few ticks. What it stores can always be restored.
pub(crate) fn group_state(data: &[u8]) {
    let member = |place: u8| AuthorId::from_bytes([place; 32]);
    let (stored, rng) = (group::Stored::new(genesis()), Rng::from_u64(2));
    let config = group::Config { snapshot_entries: 4, keep_entries: 1, ..Default::default() };
    let mut state = group::State::new(config, stored, member(0), rng);
    let (mut rest, mut disk) = (data, BTreeMap::from([group::genesis_record(&genesis())]));
    while let Some(([author, high, low], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (bytes, next) = after.split_at(length);
        rest = next;
        let packet = group::Packet::decode(bytes);
        let mut inputs = match &packet {
            Ok(group::Packet::Message { message, .. }) => {
                let (from, message) = (member(1 + author % 3), message.clone());
                vec![group::Input::Message { from, message }]
            }
            _ => vec![group::Input::Tick; usize::from(*author % 64)],
        };
        if let Ok(packet) = packet {
            assert_eq!(packet.encode(), bytes);
        }
        while let Some(input) = inputs.pop() {
            let mut out = Vec::new();
            state.handle(input, &mut out);
            for output in out {
                if let group::Output::Persist(write) = output {
                    disk.extend(write.records(&state.genesis().id()));
                    inputs.push(group::Input::Persisted(write.number));
                }
            }
        }
    }
    let disk: Vec<(String, Vec<u8>)> = disk.into_iter().collect();
    let again = group::Stored::restore(&disk).expect("an own store can be read").remove(0);
    let again = group::State::new(config, again, member(0), Rng::from_u64(3));
    let (one, other) = (state.status(), again.status());
    assert_eq!((one.term, one.last), (other.term, other.last), "something was forgotten");
}

fn genesis() -> group::Genesis {
    let members = (0..4).map(|place| AuthorId::from_bytes([place; 32])).collect();
    group::Genesis::new(NETWORK, "fuzz", members, &mut Rng::from_u64(1)).expect("four members")
}

/// What a member hears that follows, and one that is elected.
pub(super) fn sessions() -> Vec<Vec<u8>> {
    use group::{Body, Entry, Operation, Position, Request};
    let (begun, author) = (genesis(), AuthorId::from_bytes([1; 32]));
    let said = |from: u8, term, body| {
        let packet = group::Packet::new(&begun, group::Message { term, body });
        [vec![from - 1], framed(packet.encode())].concat()
    };
    let ticks = |count: u8| [vec![count], framed(Vec::new())].concat();
    let at = |index| Position { term: 1, index };
    let task = || "task".to_owned();
    let operations = [
        Operation::Assign { task: task(), assignee: None, payload: vec![7; 9] },
        Operation::Take { task: task(), version: Some(1) },
        Operation::Release { task: task(), version: None },
        Operation::Add { member: AuthorId::from_bytes([4; 32]), version: 0 },
        Operation::Done { task: task(), version: None },
        Operation::Remove { member: author, version: 4 },
    ];
    let request = |number, operation| Request { author, number, operation };
    let log = (1..).zip(operations).map(|(index, operation)| Entry {
        at: at(index),
        request: Some(request(index, operation)),
    });
    let entries: Vec<Entry> = log.collect();
    let last = at(6);
    let appended = Body::Append { previous: Position::default(), commit: 6, round: 1, entries };
    let follows = [
        said(1, 1, Body::PreVote { last: Position::default() }),
        said(1, 1, Body::Vote { last: Position::default(), transfer: false }),
        said(1, 1, appended),
        said(1, 1, Body::ReadAt { read: 1, index: 6 }),
        said(1, 1, Body::Campaign),
        said(2, 2, Body::Voted { granted: true }),
        said(3, 2, Body::Voted { granted: true }),
        said(3, 3, Body::Vote { last, transfer: true }),
        said(2, 3, Body::Gone { version: 9 }),
    ];
    let operation = Operation::Take { task: task(), version: None };
    let leads = [
        ticks(63),
        said(1, 0, Body::PreVoted { asked: 0, granted: true }),
        said(2, 0, Body::PreVoted { asked: 0, granted: true }),
        said(1, 1, Body::Voted { granted: true }),
        said(2, 1, Body::Voted { granted: true }),
        said(1, 1, Body::Appended { accepted: true, index: 1, round: 0 }),
        said(2, 1, Body::Appended { accepted: true, index: 1, round: 0 }),
        said(1, 1, Body::Propose(request(1, operation))),
        said(1, 1, Body::Read { read: 5 }),
        said(1, 1, Body::Appended { accepted: true, index: 2, round: 1 }),
        said(3, 1, Body::Appended { accepted: false, index: 0, round: 1 }),
        ticks(30),
    ];
    let invited = [vec![0], framed(group::Packet::invite(&begun).encode())].concat();
    vec![follows.concat(), leads.concat(), invited]
}
