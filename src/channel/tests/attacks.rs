//! Whoever is in the middle, and whoever lies: each attempt is refused, and beside each stands the
//! same handshake without it, which is not.

use proptest::prelude::*;

use super::*;
use crate::channel::noise::TAG_BYTES;
use crate::channel::proof::{self, PROOF_BYTES, Role};
use crate::crypto::sign::{self, PublicKey, SIGNATURE_BYTES, Signature};

/// Where the parts of a flight are.
const DH: std::ops::Range<usize> = 0..32;
const KEM_KEY: std::ops::Range<usize> = 32..FIRST_BYTES;
const CIPHERTEXT: std::ops::Range<usize> = 32..32 + 1_088 + TAG_BYTES;
const PROOF: std::ops::Range<usize> = 1_152..SECOND_BYTES;

/// Whoever sits between two nodes and changes flights.
type Middle<'a> = &'a dyn Fn(usize, &mut Vec<u8>);

/// A handshake of nodes 1 and 2 with somebody in the middle.
fn between(middle: Middle) -> Result<(Session, Session), Error> {
    let (alice, bob) = (credentials(1), credentials(2));
    let (state, mut flight) = Initiator::start(&randomness(3));
    middle(1, &mut flight);
    let (answered, mut flight) = Responder::answer(&bob, &flight, &randomness(4))?;
    middle(2, &mut flight);
    let (mut flight, initiator) = state.finish(&alice, &flight)?;
    middle(3, &mut flight);
    Ok((initiator, answered.finish(&flight)?))
}

fn error(middle: Middle) -> Error {
    between(middle).map(|_| ()).expect_err("somebody in the middle went unnoticed")
}

#[test]
fn a_middle_that_changes_nothing_is_let_through() {
    assert!(between(&|_, _| {}).is_ok(), "the control of every test here");
}

#[test]
fn a_zeroed_half_of_the_first_flight_is_refused() {
    // A key of zeros is a sound ML-KEM key: the initiator finds that it is not its own.
    assert_eq!(
        error(&|at, flight| if at == 1 {
            flight[KEM_KEY].fill(0);
        }),
        Error::Tag
    );
    let small = error(&|at, flight| {
        if at == 1 {
            flight[DH].fill(0);
        }
    });
    assert_eq!(small, Error::Key("an X25519 key of small order"));
    let unreduced = error(&|at, flight| {
        if at == 1 {
            flight[KEM_KEY].fill(0xff);
        }
    });
    assert_eq!(unreduced, Error::Key("no ML-KEM-768 encapsulation key"));
}

#[test]
fn a_zeroed_or_replaced_half_of_the_second_flight_is_refused() {
    let other = run(&credentials(1), &credentials(2), 90).unwrap().second;
    assert_eq!(
        error(&|at, flight| if at == 2 {
            flight[CIPHERTEXT].fill(0);
        }),
        Error::Tag
    );
    for part in [DH, CIPHERTEXT, PROOF] {
        let replaced = |at, flight: &mut Vec<u8>| {
            if at == 2 {
                flight[part.clone()].copy_from_slice(&other[part.clone()]);
            }
        };
        assert_eq!(error(&replaced), Error::Tag, "{part:?}");
    }
    let small = error(&|at, flight| {
        if at == 2 {
            flight[DH].fill(0);
        }
    });
    assert_eq!(small, Error::Key("an X25519 key of small order"));
}

/// A ciphertext that the middle made itself for the initiator's key is sound, but the middle lacks
/// the X25519 secret that encrypts it.
#[test]
fn a_replayed_flight_is_refused() {
    let old = run(&credentials(1), &credentials(2), 90).unwrap();
    let (second, third) = (old.second, old.third);
    assert_eq!(
        error(&|at, flight| if at == 2 {
            flight.clone_from(&second);
        }),
        Error::Tag
    );
    assert_eq!(
        error(&|at, flight| if at == 3 {
            flight.clone_from(&third);
        }),
        Error::Tag
    );
    // The first is no secret: a replay of it is answered, but whoever replays it cannot go on.
    let (answered, second) =
        Responder::answer(&credentials(2), &old.first, &randomness(7)).unwrap();
    assert_ne!(second[DH], old.responder.hash[..], "the answer is another one");
    assert_eq!(answered.finish(&third).map(|_| ()), Err(Error::Tag));
}

#[test]
fn flights_cut_short_or_too_long_are_refused_by_their_length() {
    for at in 1..=3 {
        let short = error(&|flight, bytes| {
            if flight == at {
                bytes.truncate(bytes.len() - 1);
            }
        });
        let long = error(&|flight, bytes| {
            if flight == at {
                bytes.push(0);
            }
        });
        let none = error(&|flight, bytes| {
            if flight == at {
                bytes.clear();
            }
        });
        for error in [short, long, none] {
            assert_eq!(error.code(), "channel-length");
        }
    }
}

