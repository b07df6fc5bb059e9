//! The composite against the draft's vectors, its ML-DSA half against Wycheproof and against a
//! second implementation, and every way of taking a signature apart.

use data_encoding::{BASE64, HEXLOWER};
use ml_dsa::{MlDsa65 as Parameters, Seed, SigningKey as OtherKey, VerifyingKey as OtherVerifier};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

const LAMPS: &str = include_str!("../../../tests/vectors/lamps_composite_mldsa65_ed25519.json");
const WYCHEPROOF: &str =
    include_str!("../../../tests/vectors/wycheproof_mldsa_65_verify_test.trim.json");

/// ML-DSA-65 by the `ml-dsa` crate, which shares no code with the one in use.
enum RustCrypto {}

impl MlDsa65 for RustCrypto {
    type Signer = OtherKey<Parameters>;
    type Verifier = OtherVerifier<Parameters>;

    fn generate(seed: &[u8; 32]) -> (Self::Signer, [u8; backend::PUBLIC_KEY_BYTES]) {
        let key = OtherKey::<Parameters>::from_seed(&Seed::from(*seed));
        let public = key.expanded_key().verifying_key().encode();
        (key, public.as_slice().try_into().unwrap())
    }

    fn verifier(public_key: &[u8; backend::PUBLIC_KEY_BYTES]) -> Option<Self::Verifier> {
        Some(OtherVerifier::decode(public_key.as_slice().try_into().unwrap()))
    }

    fn sign(
        signer: &Self::Signer,
        message: &[u8],
        context: &[u8],
        hedge: &[u8; 32],
    ) -> [u8; backend::SIGNATURE_BYTES] {
        let prefix = [0, u8::try_from(context.len()).unwrap()];
        let parts: [&[u8]; 3] = [&prefix, context, message];
        let signature = signer.expanded_key().sign_internal(&parts, &(*hedge).into());
        signature.encode().as_slice().try_into().unwrap()
    }

