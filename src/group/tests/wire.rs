//! The bytes of packets, which other implementations read, and what is refused of them.

use data_encoding::HEXLOWER;
use serde_bytes::ByteBuf;

use super::super::machine::Machine;
use super::super::*;
use super::cluster::author;
use crate::dag::cbor;
use crate::identity::NetworkId;
use crate::limits;
use crate::rng::Rng;

/// One line for each packet: its name and its bytes in hex. Made by this program, version 0.1.0.
const GOLDEN: &str = include_str!("../../../tests/vectors/group.txt");

fn genesis() -> Genesis {
    let members = (1..4).map(author).collect();
    let network = NetworkId::from_bytes([7; 32]);
    Genesis::new(network, "work", members, &mut Rng::from_u64(1)).unwrap()
}

fn at(term: u64, index: u64) -> Position {
    Position { term, index }
}

fn request(number: u64, operation: Operation) -> Request {
    Request { author: author(1), number, operation }
}

/// A log with every operation.
fn entries() -> Vec<Entry> {
    let task = || "task".to_owned();
    let operations = [
        Operation::Assign { task: task(), assignee: Some(author(1)), payload: vec![1, 2] },
        Operation::Take { task: task(), version: Some(2) },
        Operation::Release { task: task(), version: None },
        Operation::Done { task: task(), version: None },
        Operation::Add { member: author(4), version: 0 },
        Operation::Remove { member: author(2), version: 6 },
    ];
    let first = Entry { at: at(2, 1), request: None };
    let others = (2..).zip(operations).map(|(index, operation)| Entry {
        at: at(2, index),
        request: Some(request(index, operation)),
    });
    std::iter::once(first).chain(others).collect()
}

fn packets() -> Vec<(&'static str, Packet)> {
    let mut machine = Machine::new(&genesis());
    for entry in &entries() {
        machine.apply(entry);
    }
    let image = ByteBuf::from(machine.encode());
    let last = at(2, 7);
    let bodies = [
        ("pre-vote", Body::PreVote { last }),
        ("pre-voted", Body::PreVoted { asked: 2, granted: true }),
        ("vote", Body::Vote { last, transfer: false }),
        ("voted", Body::Voted { granted: true }),
        ("append", Body::Append { previous: at(0, 0), commit: 3, round: 9, entries: entries() }),
        ("appended", Body::Appended { accepted: true, index: 7, round: 9 }),
        ("install", Body::Install { round: 9, image }),
        ("campaign", Body::Campaign),
        (
            "propose",
            Body::Propose(request(5, Operation::Take { task: "task".to_owned(), version: None })),
        ),
        ("read", Body::Read { read: 4 }),
        ("read-at", Body::ReadAt { read: 4, index: 7 }),
        ("gone", Body::Gone { version: 7 }),
    ];
    let said =
        bodies.map(|(name, body)| (name, Packet::new(&genesis(), Message { term: 2, body })));
    [("invite", Packet::invite(&genesis()))].into_iter().chain(said).collect()
}

#[test]
fn packets_have_the_bytes_that_are_published() {
    let lines = packets().into_iter().map(|(name, packet)| {
        assert_eq!(Packet::decode(&packet.encode()).as_ref(), Ok(&packet), "{name}");
        format!("{name} {}\n", HEXLOWER.encode(&packet.encode()))
    });
    let made: String = lines.collect();
    assert!(made == GOLDEN, "changed bytes are a new protocol; made were:\n{made}");
}

#[test]
fn receipts_are_one_word() {
    for (receipt, word) in
        [(Receipt::Taken, "etaken"), (Receipt::Unknown, "gunknown"), (Receipt::Refused, "grefused")]
    {
        assert_eq!(receipt.encode(), word.as_bytes());
        assert_eq!(Receipt::decode(word.as_bytes()), Ok(receipt));
    }
    assert!(Receipt::decode(b"dtook").is_err());
}

