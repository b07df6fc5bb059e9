//! `cargo run --profile sim --features sim --example compare`: both finality engines on the same
//! virtual network, side by side.
//!
//! Prints the tables of `docs/finality.md`, or with `--write` replaces them there. `--nodes N`
//! runs one size, `--seeds S` so many seeds of it. The exit code is 2 when it was called wrongly.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "places of nodes are below their number; clippy allows it in tests, not in helpers"
)]

mod quorum;
mod sampled;
mod table;
mod world;

use std::io::Write as _;
use std::process::ExitCode;

fn say(line: &str) {
    // Whoever pipes this into `head` has read enough.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn all(mut words: impl Iterator<Item = String>) -> Result<(), String> {
    let (mut sizes, mut write) = (table::SIZES.to_vec(), false);
    while let Some(word) = words.next() {
        let mut number = || {
            let text = words.next().ok_or(format!("{word} needs a number"))?;
            text.parse::<u64>().map_err(|_| format!("{text:?} is no number; give digits only"))
        };
        match word.as_str() {
            "--nodes" => {
                let nodes = usize::try_from(number()?).unwrap_or(0);
                if !(4..=4_096).contains(&nodes) {
                    return Err("--nodes is 4 to 4096".to_owned());
                }
                sizes = vec![(nodes, 1)];
            }
            "--seeds" => {
                let seeds = number()?.max(1);
                for size in &mut sizes {
                    size.1 = seeds;
                }
            }
            "--write" => write = true,
            other => return Err(format!("{other} is none of --nodes N, --seeds S, --write")),
        }
    }
    let page = table::page(&sizes, say);
    if write {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/finality.md");
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        let text = table::replaced(&text, &page).ok_or("the page has lost its marks")?;
        std::fs::write(path, text).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match all(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            eprintln!("{words}");
            ExitCode::from(2)
        }
    }
}
