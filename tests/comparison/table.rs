//! What is compared, and the page's tables of it.

use std::fmt::Write as _;

use synaptic_mesh::{consensus, sampling};

use crate::world::{Case, Cost, Fault, Outcome, horizon_ms};
use crate::{quorum, sampled};

/// Between these lines of the page the tables stand.
pub(crate) const MARKS: [&str; 2] = ["<!-- comparison -->\n", "<!-- /comparison -->\n"];
/// Sizes of networks, with the number of seeds for each: some 250 nodes or more.
pub(crate) const SIZES: [(usize, u64); 5] = [(4, 60), (10, 30), (31, 8), (100, 3), (1_000, 1)];
/// Faulty nodes of a hundred, what they do, and whether a second item claims the key.
const FAULTS: [(usize, Fault, bool); 10] = [
    (0, Fault::Silent, false),
    (10, Fault::Silent, false),
    (20, Fault::Silent, false),
    (33, Fault::Silent, false),
    (0, Fault::Silent, true),
    (33, Fault::Silent, true),
    (5, Fault::Active, true),
    (10, Fault::Active, true),
    (20, Fault::Active, true),
    (33, Fault::Active, true),
];
/// Of these so many, from the first on, in a network of a thousand: the others take an hour.
const LARGE_FAULTS: usize = 6;
/// Signatures for free: what the network alone takes.
pub(crate) const FREE: Cost = Cost { sign_us: 0, check_us: 0 };
/// Measured costs of one signature: see `src/crypto/sign.rs`.
const NATIVE: Cost = Cost { sign_us: 700, check_us: 300 };
const WASM: Cost = Cost { sign_us: 1_100, check_us: 400 };

/// Both engines in one case, over all seeds.
pub(crate) struct Row {
    pub(crate) case: Case,
    pub(crate) seeds: u64,
    pub(crate) sampled: Summary,
    pub(crate) quorum: Summary,
}

/// What came of some runs of one engine.
#[derive(Default)]
pub(crate) struct Summary {
    /// Of all honest nodes of all runs, ascending; who never decided stands at the end.
    times_us: Vec<Option<u64>>,
    nodes: u64,
    messages: u64,
    bytes: u64,
    signed: u64,
    checked: u64,
    pub(crate) contradictions: u64,
}

impl Summary {
    fn add(&mut self, outcome: Outcome, nodes: usize) {
        self.times_us.extend(outcome.times_us);
        self.times_us.sort_unstable_by_key(|time| time.unwrap_or(u64::MAX));
        self.nodes += u64::try_from(nodes).unwrap();
        self.messages += outcome.messages;
        self.bytes += outcome.bytes;
        self.signed += outcome.signed;
        self.checked += outcome.checked;
        self.contradictions += u64::from(outcome.contradiction);
    }

    /// Milliseconds until so many of a hundred nodes had decided, if they did.
    pub(crate) fn percentile_ms(&self, percent: usize) -> Option<u64> {
        let at = (self.times_us.len() * percent).div_ceil(100).max(1) - 1;
        self.times_us.get(at).copied().flatten().map(|time| time.div_ceil(1_000))
    }

    fn times(&self) -> String {
        let text = |percent| match self.percentile_ms(percent) {
            Some(ms) => ms.to_string(),
            None => "never".to_owned(),
        };
        format!("{} / {}", text(50), text(99))
    }

    /// Nodes of a thousand that did not decide.
    pub(crate) fn undecided(&self) -> usize {
        let never = self.times_us.iter().filter(|time| time.is_none()).count();
        (never * 1_000).div_ceil(self.times_us.len().max(1))
    }

    fn cells(&self) -> String {
        let undecided = self.undecided();
        let (whole, tenth) = (undecided / 10, undecided % 10);
        let (messages, kib) = (self.messages / self.nodes, self.bytes / self.nodes / 1_000);
        format!("{} | {whole}.{tenth} | {messages} | {kib}", self.times())
    }

    fn signatures(&self) -> String {
        format!("{} + {}", self.signed / self.nodes, self.checked / self.nodes)
    }
}

