//! Aggregation rules against byzfl, and the same bits natively, in Node and in browsers.
//!
//! `tests/vectors/aggregation` has what byzfl makes of a thousand sets of updates, and what two
//! papers say of two hundred more; its README says how the sets are drawn.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "clippy allows some in tests, not in their helpers; numbers of tests are small"
)]

use serde_json::Value;
use synaptic_mesh::aggregation::{
    Error, Rule, Settings, Start, Updates, Weiszfeld, bulyan, centered_clipping, fltrust,
    geometric_median, krum, mean, median, multi_krum, trimmed_mean,
};
use synaptic_mesh::crypto::hash;
use synaptic_mesh::limits;
use synaptic_mesh::rng::Rng;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// As `Draw` in the generator.
struct Draw(u64);

impl Draw {
    fn new(name: &str) -> Self {
        let hash = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, hash))
    }

    fn uniform(&mut self) -> f64 {
        let state = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = state.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / 16_777_216.0
    }

    fn below(&mut self, bound: u32) -> usize {
        (self.uniform() * f64::from(bound)) as usize
    }

    fn rows(&mut self, n: usize, d: usize) -> Vec<Vec<f32>> {
        let mut row = || {
            let scale = if self.below(4) == 0 { 8.0 } else { 1.0 };
            (0..d).map(|_| (scale * (2.0 * self.uniform() - 1.0)) as f32).collect()
        };
        (0..n).map(|_| row()).collect()
    }
}

fn updates(rows: &[Vec<f32>]) -> Updates {
    let mut updates = Updates::new(rows[0].len());
    for row in rows {
        updates.push(row).unwrap();
    }
    updates
}

/// The values of all rows, one after the other.
fn flat(updates: &Updates) -> Vec<f64> {
    updates.rows().flatten().map(|value| f64::from(*value)).collect()
}

/// What a rule, by its name in the vectors, makes of these rows.
fn apply(rule: &str, rows: &[Vec<f32>], f: usize) -> Result<Vec<f64>, Error> {
    let mut given = updates(rows);
    match rule {
        "mean" => mean(&given),
        "median" => median(&given),
        "trimmed-mean" => trimmed_mean(&given, f),
        "krum" => krum(&given, f),
        "multi-krum" => multi_krum(&given, f),
        "geometric-median" => {
            let start = Start::Origin;
            geometric_median(&given, Weiszfeld { smoothing: 0.1, steps: 3, start })
        }
        "centered-clipping" => centered_clipping(&given, Some(1.5), 3),
        "mix-nearest" => given.mix_nearest(f).map(|()| flat(&given)),
        "clip" => given.clip(2.0).map(|()| flat(&given)),
        "clip-adaptively" => given.clip_adaptively(f).map(|_| flat(&given)),
        "bulyan" => bulyan(&given, f),
        "fltrust" => fltrust(&updates(&rows[1..]), &rows[0]),
        other => panic!("no rule {other}"),
    }
}

fn differs(ours: &[f64], theirs: &[Value]) -> bool {
    ours.len() != theirs.len()
        || ours.iter().zip(theirs).any(|(ours, theirs)| {
            let theirs = theirs.as_f64().unwrap();
            (ours - theirs).abs() > 1.0e-5 * theirs.abs().max(1.0)
        })
}

