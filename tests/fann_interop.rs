//! FANN networks against libfann itself: `tests/interop/fann.c` is compiled and does the same.
//!
//! Outputs, files both ways, and training from the same starting weights. A harness of its own,
//! because whether a compiler and libfann are there is only known at run time: without them the
//! tests count as ignored, and say so. `npm test` installs both where it can.

#![expect(clippy::print_stdout, reason = "it is its own harness")]
#![expect(clippy::indexing_slicing, reason = "a test's own arrays")]

#[path = "interop/tasks.rs"]
mod tasks;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs, panic};

use synaptic_mesh::neural::fann::{
    Activation, Algorithm, Cascade, Data, ErrorFunction, Network, Random, StopFunction, Trainer,
};
use synaptic_mesh::rng::Rng;

use tasks::{layered, parity, seedling, two_spirals, wrong_rows, xor};

/// The most an output may differ from libfann's.
const NEAR: f32 = 1e-5;

fn main() -> ExitCode {
    let tests: [(&str, Test); 5] = [
        ("networks_of_libfann_give_the_same_outputs", networks_of_libfann_give_the_same_outputs),
        ("networks_of_ours_give_the_same_outputs", networks_of_ours_give_the_same_outputs),
        ("rprop_and_quickprop_learn_no_worse", rprop_and_quickprop_learn_no_worse),
        ("incremental_and_batch_walk_the_same_path", incremental_and_batch_walk_the_same_path),
        ("cascades_learn_no_worse", cascades_learn_no_worse),
    ];
    let filter: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| filter.is_empty() || filter.iter().any(|word| name.contains(word));
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    let fann = Fann::compile();
    if let Err(why) = &fann {
        println!("libfann cannot be compared with: {why}");
    }
    for (name, test) in tests.into_iter().filter(|(name, _)| wanted(name)) {
        let result = match &fann {
            Err(_) => {
                ignored += 1;
                "ignored"
            }
            Ok(fann) if panic::catch_unwind(|| test(fann)).is_ok() => {
                passed += 1;
                "ok"
            }
            Ok(_) => {
                failed += 1;
                "FAILED"
            }
        };
        println!("test {name} ... {result}");
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored");
    ExitCode::from(u8::from(failed > 0))
}

type Test = fn(&Fann);

// ---- libfann ----------------------------------------------------------------------------------

/// The compiled program and a folder for its files.
struct Fann {
    program: PathBuf,
    folder: PathBuf,
}

/// How a training ended.
#[derive(Clone, Copy, Debug)]
struct Run {
    epochs: u32,
    added: u32,
    error: f64,
    solved: bool,
}

impl Fann {
    fn compile() -> Result<Self, String> {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fann_interop");
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let program = folder.join("fann");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/fann.c");
        let mut compiler = Command::new("cc");
        compiler
            .args(["-O2", "-Wall", "-o"])
            .arg(&program)
            .arg(source)
            .args(["-lfloatfann", "-lm"]);
        match compiler.output() {
            Err(error) => Err(format!("no C compiler `cc` ({error})")),
            Ok(output) if !output.status.success() => {
                let said = String::from_utf8_lossy(&output.stderr);
                let first = said.lines().next().unwrap_or("it says nothing");
                Err(format!("tests/interop/fann.c does not compile (libfann-dev?): {first}"))
            }
            Ok(_) => Ok(Self { program, folder }),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn call(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.program).current_dir(&self.folder).args(arguments).output();
        let output = output.expect("what was compiled runs");
        let (said, wrote) = (
            String::from_utf8_lossy(&output.stderr).into_owned(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        );
        assert!(output.status.success(), "{arguments:?}: {said}");
        wrote
    }

    /// All outputs of a network file for rows in a data file.
    fn run(&self, network: &str, data: &str) -> Vec<f32> {
        let text = self.call(&["run", network, data]);
        text.split_whitespace().map(|word| word.parse().expect("a number")).collect()
    }

    fn write_data(&self, name: &str, data: &Data) {
        let mut text = format!("{} {} {}\n", data.rows(), data.inputs(), data.outputs());
        for (inputs, targets) in data.iter() {
            for part in [inputs, targets] {
                let line: Vec<String> = part.iter().map(|number| format!("{number:.9e}")).collect();
                writeln!(text, "{}", line.join(" ")).expect("a String takes everything");
            }
        }
        fs::write(self.path(name), text).expect("the folder can be written");
    }

    fn write(&self, name: &str, network: &Network) {
        fs::write(self.path(name), network.to_file()).expect("the folder can be written");
    }

    fn read(&self, name: &str) -> Network {
        Network::from_file(&fs::read(self.path(name)).expect("libfann wrote it"))
            .expect("libfann writes what we read")
    }
}

fn numbers(text: &str) -> Vec<f64> {
    text.split_whitespace().map(|word| word.parse().expect("a number")).collect()
}

// ---- outputs and files ------------------------------------------------------------------------

/// Inputs for networks that take three; the targets are nothing.
fn some_inputs() -> Data {
    let mut rng = Rng::from_u64(5);
    let values = (0..300).map(|_| rng.uniform_f32() * 6.0 - 3.0).collect();
    Data::new(3, 2, values, vec![0.0; 200]).expect("sound data")
}

/// Runs one file through both, and through both once more after each has copied it.
fn compare(fann: &Fann, name: &str) {
    let (data, copy, own) = (some_inputs(), format!("copy-{name}"), format!("own-{name}"));
    fann.write_data("inputs", &data);
    let original = fs::read(fann.path(name)).expect("it was written");
    fann.call(&["copy", name, &copy]);
    let theirs = fs::read(fann.path(&copy)).expect("libfann wrote it");
    assert!(original == theirs, "{name}: libfann writes other bytes than it read");
    let mut network = fann.read(name);
    assert!(network.to_file() == original, "{name}: ours are other bytes");
    fann.write(&own, &network);
    for file in [name, &own] {
        let theirs = fann.run(file, "inputs");
        let ours: Vec<f32> = data
            .iter()
            .flat_map(|(inputs, _)| network.run(inputs).expect("three inputs").to_vec())
            .collect();
        assert_eq!(ours.len(), theirs.len());
        let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let same = ours.iter().zip(&theirs).filter(|(a, b)| a.to_bits() == b.to_bits()).count();
        println!("  {file}: worst difference {worst:e}, {same} of {} the same bits", ours.len());
        assert!(worst <= NEAR, "{file}: {worst}");
    }
}

fn networks_of_libfann_give_the_same_outputs(fann: &Fann) {
    for kind in ["standard", "sparse", "shortcut"] {
        fann.call(&["create", kind, kind]);
        compare(fann, kind);
    }
}

fn networks_of_ours_give_the_same_outputs(fann: &Fann) {
    let sizes = [3, 9, 8, 2];
    let rng = || Rng::from_u64(8);
    let networks = [
        ("our-standard", Network::standard(&sizes, &mut rng())),
        ("our-sparse", Network::sparse(0.4, &sizes, &mut rng())),
        ("our-shortcut", Network::shortcut(&sizes, &mut rng())),
    ];
    for (name, network) in networks {
        let mut network = network.expect("a small network");
        network.randomize(-1.0, 1.0, &mut rng());
        // Those of libfann 2.2.0; its next version has two more.
        let mut kinds = Activation::ALL.into_iter().take(18).cycle();
        for (layer, size) in network.layer_sizes().into_iter().enumerate().skip(1) {
            for neuron in 0..size {
                let kind = kinds.next().expect("a cycle has no end");
                network.set_activation(layer, neuron, kind, 0.7).expect("it is there");
            }
        }
        network.set_output(Activation::Linear, 0.5).expect("a steepness");
        network.set_scaling(&some_inputs(), -1.0, 1.0).expect("as many columns");
        fann.write(name, &network);
        compare(fann, name);
    }
}

// ---- training ---------------------------------------------------------------------------------

/// The same training by both, from one file; libfann's end first.
fn train(fann: &Fann, network: &Network, data: &Data, max: u32, desired: f32) -> [Run; 2] {
    fann.write("start", network);
    fann.write_data("data", data);
    let (epochs, error) = (max.to_string(), desired.to_string());
    let said = numbers(&fann.call(&["train", "start", "data", &epochs, &error, "end"]));
    let [epochs, error, ..] = said[..] else { panic!("it prints three numbers") };
    let solved = error <= f64::from(desired);
    let theirs = Run { epochs: count(epochs), added: 0, error, solved };
    let mut network = fann.read("start");
    let mut trainer = Trainer::new(&network, 0).expect("sound options");
    let outcome = trainer.train(&mut network, data, max, desired).expect("it does not diverge");
    let solved = outcome.reached && network.test(data).expect("it fits").mse() <= 2.0 * desired;
    let error = f64::from(outcome.measure.mse());
    [theirs, Run { epochs: outcome.epochs, added: 0, error, solved }]
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number that the C program printed"
)]
fn count(number: f64) -> u32 {
    number as u32
}

/// Successes, the median epochs of all runs (failures count as endless), the median error.
fn summary(runs: &[[Run; 2]], whose: usize) -> (usize, u32, f64) {
    let runs: Vec<Run> = runs.iter().map(|pair| pair[whose]).collect();
    let mut epochs: Vec<u32> =
        runs.iter().map(|run| if run.solved { run.epochs } else { u32::MAX }).collect();
    let mut errors: Vec<f64> = runs.iter().map(|run| run.error).collect();
    epochs.sort_unstable();
    errors.sort_by(f64::total_cmp);
    let (solved, middle) = (runs.iter().filter(|run| run.solved).count(), (runs.len() - 1) / 2);
    (solved, epochs[middle], errors[middle])
}

/// Prints the row of the table and asserts that ours is no worse.
fn judge(what: &str, pairs: &[[Run; 2]]) {
    let (theirs, ours) = (summary(pairs, 0), summary(pairs, 1));
    let same = pairs.iter().filter(|[a, b]| a.epochs == b.epochs && a.added == b.added).count();
    let show = |(solved, epochs, error): (usize, u32, f64)| {
        let epochs = if epochs == u32::MAX { "-".into() } else { epochs.to_string() };
        format!("solved {solved}/{}, median epochs {epochs}, error {error:.4}", pairs.len())
    };
    println!("  {what}: libfann {}; ours {}; {same} runs the same", show(theirs), show(ours));
    assert!(ours.0 >= theirs.0, "{what}: solved less often");
    assert!(ours.1 <= theirs.1, "{what}: slower");
    // Where neither solves it, the errors that are left tell.
    assert!(ours.0 > 0 || ours.2 <= theirs.2 * 1.01, "{what}: a larger error is left");
}

fn rprop_and_quickprop_learn_no_worse(fann: &Fann) {
    let row = |task: &str, algorithm, data: &Data, sizes: &[usize], limits: (u64, u32, f32)| {
        let (seeds, epochs, desired) = limits;
        let runs: Vec<[Run; 2]> = (0..seeds)
            .map(|seed| {
                let mut network = layered(sizes, seed);
                network.options_mut().algorithm = algorithm;
                train(fann, &network, data, epochs, desired)
            })
            .collect();
        judge(&format!("{algorithm:?} {task}"), &runs);
    };
    for algorithm in [Algorithm::Rprop, Algorithm::Quickprop] {
        row("xor", algorithm, &xor(), &[2, 3, 1], (30, 1_000, 0.001));
        row("parity-8", algorithm, &parity(8), &[8, 16, 1], (7, 1_500, 0.01));
        let epochs = if algorithm == Algorithm::Rprop { 1_500 } else { 500 };
        row("two-spirals", algorithm, &two_spirals(), &[2, 20, 20, 1], (5, epochs, 0.05));
    }
}

fn incremental_and_batch_walk_the_same_path(fann: &Fann) {
    for (algorithm, error) in [
        (Algorithm::Incremental, ErrorFunction::Linear),
        (Algorithm::Incremental, ErrorFunction::Tanh),
        (Algorithm::Batch, ErrorFunction::Linear),
        (Algorithm::Batch, ErrorFunction::Tanh),
    ] {
        let mut network = layered(&[2, 4, 1], 3);
        network.options_mut().algorithm = algorithm;
        network.options_mut().error_function = error;
        network.options_mut().momentum = 0.1;
        let pair = train(fann, &network, &xor(), 200, 0.0);
        assert_eq!(pair[0].epochs, pair[1].epochs);
        let theirs = fann.read("end");
        let mut ours = fann.read("start");
        let mut trainer = Trainer::new(&ours, 0).expect("sound options");
        trainer.train(&mut ours, &xor(), 200, 0.0).expect("it does not diverge");
        let apart = ours.weights().iter().zip(theirs.weights()).map(|(a, b)| (a - b).abs());
        let apart = apart.fold(0.0, f32::max);
        println!("  {algorithm:?} {error:?}: weights {apart:e} apart after 200 epochs");
        assert!(apart <= 1e-3, "{algorithm:?} {error:?}");
    }
}

// ---- cascades ---------------------------------------------------------------------------------

/// glibc's `rand`, so that candidates start where libfann's start: its default generator (type 3)
/// adds the numbers 3 and 31 places back.
struct Rand {
    last: [u32; 31],
    at: usize,
}

impl Rand {
    fn new(seed: u32) -> Self {
        let mut last = [0; 31];
        let mut number = i64::from(seed.max(1));
        for place in &mut last {
            *place = u32::try_from(number).expect("below 2^31");
            number = number * 16_807 % 2_147_483_647;
        }
        // The first three of the next round are those of the last one.
        let mut rand = Self { last, at: 3 };
        for _ in 0..310 {
            rand.next();
        }
        rand
    }

    fn next(&mut self) -> u32 {
        let before = self.last[(self.at + 28) % 31];
        let number = &mut self.last[self.at];
        *number = number.wrapping_add(before);
        self.at = (self.at + 1) % 31;
        *number >> 1
    }
}

impl Random for Rand {
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "as C converts it")]
    fn uniform(&mut self) -> f32 {
        self.next() as f32 / 2_147_483_648.0
    }
}

