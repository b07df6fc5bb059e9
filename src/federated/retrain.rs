//! Training a member's updates again, from its rows: what a replay cannot show.
//!
//! A replay shows that aggregates follow from updates, and takes the updates as they are. Local
//! training is as deterministic as the rest: what a member sends follows from the run's first
//! vertex, the weights of the base, the seed of the round ([`Run::training_seed`]) and its rows.
//! Who is given the rows trains again and compares what comes out with the blob that the update
//! names. The blob itself need not be in the file, so updates that came too late for an aggregate
//! are trained again as well.
//!
//! A compressed update carries what its author's updates before it lost, and one with worker
//! momentum goes on with the last. That follows from them, so updates are gone through in the
//! order of the author's chain. A member that was started anew began with nothing: that is tried
//! second.
//!
//! What it shows is that updates come from these rows by the run's training. Rows that were changed
//! before the training are found only by whoever has the right ones, and an update with
//! noise ([`crate::privacy`]) cannot be trained again by anybody.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::delta::{self, Carried};
use super::replay::{Report, weights_of};
use super::run::{Run, UpdateRecord};
use super::{average, replay};
use crate::dag::{BlobId, VertexId};
use crate::identity::AuthorId;
use crate::neural::{self, Dataset, LocalTraining, train_update};

/// A replayed run whose updates can be trained again, member by member.
#[derive(Debug, Clone)]
pub struct Retraining {
    run: Run,
    /// The weights of the bases that the file has.
    bases: BTreeMap<VertexId, Vec<u8>>,
    member: Option<Member>,
}

/// Where the updates of one member are gone through.
#[derive(Debug, Clone)]
struct Member {
    author: AuthorId,
    updates: VecDeque<(VertexId, UpdateRecord)>,
    carried: Carried,
    /// The base, the blob and the samples of the last update that came out equal: it may be sent
    /// once more, where a round came to nothing at first.
    last: Option<(VertexId, BlobId, u32)>,
}

/// What a member sent, as far as the file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The member.
    pub author: AuthorId,
    /// Its updates.
    pub updates: u64,
}

/// An update, trained again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// The vertex of the update.
    pub update: VertexId,
    /// The round it is for.
    pub round: u32,
    /// What came of it.
    pub verdict: Verdict,
}

/// What training an update again came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same bytes.
    Equal,
    /// Other bytes: it was not trained on these rows as the run says.
    Differs,
    /// The update says that it was trained on another number of rows.
    Rows {
        /// How many it says.
        said: u32,
        /// How many there are.
        found: u32,
    },
    /// The weights it was trained from are not in the file.
    NoBase,
}

/// Why nothing can be trained again.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is not what its members signed; the replay's report says where.
    #[error("the file is not what its members signed")]
    File,
    /// Nobody of this name sent an update.
    #[error("{0} sent no update to this run")]
    NoMember(AuthorId),
    /// No member was named.
    #[error("no member was named")]
    Unnamed,
    /// The run's updates have noise that only their authors could know.
    #[error("the updates of this run have noise, which nobody can make again")]
    Noise,
    /// The run's updates are masked, so that nobody sees one alone.
    #[error("the updates of this run are masked, and nobody can tell one from another")]
    Masked,
    /// The rows cannot be trained on.
    #[error("the rows are not those of this run: {0}")]
    Training(#[from] neural::Error),
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Error::File => "verification-failed",
            Error::NoMember(_) | Error::Unnamed => "retrain-member",
            Error::Noise => "retrain-noise",
            Error::Masked => "retrain-masked",
            Error::Training(error) => error.code(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::File => "ask for the file again, from another member if need be",
            Error::NoMember(_) => "name a member that did",
            Error::Unnamed => "name the member whose rows these are",
            Error::Noise | Error::Masked => {
                "verify it without --retrain: aggregates follow from the updates as they are"
            }
            Error::Training(_) => "give the rows of a member, scaled as the run says",
        }
    }
}