/// Every case of a set: how many are equal, how many are with another bound on hostile updates
/// where the rule asks for one, and with one coordinate changed.
fn compare() -> (usize, usize, usize, usize) {
    let text = include_str!("vectors/aggregation/byzfl.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
    let (mut equal, mut bounded, mut same_bound, mut same_coordinate) = (0, 0, 0, 0);
    for case in vectors["cases"].as_array().unwrap() {
        let number = |name: &str| usize::try_from(case[name].as_u64().unwrap()).unwrap();
        let (rule, f) = (case["rule"].as_str().unwrap(), number("f"));
        let mut draw = Draw::new(&format!("aggregation {}", number("number")));
        let drawn = (draw.below(4), 1 + draw.below(7), draw.below(6));
        assert_eq!((drawn.0, drawn.1), (f, number("d")), "{case}");
        let mut rows = draw.rows(number("n"), number("d"));
        let theirs = case["is"].as_array().unwrap();
        let ours = apply(rule, &rows, f).unwrap();
        assert!(!differs(&ours, theirs), "{case} is {ours:?} here");
        equal += 1;
        let is_bounded = !matches!(
            rule,
            "mean" | "median" | "geometric-median" | "centered-clipping" | "clip" | "fltrust"
        );
        if is_bounded && f > 0 {
            bounded += 1;
            same_bound += usize::from(!differs(&apply(rule, &rows, f - 1).unwrap(), theirs));
        }
        rows[0][0] += 0.5;
        same_coordinate += usize::from(!differs(&apply(rule, &rows, f).unwrap(), theirs));
    }
    (equal, bounded, same_bound, same_coordinate)
}

/// The controls say that the comparison can fail: robust rules often drop the changed coordinate,
/// and with few updates the next bound may choose the same, so it is most that have to differ.
#[test]
fn rules_are_those_of_byzfl_and_of_the_papers() {
    let (equal, bounded, same_bound, same_coordinate) = compare();
    assert_eq!(equal, 1_200);
    assert!(bounded > 300 && same_bound * 4 < bounded, "{same_bound} of {bounded}");
    assert!(same_coordinate * 3 < equal, "{same_coordinate} of {equal}");
}

#[test]
fn every_platform_computes_the_same_bits() {
    let mut rng = Rng::from_u64(11);
    let mut bytes: Vec<u8> = Vec::new();
    for _ in 0..300 {
        let (n, d) = (11 + rng.below(9), 1 + rng.below(40));
        let mut row = || (0..d).map(|_| rng.normal_f32()).collect::<Vec<f32>>();
        let rows: Vec<Vec<f32>> = (0..n).map(|_| row()).collect();
        let byzantine = 1 + rng.below(2);
        for rule in Rule::ALL {
            let byzantine = if rule == Rule::Mean { 0 } else { byzantine };
            for radius in [0.0, 1.5] {
                let settings = Settings { rule, byzantine, radius, mixing: false };
                let result = settings.aggregate(updates(&rows)).unwrap();
                bytes.extend(result.iter().flat_map(|value| value.to_le_bytes()));
            }
        }
        let mut mixed = updates(&rows);
        mixed.mix_nearest(2).unwrap();
        let results = [flat(&mixed), fltrust(&mixed, &rows[0]).unwrap()];
        bytes.extend(results.iter().flatten().flat_map(|value| value.to_le_bytes()));
    }
    let vectors: Value = serde_json::from_str(include_str!("vectors/weights_cid.json")).unwrap();
    let expected = vectors["aggregation"]["resultsCid"].as_str().unwrap();
    assert_eq!(hash::blob_cid_text(&bytes), expected);
}

/// What every member of a group of ten but `byzantine` agrees on, and others far away.
fn besieged(rng: &mut Rng, byzantine: usize) -> Vec<Vec<f32>> {
    let row = |rng: &mut Rng, at: f32| (0..20).map(|_| at + 0.3 * rng.normal_f32()).collect();
    (0..10).map(|place| row(rng, if place < byzantine { -50.0 } else { 1.0 })).collect()
}

#[test]
fn robust_rules_hold_where_the_mean_does_not() {
    let mut rng = Rng::from_u64(12);
    let far = |result: Vec<f64>| result.iter().fold(0.0_f64, |max, at| max.max((at - 1.0).abs()));
    for rule in Rule::ALL.into_iter().filter(|rule| *rule != Rule::Mean) {
        let byzantine = if rule == Rule::Bulyan { 1 } else { 3 };
        let count = usize::try_from(byzantine).unwrap();
        for _ in 0..20 {
            let mut rows = besieged(&mut rng, count);
            rng.shuffle(&mut rows);
            let settings = Settings { rule, byzantine, radius: 0.0, mixing: false };
            let held = far(settings.aggregate(updates(&rows)).unwrap());
            assert!(held < 1.6, "{}: {held}", rule.name());
            let plain = Settings { rule: Rule::Mean, byzantine: 0, radius: 0.0, mixing: false };
            assert!(far(plain.aggregate(updates(&rows)).unwrap()) > 4.0, "the control");
        }
    }
    // Without a word about hostile updates the bounded rules hold no better.
    let rows = besieged(&mut rng, 3);
    let blind = Settings { rule: Rule::TrimmedMean, byzantine: 0, radius: 0.0, mixing: false };
    assert!(far(blind.aggregate(updates(&rows)).unwrap()) > 4.0);
    // And more than were bargained for break them.
    let more = Settings { rule: Rule::Median, byzantine: 3, radius: 0.0, mixing: false };
    assert!(far(more.aggregate(updates(&besieged(&mut rng, 6))).unwrap()) > 4.0);
}

/// Members that send nothing are free riders at least. From the origin they held the geometric
/// median where it began.
#[test]
fn updates_of_zeros_hold_no_rule_at_no_change() {
    let mut rng = Rng::from_u64(13);
    for rule in Rule::ALL.into_iter().filter(|rule| *rule != Rule::Mean) {
        for lazy in 1..=if rule == Rule::Bulyan { 1 } else { 3 } {
            let count = usize::try_from(lazy).unwrap();
            let mut rows = besieged(&mut rng, count);
            rows[..count].fill(vec![0.0; 20]);
            rng.shuffle(&mut rows);
            let settings = Settings { rule, byzantine: lazy, radius: 0.0, mixing: false };
            let result = settings.aggregate(updates(&rows)).unwrap();
            let mean = result.iter().sum::<f64>() / 20.0;
            assert!(mean > 0.6, "{}: {mean} with {lazy} of zeros", rule.name());
        }
    }
    let mut rows = besieged(&mut rng, 3);
    rows[..3].fill(vec![0.0; 20]);
    let origin = Weiszfeld { smoothing: 1.0e-6, steps: 8, start: Start::Origin };
    let held = geometric_median(&updates(&rows), origin).unwrap();
    assert!(held.iter().all(|at| at.abs() < 0.1), "the control: {held:?}");
}

#[test]
fn what_cannot_be_aggregated_has_a_code() {
    let mut given = updates(&[vec![1.0, 2.0], vec![3.0, 4.0]]);
    let big = limits::DELTA_ABS_MAX * 1.01;
    for (row, code) in [
        (vec![1.0], "aggregation-shape"),
        (vec![1.0, 2.0, 3.0], "aggregation-shape"),
        (vec![], "aggregation-shape"),
        (vec![f32::NAN, 0.0], "aggregation-value"),
        (vec![0.0, f32::INFINITY], "aggregation-value"),
        (vec![-big, 0.0], "aggregation-value"),
    ] {
        assert_eq!(given.push(&row).unwrap_err().code(), code);
        assert_eq!(fltrust(&given, &row).unwrap_err().code(), code);
    }
    assert_eq!(given.len(), 2);
    assert_eq!(Updates::new(0).push(&[]).unwrap_err().code(), "aggregation-shape");
    for empty in [Updates::new(0), Updates::new(3)] {
        assert_eq!((empty.len(), empty.is_empty(), mean(&empty).is_err()), (0, true, true));
        for rule in Rule::ALL {
            let settings = Settings { rule, byzantine: 0, radius: 0.0, mixing: false };
            assert_eq!(settings.aggregate(empty.clone()).unwrap_err().code(), "aggregation-few");
        }
    }
    for radius in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(given.clip(radius).unwrap_err().code(), "aggregation-setting");
        let clipped = centered_clipping(&given, Some(radius), 1);
        assert_eq!(clipped.unwrap_err().code(), "aggregation-setting");
        let options = Weiszfeld { smoothing: radius, steps: 1, start: Start::Median };
        assert_eq!(geometric_median(&given, options).unwrap_err().code(), "aggregation-setting");
    }
    for steps in [0, 101] {
        let code = centered_clipping(&given, None, steps).unwrap_err().code();
        assert_eq!(code, "aggregation-setting");
    }
    let settings = Settings { rule: Rule::Median, byzantine: 0, radius: 0.0, mixing: false };
    for bad in [
        Settings { rule: Rule::Mean, byzantine: 1, ..settings },
        Settings { radius: -1.0, ..settings },
        Settings { radius: f32::NAN, ..settings },
    ] {
        assert_eq!(bad.aggregate(given.clone()).unwrap_err().code(), "aggregation-setting");
    }
}

