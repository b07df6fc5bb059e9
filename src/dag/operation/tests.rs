//! The bytes of every operation, as they were when this version was written, and what is refused.

use super::super::{Payload, VertexId, cbor};
use super::*;
use crate::identity::NetworkId;

const GOLDEN: &str = include_str!("../../../tests/vectors/operations.txt");
const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);
const BOUNDS: cbor::Bounds =
    cbor::Bounds { bytes_max: 1 << 16, items_max: 1_024, depth_max: limits::VERTEX_DEPTH_MAX };

fn label() -> Label {
    Label::new("mesh").unwrap()
}

fn operations() -> Vec<(&'static str, Operation)> {
    let (to, amount, memo) = (AuthorId::from_bytes([1; 32]), MicroCredits(2_500_000), "tea".into());
    let hold = ItemId(VertexId::of(b"hold"), 3);
    let addresses = vec!["/dns/example.org/tcp/1/ws".to_owned()];
    let (arbiter, refundable_from) = (Some(AuthorId::from_bytes([2; 32])), Some(9));
    let (label, version, salt) = (label(), 1, ByteArray::new([5; 32]));
    vec![
        ("transfer", Operation::Transfer { sequence: 7, to, amount, memo }),
        (
            "hold",
            Operation::Hold {
                sequence: 8,
                to,
                amount,
                arbiter,
                refundable_from,
                memo: String::new(),
            },
        ),
        ("release", Operation::Release { hold }),
        ("refund", Operation::Refund { hold }),
        ("name-commit", Operation::NameCommit { commitment: ByteArray::new([4; 32]) }),
        (
            "name-register",
            Operation::NameRegister {
                label: label.clone(),
                version,
                salt,
                addresses: addresses.clone(),
            },
        ),
        ("name-update", Operation::NameUpdate { label: label.clone(), version: 2, addresses }),
        ("name-renew", Operation::NameRenew { label: label.clone(), version: 3 }),
        ("name-transfer", Operation::NameTransfer { label, version: 4, to }),
    ]
}

#[test]
fn every_operation_has_its_golden_bytes_and_reads_back() {
    let written: Vec<String> = operations()
        .into_iter()
        .map(|(name, operation)| {
            let payload = Payload::Ledger(operation);
            let bytes = cbor::encode(&payload).unwrap();
            assert_eq!(cbor::decode(&bytes, &BOUNDS).as_ref(), Ok(&payload), "{name}");
            assert_eq!(payload.validate(&NETWORK), Ok(()), "{name}");
            format!("{name} {}", data_encoding::HEXLOWER.encode(&bytes))
        })
        .collect();
    assert_eq!(written.join("\n"), GOLDEN.trim_end());
}

#[test]
fn operations_out_of_bounds_are_refused() {
    let refuse = |operation: Operation, code: &str| {
        let refused = Payload::Ledger(operation).validate(&NETWORK).expect_err("refused");
        assert_eq!((refused.code(), refused.fault()), (code, super::super::Fault::Malformed));
    };
    let pay = |amount, memo: &str| Operation::Transfer {
        sequence: 0,
        to: AuthorId::from_bytes([1; 32]),
        amount: MicroCredits(amount),
        memo: memo.to_owned(),
    };
    refuse(pay(0, ""), "amount-invalid");
    refuse(pay(limits::LEDGER_MINTED_MAX + 1, ""), "amount-invalid");
    refuse(pay(1, &"x".repeat(limits::LEDGER_MEMO_BYTES_MAX + 1)), "ledger-text");
    refuse(pay(1, "line\nbreak"), "ledger-text");
    let addresses = vec!["/ip4/127.0.0.1".to_owned(); limits::NAME_ADDRESSES_MAX + 1];
    refuse(Operation::NameUpdate { label: label(), version: 2, addresses }, "name-addresses");
}

#[test]
fn negative_amounts_strange_fields_and_labels_are_not_read() {
    let (_, transfer) = operations().remove(0);
    let bytes = cbor::encode(&Payload::Ledger(transfer)).unwrap();
    let with = |from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        let mut changed = bytes.clone();
        changed[at..at + to.len()].copy_from_slice(to);
        cbor::decode::<Payload>(&changed, &BOUNDS)
    };
    assert!(with(b"memo", b"memo").is_ok(), "the control: unchanged");
    assert!(with(b"memo", b"nemo").is_err(), "an unknown field");
    assert!(with(b"transfer", b"transfex").is_err(), "an unknown operation");
    // 2,500,000 is 1a 00 26 25 a0; the same under major type 1 is negative.
    assert!(with(&[0x1a, 0x00, 0x26, 0x25, 0xa0], &[0x3a]).is_err(), "a negative amount");
    let renew = Operation::NameRenew { label: label(), version: 3 };
    let mut capital = cbor::encode(&Payload::Ledger(renew)).unwrap();
    let at = capital.windows(4).position(|window| window == b"mesh").unwrap();
    capital[at] = b'M';
    assert!(cbor::decode::<Payload>(&capital, &BOUNDS).is_err(), "no label");
}
