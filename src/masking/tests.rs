//! Sums against naive sums, masks against what random words look like, and published vectors.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers of tests are small, or meant to wrap"
)]

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _};
use zeroize::Zeroizing;

use super::sum::{Cohort, Opened, Party, Secrets};
use super::{Error, Settings, agreement, ring, shamir, stream};
use crate::rng::Rng;

const CLIP: f32 = 4.0;

/// The seed of the random tests: `SEED`, or one that is always the same.
fn seed() -> u64 {
    let given = std::env::var("SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or(2_017)
}

fn bytes(rng: &mut Rng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill(&mut bytes);
    bytes
}

/// Members with their secrets, a model and a round.
struct Bench {
    id: [u8; 32],
    round: u32,
    tensors: Vec<usize>,
    parties: Vec<Party>,
    secrets: Vec<Secrets>,
}

impl Bench {
    fn new(members: usize, tensors: &[usize], rng: &mut Rng) -> Self {
        let mut drawn: Vec<(Party, Secrets)> = (0..members)
            .map(|_| {
                let key = Zeroizing::new(bytes(rng));
                let party = Party { id: bytes(rng), key: agreement::public_of(&key) };
                (party, Secrets { key, own: Zeroizing::new(bytes(rng)) })
            })
            .collect();
        drawn.sort_by_key(|(party, _)| party.id);
        let (parties, secrets) = drawn.into_iter().unzip();
        let (id, round) = (bytes(rng), rng.below(100) + 1);
        Self { id, round, tensors: tensors.to_vec(), parties, secrets }
    }

    fn cohort(&self) -> Cohort<'_> {
        let Self { id, round, tensors, parties, .. } = self;
        Cohort { id, round: *round, tensors, parties }
    }

    fn values(&self) -> usize {
        self.tensors.iter().sum()
    }

    fn masked(&self, place: usize, plain: &[u64]) -> Vec<u64> {
        let mut words = plain.to_vec();
        self.cohort().mask(&mut words, place, &self.secrets[place]).unwrap();
        words
    }

    /// The sum of those that are there, and the secrets that open it.
    fn sum(&self, plain: &[Vec<u64>], is_there: &[bool]) -> (Vec<u64>, Vec<Opened>) {
        let mut sum = vec![0; self.values()];
        for (place, words) in plain.iter().enumerate().filter(|(place, _)| is_there[*place]) {
            ring::add(&mut sum, &ring::bytes_of(&self.masked(place, words))).unwrap();
        }
        let opened = self.secrets.iter().zip(is_there).map(|(secrets, is_there)| {
            if *is_there {
                Opened::Own(secrets.own.clone())
            } else {
                Opened::Key(secrets.key.clone())
            }
        });
        (sum, opened.collect())
    }
}

fn update(values: usize, rng: &mut Rng) -> Vec<f32> {
    (0..values).map(|_| (rng.uniform_f32() - 0.5) * 10.0).collect()
}

/// What is summed, by whole numbers that do not wrap.
fn naive(updates: &[(Vec<f32>, u32)], is_there: &[bool], value: usize) -> i128 {
    let there = updates.iter().zip(is_there).filter(|(_, is_there)| **is_there);
    there
        .map(|((update, samples), _)| {
            let steps = (f64::from(update[value].clamp(-CLIP, CLIP)) * 16_777_216.0).round();
            steps as i128 * i128::from(*samples)
        })
        .sum()
}