/// The cases of a network of this size; shares that are no whole node are left out.
pub(crate) fn cases(nodes: usize) -> Vec<Case> {
    let case = |(percent, fault, contested)| Case {
        nodes,
        faulty: (percent, fault),
        contested,
        cost: FREE,
        horizon_ms: horizon_ms(nodes),
    };
    let whole = |case: &Case| case.faulty.0 == 0 || nodes * case.faulty.0 >= 100;
    let shown = if nodes < 1_000 { FAULTS.len() } else { LARGE_FAULTS };
    FAULTS.into_iter().take(shown).map(case).filter(whole).collect()
}

/// Runs both engines with their default parameters.
pub(crate) fn run(case: Case, seeds: u64) -> Row {
    let (mut left, mut right) = (Summary::default(), Summary::default());
    for seed in 1..=seeds {
        let outcome = sampled::run(&case, sampling::Config::default(), seed);
        left.add(outcome, case.nodes);
        right.add(quorum::run(&case, consensus::Config::default(), seed), case.nodes);
    }
    Row { case, seeds, sampled: left, quorum: right }
}

impl Row {
    /// What stands left of the figures.
    pub(crate) fn label(case: &Case) -> String {
        let (percent, fault) = case.faulty;
        let share = case.nodes * percent / 100;
        let fault = match (share, fault) {
            (0, _) => "none".to_owned(),
            (_, Fault::Silent) => format!("{share} silent"),
            (_, Fault::Active) => format!("{share} active"),
        };
        let key = if case.contested { "contested" } else { "one item" };
        format!("{} | {fault} | {key}", case.nodes)
    }

    pub(crate) fn text(&self) -> String {
        let (sampled, quorum) = (self.sampled.cells(), self.quorum.cells());
        format!("| {} | {sampled} | {quorum} | {} |", Self::label(&self.case), self.seeds)
    }
}

pub(crate) const HEAD: &str = "\
| nodes | faulty | key | sampled: ms p50 / p99 | undecided % | messages | kB \
| quorum: ms p50 / p99 | undecided % | messages | kB | seeds |
|---|---|---|---|---|---|---|---|---|---|---|---|
";

const HEAD_SIGNED: &str = "\
| nodes | key | sampled: signatures made + checked | native ms p50 / p99 | wasm ms p50 / p99 \
| quorum: signatures made + checked | native ms p50 / p99 | wasm ms p50 / p99 | seeds |
|---|---|---|---|---|---|---|---|---|
";

/// The page's part between the marks. `say` hears each row as it is done.
pub(crate) fn page(sizes: &[(usize, u64)], mut say: impl FnMut(&str)) -> String {
    let mut page = format!("\n{HEAD}");
    for (nodes, seeds) in sizes {
        for case in cases(*nodes) {
            let row = run(case, *seeds);
            assert_eq!(row.quorum.contradictions, 0, "less than a third is faulty");
            say(&row.text());
            writeln!(page, "{}", row.text()).expect("memory");
        }
    }
    write!(page, "\nThe same without faults, with the time that signatures take:\n\n{HEAD_SIGNED}")
        .expect("memory");
    for (nodes, seeds) in sizes.iter().filter(|(nodes, _)| *nodes < 1_000) {
        for contested in [false, true] {
            let text = signed_row(*nodes, contested, *seeds);
            say(&text);
            writeln!(page, "{text}").expect("memory");
        }
    }
    page + "\n"
}

fn signed_row(nodes: usize, contested: bool, seeds: u64) -> String {
    let seeds = seeds.div_ceil(4);
    let rows = [NATIVE, WASM].map(|cost| {
        let faulty = (0, Fault::Silent);
        run(Case { nodes, faulty, contested, cost, horizon_ms: horizon_ms(nodes) }, seeds)
    });
    let [native, wasm] = &rows;
    let cells = |native: &Summary, wasm: &Summary| {
        format!("{} | {} | {}", native.signatures(), native.times(), wasm.times())
    };
    let key = if contested { "contested" } else { "one item" };
    let sampled = cells(&native.sampled, &wasm.sampled);
    format!("| {nodes} | {key} | {sampled} | {} | {seeds} |", cells(&native.quorum, &wasm.quorum))
}

/// The page with its tables replaced.
pub(crate) fn replaced(text: &str, tables: &str) -> Option<String> {
    let [begin, end] = MARKS;
    let (before, rest) = text.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}{tables}{end}{after}"))
}
