//! The clocks: one that never goes back, one that may be wrong, and waiting.

use std::time::Duration;

use js_sys::Function;
use wasm_bindgen::JsValue;

use crate::clock::Now;
use crate::platform::js;

thread_local! {
    /// `performance` and its `now`, looked up once.
    static MONOTONIC: Option<(JsValue, Function)> = {
        js::property(&js_sys::global(), "performance").ok().and_then(|performance| {
            let now = js::method(&performance, "performance", "now").ok()?;
            Some((performance, now))
        })
    };
}

/// Both clocks at once. The monotonic one counts from the start of the process or page; hosts
/// without `performance` get the wall clock for both.
pub fn now() -> Now {
    let unix_ms = whole(js_sys::Date::now());
    let mono_ms = MONOTONIC.with(|clock| {
        let (performance, now) = clock.as_ref()?;
        js::call(now, performance, &[]).ok()?.as_f64().map(whole)
    });
    Now { mono_ms: mono_ms.unwrap_or(unix_ms), unix_ms }
}

/// Waits `ms` milliseconds, at most 24 days (the longest `setTimeout`).
pub async fn sleep(ms: u64) {
    /// `setTimeout` takes a signed 32-bit number and fires at once above it.
    const LONGEST_MS: u64 = 0x7fff_ffff;
    futures_timer::Delay::new(Duration::from_millis(ms.min(LONGEST_MS))).await;
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clock readings are positive and far below 2^53; a float cast saturates, never traps"
)]
fn whole(ms: f64) -> u64 {
    ms as u64
}
