//! The bytes of commitments and reveals, as they were when they were defined, and what is refused.

use super::super::{BlobId, Payload, cbor};
use super::*;
use crate::identity::NetworkId;

const GOLDEN: &str = include_str!("../../../tests/vectors/commitment.txt");
const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);
const BOUNDS: cbor::Bounds =
    cbor::Bounds { bytes_max: 1 << 16, items_max: 1_024, depth_max: limits::VERTEX_DEPTH_MAX };

fn vertex(number: u16) -> VertexId {
    VertexId::of(&number.to_le_bytes())
}

fn vertices(count: usize) -> Vec<VertexId> {
    let mut ids: Vec<VertexId> = (0_u16..).take(count).map(vertex).collect();
    ids.sort_unstable();
    ids
}

fn update(reveal: Option<Reveal>) -> Update {
    Update {
        run: vertex(1),
        base: vertex(2),
        round: 3,
        samples: 150,
        delta: BlobId::of(b"delta"),
        delta_bytes: 268,
        cohort: None,
        reveal,
    }
}

fn reveal(answers: Vec<VertexId>) -> Reveal {
    Reveal { commitment: vertex(1), nonce: [9; 32].into(), answers }
}

fn author() -> AuthorId {
    AuthorId::from_bytes([5; 32])
}

fn payloads() -> Vec<(&'static str, Payload)> {
    let hash = hash(&update(None), &author(), &[9; 32]).into();
    let commitment = Commitment { run: vertex(1), base: vertex(2), attempt: 1, hash };
    vec![
        ("commitment", Payload::Commitment(commitment)),
        ("update", Payload::Update(update(Some(reveal(vertices(3)))))),
    ]
}

/// `GOLDEN=write` writes them anew.
#[test]
fn both_steps_have_their_golden_bytes_and_read_back() {
    let written: Vec<String> = payloads()
        .into_iter()
        .map(|(name, payload)| {
            let bytes = cbor::encode(&payload).unwrap();
            assert_eq!(cbor::decode(&bytes, &BOUNDS).as_ref(), Ok(&payload), "{name}");
            assert_eq!(payload.validate(&NETWORK), Ok(()), "{name}");
            format!("{name} {}", data_encoding::HEXLOWER.encode(&bytes))
        })
        .collect();
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/commitment.txt");
        return std::fs::write(path, written.join("\n") + "\n").unwrap();
    }
    assert_eq!(written.join("\n"), GOLDEN.trim_end());
}

/// An update of a run without commitments is written as it always was.
#[test]
fn an_update_that_reveals_nothing_says_nothing_of_it() {
    let bytes = cbor::encode(&Payload::Update(update(None))).unwrap();
    assert!(!bytes.windows(6).any(|part| part == b"reveal"));
}

/// Whatever counts of an update is in the hash, its author as well: nobody can take over what
/// another committed to.
#[test]
fn a_commitment_is_to_everything_that_counts() {
    let plain = update(None);
    let committed = hash(&plain, &author(), &[9; 32]);
    let others = [
        Update { run: vertex(7), ..plain.clone() },
        Update { base: vertex(7), ..plain.clone() },
        Update { round: 4, ..plain.clone() },
        Update { samples: 151, ..plain.clone() },
        Update { delta: BlobId::of(b"other"), ..plain.clone() },
    ];
    for other in others {
        assert_ne!(hash(&other, &author(), &[9; 32]), committed, "{other:?}");
    }
    assert_ne!(hash(&plain, &AuthorId::from_bytes([6; 32]), &[9; 32]), committed);
    assert_ne!(hash(&plain, &author(), &[8; 32]), committed, "the nonce hides it");
    let opened = update(Some(reveal(vertices(1))));
    assert_eq!(hash(&opened, &author(), &[9; 32]), committed, "what opens it is no part of it");
}

#[test]
fn steps_out_of_bounds_are_refused() {
    let refuse = |payload: Payload, code: &str| {
        let refused = payload.validate(&NETWORK).expect_err("refused");
        assert_eq!((refused.code(), refused.fault()), (code, super::super::Fault::Malformed));
    };
    let answering = |answers| Payload::Update(update(Some(reveal(answers))));
    refuse(answering(Vec::new()), "vertex-range");
    refuse(answering(vertices(limits::AGGREGATE_UPDATES_MAX + 1)), "vertex-range");
    let mut turned = vertices(3);
    turned.swap(0, 1);
    refuse(answering(turned), "vertex-order");
    refuse(answering(vec![vertex(1), vertex(1)]), "vertex-order");
}

#[test]
fn every_part_of_a_step_that_is_cut_or_changed_is_read_or_refused() {
    for (name, payload) in payloads() {
        let bytes = cbor::encode(&payload).unwrap();
        for end in 0..bytes.len() {
            assert!(cbor::decode::<Payload>(&bytes[..end], &BOUNDS).is_err(), "{name} {end}");
            let mut changed = bytes.clone();
            changed[end] ^= 0x10;
            if let Ok(read) = cbor::decode::<Payload>(&changed, &BOUNDS) {
                let _ = read.validate(&NETWORK);
                assert_ne!(read, payload, "{name} {end}");
            }
        }
    }
}

/// An update that answers the most members fits a vertex beside everything else.
#[test]
fn the_largest_reveal_fits_a_vertex() {
    let answers = vertices(limits::AGGREGATE_UPDATES_MAX);
    let bytes = cbor::encode(&Payload::Update(update(Some(reveal(answers))))).unwrap();
    assert!(bytes.len() < 12 << 10 && bytes.len() < limits::FLUSH_BYTES, "{}", bytes.len());
}
