//! Aggregates of a run by its rule, against the rule as it is written, and what is refused.

use super::*;
use crate::aggregation::Rule;
use crate::dag::tests::spec;
use crate::limits;

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A run under a rule against one hostile member, and as many values as its model has parameters.
fn ruled(rule: Rule) -> (RunSpec, usize) {
    let aggregation = Some(Settings { rule, byzantine: 1, radius: 0.0, mixing: false });
    let spec = RunSpec { aggregation, ..spec() };
    let parameters = spec.model.parameter_count();
    (spec, parameters)
}

/// What the aggregator makes of updates, each the same number for every parameter.
fn aggregated(spec: &RunSpec, updates: &[(u32, f32)]) -> Result<Vec<f32>, Error> {
    let parameters = spec.model.parameter_count();
    let mut aggregator = Aggregator::new(spec, updates.len());
    for (samples, value) in updates {
        aggregator.add(*samples, &bytes(&vec![*value; parameters])).unwrap();
    }
    aggregator
        .finish(&bytes(&vec![0.5; parameters]), None)
        .map(|weights| values(&weights).collect())
}

#[test]
fn a_run_without_a_rule_weighs_by_samples_and_one_with_a_rule_does_not() {
    let updates = [(1, 1.0), (1, 2.0), (1_000_000, 3.0)];
    let mean = aggregated(&spec(), &updates).unwrap();
    assert!(mean.iter().all(|weight| (weight - 3.5).abs() < 1.0e-5), "{mean:?}");
    let (median, parameters) = ruled(Rule::Median);
    assert_eq!(aggregated(&median, &updates), Ok(vec![2.5; parameters]));
}

#[test]
fn a_huge_update_moves_the_mean_and_no_rule() {
    let updates = [(9, 0.1), (9, 0.11), (9, 0.12), (9, 0.13), (9, 0.14), (9, 0.15), (9, -900.0)];
    assert!(aggregated(&spec(), &updates).unwrap()[0] < -100.0, "the control");
    for rule in Rule::ALL.into_iter().filter(|rule| *rule != Rule::Mean) {
        let weight = aggregated(&ruled(rule).0, &updates).unwrap()[0];
        assert!((0.55..0.66).contains(&weight), "{}: {weight}", rule.name());
    }
}

#[test]
fn updates_that_a_rule_cannot_take_have_a_code() {
    let (median, parameters) = ruled(Rule::Median);
    let refused = |updates: &[(u32, f32)]| aggregated(&median, updates).unwrap_err().code();
    assert_eq!(refused(&[]), "aggregation-few");
    assert_eq!(refused(&[(1, 1.0), (1, 1.0)]), "aggregation-few");
    let mut aggregator = Aggregator::new(&median, 1);
    let good = bytes(&vec![1.0; parameters]);
    for (samples, delta, code) in [
        (0, good.clone(), "update-samples"),
        (limits::RUN_SAMPLES_MAX + 1, good.clone(), "update-samples"),
        (1, good[1..].to_vec(), "update-length"),
        (1, Vec::new(), "update-length"),
        (1, bytes(&vec![f32::NAN; parameters]), "aggregation-value"),
    ] {
        assert_eq!(aggregator.add(samples, &delta).unwrap_err().code(), code);
    }
    for _ in 0..3 {
        aggregator.add(1, &good).unwrap();
    }
    assert_eq!(aggregator.clone().finish(&good[4..], None).unwrap_err().code(), "update-length");
    assert_eq!(aggregator.finish(&good, None), Ok(bytes(&vec![2.0; parameters])));
}

/// `FedAvgM` as its authors write it, with a velocity that is remembered, against the difference of
/// two weights that nobody has to remember.
#[test]
fn server_momentum_is_that_of_a_server_that_remembers() {
    let share = 0.7_f32;
    for aggregation in [None, ruled(Rule::Median).0.aggregation] {
        let spec = RunSpec { aggregation, server_momentum: Some(share), ..spec() };
        let parameters = spec.model.parameter_count();
        let (mut velocity, mut exact) = (0.0_f64, 0.5_f64);
        let (mut base, mut before) = (bytes(&vec![0.5; parameters]), None);
        for (round, change) in [0.25_f32, -0.5, 0.125, 1.0, -0.75].into_iter().enumerate() {
            let mut aggregator = Aggregator::new(&spec, 3);
            for _ in 0..3 {
                aggregator.add(1, &bytes(&vec![change; parameters])).unwrap();
            }
            let weights = aggregator.finish(&base, before.as_deref()).unwrap();
            velocity = f64::from(share) * velocity + f64::from(change);
            exact += velocity;
            let found: Vec<f32> = values(&weights).collect();
            let close = |weight: &f32| (f64::from(*weight) - exact).abs() < 1.0e-6;
            assert!(found.iter().all(close), "round {round}: {exact} {}", found[0]);
            before = Some(std::mem::replace(&mut base, weights));
        }
    }
}

