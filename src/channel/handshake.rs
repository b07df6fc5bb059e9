//! The three flights, as values: bytes and randomness in, bytes and a session out.
//!
//! Each step takes the state by value, so no flight can be read twice and none out of turn. A step
//! that fails ends the handshake; the other side learns nothing but that the connection is closed.
//! Most of what a side computes is its signature and the check of the peer's; `cargo bench --bench
//! channel` measures it beside libp2p's noise.

use std::fmt;

use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::kem;
use super::noise::{Cipher, HASH_BYTES, Symmetric, TAG_BYTES};
use super::proof::{self, Credentials, Offers, PROOF_BYTES, Role};
use super::{Error, Peer};
use crate::message::CHANNEL_PROTOCOL;

/// The Noise protocol up to the proofs.
pub const NOISE_PROTOCOL: &str = "Noise_NNhfs_25519+MLKEM768_ChaChaPoly_SHA256";

const DH_BYTES: usize = 32;
const HEDGE_BYTES: usize = 32;
/// The Noise message of the responder: `e`, `ekem1` and an empty payload.
const ANSWER_BYTES: usize = DH_BYTES + kem::CIPHERTEXT_BYTES + 2 * TAG_BYTES;

/// Bytes of the first flight.
pub const FIRST_BYTES: usize = DH_BYTES + kem::KEY_BYTES;
/// Bytes of the second flight.
pub const SECOND_BYTES: usize = ANSWER_BYTES + THIRD_BYTES;
/// Bytes of the third flight.
pub const THIRD_BYTES: usize = PROOF_BYTES + TAG_BYTES;

const _: () = assert!(FIRST_BYTES == 1_216 && SECOND_BYTES == 6_622 && THIRD_BYTES == 5_470);

/// Fresh randomness for one side of one handshake, erased when dropped. The same bytes give the
/// same flights, which is for tests alone: used twice, they give the secrets away.
#[derive(ZeroizeOnDrop)]
pub struct Randomness {
    /// The X25519 key.
    dh: [u8; DH_BYTES],
    /// The ML-KEM key pair, or (the first half) what is encapsulated.
    kem: [u8; kem::SEED_BYTES],
    /// What hedges the author's signature.
    hedge: [u8; HEDGE_BYTES],
}

impl Randomness {
    /// Bytes that are needed.
    pub const BYTES: usize = DH_BYTES + kem::SEED_BYTES + HEDGE_BYTES;

    /// Takes them, in the order: X25519, ML-KEM, signature.
    pub fn new(bytes: &Zeroizing<[u8; Self::BYTES]>) -> Self {
        let mut parts =
            Self { dh: [0; DH_BYTES], kem: [0; kem::SEED_BYTES], hedge: [0; HEDGE_BYTES] };
        let to = parts.dh.iter_mut().chain(&mut parts.kem).chain(&mut parts.hedge);
        for (to, from) in to.zip(bytes.iter()) {
            *to = *from;
        }
        parts
    }

    fn coins(&self) -> Zeroizing<[u8; kem::COINS_BYTES]> {
        let mut coins = Zeroizing::new([0; kem::COINS_BYTES]);
        for (to, from) in coins.iter_mut().zip(self.kem) {
            *to = from;
        }
        coins
    }
}

/// The outcome: ciphers for both directions, and who is there.
#[derive(Debug)]
pub struct Session {
    /// For what this side says.
    pub send: Cipher,
    /// For what it hears.
    pub receive: Cipher,
    /// Who is at the other end.
    pub peer: Peer,
    /// The handshake's hash: a name of the channel that only its two ends can have in common.
    pub hash: [u8; HASH_BYTES],
}

/// The side that dialled, between its two flights.
pub struct Initiator {
    noise: Symmetric,
    dh: StaticSecret,
    kem: kem::Pair,
    hedge: [u8; HEDGE_BYTES],
}

impl Initiator {
    /// Begins: the state and the first flight.
    pub fn start(randomness: &Randomness) -> (Self, Vec<u8>) {
        let dh = StaticSecret::from(randomness.dh);
        let kem = kem::Pair::from_seed(&randomness.kem);
        let mut flight = PublicKey::from(&dh).to_bytes().to_vec();
        flight.extend_from_slice(&kem.public());
        let mut noise = begin(NOISE_PROTOCOL);
        hear_first(&mut noise, &flight);
        (Self { noise, dh, kem, hedge: randomness.hedge }, flight)
    }

    /// Reads the second flight: the third, and the session, which may be used at once.
    ///
    /// # Errors
    /// What is wrong with the responder, or with the bytes on the way. Then nothing of this side's
    /// identity was said.
    pub fn finish(
        self,
        credentials: &Credentials,
        flight: &[u8],
    ) -> Result<(Vec<u8>, Session), Error> {
        check_length("the second flight", flight, SECOND_BYTES)?;
        let (answer, proof) = flight.split_at(ANSWER_BYTES);
        let noise = hear_answer(self.noise, &self.dh, &self.kem, answer)?;
        let (mut send, mut receive, hash) = noise.split();
        let peer =
            open_proof(&mut receive, proof, Role::Responder, &hash, None, credentials.offers())?;
        let mut flight = credentials.prove(Role::Initiator, &hash, Some(&peer), self.hedge);
        send.seal(&[], &mut flight, 0)?;
        Ok((flight, Session { send, receive, peer, hash }))
    }
}

