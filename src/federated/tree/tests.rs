//! Fork choice against the written rule, in any order of arrival.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "numbers of tests are small"
)]

use super::*;
use crate::rng::Rng;

/// The rule as it is written down, over whole paths, without any tree.
fn oracle(paths: &[Vec<(u32, u32)>]) -> Vec<u32> {
    let best = paths.iter().max_by(|a, b| {
        let updates = |path: &Vec<(u32, u32)>| path.iter().map(|step| step.1).sum::<u32>();
        let ids = |path: &Vec<(u32, u32)>| path.iter().map(|step| step.0).collect::<Vec<_>>();
        a.len().cmp(&b.len()).then(updates(a).cmp(&updates(b))).then_with(|| ids(b).cmp(&ids(a)))
    });
    best.unwrap().iter().map(|step| step.0).collect()
}

#[test]
fn more_rounds_beat_more_updates_beat_smaller_ids() {
    let mut tree = Tree::new(0);
    assert_eq!(tree.head(), 0);
    assert_eq!(tree.insert(5, 0, 3), Inserted::Extended);
    assert_eq!(tree.insert(9, 0, 3), Inserted::Aside, "same score, larger id");
    assert_eq!(tree.insert(2, 0, 3), Inserted::Switched, "same score, smaller id");
    assert_eq!(tree.insert(8, 0, 4), Inserted::Switched, "more updates");
    assert_eq!(tree.insert(10, 5, 1), Inserted::Switched, "more rounds");
    assert_eq!(tree.chain(10).collect::<Vec<_>>(), [10, 5, 0]);
    assert_eq!((tree.round(10), tree.updates(10)), (Some(2), 4));
}

#[test]
fn the_first_difference_decides_not_the_last() {
    let mut tree = Tree::new(0);
    for (id, base) in [(1, 0), (2, 0), (9, 1), (3, 2)] {
        tree.insert(id, base, 2);
    }
    assert_eq!(tree.head(), 9, "its chain begins with 1, the other with 2");
}

#[test]
fn unknown_bases_and_repeats_are_refused() {
    let mut tree = Tree::new(0);
    assert_eq!(tree.insert(1, 7, 1), Inserted::Refused);
    tree.insert(1, 0, 1);
    assert_eq!(tree.insert(1, 0, 9), Inserted::Refused);
    assert_eq!(tree.insert(0, 1, 9), Inserted::Refused);
    assert_eq!(tree.updates(1), 1);
}

#[test]
fn the_head_depends_on_the_set_only() {
    for seed in 0..200 {
        let mut rng = Rng::from_u64(seed);
        let mut paths: Vec<Vec<(u32, u32)>> = vec![vec![]];
        let mut nodes = vec![];
        for id in 1..=20 {
            let base = rng.below(paths.len() as u32) as usize;
            let updates = 1 + rng.below(3);
            // Ids are shuffled, so that insertion order and id order have nothing in common.
            let id = (id * 7919) % 1009;
            nodes.push((id, paths[base].last().map_or(0, |step| step.0), updates));
            let path = paths[base].iter().copied().chain([(id, updates)]).collect();
            paths.push(path);
        }
        let expected = *oracle(&paths).last().unwrap();
        for _ in 0..5 {
            let mut waiting = nodes.clone();
            rng.shuffle(&mut waiting);
            let mut tree = Tree::new(0);
            while !waiting.is_empty() {
                waiting.retain(|(id, base, updates)| {
                    tree.insert(*id, *base, *updates) == Inserted::Refused
                });
            }
            assert_eq!(tree.head(), expected, "seed {seed}");
        }
    }
}
