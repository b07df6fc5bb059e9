//! Counts and hashes as JavaScript has them.

use wasm_bindgen::JsValue;

/// A count as a JavaScript number: exact up to 2^53, and nothing counted here comes near.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "see above")]
pub(crate) fn count(count: u64) -> JsValue {
    JsValue::from_f64(count as f64)
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('?');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
