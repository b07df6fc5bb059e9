//! Replaying an exported run: from one file and nothing else, every weight is computed again.
//!
//! 1. The file is read ([`crate::dag::car`]): each block's bytes must have the CID it stands under.
//! 2. Each vertex is put into an empty graph, in the order of the file: its signature is verified
//!    with its author's key, so are the bindings and proofs it states, and every rule of its causal
//!    past is checked, but that a parent may be absent whose place another vertex of its author
//!    has.
//! 3. The history is folded as every member folds it. The last vertex of the file is the head that
//!    is claimed; the file is its causal past and what the aggregates before it name.
//! 4. Each aggregate from the first round to the head is computed again from its updates, by the
//!    rule that the run's first vertex fixed, and compared with the weights it claims, byte for
//!    byte.
//!    In a run with commitments each update of it opens one of its author, and answers those of all
//!    others: as a name of a vertex is a hash of it, what is answered was there before.
//! 5. Aggregates beside that chain are judged as well as the file allows, and fork choice must give
//!    the claimed head.
//!
//! The first thing that does not fit is reported with its vertex, its round and its byte in the
//! file. What this cannot show: that an update was really trained on somebody's rows, which
//! [`super::retrain`] shows to whoever has them, that the file holds the newest head there is, and,
//! where parents are absent ([`Report::beside`]), that nothing else is missing behind those.

use std::collections::{BTreeMap, BTreeSet};

use super::run::committed::{Breach, WhyNot};
use super::run::{AggregateRecord, Run, Standing};
use super::{Runs, initial_weights};
use crate::dag::car::{self, Car, Entry};
use crate::dag::{self, BlobId, Citation, Graph, Payload, RunSpec, SignedVertex, VertexId};
use crate::identity::AuthorId;
use crate::limits;

/// What a replay came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Whether everything was computed again and is equal.
    pub ok: bool,
    /// The run, once the file could be read.
    pub run: Option<VertexId>,
    /// What was trained, once its first vertex was verified.
    pub spec: Option<RunSpec>,
    /// Rounds that were computed again.
    pub rounds: u32,
    /// Updates in these rounds.
    pub updates: u64,
    /// Aggregates beside the chain whose updates are not in the file.
    pub skipped: u32,
    /// Parents that are cited and not in the file, as another vertex of their author has their
    /// place: they never were, or their author signed two for it, and what only they followed may
    /// be left out.
    pub beside: u32,
    /// Whose updates the rounds of a run with commitments do not have and why, by round: the first
    /// [`limits::LEFT_OUT_MAX`].
    pub left_out: Vec<LeftOut>,
    /// The weights after the last of these rounds.
    pub weights: Option<BlobId>,
    /// Their bytes: raw little-endian f32 in canonical order.
    pub weights_bytes: Vec<u8>,
    /// The first thing that does not fit.
    pub first_mismatch: Option<Mismatch>,
}

/// A member that committed to an update, or sent one, which a round does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// The round.
    pub round: u32,
    /// Whose.
    pub author: AuthorId,
    /// Why.
    pub why: WhyNot,
}

/// Something in an exported run that is not as it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Stable name of the kind.
    pub code: &'static str,
    /// The vertex it is about; `None` when the file itself is damaged outside of vertices.
    pub vertex: Option<VertexId>,
    /// Text of the CID of the damaged block, if it is known.
    pub cid: Option<String>,
    /// The round it is about; 0 when it is about none.
    pub round: u32,
    /// The byte of the file.
    pub byte: u64,
    /// What does not fit, for people.
    pub what: String,
}

/// Recomputes an exported run from its CAR file. Total: whatever the bytes are, there is a report.
pub fn replay(file: &[u8]) -> Report {
    replay_with(file).0
}

/// The same, with what the history folds to and the file as it was read, if it was.
pub(super) fn replay_with(file: &[u8]) -> (Report, Runs, Option<Car<'_>>) {
    let mut replay = Replay { report: empty(), runs: Runs::new(), before: Vec::new() };
    let read = car::read(file);
    replay.report.first_mismatch = match &read {
        Ok(car) => replay.check(car).err(),
        Err(error) => Some(unreadable(error)),
    };
    replay.report.ok = replay.report.first_mismatch.is_none();
    (replay.report, replay.runs, read.ok())
}

/// The weights that updates on a base come to; nothing if one of them is not in order.
type Known = BTreeMap<(VertexId, Vec<VertexId>), Option<BlobId>>;

