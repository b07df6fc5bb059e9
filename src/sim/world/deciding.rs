//! The committee of a scenario: its genesis, what is submitted to it, and what becomes final.

use std::collections::BTreeMap;

use super::host::Host;
use super::operations::Operation;
use super::{Event, World};
use crate::consensus::{Proof, verify_proof};
use crate::dag::vote::{ConflictKey, Decision, ItemId};
use crate::effect::{Command, Effect, Input, Intention};
use crate::event::{FinalisedView, ItemView, Problem, Reply};
use crate::genesis::Genesis;
use crate::identity::AuthorId;
use crate::ledger::Label;
use crate::limits;
use crate::rng::Rng;
use crate::sim::byzantine::Context;
use crate::sim::checker::{Broken, Fact, Violation};
use crate::sim::latency::{Latencies, Times};
use crate::sim::random::Tree;
use crate::sim::scenario::Scenario;
use crate::units::MicroCredits;

/// Milliseconds from the commitment to a name to its registration, beside those after which the
/// checkpoint in between is due, and those in the product.
const CLAIM_AFTER_MS: u64 = 4_000;
const CHECKPOINT_MS: u64 = 10_000;
/// Milliseconds from the submission of a hold to its end: it is decided in between, mostly.
const HOLD_MS: u64 = 2_000;
/// Milliseconds after the start of the last member until something is submitted.
const SETTLED_MS: u64 = 4_000;
/// Milliseconds from there to its renewal.
const RENEW_AFTER_MS: u64 = 12_000;
/// Microseconds until a registration that was refused is tried again.
const CLAIM_AGAIN_US: u64 = 3_000_000;
/// Proofs that are asked of each member at the end (count).
const PROOFS_MAX: usize = 24;
/// Name of the invariant that is checked here.
const PROVEN: &str = "S2 what is final is proven by honest signers";

/// What was submitted, and when it was final where.
#[derive(Debug, Default)]
pub(super) struct Deciding {
    /// When commands that are not answered were given.
    asked_us: BTreeMap<u64, u64>,
    submitted: BTreeMap<ItemId, Submitted>,
    final_us: BTreeMap<(ConflictKey, usize), u64>,
}

#[derive(Debug)]
struct Submitted {
    node: usize,
    at_us: u64,
    key: ConflictKey,
    contested: bool,
}

/// The genesis of a scenario's network.
pub(super) fn genesis(scenario: &Scenario, hosts: &[Host], tree: Tree) -> Option<Genesis> {
    let committee = scenario.committee.as_ref()?;
    let author = |node: usize| hosts[node].author;
    let members = committee.members.iter().map(|(node, weight)| (author(*node), *weight));
    let balances = committee.balances.iter();
    let balances = balances.map(|(node, amount)| (author(*node), MicroCredits(*amount)));
    let mut nonce = [0; 32];
    tree.stream("genesis", 0, 0).fill(&mut nonce);
    let genesis = Genesis::new(members.collect(), balances.collect(), nonce);
    Some(genesis.expect("a scenario that was checked has a sound committee"))
}

impl World {
    /// One submission after the other, so that the queue of events stays short.
    pub(super) fn plan_submissions(&mut self) {
        for operation in [
            Operation::Commit { number: 0 },
            Operation::Pay { number: 0 },
            Operation::Hold { number: 0 },
            Operation::Contest { number: 0 },
        ] {
            self.plan_submission(operation);
        }
        for at_ms in self.scenario.workload.epochs_ms.clone() {
            for (node, _) in self.scenario.committee.clone().unwrap_or_default().members {
                self.schedule(at_ms * 1_000, Event::Operation(Operation::Reform { node }));
            }
        }
    }

    /// What a member says to have the same members for one more epoch.
    pub(super) fn next_epoch(&self) -> Command {
        let committee = self.scenario.committee.iter().flat_map(|committee| &committee.members);
        let members = committee.map(|(node, weight)| (self.hosts[*node].author, *weight)).collect();
        Command::ProposeCommittee { members }
    }

    fn plan_submission(&mut self, operation: Operation) {
        let load = &self.scenario.workload;
        let (number, per_minute, takes_ms) = match operation {
            Operation::Commit { number } => (number, load.items_per_minute, 0),
            Operation::Pay { number } => (number, load.transfers_per_minute, 0),
            Operation::Hold { number } => (number, load.holds_per_minute, HOLD_MS),
            Operation::Contest { number } => {
                (number, load.contests_per_minute, self.claim_after_ms())
            }
            _ => return,
        };
        let started_ms = self.scenario.network.start_interval_ms * self.scenario.nodes as u64;
        if per_minute == 0 {
            return;
        }
        let at_ms = started_ms + SETTLED_MS + number * 60_000 / per_minute;
        if at_ms + takes_ms <= load.until_ms {
            self.schedule(at_ms * 1_000, Event::Operation(operation));
        }
    }

