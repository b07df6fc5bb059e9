//! What updates take and runs lose by compression.

use std::fmt::Write as _;
use std::time::Instant;

use synaptic_mesh::compression::{Feedback, Settings, Tensor, compress, decompress};
use synaptic_mesh::neural::{
    Activation, Layer, LocalTraining, Loss, Network, Shape, Specification, train_update,
};

use super::{
    Attack, BATCH, Defence, EPOCHS, Setting, Task, last, on_every_core, reached, run_sent, spread,
};

/// An odd number, so that there is one in the middle.
const SEEDS: u64 = 9;
const DIGITS: [Tensor; 4] = [[64, 32], [1, 32], [32, 10], [1, 10]];
/// The same with nearly a million parameters.
const LARGE: [Tensor; 6] = [[64, 1_000], [1, 1_000], [1_000, 900], [1, 900], [900, 10], [1, 10]];
/// Members and rounds of the run of DISCO that is compared with.
const DISCO: [u32; 2] = [5, 8];

/// A row: bits and values kept of a million, and whether what is lost is sent later.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    settings: Option<Settings>,
    feedback: bool,
    defence: Defence,
}

const fn way(name: &'static str, bits: u32, keep: u32) -> Way {
    let settings = Some(Settings { bits, keep });
    Way { name, settings, feedback: true, defence: Defence::Mean }
}

const fn bare(name: &'static str, bits: u32, keep: u32) -> Way {
    Way { feedback: false, ..way(name, bits, keep) }
}

const fn goes_on(name: &'static str, bits: u32, keep: u32) -> Way {
    Way { defence: Defence::MeanGoesOn, ..way(name, bits, keep) }
}

const WHOLE: Way = Way { name: "none", settings: None, feedback: false, defence: Defence::Mean };

const WAYS: [Way; 14] = [
    WHOLE,
    way("int8", 8, 1_000_000),
    way("int4", 4, 1_000_000),
    way("int2", 2, 1_000_000),
    bare("int2, no feedback", 2, 1_000_000),
    way("sign", 1, 1_000_000),
    bare("sign, no feedback", 1, 1_000_000),
    way("10 % int4", 4, 100_000),
    way("1 % int8", 8, 10_000),
    way("1 % int4", 4, 10_000),
    bare("1 % int4, no feedback", 4, 10_000),
    goes_on("1 % int4, server momentum", 4, 10_000),
    way("0.2 % int4", 4, 2_000),
    goes_on("0.2 % int4, server momentum", 4, 2_000),
];

/// A run whose members compress: accuracies, and the mean of an update's bytes.
fn run(task: &Task, setting: Setting, way: Way) -> (Vec<f64>, f64) {
    let (mut bytes, mut updates) = (0, 0);
    let mut feedbacks = vec![Feedback::new(); task.shares.len()];
    let accuracies = run_sent(task, Setting { defence: way.defence, ..setting }, |sent| {
        for (update, feedback) in sent.iter_mut().zip(&mut feedbacks) {
            updates += 1;
            let Some(settings) = way.settings else {
                bytes += 4 * update.len();
                continue;
            };
            let compressed = feedback.compress(settings, &DIGITS, update);
            let (blob, lost) = compressed.expect("updates of these runs are small");
            if way.feedback {
                *feedback = lost;
            }
            bytes += blob.len();
            *update = decompress(settings, &DIGITS, &blob).expect("what was written");
        }
    });
    (accuracies, bytes as f64 / f64::from(updates.max(1)))
}

fn setting(rounds: u32, seed: u64) -> Setting {
    let (byzantine, attack, defence) = (0, Attack::None, Defence::Mean);
    Setting { epochs: EPOCHS, batch: BATCH, rounds, byzantine, attack, defence, seed }
}

/// All ways over all seeds of one division of the rows, `[members, rounds, batch]`.
fn runs(
    [members, rounds, batch]: [u32; 3],
    alpha: Option<f64>,
    ways: &[Way],
) -> Vec<(Vec<f64>, f64)> {
    let task = |seed| Task::of(members as usize, alpha, seed);
    let tasks: Vec<Task> = (1..=SEEDS).map(task).collect();
    let items: Vec<(Way, &Task, u64)> = ways
        .iter()
        .flat_map(|way| tasks.iter().zip(1..).map(|(task, seed)| (*way, task, seed)))
        .collect();
    on_every_core(&items, |(way, task, seed)| {
        run(task, Setting { batch, ..setting(rounds, *seed) }, *way)
    })
}

