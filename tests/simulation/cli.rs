//! `npm run sim`: runs scenarios by name, by seed or from a file, for as long as is asked.
//!
//! Built natively with the profile `sim`; `--help` says what it can do. The exit code is 1 when an
//! invariant was broken, and 2 when it was called wrongly.

mod latency;
mod seeds;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use synaptic_mesh::sim::trace::Trace;
use synaptic_mesh::sim::world::Holding;
use synaptic_mesh::sim::{Report, Scenario, World, catalogue, shrink, slice};

const HELP: &str = "npm run sim -- [options]

  --scenario NAME   a scenario by name, see --list; without it, `partition-heal`
  --replay FILE     a scenario from a file, as --shrink writes them
  --nodes N         members
  --seed S          the first seed (1)
  --seeds N         so many seeds, one after the other (1)
  --hours H         seeds until so many hours have passed, instead of a number of them
  --jobs N          threads that run seeds (1)
  --keep-going      seeds after one that failed, too; the exit code is 1 all the same
  --latency         how long things take to become final in an undisturbed committee of so many
                    members, none, a fifth and a third of them silent: a table over all seeds
  --kept N          newest vertices that members keep when they drop old ones
  --real            real signatures instead of the stub
  --every MINUTES   what is stored, and the memory of the process, after so much virtual time each
  --trace FILE      every input of every member, one line of JSON each
  --svg FILE        the end of the history, or what led to a violation, as a picture
  --shrink          make a failing scenario as small as it can be, and write it as a file
  --out FILE        where --shrink writes (sim-SEED.json)
  --print           write the scenario instead of running it
  --list            the scenarios by name";

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "what is asked for is independent")]
struct Options {
    scenario: String,
    replay: Option<String>,
    nodes: Option<usize>,
    seed: u64,
    seeds: u64,
    hours: Option<f64>,
    jobs: u64,
    keep_going: bool,
    kept: Option<usize>,
    real: bool,
    latency: bool,
    every_ms: Option<u64>,
    trace: Option<String>,
    svg: Option<String>,
    shrink: bool,
    out: Option<String>,
    print: bool,
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options =
        Options { scenario: "partition-heal".to_owned(), seed: 1, seeds: 1, ..Options::default() };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let number = |text: String| {
            text.parse::<u64>().map_err(|_| format!("{text:?} is no number; give digits only"))
        };
        match word.as_str() {
            "--scenario" => options.scenario = value()?,
            "--replay" => options.replay = Some(value()?),
            "--nodes" => options.nodes = Some(usize::try_from(number(value()?)?).unwrap_or(0)),
            "--seed" => options.seed = number(value()?)?,
            "--seeds" => options.seeds = number(value()?)?,
            "--hours" => {
                let text = value()?;
                options.hours = Some(text.parse().map_err(|_| format!("{text:?} is no number"))?);
            }
            "--jobs" => options.jobs = number(value()?)?,
            "--keep-going" => options.keep_going = true,
            "--kept" => options.kept = usize::try_from(number(value()?)?).ok(),
            "--real" => options.real = true,
            "--latency" => options.latency = true,
            "--every" => options.every_ms = Some(number(value()?)?.max(1) * 60_000),
            "--trace" => options.trace = Some(value()?),
            "--svg" => options.svg = Some(value()?),
            "--shrink" => options.shrink = true,
            "--out" => options.out = Some(value()?),
            "--print" => options.print = true,
            "--list" => return Err(list()),
            "--help" => return Err(HELP.to_owned()),
            other => return Err(format!("{other} is no option\n\n{HELP}")),
        }
    }
    Ok(options)
}

fn list() -> String {
    let entry = |entry: &catalogue::Entry| {
        format!("{:>16}  {:>5} members  {}", entry.name, entry.nodes, entry.shows)
    };
    let mut lines: Vec<String> = catalogue::ENTRIES.iter().map(entry).collect();
    let family = |(name, nodes, shows): &(&str, &str, &str)| {
        format!("{name:>16}  {nodes:>5} members  {shows}")
    };
    lines.extend(catalogue::FAMILIES.iter().map(family));
    lines.join("\n")
}

fn scenario(options: &Options, seed: u64) -> Result<Scenario, String> {
    let mut scenario = match &options.replay {
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
            Scenario::from_json(&text).map_err(|error| format!("{file}: {error}"))?
        }
        None => catalogue::named(&options.scenario, options.nodes, seed)
            .ok_or_else(|| format!("no scenario {:?}; there are\n{}", options.scenario, list()))?,
    };
    if options.real {
        scenario.crypto = synaptic_mesh::sim::scenario::Crypto::Real;
    }
    scenario.kept = options.kept.or(scenario.kept);
    scenario.check()?;
    Ok(scenario)
}

