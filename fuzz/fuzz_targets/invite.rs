//! Hands the fuzzer's bytes to `targets::invite`.
#![no_main]

#[path = "../targets.rs"]
#[allow(dead_code, reason = "one driver uses one target")]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::invite(data));
