//! What is simulated: a plain value that a file holds and that a seed makes the same of everywhere.
//!
//! Times are milliseconds of virtual time, members are numbered from 0. A scenario is JSON, and
//! whatever is left out has its default. Everything random in it is drawn from `seed` when it runs;
//! faults and runs are listed one by one, so that shrinking can take them away one by one.

use serde::{Deserialize, Serialize};

use super::byzantine::Attack;
use crate::dag::mutant::Check;
use crate::limits;
use crate::node::History;

/// Members of one scenario (count): what memory allows.
pub const NODES_MAX: usize = 4_096;

/// One simulation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows.
    pub name: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Members (count), at most [`NODES_MAX`].
    pub nodes: usize,
    /// Virtual milliseconds that are simulated.
    pub horizon_ms: u64,
    /// How vertices are signed.
    #[serde(default)]
    pub crypto: Crypto,
    /// What is between the members.
    #[serde(default)]
    pub network: Network,
    /// What is below them.
    #[serde(default)]
    pub disk: Disk,
    /// Who decides, and who has credits; without it nothing is ever final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committee: Option<Committee>,
    /// Newest vertices that members keep when they drop old ones (count); as in the product, if
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<usize>,
    /// Bytes of entries after which decisions of a generation earlier are forgotten; as in the
    /// product, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation_bytes: Option<u64>,
    /// Members that drop nothing: who has not seen what all others dropped cannot catch up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keepers: Vec<usize>,
    /// What their owners do.
    #[serde(default)]
    pub workload: Workload,
    /// What goes wrong.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// What has to hold besides the invariants.
    #[serde(default)]
    pub bounds: Bounds,
    /// A deliberate defect, which has to be caught.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutant: Option<Mutant>,
}

/// How vertices are signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Crypto {
    /// By [`crate::crypto::sign::stub`]: a hash, a thousandth of the work.
    #[default]
    Stub,
    /// As in the product.
    Real,
}

/// What is between the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// One-way latency of a link.
    pub latency: Latency,
    /// Of a thousand messages, so many are lost.
    pub loss_per_mille: u32,
    /// Of a thousand gossip messages, so many arrive twice.
    pub duplicate_per_mille: u32,
    /// Uplink of a member in KiB per second; 0 is without limit.
    pub uplink_kib_s: u64,
    /// Of a thousand members, so many cannot be dialled, as browser tabs cannot.
    pub tabs_per_mille: u32,
    /// Milliseconds between the starts of two members.
    pub start_interval_ms: u64,
}

/// One-way latency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Latency {
    /// The same for each message.
    Constant {
        /// Milliseconds.
        ms: u64,
    },
    /// A log-normal draw for each link, and a narrower one for each message around it.
    Lognormal {
        /// Milliseconds.
        median_ms: u64,
        /// Thousandths; 500 is the spread of a wide area network.
        sigma_milli: u32,
    },
    /// Member `n` lives in region `n % regions`; each message varies by a tenth around its entry.
    Regions {
        /// Milliseconds from one region (row) to another (column).
        matrix_ms: Vec<Vec<u64>>,
    },
    /// The same for each link; each message varies by a fifth around it, and some are much later.
    Tailed {
        /// Milliseconds.
        ms: u64,
        /// Of a thousand messages, so many are late.
        late_per_mille: u32,
        /// By how many milliseconds, at most.
        late_ms: u32,
    },
}

/// Who decides: the genesis of the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Committee {
    /// Members of the committee with their weights, 4 to 100.
    pub members: Vec<(usize, u32)>,
    /// First balances in millionths of a credit.
    #[serde(default)]
    pub balances: Vec<(usize, u64)>,
    /// Milliseconds after which a checkpoint is due; as in the product, if left out. Sooner ones
    /// let vertices be dropped and snapshots be taken in a short scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_ms: Option<u64>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            latency: Latency::Lognormal { median_ms: 25, sigma_milli: 500 },
            loss_per_mille: 0,
            duplicate_per_mille: 0,
            uplink_kib_s: 0,
            tabs_per_mille: 0,
            start_interval_ms: 20,
        }
    }
}

/// What is below the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Disk {
    /// Median of the milliseconds that a write takes; log-normal.
    pub write_ms: u64,
}

impl Default for Disk {
    fn default() -> Self {
        Self { write_ms: 4 }
    }
}

