//! What hostile members do to a run, by aggregation rule, and what compressed updates cost it: the
//! tables of `docs/learning.md`.
//!
//! `cargo bench --no-default-features --bench learning` prints them, `-- --write` replaces them
//! on the page, `-- --compression` does those of compressed updates only, `-- --privacy` those of
//! noise; some minutes on two cores. In `cargo test` a corner of them runs, so that it keeps
//! working.
//!
//! Ten members learn the digits, 64-32-10, with a learning rate of 0.3 and five local epochs, from
//! the same seeds under every rule and attack. The last `f` are hostile: they know every honest
//! update and the rule.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "numbers of a benchmark are small"
)]

#[path = "learning/compression.rs"]
mod compression;

#[path = "learning/privacy.rs"]
mod privacy;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use synaptic_mesh::aggregation::{Rule, Settings, Updates, fltrust, trimmed_mean};
use synaptic_mesh::neural::{
    Activation, Arena, Dataset, Labels, Layer, LocalTraining, Loss, Network, Shape, Specification,
    dataset, train_update,
};
use synaptic_mesh::rng::Rng;

const MEMBERS: usize = 10;
const ROUNDS: u32 = 20;
/// Passes over the rows in every round, as a run's default has it.
const EPOCHS: u32 = 5;
/// Rows of a step, as a run's default has it.
const BATCH: u32 = 32;
/// Rounds whose accuracies make one figure, the last ones: a single one jumps about.
const LAST: usize = 5;
const SEEDS: [u64; 3] = [1, 2, 3];
/// Seeds of the rounds that are counted: what 3 of them take says little about the 4th.
const SEEDS_COUNTED: u64 = 24;
const MOMENTUM: f32 = 0.9;
/// Server momentum: of 0.5 to 0.9 what takes the fewest rounds under Dirichlet(0.1).
const SERVER_MOMENTUM: f64 = 0.7;
/// Rows of the trusted update of `FLTrust`.
const TRUSTED_ROWS: usize = 100;
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/learning.md");
const DIGITS: &[u8] = include_bytes!("../data/digits.csv");

/// What hostile members send.
#[derive(Clone, Copy, PartialEq)]
enum Attack {
    None,
    /// Their own update, turned round and made this much longer.
    Flip(f32),
    /// Normal noise of standard deviation 1.
    Noise,
    /// A little is enough: the honest mean, this many standard deviations off (Baruch, 2019).
    Alie(f32),
    /// Their own update, trained on labels `9 - label`.
    Labels,
    /// Nothing: no change at all.
    Zeros,
    /// Inner product manipulation: minus this much of the honest mean (Xie, 2019).
    Product(f32),
}

const ATTACKS: [(&str, Attack); 8] = [
    ("none", Attack::None),
    ("sign flip", Attack::Flip(1.0)),
    ("sign flip x10", Attack::Flip(10.0)),
    ("noise", Attack::Noise),
    ("zeros", Attack::Zeros),
    ("ALIE 1.5", Attack::Alie(1.5)),
    ("label flip", Attack::Labels),
    ("IPM 0.5", Attack::Product(0.5)),
];

/// A row of the tables.
#[derive(Clone, Copy)]
enum Defence {
    /// Weighed by samples, as a run does it.
    Mean,
    Rule(Rule),
    /// The same two, with server momentum.
    MeanGoesOn,
    RuleGoesOn(Rule),
    /// The same, and members send a mean of their updates that forgets a tenth each round.
    Momentum(Rule),
    /// Nearest-neighbour mixing, then the trimmed mean.
    Mixed,
    Trusted,
}

