//! candle and tract as contestants, natively: `synaptic-mesh-peers candle|tract`.
//!
//! Speaks the lines described in benches/neural/contestant.mjs, with the same files and the same
//! estimate. Both run on one thread: whoever starts this sets `RAYON_NUM_THREADS`.

mod candle;
mod folder;
mod measure;
mod tract;

use std::io::{BufRead, Write};

use anyhow::{Context, Result, bail};

use folder::Folder;

/// A loaded network.
pub trait Network {
    /// One forward pass over the inputs of the folder.
    fn run(&mut self) -> Result<Vec<f32>>;
    /// Back to the first weights, with another order of rows.
    fn restart(&mut self, _seed: u64) -> Result<()> {
        bail!(CANNOT)
    }
    /// One epoch of training.
    fn epoch(&mut self) -> Result<()> {
        bail!(CANNOT)
    }
    /// Share of the test rows that it tells right.
    fn accuracy(&mut self) -> Result<f64> {
        bail!(CANNOT)
    }
}

/// The message of what an engine does not do, which is not a failure.
pub const CANNOT: &str = "it does not do this here";

fn main() -> Result<()> {
    let engine = std::env::args().nth(1).context("which engine?")?;
    let mut network = None;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let reply = match answer(&engine, &mut network, &words) {
            Ok(reply) => format!("ok {reply}"),
            Err(error) if error.to_string() == CANNOT => format!("no {error}"),
            Err(error) => format!("error {error:#}").replace('\n', " "),
        };
        let mut output = std::io::stdout().lock();
        writeln!(output, "{reply}")?;
        output.flush()?;
    }
    Ok(())
}

fn answer(engine: &str, network: &mut Option<Box<dyn Network>>, words: &[&str]) -> Result<String> {
    if let ["prepare", path] = words {
        let folder = Folder::read(path)?;
        let outputs = network.insert(load(engine, folder)?).run()?;
        let bytes: Vec<u8> = outputs.iter().flat_map(|output| output.to_le_bytes()).collect();
        std::fs::write(std::path::Path::new(path).join("outputs.f32"), bytes)?;
        return Ok(String::new());
    }
    let network = network.as_mut().context("nothing is prepared")?;
    match words {
        ["measure", "run", ms] => measure::measure(|| network.run().map(drop), ms.parse()?),
        ["measure", "epoch", ms] => {
            network.restart(1)?;
            measure::measure(|| network.epoch(), ms.parse()?)
        }
        ["accuracy", seed, epochs] => {
            network.restart(seed.parse()?)?;
            for _ in 0..epochs.parse::<u32>()? {
                network.epoch()?;
            }
            network.accuracy()
        }
        _ => bail!(CANNOT),
    }
    .map(|figure| figure.to_string())
}

fn load(engine: &str, folder: Folder) -> Result<Box<dyn Network>> {
    if folder.count > 1 {
        bail!(CANNOT);
    }
    Ok(match engine {
        "candle" => Box::new(candle::Candle::new(folder)?),
        "tract" => Box::new(tract::Tract::new(&folder)?),
        _ => bail!("there is no {engine} here"),
    })
}