    /// Whose command it is, and which; `None` for what is no submission or was split up.
    pub(super) fn submission(&mut self, operation: Operation) -> Option<(usize, Command)> {
        let count = self.hosts.len() as u32;
        let (node, intention) = match operation {
            Operation::Commit { number } => {
                self.plan_submission(Operation::Commit { number: number + 1 });
                let node = self.tree.stream("item", number, 0).below(count) as usize;
                (node, Intention::CommitName { label: format!("item-{number}") })
            }
            Operation::Pay { number } => {
                self.plan_submission(Operation::Pay { number: number + 1 });
                let (from, to, amount) = payment(self.tree.stream("payment", number, 0), count);
                let to = self.hosts[to].author;
                (from, Intention::Pay { to, amount, memo: String::new() })
            }
            Operation::Hold { number } => {
                self.plan_submission(Operation::Hold { number: number + 1 });
                let parties = Parties::of(self.tree.stream("hold", number, 0), count);
                let Parties { from, to, amount, .. } = parties;
                let arbiter = parties.arbiter.map(|node| self.hosts[node].author);
                let (to, memo) = (self.hosts[to].author, String::new());
                let refundable_from = parties.refundable_from;
                (from, Intention::Hold { to, amount, arbiter, refundable_from, memo })
            }
            Operation::EndHold { hold, node, refund, .. } => {
                let hold = hold.to_string();
                let release = !refund;
                (
                    node,
                    if release { Intention::Release { hold } } else { Intention::Refund { hold } },
                )
            }
            Operation::Contest { number } => {
                self.contest(number);
                return None;
            }
            Operation::Announce { number, node } => {
                (node, Intention::CommitName { label: contested_name(number) })
            }
            Operation::Claim { number, node } => {
                let (label, addresses) = (contested_name(number), Vec::new());
                (node, Intention::RegisterName { label, addresses })
            }
            // Who only expects to get the name would contest its owner's renewal.
            Operation::Renew { number, node } => {
                let label = contested_name(number);
                self.owns(node, &label).then_some((node, Intention::RenewName { label }))?
            }
            _ => return None,
        };
        Some((node, Command::Operate(intention)))
    }

    /// Two or three members commit to one name, and register it in one moment later on.
    fn contest(&mut self, number: u64) {
        self.plan_submission(Operation::Contest { number: number + 1 });
        let load = self.scenario.workload.clone();
        let mut rng = self.tree.stream("contest", number, 0);
        let mut members: Vec<usize> = (0..self.hosts.len()).collect();
        rng.shuffle(&mut members);
        for node in members.into_iter().take(2 + rng.below(2) as usize) {
            let announce = Event::Operation(Operation::Announce { number, node });
            self.schedule(self.now_us, announce);
            let at_us = self.now_us + self.claim_after_ms() * 1_000;
            self.schedule(at_us, Event::Operation(Operation::Claim { number, node }));
            let renew_us = at_us + RENEW_AFTER_MS * 1_000;
            if load.renewals && renew_us <= load.until_ms * 1_000 {
                self.schedule(renew_us, Event::Operation(Operation::Renew { number, node }));
            }
        }
    }

    fn claim_after_ms(&self) -> u64 {
        let hastened = self.scenario.committee.as_ref().and_then(|seats| seats.checkpoint_ms);
        CLAIM_AFTER_MS + hastened.unwrap_or(CHECKPOINT_MS)
    }

    /// A hold is written: it is released, refunded, or both at once by two members.
    fn end_hold(&mut self, number: u64, hold: ItemId) {
        let parties = Parties::of(self.tree.stream("hold", number, 0), self.hosts.len() as u32);
        let at_us = self.now_us + HOLD_MS * 1_000;
        let contested = parties.ends.len() > 1;
        for (node, refund) in parties.ends {
            let end = Operation::EndHold { hold, node, refund, contested };
            self.schedule(at_us, Event::Operation(end));
        }
    }

    /// Whether a name is decided to be a member's.
    fn owns(&self, node: usize, label: &str) -> bool {
        let host = &self.hosts[node];
        let engine = host.state.as_ref().and_then(crate::node::Node::consensus);
        let name = Label::new(label).ok().and_then(|label| engine?.ledger().name(&label));
        name.is_some_and(|name| name.owner == host.author)
    }

    /// A command that submits something was given.
    pub(super) fn asked(&mut self, command: u64) {
        self.deciding.asked_us.insert(command, self.now_us);
    }