#[cfg(test)]
impl Initiator {
    /// The Noise part alone: what an attacker of our own makes of an answer.
    pub(super) fn hear(self, answer: &[u8]) -> Result<Symmetric, Error> {
        hear_answer(self.noise, &self.dh, &self.kem, answer)
    }
}

/// The side that was dialled, waiting for the third flight.
#[derive(Debug)]
pub struct Responder {
    send: Cipher,
    receive: Cipher,
    hash: [u8; HASH_BYTES],
    own: Peer,
    offers: Offers,
}

impl Responder {
    /// Reads the first flight: the state and the second flight.
    ///
    /// # Errors
    /// When the flight has another length or its keys are unusable.
    pub fn answer(
        credentials: &Credentials,
        flight: &[u8],
        randomness: &Randomness,
    ) -> Result<(Self, Vec<u8>), Error> {
        check_length("the first flight", flight, FIRST_BYTES)?;
        let mut noise = begin(NOISE_PROTOCOL);
        let (theirs, key) = hear_first(&mut noise, flight);
        let mut answer = say_answer(&mut noise, &theirs, key, randomness)?;
        let (receive, mut send, hash) = noise.split();
        let mut proof = credentials.prove(Role::Responder, &hash, None, randomness.hedge);
        send.seal(&[], &mut proof, 0)?;
        answer.append(&mut proof);
        let (own, offers) = (credentials.own().clone(), credentials.offers());
        Ok((Self { send, receive, hash, own, offers }, answer))
    }

    /// Reads the third flight: the session.
    ///
    /// # Errors
    /// What is wrong with the initiator, or with the bytes on the way.
    pub fn finish(mut self, flight: &[u8]) -> Result<Session, Error> {
        check_length("the third flight", flight, THIRD_BYTES)?;
        let (role, to) = (Role::Initiator, Some(&self.own));
        let peer = open_proof(&mut self.receive, flight, role, &self.hash, to, self.offers)?;
        Ok(Session { send: self.send, receive: self.receive, peer, hash: self.hash })
    }
}

impl fmt::Debug for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Initiator(redacted)")
    }
}

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Randomness(redacted)")
    }
}

/// The prologue is the name by which the protocol was negotiated.
pub(super) fn begin(protocol: &str) -> Symmetric {
    Symmetric::new(protocol, CHANNEL_PROTOCOL.as_bytes())
}

/// `-> e, e1` and an empty payload, none of it encrypted. The same for both sides; the key exchange
/// keys that are in it.
pub(super) fn hear_first<'a>(noise: &mut Symmetric, flight: &'a [u8]) -> (PublicKey, &'a [u8]) {
    let (dh, kem) = flight.split_at(DH_BYTES);
    noise.mix_hash(dh);
    noise.mix_hash(kem);
    noise.mix_hash(&[]);
    let mut key = [0; DH_BYTES];
    key.copy_from_slice(dh);
    (PublicKey::from(key), kem)
}

/// `<- e, ee, ekem1` and an empty payload, written.
pub(super) fn say_answer(
    noise: &mut Symmetric,
    theirs: &PublicKey,
    key: &[u8],
    randomness: &Randomness,
) -> Result<Vec<u8>, Error> {
    let dh = StaticSecret::from(randomness.dh);
    let mut answer = Vec::with_capacity(SECOND_BYTES);
    answer.extend_from_slice(PublicKey::from(&dh).as_bytes());
    noise.mix_hash(&answer);
    mix_dh(noise, &dh, theirs)?;
    let (ciphertext, secret) = kem::encapsulate(key, &randomness.coins())?;
    answer.extend_from_slice(&ciphertext);
    noise.seal(&mut answer, DH_BYTES)?;
    noise.mix_key(&secret);
    let payload = answer.len();
    noise.seal(&mut answer, payload)?;
    Ok(answer)
}

/// `<- e, ee, ekem1` and an empty payload, read.
pub(super) fn hear_answer(
    mut noise: Symmetric,
    dh: &StaticSecret,
    kem: &kem::Pair,
    answer: &[u8],
) -> Result<Symmetric, Error> {
    let (theirs, rest) = answer.split_first_chunk::<DH_BYTES>().ok_or(Error::Tag)?;
    let (ciphertext, payload) = rest.split_at(kem::CIPHERTEXT_BYTES + TAG_BYTES);
    noise.mix_hash(theirs);
    mix_dh(&mut noise, dh, &PublicKey::from(*theirs))?;
    let ciphertext = noise.open(ciphertext)?;
    noise.mix_key(&*kem.decapsulate(&ciphertext)?);
    noise.open(payload)?;
    Ok(noise)
}

/// `ee`. Keys of small order, which make the secret known to everybody, are refused.
fn mix_dh(noise: &mut Symmetric, own: &StaticSecret, theirs: &PublicKey) -> Result<(), Error> {
    let shared = own.diffie_hellman(theirs);
    if !shared.was_contributory() {
        return Err(Error::Key("an X25519 key of small order"));
    }
    noise.mix_key(shared.as_bytes());
    Ok(())
}

fn open_proof(
    cipher: &mut Cipher,
    sealed: &[u8],
    role: Role,
    hash: &[u8; HASH_BYTES],
    to: Option<&Peer>,
    ours: Offers,
) -> Result<Peer, Error> {
    let mut proof = sealed.to_vec();
    proof::verify(cipher.open(&[], &mut proof)?, role, hash, to, ours)
}

fn check_length(what: &'static str, flight: &[u8], expected: usize) -> Result<(), Error> {
    let found = flight.len();
    if found == expected { Ok(()) } else { Err(Error::Length { what, expected, found }) }
}
