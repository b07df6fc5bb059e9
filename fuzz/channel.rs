//! What is fuzzed of the channel: flights and frames of anybody.

use std::sync::{Arc, OnceLock};

use synaptic_mesh::channel::record::{Opener, Sealer};
use synaptic_mesh::channel::{Credentials, Initiator, Offers, Randomness, Responder, Session};
use synaptic_mesh::crypto::sign::{SEEDS_BYTES, SigningKey};
use zeroize::Zeroizing;

/// What the initiator says once the handshake is done.
const TEXT: &[u8] = b"what is said on a channel";

/// The first byte says which flight the rest is, or that it is the frames behind the handshake.
/// Nothing but the very bytes of the other side gets through, and of frames only the beginning of
/// what it said.
pub(crate) fn channel(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    let sound = sound();
    match kind % 4 {
        0 => {
            let answer = Responder::answer(&sound.bob, bytes, &randomness(4));
            if let Ok((state, second)) = answer {
                assert_eq!(second == sound.second, bytes == sound.first);
                assert_eq!(state.finish(&sound.third).is_ok(), bytes == sound.first);
            }
        }
        1 => {
            let (state, _) = Initiator::start(&randomness(3));
            assert_eq!(state.finish(&sound.alice, bytes).is_ok(), bytes == sound.second);
        }
        2 => {
            let answer = Responder::answer(&sound.bob, &sound.first, &randomness(4));
            let (state, _) = answer.expect("a sound flight");
            assert_eq!(state.finish(bytes).is_ok(), bytes == sound.third);
        }
        _ => {
            let read = read(Opener::new(handshake(sound).1.receive), bytes);
            assert!(TEXT.starts_with(&read), "more than was said");
        }
    }
}

/// A handshake in which nobody interferes.
struct Sound {
    alice: Credentials,
    bob: Credentials,
    first: Vec<u8>,
    second: Vec<u8>,
    third: Vec<u8>,
}

fn sound() -> &'static Sound {
    static SOUND: OnceLock<Sound> = OnceLock::new();
    SOUND.get_or_init(|| {
        let side = |seed| {
            let key = SigningKey::from_seeds(&[seed; SEEDS_BYTES]);
            Credentials::new(Arc::new(key), &[seed; 32], Offers::HYBRID)
        };
        let (alice, bob) = (side(1), side(2));
        let (state, first) = Initiator::start(&randomness(3));
        let answer = Responder::answer(&bob, &first, &randomness(4));
        let second = answer.expect("a sound flight").1;
        let third = state.finish(&alice, &second).expect("a sound flight").0;
        Sound { alice, bob, first, second, third }
    })
}

/// Both sessions of it, anew.
fn handshake(sound: &Sound) -> (Session, Session) {
    let (state, first) = Initiator::start(&randomness(3));
    let answer = Responder::answer(&sound.bob, &first, &randomness(4));
    let (answered, second) = answer.expect("a sound flight");
    let (third, initiator) = state.finish(&sound.alice, &second).expect("a sound flight");
    (initiator, answered.finish(&third).expect("a sound flight"))
}

fn randomness(seed: u8) -> Randomness {
    Randomness::new(&Zeroizing::new([seed; Randomness::BYTES]))
}

fn read(mut opener: Opener, mut wire: &[u8]) -> Vec<u8> {
    let (mut all, mut part) = (Vec::new(), [0; 10]);
    loop {
        match opener.read(&mut part) {
            Ok(Some(0)) | Err(_) => return all,
            Ok(Some(count)) => all.extend(part.iter().take(count)),
            Ok(None) => {
                let room = opener.room();
                let (size, count) = (room.len(), room.len().min(wire.len()));
                assert!(size > 0, "an end that wants bytes has room for some");
                let (now, later) = wire.split_at(count);
                room.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
                wire = later;
                let came = opener.came(size, count);
                if came.is_err() || (count == 0 && opener.over().is_err()) {
                    assert!(opener.read(&mut part).is_err(), "an error is final");
                    return all;
                }
            }
        }
    }
}

/// Every flight, and frames with an end.
pub(super) fn conversations() -> Vec<Vec<u8>> {
    let sound = sound();
    let mut sealer = Sealer::new(handshake(sound).0.send);
    let mut frames = Vec::new();
    let mut drain = |sealer: &mut Sealer| {
        frames.extend_from_slice(sealer.unsent());
        let sent = sealer.unsent().len();
        sealer.sent(sent);
    };
    for part in TEXT.chunks(9) {
        sealer.write(part).expect("a fresh key");
        sealer.flush().expect("a fresh key");
        drain(&mut sealer);
    }
    sealer.end().expect("a fresh key");
    drain(&mut sealer);
    let all = [&sound.first, &sound.second, &sound.third, &frames];
    (0_u8..).zip(all).map(|(kind, bytes)| [&[kind], bytes.as_slice()].concat()).collect()
}