const DEFENCES: [(&str, Defence); 11] = [
    ("mean", Defence::Mean),
    ("median", Defence::Rule(Rule::Median)),
    ("trimmed mean", Defence::Rule(Rule::TrimmedMean)),
    ("Krum", Defence::Rule(Rule::Krum)),
    ("Multi-Krum", Defence::Rule(Rule::MultiKrum)),
    ("geometric median", Defence::Rule(Rule::GeometricMedian)),
    ("centered clipping", Defence::Rule(Rule::CenteredClipping)),
    ("centered clipping, server momentum", Defence::RuleGoesOn(Rule::CenteredClipping)),
    ("centered clipping, momentum", Defence::Momentum(Rule::CenteredClipping)),
    ("mixing, trimmed mean", Defence::Mixed),
    ("FLTrust, 100 clean rows", Defence::Trusted),
];

/// The rows of one seed, divided.
struct Task {
    shares: Vec<Dataset>,
    flipped: Vec<Dataset>,
    trusted: Dataset,
    test: Dataset,
}

impl Task {
    /// Divided evenly, or by a Dirichlet distribution of each class.
    fn new(alpha: Option<f64>, seed: u64) -> Self {
        Self::of(MEMBERS, alpha, seed)
    }

    fn of(members: usize, alpha: Option<f64>, seed: u64) -> Self {
        let all = Dataset::parse(DIGITS, &dataset::Options::default()).expect("the digits");
        let (training, test) = all.split(0.2, seed).expect("rows enough");
        let scaling = training.fit_scaling(dataset::Kind::Range).expect("numbers");
        let scaled = |data: &Dataset| data.scaled(&scaling).expect("the same columns");
        let (training, test) = (scaled(&training), scaled(&test));
        let mut order: Vec<usize> = (0..training.rows()).collect();
        Rng::from_u64_stream(seed, 70).shuffle(&mut order);
        let even = |member: usize| order.iter().skip(member).step_by(members).copied();
        let shares: Vec<Dataset> = match alpha {
            None => (0..members)
                .map(|member| training.select(&even(member).collect::<Vec<_>>()))
                .collect(),
            Some(alpha) => {
                training.dirichlet_split(members as u32, alpha, seed).expect("a lucky draw")
            }
        };
        let flipped = shares.iter().map(flipped).collect();
        let trusted = training.select(&order[..TRUSTED_ROWS]);
        Self { shares, flipped, trusted, test }
    }
}

/// The same rows under labels `9 - label`.
fn flipped(data: &Dataset) -> Dataset {
    let Labels::Classes(labels) = data.labels() else { unreachable!("digits are classes") };
    let labels = Labels::Classes(labels.iter().map(|label| 9 - label).collect());
    let (values, classes) = (data.values().to_vec(), data.classes().to_vec());
    Dataset::from_parts(data.features(), values, labels, classes).expect("the same parts")
}

fn specification() -> Specification {
    let layers = vec![Layer::dense(32, Activation::Relu), Layer::dense(10, Activation::Softmax)];
    Specification { inputs: Shape::Flat(64), layers, loss: Loss::CrossEntropy }
}

/// One run: who is hostile, and what is done about it.
#[derive(Clone, Copy)]
struct Setting {
    epochs: u32,
    batch: u32,
    rounds: u32,
    byzantine: usize,
    attack: Attack,
    defence: Defence,
    seed: u64,
}

/// The accuracy on the test rows after every round, of 100. A run whose weights leave all bounds
/// ends early, as it does for members: its last accuracy is what it comes to.
fn run(task: &Task, setting: Setting) -> Vec<f64> {
    run_sent(task, setting, |_| {})
}