#[test]
fn messages_that_contradict_themselves_are_refused() {
    let append = |previous, term, entries| Message {
        term,
        body: Body::Append { previous, commit: 0, round: 0, entries },
    };
    let entry = |term, index| Entry { at: at(term, index), request: None };
    let long = || Operation::Take { task: "t".repeat(65), version: None };
    let huge = Operation::Assign {
        task: "t".to_owned(),
        assignee: None,
        payload: vec![0; limits::GROUP_PAYLOAD_BYTES_MAX + 1],
    };
    let many = (1..66).map(|index| entry(1, index)).collect();
    let refused = [
        append(at(0, 0), 2, vec![entry(1, 2)]),
        append(at(1, 1), 2, vec![entry(2, 2), entry(1, 3)]),
        append(at(1, 1), 2, vec![entry(3, 2)]),
        append(at(0, 1), 2, Vec::new()),
        append(at(1, 0), 2, Vec::new()),
        append(at(3, 1), 2, Vec::new()),
        append(at(0, 0), 2, many),
        append(at(0, 0), 1 << 53, Vec::new()),
        Message { term: 1, body: Body::Vote { last: at(2, 1), transfer: false } },
        Message { term: 1, body: Body::Propose(request(1, long())) },
        Message { term: 1, body: Body::Propose(request(1, huge)) },
        Message { term: 1, body: Body::Install { round: 0, image: ByteBuf::from(vec![0xa0]) } },
        Message {
            term: 1,
            body: Body::Install { round: 0, image: Machine::new(&genesis()).encode().into() },
        },
    ];
    for message in refused {
        let packet = Packet::new(&genesis(), message.clone());
        assert!(Packet::decode(&packet.encode()).is_err(), "{message:?}");
    }
    let sound = append(at(1, 1), 2, vec![entry(1, 2), entry(2, 3)]);
    assert!(Packet::decode(&Packet::new(&genesis(), sound).encode()).is_ok());
}

/// More than half a megabyte of tasks with the longest names and payloads fits one message.
#[test]
fn the_largest_state_fits_a_snapshot() {
    let mut machine = Machine::new(&genesis());
    for index in 1..=u64::try_from(limits::GROUP_TASKS_MAX).unwrap() {
        let task = format!("{index:0>64}");
        let payload = vec![255; limits::GROUP_PAYLOAD_BYTES_MAX];
        let operation = Operation::Assign { task, assignee: Some(author(2)), payload };
        machine.apply(&Entry { at: at(1, index), request: Some(request(index, operation)) });
    }
    assert_eq!(machine.tasks().len(), limits::GROUP_TASKS_MAX);
    let body = Body::Install { round: 1, image: machine.encode().into() };
    let packet = Packet::new(&genesis(), Message { term: 1, body });
    assert!(packet.encode().len() <= limits::GROUP_MESSAGE_BYTES_MAX);
    assert_eq!(Packet::decode(&packet.encode()), Ok(packet));
}

#[test]
fn a_store_that_contradicts_itself_is_refused() {
    let write = Write {
        number: 1,
        head: Head { term: 2, vote: None, last: 7, life: 1 },
        image: None,
        entries: entries(),
    };
    let mut records = write.records(&genesis().id());
    records.push(genesis_record(&genesis()));
    assert_eq!(Stored::restore(&records).unwrap().len(), 1);
    let lost = |part: &str| {
        let left = records.iter().filter(|(name, _)| !name.ends_with(part));
        Stored::restore(&left.cloned().collect::<Vec<_>>())
    };
    assert!(lost("/entry/4").is_err(), "an entry in the middle");
    assert!(lost("/entry/7").is_err(), "the last one");
    let older = Head { term: 1, ..write.head };
    let head = (format!("{PREFIX}{}/head", genesis().id()), cbor::encode(&older).unwrap());
    let changed = records.iter().filter(|(name, _)| !name.ends_with("/head")).cloned();
    let changed: Vec<_> = changed.chain([head]).collect();
    assert!(Stored::restore(&changed).is_err(), "entries of a term it was never in");
}
