//! The same handshake by `snow`, another implementation of Noise, byte for byte.
//!
//! `snow` has the pattern `NNhfs`, with a KEM that a resolver supplies; its own is round-3 Kyber.
//! The one lent here calls `ml-kem` with the test's randomness. So `snow` computes every hash, key,
//! nonce and tag by itself, over X25519 and SHA-256 of other versions of their crates; that of the
//! AEAD is the same.

use ml_kem::kem::{Decapsulate as _, KeyExport as _};
use ml_kem::ml_kem_768::{DecapsulationKey, EncapsulationKey};
use snow::params::{
    BaseChoice, CipherChoice, DHChoice, HandshakeChoice, HandshakeModifier, HandshakeModifierList,
    HandshakePattern, HashChoice, KemChoice, NoiseParams,
};
use snow::resolvers::{BoxedCryptoResolver, CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Kem, Random};

use super::*;
use crate::channel::handshake::NOISE_PROTOCOL;
use crate::message::CHANNEL_PROTOCOL;

/// ML-KEM-768 for snow, with fixed randomness.
struct MlKem {
    randomness: [u8; 64],
    pair: Option<(DecapsulationKey, Vec<u8>)>,
}

impl Kem for MlKem {
    fn name(&self) -> &'static str {
        "MLKEM768"
    }

    fn pub_len(&self) -> usize {
        1_184
    }

    fn ciphertext_len(&self) -> usize {
        1_088
    }

    fn shared_secret_len(&self) -> usize {
        32
    }

    fn generate(&mut self, _: &mut dyn Random) {
        let key = DecapsulationKey::from_seed(self.randomness.into());
        let public = key.encapsulation_key().to_bytes().to_vec();
        self.pair = Some((key, public));
    }

    fn pubkey(&self) -> &[u8] {
        &self.pair.as_ref().unwrap().1
    }

    fn encapsulate(
        &self,
        public: &[u8],
        secret: &mut [u8],
        ciphertext: &mut [u8],
    ) -> Result<(usize, usize), snow::Error> {
        let key = EncapsulationKey::new(&public.try_into().unwrap()).unwrap();
        let coins: [u8; 32] = *self.randomness.first_chunk().unwrap();
        let (made, shared) = key.encapsulate_deterministic(&coins.into());
        secret.copy_from_slice(&shared);
        ciphertext.copy_from_slice(&made);
        Ok((shared.len(), made.len()))
    }

    fn decapsulate(&self, ciphertext: &[u8], secret: &mut [u8]) -> Result<usize, snow::Error> {
        let (key, _) = self.pair.as_ref().unwrap();
        let shared = key.decapsulate(&ciphertext.try_into().unwrap());
        secret.copy_from_slice(&shared);
        Ok(shared.len())
    }
}

struct Resolver([u8; 64]);

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        DefaultResolver.resolve_rng()
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }

    fn resolve_kem(&self, _: &KemChoice) -> Option<Box<dyn Kem>> {
        Some(Box::new(MlKem { randomness: self.0, pair: None }))
    }
}

/// One side by snow, with the randomness that ours has from the same seed.
fn snow(seed: u64, initiator: bool) -> snow::HandshakeState {
    let modifiers = HandshakeModifierList { list: vec![HandshakeModifier::Hfs] };
    let params = NoiseParams::new(
        NOISE_PROTOCOL.to_owned(),
        BaseChoice::Noise,
        HandshakeChoice { pattern: HandshakePattern::NN, modifiers },
        DHChoice::Curve25519,
        Some(KemChoice::Kyber1024),
        CipherChoice::ChaChaPoly,
        HashChoice::SHA256,
    );
    let bytes = bytes(seed);
    let (dh, kem) = (bytes[..32].to_vec(), bytes[32..96].try_into().unwrap());
    let resolver: BoxedCryptoResolver = Box::new(Resolver(kem));
    let builder = snow::Builder::with_resolver(params, resolver)
        .prologue(CHANNEL_PROTOCOL.as_bytes())
        .unwrap()
        .fixed_ephemeral_key_for_testing_only(&dh);
    if initiator { builder.build_initiator().unwrap() } else { builder.build_responder().unwrap() }
}

fn written(state: &mut snow::HandshakeState) -> Vec<u8> {
    let mut message = vec![0; 65_535];
    let length = state.write_message(&[], &mut message).unwrap();
    message.truncate(length);
    message
}

#[test]
fn snow_says_the_same_bytes_and_opens_ours() {
    let (alice, bob) = (credentials(1), credentials(2));
    let Run { first, second, third, initiator, mut responder } = run(&alice, &bob, 3).unwrap();

    let (mut dialler, mut listener) = (snow(3, true), snow(4, false));
    let mut payload = vec![0; 65_535];
    assert_eq!(written(&mut dialler), first);
    assert_eq!(listener.read_message(&first, &mut payload).unwrap(), 0);
    let answer = written(&mut listener);
    assert_eq!(answer, second[..answer.len()]);
    assert_eq!(dialler.read_message(&answer, &mut payload).unwrap(), 0);
    assert_eq!(dialler.get_handshake_hash(), initiator.hash);
    assert_eq!(listener.get_handshake_hash(), responder.hash);

    let mut dialler = dialler.into_transport_mode().unwrap();
    let mut listener = listener.into_transport_mode().unwrap();
    let length = dialler.read_message(&second[answer.len()..], &mut payload).unwrap();
    let proof = payload[..length].to_vec();
    let peer = proof::verify(&proof, proof::Role::Responder, &initiator.hash, None, Offers::HYBRID);
    assert_eq!(peer.as_ref(), Ok(bob.own()));
    let length = listener.read_message(&third, &mut payload).unwrap();
    assert_eq!(length, proof::PROOF_BYTES);

    // What follows, and after the keys were changed.
    for _ in 0..3 {
        let mut ours = b"data".to_vec();
        responder.send.seal(&[], &mut ours, 0).unwrap();
        let length = dialler.read_message(&ours, &mut payload).unwrap();
        assert_eq!(&payload[..length], b"data");
        responder.send.rekey();
        dialler.rekey_incoming();
    }
}
