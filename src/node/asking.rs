//! Anonymous questions of this node's owner: choosing paths, trying again, checking answers.
//!
//! The first relay, the guard, stays the same while it works: with a new one each time, whoever has
//! some relays would be first and last on a path before long. It is never an exit, so who asks,
//! which it knows, never meets what exits know. The others are drawn anew for each path.
//!
//! A proof is checked here, and an exit that gives none that holds is not believed; a name has no
//! proof, so two exits must say the same.

use std::collections::{BTreeMap, BTreeSet};

use super::Node;
use super::commands::busy_problem;
use crate::clock::Now;
use crate::consensus;
use crate::crypto::kem::EncapsulationKey;
use crate::dag::vote::Decision;
use crate::effect::{Effect, RequestFailed};
use crate::event::{Problem, Reply};
use crate::identity::{AuthorId, TransportId};
use crate::limits;
use crate::onion::{self, Answer, Back, HOPS, Hop, NameState, Outcome, Question};

/// Place of the exit on a path, counted from the asker.
const EXIT: usize = HOPS - 1;

/// Own questions under way.
#[derive(Debug, Default)]
pub(super) struct Asks {
    open: BTreeMap<u64, Ask>,
    paths: BTreeMap<u64, Path>,
    guard: Option<AuthorId>,
}

#[derive(Debug)]
struct Ask {
    command: u64,
    question: Question,
    since_ms: u64,
    /// How many exits must answer.
    exits: usize,
    attempts: u32,
    /// What exits answered: each of them once.
    answers: BTreeMap<AuthorId, Answer>,
    /// Exits that were asked.
    asked: BTreeSet<AuthorId>,
    /// Why the last exit gave no answer.
    refusal: Option<Problem>,
}

#[derive(Debug)]
struct Path {
    ask: u64,
    back: Back,
    exit: AuthorId,
    until_ms: u64,
}

impl Asks {
    /// When the next path is given up.
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.paths.values().map(|path| path.until_ms).min()
    }

    /// How many questions wait for an answer.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Commands without an answer, which are forgotten.
    pub(super) fn take_open(&mut self) -> Vec<u64> {
        self.paths.clear();
        std::mem::take(&mut self.open).into_values().map(|ask| ask.command).collect()
    }
}

