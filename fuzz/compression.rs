//! What is fuzzed of compressed updates: any bytes under any settings.

use synaptic_mesh::compression::{Settings, Tensor, compress, decompress};

/// A model with tensors of several shapes, one of them a single number.
const TENSORS: [Tensor; 4] = [[9, 7], [1, 7], [7, 1], [1, 1]];
const PARAMETERS: usize = 78;

/// Bits, then what is kept of a million, then the bytes of an update. There is an error, or as many
/// numbers as the model has, no more of them kept than allowed, that can be sent again.
pub(crate) fn compression(data: &[u8]) {
    let Some(([bits, a, b, c], bytes)) = data.split_first_chunk() else { return };
    let settings = Settings { bits: u32::from(*bits), keep: u32::from_le_bytes([*a, *b, *c, 0]) };
    let Ok(values) = decompress(settings, &TENSORS, bytes) else { return };
    let kept = values.iter().filter(|value| **value != 0.0).count();
    assert!(values.len() == PARAMETERS && kept <= settings.kept_max(PARAMETERS));
    assert!(values.iter().all(|value| value.is_finite()));
    if let Ok(again) = compress(settings, &TENSORS, &values) {
        let values = decompress(settings, &TENSORS, &again);
        assert!(values.is_ok_and(|values| values.len() == PARAMETERS));
    }
}

/// An update of many sizes under several settings.
pub(super) fn updates() -> Vec<Vec<u8>> {
    let value = |place: u16| f32::from(place % 13) * f32::from(place % 7) - 20.0;
    let values: Vec<f32> = (0..).take(PARAMETERS).map(value).collect();
    let settings = [(8, 1_000_000), (8, 50_000), (4, 300_000), (2, 1_000_000), (1, 1_000_000)];
    let seed = |(bits, keep): (u32, u32)| {
        let bytes = compress(Settings { bits, keep }, &TENSORS, &values).expect("a sound update");
        let [a, b, c, _] = keep.to_le_bytes();
        let bits = u8::try_from(bits).expect("at most 8");
        [vec![bits, a, b, c], bytes].concat()
    };
    settings.into_iter().map(seed).collect()
}
