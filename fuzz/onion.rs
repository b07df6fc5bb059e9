//! Anonymous questions: whatever a peer hands over as a cell, replies, or says inside of them.

use std::sync::OnceLock;

use synaptic_mesh::crypto::kem::{DecapsulationKey, EncapsulationKey};
use synaptic_mesh::dag::NetworkId;
use synaptic_mesh::identity::{AuthorId, Secrets};
use synaptic_mesh::onion::{Answer, Back, Hop, Question, peel, wrap};

const NETWORK: NetworkId = NetworkId::from_bytes([1; 32]);
const HOP: AuthorId = AuthorId::from_bytes([2; 32]);

fn key() -> &'static DecapsulationKey {
    static KEY: OnceLock<DecapsulationKey> = OnceLock::new();
    KEY.get_or_init(|| DecapsulationKey::from_seed(&Secrets::from_entropy([4; 96]).sealing_seed()))
}

fn wrapped() -> (Vec<u8>, Back) {
    let key = EncapsulationKey::from_bytes(&key().public()).expect("a sound key");
    let hop = || Hop { author: HOP, key: key.clone() };
    let question = question();
    let coins = [[5; 64], [6; 64], [7; 64]];
    wrap(&NETWORK, &[hop(), hop(), hop()], 9, &question, &coins).expect("a short question")
}

fn question() -> Vec<u8> {
    Question::Name { label: "mesh".to_owned() }.encode()
}

/// A cell, a question, an answer and a reply.
pub(crate) fn messages() -> Vec<Vec<u8>> {
    static MESSAGES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let sound = || {
        let (cell, _) = wrapped();
        let keys = peel(&NETWORK, &HOP, key(), &cell).expect("a sound cell").keys;
        let reply = keys.answer(&Answer::Lost.encode(), [7; 12]).expect("a short answer");
        vec![cell, question(), Answer::Lost.encode(), reply]
    };
    MESSAGES.get_or_init(sound).clone()
}

/// Opens only what was wrapped: nobody makes another cell or reply of one.
pub(crate) fn onion(data: &[u8]) {
    let is_sound = || messages().iter().any(|sound| sound == data);
    if peel(&NETWORK, &HOP, key(), data).is_ok() {
        assert!(is_sound());
    }
    if data.len() == synaptic_mesh::onion::REPLY_BYTES && wrapped().1.open(data).is_ok() {
        assert!(is_sound());
    }
    let question = Question::decode(data).map(|question| question.encode());
    assert!(question.is_none_or(|again| again == data));
    let answer = Answer::decode(data).map(|answer| answer.encode());
    assert!(answer.is_none_or(|again| again == data));
}