#[test]
fn the_sum_is_exact_whoever_drops_out() {
    let mut rng = Rng::from_u64(seed());
    for case in 0..120 {
        let members = 2 + rng.below(9) as usize;
        let tensors: Vec<usize> = (0..=rng.below(4)).map(|_| 1 + rng.below(700) as usize).collect();
        let bench = Bench::new(members, &tensors, &mut rng);
        let updates: Vec<(Vec<f32>, u32)> = (0..members)
            .map(|_| (update(bench.values(), &mut rng), 1 + rng.below(1 << 20)))
            .collect();
        let mut is_there: Vec<bool> = (0..members).map(|_| rng.below(3) > 0).collect();
        is_there[rng.below(members as u32) as usize] = true;
        let plain: Vec<Vec<u64>> = updates
            .iter()
            .map(|(update, samples)| ring::encode(update, *samples, CLIP).unwrap())
            .collect();
        let (mut sum, opened) = bench.sum(&plain, &is_there);
        bench.cohort().unmask(&mut sum, &opened).unwrap();
        let samples: u64 = updates
            .iter()
            .zip(&is_there)
            .filter(|(_, is_there)| **is_there)
            .map(|((_, samples), _)| u64::from(*samples))
            .sum();
        let mean = ring::decode(&sum, samples, CLIP).unwrap();
        for (value, (word, mean)) in sum.iter().zip(mean).enumerate() {
            let expected = naive(&updates, &is_there, value);
            assert_eq!(
                i128::from(*word as i64),
                expected,
                "SEED={} case {case}, value {value}",
                seed()
            );
            let expected = expected as f64 / 16_777_216.0 / samples as f64;
            assert!((mean - expected).abs() <= 1.0e-12 * (1.0 + expected.abs()), "SEED={}", seed());
        }
    }
}

/// The control of the one above: without one of the secrets nothing of the sum is to be seen.
#[test]
fn one_secret_that_is_not_opened_hides_the_whole_sum() {
    let mut rng = Rng::from_u64(seed());
    let bench = Bench::new(5, &[4_096], &mut rng);
    let plain = vec![vec![0; 4_096]; 5];
    let is_there = [true, true, false, true, true];
    for unknown in 0..5 {
        let (mut sum, mut opened) = bench.sum(&plain, &is_there);
        let wrong = Zeroizing::new(bytes(&mut rng));
        opened[unknown] = if is_there[unknown] { Opened::Own(wrong) } else { Opened::Key(wrong) };
        bench.cohort().unmask(&mut sum, &opened).unwrap();
        assert!(chi_square(&ring::bytes_of(&sum)) < UNIFORM_MAX);
        let found = ring::decode(&sum, 5, CLIP).unwrap_err();
        assert_eq!(found.code(), "masking-overflow", "hidden, and known not to be a sum");
    }
    let (mut sum, opened) = bench.sum(&plain, &is_there);
    bench.cohort().unmask(&mut sum, &opened).unwrap();
    assert!(sum.iter().all(|word| *word == 0));
}

/// 255 degrees of freedom: of evenly drawn bytes one set in 10,000 is above.
const UNIFORM_MAX: f64 = 347.7;

/// How far the bytes are from every value being as frequent.
fn chi_square(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let expected = bytes.len() as f64 / 256.0;
    counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum()
}

/// The bytes of each place of a word by themselves: a bias of the high bytes is not diluted.
fn worst_chi_square(words: &[u64]) -> f64 {
    let of = |place: usize| {
        let bytes: Vec<u8> = words.iter().map(|word| word.to_le_bytes()[place]).collect();
        chi_square(&bytes)
    };
    (0..8).map(of).fold(0.0, f64::max)
}

