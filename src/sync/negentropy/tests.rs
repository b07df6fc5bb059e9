//! Reconciliation between sets in memory, against plain set differences. That the bytes are those
//! of the reference is checked by `tests/negentropy_interop.rs`.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::dag::{Key, Sum, Timeline, VertexId};
use crate::rng::Rng;

/// The plain storage of the reference: a sorted list, sums by adding.
struct Plain(Vec<(u64, Id)>);

impl Plain {
    fn of(set: &BTreeSet<(u64, Id)>) -> Self {
        Self(set.iter().copied().collect())
    }
}

impl Storage for Plain {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn rank(&self, bound: &Bound) -> usize {
        self.0.partition_point(|item| *item < (bound.timestamp(), *bound.id()))
    }

    fn range(&self, places: Range<usize>) -> impl Iterator<Item = (u64, Id)> {
        self.0[places.start.min(self.0.len())..places.end.min(self.0.len())].iter().copied()
    }

    fn fingerprint(&self, places: Range<usize>) -> Fingerprint {
        let mut sum = Sum::default();
        self.0[places.clone()].iter().for_each(|(_, id)| sum.add(id));
        fingerprint::of(sum, places.len())
    }
}

fn timeline(set: &BTreeSet<(u64, Id)>) -> Timeline {
    let mut timeline = Timeline::new();
    for (lamport, id) in set {
        timeline.insert(Key { lamport: *lamport, id: VertexId(crate::crypto::hash::Digest(*id)) });
    }
    timeline
}

/// How a reconciliation went.
#[derive(Debug, Default, PartialEq, Eq)]
struct Done {
    have: BTreeSet<Id>,
    need: BTreeSet<Id>,
    /// In the order of their bounds, then as found.
    needs: Vec<Id>,
    rounds: usize,
    bytes: usize,
    largest: usize,
    messages: Vec<Vec<u8>>,
}

fn run(asker: &impl Storage, answerer: &impl Storage, frame: Option<usize>) -> Done {
    let mut done = Done::default();
    let mut needs: Vec<Need> = Vec::new();
    let mut next = Some(initiate(asker));
    while let Some(question) = next {
        let (reply, _) = answer(answerer, &question, frame).unwrap();
        let found = reconcile(asker, &reply, frame).unwrap();
        done.rounds += 1;
        done.bytes += question.len() + reply.len();
        done.largest = done.largest.max(question.len()).max(reply.len());
        done.messages.extend([question, reply]);
        done.have.extend(found.have);
        needs.extend(found.need);
        next = found.next;
        assert!(done.rounds < 10_000, "it ends");
    }
    needs.sort_by_key(|need| need.from);
    done.need = needs.iter().map(|need| need.id).collect();
    done.needs = needs.into_iter().map(|need| need.id).collect();
    done
}

/// Two sets with so many items in common and of their own, and time stamps below `spread`.
fn sets(rng: &mut Rng, counts: [u32; 3], spread: u32) -> [BTreeSet<(u64, Id)>; 2] {
    let mut sets = [BTreeSet::new(), BTreeSet::new()];
    for (part, count) in counts.into_iter().enumerate() {
        for _ in 0..count {
            let mut id = [0; 32];
            rng.fill(&mut id);
            // Some ids that begin alike, so that bounds need long prefixes.
            if rng.below(4) == 0 {
                id[..28].fill(7);
            }
            let item = (u64::from(rng.below(spread)), id);
            for (side, set) in sets.iter_mut().enumerate() {
                if part == 2 || part == side {
                    set.insert(item);
                }
            }
        }
    }
    sets
}

fn ids<'a>(items: impl Iterator<Item = &'a (u64, Id)>) -> BTreeSet<Id> {
    items.map(|(_, id)| *id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_asker_learns_the_differences_and_nothing_else(
        seed: u64,
        counts in [0_u32..120, 0_u32..120, 0_u32..3_000],
        spread in 1_u32..3_000,
        frame in prop::option::of(0_usize..12_000),
    ) {
        let [mine, theirs] = sets(&mut Rng::from_u64(seed), counts, spread);
        let done = run(&Plain::of(&mine), &Plain::of(&theirs), frame);
        prop_assert!(done.have == ids(mine.difference(&theirs)));
        prop_assert!(done.need == ids(theirs.difference(&mine)));
        if let Some(frame) = frame {
            prop_assert!(done.largest <= frame.max(FRAME_BYTES_MIN));
        }
        let fast = run(&timeline(&mine), &timeline(&theirs), frame);
        prop_assert!(fast.messages == done.messages, "the timeline says what the list says");
    }

    #[test]
    fn what_is_needed_comes_in_the_order_of_the_other_side(
        seed: u64,
        frame in prop::option::of(4_096_usize..12_000),
    ) {
        let [mine, theirs] = sets(&mut Rng::from_u64(seed), [20, 900, 400], 300);
        let done = run(&Plain::of(&mine), &Plain::of(&theirs), frame);
        let mut seen = BTreeSet::new();
        let needs: Vec<Id> = done.needs.into_iter().filter(|id| seen.insert(*id)).collect();
        let missing: Vec<Id> = theirs.difference(&mine).map(|(_, id)| *id).collect();
        prop_assert!(needs == missing);
    }

    #[test]
    fn any_bytes_are_answered_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let [mine, _] = sets(&mut Rng::from_u64(1), [0, 0, 100], 50);
        let bytes = [vec![PROTOCOL_VERSION], bytes].concat();
        let _ = answer(&timeline(&mine), &bytes, Some(FRAME_BYTES_MIN));
        let _ = reconcile(&timeline(&mine), &bytes, Some(FRAME_BYTES_MIN));
    }

    #[test]
    fn bounds_hold_what_is_before_from_what_is_behind(
        one in (0_u64..4, any::<[u8; 32]>()),
        other in (0_u64..4, any::<[u8; 32]>()),
    ) {
        prop_assume!(one != other);
        let (before, after) = (one.min(other), one.max(other));
        let bound = Bound::between(before, after);
        prop_assert!(before < (bound.timestamp(), *bound.id()));
        prop_assert!((bound.timestamp(), *bound.id()) <= after);
    }
}