/// The same cascade by both, from one file and one sequence of random numbers.
fn grow(fann: &Fann, network: &Network, data: &Data, neurons: u32, seed: u32) -> [Run; 2] {
    fann.write("start", network);
    fann.write_data("data", data);
    let (max, rand) = (neurons.to_string(), seed.to_string());
    let said = numbers(&fann.call(&["cascade", "start", "data", &max, "0", &rand, "end"]));
    let mut grown = fann.read("end");
    let solved = wrong_rows(&mut grown, data) == 0;
    let [epochs, added, error, ..] = said[..] else { panic!("it prints four numbers") };
    let theirs = Run { epochs: count(epochs), added: count(added), error, solved };
    let mut network = fann.read("start");
    let mut cascade = Cascade::new(&network, 0).expect("a seedling");
    let growth = cascade.train(&mut network, data, neurons, 0.0, &mut Rand::new(seed));
    let growth = growth.expect("it does not diverge");
    assert_eq!(usize::try_from(growth.added).ok(), Some(network.hidden()));
    let solved = wrong_rows(&mut network, data) == 0;
    // What we have grown is a file for libfann as well.
    fann.write("grown", &network);
    let theirs_of_ours = fann.run("grown", "data");
    for ((inputs, _), theirs) in data.iter().zip(theirs_of_ours) {
        let ours = network.run(inputs).expect("a row")[0];
        assert!((ours - theirs).abs() <= NEAR, "{ours} {theirs}");
    }
    let error = f64::from(growth.measure.mse());
    [theirs, Run { epochs: growth.epochs, added: growth.added, error, solved }]
}

