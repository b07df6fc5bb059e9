//! What a handshake of the hybrid channel costs, both sides together, beside libp2p's noise.
//!
//! `cargo bench --bench channel`. In `cargo test` it runs once, briefly, so that it keeps working.
//! Noise is XX by `snow` with the signature and the check of an Ed25519 key on either side, as
//! libp2p's specification has it.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![allow(clippy::indexing_slicing, reason = "two sides, and lengths that were just returned")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use ed25519_dalek::Signer as _;
use synaptic_mesh::channel::record::{Opener, Sealer};
use synaptic_mesh::channel::{Credentials, Initiator, Offers, Randomness, Responder, Session};
use synaptic_mesh::crypto::sign::{SEEDS_BYTES, SigningKey};
use synaptic_mesh::rng::Rng;
use zeroize::Zeroizing;

/// Bytes written at once in the measure of throughput.
const WRITE_BYTES: usize = 64 << 10;

fn main() {
    let full = std::env::args().any(|argument| argument == "--bench");
    let count = if full { 1_000 } else { 5 };
    let (alice, bob) = (side(1), side(2));
    let mut rng = Rng::from_u64(1);
    let hybrid = timed(count, || {
        black_box(handshake(&alice, &bob, &mut rng));
    });
    println!("hybrid handshake, both sides: {hybrid:.2} ms");
    let noise = timed(count, classical);
    println!("noise XX with Ed25519, both sides: {noise:.2} ms");
    println!("ratio: {:.1}", hybrid / noise);

    let (one, other) = handshake(&alice, &bob, &mut rng);
    let (mut sealer, mut opener) = (Sealer::new(one.send), Opener::new(other.receive));
    let data = vec![7; WRITE_BYTES];
    let per_write = timed(count, || pass(&mut sealer, &mut opener, &data));
    let mib = f64::from(u32::try_from(WRITE_BYTES >> 10).unwrap_or_default()) / 1_024.0;
    println!("sealed and opened: {:.0} MiB per second", mib / per_write * 1_000.0);
}

/// Milliseconds that one call takes on average.
fn timed(count: u32, mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        call();
    }
    start.elapsed().as_secs_f64() * 1_000.0 / f64::from(count)
}

fn side(seed: u8) -> Credentials {
    let key = SigningKey::from_seeds(&[seed; SEEDS_BYTES]);
    Credentials::new(Arc::new(key), &[seed; 32], Offers::HYBRID)
}

fn handshake(alice: &Credentials, bob: &Credentials, rng: &mut Rng) -> (Session, Session) {
    let mut fresh = || {
        let mut bytes = Zeroizing::new([0; Randomness::BYTES]);
        rng.fill(bytes.as_mut());
        Randomness::new(&bytes)
    };
    let (state, first) = Initiator::start(&fresh());
    let (answered, second) = Responder::answer(bob, &first, &fresh()).expect("a sound flight");
    let (third, one) = state.finish(alice, &second).expect("a sound flight");
    (one, answered.finish(&third).expect("a sound flight"))
}

fn classical() {
    let name = "Noise_XX_25519_ChaChaPoly_SHA256";
    let builder = || snow::Builder::new(name.parse().expect("a name of Noise"));
    let keys = [0, 1].map(|_| builder().generate_keypair().expect("a key"));
    let [mut one, mut other] = [(0, true), (1, false)].map(|(index, dials)| {
        let builder = builder().local_private_key(&keys[index].private).expect("a key");
        let state = if dials { builder.build_initiator() } else { builder.build_responder() };
        state.expect("a sound pattern")
    });
    let identity = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let (mut message, mut payload) = ([0; 1_024], [0; 1_024]);
    for turn in 0..3 {
        // The second and the third message carry the sender's key and its signature.
        let proof = identity.sign(&keys[turn % 2].public).to_bytes();
        let proof = if turn == 0 { &[][..] } else { &proof };
        let length = one.write_message(proof, &mut message).expect("it fits");
        other.read_message(&message[..length], &mut payload).expect("its own message");
        if turn > 0 {
            let signature = ed25519_dalek::Signature::from_slice(proof).expect("64 bytes");
            let key = identity.verifying_key();
            key.verify_strict(&keys[turn % 2].public, &signature).expect("its own signature");
        }
        std::mem::swap(&mut one, &mut other);
    }
    assert!(one.is_handshake_finished() && other.is_handshake_finished());
}

fn pass(sealer: &mut Sealer, opener: &mut Opener, data: &[u8]) {
    let (mut rest, mut part) = (data, vec![0; WRITE_BYTES]);
    while !(rest.is_empty() && sealer.is_idle()) {
        let taken = sealer.write(rest).expect("a fresh key");
        rest = &rest[taken..];
        sealer.flush().expect("a fresh key");
        while !sealer.unsent().is_empty() {
            let room = opener.room();
            let (size, count) = (room.len(), room.len().min(sealer.unsent().len()));
            room[..count].copy_from_slice(&sealer.unsent()[..count]);
            opener.came(size, count).expect("what was sealed");
            sealer.sent(count);
        }
        while let Some(1..) = opener.read(&mut part).expect("what was sealed") {}
    }
}