/// The same, where something happens to updates on their way.
fn run_sent(task: &Task, setting: Setting, mut deliver: impl FnMut(&mut [Vec<f32>])) -> Vec<f64> {
    let members = task.shares.len();
    let specification = specification();
    let mut network = Network::new(&specification, setting.seed).expect("a network");
    let mut before = network.weights();
    let mut momentum = vec![Vec::new(); members];
    let mut rng = Rng::from_u64_stream(setting.seed, 71);
    let mut arena = Arena::new();
    let mut accuracies = Vec::new();
    for round in 0..setting.rounds {
        let base = network.weights();
        let local = |data: &Dataset, member: usize| {
            let seed = setting.seed << 32 | u64::from(round) << 8 | member as u64;
            let training = LocalTraining {
                epochs: setting.epochs,
                batch: setting.batch,
                learning_rate: 0.3,
                momentum: 0.0,
                seed,
            };
            Some(train_update(&specification, &base, data, training).ok()?.delta)
        };
        let hostile = members - setting.byzantine;
        let updates = (0..members).map(|member| {
            let lies = member >= hostile && setting.attack == Attack::Labels;
            local(if lies { &task.flipped[member] } else { &task.shares[member] }, member)
        });
        let Some(mut updates) = updates.collect::<Option<Vec<_>>>() else { break };
        if matches!(setting.defence, Defence::Momentum(_)) {
            updates.iter_mut().zip(&mut momentum).for_each(|(update, held)| smooth(update, held));
        }
        deliver(&mut updates);
        attack(&mut updates, hostile, setting.attack, &mut rng);
        let trusted = || local(&task.trusted, members);
        let Some(change) = defend(&updates, task, setting, trusted) else { break };
        let next = next_weights(&base, &before, &change, setting.defence);
        before = base;
        if network.set_weights(&next).is_err() {
            break;
        }
        let Ok(result) = network.evaluate(&mut arena, &task.test) else { break };
        accuracies.push(100.0 * result.accuracy.expect("classes"));
    }
    accuracies
}

/// As `federated::aggregator` has it; in the first round there is no last one to go on with.
fn next_weights(base: &[f32], before: &[f32], change: &[f64], defence: Defence) -> Vec<f32> {
    let goes_on = matches!(defence, Defence::MeanGoesOn | Defence::RuleGoesOn(_));
    let share = if goes_on { SERVER_MOMENTUM } else { 0.0 };
    let last = base.iter().zip(before).map(|(base, before)| f64::from(*base) - f64::from(*before));
    let change = last.zip(change).map(|(last, change)| change + share * last);
    base.iter().zip(change).map(|(base, change)| (f64::from(*base) + change) as f32).collect()
}

/// Worker momentum (Karimireddy, 2021): the first update stands for those before it.
fn smooth(update: &mut [f32], held: &mut Vec<f32>) {
    if held.is_empty() {
        *held = update.to_vec();
    }
    for (update, held) in update.iter_mut().zip(held) {
        *held = MOMENTUM * *held + (1.0 - MOMENTUM) * *update;
        *update = *held;
    }
}

/// Replaces the updates from `hostile` on.
fn attack(updates: &mut [Vec<f32>], hostile: usize, attack: Attack, rng: &mut Rng) {
    let (honest, lying) = updates.split_at_mut(hostile);
    let count = honest.len() as f32;
    for at in 0..honest[0].len() {
        let column = honest.iter().map(|update| update[at]);
        let mean = column.clone().sum::<f32>() / count;
        let variance = column.map(|value| (value - mean).powi(2)).sum::<f32>() / count;
        for update in lying.iter_mut() {
            update[at] = match attack {
                Attack::None | Attack::Labels => update[at],
                Attack::Flip(times) => -times * update[at],
                Attack::Zeros => 0.0,
                Attack::Noise => rng.normal_f32(),
                Attack::Alie(off) => mean - off * variance.sqrt(),
                Attack::Product(times) => -times * mean,
            };
        }
    }
}

/// What the updates come to; nothing if one of them is out of bounds.
fn defend(
    rows: &[Vec<f32>],
    task: &Task,
    setting: Setting,
    trusted: impl Fn() -> Option<Vec<f32>>,
) -> Option<Vec<f64>> {
    let mut updates = Updates::new(rows[0].len());
    rows.iter().try_for_each(|row| updates.push(row)).ok()?;
    let result = match setting.defence {
        Defence::Mean | Defence::MeanGoesOn => return Some(weighted_mean(rows, &task.shares)),
        Defence::Rule(rule) | Defence::RuleGoesOn(rule) | Defence::Momentum(rule) => {
            let settings =
                Settings { rule, byzantine: setting.byzantine as u32, radius: 0.0, mixing: false };
            settings.aggregate(updates)
        }
        Defence::Mixed => {
            updates.mix_nearest(setting.byzantine).expect("updates enough");
            trimmed_mean(&updates, setting.byzantine)
        }
        Defence::Trusted => fltrust(&updates, &trusted()?),
    };
    Some(result.expect("updates enough"))
}