#[test]
fn each_rule_asks_for_the_updates_it_needs() {
    for (rule, needed) in [
        (Rule::Median, 5),
        (Rule::TrimmedMean, 5),
        (Rule::Krum, 7),
        (Rule::MultiKrum, 7),
        (Rule::GeometricMedian, 5),
        (Rule::CenteredClipping, 5),
        (Rule::Bulyan, 11),
    ] {
        let settings = Settings { rule, byzantine: 2, radius: 0.0, mixing: false };
        assert_eq!(settings.needs(), Ok(needed));
        let rows = |n: usize| Draw::new("few").rows(n, 3);
        assert!(settings.aggregate(updates(&rows(needed))).is_ok());
        let refused = settings.aggregate(updates(&rows(needed - 1))).unwrap_err();
        assert_eq!(refused, Error::TooFew { found: needed - 1, needed, byzantine: 2 });
    }
    let most = Settings { rule: Rule::Bulyan, byzantine: u32::MAX, radius: 0.0, mixing: false };
    let given = updates(&[vec![1.0]]);
    assert!(most.aggregate(given.clone()).is_err());
    for bound in [1, usize::MAX / 2, usize::MAX] {
        for refused in [trimmed_mean, krum, multi_krum, bulyan].map(|rule| rule(&given, bound)) {
            assert_eq!(refused.unwrap_err().code(), "aggregation-few");
        }
        assert!(given.clone().mix_nearest(bound).is_err());
        assert!(given.clone().clip_adaptively(bound).is_err());
    }
}