impl Node {
    /// Asks something of an exit that does not learn who asks; answered when that has come back.
    pub(super) fn ask_anonymously(
        &mut self,
        command: u64,
        question: Question,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Option<Result<Reply, Problem>> {
        self.start_asking(command, question, now, out).err().map(Err)
    }

    fn start_asking(
        &mut self,
        command: u64,
        question: Question,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<(), Problem> {
        let exits = match &question {
            Question::Proof { item } => {
                self.deciding.engine.quorum().ok_or_else(super::finality::no_proof)?;
                super::finality::parse_item(item)?;
                1
            }
            Question::Name { label } => {
                self.name_view(label)?;
                2
            }
        };
        let bytes = question.encode().len();
        if bytes > onion::QUESTION_BYTES_MAX {
            return Err(not_asked(onion::Error::TooLong { bytes }));
        }
        if self.onion.asks.len() >= limits::ONION_ASKS_MAX {
            return Err(busy_problem());
        }
        let relays = self.relays().len();
        if relays < HOPS {
            return Err(too_few(relays));
        }
        let (since_ms, number) = (now.mono_ms, self.onion.next());
        let ask = Ask {
            command,
            question,
            since_ms,
            exits,
            attempts: 0,
            answers: BTreeMap::new(),
            asked: BTreeSet::new(),
            refusal: None,
        };
        self.onion.asks.open.insert(number, ask);
        (0..exits).for_each(|_| self.try_path(number, now, out));
        Ok(())
    }

    /// Members that can be relays: connected, with a key to wrap for. Each once, however often it
    /// is connected, or it could be guard and exit of one path.
    fn relays(&self) -> Vec<(Hop, TransportId)> {
        let relay = |(peer, _, author): (&TransportId, _, AuthorId)| {
            let key = self.sealing_key_of(&author).ok()?;
            let key = EncapsulationKey::from_bytes(&key).ok()?;
            Some((author, (Hop { author, key }, peer.clone())))
        };
        let relays: BTreeMap<AuthorId, _> = self.peers.known().filter_map(relay).collect();
        relays.into_values().collect()
    }

    /// The guard, then a relay and an exit: one that was not asked before, if there is one, and
    /// never one that has answered. Gives where the guard is connected, too.
    fn draw_path(
        &mut self,
        asked: &BTreeSet<AuthorId>,
        answered: &BTreeSet<AuthorId>,
    ) -> Option<(TransportId, [Hop; HOPS])> {
        let mut relays = self.relays();
        if relays.len() < HOPS {
            return None;
        }
        let old = self.onion.asks.guard;
        let (guard, peer) = match relays.iter().position(|(hop, _)| Some(hop.author) == old) {
            Some(place) => relays.swap_remove(place),
            // An exit of this question must not become its guard.
            None => self.draw(&mut relays, asked)?,
        };
        self.onion.asks.guard = Some(guard.author);
        let exit = self.draw(&mut relays, asked).or_else(|| self.draw(&mut relays, answered));
        let (exit, _) = exit?;
        let (middle, _) = self.draw(&mut relays, &BTreeSet::new())?;
        Some((peer, [guard, middle, exit]))
    }

    /// Takes a random relay out that is none of these.
    fn draw(
        &mut self,
        relays: &mut Vec<(Hop, TransportId)>,
        others: &BTreeSet<AuthorId>,
    ) -> Option<(Hop, TransportId)> {
        let all = relays.iter().enumerate();
        let fits = all.filter(|(_, (hop, _))| !others.contains(&hop.author));
        let places: Vec<usize> = fits.map(|(place, _)| place).collect();
        Some(relays.swap_remove(*self.rng.pick(&places)?))
    }

    /// Sends a question on a new path, or gives up.
    fn try_path(&mut self, number: u64, now: Now, out: &mut Vec<Effect>) {
        let Some(ask) = self.onion.asks.open.get_mut(&number) else { return };
        ask.attempts += 1;
        if ask.attempts > limits::ONION_ATTEMPTS_MAX {
            return self.give_up_ask(number, out);
        }
        let (question, asked) = (ask.question.encode(), ask.asked.clone());
        let answered = ask.answers.keys().copied().collect();
        let Some((peer, path)) = self.draw_path(&asked, &answered) else {
            return self.give_up_ask(number, out);
        };
        let mut coins = [[0; 64]; HOPS];
        for coins in &mut coins {
            self.rng.fill(coins);
        }
        let period = onion::period_of(now.unix_ms);
        let wrapped = onion::wrap(&self.config.network, &path, period, &question, &coins);
        let circuit = self.onion.next();
        let opened = self.peers.open_cell(&peer, circuit, now.mono_ms);
        let (Ok((bytes, back)), Some(request)) = (wrapped, opened) else {
            return self.give_up_ask(number, out);
        };
        let exit = path[EXIT].author;
        if let Some(ask) = self.onion.asks.open.get_mut(&number) {
            ask.asked.insert(exit);
        }
        let until_ms = now.mono_ms.saturating_add(limits::ONION_PATH_MS);
        self.onion.asks.paths.insert(circuit, Path { ask: number, back, exit, until_ms });
        self.counters.count("onion-asked");
        out.push(Effect::Cell { peer, request, bytes });
    }

    /// A reply to an own question is here, or will not come.
    pub(super) fn on_own_reply(
        &mut self,
        circuit: u64,
        result: Result<Vec<u8>, RequestFailed>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        // Gone when it took too long.
        let Some(Path { ask, back, exit, .. }) = self.onion.asks.paths.remove(&circuit) else {
            return;
        };
        match result {
            Ok(reply) if !reply.is_empty() => match back.open(&reply) {
                Ok((EXIT, bytes)) => self.believe(ask, exit, Answer::decode(&bytes), now, out),
                _ => self.counters.count("onion-path-lost"),
            },
            // Whoever comes after the guard can make it late, and must not choose another guard
            // by that.
            Err(RequestFailed::Timeout) => self.counters.count("onion-path-late"),
            // Only the guard itself can drop the cell, leave, or not know the protocol.
            _ => {
                self.counters.count("onion-guard-changed");
                self.onion.asks.guard = None;
            }
        }
        let under_way = self.onion.asks.paths.values().filter(|path| path.ask == ask).count();
        let waiting = self.onion.asks.open.get(&ask);
        if waiting.is_some_and(|ask| ask.answers.len() + under_way < ask.exits) {
            self.try_path(ask, now, out);
        }
    }

    /// Believes what an exit says as far as it can be checked.
    fn believe(
        &mut self,
        number: u64,
        exit: AuthorId,
        answer: Option<Answer>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(ask) = self.onion.asks.open.get(&number) else { return };
        let checked = match (&ask.question, answer) {
            (Question::Proof { item }, Some(Answer::Proof { proof })) => {
                self.check_proof(item, &proof).map(|()| Answer::Proof { proof })
            }
            (Question::Name { label }, Some(Answer::Name(state)))
                if self.name_view(label).is_ok_and(|own| state.is_about(&own.name)) =>
            {
                Ok(Answer::Name(state))
            }
            (_, Some(Answer::Refused { code, message })) => Err(refused(&code, &message)),
            _ => Err(refused("onion-answer", "it answered something else")),
        };
        let Some(ask) = self.onion.asks.open.get_mut(&number) else { return };
        match checked {
            Ok(answer) => {
                ask.answers.insert(exit, answer);
            }
            Err(problem) => ask.refusal = Some(problem),
        }
        if ask.answers.len() < ask.exits {
            return;
        }
        let Some(ask) = self.onion.asks.open.remove(&number) else { return };
        let took_ms = now.since_ms(ask.since_ms);
        let (exits, me) = (ask.exits, self.me);
        let result = agreed(ask.answers.into_values()).map(|answer| {
            let mine = matches!(&answer, Answer::Name(state) if state.owner == Some(me));
            Reply::Anonymous(Box::new(Outcome { answer, mine, relays: HOPS, exits, took_ms }))
        });
        out.push(Effect::Reply { command: ask.command, result });
    }

    fn check_proof(&self, item: &str, proof: &[u8]) -> Result<(), Problem> {
        let genesis = self.config.deciding().ok_or_else(super::finality::no_proof)?;
        let trust = genesis.trust(0).map_err(|error| refused("genesis", &error.to_string()))?;
        let proven = consensus::verify_proof(&trust, proof);
        let (Decision(_, proven), _) =
            proven.map_err(|error| refused(error.code(), &error.to_string()))?;
        let proven = proven.to_string();
        let is_it = proven == item || proven.split('/').next() == Some(item);
        is_it.then_some(()).ok_or_else(|| refused("proof-invalid", "it proved another item"))
    }

    /// Gives up paths that take too long.
    pub(super) fn give_up_paths(&mut self, now: Now, out: &mut Vec<Effect>) {
        let paths = self.onion.asks.paths.iter();
        let late = paths.filter(|(_, path)| path.until_ms <= now.mono_ms);
        for circuit in late.map(|(circuit, _)| *circuit).collect::<Vec<u64>>() {
            self.on_own_reply(circuit, Err(RequestFailed::Timeout), now, out);
        }
    }

    fn give_up_ask(&mut self, number: u64, out: &mut Vec<Effect>) {
        let Some(ask) = self.onion.asks.open.remove(&number) else { return };
        self.onion.asks.paths.retain(|_, path| path.ask != number);
        if ask.refusal.is_none() {
            self.onion.asks.guard = None;
        }
        let relays = self.relays().len();
        let why = if relays < HOPS { too_few(relays) } else { no_way() };
        let result = Err(ask.refusal.unwrap_or(why));
        out.push(Effect::Reply { command: ask.command, result });
    }
}

/// One answer out of several that must say the same.
fn agreed(mut answers: impl Iterator<Item = Answer>) -> Result<Answer, Problem> {
    let mut agreed = answers.next().ok_or_else(no_way)?;
    for other in answers {
        match (&mut agreed, other) {
            (Answer::Name(one), Answer::Name(other)) if one.agrees(&other) => {
                let NameState { height, .. } = other;
                one.height = one.height.min(height);
            }
            _ => return Err(disagreed()),
        }
    }
    Ok(agreed)
}

fn not_asked(error: onion::Error) -> Problem {
    let hint = "nothing was sent; ask for something shorter".to_owned();
    Problem { code: error.code(), message: error.to_string(), hint }
}

fn too_few(relays: usize) -> Problem {
    Problem {
        code: "onion-too-few",
        message: format!(
            "an anonymous question takes {HOPS} other members that relay; {relays} are connected"
        ),
        hint: "connect to more members (`synaptic-mesh peer connect`), or ask openly".to_owned(),
    }
}

fn no_way() -> Problem {
    Problem {
        code: "onion-no-way",
        message: format!("no answer came back over at most {} paths", limits::ONION_ATTEMPTS_MAX),
        hint: "relays must be connected to one another, relay, and have the right time; try again \
               in a moment"
            .to_owned(),
    }
}

/// What an exit said is a stranger's text.
fn refused(code: &str, message: &str) -> Problem {
    let plain = |text: &str| -> String {
        let kept = text.chars().filter(|char| !char.is_control());
        kept.take(limits::ONION_REFUSAL_CHARS_MAX).collect()
    };
    Problem {
        code: "onion-refused",
        message: format!("the exit gave no answer ({}): {}", plain(code), plain(message)),
        hint: "ask again for another exit, or ask openly".to_owned(),
    }
}

fn disagreed() -> Problem {
    Problem {
        code: "onion-disagreed",
        message: "two exits answered differently: one of them is behind, or lies".to_owned(),
        hint: "ask again in a moment".to_owned(),
    }
}