/// What the owners do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workload {
    /// Small statements of random members, all members together, per minute.
    pub statements_per_minute: u64,
    /// When the last statement is made.
    pub until_ms: u64,
    /// Runs that are trained.
    pub runs: Vec<Training>,
    /// Items that nobody contests, of random members, all members together, per minute:
    /// commitments to names.
    #[serde(skip_serializing_if = "is_default")]
    pub items_per_minute: u64,
    /// Payments between random members, per minute.
    #[serde(skip_serializing_if = "is_default")]
    pub transfers_per_minute: u64,
    /// Credits set aside between random members, per minute; released, refunded, or both at once.
    #[serde(skip_serializing_if = "is_default")]
    pub holds_per_minute: u64,
    /// Names that several members register at once, per minute.
    #[serde(skip_serializing_if = "is_default")]
    pub contests_per_minute: u64,
    /// Whether those who claimed a name prolong it later on: its owner may.
    #[serde(skip_serializing_if = "is_default")]
    pub renewals: bool,
    /// When the members of the committee ask for its next epoch, with the same members.
    #[serde(skip_serializing_if = "is_default")]
    pub epochs_ms: Vec<u64>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A run that some members train, on the real engine with a tiny network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// When it is started.
    pub at_ms: u64,
    /// Who starts it.
    pub founder: usize,
    /// Who trains, founder included if listed.
    pub members: Vec<usize>,
    /// Rounds (count).
    pub rounds: u32,
    /// Milliseconds after which a round is closed without its quorum.
    pub deadline_ms: u32,
    /// Milliseconds that one member trains for one round.
    pub train_ms: u64,
}

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Fault {
    /// Messages between a group and the rest do not arrive.
    Partition {
        /// Begin.
        at_ms: u64,
        /// End.
        until_ms: u64,
        /// The group.
        group: Vec<usize>,
        /// Which of them.
        #[serde(default)]
        direction: Direction,
    },
    /// Messages from and to a group are lost or late.
    Degrade {
        /// Begin.
        at_ms: u64,
        /// End.
        until_ms: u64,
        /// The group.
        group: Vec<usize>,
        /// Of a thousand, so many are lost.
        loss_per_mille: u32,
        /// Others take up to so many milliseconds more, and overtake each other.
        delay_ms: u32,
    },
    /// The process ends without a word, and starts again from its disk.
    Crash {
        /// When.
        at_ms: u64,
        /// Who.
        node: usize,
        /// Milliseconds until it starts again; never, if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        down_ms: Option<u64>,
    },
    /// The process ends within the first write it asks for after this time.
    CrashInWrite {
        /// From when on.
        at_ms: u64,
        /// Who.
        node: usize,
        /// Milliseconds until it starts again.
        down_ms: u64,
    },
    /// The node is started for the first time at this time and not with the others.
    Late {
        /// When.
        at_ms: u64,
        /// Who.
        node: usize,
    },
    /// The owner stops the node, and starts it again later.
    Leave {
        /// When.
        at_ms: u64,
        /// Who.
        node: usize,
        /// Milliseconds until it starts again.
        away_ms: u64,
    },
    /// The host stands still: nothing is taken in. Then it goes on, or is killed.
    Freeze {
        /// Begin.
        at_ms: u64,
        /// End.
        until_ms: u64,
        /// Who.
        node: usize,
        /// Whether it is killed at the end, and started again a second later.
        dies: bool,
    },
    /// A page in the background: whatever comes is taken in once per second.
    Throttle {
        /// Begin.
        at_ms: u64,
        /// End.
        until_ms: u64,
        /// Who.
        node: usize,
    },
    /// The store has no room.
    Full {
        /// Begin.
        at_ms: u64,
        /// End.
        until_ms: u64,
        /// Who.
        node: usize,
    },
    /// The store says that a write failed although it is durable.
    Lie {
        /// Begin.
        at_ms: u64,
        /// End.
        until_ms: u64,
        /// Who.
        node: usize,
    },
    /// Writes take longer.
    SlowDisk {
        /// Begin.
        at_ms: u64,
        /// End.
        until_ms: u64,
        /// Who.
        node: usize,
        /// Milliseconds.
        write_ms: u64,
    },
    /// The wall clock is wrong from the start on.
    Skew {
        /// Who.
        node: usize,
        /// Milliseconds.
        ms: i64,
    },
    /// The node does what an honest one would not.
    Byzantine {
        /// From when on.
        at_ms: u64,
        /// Who.
        node: usize,
        /// What it does.
        attack: Attack,
    },
}

