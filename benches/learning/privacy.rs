//! What noise on updates costs, and what it promises.

use std::fmt::Write as _;

use synaptic_mesh::privacy::Settings;
use synaptic_mesh::rng::Rng;

use super::{
    Attack, BATCH, Defence, EPOCHS, ROUNDS, SEEDS, Setting, Task, last, on_every_core, run_sent,
    spread,
};

/// Standard deviations of the noise, in lengths of an update; 0 for none, and no shortening.
const NOISES: [f32; 7] = [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 1.0];
/// The length of an update: arbitrary, sane.
const CLIP: f32 = 1.0;
const DELTA: f32 = 1.0e-5;
const MEMBERS: [usize; 2] = [10, 50];

fn accuracy(task: &Task, noise: f32, seed: u64) -> f64 {
    let settings = Settings { clip: CLIP, noise, delta: DELTA };
    let mut source = Rng::from_u64_stream(seed, 72);
    let (byzantine, attack, defence) = (0, Attack::None, Defence::Mean);
    let (epochs, batch, rounds) = (EPOCHS, BATCH, ROUNDS);
    let setting = Setting { epochs, batch, rounds, byzantine, attack, defence, seed };
    let accuracies = run_sent(task, setting, |sent| {
        for update in sent.iter_mut().filter(|_| noise > 0.0) {
            *update = settings.hide(update, &mut source);
        }
    });
    last(&accuracies)
}

pub(super) fn tables() -> String {
    let mut text = format!(
        "\nNobody hostile, even rows, the mean, {ROUNDS} rounds of {EPOCHS} epochs, {} seeds; \
         updates of a length of at most {CLIP}, delta {DELTA}:\n\n\
         | noise | epsilon of one update | of all rounds | 10 members | 50 members |\n\
         |---:|---:|---:|---:|---:|\n",
        SEEDS.len(),
    );
    let task = |members| SEEDS.map(|seed| Task::of(members, None, seed));
    let tasks = MEMBERS.map(task);
    let mut items = Vec::new();
    for noise in NOISES {
        for of_members in &tasks {
            items.extend(of_members.iter().zip(SEEDS).map(|(task, seed)| (task, noise, seed)));
        }
    }
    let results = on_every_core(&items, |(task, noise, seed)| accuracy(task, *noise, *seed));
    for (noise, row) in NOISES.iter().zip(results.chunks(MEMBERS.len() * SEEDS.len())) {
        let settings = Settings { clip: CLIP, noise: *noise, delta: DELTA };
        let epsilon = |updates| figure(settings.epsilon(updates));
        let (one, all) = (epsilon(1), epsilon(u64::from(ROUNDS)));
        write!(text, "| {noise} | {one} | {all} |").expect("memory");
        for cell in row.chunks(SEEDS.len()) {
            let (mean, off) = spread(cell);
            write!(text, " {mean:.1} +- {off:.1} |").expect("memory");
        }
        text.push('\n');
    }
    text
}

/// Three digits: nobody can make use of more.
fn figure(value: f64) -> String {
    match value {
        _ if value.is_infinite() => "infinite".to_owned(),
        _ if value >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.1}"),
    }
}