    fn verify(
        verifier: &Self::Verifier,
        message: &[u8],
        context: &[u8],
        signature: &[u8; backend::SIGNATURE_BYTES],
    ) -> bool {
        ml_dsa::Signature::decode(signature.as_slice().try_into().unwrap())
            .is_some_and(|signature| verifier.verify_with_context(message, context, &signature))
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seeds(&[seed; SEEDS_BYTES])
}

fn altered(signature: &Signature, change: impl FnOnce(&mut [u8; SIGNATURE_BYTES])) -> Signature {
    let mut bytes = *signature.as_bytes();
    change(&mut bytes);
    Signature::from_bytes(&bytes).unwrap()
}

struct Lamps {
    message: Vec<u8>,
    context: Vec<u8>,
    seeds: [u8; SEEDS_BYTES],
    public: PublicKey,
    plain: Signature,
    with_context: Signature,
}

fn lamps() -> Lamps {
    let file: Value = serde_json::from_str(LAMPS).unwrap();
    let bytes = |value: &Value| BASE64.decode(value.as_str().unwrap().as_bytes()).unwrap();
    let test = file["tests"]
        .as_array()
        .unwrap()
        .iter()
        .find(|test| test["tcId"] == "id-MLDSA65-Ed25519-SHA512")
        .unwrap();
    Lamps {
        message: bytes(&file["m"]),
        context: bytes(&file["ctx"]),
        seeds: bytes(&test["sk"]).try_into().unwrap(),
        public: PublicKey::from_bytes(&bytes(&test["pk"])).unwrap(),
        plain: Signature::from_bytes(&bytes(&test["s"])).unwrap(),
        with_context: Signature::from_bytes(&bytes(&test["sWithContext"])).unwrap(),
    }
}

#[test]
fn the_drafts_seeds_give_the_drafts_public_key() {
    let vector = lamps();
    assert_eq!(SigningKey::from_seeds(&vector.seeds).public(), &vector.public);
}

#[test]
fn the_drafts_signatures_verify_under_their_own_context_only() {
    let Lamps { message, context, public, plain, with_context, .. } = lamps();
    assert_eq!(public.verify_raw(b"", &message, &plain), Ok(()));
    assert_eq!(public.verify_raw(&context, &message, &with_context), Ok(()));
    assert_eq!(public.verify_raw(&context, &message, &plain), Err(Error::Ed25519));
    assert_eq!(public.verify_raw(b"", &message, &with_context), Err(Error::Ed25519));
    assert_eq!(public.verify_raw(b"", b"another message", &plain), Err(Error::Ed25519));
}

#[test]
fn our_signatures_have_the_drafts_deterministic_half() {
    let Lamps { message, context, seeds, public, with_context, .. } = lamps();
    let ours = SigningKey::from_seeds(&seeds).sign_raw(&context, &message, [7; 32]);
    assert_eq!(ours.halves().1, with_context.halves().1, "Ed25519 has one signature per message");
    assert_eq!(public.verify_raw(&context, &message, &ours), Ok(()));
}

#[test]
fn a_signature_without_one_of_its_halves_fails_with_the_name_of_that_half() {
    let Lamps { message, public, plain, .. } = lamps();
    let check = |signature: &Signature| public.verify_raw(b"", &message, signature);
    let zero_ml_dsa = altered(&plain, |bytes| bytes[..3309].fill(0));
    let zero_ed25519 = altered(&plain, |bytes| bytes[3309..].fill(0));
    let swapped = altered(&plain, |bytes| bytes.rotate_left(3309));
    assert_eq!(check(&zero_ml_dsa), Err(Error::MlDsa));
    assert_eq!(check(&zero_ed25519), Err(Error::Ed25519));
    assert_eq!(check(&swapped), Err(Error::Ed25519));
}

#[test]
fn halves_of_two_signatures_do_not_make_one() {
    let (alice, mallory) = (key(1), key(2));
    let by_alice = alice.sign(Context::Vertex, b"message", [0; 32]);
    let other = alice.sign(Context::Vertex, b"another", [0; 32]);
    let by_mallory = mallory.sign(Context::Vertex, b"message", [0; 32]);
    let check =
        |signature: &Signature| alice.public().verify(Context::Vertex, b"message", signature);
    let mixed = |ml_dsa: &Signature, ed25519: &Signature| {
        altered(ml_dsa, |bytes| bytes[3309..].copy_from_slice(&ed25519.as_bytes()[3309..]))
    };
    assert_eq!(check(&by_alice), Ok(()));
    assert_eq!(check(&mixed(&by_alice, &by_mallory)), Err(Error::Ed25519));
    assert_eq!(check(&mixed(&by_mallory, &by_alice)), Err(Error::MlDsa));
    assert_eq!(check(&mixed(&other, &by_alice)), Err(Error::MlDsa));
    assert_eq!(check(&mixed(&by_alice, &other)), Err(Error::Ed25519));
}

#[test]
fn a_signature_for_one_use_fails_for_every_other() {
    let uses = [Context::Vertex, Context::Binding, Context::Checkpoint, Context::Poll];
    let key = key(3);
    for made_for in uses {
        let signature = key.sign(made_for, b"message", [9; 32]);
        for used_for in uses {
            let result = key.public().verify(used_for, b"message", &signature);
            assert_eq!(result.is_ok(), made_for == used_for, "{made_for:?} as {used_for:?}");
        }
    }
}

#[test]
fn the_component_keys_cannot_be_used_apart_from_the_composite() {
    // A plain Ed25519 signature over the message, as another protocol with the same key would make.
    let key = key(4);
    let good = key.sign(Context::Vertex, b"message", [0; 32]);
    let (ml_dsa, ed25519) = match &key.private {
        Private::Composite { ml_dsa, ed25519 } => (ml_dsa, ed25519),
        #[cfg(feature = "sim")]
        Private::Stub => unreachable!("the seeds are not marked"),
    };
    let plain = ed25519.sign(b"message").to_bytes();
    let stripped = altered(&good, |bytes| bytes[3309..].copy_from_slice(&plain));
    let result = key.public().verify(Context::Vertex, b"message", &stripped);
    assert_eq!(result, Err(Error::Ed25519));
    // An ML-DSA signature over the right representative, but without the label as its context.
    let representative = representative(Context::Vertex.as_bytes(), b"message");
    let unlabelled = Backend::sign(ml_dsa, &representative, b"", &[0; 32]);
    let stripped = altered(&good, |bytes| bytes[..3309].copy_from_slice(&unlabelled));
    let result = key.public().verify(Context::Vertex, b"message", &stripped);
    assert_eq!(result, Err(Error::MlDsa));
}

#[test]
fn hedging_changes_the_signature_and_the_same_hedge_repeats_it() {
    let key = key(5);
    let sign = |hedge| key.sign(Context::Vertex, b"message", [hedge; 32]);
    assert_eq!(sign(1), sign(1));
    assert_ne!(sign(1), sign(2));
    assert_eq!(key.public().verify(Context::Vertex, b"message", &sign(2)), Ok(()));
}

#[test]
fn keys_and_signatures_of_a_wrong_length_are_refused() {
    for length in [0, 1, 32, PUBLIC_KEY_BYTES - 1, PUBLIC_KEY_BYTES + 1] {
        let error = PublicKey::from_bytes(&vec![0; length]).unwrap_err();
        assert_eq!(error.code(), "signature-malformed");
        assert!(error.to_string().contains(&length.to_string()), "{error}");
    }
    for length in [0, 64, SIGNATURE_BYTES - 1, SIGNATURE_BYTES + 1] {
        assert!(Signature::from_bytes(&vec![0; length]).is_err());
    }
}

#[test]
fn ed25519_keys_of_small_order_are_refused() {
    // The eight torsion points verify one signature for many messages; RFC 8032 leaves the check
    // to the application. The neutral element and the point of order two stand for all of them.
    let mut bytes = *key(6).public().as_bytes();
    for last in [0x00_u8, 0x80] {
        bytes[1952..].fill(0);
        bytes[1952] = 1;
        bytes[1983] = last;
        assert!(PublicKey::from_bytes(&bytes).is_err(), "sign bit {last:#x}");
    }
    bytes[1952..].fill(0xff);
    bytes[1952] = 0xec;
    bytes[1983] = 0x7f;
    assert!(PublicKey::from_bytes(&bytes).is_err(), "order two");
}

#[test]
fn ed25519_signatures_with_a_scalar_above_the_group_order_are_refused() {
    // Malleability: S + L verifies under lenient rules and would give one vertex two signatures.
    let order: [u8; 32] = HEXLOWER
        .decode(b"edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        .unwrap()
        .try_into()
        .unwrap();
    let key = key(7);
    let good = key.sign(Context::Vertex, b"message", [0; 32]);
    let malleable = altered(&good, |bytes| {
        let mut carry = 0_u16;
        for (byte, add) in bytes[3341..].iter_mut().zip(order) {
            carry += u16::from(*byte) + u16::from(add);
            [*byte, _] = carry.to_le_bytes();
            carry >>= 8;
        }
    });
    let result = key.public().verify(Context::Vertex, b"message", &malleable);
    assert_eq!(result, Err(Error::Ed25519));
}

#[test]
fn debug_never_shows_a_private_key() {
    assert_eq!(format!("{:?}", key(8)), "SigningKey(redacted)");
}

/// Runs one backend over the Wycheproof file; gives the number of tests run.
fn wycheproof<B: MlDsa65>() -> usize {
    let file: Value = serde_json::from_str(WYCHEPROOF).unwrap();
    let hex = |value: &Value| HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap();
    let mut run = 0;
    for group in file["testGroups"].as_array().unwrap() {
        let public_key = hex(&group["publicKey"]);
        for test in group["tests"].as_array().unwrap() {
            let (message, signature) = (hex(&test["msg"]), hex(&test["sig"]));
            let context = test.get("ctx").map(&hex).unwrap_or_default();
            let accepted = (|| {
                let verifier = B::verifier(public_key.as_slice().try_into().ok()?)?;
                let signature = signature.as_slice().try_into().ok()?;
                Some(B::verify(&verifier, &message, &context, signature))
            })();
            let valid = test["result"] == "valid";
            assert_eq!(accepted.unwrap_or(false), valid, "tcId {}", test["tcId"]);
            run += 1;
        }
    }
    run
}

#[test]
fn both_implementations_agree_with_every_wycheproof_test() {
    assert_eq!(wycheproof::<Fips204>(), 76);
    assert_eq!(wycheproof::<RustCrypto>(), 76);
}

/// Signs with one implementation and verifies with the other.
fn crosswise<A: MlDsa65, B: MlDsa65>(seed: [u8; 32], message: &[u8], hedge: [u8; 32]) {
    let (signer, public_key) = A::generate(&seed);
    let (other, other_public_key) = B::generate(&seed);
    assert_eq!(public_key, other_public_key);
    let signature = A::sign(&signer, message, LABEL, &hedge);
    assert_eq!(signature, B::sign(&other, message, LABEL, &hedge));
    let verifier = B::verifier(&public_key).unwrap();
    assert!(B::verify(&verifier, message, LABEL, &signature));
    assert!(!B::verify(&verifier, message, b"other", &signature));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn two_implementations_make_and_accept_the_same_signatures(
        seed: [u8; 32], hedge: [u8; 32], message in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        crosswise::<Fips204, RustCrypto>(seed, &message, hedge);
        crosswise::<RustCrypto, Fips204>(seed, &message, hedge);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused_by_both_implementations(
        bit in 0..SIGNATURE_BYTES * 8, message_bit in 0..64_usize,
    ) {
        let key = key(9);
        let good = key.sign(Context::Vertex, b"8 bytes.", [0; 32]);
        let bad = altered(&good, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        prop_assert!(key.public().verify(Context::Vertex, b"8 bytes.", &bad).is_err());
        let mut message = *b"8 bytes.";
        message[message_bit / 8] ^= 1 << (message_bit % 8);
        prop_assert!(key.public().verify(Context::Vertex, &message, &good).is_err());
        if bit < 3309 * 8 {
            let representative = representative(Context::Vertex.as_bytes(), b"8 bytes.");
            let public_key = key.public().as_bytes()[..1952].try_into().unwrap();
            let other = RustCrypto::verifier(public_key).unwrap();
            prop_assert!(!RustCrypto::verify(&other, &representative, LABEL, bad.halves().0));
        }
    }
}