/// Which messages a partition stops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Both.
    #[default]
    Both,
    /// Those that leave the group.
    Outward,
    /// Those that enter the group.
    Inward,
}

/// What has to hold besides the invariants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// Milliseconds from the last fault or operation until all honest histories are equal.
    pub converge_ms: u64,
    /// Inputs that one member may be given within a second.
    pub inputs_per_second: u64,
    /// Vertices that the histories must have at the end, at least: that something was shown.
    pub vertices_min: usize,
    /// Rounds that every listed run must have at the end, at least.
    pub rounds_min: u32,
    /// Whether the scenario ends before its horizon once everything has come about that has to
    /// within `converge_ms`.
    #[serde(skip_serializing_if = "is_default")]
    pub ends_early: bool,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            converge_ms: 60_000,
            inputs_per_second: 20_000,
            vertices_min: 1,
            rounds_min: 0,
            ends_early: false,
        }
    }
}

/// A deliberate defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mutant {
    /// The driver confirms a write before it is durable, so a vertex is sent before it is.
    SendBeforePersist,
    /// The disk loses an acknowledged vertex in a crash.
    ForgetfulDisk,
    /// The driver drops requests for heads: histories that were apart stay so.
    NoExchange,
    /// The node leaves a check out.
    Skip(Check),
}

impl Fault {
    /// When it is over.
    pub fn end_ms(&self) -> u64 {
        match self {
            Fault::Partition { until_ms, .. }
            | Fault::Degrade { until_ms, .. }
            | Fault::Throttle { until_ms, .. }
            | Fault::Full { until_ms, .. }
            | Fault::Lie { until_ms, .. }
            | Fault::SlowDisk { until_ms, .. } => *until_ms,
            Fault::Freeze { until_ms, .. } => until_ms + 1_000,
            Fault::Crash { at_ms, down_ms, .. } => at_ms + down_ms.unwrap_or(0),
            Fault::CrashInWrite { at_ms, down_ms, .. } => at_ms + down_ms + 10_000,
            Fault::Leave { at_ms, away_ms, .. } => at_ms + away_ms,
            Fault::Skew { .. } => 0,
            Fault::Late { at_ms, .. } | Fault::Byzantine { at_ms, .. } => *at_ms,
        }
    }

    /// The members it is about.
    pub fn nodes(&self) -> Vec<usize> {
        match self {
            Fault::Partition { group, .. } | Fault::Degrade { group, .. } => group.clone(),
            Fault::Crash { node, .. }
            | Fault::CrashInWrite { node, .. }
            | Fault::Late { node, .. }
            | Fault::Leave { node, .. }
            | Fault::Freeze { node, .. }
            | Fault::Throttle { node, .. }
            | Fault::Full { node, .. }
            | Fault::Lie { node, .. }
            | Fault::SlowDisk { node, .. }
            | Fault::Skew { node, .. }
            | Fault::Byzantine { node, .. } => vec![*node],
        }
    }
}

impl Committee {
    /// Weight that may be Byzantine: the greatest below a third.
    pub fn spare_weight(&self) -> u64 {
        let total: u64 = self.members.iter().map(|(_, weight)| u64::from(*weight)).sum();
        total - (total * 2 / 3 + 1).min(total)
    }

    /// Weight of the members that `fits`.
    pub fn weight(&self, fits: impl Fn(usize) -> bool) -> u64 {
        let of = self.members.iter().filter(|(node, _)| fits(*node));
        of.map(|(_, weight)| u64::from(*weight)).sum()
    }

    fn check(&self, nodes: usize) -> Result<(), String> {
        let mut named: Vec<usize> = self.members.iter().map(|(node, _)| *node).collect();
        named.sort_unstable();
        if named.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("a member stands twice in the committee".to_owned());
        }
        let rich = self.balances.iter().map(|(node, _)| *node);
        if let Some(node) = named.iter().copied().chain(rich).find(|node| *node >= nodes) {
            return Err(format!(
                "the committee or a balance names member {node}; there are {nodes}"
            ));
        }
        let (least, most) = (limits::COMMITTEE_MIN, limits::COMMITTEE_MAX);
        let allowed = 1..=limits::MEMBER_WEIGHT_MAX;
        if !(least..=most).contains(&named.len())
            || !self.members.iter().all(|(_, weight)| allowed.contains(weight))
        {
            return Err(format!("a committee has {least} to {most} members that weigh 1 or more"));
        }
        Ok(())
    }
}

