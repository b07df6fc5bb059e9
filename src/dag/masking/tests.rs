//! The bytes of every statement about masks, as they were when they were defined, and what is
//! refused.

use super::super::{Payload, Update, cbor};
use super::*;
use crate::dag::BlobId;
use crate::identity::NetworkId;

const GOLDEN: &str = include_str!("../../../tests/vectors/masking.txt");
const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);
const BOUNDS: cbor::Bounds =
    cbor::Bounds { bytes_max: 1 << 16, items_max: 1_024, depth_max: limits::VERTEX_DEPTH_MAX };

fn vertex(number: u8) -> VertexId {
    VertexId::of(&[number])
}

fn vertices(count: usize) -> Vec<VertexId> {
    let mut ids: Vec<VertexId> = (0_u8..).take(count).map(vertex).collect();
    ids.sort_unstable();
    ids
}

fn deal(holders: u8) -> Deal {
    let dealt = |holder| Dealt {
        holder: AuthorId::from_bytes([holder; 32]),
        sealed: [holder; SEALED_BYTES].into(),
        own: [1; 32].into(),
        key: [2; 32].into(),
    };
    Deal {
        run: vertex(1),
        base: vertex(2),
        key: [3; 32].into(),
        commitment: [4; 32].into(),
        shares: (0..holders).map(dealt).collect(),
    }
}

fn cohort(deals: usize) -> Statement {
    Statement::Cohort(Cohort { run: vertex(1), base: vertex(2), deals: vertices(deals) })
}

fn unmask(shares: &[(u8, [u8; 32])]) -> Unmask {
    Unmask::new(vertex(1), vertex(4), shares)
}

fn payloads() -> Vec<(&'static str, Payload)> {
    let closing = Closing { run: vertex(1), cohort: vertex(3), updates: vertices(3) };
    let update = Update {
        run: vertex(1),
        base: vertex(2),
        round: 1,
        samples: 150,
        delta: BlobId::of(b"delta"),
        delta_bytes: 536,
        cohort: Some(vertex(3)),
        reveal: None,
    };
    let statements = [
        ("deal", Statement::Deal(deal(3))),
        ("cohort", cohort(3)),
        ("closing", Statement::Closing(closing)),
        ("unmask", Statement::Unmask(unmask(&[(0, [5; 32]), (2, [6; 32])]))),
    ];
    let join = Payload::RunJoin { run: vertex(1), samples: 150, key: Some([8; 32].into()) };
    let mut payloads = vec![("run-join", join), ("update", Payload::Update(update))];
    payloads.extend(statements.map(|(name, statement)| (name, Payload::Masking(statement))));
    payloads
}

/// `GOLDEN=write` writes them anew.
#[test]
fn every_statement_has_its_golden_bytes_and_reads_back() {
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
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/masking.txt");
        return std::fs::write(path, written.join("\n") + "\n").unwrap();
    }
    assert_eq!(written.join("\n"), GOLDEN.trim_end());
}

#[test]
fn statements_out_of_bounds_are_refused() {
    let refuse = |statement: Statement, code: &str| {
        let refused = Payload::Masking(statement).validate(&NETWORK).expect_err("refused");
        assert_eq!((refused.code(), refused.fault()), (code, super::super::Fault::Malformed));
    };
    let most = limits::MASKING_MEMBERS_MAX;
    for count in [0, 2, most + 1] {
        refuse(Statement::Deal(deal(u8::try_from(count).unwrap())), "vertex-range");
        refuse(cohort(count), "vertex-range");
        let (run, cohort, updates) = (vertex(1), vertex(3), vertices(count));
        refuse(Statement::Closing(Closing { run, cohort, updates }), "vertex-range");
    }
    let mut turned = deal(3);
    turned.shares.swap(0, 1);
    refuse(Statement::Deal(turned), "vertex-order");
    refuse(Statement::Unmask(unmask(&[])), "vertex-range");
    refuse(Statement::Unmask(unmask(&[(1, [0; 32]), (1, [0; 32])])), "vertex-order");
    for bytes in [1, 32, 34, 33 * (most + 1)] {
        let shares = ByteBuf::from(vec![0; bytes]);
        refuse(Statement::Unmask(Unmask { shares, ..unmask(&[]) }), "vertex-range");
    }
}

#[test]
fn every_part_of_a_statement_that_is_cut_or_changed_is_read_or_refused() {
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

/// A deal for the most members fits a vertex beside everything else.
#[test]
fn the_largest_deal_fits_a_vertex() {
    let most = u8::try_from(limits::MASKING_MEMBERS_MAX).unwrap();
    let bytes = cbor::encode(&Payload::Masking(Statement::Deal(deal(most)))).unwrap();
    assert!(bytes.len() < 16 << 10 && bytes.len() < limits::FLUSH_BYTES, "{}", bytes.len());
}
