//! What each hop of a path gets to see, and what becomes of cells that were tampered with.

use data_encoding::HEXLOWER;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::crypto::kem::{DecapsulationKey, EncapsulationKey};
use crate::crypto::secret::Secret;

const NETWORK: NetworkId = NetworkId::from_bytes([1; 32]);
const NAMES: [AuthorId; HOPS] = [
    AuthorId::from_bytes([0xa1; 32]),
    AuthorId::from_bytes([0xb2; 32]),
    AuthorId::from_bytes([0xc3; 32]),
];
const PERIOD: u32 = 14_000_000;
const QUESTION: &[u8] = b"who has the name mesh.dark, I wonder";

fn key(seed: u8) -> DecapsulationKey {
    DecapsulationKey::from_seed(&Secret::copy_from(&[seed; 32]))
}

fn keys() -> [DecapsulationKey; HOPS] {
    [key(11), key(12), key(13)]
}

fn path() -> [Hop; HOPS] {
    let mut hops = NAMES.iter().zip(keys());
    std::array::from_fn(|_| {
        let (author, key) = hops.next().unwrap();
        Hop { author: *author, key: EncapsulationKey::from_bytes(&key.public()).unwrap() }
    })
}

fn cell_of(question: &[u8], coin: u8) -> (Vec<u8>, Back) {
    wrap(&NETWORK, &path(), PERIOD, question, &[[coin; 64], [coin + 1; 64], [coin + 2; 64]])
        .unwrap()
}

