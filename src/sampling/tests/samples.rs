//! Who is asked: by stake, anew in every poll.

use std::collections::{BTreeMap, BTreeSet};

use super::{Bench, item, key, single};
use crate::identity::AuthorId;
use crate::rng::Rng;
use crate::sampling::Members;
use crate::sampling::members::subset;

fn author(number: u32) -> AuthorId {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    AuthorId::from_bytes(bytes)
}

/// Pearson's statistic of counts that should all be the same.
fn chi_square(counts: impl IntoIterator<Item = u64>) -> f64 {
    let counts: Vec<f64> =
        counts.into_iter().map(|n| f64::from(u32::try_from(n).unwrap())).collect();
    let mean = counts.iter().sum::<f64>() / f64::from(u32::try_from(counts.len()).unwrap());
    counts.iter().map(|count| (count - mean).powi(2) / mean).sum()
}

#[test]
fn every_subset_is_drawn_as_often_as_every_other() {
    // Three of six: 20 subsets. The 99.9 % point of chi square with 19 degrees is 43.8.
    let mut rng = Rng::from_u64(1);
    let mut counts: BTreeMap<BTreeSet<u64>, u64> = BTreeMap::new();
    for _ in 0..20_000 {
        *counts.entry(subset(6, 3, &mut rng)).or_default() += 1;
    }
    assert_eq!(counts.len(), 20);
    assert!(chi_square(counts.into_values()) < 43.8);
    assert_eq!(subset(3, 5, &mut rng).len(), 3, "all there are");
    // The control: three numbers drawn one by one, those that come twice dropped.
    let mut naive: BTreeMap<BTreeSet<u64>, u64> = BTreeMap::new();
    for _ in 0..20_000 {
        let drawn = [(); 3].map(|()| u64::from(rng.below(6)));
        *naive.entry(drawn.into()).or_default() += 1;
    }
    assert!(chi_square(naive.into_values()) > 43.8);
}

#[test]
fn seats_are_drawn_by_stake_and_may_fall_to_one_member_again() {
    let members = Members::new((0..4).map(|n| (author(n), n + 1)).collect()).unwrap();
    let mut rng = Rng::from_u64(2);
    let mut seats = [0_u32; 4];
    for _ in 0..2_000 {
        let drawn = members.draw(20, &mut rng);
        assert_eq!(drawn.values().sum::<u32>(), 20, "all seats, though there are four members");
        for (place, count) in drawn {
            seats[place] += count;
        }
    }
    // 40,000 seats in the ratio 1 : 2 : 3 : 4, each within 5 standard deviations.
    for (place, expected) in [4_000_u32, 8_000, 12_000, 16_000].into_iter().enumerate() {
        assert!(seats[place].abs_diff(expected) < 500, "{seats:?}");
    }
}

#[test]
fn every_poll_has_a_sample_of_its_own() {
    // The predecessor sorted members by their distance to the vertex: the same ones every time.
    let mut bench = Bench::new(single(), 40);
    bench.handle(super::Input::Item(key("a"), item(1)));
    let mut samples = BTreeSet::new();
    let mut asked: BTreeMap<AuthorId, u64> = BTreeMap::new();
    for _ in 0..60 {
        let sample: BTreeSet<AuthorId> = bench.asked.drain(..).map(|(member, _)| member).collect();
        for member in &sample {
            *asked.entry(*member).or_default() += 1;
        }
        samples.insert(sample);
        bench.now_ms += 300;
        bench.handle(super::Input::Tick);
    }
    assert_eq!(samples.len(), 60);
    assert_eq!(asked.len(), 40, "everybody has been asked");
    // 39 degrees of freedom: 72.1 at 99.9 %; with one sample for all it would be over 1,000.
    assert!(chi_square(asked.into_values()) < 72.1);
}

#[test]
fn a_list_that_nobody_can_sample_from_is_refused() {
    let many = |count: u32| (0..count).map(|n| (author(n), 1)).collect::<Vec<_>>();
    let doubled = [many(4), many(1)].concat();
    let weightless = [many(4), vec![(author(9), 0)]].concat();
    let heavy = [many(4), vec![(author(9), (1 << 20) + 1)]].concat();
    for list in [many(3), many(4_097), doubled, weightless, heavy] {
        let error = Members::new(list).expect_err("it is refused");
        assert_eq!(error.code(), "sampling-members-invalid");
    }
    assert_eq!(Members::new(many(4_096)).unwrap().len(), 4_096);
}