fn run(options: &Options, scenario: &Scenario) -> Result<Report, String> {
    let written = |error: std::io::Error| error.to_string();
    let trace = match &options.trace {
        None => Trace::hash_only(),
        Some(file) => {
            let mut out = BufWriter::new(File::create(file).map_err(written)?);
            Trace::to(Box::new(move |line| {
                out.write_all(line.as_bytes()).expect("the trace can be written");
            }))
        }
    };
    let mut world = World::new(scenario.clone(), trace);
    if let Some(every_ms) = options.every_ms {
        say(HELD);
        let mut until_ms = every_ms;
        while until_ms < scenario.horizon_ms && world.violation().is_none() {
            world.step_until(until_ms);
            say(&held(&world, until_ms));
            until_ms += every_ms;
        }
    }
    world.run_until(scenario.horizon_ms);
    if let Some(file) = &options.svg {
        std::fs::write(file, slice::svg(&world)).map_err(written)?;
    }
    Ok(world.finish())
}

/// What [`held`] tells: of each member the most, except for all disks and the process.
const HELD: &str = " virtual h  vertices  dropped  decided  history KiB  disk KiB  besides KiB  \
                    all disks MiB  process MiB";

/// A line about what members hold. `besides` is what a disk has that is neither vertices nor blobs.
fn held(world: &World, at_ms: u64) -> String {
    let holdings: Vec<_> = world.members().filter_map(|node| world.holding(node)).collect();
    let most = |of: fn(&Holding) -> u64| holdings.iter().map(of).max().unwrap_or(0);
    let disks: u64 = holdings.iter().map(|holding| holding.disk_bytes).sum();
    format!(
        "{:>10.1}  {:>8}  {:>7}  {:>7}  {:>11}  {:>8}  {:>11}  {:>13}  {:>11}",
        Duration::from_millis(at_ms).as_secs_f64() / 3_600.0,
        most(|holding| holding.vertices),
        most(|holding| holding.dropped),
        most(|holding| holding.decided),
        most(|holding| holding.history_bytes) >> 10,
        most(|holding| holding.disk_bytes) >> 10,
        most(|holding| holding.meta_bytes) >> 10,
        disks >> 20,
        memory_kib("VmRSS:").unwrap_or(0) >> 10,
    )
}

fn say(line: &str) {
    // Whoever pipes this into `head` has read enough.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Runs what is asked for; whether every invariant held.
fn all(options: &Options) -> Result<bool, String> {
    if options.latency {
        return latency::table(&scenario(options, options.seed)?, options.seeds, say);
    }
    if options.print {
        say(scenario(options, options.seed)?.to_json().trim_end());
        return Ok(true);
    }
    let single = options.seeds == 1 && options.hours.is_none();
    let plan = seeds::Plan {
        first: options.seed,
        count: options.seeds,
        until: options.hours.map(|hours| Duration::from_secs_f64(hours * 3_600.0)),
        jobs: options.jobs,
        keep_going: options.keep_going,
    };
    let one = |seed| {
        let scenario = scenario(options, seed)?;
        let report = run(options, &scenario)?;
        if single {
            let Scenario { name, nodes, seed, .. } = &scenario;
            say(&format!("{name} with {nodes} members, seed {seed}"));
            say(&report.to_text());
        }
        Ok(report)
    };
    let totals = seeds::all(&plan, &one, say, |line| eprintln!("{line}"))?;
    if options.shrink {
        for seed in &totals.failed {
            write_shrunk(options, &scenario(options, *seed)?, *seed)?;
        }
    }
    let seeds::Totals { count, events, virtual_ms, failed, elapsed } = totals;
    let seconds = elapsed.as_secs_f64();
    say(&format!("{count} scenarios, {events} events, {virtual_ms} virtual ms in {seconds:.1} s"));
    if !single {
        say(&format!("{} violations", failed.len()));
    }
    if let Some(kib) = memory_kib("VmHWM:") {
        say(&format!("{kib} KiB of memory at most"));
    }
    Ok(failed.is_empty())
}

fn write_shrunk(options: &Options, scenario: &Scenario, seed: u64) -> Result<(), String> {
    let small = shrink::shrink(scenario, |step| say(&format!("shrinking: {step}")));
    let file = options.out.clone().unwrap_or_else(|| format!("sim-{seed}.json"));
    std::fs::write(&file, small.to_json()).map_err(|error| format!("{file}: {error}"))?;
    say(&format!(
        "{} members, {} faults, {} ms; replay it with: npm run sim -- --replay {file}",
        small.nodes,
        small.faults.len(),
        small.horizon_ms
    ));
    Ok(())
}

/// Memory of this process, where the system tells: now (`VmRSS:`) or at most (`VmHWM:`).
fn memory_kib(which: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(which))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(|options| all(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(words) => {
            eprintln!("{words}");
            ExitCode::from(2)
        }
    }
}