#[test]
fn no_bit_of_a_flight_can_be_changed() {
    let lengths = [FIRST_BYTES, SECOND_BYTES, THIRD_BYTES];
    for (index, length) in lengths.into_iter().enumerate() {
        for byte in (0..length).step_by(149).chain([31, 32, 1_151, length - 1]) {
            // The highest bit of an X25519 key counts for nothing in the agreement, but is hashed.
            for bit in [0, 7] {
                let flip = |at, flight: &mut Vec<u8>| {
                    if at == index + 1 {
                        flight[byte] ^= 1 << bit;
                    }
                };
                error(&flip);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_is_refused_and_never_a_panic(
        at in 1_usize..=3,
        garbage in proptest::collection::vec(any::<u8>(), 0..8_192),
        fits in any::<bool>(),
    ) {
        let length = [FIRST_BYTES, SECOND_BYTES, THIRD_BYTES][at - 1];
        error(&|flight, bytes| if flight == at {
            bytes.clone_from(&garbage);
            if fits { bytes.resize(length, 0xa5); }
        });
    }
}

/// Mallory's node in the middle: a whole handshake with either side, under its own keys, in which
/// it passes on the proof that the other gave it.
#[test]
fn a_proof_passed_on_by_somebody_in_the_middle_is_refused() {
    let (alice, bob, mallory) = (credentials(1), credentials(2), credentials(3));
    // Mallory dials Bob and has his proof in clear.
    let (state, first) = Initiator::start(&randomness(10));
    let (_, second) = Responder::answer(&bob, &first, &randomness(11)).unwrap();
    let (of_bob, _) = opened(state, &second);
    // Alice dials Mallory, who answers with Bob's proof instead of its own.
    let (state, first) = Initiator::start(&randomness(12));
    let answer = |proof: Option<&[u8]>| {
        let (mut noise, mut answer) = answered(&first, 13);
        let mut sealed = match proof {
            Some(proof) => proof.to_vec(),
            None => mallory.prove(Role::Responder, &noise.1, None, [0; 32]),
        };
        noise.0.seal(&[], &mut sealed, 0).unwrap();
        answer.append(&mut sealed);
        answer
    };
    let refused = state.finish(&alice, &answer(Some(&of_bob)));
    assert_eq!(refused.map(|_| ()), Err(Error::Transport));
    let (state, _) = Initiator::start(&randomness(12));
    let (_, session) = state.finish(&alice, &answer(None)).expect("the control");
    assert_eq!(session.peer, *mallory.own(), "as itself Mallory may speak");
}

/// The Noise part of a responder without a proof: its sending cipher and the hash, and the bytes.
fn answered(first: &[u8], seed: u64) -> ((noise::Cipher, [u8; 32]), Vec<u8>) {
    use super::handshake::{NOISE_PROTOCOL, begin, hear_first, say_answer};
    let mut noise = begin(NOISE_PROTOCOL);
    let (dh, kem) = hear_first(&mut noise, first);
    let answer = say_answer(&mut noise, &dh, kem, &randomness(seed)).unwrap();
    let (_, cipher, hash) = noise.split();
    ((cipher, hash), answer)
}

/// The responder's proof in clear, and the session of whoever opened it.
fn opened(state: Initiator, second: &[u8]) -> (Vec<u8>, (noise::Cipher, [u8; 32])) {
    let (answer, proof) = second.split_at(PROOF.start);
    let (send, mut receive, hash) = state.hear(answer).unwrap().split();
    let mut proof = proof.to_vec();
    let proof = receive.open(&[], &mut proof).unwrap().to_vec();
    (proof, (send, hash))
}

#[test]
fn a_responders_own_proof_sent_back_to_it_is_refused() {
    let (bob, mallory) = (credentials(2), credentials(3));
    for reflects in [true, false] {
        let (state, first) = Initiator::start(&randomness(10));
        let (answered, second) = Responder::answer(&bob, &first, &randomness(11)).unwrap();
        let (of_bob, (mut send, hash)) = opened(state, &second);
        let mut third = if reflects {
            of_bob
        } else {
            mallory.prove(Role::Initiator, &hash, Some(bob.own()), [0; 32])
        };
        send.seal(&[], &mut third, 0).unwrap();
        let outcome = answered.finish(&third).map(|session| session.peer);
        let expected = if reflects { Err(Error::Transport) } else { Ok(mallory.own().clone()) };
        assert_eq!(outcome, expected);
    }
}

#[test]
fn a_proof_holds_for_one_role_one_handshake_and_one_responder() {
    let (alice, bob, carol) = (credentials(1), credentials(2), credentials(3));
    let hash = [7; 32];
    let proof = alice.prove(Role::Initiator, &hash, Some(bob.own()), [0; 32]);
    let check = |role, hash: &[u8; 32], to: Option<&Peer>| {
        proof::verify(&proof, role, hash, to, Offers::HYBRID)
    };
    assert_eq!(check(Role::Initiator, &hash, Some(bob.own())).as_ref(), Ok(alice.own()));
    assert_eq!(check(Role::Responder, &hash, Some(bob.own())), Err(Error::Transport));
    assert_eq!(check(Role::Responder, &hash, None), Err(Error::Transport));
    assert_eq!(check(Role::Initiator, &[8; 32], Some(bob.own())), Err(Error::Transport));
    assert_eq!(check(Role::Initiator, &hash, Some(carol.own())), Err(Error::Transport));
    assert_eq!(check(Role::Initiator, &hash, None), Err(Error::Transport));
    // The same responder under another transport key, or as another author, is another one.
    let mixed = |author: &Peer, transport: &Peer| Peer {
        author: author.author,
        transport: transport.transport.clone(),
    };
    for other in [mixed(bob.own(), carol.own()), mixed(carol.own(), bob.own())] {
        assert_eq!(check(Role::Initiator, &hash, Some(&other)), Err(Error::Transport));
    }
}

/// Signs with one key and shows another.
struct Impostor {
    shown: SigningKey,
    held: SigningKey,
}

impl Signer for Impostor {
    fn public(&self) -> &PublicKey {
        self.shown.public()
    }

    fn sign(&self, claim: &[u8], hedge: [u8; 32]) -> Signature {
        Signer::sign(&self.held, claim, hedge)
    }
}

#[test]
fn an_author_key_that_is_not_held_cannot_be_shown() {
    let key = |seed| SigningKey::from_seeds(&[seed; SEEDS_BYTES]);
    for (held, expected) in [(3, Err(sign::Error::Ed25519.into())), (2, Ok(()))] {
        let signer = Impostor { shown: key(2), held: key(held) };
        let credentials = Credentials::new(Arc::new(signer), &[9; 32], Offers::HYBRID);
        assert_eq!(run(&credentials_of_alice(), &credentials, 3).map(|_| ()), expected);
        assert_eq!(run(&credentials, &credentials_of_alice(), 3).map(|_| ()), expected);
    }
}

fn credentials_of_alice() -> Credentials {
    credentials(1)
}

/// Parts of two sound proofs of one handshake put together: keys and signatures of both kinds.
#[test]
fn halves_of_two_identities_do_not_make_a_third() {
    let (alice, mallory) = (credentials(1), credentials(3));
    let hash = [7; 32];
    let proofs = [&alice, &mallory].map(|side| side.prove(Role::Responder, &hash, None, [0; 32]));
    let check = |proof: &[u8]| proof::verify(proof, Role::Responder, &hash, None, Offers::HYBRID);
    assert_eq!(check(&proofs[0]).as_ref(), Ok(alice.own()));
    let (author, transport) = (1..1_985, 1_985..2_017);
    let (by_transport, by_author) = (2_017..2_081, 2_081..PROOF_BYTES);
    let parts = [
        vec![author.clone()],
        vec![transport.clone()],
        vec![author, by_author.clone()],
        vec![transport, by_transport.clone()],
        vec![by_transport],
        vec![by_author],
    ];
    for swapped in parts {
        let mut proof = proofs[0].clone();
        for part in &swapped {
            proof[part.clone()].copy_from_slice(&proofs[1][part.clone()]);
        }
        assert!(check(&proof).is_err(), "{swapped:?}");
    }
}

#[test]
fn a_signature_without_one_of_its_halves_is_refused() {
    let alice = credentials(1);
    let proof = alice.prove(Role::Responder, &[7; 32], None, [0; 32]);
    let check =
        |proof: &[u8]| proof::verify(proof, Role::Responder, &[7; 32], None, Offers::HYBRID);
    assert!(check(&proof).is_ok());
    let signature = PROOF_BYTES - SIGNATURE_BYTES;
    let halves = [
        (signature..PROOF_BYTES - 64, sign::Error::MlDsa),
        (PROOF_BYTES - 64..PROOF_BYTES, sign::Error::Ed25519),
    ];
    for (half, expected) in halves {
        let mut zeroed = proof.clone();
        zeroed[half].fill(0);
        assert_eq!(check(&zeroed), Err(Error::Author(expected)));
    }
}

#[test]
fn sides_that_both_offer_more_than_was_taken_refuse_to_settle() {
    let better = Offers::from_bits(4);
    let all = Offers::CLASSICAL.and(Offers::HYBRID);
    let cases = [
        (all.and(better), all.and(better), false),
        (all.and(better), all, true),
        (all, all.and(better), true),
        (all, all, true),
        (all, Offers::HYBRID, true),
        // Nothing in common, or nothing as good as what was taken: it was not offered.
        (Offers::CLASSICAL, all, false),
    ];
    for (ours, theirs, agree) in cases {
        let outcome = run(&offering(1, ours), &offering(2, theirs), 3).map(|_| ());
        assert_eq!(outcome, if agree { Ok(()) } else { Err(Error::Downgraded) });
    }
}

/// The offers are under both signatures: striking one out is found as a forgery.
#[test]
fn offers_cannot_be_struck_out() {
    let better = Offers::HYBRID.and(Offers::from_bits(4));
    let mut proof = offering(1, better).prove(Role::Responder, &[7; 32], None, [0; 32]);
    proof[0] = Offers::HYBRID.bits();
    let outcome = proof::verify(&proof, Role::Responder, &[7; 32], None, better);
    assert_eq!(outcome, Err(Error::Transport));
}