impl Workload {
    /// Whether any of it needs a committee.
    pub fn decides(&self) -> bool {
        let per_minute = self.items_per_minute + self.transfers_per_minute + self.holds_per_minute;
        per_minute + self.contests_per_minute > 0 || !self.epochs_ms.is_empty()
    }
}

impl Scenario {
    /// Reads a scenario from JSON and checks it.
    ///
    /// # Errors
    /// In words: what is wrong, and where.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let scenario: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        scenario.check()?;
        Ok(scenario)
    }

    /// The file of this scenario.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data always encodes");
        text.push('\n');
        text
    }

    /// The last time at which something is done to the network.
    pub fn quiet_ms(&self) -> u64 {
        let faults = self.faults.iter().map(Fault::end_ms);
        let runs = self.workload.runs.iter().map(|run| run.at_ms);
        let started = self.network.start_interval_ms * self.nodes as u64;
        let epochs = self.workload.epochs_ms.iter().copied();
        faults.chain(runs).chain(epochs).chain([self.workload.until_ms, started]).max().unwrap_or(0)
    }

    /// When a member is started for the first time.
    pub fn starts_ms(&self, node: usize) -> u64 {
        let late = self.faults.iter().find_map(|fault| match fault {
            Fault::Late { at_ms, node: late } if *late == node => Some(*at_ms),
            _ => None,
        });
        late.unwrap_or(self.network.start_interval_ms * node as u64)
    }

    /// How much of the history a member keeps.
    pub fn history(&self, node: usize) -> History {
        if self.keepers.contains(&node) {
            return History::All;
        }
        self.kept.map_or_else(History::default, History::Newest)
    }

    /// Bytes of a generation of a snapshot.
    pub fn generation_bytes(&self) -> u64 {
        self.generation_bytes.unwrap_or(limits::SNAPSHOT_GENERATION_BYTES)
    }

    /// Whether a member ever behaves as an honest one would not.
    pub fn is_byzantine(&self, node: usize) -> bool {
        self.faults.iter().any(
            |fault| matches!(fault, Fault::Byzantine { node: attacker, .. } if *attacker == node),
        )
    }

    /// Checks what the types do not say.
    ///
    /// # Errors
    /// In words: what is wrong.
    pub fn check(&self) -> Result<(), String> {
        if self.nodes == 0 || self.nodes > NODES_MAX {
            return Err(format!("nodes is {}; 1 to {NODES_MAX} can be simulated", self.nodes));
        }
        let named = self.faults.iter().flat_map(Fault::nodes).chain(self.keepers.iter().copied());
        let training = self.workload.runs.iter();
        let training = training.flat_map(|run| run.members.iter().copied().chain([run.founder]));
        for node in named.chain(training) {
            if node >= self.nodes {
                return Err(format!("member {node} is named; there are 0 to {}", self.nodes - 1));
            }
        }
        let needed_ms = self.quiet_ms() + self.bounds.converge_ms;
        if self.horizon_ms < needed_ms {
            return Err(format!(
                "horizon_ms is {}; the last fault and converge_ms need {needed_ms}",
                self.horizon_ms
            ));
        }
        if let Some(committee) = &self.committee {
            committee.check(self.nodes)?;
        } else if self.workload.decides() {
            return Err("items, transfers, holds and contests need a committee".to_owned());
        }
        if let Latency::Regions { matrix_ms } = &self.network.latency
            && (matrix_ms.is_empty() || matrix_ms.iter().any(|row| row.len() != matrix_ms.len()))
        {
            return Err("matrix_ms has to be square and not empty".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_simulated_is_refused_in_words() {
        let read = |fields: &str| {
            Scenario::from_json(&format!("{{\"name\":\"x\",\"seed\":1,{fields}}}")).unwrap_err()
        };
        assert!(read("\"nodes\":0,\"horizon_ms\":1").contains("nodes is 0"));
        assert!(read("\"nodes\":2,\"horizon_ms\":1").contains("need 60040"));
        let skew = "\"faults\":[{\"kind\":\"skew\",\"node\":2,\"ms\":1}]";
        assert!(read(&format!("\"nodes\":2,\"horizon_ms\":90000,{skew}")).contains("member 2"));
        assert!(read("\"nodes\":2,\"horizon_ms\":1,\"speed\":3").contains("unknown field"));
    }
}