/// All vertices of a file, by their places in the chains of authors.
type Places = BTreeMap<(AuthorId, u64), BTreeSet<Citation>>;

struct Replay {
    report: Report,
    runs: Runs,
    /// The weights before the report's; none before the first round.
    before: Vec<u8>,
}

impl Replay {
    fn check(&mut self, car: &Car<'_>) -> Result<(), Mismatch> {
        self.report.run = Some(car.run);
        let mut graph = Graph::new(car.network);
        let mut places = Places::new();
        for cited in car.vertices.iter().map(|entry| entry.value.citation()) {
            places.entry((cited.author, cited.seq)).or_default().insert(cited);
        }
        for entry in &car.vertices {
            self.report.beside =
                self.report.beside.saturating_add(insert(&mut graph, entry, &places)?);
            self.runs.apply(&entry.value);
        }
        let Some(run) = self.runs.get(&car.run) else {
            let what = "the run's first vertex does not start a run".to_owned();
            return Err(at_vertex(car, &car.run, 0, "replay-no-run", what));
        };
        self.report.spec = Some(run.spec().clone());
        let initial = initial_weights(run.spec())
            .map_err(|error| at_vertex(car, &car.run, 0, error.code(), error.to_string()))?;
        self.report.weights = Some(BlobId::of(&initial));
        self.report.weights_bytes = initial;
        let head = car.vertices.last().map_or(car.run, |entry| entry.value.id());
        for aggregate in chain(run, head, car)? {
            self.check_round(car, aggregate)?;
        }
        self.check_aside(car)?;
        self.check_head(car, head)
    }

    /// Averages one round of the claimed chain again.
    fn check_round(&mut self, car: &Car<'_>, aggregate: VertexId) -> Result<(), Mismatch> {
        let Some(run) = self.runs.get(&car.run) else { return Ok(()) };
        let Some(record) = run.aggregate(&aggregate) else { return Ok(()) };
        let round = record.round;
        let wrong = |code, what| Err(at_vertex(car, &aggregate, round, code, what));
        match record.standing {
            Standing::Sound => {}
            Standing::Waiting => {
                let what = "the aggregate names vertices that are not in the file".to_owned();
                return wrong("replay-incomplete", what);
            }
            Standing::Valid | Standing::Void => {
                if let Some(breach) = run.breach(&record.updates) {
                    return Err(breached(car, round, &breach));
                }
                let what = "the aggregate breaks the rules of its run".to_owned();
                return wrong("replay-void", what);
            }
        }
        let weights = average(car, run, record, &self.report.weights_bytes, &self.before)
            .map_err(|failed| failed.into_mismatch(car, &aggregate, round))?;
        if BlobId::of(&weights) != record.weights {
            return Err(differs(car, &aggregate, record, &weights));
        }
        let room = limits::LEFT_OUT_MAX.saturating_sub(self.report.left_out.len());
        let left_out = run.left_out(&aggregate).into_iter().take(room);
        self.report.left_out.extend(left_out.map(|(author, why)| LeftOut { round, author, why }));
        self.report.rounds = round;
        self.report.updates += u64::try_from(record.updates.len()).unwrap_or(u64::MAX);
        self.report.weights = Some(record.weights);
        self.before = std::mem::replace(&mut self.report.weights_bytes, weights);
        self.runs.judge(&car.run, aggregate, true);
        Ok(())
    }

    /// Judges the aggregates beside the chain. One that is wrong is nobody's head and no fault of
    /// the file: honest members saw it, and went on without it.
    ///
    /// A file may hold hundreds of aggregates over the same updates: they are computed once.
    fn check_aside(&mut self, car: &Car<'_>) -> Result<(), Mismatch> {
        let mut known = self.known(car);
        loop {
            let Some(run) = self.runs.get(&car.run) else { return Ok(()) };
            let sound = |record: &AggregateRecord| record.standing == Standing::Sound;
            let open = run.aggregates().filter(|(_, record)| sound(record));
            let judged = open.filter_map(|(id, record)| {
                let same = (record.base, record.updates.clone());
                if let Some(weights) = known.get(&same) {
                    return Some((*id, *weights == Some(record.weights)));
                }
                let base = weights_of(car, run, &record.base)?;
                let before = match run.before(&record.base) {
                    Some(before) => weights_of(car, run, &before)?,
                    None => Vec::new(),
                };
                let weights = match average(car, run, record, &base, &before) {
                    Ok(weights) => Some(BlobId::of(&weights)),
                    Err(Failed::Missing(_)) => return None,
                    Err(Failed::Update { .. }) => None,
                };
                known.insert(same, weights);
                Some((*id, weights == Some(record.weights)))
            });
            let judged: Vec<_> = judged.collect();
            if judged.is_empty() {
                let skipped = run.aggregates().filter(|(_, record)| sound(record)).count();
                self.report.skipped = u32::try_from(skipped).unwrap_or(u32::MAX);
                return Ok(());
            }
            for (id, equal) in judged {
                self.runs.judge(&car.run, id, equal);
            }
        }
    }

