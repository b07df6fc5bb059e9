//! The gate against the specification's own examples of what is and is not DAG-CBOR.

use data_encoding::HEXLOWER;
use proptest::prelude::*;
use serde::Deserialize;

use super::*;

const BOUNDS: Bounds = Bounds { bytes_max: 1_000, items_max: 100, depth_max: 4 };

fn scan_hex(hex: &str) -> Result<(), Error> {
    scan(&HEXLOWER.decode(hex.as_bytes()).unwrap(), &BOUNDS)
}

fn reason(hex: &str) -> (usize, &'static str) {
    match scan_hex(hex) {
        Err(Error::Syntax { offset, reason }) => (offset, reason),
        other => panic!("{hex}: {other:?}"),
    }
}

#[test]
fn well_formed_items_pass() {
    for hex in [
        "00",                 // 0
        "1818",               // 24
        "1bffffffffffffffff", // 2^64 - 1
        "3b7fffffffffffffff", // -2^63
        "f4",                 // false
        "f6",                 // null
        "fb3ff199999999999a", // 1.1
        "43010203",           // three bytes
        "6161",               // "a"
        "80",                 // []
        "83010203",           // [1, 2, 3]
        "a16161f5",           // {"a": true}
        "d82a450001711e00",   // a link, as far as CBOR is concerned
        "8181818100",         // nested as deep as allowed
    ] {
        assert_eq!(scan_hex(hex), Ok(()), "{hex}");
    }
}

#[test]
fn everything_outside_the_deterministic_subset_is_refused_with_its_offset() {
    for (hex, offset, what) in [
        ("", 0, "ends too early"),
        ("1800", 0, "a head that is longer than needed"),
        ("190018", 0, "a head that is longer than needed"),
        ("8118ff00", 3, "bytes after the end"),
        ("9f00ff", 0, "an indefinite or reserved length"),
        ("5f4100ff", 0, "an indefinite or reserved length"),
        ("f93c00", 0, "a simple value other than false, true, null and a 64-bit float"),
        ("fa3f800000", 0, "a simple value other than false, true, null and a 64-bit float"),
        ("f7", 0, "a simple value other than false, true, null and a 64-bit float"),
        ("ff", 0, "a simple value other than false, true, null and a 64-bit float"),
        ("c11a514b67b0", 0, "a tag other than 42"),
        ("d82a00", 0, "a link is a byte string under tag 42"),
        ("44010203", 1, "a string longer than the rest"),
        ("5b00000001000000000000", 9, "a string longer than the rest"),
        ("9b0000000100000000", 9, "more items than bytes"),
        ("bbffffffffffffffff", 9, "more items than bytes"),
        ("8182", 2, "more items than bytes"),
        ("818181818100", 4, "nested deeper than allowed"),
    ] {
        assert_eq!(reason(hex), (offset, what), "{hex}");
    }
}

#[test]
fn a_claimed_length_never_becomes_an_allocation() {
    // 2^60 list entries in nine bytes: refused by the head alone.
    let bytes = [0x9b, 0x10, 0, 0, 0, 0, 0, 0, 0];
    assert!(decode::<Vec<u64>>(&bytes, &BOUNDS).is_err());
    let many = vec![0x80_u8; 101];
    let mut list = vec![0x98, 101];
    list.extend(many);
    assert!(matches!(
        scan(&list, &BOUNDS),
        Err(Error::Syntax { reason: "more items than allowed", .. })
    ));
    assert!(matches!(
        scan(&[0; 1_001], &BOUNDS),
        Err(Error::TooLarge { bytes: 1_001, bytes_max: 1_000 })
    ));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair {
    a: u8,
    bb: f32,
}

#[test]
fn only_the_one_canonical_encoding_is_read() {
    let value = Pair { a: 1, bb: 1.5 };
    let bytes = encode(&value).unwrap();
    assert_eq!(HEXLOWER.encode(&bytes), "a2616101626262fb3ff8000000000000");
    assert_eq!(decode::<Pair>(&bytes, &BOUNDS).unwrap(), value);
    for (hex, what) in [
        ("a2626262fb3ff8000000000000616101", "keys out of order"),
        ("a3616101626262fb3ff800000000000063636363f6", "an unknown field"),
        ("a2616101626262fb3ff199999999999a", "a float that is no f32"),
        ("a2616101626262fb7e37e43c8800759c", "a float beyond f32"),
        ("a2616101626262fb8000000000000000", "negative zero"),
        ("a2616101626262fb7ff8000000000000", "not a number"),
        ("a2616101626262fb7ff0000000000000", "infinity"),
        ("a26161016262621801", "an integer where a float belongs"),
    ] {
        let bytes = HEXLOWER.decode(hex.as_bytes()).unwrap();
        assert!(decode::<Pair>(&bytes, &BOUNDS).is_err(), "{what}");
    }
}

#[test]
fn what_dag_cbor_cannot_say_is_not_encoded() {
    assert!(encode(&f32::NAN).is_err());
    assert!(encode(&f64::INFINITY).is_err());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode::<Pair>(&bytes, &BOUNDS);
    }

    #[test]
    fn what_passes_the_gate_is_what_the_decoder_can_walk(
        bytes in proptest::collection::vec(any::<u8>(), 0..24),
    ) {
        // The gate must not be laxer than the decoder in what it counts: whatever generic value
        // the decoder reads, the gate has seen as one item of DAG-CBOR.
        if let Ok(value) = serde_ipld_dagcbor::from_slice::<ipld_core::ipld::Ipld>(&bytes) {
            let again = serde_ipld_dagcbor::to_vec(&value).unwrap();
            if again == bytes {
                let deep = Bounds { depth_max: DEPTH_MAX, ..BOUNDS };
                prop_assert_eq!(scan(&bytes, &deep), Ok(()));
            }
        }
    }
}