#[test]
fn there_is_a_bound_on_updates() {
    let mut given = Updates::new(1);
    for _ in 0..limits::AGGREGATE_UPDATES_MAX {
        given.push(&[1.0]).unwrap();
    }
    assert_eq!(given.push(&[1.0]).unwrap_err().code(), "aggregation-many");
    let row = vec![0.0; limits::NEURAL_PARAMETERS_MAX];
    let mut large = Updates::new(row.len());
    let most = limits::AGGREGATION_VALUES_MAX / row.len();
    (0..most).for_each(|_| large.push(&row).unwrap());
    assert_eq!((most, large.push(&row).unwrap_err().code()), (32, "aggregation-many"));
}

#[test]
fn updates_without_length_change_nothing() {
    let zeros = updates(&[vec![0.0; 3], vec![0.0; 3], vec![0.0; 3]]);
    for rule in Rule::ALL {
        let settings = Settings { rule, byzantine: 0, radius: 0.0, mixing: false };
        assert_eq!(settings.aggregate(zeros.clone()).unwrap(), [0.0; 3], "{}", rule.name());
    }
    assert_eq!(fltrust(&zeros, &[1.0, 0.0, 0.0]).unwrap(), [0.0; 3]);
    // Nor does trust when everything points away from what is trusted.
    let away = updates(&[vec![-1.0, 0.5]]);
    assert_eq!(fltrust(&away, &[1.0, 0.0]).unwrap(), [0.0; 2]);
}

/// A run's mixing is what byzfl's is, between clipping and the rule; against nobody it is refused.
#[test]
fn a_rule_with_mixing_is_the_rule_of_mixed_updates() {
    let mut draw = Draw::new("mixing");
    for rule in Rule::ALL.into_iter().filter(|rule| *rule != Rule::Mean) {
        let rows = draw.rows(11, 6);
        let settings = Settings { rule, byzantine: 2, radius: 0.0, mixing: true };
        let mut mixed = updates(&rows);
        mixed.clip_adaptively(2).unwrap();
        mixed.mix_nearest(2).unwrap();
        // Longer than any update, so that nothing is shortened once more.
        let plain = Settings { radius: 1.0e6, mixing: false, ..settings };
        let expected = plain.aggregate(mixed).unwrap();
        assert_eq!(settings.aggregate(updates(&rows)), Ok(expected.clone()), "{}", rule.name());
        let without = Settings { mixing: false, ..settings }.aggregate(updates(&rows)).unwrap();
        assert_ne!(without, expected, "{}: the control", rule.name());
        let nobody = Settings { byzantine: 0, ..settings };
        assert_eq!(nobody.needs().unwrap_err().code(), "aggregation-setting");
    }
    let settings = Settings { rule: Rule::Median, byzantine: 1, radius: 0.0, mixing: true };
    let plain = Settings { mixing: false, ..settings };
    let large = limits::NEURAL_PARAMETERS_MAX;
    assert_eq!((plain.updates_max(large), settings.updates_max(large)), (32, 16));
    assert_eq!(settings.updates_max(1), limits::AGGREGATION_COMPARED_MAX);
}