    /// What the updates of the chain come to.
    fn known(&self, car: &Car<'_>) -> Known {
        let aggregates = self.runs.get(&car.run).into_iter().flat_map(Run::aggregates);
        let valid = aggregates.filter(|(_, record)| record.standing == Standing::Valid);
        let known = |(_, record): (_, &AggregateRecord)| {
            ((record.base, record.updates.clone()), Some(record.weights))
        };
        valid.map(known).collect()
    }

    fn check_head(&self, car: &Car<'_>, head: VertexId) -> Result<(), Mismatch> {
        let chosen = self.runs.get(&car.run).map_or(head, Run::head);
        if chosen == head {
            return Ok(());
        }
        let round = self.report.rounds;
        let what = format!("fork choice gives {chosen}, the file ends with {head}");
        Err(at_vertex(car, &head, round, "replay-other-head", what))
    }
}

/// The aggregates from the first round to the claimed head, which is the last vertex of the file.
fn chain(run: &Run, head: VertexId, car: &Car<'_>) -> Result<Vec<VertexId>, Mismatch> {
    let mut chain = Vec::new();
    let mut next = head;
    while next != run.id() {
        let Some(record) = run.aggregate(&next) else {
            let what = "neither an aggregate of the run nor its first vertex".to_owned();
            return Err(at_vertex(car, &next, 0, "replay-no-head", what));
        };
        chain.push(next);
        // A base that is not there is found when the round is checked; rounds only fall.
        next = record.base;
        if chain.len() > car.vertices.len() {
            break;
        }
        if run.aggregate(&next).is_none() && next != run.id() {
            break;
        }
    }
    chain.reverse();
    Ok(chain)
}

/// Puts a vertex into the graph and verifies its signature and what it states; says how many of its
/// parents are not there as others have their places.
fn insert(
    graph: &mut Graph,
    entry: &Entry<SignedVertex>,
    places: &Places,
) -> Result<u32, Mismatch> {
    let signed = &entry.value;
    let refused = |error: dag::Error| Mismatch {
        code: error.code(),
        vertex: Some(signed.id()),
        cid: Some(signed.id().to_string()),
        round: round_of(signed),
        byte: wide(entry.offset),
        what: error.to_string(),
    };
    // The trusted path, because members may have cited both halves of an equivocation and the
    // file holds no more than one order. What is signed is what it does not check.
    // Who cites what never was cannot keep a run from being replayed. But who signed two vertices
    // for one place can leave out the one that was cited, with what only that had behind it: what
    // is not there is counted.
    let mut beside = 0;
    let is_beside = |cited: &Citation| {
        let there = places.get(&(cited.author, cited.seq));
        there.is_some_and(|there| !there.contains(cited))
    };
    for cited in &signed.vertex().parents {
        beside += u32::from(is_beside(cited));
    }
    graph.restore_beside(signed.clone(), is_beside).map_err(refused)?;
    graph.verify(signed).map_err(refused)?;
    Ok(beside)
}

/// The round that a vertex speaks of.
fn round_of(signed: &SignedVertex) -> u32 {
    let round = |payload: &Payload| match payload {
        Payload::Update(update) => Some(update.round),
        Payload::Aggregate(aggregate) => Some(aggregate.round),
        _ => None,
    };
    signed.vertex().payloads.iter().find_map(round).unwrap_or(0)
}

/// Why an aggregate cannot be averaged.
enum Failed {
    /// The blob of this update is not in the file.
    Missing(VertexId),
    /// This update is not in order.
    Update { update: VertexId, error: super::average::Error },
}