/// Whatever the update is, what is published is as good as drawn evenly; and so is what everybody
/// but one sees of it who has all other members' secrets.
#[test]
fn masked_updates_look_like_random_words() {
    let mut rng = Rng::from_u64(77);
    let bench = Bench::new(4, &[32_768], &mut rng);
    let small = vec![0.01; 32_768];
    let plain = ring::encode(&small, 1_000, CLIP).unwrap();
    assert!(worst_chi_square(&plain) > UNIFORM_MAX, "the control: without a mask");
    assert!(worst_chi_square(&bench.masked(1, &plain)) < UNIFORM_MAX);
    // All others tell what they know, which are its masks with them: its own one is left.
    let own_mask = |own: [u8; 32]| {
        let mut words = vec![0; 32_768];
        let parties = &bench.parties[1..2];
        let key = bench.secrets[1].key.clone();
        let secrets = Secrets { key, own: Zeroizing::new(own) };
        Cohort { parties, ..bench.cohort() }.mask(&mut words, 0, &secrets).unwrap();
        words
    };
    let minus = |left: &[u64], right: &[u64]| -> Vec<u64> {
        left.iter().zip(right).map(|(left, right)| left.wrapping_sub(*right)).collect()
    };
    let mut known = vec![0; 32_768];
    let pretended = Secrets { key: bench.secrets[1].key.clone(), own: [7; 32].into() };
    bench.cohort().mask(&mut known, 1, &pretended).unwrap();
    let stripped = minus(&bench.masked(1, &plain), &minus(&known, &own_mask([7; 32])));
    assert_eq!(minus(&stripped, &own_mask(*bench.secrets[1].own)), plain, "nothing else is left");
    assert!(worst_chi_square(&stripped) < UNIFORM_MAX);
    // The second control: masks of +-100 in floating point numbers, as DISCO drew them, in steps.
    let drawn = plain.iter().map(|word| {
        let mask = (rng.uniform_f64() * 200.0 - 100.0) * 16_777_216.0;
        word.wrapping_add((mask as i64) as u64)
    });
    assert!(worst_chi_square(&drawn.collect::<Vec<_>>()) > UNIFORM_MAX);
}

/// DISCO drew the mask of every tensor from one seed, so that tensors of one share had the same
/// mask: their difference gave `W[i] - b[i]` away to the last digit (measured: 6.8e-6).
#[test]
fn masks_do_not_repeat_across_tensors_as_those_of_disco_did() {
    let mut rng = Rng::from_u64(seed());
    let bench = Bench::new(3, &[32, 32], &mut rng);
    let weights = update(64, &mut rng);
    let plain = ring::encode(&weights, 1, CLIP).unwrap();
    // What the attack takes for the difference of the two tensors.
    let attack = |masked: &[u64]| -> usize {
        let equal = |at: &usize| {
            masked[*at].wrapping_sub(masked[at + 32]) == plain[*at].wrapping_sub(plain[at + 32])
        };
        (0..32).filter(equal).count()
    };
    assert_eq!(attack(&bench.masked(0, &plain)), 0);
    // The control: each tensor masked as if it were the first.
    let key = Zeroizing::new(bytes(&mut rng));
    let mut repeated = plain.clone();
    for tensor in repeated.chunks_mut(32) {
        stream::Pad::new(key.clone(), 1).apply(tensor, &[32], stream::Sign::Plus);
    }
    assert_eq!(attack(&repeated), 32);
}

#[test]
fn no_mask_comes_twice_in_another_round_cohort_or_pair() {
    let mut rng = Rng::from_u64(seed());
    let bench = Bench::new(4, &[300, 20], &mut rng);
    let zeros = vec![0; 320];
    let mut seen = std::collections::BTreeSet::new();
    let mut words = 0;
    for (round, id) in [(1, [1; 32]), (2, [1; 32]), (1, [2; 32])] {
        let cohort = Cohort { id: &id, round, ..bench.cohort() };
        for place in 0..4 {
            let mut masked = zeros.clone();
            cohort.mask(&mut masked, place, &bench.secrets[place]).unwrap();
            words += masked.len();
            seen.extend(masked);
        }
    }
    assert_eq!(seen.len(), words);
}