pub(super) fn tables() -> String {
    let mut text = format!(
        "\nNobody hostile, five local epochs, {SEEDS} seeds; 60 rounds with even rows, 120 with \
         rows divided by Dirichlet(0.1):\n\n\
         | updates | bytes of one | times less | even: 95 % after | final | Dirichlet(0.1): 95 % \
         after | final |\n|---|---:|---:|---:|---:|---:|---:|\n",
    );
    let seeds = SEEDS as usize;
    let even = runs([10, 60, BATCH], None, &WAYS);
    let uneven = runs([10, 120, BATCH], Some(0.1), &WAYS);
    for (place, way) in WAYS.iter().enumerate() {
        let mut cells = String::new();
        let mut bytes = 0.0;
        for runs in [&even, &uneven] {
            let own = &runs[place * seeds..(place + 1) * seeds];
            bytes += own.iter().map(|(_, bytes)| bytes).sum::<f64>() / (2 * seeds) as f64;
            let accuracies: Vec<Vec<f64>> = own.iter().map(|(run, _)| run.clone()).collect();
            let (mean, off) = spread(&accuracies.iter().map(|run| last(run)).collect::<Vec<_>>());
            let reached = reached(&accuracies, 95.0);
            write!(cells, " {reached} | {mean:.1} +- {off:.1} |").expect("memory");
        }
        let times = 9_640.0 / bytes;
        writeln!(text, "| {} | {bytes:.0} | {times:.0} |{cells}", way.name).expect("memory");
    }
    text + &disco() + &large()
}

/// The run that was measured of DISCO, by what all copies of its updates take.
fn disco() -> String {
    let [members, rounds] = DISCO;
    let mut text = format!(
        "\nFive members, {rounds} rounds of five epochs, even rows, {SEEDS} seeds; bytes of the \
         updates, each to four others:\n\n\
         | updates | rows of a step | after {rounds} rounds | bytes in total |\n\
         |---|---:|---:|---:|\n"
    );
    for batch in [BATCH, 8] {
        let ways = [WAYS[0], WAYS[3], WAYS[7]];
        let runs = runs([members, rounds, batch], None, &ways);
        for (way, runs) in ways.iter().zip(runs.chunks(SEEDS as usize)) {
            let finals: Vec<f64> = runs.iter().filter_map(|(run, _)| run.last().copied()).collect();
            let (mean, off) = spread(&finals);
            let bytes = runs.iter().map(|(_, bytes)| bytes).sum::<f64>() / SEEDS as f64;
            let total = bytes * f64::from(members * (members - 1) * rounds);
            writeln!(text, "| {} | {batch} | {mean:.1} +- {off:.1} | {total:.0} |", way.name)
                .expect("memory");
        }
    }
    text
}

/// An update of a network of nearly a million parameters.
#[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn large() -> String {
    let dense = |units, activation| Layer::dense(units, activation);
    let (hidden, out) = (Activation::Relu, Activation::Softmax);
    let layers = vec![dense(1_000, hidden), dense(900, hidden), dense(10, out)];
    let specification = Specification { inputs: Shape::Flat(64), layers, loss: Loss::CrossEntropy };
    let network = Network::new(&specification, 1).expect("a network");
    let task = Task::new(None, 1);
    let training =
        LocalTraining { epochs: EPOCHS, batch: 32, learning_rate: 0.1, momentum: 0.0, seed: 1 };
    let update = train_update(&specification, &network.weights(), &task.shares[0], training)
        .expect("an update")
        .delta;
    let count = update.len();
    let mut text = format!(
        "\nAn update of 64-1000-900-10, {count} parameters, {} bytes whole; times of one core:\n\n\
         | updates | bytes | written in ms | read in ms |\n|---|---:|---:|---:|\n",
        4 * count
    );
    for way in [WAYS[2], WAYS[3], WAYS[7], WAYS[8], WAYS[9], WAYS[12]] {
        let Some(settings) = way.settings else { continue };
        let began = Instant::now();
        let bytes = compress(settings, &LARGE, &update).expect("a sound update");
        let written = began.elapsed().as_secs_f64() * 1e3;
        let began = Instant::now();
        let read = decompress(settings, &LARGE, &bytes).expect("what was written");
        let ms = began.elapsed().as_secs_f64() * 1e3;
        assert_eq!(read.len(), count);
        writeln!(text, "| {} | {} | {written:.0} | {ms:.0} |", way.name, bytes.len())
            .expect("memory");
    }
    text
}

/// A corner of the tables, with the claim that they make.
pub(super) fn corner() {
    let task = Task::new(None, 1);
    let run = |way| run(&task, setting(12, 1), way);
    let [(whole, _), (few, bytes), (lost, _)] = [WHOLE, WAYS[9], WAYS[10]].map(run);
    let ends = [&whole, &few, &lost].map(|run| *run.last().expect("rounds"));
    println!(
        "12 rounds: {:.1} whole, {:.1} of 1 %, {:.1} without feedback",
        ends[0], ends[1], ends[2]
    );
    assert!(bytes * 100.0 <= 9_640.0, "{bytes}");
    assert!(ends[1] > 85.0 && ends[1] > ends[2], "{ends:?}");
}