#[test]
fn equal_sets_take_one_round() {
    let [mine, _] = sets(&mut Rng::from_u64(1), [0, 0, 5_000], 5_000);
    let done = run(&timeline(&mine), &timeline(&mine), None);
    assert_eq!((done.rounds, done.have.len() + done.need.len()), (1, 0));
    assert!(done.bytes < 400, "{}", done.bytes);
}

#[test]
fn a_newcomer_is_told_everything_in_frames() {
    let [_, theirs] = sets(&mut Rng::from_u64(1), [0, 0, 4_000], 4_000);
    let done = run(&Plain(Vec::new()), &timeline(&theirs), Some(FRAME_BYTES_MIN));
    assert_eq!(done.need.len(), theirs.len());
    assert!(done.rounds > 30 && done.largest <= FRAME_BYTES_MIN);
}

#[test]
fn one_small_message_by_hand() {
    // Two items at times 1 and 300: version, infinity, no prefix, a list, two ids.
    let storage = Plain(vec![(1, [0xaa; 32]), (300, [0xbb; 32])]);
    let expected = [vec![0x61, 0, 0, 2, 2], vec![0xaa; 32], vec![0xbb; 32]].concat();
    assert_eq!(initiate(&storage), expected);
    // Up to time 2: the answerer's one item there; then everything is skipped, which is not said.
    let question = [0x61, 3, 0, 2, 0];
    let (reply, _) = answer(&storage, &question, None).unwrap();
    assert_eq!(reply, [vec![0x61, 3, 0, 2, 1], vec![0xaa; 32]].concat());
}

#[test]
fn time_stamps_of_any_size_survive() {
    for timestamp in [0, 1, 127, 128, 1 << 32, (1 << 53) - 1, u64::MAX - 1] {
        let items = (0..40_u8).map(|byte| (timestamp, [byte; 32])).collect();
        let mine: BTreeSet<(u64, Id)> = items;
        let mut theirs = mine.clone();
        theirs.insert((timestamp, [99; 32]));
        let done = run(&Plain::of(&mine), &Plain::of(&theirs), None);
        assert_eq!(done.need, BTreeSet::from([[99; 32]]), "{timestamp}");
    }
}

#[test]
fn messages_that_break_a_rule_are_refused_by_their_cause() {
    let storage = Plain(vec![(1, [0xaa; 32])]);
    let nines = [vec![0x61], vec![0xff; 9], vec![0x7f]].concat();
    let rows: Vec<(&str, Vec<u8>, Error)> = vec![
        ("nothing", vec![], Error::Truncated),
        ("no version", vec![0x50], Error::NoVersion { found: 0x50 }),
        ("half a bound", vec![0x61, 0], Error::Truncated),
        ("no mode", vec![0x61, 0, 0], Error::Truncated),
        ("short fingerprint", [vec![0x61, 0, 0, 1], vec![0; 15]].concat(), Error::Truncated),
        ("short list", [vec![0x61, 0, 0, 2, 2], vec![0; 63]].concat(), Error::Truncated),
        ("a list of 2^63", vec![0x61, 0, 0, 2, 0x81, 0xff, 0xff, 0xff, 0x7f], Error::Truncated),
        ("unknown mode", vec![0x61, 0, 0, 3], Error::Mode { found: 3 }),
        ("long bound", vec![0x61, 1, 33], Error::BoundBytes { bytes: 33 }),
        ("a zero in front", vec![0x61, 0x80, 0], Error::Number),
        ("more than 64 bits", nines, Error::Number),
    ];
    for (what, message, error) in rows {
        assert_eq!(answer(&storage, &message, None), Err(error), "{what}");
        assert_eq!(reconcile(&storage, &message, None), Err(error), "{what}");
    }
    // Another version: the answerer says which it speaks, the asker cannot go on.
    let newer = [0x62, 1, 2, 3];
    assert_eq!(answer(&storage, &newer, None), Ok((vec![0x61], 0)));
    assert_eq!(reconcile(&storage, &newer, None), Err(Error::Version { found: 2 }));
}

#[test]
fn a_small_question_costs_a_bounded_answer() {
    let [mine, _] = sets(&mut Rng::from_u64(1), [0, 0, 20_000], 20_000);
    let storage = timeline(&mine);
    // An empty list for everything asks for all ids; a frame full of wrong fingerprints for work.
    let (reply, cost) = answer(&storage, &[0x61, 0, 0, 2, 0], Some(8_192)).unwrap();
    assert!(reply.len() <= 8_192 && cost < 1_000, "{} {cost}", reply.len());
    let mut question = vec![0x61];
    for _ in 0..400 {
        question.extend([2, 0, 1]);
        question.extend([0; FINGERPRINT_BYTES]);
    }
    let (reply, cost) = answer(&storage, &question, Some(8_192)).unwrap();
    assert!(reply.len() <= 8_192 && cost < 400 * (BUCKETS + 1) * FINGERPRINT_COST + 401);
}
