//! The estimate of benches/neural/contestant.mjs: the 10th percentile of the processor time per
//! call, or the shortest time on the clock, whichever is smaller.

use std::time::Instant;

use anyhow::Result;

const WARM_UP_S: f64 = 0.1;
/// A sample is as many calls as take this long.
const SAMPLE_S: f64 = 1e-3;

/// Microseconds per call, from calls during `window_ms`.
pub fn measure(mut call: impl FnMut() -> Result<()>, window_ms: f64) -> Result<f64> {
    let started = Instant::now();
    call()?;
    while started.elapsed().as_secs_f64() < WARM_UP_S {
        call()?;
    }
    let mut times = 1;
    while sample(&mut call, times)?.1 * f64::from(times) < SAMPLE_S {
        times *= 2;
    }
    let started = Instant::now();
    let mut samples = vec![sample(&mut call, times)?];
    while started.elapsed().as_secs_f64() * 1e3 < window_ms {
        samples.push(sample(&mut call, times)?);
    }
    let wall = samples.iter().map(|sample| sample.1).fold(f64::INFINITY, f64::min);
    samples.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(samples[samples.len() / 10].0.min(wall) * 1e6)
}

/// Seconds of processor time and on the clock, per call.
fn sample(call: &mut impl FnMut() -> Result<()>, times: u32) -> Result<(f64, f64)> {
    let (cpu, wall) = (cpu_seconds(), Instant::now());
    for _ in 0..times {
        call()?;
    }
    let wall = wall.elapsed().as_secs_f64();
    Ok(((cpu_seconds() - cpu) / f64::from(times), wall / f64::from(times)))
}

fn cpu_seconds() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid timespec that outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}