impl Failed {
    fn into_mismatch(self, car: &Car<'_>, aggregate: &VertexId, round: u32) -> Mismatch {
        match self {
            Failed::Missing(update) => {
                let what = format!("the blob of update {update} is not in the file");
                at_vertex(car, aggregate, round, "replay-incomplete", what)
            }
            Failed::Update { update, error } => {
                let what = format!("the update is unusable: {error}");
                at_vertex(car, &update, round, error.code(), what)
            }
        }
    }
}

fn average(
    car: &Car<'_>,
    run: &Run,
    record: &AggregateRecord,
    base: &[u8],
    before: &[u8],
) -> Result<Vec<u8>, Failed> {
    let mut aggregator = run.aggregator(&record.updates);
    let mut last = record.base;
    for id in &record.updates {
        last = *id;
        let update = run.update(id).ok_or(Failed::Missing(*id))?;
        let delta = car.blobs.get(&update.delta).ok_or(Failed::Missing(*id))?;
        aggregator
            .add(update.samples, delta.value)
            .map_err(|error| Failed::Update { update: *id, error })?;
    }
    let before = run.before(&record.base).map(|_| before);
    aggregator.finish(base, before).map_err(|error| Failed::Update { update: last, error })
}

/// The weights after a valid aggregate, or the initial ones.
pub(super) fn weights_of(car: &Car<'_>, run: &Run, vertex: &VertexId) -> Option<Vec<u8>> {
    if *vertex == run.id() {
        return initial_weights(run.spec()).ok();
    }
    let record = run.aggregate(vertex)?;
    car.blobs.get(&record.weights).map(|entry| entry.value.to_vec())
}

/// The aggregate claims other weights than its updates average to: names the first byte.
fn differs(
    car: &Car<'_>,
    aggregate: &VertexId,
    record: &AggregateRecord,
    weights: &[u8],
) -> Mismatch {
    let computed = BlobId::of(weights);
    let what = format!("the updates come to {computed}, the aggregate claims {}", record.weights);
    let code = "replay-weights-differ";
    let Some(claimed) = car.blobs.get(&record.weights) else {
        return at_vertex(car, aggregate, record.round, code, what);
    };
    let pairs = claimed.value.iter().zip(weights);
    let equal = pairs.take_while(|(claimed, computed)| claimed == computed).count();
    Mismatch {
        code,
        vertex: Some(*aggregate),
        cid: Some(record.weights.to_string()),
        round: record.round,
        byte: wide(claimed.offset + equal),
        what: format!("{what}; byte {equal} of the weights is the first that differs"),
    }
}

/// Updates of an aggregate that do not count together.
fn breached(car: &Car<'_>, round: u32, breach: &Breach) -> Mismatch {
    let code = "replay-commitment";
    match breach {
        Breach::Disordered(update) => {
            let what = "the update opens no commitment of its author".to_owned();
            at_vertex(car, update, round, code, what)
        }
        Breach::Unanswered(update, other) => {
            let what = format!(
                "the update does not answer what {other} was committed to: it was revealed before, \
                 and {other} may have been made from it, or its author passed the other over"
            );
            at_vertex(car, update, round, code, what)
        }
    }
}

fn at_vertex(
    car: &Car<'_>,
    vertex: &VertexId,
    round: u32,
    code: &'static str,
    what: String,
) -> Mismatch {
    let entry = car.vertices.iter().find(|entry| entry.value.id() == *vertex);
    Mismatch {
        code,
        vertex: Some(*vertex),
        cid: Some(vertex.to_string()),
        round,
        byte: wide(entry.map_or(0, |entry| entry.offset)),
        what,
    }
}

fn unreadable(error: &car::Error) -> Mismatch {
    let vertex = error.place.cid.as_ref().and_then(|cid| cid.parse().ok());
    Mismatch {
        code: error.code(),
        // The manifest has the codec of a vertex, but block 0 is none.
        vertex: vertex.filter(|_| error.place.block != Some(0)),
        cid: error.place.cid.clone(),
        round: 0,
        byte: wide(error.place.offset),
        what: match &error.cause {
            car::Cause::NotHistory => error.cause.to_string(),
            _ => error.to_string(),
        },
    }
}

fn empty() -> Report {
    Report {
        ok: false,
        run: None,
        spec: None,
        rounds: 0,
        updates: 0,
        skipped: 0,
        beside: 0,
        left_out: Vec::new(),
        weights: None,
        weights_bytes: Vec::new(),
        first_mismatch: None,
    }
}

fn wide(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
