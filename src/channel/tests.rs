//! The channel from outside: whole handshakes, and everybody who would like to be in the middle.

mod attacks;
mod entrance;
mod oracle;
mod streams;

use std::sync::Arc;

use zeroize::Zeroizing;

use super::handshake::{FIRST_BYTES, SECOND_BYTES, THIRD_BYTES};
use super::*;
use crate::crypto::sign::{SEEDS_BYTES, SigningKey};
use crate::rng::Rng;

/// One line for each flight and outcome: its name and its bytes in hex. Made by this program,
/// version 0.1.0; `GOLDEN=write` makes them again. What of it `snow` agrees with is in [`oracle`].
const GOLDEN: &str = "tests/vectors/channel.txt";

/// A node's credentials, grown from one byte.
fn credentials(seed: u8) -> Credentials {
    offering(seed, Offers::HYBRID)
}

fn offering(seed: u8, offers: Offers) -> Credentials {
    let key = SigningKey::from_seeds(&[seed; SEEDS_BYTES]);
    Credentials::new(Arc::new(key), &[seed ^ 0xff; 32], offers)
}

/// Bytes that are those of `seed` only.
fn bytes(seed: u64) -> Zeroizing<[u8; Randomness::BYTES]> {
    let mut bytes = Zeroizing::new([0; Randomness::BYTES]);
    Rng::from_u64(seed).fill(bytes.as_mut());
    bytes
}

fn randomness(seed: u64) -> Randomness {
    Randomness::new(&bytes(seed))
}

/// All that two sides say to each other, and what comes of it.
struct Run {
    first: Vec<u8>,
    second: Vec<u8>,
    third: Vec<u8>,
    initiator: Session,
    responder: Session,
}

/// A handshake in which nobody interferes.
fn run(initiator: &Credentials, responder: &Credentials, seed: u64) -> Result<Run, Error> {
    let (state, first) = Initiator::start(&randomness(seed));
    let (answered, second) = Responder::answer(responder, &first, &randomness(seed + 1))?;
    let (third, initiator) = state.finish(initiator, &second)?;
    let responder = answered.finish(&third)?;
    Ok(Run { first, second, third, initiator, responder })
}

/// What `from` seals and `to` opens.
fn carries(from: &mut Session, to: &mut Session) -> bool {
    let mut sealed = b"data".to_vec();
    from.send.seal(&[], &mut sealed, 0).unwrap();
    to.receive.open(&[], &mut sealed) == Ok(b"data".as_slice())
}

#[test]
fn both_sides_end_with_the_same_keys_and_each_others_names() {
    let (alice, bob) = (credentials(1), credentials(2));
    let Run { first, second, third, mut initiator, mut responder } = run(&alice, &bob, 3).unwrap();
    assert_eq!(initiator.peer, *bob.own());
    assert_eq!(responder.peer, *alice.own());
    assert_eq!(initiator.hash, responder.hash);
    assert!(carries(&mut initiator, &mut responder) && carries(&mut responder, &mut initiator));
    let lengths = [first.len(), second.len(), third.len()];
    assert_eq!(lengths, [FIRST_BYTES, SECOND_BYTES, THIRD_BYTES]);
}

#[test]
fn the_flights_are_those_of_version_1() {
    use std::fmt::Write as _;
    let Run { first, second, third, initiator, mut responder } =
        run(&credentials(1), &credentials(2), 3).unwrap();
    let mut data = b"data".to_vec();
    responder.send.seal(&[], &mut data, 0).unwrap();
    let mut lines = String::new();
    let hash = initiator.hash.to_vec();
    let all =
        [("first", first), ("second", second), ("third", third), ("hash", hash), ("data", data)];
    for (name, bytes) in all {
        writeln!(lines, "{name} {}", data_encoding::HEXLOWER.encode(&bytes)).unwrap();
    }
    if std::env::var("GOLDEN").is_ok_and(|golden| golden == "write") {
        std::fs::write(GOLDEN, &lines).unwrap();
    }
    assert_eq!(lines, std::fs::read_to_string(GOLDEN).unwrap(), "a changed flight is a new id");
}

#[test]
fn every_handshake_has_keys_of_its_own() {
    let (alice, bob) = (credentials(1), credentials(2));
    let mut one = run(&alice, &bob, 3).unwrap();
    let mut other = run(&alice, &bob, 5).unwrap();
    assert_ne!(one.initiator.hash, other.initiator.hash);
    assert!(!carries(&mut one.initiator, &mut other.responder));
    assert!(!carries(&mut other.initiator, &mut one.responder));
}

/// Whoever knows one of the two secrets still lacks the keys: each of them changes what is sealed.
#[test]
fn the_keys_depend_on_both_halves_of_the_key_agreement() {
    use super::handshake::{NOISE_PROTOCOL, begin, hear_first, say_answer};
    let (_, first) = Initiator::start(&randomness(3));
    let sealed = |bytes: &Zeroizing<[u8; Randomness::BYTES]>| {
        let mut noise = begin(NOISE_PROTOCOL);
        let (dh, kem) = hear_first(&mut noise, &first);
        say_answer(&mut noise, &dh, kem, &Randomness::new(bytes)).unwrap();
        let (mut cipher, _, _) = noise.split();
        let mut sealed = vec![0; 32];
        cipher.seal(&[], &mut sealed, 0).unwrap();
        sealed
    };
    let base = bytes(4);
    let (mut dh, mut kem) = (base.clone(), base.clone());
    // Not the lowest bits of the first byte, which X25519 clears.
    dh[1] ^= 1;
    kem[32] ^= 1;
    assert_eq!(sealed(&base), sealed(&base));
    assert_ne!(sealed(&base), sealed(&dh));
    assert_ne!(sealed(&base), sealed(&kem));
}