fn weighted_mean(rows: &[Vec<f32>], shares: &[Dataset]) -> Vec<f64> {
    let total: f64 = shares.iter().map(|share| share.rows() as f64).sum();
    let column = |at: usize| {
        let terms = rows.iter().zip(shares);
        terms.map(|(row, share)| f64::from(row[at]) * share.rows() as f64).sum::<f64>() / total
    };
    (0..rows[0].len()).map(column).collect()
}

/// Runs on every core; results in the order of the settings.
fn every(settings: &[(&Task, Setting)]) -> Vec<Vec<f64>> {
    on_every_core(settings, |(task, setting)| run(task, *setting))
}

/// Computes on every core; results in the order of the items.
fn on_every_core<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else { return done };
            done.push((place, work(item)));
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut results = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no run panics"))
            .collect::<Vec<_>>()
    });
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Mean of the last rounds.
fn last(accuracies: &[f64]) -> f64 {
    let last = &accuracies[accuracies.len().saturating_sub(LAST)..];
    last.iter().sum::<f64>() / last.len() as f64
}

/// Mean and standard deviation over the seeds.
fn spread(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (square / (count - 1.0).max(1.0)).sqrt())
}

/// One table: rules by attacks, accuracies of 100 with their deviation over the seeds.
fn table(title: &str, alpha: Option<f64>, byzantine: usize) -> String {
    let tasks: Vec<Task> = SEEDS.iter().map(|seed| Task::new(alpha, *seed)).collect();
    let mut settings = Vec::new();
    for (_, defence) in DEFENCES {
        for (_, attack) in ATTACKS {
            for (task, seed) in tasks.iter().zip(SEEDS) {
                let (epochs, batch, rounds) = (EPOCHS, BATCH, ROUNDS);
                let setting = Setting { epochs, batch, rounds, byzantine, attack, defence, seed };
                settings.push((task, setting));
            }
        }
    }
    let results: Vec<f64> = every(&settings).iter().map(|run| last(run)).collect();
    let mut text = format!("\n{title}\n\n| rule |");
    for (name, _) in ATTACKS {
        write!(text, " {name} |").expect("memory");
    }
    writeln!(text, "\n|---{}|", "|---:".repeat(ATTACKS.len())).expect("memory");
    let cells: Vec<(f64, f64)> = results.chunks(SEEDS.len()).map(spread).collect();
    for ((name, _), row) in DEFENCES.iter().zip(cells.chunks(ATTACKS.len())) {
        write!(text, "| {name} |").expect("memory");
        for (mean, off) in row {
            write!(text, " {mean:.1} +- {off:.1} |").expect("memory");
        }
        text.push('\n');
    }
    text
}