    /// A submission is written.
    pub(super) fn submitted(&mut self, node: usize, command: u64, of: Operation, view: &ItemView) {
        let Some(at_us) = self.deciding.asked_us.remove(&command) else { return };
        let contested =
            matches!(of, Operation::Claim { .. } | Operation::EndHold { contested: true, .. });
        if let Operation::Hold { number } = of {
            self.end_hold(number, view.item);
        }
        let Some(key) = view.keys.first().copied() else { return };
        if !self.hosts[node].honest {
            return;
        }
        let submitted = Submitted { node, at_us, key, contested };
        self.deciding.submitted.insert(view.item, submitted);
        let fact = Fact::Submitted { node, item: view.item, key, contested };
        self.checker.observe(self.now_us / 1_000, &fact);
    }

    /// A submission was refused, or its node does not run. What others have is not asked for again.
    pub(super) fn refused(
        &mut self,
        command: u64,
        operation: Operation,
        problem: Option<&Problem>,
    ) {
        self.deciding.asked_us.remove(&command);
        let again_us = self.now_us + CLAIM_AGAIN_US;
        let in_time = again_us <= self.scenario.workload.until_ms * 1_000;
        let taken = problem.is_some_and(|problem| problem.code == "name-taken");
        // Of a hold that is unknown here it is not known yet whether it is decided, or ended.
        let again = matches!(operation, Operation::Claim { .. } | Operation::EndHold { .. });
        if again && in_time && !taken {
            self.schedule(again_us, Event::Operation(operation));
        } else {
            self.operations.failed += 1;
        }
    }

    /// A member has something final.
    pub(super) fn finalised(&mut self, node: usize, view: &FinalisedView) {
        let host = &self.hosts[node];
        if !host.honest {
            return;
        }
        for key in &view.keys {
            self.deciding.final_us.entry((*key, node)).or_insert(self.now_us);
        }
        self.checker.observe(self.now_us / 1_000, &Fact::Finalised { node, view });
    }

    /// A member says that quorums decided twice.
    pub(super) fn warned(&mut self, node: usize, problem: &Problem) {
        if self.hosts[node].honest && problem.code == "finality-contradiction" {
            let broken = Broken { node: Some(node), vertex: None, what: problem.message.clone() };
            let invariant = crate::sim::checker::ONE_ITEM;
            self.checker.fail(Violation { invariant, at_ms: self.now_us / 1_000, broken });
        }
    }

    /// How long it took until things were final.
    pub(super) fn latencies(&self) -> Latencies {
        let mut latencies = Latencies::default();
        let mut contests: BTreeMap<ConflictKey, Vec<&Submitted>> = BTreeMap::new();
        for submitted in self.deciding.submitted.values() {
            if submitted.contested {
                contests.entry(submitted.key).or_default().push(submitted);
            } else {
                self.measure(submitted, submitted.at_us, &mut latencies.uncontested);
            }
        }
        for claims in contests.values() {
            let first_us = claims.iter().map(|claim| claim.at_us).min().unwrap_or(0);
            // Who came much later found it decided, or nearly.
            let racing = claims.iter().filter(|claim| claim.at_us < first_us + 20_000);
            let racing: Vec<_> = racing.collect();
            if let [first, _, ..] = racing[..] {
                self.measure(first, first_us, &mut latencies.contested);
            }
        }
        latencies
    }

    fn measure(&self, submitted: &Submitted, from_us: u64, times: &mut Times) {
        let at = |node: usize| {
            let at_us = self.deciding.final_us.get(&(submitted.key, node))?;
            Some(at_us.saturating_sub(from_us).div_ceil(1_000))
        };
        times.own_ms.extend(at(submitted.node));
        let honest = (0..self.hosts.len()).filter(|node| self.hosts[*node].honest);
        let all: Option<Vec<u64>> = honest.map(at).collect();
        times.everywhere_ms.extend(all.and_then(|all| all.into_iter().max()));
    }

    /// An attack says what it likes instead of what its node would have voted.
    pub(super) fn lie(&mut self, node: usize) {
        let (now, peers, network) = (self.now(node), self.peers(node), self.network_id);
        let host = &mut self.hosts[node];
        let (Some(state), Some(strategy)) = (&mut host.state, &mut host.strategy) else { return };
        if !strategy.lies() {
            return;
        }
        let honest = state.take_votes();
        let mut context = Context {
            now,
            rng: &mut host.rng,
            key: &host.key,
            author: host.author,
            network,
            state,
            peers: &peers,
        };
        let votes = strategy.on_votes(honest, &mut context);
        if !votes.is_empty() {
            state.say_votes(votes, now);
            self.post(node, (limits::VOTE_FLUSH_MS + 1) * 1_000, Input::Tick);
        }
    }

