//! Who can read a sealed message, and what of it shows.

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;
use crate::crypto::secret::Secret;
use crate::dag::Payload;
use crate::identity::Secrets;

const NETWORK: NetworkId = NetworkId::from_bytes([1; 32]);
const ALICE: AuthorId = AuthorId::from_bytes([2; 32]);
const BOB: AuthorId = AuthorId::from_bytes([3; 32]);
const CAROL: AuthorId = AuthorId::from_bytes([4; 32]);
const ROUTE: Route = Route { network: NETWORK, from: ALICE, to: BOB };

fn key(seed: u8) -> DecapsulationKey {
    DecapsulationKey::from_seed(&Secret::copy_from(&[seed; 32]))
}

fn sealed(text: &str) -> SealedMessage {
    seal(&ROUTE, &key(7).public(), text, &[9; 64]).unwrap()
}

#[test]
fn only_the_receiver_reads_what_was_sealed() {
    let message = sealed("bring the weights");
    assert_eq!(open(&ROUTE, &key(7), &message), Ok("bring the weights".to_owned()));
    let overheard = open(&ROUTE, &key(8), &message).unwrap_err();
    assert_eq!(overheard.code(), "sealed-altered");
    let other = open(&Route { to: CAROL, ..ROUTE }, &key(7), &message);
    assert_eq!(other, Err(Error::Receiver { to: BOB }));
    assert!(other.unwrap_err().to_string().contains(&BOB.to_string()));
}

/// Carol copies what Alice wrote into a vertex of her own, or Bob's network is another one.
#[test]
fn a_message_written_again_by_another_author_or_elsewhere_does_not_open() {
    let message = sealed("I owe you 5");
    let copied = Route { from: CAROL, ..ROUTE };
    let elsewhere = Route { network: NetworkId::from_bytes([9; 32]), ..ROUTE };
    for route in [copied, elsewhere] {
        assert_eq!(open(&route, &key(7), &message).unwrap_err().code(), "sealed-altered");
    }
    let redirected = SealedMessage { to: CAROL, ..message };
    let route = Route { to: CAROL, ..ROUTE };
    assert_eq!(open(&route, &key(7), &redirected).unwrap_err().code(), "sealed-altered");
}

#[test]
fn lengths_show_one_of_three_sizes() {
    let sizes: Vec<usize> = padded_sizes().collect();
    assert_eq!(sizes, [256, 1_024, 4_096]);
    for (bytes, size) in [(1, 256), (254, 256), (255, 1_024), (1_022, 1_024), (1_023, 4_096)] {
        let message = sealed(&"x".repeat(bytes));
        assert_eq!((message.padded_bytes(), message.sealed.len()), (Some(size), size + 1_136));
    }
    let longest = "x".repeat(limits::SEALED_TEXT_BYTES_MAX);
    assert_eq!(open(&ROUTE, &key(7), &sealed(&longest)), Ok(longest.clone()));
    let refused = |text: &str| seal(&ROUTE, &key(7).public(), text, &[9; 64]).unwrap_err();
    assert_eq!(refused(&(longest + "x")), Error::TooLong { bytes: 4_095 });
    assert_eq!(refused(""), Error::Empty);
}

/// Whatever changes these bytes makes messages of before unreadable.
#[test]
fn a_sealed_message_has_its_golden_bytes() {
    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/sealed.txt");
    let secrets = Secrets::from_entropy([6; 96]);
    let key = DecapsulationKey::from_seed(&secrets.sealing_seed());
    let message = seal(&ROUTE, &key.public(), "bring the weights", &[9; 64]).unwrap();
    let payload = crate::dag::cbor::encode(&Payload::Sealed(message)).unwrap();
    let line = |name: &str, bytes: &[u8]| format!("{name} {}\n", HEXLOWER.encode(bytes));
    let written = line("key", &key.public()) + &line("payload", &payload);
    if std::env::var("GOLDEN").is_ok_and(|word| word == "write") {
        std::fs::write(FILE, &written).unwrap();
    }
    assert_eq!(written, std::fs::read_to_string(FILE).unwrap());
}

#[test]
fn what_is_no_sealing_key_is_refused() {
    let refused = seal(&ROUTE, &[0xff; SEALING_KEY_BYTES], "text", &[9; 64]).unwrap_err();
    assert_eq!(refused.code(), "sealed-key");
}

/// A faulty or malicious sender seals anything: none of it is taken for a text.
#[test]
fn sealed_bytes_that_are_no_padded_text_are_refused() {
    let mut behind = padded("text").unwrap().to_vec();
    behind[200] = 1;
    let mut too_large = padded("text").unwrap().to_vec();
    too_large.resize(1_024, 0);
    let mut no_utf8 = padded("text").unwrap().to_vec();
    no_utf8[3] = 0xff;
    let mut beyond = padded("text").unwrap().to_vec();
    beyond[0] = 1;
    for plain in [behind, too_large, no_utf8, beyond, vec![0; 256], vec![0]] {
        let public = EncapsulationKey::from_bytes(&key(7).public()).unwrap();
        let sealed = hpke::seal(&public, &[9; 64], (&info(&ROUTE), &[]), &plain);
        let message = SealedMessage { to: BOB, sealed };
        assert_eq!(open(&ROUTE, &key(7), &message).unwrap_err().code(), "sealed-content");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_comes_back(text in "\\PC{1,400}") {
        prop_assert_eq!(open(&ROUTE, &key(7), &sealed(&text)), Ok(text));
    }

    #[test]
    fn a_message_with_any_bit_changed_is_refused(at in 0_usize..1_392, bit in 0..8) {
        let mut message = sealed("text");
        message.sealed[at] ^= 1_u8 << bit;
        let refused = open(&ROUTE, &key(7), &message).unwrap_err();
        prop_assert_eq!(refused.code(), "sealed-altered");
    }

    #[test]
    fn arbitrary_bytes_are_refused(sealed in proptest::collection::vec(any::<u8>(), 0..1_500)) {
        let message = SealedMessage { to: BOB, sealed };
        prop_assert!(open(&ROUTE, &key(7), &message).is_err());
    }
}
