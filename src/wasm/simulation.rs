//! The simulator for a page: a world that a page advances, looks at and interferes with.
//!
//! Part of the simulator's own module alone (feature `sim-page`), never of the package: signatures
//! of a simulation prove nothing.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::sim::byzantine::{ATTACKS, Attack};
use crate::sim::trace::Trace;
use crate::sim::world::Condition;
use crate::sim::{Report, World, catalogue};
use crate::wasm::error::{BadArgument, thrown};

/// A simulation that runs as far as it is told to.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Simulation {
    world: Option<World>,
    report: Option<Report>,
}

/// Names of the scenarios.
#[wasm_bindgen(js_name = scenarioNames)]
pub fn scenario_names() -> Vec<String> {
    catalogue::ENTRIES.iter().map(|entry| entry.name.to_owned()).collect()
}

/// What a scenario shows, for people; empty for an unknown one.
#[wasm_bindgen(js_name = scenarioShows)]
pub fn scenario_shows(name: &str) -> String {
    let entry = catalogue::ENTRIES.iter().find(|entry| entry.name == name);
    entry.map_or_else(String::new, |entry| entry.shows.to_owned())
}

/// Names of the attacks that [`Simulation::corrupt`] knows.
#[wasm_bindgen(js_name = attackNames)]
pub fn attack_names() -> Vec<String> {
    ATTACKS.iter().map(Attack::name).collect()
}

#[wasm_bindgen]
impl Simulation {
    /// A named scenario at its beginning, with so many members.
    ///
    /// # Errors
    /// `bad-argument` for an unknown name and for numbers that cannot be simulated.
    pub fn create(scenario: &str, nodes: u32, seed: u32) -> Result<Simulation, JsValue> {
        let bad = |message: String| thrown(BadArgument(message));
        let nodes = usize::try_from(nodes).unwrap_or(usize::MAX);
        let scenario = catalogue::named(scenario, Some(nodes), u64::from(seed))
            .ok_or_else(|| bad(format!("{scenario:?} is no scenario; see scenarioNames()")))?;
        scenario.check().map_err(bad)?;
        let mut world = World::new(scenario, Trace::hash_only());
        world.watch();
        Ok(Self { world: Some(world), report: None })
    }

    /// Goes on until this virtual millisecond, the end, or a broken invariant. The simulation is
    /// over when there is a report.
    #[wasm_bindgen(js_name = runUntil)]
    pub fn run_until(&mut self, ms: f64) {
        let Some(world) = &mut self.world else { return };
        let end_ms = world.horizon_ms();
        let until_ms = whole(ms).min(end_ms);
        world.step_until(until_ms);
        if (until_ms >= end_ms || world.violation().is_some())
            && let Some(world) = self.world.take()
        {
            self.report = Some(world.finish());
        }
    }

    /// When the scenario ends, in virtual milliseconds; faults put it off.
    #[wasm_bindgen(js_name = endMs)]
    pub fn end_ms(&self) -> f64 {
        match (&self.world, &self.report) {
            (Some(world), _) => real(world.horizon_ms()),
            (None, report) => report.as_ref().map_or(0.0, |report| real(report.simulated_ms)),
        }
    }

    /// The hash of the trace so far; at the end, that of the report.
    #[wasm_bindgen(js_name = traceHash)]
    pub fn trace_hash(&self) -> String {
        match (&self.world, &self.report) {
            (Some(world), _) => world.trace_hash(),
            (None, report) => {
                report.as_ref().map_or_else(String::new, |report| report.trace_hash.clone())
            }
        }
    }

    /// What came of it; undefined before the end.
    pub fn report(&self) -> Option<String> {
        self.report.as_ref().map(Report::to_text)
    }

    /// Whether every invariant has held so far.
    #[wasm_bindgen(js_name = isOk)]
    pub fn is_ok(&self) -> bool {
        self.report.as_ref().is_none_or(Report::is_ok)
    }

    /// Three numbers for each member: 0 down, 1 up, 2 frozen, 3 Byzantine; vertices; peers.
    pub fn members(&self) -> Vec<u32> {
        let Some(world) = &self.world else { return Vec::new() };
        let small = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let looks = world.members().filter_map(|node| world.look(node));
        looks
            .flat_map(|look| {
                let condition = match look.condition {
                    Condition::Down => 0,
                    Condition::Up => 1,
                    Condition::Frozen => 2,
                    Condition::Byzantine => 3,
                };
                [condition, small(look.vertices), small(look.peers)]
            })
            .collect()
    }

    /// Two members for each connection.
    pub fn links(&self) -> Vec<u32> {
        let links = self.world.iter().flat_map(World::links);
        links.flat_map(|(one, other)| [one, other].map(|n| u32::try_from(n).unwrap_or(0))).collect()
    }

    /// Four numbers for each message sent since the last time: from, to, when, and when it
    /// arrives, in virtual milliseconds; NaN if it is lost.
    pub fn flights(&mut self) -> Vec<f64> {
        let flights = self.world.as_mut().map(World::take_flights).unwrap_or_default();
        let ms = |us: u64| real(us) / 1_000.0;
        let small = |node: usize| u32::try_from(node).map_or(0.0, f64::from);
        flights
            .into_iter()
            .flat_map(|flight| {
                let at_ms = flight.at_us.map_or(f64::NAN, ms);
                [small(flight.from), small(flight.to), ms(flight.left_us), at_ms]
            })
            .collect()
    }

    /// A member's process ends without a word.
    pub fn kill(&mut self, node: u32) {
        self.with(|world| world.kill(index(node)));
    }

    /// A member that does not run starts again from its disk.
    pub fn restart(&mut self, node: u32) {
        self.with(|world| world.restart(index(node)));
    }

    /// Cuts these members off from the others.
    #[wasm_bindgen(js_name = cutOff)]
    pub fn cut_off(&mut self, group: Vec<u32>) {
        self.with(|world| world.cut_off(group.into_iter().map(index).collect()));
    }

    /// All partitions end.
    pub fn heal(&mut self) {
        self.with(World::heal);
    }

    /// A member attacks from now on.
    ///
    /// # Errors
    /// `bad-argument` for an unknown attack.
    pub fn corrupt(&mut self, node: u32, attack: &str) -> Result<(), JsValue> {
        let known = ATTACKS.iter().find(|known| known.name() == attack);
        let known = known
            .ok_or_else(|| thrown(BadArgument(format!("{attack:?} is none of attackNames()"))))?;
        self.with(|world| world.corrupt(index(node), *known));
        Ok(())
    }

    fn with(&mut self, change: impl FnOnce(&mut World)) {
        if let Some(world) = &mut self.world {
            change(world);
        }
    }
}

fn index(node: u32) -> usize {
    usize::try_from(node).unwrap_or(usize::MAX)
}

/// Whole milliseconds of a number; what is no time is the beginning.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::as_conversions)]
fn whole(ms: f64) -> u64 {
    ms as u64
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "below 2^53")]
fn real(count: u64) -> f64 {
    count as f64
}
