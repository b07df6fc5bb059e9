//! Ids as text, identity files damaged in every way, and bindings.

use proptest::prelude::*;

use super::*;
use crate::crypto::sign::SigningKey;
use crate::limits::{BINDING_CLOCK_SKEW_MS, BINDING_SPAN_MS_MAX};

const NETWORK: NetworkId = NetworkId::from_bytes([1; 32]);
const DAY_MS: u64 = 86_400_000;

fn secrets(seed: u8) -> Secrets {
    Secrets::from_entropy([seed; 96])
}

fn terms(epoch: u32) -> Terms {
    Terms {
        transport: secrets(1).transport_id(),
        epoch,
        valid_from_ms: DAY_MS,
        valid_until_ms: 2 * DAY_MS,
    }
}

fn signed(key: &SigningKey) -> Binding {
    Binding::sign(key, &NETWORK, terms(1), [0; 32]).unwrap()
}

#[test]
fn ids_survive_their_text_and_refuse_every_other_text() {
    let author = secrets(1).author();
    let text = author.to_string();
    assert_eq!(text.len(), 52);
    assert_eq!(text.parse(), Ok(author));
    for wrong in
        ["", "a", &text[1..], &text.to_uppercase(), &format!("{text}a"), "0".repeat(52).as_str()]
    {
        let error = wrong.parse::<AuthorId>().unwrap_err();
        assert_eq!(error.code(), "id-text", "{wrong}");
    }
    // 52 base32 characters hold 260 bits; the spare four must be zero or one id had 16 texts.
    let spare = format!("{}b", &NETWORK.to_string()[..51]);
    assert!(spare.parse::<NetworkId>().is_err());
}

#[test]
fn the_author_id_depends_on_every_byte_of_the_key() {
    let key = secrets(1).signing_key();
    assert_eq!(AuthorId::of(key.public()), secrets(1).author());
    assert_ne!(secrets(1).author(), secrets(2).author());
}

#[test]
fn a_transport_id_is_the_peer_id_that_libp2p_prints() {
    // The key is test 1 of RFC 8032, section 7.1; the text is what libp2p-identity 0.3 says.
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let mut entropy = [0; 96];
    let seed = data_encoding::HEXLOWER.decode(seed.as_bytes()).unwrap();
    entropy[64..].copy_from_slice(&seed);
    let id = Secrets::from_entropy(entropy).transport_id();
    assert_eq!(id.as_bytes().len(), 38);
    assert_eq!(id.to_string(), "12D3KooWQK1wnefoLrcVHbbnf5tLzbopUd3K3bFAoJpA7YJgL5pV");
    assert_eq!(id.to_string().parse(), Ok(id));
}

#[test]
fn base58_agrees_with_published_examples() {
    // From the base58 draft (draft-msporny-base58-03), section 5.
    for (bytes, text) in [
        (b"Hello World!".as_slice(), "2NEpo7TZRRrLZSi2U"),
        (
            b"The quick brown fox jumps over the lazy dog.",
            "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z",
        ),
        (&[0x00, 0x00, 0x28, 0x7f, 0xb4, 0xcd], "11233QC4"),
    ] {
        let id = TransportId::from_bytes(bytes).unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse(), Ok(id));
    }
    for wrong in ["", "0", "l", "12D3 ", &"z".repeat(200), &"1".repeat(65)] {
        assert!(wrong.parse::<TransportId>().is_err(), "{wrong}");
    }
}

#[test]
fn an_identity_file_gives_back_the_same_identity() {
    let bytes = secrets(7).encode();
    assert_eq!(bytes.len(), SECRETS_BYTES);
    let again = Secrets::decode(&bytes).unwrap();
    assert_eq!(again.author(), secrets(7).author());
    assert_eq!(again.transport_id(), secrets(7).transport_id());
    assert_eq!(*again.encode(), *bytes);
}

#[test]
fn an_identity_file_of_another_version_is_named_as_such() {
    let mut bytes = secrets(7).encode();
    bytes[4] = 2;
    let error = Secrets::decode(&bytes).unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
    assert_eq!(error.code(), "secrets-unusable");
}

#[test]
fn secrets_never_show_in_debug() {
    let text = format!("{:?}", secrets(0xab));
    assert!(!text.contains("171") && !text.contains("ab, "), "{text}");
    assert!(text.contains("redacted"));
}

#[test]
fn a_binding_verifies_for_its_author_and_network_only() {
    let (key, other) = (secrets(1).signing_key(), secrets(2).signing_key());
    let binding = signed(&key);
    assert_eq!(binding.verify(key.public(), &NETWORK), Ok(()));
    assert!(matches!(binding.verify(other.public(), &NETWORK), Err(Error::Signature(_))));
    let elsewhere = NetworkId::from_bytes([2; 32]);
    assert!(matches!(binding.verify(key.public(), &elsewhere), Err(Error::Signature(_))));
}

#[test]
fn a_binding_with_any_field_changed_does_not_verify() {
    let key = secrets(1).signing_key();
    let changes: [fn(&mut Binding); 4] = [
        |binding| binding.epoch += 1,
        |binding| binding.valid_from_ms += 1,
        |binding| binding.valid_until_ms += 1,
        |binding| binding.transport = secrets(2).transport_id(),
    ];
    for change in changes {
        let mut binding = signed(&key);
        change(&mut binding);
        assert!(matches!(binding.verify(key.public(), &NETWORK), Err(Error::Signature(_))));
    }
}

#[test]
fn a_span_must_be_positive_and_bounded() {
    let key = secrets(1).signing_key();
    let spans = [(DAY_MS, DAY_MS), (DAY_MS, 0), (0, BINDING_SPAN_MS_MAX + 1), (0, u64::MAX)];
    for (valid_from_ms, valid_until_ms) in spans {
        let terms = Terms { valid_from_ms, valid_until_ms, ..terms(1) };
        let error = Binding::sign(&key, &NETWORK, terms, [0; 32]).unwrap_err();
        assert_eq!(error.code(), "binding-span");
    }
}

#[test]
fn a_clock_an_hour_off_is_forgiven_and_a_day_is_not() {
    let binding = signed(&secrets(1).signing_key());
    let hour_ms = 3_600_000;
    for fine in [DAY_MS, 2 * DAY_MS, DAY_MS - hour_ms, 2 * DAY_MS + hour_ms] {
        assert_eq!(binding.check_time(fine), Ok(()));
    }
    for wrong in [0, DAY_MS - BINDING_CLOCK_SKEW_MS - 1, 2 * DAY_MS + BINDING_CLOCK_SKEW_MS + 1] {
        assert_eq!(binding.check_time(wrong).unwrap_err().code(), "binding-time");
    }
}

proptest! {
    #[test]
    fn a_damaged_identity_file_is_refused(at in 0..SECRETS_BYTES, xor in 1..=255_u8) {
        let mut bytes = secrets(3).encode();
        bytes[at] ^= xor;
        prop_assert!(Secrets::decode(&bytes).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Secrets::decode(&bytes);
        let _ = TransportId::from_bytes(&bytes);
    }

    #[test]
    fn transport_ids_survive_their_text(bytes in proptest::collection::vec(any::<u8>(), 1..=64)) {
        let id = TransportId::from_bytes(&bytes).unwrap();
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn arbitrary_text_is_no_id_but_never_panics(text in "\\PC{0,100}") {
        let _ = text.parse::<AuthorId>();
        let _ = text.parse::<TransportId>();
    }
}