#[test]
fn weights_before_those_of_another_model_are_refused_where_they_count() {
    let spec = RunSpec { server_momentum: Some(0.5), ..spec() };
    let good = bytes(&vec![1.0; spec.model.parameter_count()]);
    let aggregator = |spec: &RunSpec| {
        let mut aggregator = Aggregator::new(spec, 1);
        aggregator.add(1, &good).unwrap();
        aggregator
    };
    let refused = aggregator(&spec).finish(&good, Some(&good[4..])).unwrap_err();
    assert_eq!(refused.code(), "update-length");
    let plain = RunSpec { server_momentum: None, ..spec };
    assert_eq!(aggregator(&plain).finish(&good, Some(&[])), aggregator(&plain).finish(&good, None));
}

/// Five rows of the flowers, one of each kind and two more.
fn reference() -> Reference {
    let classes = [0_u32, 1, 2, 0, 1];
    let inputs: Vec<u8> =
        (0..20_u8).flat_map(|place| (f32::from(place % 7) / 7.0).to_le_bytes()).collect();
    let labels = classes.iter().flat_map(|class| class.to_le_bytes()).collect();
    Reference { inputs, labels }
}

/// What a run with trusted rows comes to is `FLTrust` with what is trained on them, and many
/// members that shout the opposite move it nowhere.
#[test]
fn trusted_rows_hold_against_a_majority() {
    let spec = RunSpec { reference: Some(reference()), ..spec() };
    assert_eq!(spec.validate(), Ok(()));
    let base = crate::federated::initial_weights(&spec).unwrap();
    let floats: Vec<f32> = values(&base).collect();
    let rows = reference().dataset(&spec).unwrap();
    let training = Reference::training(&spec);
    let trusted = train_update(&spec.model, &floats, &rows, training).unwrap().delta;
    let scaled = |factor: f32| trusted.iter().map(|value| value * factor).collect::<Vec<f32>>();
    let sent = [scaled(0.5), scaled(2.0), scaled(-10.0), scaled(-10.0), scaled(-10.0)];
    let aggregated = |spec: &RunSpec| {
        let mut aggregator = Aggregator::new(spec, sent.len());
        for update in &sent {
            aggregator.add(9, &bytes(update)).unwrap();
        }
        aggregator.finish(&base, None).unwrap()
    };
    let mut side_by_side = Updates::new(trusted.len());
    for update in &sent {
        side_by_side.push(update).unwrap();
    }
    let expected = changed(&base, &fltrust(&side_by_side, &trusted).unwrap()).unwrap();
    assert_eq!(aggregated(&spec), expected);
    let along = |weights: &[u8]| {
        let moved = values(weights).zip(&floats).map(|(new, old)| f64::from(new) - f64::from(*old));
        moved.zip(&trusted).map(|(moved, trusted)| moved * f64::from(*trusted)).sum::<f64>()
    };
    assert!(along(&expected) > 0.0);
    assert!(along(&aggregated(&RunSpec { reference: None, ..spec })) < 0.0, "the control");
}

/// Rows that lead nowhere must not keep a run from its next round, nor its members busy with it.
#[test]
fn trusted_rows_that_lead_nowhere_change_nothing() {
    let spec = RunSpec { reference: Some(reference()), ..spec() };
    let base = crate::federated::initial_weights(&spec).unwrap();
    let parameters = spec.model.parameter_count();
    let mut trusted = Trusted::new(&spec, &reference());
    assert!(trusted.update(&base, parameters).iter().any(|value| *value != 0.0), "the control");
    trusted.training.learning_rate = f32::INFINITY;
    assert_eq!(trusted.update(&base, parameters), vec![0.0; parameters]);
    let mut aggregator = Aggregator::new(&spec, 1);
    aggregator.add(9, &bytes(&vec![1.0; parameters])).unwrap();
    aggregator.kind = match aggregator.kind {
        Kind::Trusted(_, updates) => Kind::Trusted(trusted.into(), updates),
        other => other,
    };
    assert_eq!(aggregator.finish(&base, None), Ok(base));
}
