//! One seed after the other, on as many threads as asked for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use synaptic_mesh::sim::Report;

/// Time between two lines about how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

/// Which seeds are run, and how.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) first: u64,
    /// How many, unless there is a time.
    pub(super) count: u64,
    pub(super) until: Option<Duration>,
    /// Threads.
    pub(super) jobs: u64,
    /// Whether seeds after one that failed are run as well.
    pub(super) keep_going: bool,
}

/// What came of all seeds.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) count: u64,
    pub(super) events: u64,
    pub(super) virtual_ms: u64,
    /// Seeds that failed, in order.
    pub(super) failed: Vec<u64>,
    pub(super) elapsed: Duration,
}

/// How a seed ended: with a report, or why there is none; with neither if it panicked.
type Outcome = (u64, Option<Result<Report, String>>);

/// Runs them; `say` hears of failures, and `progress` how far it is.
pub(super) fn all(
    plan: &Plan,
    run: &(impl Fn(u64) -> Result<Report, String> + Sync),
    say: impl Fn(&str),
    progress: impl Fn(&str),
) -> Result<Totals, String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a program, not the crate: it may look at a clock"
    )]
    let started = Instant::now();
    let (next, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let (sender, outcomes) = mpsc::sync_channel(1_024);
    let mut totals = Totals::default();
    let mut wrong = None;
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs.max(1) {
            let sender = sender.clone();
            let (next, over) = (&next, &over);
            scope.spawn(move || work(plan, run, (next, over, started), &sender));
        }
        drop(sender);
        let mut told = Duration::ZERO;
        for (seed, outcome) in outcomes {
            totals.count += 1;
            match outcome {
                Some(Ok(report)) => {
                    totals.events += report.events;
                    totals.virtual_ms += report.simulated_ms;
                    if let Some(violation) = report.violation {
                        totals.failed.push(seed);
                        say(&format!("seed {seed}: {violation}"));
                    }
                }
                Some(Err(words)) => wrong = Some(words),
                None => {
                    totals.failed.push(seed);
                    say(&format!("seed {seed}: panicked"));
                }
            }
            if wrong.is_some() || (!totals.failed.is_empty() && !plan.keep_going) {
                over.store(true, Ordering::Relaxed);
            }
            totals.elapsed = started.elapsed();
            if totals.elapsed >= told + PROGRESS {
                told = totals.elapsed;
                progress(&far(plan, &totals));
            }
        }
    });
    totals.failed.sort_unstable();
    totals.elapsed = started.elapsed();
    wrong.map_or(Ok(totals), Err)
}

/// One thread: takes the next seed until there is none.
fn work(
    plan: &Plan,
    run: &impl Fn(u64) -> Result<Report, String>,
    (next, over, started): (&AtomicU64, &AtomicBool, Instant),
    sender: &mpsc::SyncSender<Outcome>,
) {
    loop {
        let place = next.fetch_add(1, Ordering::Relaxed);
        let is_late = plan.until.map_or(place >= plan.count, |until| started.elapsed() >= until);
        if is_late || over.load(Ordering::Relaxed) {
            return;
        }
        let seed = plan.first + place;
        // A member that panics is a defect like any other, and the seed that shows it is wanted.
        let outcome = catch_unwind(AssertUnwindSafe(|| run(seed))).ok();
        if sender.send((seed, outcome)).is_err() {
            return;
        }
    }
}

fn far(plan: &Plan, totals: &Totals) -> String {
    let of = plan.until.map_or(format!(" of {}", plan.count), |_| String::new());
    let per_minute = u128::from(totals.count) * 60_000 / totals.elapsed.as_millis().max(1);
    let failed = totals.failed.len();
    format!("{}{of} seeds, {failed} violations, {per_minute} seeds a minute", totals.count)
}