impl Retraining {
    /// Replays a file, and keeps what training again takes. The report says whether it verifies;
    /// what does not cannot be trained again.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Noise`] or [`Error::Masked`] beside the report.
    pub fn open(file: &[u8]) -> (Report, Result<Self, Error>) {
        let (report, runs, car) = replay::replay_with(file);
        if report.ok && report.spec.as_ref().is_some_and(|spec| spec.privacy.is_some()) {
            return (report, Err(Error::Noise));
        }
        if report.ok && report.spec.as_ref().is_some_and(|spec| spec.masking.is_some()) {
            return (report, Err(Error::Masked));
        }
        let found = car.filter(|_| report.ok).and_then(|car| {
            let run = runs.get(&car.run)?.clone();
            let bases: BTreeSet<VertexId> = run.updates().map(|(_, update)| update.base).collect();
            let weights = |base| Some((base, weights_of(&car, &run, &base)?));
            let bases = bases.into_iter().filter_map(weights).collect();
            Some(Self { run, bases, member: None })
        });
        (report, found.ok_or(Error::File))
    }

    /// The run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Who sent updates, by id.
    pub fn members(&self) -> Vec<Sent> {
        let mut sent: BTreeMap<AuthorId, u64> = BTreeMap::new();
        for (_, update) in self.run.updates() {
            *sent.entry(update.author).or_default() += 1;
        }
        sent.into_iter().map(|(author, updates)| Sent { author, updates }).collect()
    }

    /// Begins with the first update of a member. Returns how many it sent.
    ///
    /// # Errors
    /// [`Error::NoMember`].
    pub fn begin(&mut self, author: AuthorId) -> Result<usize, Error> {
        let own = self.run.updates().filter(|(_, update)| update.author == author);
        let mut updates: Vec<_> = own.map(|(id, update)| (*id, *update)).collect();
        if updates.is_empty() {
            return Err(Error::NoMember(author));
        }
        updates.sort_unstable_by_key(|(id, update)| (update.seq, *id));
        let count = updates.len();
        let updates = VecDeque::from(updates);
        self.member = Some(Member { author, updates, carried: Carried::default(), last: None });
        Ok(count)
    }

    /// Trains the member's next update again, on rows scaled as the run says; `None` after the
    /// last.
    ///
    /// # Errors
    /// [`Error::Unnamed`] before [`Retraining::begin`], [`Error::Training`] for rows that no member
    /// of this run can have.
    pub fn next(&mut self, rows: &Dataset) -> Result<Option<Checked>, Error> {
        let Some(mut member) = self.member.take() else { return Err(Error::Unnamed) };
        let Some((update, record)) = member.updates.pop_front() else {
            self.member = Some(member);
            return Ok(None);
        };
        let verdict = self.check(&mut member, &record, rows);
        self.member = Some(member);
        Ok(Some(Checked { update, round: record.round, verdict: verdict? }))
    }

    fn check(
        &self,
        member: &mut Member,
        record: &UpdateRecord,
        rows: &Dataset,
    ) -> Result<Verdict, Error> {
        let spec = self.run.spec();
        let Some(base) = self.bases.get(&record.base) else { return Ok(Verdict::NoBase) };
        let same = Some((record.base, record.delta, record.samples));
        if self.run.committed().is_some() && member.last == same {
            return Ok(Verdict::Equal);
        }
        let base: Vec<f32> = average::values(base).collect();
        let training = LocalTraining {
            epochs: spec.epochs,
            batch: spec.batch,
            learning_rate: spec.learning_rate,
            momentum: spec.momentum,
            seed: self.run.training_seed(record.round, &member.author),
        };
        let trained = train_update(&spec.model, &base, rows, training)?;
        if trained.samples != record.samples {
            return Ok(Verdict::Rows { said: record.samples, found: trained.samples });
        }
        let whole = neural::bytes_of_weights(&trained.delta);
        for carried in [member.carried.clone(), Carried::default()] {
            if let Ok((blob, left)) = delta::write(spec, &whole, &carried, None)
                && BlobId::of(&blob) == record.delta
            {
                (member.carried, member.last) = (left, same);
                return Ok(Verdict::Equal);
            }
        }
        Ok(Verdict::Differs)
    }
}