/// Rounds to 95 %, and the accuracy of the last rounds, of five passes over the rows each round.
fn baseline() -> String {
    let mut text = format!(
        "\nNobody hostile, five local epochs, {SEEDS_COUNTED} seeds:\n\n\
         | rule | rows | 95 % after rounds, median (range) | final |\n|---|---|---:|---:|\n",
    );
    let rows = [
        ("mean", Defence::Mean),
        ("mean, server momentum", Defence::MeanGoesOn),
        ("centered clipping", Defence::Rule(Rule::CenteredClipping)),
        ("centered clipping, server momentum", Defence::RuleGoesOn(Rule::CenteredClipping)),
    ];
    for (split, alpha, rounds) in [("even", None, 40), ("Dirichlet(0.1)", Some(0.1), 120)] {
        let tasks: Vec<Task> = (1..=SEEDS_COUNTED).map(|seed| Task::new(alpha, seed)).collect();
        for (name, defence) in rows {
            let setting = |(task, seed)| {
                let (byzantine, attack) = (0, Attack::None);
                (
                    task,
                    Setting {
                        epochs: EPOCHS,
                        batch: BATCH,
                        rounds,
                        byzantine,
                        attack,
                        defence,
                        seed,
                    },
                )
            };
            let runs = every(&tasks.iter().zip(1..).map(setting).collect::<Vec<_>>());
            let (mean, off) = spread(&runs.iter().map(|run| last(run)).collect::<Vec<_>>());
            let reached = reached(&runs, 95.0);
            writeln!(text, "| {name} | {split} | {reached} | {mean:.1} +- {off:.1} |")
                .expect("memory");
        }
    }
    text
}

/// After how many rounds runs first have an accuracy: the median, the least and the most.
fn reached(runs: &[Vec<f64>], accuracy: f64) -> String {
    let first = |run: &Vec<f64>| run.iter().position(|at| *at >= accuracy).map(|at| at + 1);
    let mut rounds: Vec<usize> = runs.iter().map(|run| first(run).unwrap_or(usize::MAX)).collect();
    rounds.sort_unstable();
    let never = rounds.iter().filter(|rounds| **rounds == usize::MAX).count();
    let word = |rounds: usize| {
        if rounds == usize::MAX { "never".to_owned() } else { rounds.to_string() }
    };
    if never == rounds.len() {
        return "never".to_owned();
    }
    // Of an even number the upper one: never the more flattering.
    let middle = word(rounds[rounds.len() / 2]);
    let most = rounds[..rounds.len() - never].last();
    let mut text = format!("{middle} ({}-{})", word(rounds[0]), most.map_or(0, |most| *most));
    if never > 0 {
        write!(text, ", {never} never").expect("memory");
    }
    text
}

/// A corner of the tables, with the claim that they make.
fn corner() {
    let task = Task::new(None, 1);
    let run = |defence| {
        let (attack, byzantine) = (Attack::Flip(10.0), 2);
        let setting =
            Setting { epochs: 1, batch: BATCH, rounds: 8, byzantine, attack, defence, seed: 1 };
        *run(&task, setting).last().expect("rounds")
    };
    let (mean, clipped) = (run(Defence::Mean), run(Defence::Rule(Rule::CenteredClipping)));
    println!("two of ten turn signs, ten times as long, 8 rounds: mean {mean:.1}, {clipped:.1}");
    assert!(mean < 20.0 && clipped > 70.0, "{mean} {clipped}");
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let has = |word: &str| words.iter().any(|given| given == word);
    if !has("--bench") {
        compression::corner();
        return corner();
    }
    let write = has("--write");
    if !has("--compression") && !has("--privacy") {
        let mut text = baseline();
        text += &table("Rows divided evenly, 2 of 10 hostile:", None, 2);
        text += &table("Rows divided evenly, 3 of 10 hostile:", None, 3);
        text += &table("Rows divided by Dirichlet(0.1), 2 of 10 hostile:", Some(0.1), 2);
        show("rules", &text, write);
    }
    if !has("--privacy") {
        show("compression", &compression::tables(), write);
    }
    if !has("--compression") {
        show("privacy", &privacy::tables(), write);
    }
}

/// Prints tables, and replaces them on the page.
fn show(name: &str, text: &str, write: bool) {
    println!("{text}");
    if !write {
        return;
    }
    let page = std::fs::read_to_string(PAGE).expect("docs/learning.md");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = page.split_once(&begin).expect("its mark");
    let (_, after) = rest.split_once(&end).expect("the mark after it");
    let page = format!("{before}{begin}{text}\n{end}{after}");
    std::fs::write(PAGE, page).expect("to write the page");
}