/// A cell as each hop gets it, and what each makes of it.
fn journey(cell: Vec<u8>) -> Vec<(Vec<u8>, Peeled)> {
    let (mut cell, mut seen) = (cell, Vec::new());
    for (name, key) in NAMES.iter().zip(keys()) {
        let peeled = peel(&NETWORK, name, &key, &cell).unwrap();
        let next = match &peeled.step {
            Step::Forward { cell, .. } => cell.clone(),
            Step::Exit { .. } => Vec::new(),
        };
        seen.push((std::mem::replace(&mut cell, next), peeled));
    }
    seen
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// The nonce of replies.
const NONCE: [u8; NONCE_BYTES] = [9; NONCE_BYTES];

#[test]
fn a_question_reaches_the_exit_and_its_answer_comes_back() {
    let (cell, back) = cell_of(QUESTION, 5);
    let [first, middle, exit] = <[_; HOPS]>::try_from(journey(cell)).unwrap();
    assert!(matches!(&first.1.step, Step::Forward { next, .. } if *next == NAMES[1]));
    assert!(matches!(&middle.1.step, Step::Forward { next, .. } if *next == NAMES[2]));
    assert_eq!(exit.1.step, Step::Exit { question: QUESTION.to_vec() });
    assert_eq!([first.1.period, middle.1.period, exit.1.period], [PERIOD; HOPS]);
    let reply = exit.1.keys.answer(b"nobody", NONCE).unwrap();
    let reply = middle.1.keys.pass_back(reply).unwrap();
    let reply = first.1.keys.pass_back(reply).unwrap();
    assert_eq!(back.open(&reply), Ok((2, b"nobody".to_vec())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_question_arrives_and_every_cell_and_reply_has_the_same_size(
        question in proptest::collection::vec(any::<u8>(), 0..=QUESTION_BYTES_MAX),
        answer in proptest::collection::vec(any::<u8>(), 0..1_000),
        seed in any::<u64>(),
        who in 0..HOPS,
    ) {
        let mut rng = crate::rng::Rng::from_u64(seed);
        let mut coins = [[0; 64]; HOPS];
        for coins in &mut coins {
            rng.fill(coins);
        }
        let (cell, back) = wrap(&NETWORK, &path(), PERIOD, &question, &coins).unwrap();
        let hops = journey(cell);
        prop_assert!(hops.iter().all(|(cell, _)| cell.len() == CELL_BYTES));
        prop_assert_eq!(&hops[2].1.step, &Step::Exit { question });
        // Whoever answers, and whoever stands before it.
        let mut reply = hops[who].1.keys.clone().answer(&answer, NONCE).unwrap();
        for (_, peeled) in hops[..who].iter().rev() {
            prop_assert_eq!(reply.len(), REPLY_BYTES);
            reply = peeled.keys.clone().pass_back(reply).unwrap();
        }
        prop_assert_eq!(back.open(&reply), Ok((who, answer)));
    }

    #[test]
    fn arbitrary_bytes_are_no_cell_no_reply_and_no_message(
        bytes in proptest::collection::vec(any::<u8>(), 0..2 * CELL_BYTES),
    ) {
        prop_assert!(peel(&NETWORK, &NAMES[0], &key(11), &bytes).is_err());
        let mut sized = bytes.clone();
        sized.resize(CELL_BYTES, 7);
        prop_assert_eq!(peel(&NETWORK, &NAMES[0], &key(11), &sized).err(), Some(Error::Altered));
        prop_assert!(cell_of(QUESTION, 5).1.open(&bytes).is_err());
        let _ = (Question::decode(&bytes), Answer::decode(&bytes));
    }
}

#[test]
fn a_cell_with_one_changed_bit_is_dropped_by_the_next_hop_wherever_the_bit_is() {
    let (cell, _) = cell_of(QUESTION, 5);
    for (hop, (cell, _)) in journey(cell).into_iter().enumerate() {
        let key = keys().into_iter().nth(hop).unwrap();
        // Every byte of the first cell; of the others every seventh, which has all remainders.
        for place in (0..CELL_BYTES).step_by(if hop == 0 { 1 } else { 7 }) {
            let mut changed = cell.clone();
            changed[place] ^= 1 << (place % 8);
            let dropped = peel(&NETWORK, &NAMES[hop], &key, &changed).err();
            assert_eq!(dropped, Some(Error::Altered), "hop {hop}, byte {place}");
        }
        assert!(peel(&NETWORK, &NAMES[hop], &key, &cell).is_ok(), "the control");
        for size in [0, 1, CELL_BYTES - 1, CELL_BYTES + 1] {
            let mut other = cell.clone();
            other.resize(size, 0);
            let dropped = peel(&NETWORK, &NAMES[hop], &key, &other).err();
            assert_eq!(dropped, Some(Error::Size { bytes: size }));
        }
    }
}

#[test]
fn a_cell_opens_for_its_hop_and_network_only() {
    let (cell, _) = cell_of(QUESTION, 5);
    let other = NetworkId::from_bytes([9; 32]);
    let opened = |network, name, seed| peel(network, name, &key(seed), &cell).err();
    assert_eq!(opened(&other, &NAMES[0], 11), Some(Error::Altered));
    assert_eq!(opened(&NETWORK, &NAMES[1], 11), Some(Error::Altered));
    assert_eq!(opened(&NETWORK, &NAMES[0], 12), Some(Error::Altered));
    assert_eq!(opened(&NETWORK, &NAMES[0], 11), None);
}

#[test]
fn no_relay_sees_both_ends_and_only_the_exit_sees_the_question() {
    let (cell, _) = cell_of(QUESTION, 5);
    let hops = journey(cell);
    // All that a hop has: the cell as it came, and everything it could decrypt of it.
    let view = |hop: usize| {
        let (received, peeled) = &hops[hop];
        let sent = match &peeled.step {
            Step::Forward { next, cell } => [&next.as_bytes()[..], cell].concat(),
            Step::Exit { question } => question.clone(),
        };
        [&received[..], &sent].concat()
    };
    for (hop, knows_question) in [(0, false), (1, false), (2, true)] {
        assert_eq!(holds(&view(hop), QUESTION), knows_question, "hop {hop}");
        for (other, name) in NAMES.iter().enumerate() {
            // A hop is told the next one, and no other.
            assert_eq!(holds(&view(hop), name.as_bytes()), other == hop + 1, "{hop} and {other}");
        }
    }
    // Two cells with one question have nothing in common that would join two views of them.
    let (again, _) = cell_of(QUESTION, 50);
    let again = journey(again);
    for (one, other) in hops.iter().zip(&again) {
        let same = one.0.iter().zip(&other.0).filter(|(one, other)| one == other).count();
        assert!(same < CELL_BYTES / 64, "{same} equal bytes; chance gives {}", CELL_BYTES / 256);
    }
    for (one, other) in hops.iter().zip(hops.iter().skip(1)) {
        let same = one.0.windows(16).filter(|window| holds(&other.0, window)).count();
        assert_eq!(same, 0, "a cell shares nothing with itself one hop later");
    }
}

#[test]
fn a_cell_that_comes_twice_is_dropped_and_an_unseen_one_is_not() {
    let now_ms = u64::from(PERIOD) * limits::ONION_PERIOD_MS;
    let (cell, _) = cell_of(QUESTION, 5);
    let (other, _) = cell_of(QUESTION, 6);
    let seen_by = |cell: &[u8]| peel(&NETWORK, &NAMES[0], &key(11), cell).unwrap().seen;
    let mut seen = Seen::default();
    assert_eq!(seen.take(PERIOD, seen_by(&cell), now_ms), Ok(()));
    assert_eq!(seen.take(PERIOD, seen_by(&cell), now_ms), Err(Error::Replayed));
    assert_eq!(seen.take(PERIOD, seen_by(&other), now_ms), Ok(()));
}

#[test]
fn a_cell_of_another_period_is_dropped_and_stays_so_when_the_clock_goes_back() {
    let at_ms = |period: u32| u64::from(period) * limits::ONION_PERIOD_MS + 7;
    let mut seen = Seen::default();
    assert_eq!(seen.take(PERIOD - 1, [0; 16], at_ms(PERIOD)), Ok(()));
    assert_eq!(seen.take(PERIOD, [0; 16], at_ms(PERIOD)), Ok(()));
    assert_eq!(seen.take(PERIOD + 1, [0; 16], at_ms(PERIOD)), Ok(()));
    for period in [0, PERIOD - 2, PERIOD + 2, u32::MAX] {
        let refused = Err(Error::Period { period, current: PERIOD });
        assert_eq!(seen.take(period, [1; 16], at_ms(PERIOD)), refused);
    }
    // Two periods on the first cell is forgotten; a clock that then goes back does not help it.
    assert_eq!(seen.take(PERIOD + 2, [0; 16], at_ms(PERIOD + 2)), Ok(()));
    let refused = Err(Error::Period { period: PERIOD - 1, current: PERIOD + 2 });
    assert_eq!(seen.take(PERIOD - 1, [0; 16], at_ms(PERIOD - 1)), refused);
    assert_eq!(seen.take(PERIOD + 1, [0; 16], at_ms(PERIOD)), Err(Error::Replayed));
}

#[test]
fn who_can_remember_no_more_cells_takes_no_more() {
    let now_ms = u64::from(PERIOD) * limits::ONION_PERIOD_MS;
    let mut seen = Seen::default();
    for number in 0..limits::ONION_SEEN_MAX {
        let mut tag = [0; 16];
        tag[..8].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
        assert_eq!(seen.take(PERIOD, tag, now_ms), Ok(()));
    }
    assert_eq!(seen.take(PERIOD, [0xff; 16], now_ms), Err(Error::Full));
    assert_eq!(seen.take(PERIOD, [0; 16], now_ms), Err(Error::Replayed));
    assert_eq!(seen.take(PERIOD + 2, [0xff; 16], now_ms + 2 * limits::ONION_PERIOD_MS), Ok(()));
}

#[test]
fn a_changed_reply_is_refused_and_no_relay_can_speak_for_the_exit() {
    let (cell, back) = cell_of(QUESTION, 5);
    let [first, middle, exit] = <[_; HOPS]>::try_from(journey(cell)).unwrap();
    let answer = exit.1.keys.answer(b"nobody", NONCE).unwrap();
    for place in [0, 1, 2, 7, 8, 40_000, REPLY_BYTES - 28, REPLY_BYTES - 12, REPLY_BYTES - 1] {
        let mut changed = answer.clone();
        changed[place] ^= 1;
        let changed = middle.1.keys.clone().pass_back(changed).unwrap();
        let changed = first.1.keys.clone().pass_back(changed).unwrap();
        let (_, back) = cell_of(QUESTION, 5);
        assert_eq!(back.open(&changed), Err(Error::Altered), "byte {place}");
    }
    let forged = middle.1.keys.answer(b"me", NONCE).unwrap();
    let forged = first.1.keys.clone().pass_back(forged).unwrap();
    assert_eq!(back.open(&forged), Ok((1, b"me".to_vec())), "its place shows");
    let short = first.1.keys.pass_back(forged[1..].to_vec());
    assert_eq!(short, Err(Error::Size { bytes: REPLY_BYTES - 1 }));
}

/// What a hop remembers dies with its process, and a cell that comes again then is answered again.
#[test]
fn two_replies_to_one_cell_share_no_keystream() {
    let (cell, _) = cell_of(QUESTION, 5);
    let keys = journey(cell).swap_remove(2).1.keys;
    let (short, long) = ([1; 8], [2; 4_000]);
    let one = keys.clone().answer(&short, NONCE).unwrap();
    let other = |nonce| keys.clone().answer(&long, nonce).unwrap();
    let is_plain = |other: &[u8]| (100..4_000).all(|at| one[at] ^ other[at] == long[0]);
    assert!(!is_plain(&other([8; NONCE_BYTES])));
    assert!(is_plain(&other(NONCE)), "with one nonce their difference is the text");
}

#[test]
fn what_is_too_long_is_refused_by_size() {
    let long = vec![7; QUESTION_BYTES_MAX + 1];
    let refused = wrap(&NETWORK, &path(), PERIOD, &long, &[[1; 64], [2; 64], [3; 64]]).err();
    assert_eq!(refused, Some(Error::TooLong { bytes: long.len() }));
    let (cell, _) = cell_of(QUESTION, 5);
    let keys = journey(cell).swap_remove(2).1.keys;
    let fits = keys.clone().answer(&vec![7; ANSWER_BYTES_MAX], NONCE).unwrap();
    assert_eq!(fits.len(), REPLY_BYTES);
    let bytes = ANSWER_BYTES_MAX + 1;
    assert_eq!(keys.answer(&vec![7; bytes], NONCE), Err(Error::AnswerTooLong { bytes }));
}

#[test]
fn keys_do_not_show_in_debug() {
    let (cell, back) = cell_of(QUESTION, 5);
    let shown = format!("{back:?} {:?}", journey(cell).swap_remove(0).1.keys);
    assert_eq!(shown.matches("HopKeys(redacted)").count(), 1 + HOPS, "{shown}");
}

/// One cell and its reply, byte by byte: `tests/node/onion.test.mjs` reads the file with code that
/// shares nothing with this, from the KEM's secrets on.
#[test]
fn a_cell_and_its_reply_have_the_bytes_of_before() {
    let hex = |bytes: &[u8]| HEXLOWER.encode(bytes);
    let (cell, _) = cell_of(QUESTION, 5);
    let hops = journey(cell);
    let shared = |(hop, (cell, _)): (usize, &(Vec<u8>, Peeled))| {
        let ciphertext = cell.first_chunk().unwrap();
        hex(keys()[hop].decapsulate(ciphertext).as_ref())
    };
    let replies: Vec<Vec<u8>> = hops.iter().rev().fold(Vec::new(), |mut replies, (_, peeled)| {
        let keys = peeled.keys.clone();
        let reply = match replies.last() {
            None => keys.answer(b"nobody", NONCE).unwrap(),
            Some(last) => keys.pass_back(last.clone()).unwrap(),
        };
        replies.push(reply);
        replies
    });
    let now = serde_json::json!({
        "network": hex(NETWORK.as_bytes()),
        "hops": NAMES.map(|name| hex(name.as_bytes())),
        "shared": hops.iter().enumerate().map(shared).collect::<Vec<_>>(),
        "period": PERIOD,
        "question": hex(QUESTION),
        "answer": hex(b"nobody"),
        "nonce": hex(&NONCE),
        "cell": hex(&hops[0].0),
        "reply_sha256": hex(&Sha256::digest(&replies[HOPS - 1])),
    });
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/onion.json");
    if std::env::var("GOLDEN").is_ok_and(|what| what == "write") {
        std::fs::write(file, format!("{now:#}\n")).unwrap();
    }
    let before: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(now, before);
}
