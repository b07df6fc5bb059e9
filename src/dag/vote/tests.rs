//! The bytes of every vote, as they were when this version was written, and what is refused.

use super::super::{Citation, Payload, cbor};
use super::*;

const GOLDEN: &str = include_str!("../../../tests/vectors/votes.txt");
const BOUNDS: cbor::Bounds =
    cbor::Bounds { bytes_max: 1 << 16, items_max: 1_024, depth_max: limits::VERTEX_DEPTH_MAX };

fn block() -> Block {
    let (item, key) = (ItemId(VertexId::of(b"item"), 3), ConflictKey::derive("test", &[b"key"]));
    let cut = Cut {
        decisions: vec![Decision(key, item)],
        frontier: vec![Citation {
            id: VertexId::of(b"tip"),
            author: AuthorId::from_bytes([4; 32]),
            seq: 7,
            lamport: 9,
        }],
        state_root: [5; 32],
    };
    let proposer = AuthorId::from_bytes([6; 32]);
    Block { slot: 1, view: 2, proposer, items: vec![item], cut: Some(cut), closers: vec![0, 2, 3] }
}

fn votes() -> Vec<(&'static str, Vote)> {
    let (item, key) = (ItemId(VertexId::of(b"item"), 3), ConflictKey::derive("test", &[b"key"]));
    let id = block().id();
    let signature = CheckpointSignature(Signature::from_bytes(&[7; 3373]).unwrap());
    vec![
        ("lock", Vote::Lock(Decision(key, item))),
        ("commit", Vote::Commit(Decision(key, item))),
        ("contested", Vote::Contested(key, None)),
        ("contested-shown", Vote::Contested(key, Some(item))),
        ("propose", Vote::Propose(2, block())),
        ("enter", Vote::Enter(1, 2, None)),
        ("enter-shown", Vote::Enter(1, 2, Some(Locked(1, id)))),
        ("lock-block", Vote::LockBlock(1, 2, id)),
        ("commit-block", Vote::CommitBlock(1, 2, id)),
        ("close", Vote::Close(vec![Decision(key, item)])),
        ("sign", Vote::Sign(4, signature)),
    ]
}

fn payloads() -> Vec<(&'static str, Payload)> {
    let one = |vote| Payload::Votes(Votes { epoch: 0, votes: vec![vote] });
    let mut all: Vec<_> = votes().into_iter().map(|(name, vote)| (name, one(vote))).collect();
    let members = (1..5).map(|number| (AuthorId::from_bytes([number; 32]), 1)).collect();
    all.push(("committee", Payload::Committee(Seats { epoch: 1, members })));
    all
}

#[test]
fn every_vote_has_its_golden_bytes_and_reads_back() {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let written: Vec<String> = payloads()
        .iter()
        .map(|(name, payload)| {
            let bytes = cbor::encode(payload).unwrap();
            assert_eq!(cbor::decode(&bytes, &BOUNDS).as_ref(), Ok(payload), "{name}");
            assert_eq!(payload.validate(&NETWORK), Ok(()), "{name}");
            format!("{name} {}", hex(&bytes))
        })
        .collect();
    assert_eq!(written.join("\n"), GOLDEN.trim_end());
}

const NETWORK: crate::identity::NetworkId = crate::identity::NetworkId::from_bytes([7; 32]);

#[test]
fn votes_out_of_bounds_are_refused() {
    let refuse = |vote: Vote, code: &str| {
        let payload = Payload::Votes(Votes { epoch: 0, votes: vec![vote] });
        assert_eq!(payload.validate(&NETWORK).expect_err("refused").code(), code);
    };
    let id = block().id();
    // A view before the block was made, a status for view 0, one that shows its own view.
    refuse(Vote::Propose(1, block()), "vertex-range");
    refuse(Vote::Enter(1, 0, None), "vertex-range");
    refuse(Vote::Enter(1, 2, Some(Locked(2, id))), "vertex-range");
    refuse(Vote::LockBlock(1, limits::VIEWS_MAX + 1, id), "vertex-range");
    let mut twice = block();
    let cut = twice.cut.as_mut().unwrap();
    cut.decisions.push(cut.decisions[0]);
    refuse(Vote::Propose(2, twice), "vertex-order");
    let none = Payload::Votes(Votes { epoch: 0, votes: Vec::new() });
    assert!(none.validate(&NETWORK).is_err());
    let three = (1..4).map(|number| (AuthorId::from_bytes([number; 32]), 1)).collect();
    assert!(Payload::Committee(Seats { epoch: 1, members: three }).validate(&NETWORK).is_err());
}

#[test]
fn keys_of_other_uses_and_other_parts_differ() {
    let key = ConflictKey::derive("name", &[b"ab", b"c"]);
    assert_eq!(key, ConflictKey::derive("name", &[b"ab", b"c"]));
    assert_ne!(key, ConflictKey::derive("name", &[b"a", b"bc"]));
    assert_ne!(key, ConflictKey::derive("names", &[b"ab", b"c"]));
}