/// RFC 8439, section 2.3.2: the cipher is that one, and a mask is its stream from the first block
/// on, with the round and the tensor in the nonce.
#[test]
fn the_stream_is_that_of_rfc_8439() {
    let key: [u8; 32] = std::array::from_fn(|index| index.try_into().unwrap());
    let nonce = [0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0];
    let mut cipher = ChaCha20::new(&key.into(), &nonce.into());
    cipher.seek(64_u32);
    let mut block = [0; 16];
    cipher.apply_keystream(&mut block);
    assert_eq!(hex(&block), "10f1e7e4d13b5915500fdd1fa32071c4");

    let mut words = vec![0; 5 + 1_000];
    let pad = stream::Pad::new(Zeroizing::new(key), 0x0900_0000);
    pad.apply(&mut words, &[5, 1_000], stream::Sign::Plus);
    let expected = [(0, 5), (1, 1_000)].into_iter().flat_map(|(tensor, values)| {
        let nonce = [0, 0, 0, 9, tensor, 0, 0, 0, 0, 0, 0, 0];
        let mut stream = vec![0; 8 * values];
        ChaCha20::new(&key.into(), &nonce.into()).apply_keystream(&mut stream);
        stream
    });
    assert_eq!(ring::bytes_of(&words), expected.collect::<Vec<u8>>());
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn unhex(text: &str) -> [u8; 32] {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
}

/// RFC 7748, sections 5.2 and 6.1.
#[test]
fn keys_are_those_of_rfc_7748_and_low_orders_are_refused() {
    // Section 5.2: the first iteration, whose scalar and point are both 9.
    let nine: [u8; 32] = std::array::from_fn(|index| if index == 0 { 9 } else { 0 });
    let iterated = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079";
    assert_eq!(hex(&agreement::public_of(&nine)), iterated);
    let alice = nine;
    let bob = unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    let (for_alice, for_bob) = (agreement::public_of(&alice), agreement::public_of(&bob));
    assert_eq!(hex(&for_bob), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    let one = agreement::agree(&alice, &for_bob, "test", &[b"use"]).unwrap();
    assert_eq!(one, agreement::agree(&bob, &for_alice, "test", &[b"use"]).unwrap());
    assert_ne!(one, agreement::agree(&bob, &for_alice, "test", &[b"other"]).unwrap());
    for order in [[0; 32], std::array::from_fn(|index| u8::from(index == 0))] {
        assert_eq!(agreement::agree(&alice, &order, "test", &[]), Err(Error::Key));
    }
    let sealed = agreement::seal(&one, &[7; 64]);
    assert_eq!(agreement::open(&one, &sealed).unwrap().as_slice(), [7; 64]);
    for index in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[index] ^= 1;
        assert_eq!(agreement::open(&one, &changed), Err(Error::Sealed));
    }
    assert_eq!(agreement::open(&one, &sealed[..15]), Err(Error::Sealed));
}

/// FIPS 197, sections 4.2 and 4.2.1; and the inverse that section 5.1.1 begins with.
#[test]
fn products_are_those_of_fips_197() {
    let rows = [(0x57, 0x83, 0xc1), (0x57, 0x13, 0xfe), (0x57, 0x02, 0xae), (0x53, 0xca, 0x01)];
    for (left, right, product) in rows {
        assert_eq!(shamir::multiply(left, right), product);
        assert_eq!(shamir::multiply(right, left), product);
    }
}

#[test]
fn any_threshold_of_shares_gives_the_secret_and_fewer_another_one() {
    let mut rng = Rng::from_u64(seed());
    for _ in 0..200 {
        let shares = 1 + rng.below(40) as usize;
        let threshold = 1 + rng.below(shares as u32) as usize;
        let secret = bytes(&mut rng);
        let dealt = shamir::split(&secret, threshold, shares, &mut rng).unwrap();
        let mut numbered: Vec<(u8, [u8; 32])> = (1..).zip(dealt).collect();
        rng.shuffle(&mut numbered);
        assert_eq!(*shamir::combine(&numbered[..threshold]).unwrap(), secret);
        assert_eq!(*shamir::combine(&numbered).unwrap(), secret);
        if threshold > 1 {
            assert_ne!(*shamir::combine(&numbered[..threshold - 1]).unwrap(), secret);
        }
        let twice = [numbered[0], numbered[0]];
        assert!(shamir::combine(&twice).is_none() && shamir::combine(&[(0, secret)]).is_none());
    }
    let wrong = [(0, 3), (4, 3), (1, 256)];
    assert!(wrong.iter().all(|(threshold, shares)| {
        let refused = shamir::split(&[0; 32], *threshold, *shares, &mut rng);
        refused.unwrap_err().code() == "masking-shares"
    }));
}

/// Every secret is as likely by two of three shares: over all polynomials of degree two the pair
/// of values at 1 and 2 is everything it can be exactly once, whatever the secret is. By three
/// there is one secret, which is the control.
#[test]
fn fewer_shares_than_the_threshold_fit_every_secret_equally() {
    let value = |secret: u8, first: u8, second: u8, x: u8| {
        let square = shamir::multiply(x, x);
        secret ^ shamir::multiply(first, x) ^ shamir::multiply(second, square)
    };
    let mut all_three = std::collections::BTreeSet::new();
    for secret in [0, 1, 0x80, 0xff] {
        let mut pairs = vec![0_u8; 1 << 16];
        for first in 0..=255 {
            for second in 0..=255 {
                let [one, two, three] = [1, 2, 3].map(|x| value(secret, first, second, x));
                pairs[usize::from(one) << 8 | usize::from(two)] += 1;
                assert!(all_three.insert([one, two, three]), "three shares of two secrets");
            }
        }
        assert!(pairs.iter().all(|count| *count == 1));
    }
}

/// Shares as they are dealt, by fewer holders than open the secret.
#[test]
fn shares_look_like_random_bytes() {
    let mut rng = Rng::from_u64(78);
    let secret = [0; 32];
    let mut seen = Vec::new();
    let mut constant = Vec::new();
    for _ in 0..2_000 {
        let dealt = shamir::split(&secret, 3, 5, &mut rng).unwrap();
        // Two shares, and what they come to together.
        let pair = [(2, dealt[1]), (5, dealt[4])];
        seen.extend(*shamir::combine(&pair).unwrap());
        seen.extend(dealt[1]);
        let all = [(1, dealt[0]), (2, dealt[1]), (5, dealt[4])];
        constant.extend(*shamir::combine(&all).unwrap());
    }
    assert!(chi_square(&seen) < UNIFORM_MAX, "{}", chi_square(&seen));
    assert!(chi_square(&constant) > UNIFORM_MAX, "the control: three of them are the secret");
}

#[test]
fn what_cannot_be_masked_or_summed_is_refused() {
    let rows = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    for value in rows {
        let found = ring::encode(&[0.0, value], 1, CLIP).unwrap_err();
        assert_eq!(found.code(), "masking-value");
    }
    // Larger values are cut, and the largest sum of the largest clip does not wrap.
    let most = ring::encode(&[f32::MAX, f32::MIN], 1 << 20, 1_024.0).unwrap();
    let mut sum = vec![0; 2];
    for _ in 0..256 {
        ring::add(&mut sum, &ring::bytes_of(&most)).unwrap();
    }
    assert_eq!(ring::decode(&sum, 256 << 20, 1_024.0).unwrap(), [1_024.0, -1_024.0]);
    let over = ring::decode(&[sum[0] + 1, 0], 256 << 20, 1_024.0).unwrap_err();
    assert_eq!(over, Error::Overflow { index: 0 });
    let least = ring::decode(&[1 << 63], 1, CLIP).unwrap_err();
    assert_eq!(least.code(), "masking-overflow");
    for bytes in [0, 15, 17, 24] {
        let found = ring::add(&mut sum, &vec![0; bytes]).unwrap_err();
        assert_eq!(found, Error::Length { bytes, values: 2 });
    }
    let settings = [(0.0, 66), (f32::NAN, 66), (1_025.0, 66), (1.0, 49), (1.0, 91)];
    for (clip, threshold) in settings {
        let found = Settings { clip, threshold }.validate().unwrap_err();
        assert_eq!(found.code(), "masking-setting");
    }
    assert_eq!(Settings { clip: 1_024.0, threshold: 50 }.validate(), Ok(()));
    // More than the share of them, and never more than there are.
    for threshold in 50..=90 {
        let settings = Settings { clip: 1.0, threshold };
        for holders in 1..=64 {
            let needed = settings.needed(holders);
            assert!(needed <= holders && needed * 100 > holders * usize::from(threshold));
            assert!(2 * needed > holders, "two sets of holders have one in common");
        }
    }
}