fn cascades_learn_no_worse(fann: &Fann) {
    let tanh = Activation::SigmoidSymmetric;
    let all = "libfann's candidates";
    for (task, data, neurons) in
        [("xor", xor(), 5), ("parity-8", parity(8), 20), ("two-spirals", two_spirals(), 30)]
    {
        // A cosine tells any parity, so the tasks are given to tanh candidates alone as well, as in
        // libfann's own example.
        for (crowd, algorithm) in [
            (all, Algorithm::Rprop),
            ("8 tanh candidates", Algorithm::Rprop),
            (all, Algorithm::Quickprop),
        ] {
            if task == "two-spirals" && (crowd, algorithm) != (all, Algorithm::Rprop) {
                // Few of either's are solved within a minute.
                continue;
            }
            let runs: Vec<[Run; 2]> = (1..=5)
                .map(|seed| {
                    let mut network = seedling(&data, tanh, seed.into());
                    let options = network.options_mut();
                    options.algorithm = algorithm;
                    options.error_function = ErrorFunction::Linear;
                    options.stop_function = StopFunction::Bit;
                    if crowd != all {
                        options.cascade.activations = vec![tanh];
                        options.cascade.steepnesses = vec![1.0];
                        options.cascade.candidate_groups = 8;
                    }
                    grow(fann, &network, &data, neurons, seed)
                })
                .collect();
            let added: Vec<[u32; 2]> = runs.iter().map(|[a, b]| [a.added, b.added]).collect();
            println!("  cascade {task}, {crowd}, {algorithm:?}: neurons added {added:?}");
            judge(&format!("cascade {task}, {crowd}, {algorithm:?}"), &runs);
        }
    }
}
