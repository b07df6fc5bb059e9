//! What is fuzzed of aggregation rules: any settings over any updates.

use synaptic_mesh::aggregation::{Rule, Settings, Updates};
use synaptic_mesh::limits;

/// A rule, hostile updates, parameters and a radius, then numbers for as many updates as there are.
/// Whatever they are, there is an error, or a change that no update's largest number exceeds.
pub(crate) fn aggregate(data: &[u8]) {
    let Some(([rule, byzantine, parameters, a, b, c, d], rest)) = data.split_first_chunk() else {
        return;
    };
    let settings = Settings {
        rule: Rule::ALL.into_iter().cycle().nth(usize::from(*rule)).unwrap_or(Rule::Mean),
        byzantine: u32::from(*byzantine),
        radius: f32::from_le_bytes([*a, *b, *c, *d]),
        mixing: *rule >= 128,
    };
    let parameters = usize::from(*parameters % 9);
    let numbers: Vec<f32> =
        rest.as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number)).collect();
    let (mut updates, mut largest) = (Updates::new(parameters), 0.0_f64);
    for update in numbers.chunks(parameters.max(1)).take(settings.updates_max(parameters)) {
        if updates.push(update).is_ok() {
            largest = update.iter().fold(largest, |most, number| most.max(f64::from(number.abs())));
        }
    }
    let count = updates.len();
    let Ok(change) = settings.aggregate(updates) else { return };
    assert!(settings.needs().is_ok_and(|needed| count >= needed));
    assert!(change.len() == parameters && largest <= f64::from(limits::DELTA_ABS_MAX));
    assert!(change.iter().all(|number| number.abs() <= largest * 1.000_001), "{change:?}");
}

/// Five updates of two parameters under every rule, one of them far away.
pub(super) fn sets() -> Vec<Vec<u8>> {
    let numbers = [0.5_f32, 1.0, 0.6, 1.1, 0.4, 0.9, 0.55, 1.05, -9000.0, 12.0, 0.5, 1.0, 0.6, 1.2];
    let set = |rule: u8, byzantine: u8, radius: f32| {
        let mut bytes = vec![rule, byzantine, 2];
        bytes.extend(radius.to_le_bytes());
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes
    };
    let plain = (0..16).map(|place| set(place % 8, place / 8, f32::from(place % 3)));
    plain.chain((128..136).map(|rule| set(rule, 1, 0.0))).collect()
}