    /// Whatever is final long after the last fault can be proven to who has the genesis alone, and
    /// the proof has signers of whom some are honest for sure.
    pub(super) fn check_proofs(&mut self) {
        let Some(genesis) = self.genesis.clone() else { return };
        for node in 0..self.hosts.len() {
            let host = &self.hosts[node];
            let Some(state) = host.state.as_ref().filter(|_| host.honest && !host.frozen) else {
                continue;
            };
            let Some(consensus) = state.consensus() else { continue };
            let certified = consensus.certified_decisions();
            let every = (certified.len() / PROOFS_MAX).max(1);
            let items: Vec<Decision> = certified.step_by(every).copied().collect();
            for decision in items {
                if let Err(what) = self.check_proof(node, decision, &genesis) {
                    return self.fail(PROVEN, node, what);
                }
                self.proofs += 1;
            }
        }
    }

    fn check_proof(
        &mut self,
        node: usize,
        decision: Decision,
        genesis: &Genesis,
    ) -> Result<(), String> {
        let (now, item) = (self.now(node), decision.1.to_string());
        let Some(state) = self.hosts[node].state.as_mut() else { return Ok(()) };
        let (mut out, command) = (Vec::new(), u64::MAX);
        let request = Command::Prove { item: item.clone() };
        state.handle(now, Input::Command { command, request }, &mut out);
        let answer = out.into_iter().find_map(|effect| match effect {
            Effect::Reply { command: u64::MAX, result } => Some(result),
            _ => None,
        });
        let bytes = match answer {
            Some(Ok(Reply::Proof(bytes))) => bytes,
            Some(Err(problem)) => return Err(problem.message),
            _ => return Err(format!("there is no answer to the question for a proof of {item}")),
        };
        let words = |error: crate::consensus::Error| format!("the proof of {item}: {error}");
        let trust = genesis.trust(0).map_err(|error| error.to_string())?;
        let (proven, _) = verify_proof(&trust, &bytes).map_err(words)?;
        if proven != decision {
            return Err(format!("the proof of {item} proves {}", proven.1));
        }
        let proof = Proof::decode(&bytes).map_err(words)?;
        let honest = self.honest_weight(&proof, &trust.committee);
        let spare = trust.committee.total() - trust.committee.quorum();
        if honest <= spare {
            return Err(format!(
                "honest signers of the proof of {item} weigh {honest} of {spare} + 1"
            ));
        }
        Ok(())
    }

    fn honest_weight(&self, proof: &Proof, committee: &crate::consensus::Committee) -> u64 {
        let seats = proof
            .last
            .signatures
            .iter()
            .filter_map(|(place, _)| committee.members().get(usize::try_from(*place).ok()?));
        let honest = seats.filter(|(author, _)| self.is_honest(author));
        honest.map(|(_, weight)| u64::from(*weight)).sum()
    }

    fn is_honest(&self, author: &AuthorId) -> bool {
        self.checker.setting().is_honest(author)
    }
}

fn contested_name(number: u64) -> String {
    format!("contest-{number}")
}

/// Whom a hold is about.
struct Parties {
    from: usize,
    to: usize,
    arbiter: Option<usize>,
    refundable_from: Option<u64>,
    amount: MicroCredits,
    /// Who ends it, and whether by a refund; nobody, one member, or two at once.
    ends: Vec<(usize, bool)>,
}

impl Parties {
    fn of(mut rng: Rng, count: u32) -> Self {
        let drawn = rng.below(6);
        let amount = MicroCredits(1 + u64::from(rng.below(1_000)));
        let refundable_from = (rng.below(3) == 0).then(|| u64::from(rng.below(4)));
        let mut members: Vec<usize> = (0..count as usize).collect();
        rng.shuffle(&mut members);
        let (from, to) = (members[0], members[1]);
        let arbiter = members.get(2).copied().filter(|_| rng.below(2) == 0);
        let ends = match (drawn, arbiter) {
            (0, _) => vec![(from, false)],
            (1, _) => vec![(to, true)],
            (2, Some(arbiter)) => vec![(arbiter, false), (to, true)],
            (3, Some(arbiter)) => vec![(from, false), (arbiter, true)],
            (4, _) => Vec::new(),
            _ => vec![(from, false), (to, true)],
        };
        Self { from, to, arbiter, refundable_from, amount, ends }
    }
}

/// Who pays whom how much.
fn payment(mut rng: Rng, count: u32) -> (usize, usize, MicroCredits) {
    let from = rng.below(count);
    let to = (from + 1 + rng.below(count.max(2) - 1)) % count;
    (from as usize, to as usize, MicroCredits(1 + u64::from(rng.below(1_000))))
}
