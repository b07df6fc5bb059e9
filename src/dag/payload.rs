//! What a vertex can say: one enum, each variant a DAG-CBOR map with its name under `"type"`.
//!
//! The check here is local: bounds, order, finite numbers. Whether a run exists, whether an
//! aggregate's weights are what its updates come to, and what follows from either is for the views
//! that fold the history. An unknown type or field is refused; a new one is a new vertex version.

use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use super::commitment::{Commitment, Reveal};
use super::invite::InviteId;
use super::masking::Statement;
use super::operation::Operation;
use super::reference::Reference;
use super::sealed::{self, SealedMessage};
use super::vote::{Seats, Votes};
use super::{BlobId, EquivocationProof, Error, VertexId};
use crate::aggregation::{self, Rule};
use crate::compression;
use crate::identity::{Binding, NetworkId};
use crate::limits;
use crate::masking;
use crate::neural::{Layer, Scaling, Specification, specification};
use crate::privacy;

/// One typed statement of an author.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Payload {
    /// The author's key and first binding; the only payload of the first vertex of a chain.
    Identity {
        /// Number of the signature suite, [`crate::crypto::sign::SUITE`].
        suite: u8,
        /// The composite public key, 1984 bytes; its hash is the author id.
        #[serde(with = "serde_bytes")]
        public_key: Vec<u8>,
        /// The first transport key.
        binding: Binding,
        /// With what others seal messages for the author, 1216 bytes; if absent, nobody can.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sealing_key: Option<ByteBuf>,
        /// In a permissioned network what the author entered with, an encoded
        /// [`super::invite::Pass`]; nothing of those whom the genesis lists, and in other networks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pass: Option<ByteBuf>,
    },
    /// A newer transport key; its epoch is higher than every earlier one of the author.
    Binding(Binding),
    /// A new run; the vertex that carries it names the run.
    RunStart(RunSpec),
    /// The author takes part in a run.
    RunJoin {
        /// The run.
        run: VertexId,
        /// Training samples the author holds, 1 to [`limits::RUN_SAMPLES_MAX`].
        samples: u32,
        /// In a run with secure aggregation the X25519 key to which shares are sealed for the
        /// author; in others nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<ByteArray<32>>,
    },
    /// The author no longer takes part.
    RunLeave {
        /// The run.
        run: VertexId,
    },
    /// The author's contribution to a round.
    Update(Update),
    /// The author's proposal for the result of a round.
    Aggregate(Aggregate),
    /// Proof that some author signed two vertices for one position; see
    /// [`super::EquivocationProof`], which builds and reads it.
    Equivocation {
        /// The accused's composite public key, 1984 bytes.
        #[serde(with = "serde_bytes")]
        public_key: Vec<u8>,
        /// The claim with the smaller vertex id, signed.
        #[serde(with = "serde_bytes")]
        first: Vec<u8>,
        /// The claim with the larger vertex id, signed.
        #[serde(with = "serde_bytes")]
        second: Vec<u8>,
    },
    /// What the author says as a member of a committee.
    Votes(Votes),
    /// A committee for the next epoch; conflicts with every other for it.
    Committee(Seats),
    /// What the author states about credits and names; conflicts with others as it declares.
    Ledger(Operation),
    /// What a member of a run with secure aggregation says about masks.
    Masking(Statement),
    /// What the author promises to send, in a run with commitments; named by its vertex.
    Commitment(Commitment),
    /// A message that only one node can read.
    Sealed(SealedMessage),
    /// An invite is taken back, by one who may invite; of others it says nothing.
    Revocation {
        /// The invite.
        invite: InviteId,
    },
}

/// What a run trains, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// Name for people: 1 to 64 of `a-z`, `0-9` and `-`.
    pub name: String,
    /// The network.
    pub model: Specification,
    /// Seed of the initial weights.
    pub seed: u64,
    /// Class names in the order of the outputs; empty for a regression.
    pub classes: Vec<String>,
    /// How raw inputs become the network's.
    pub scaling: Scaling,
    /// Rounds until the run is finished, from 1.
    pub rounds: u32,
    /// Passes over the local data per round, from 1.
    pub epochs: u32,
    /// Samples per training step, from 1.
    pub batch: u32,
    /// Step size, over 0.
    pub learning_rate: f32,
    /// Momentum, from 0 and under 1.
    pub momentum: f32,
    /// Updates at which a round is aggregated, from 1.
    pub quorum: u32,
    /// Updates without which a round is never aggregated, 1 to `quorum`.
    pub updates_min: u32,
    /// Milliseconds after which `updates_min` suffice.
    pub deadline_ms: u32,
    /// How a round's updates become one; if absent, by their mean, weighed by samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<aggregation::Settings>,
    /// The share of the last round's change that is added to this round's, over 0 and under 1; if
    /// absent, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_momentum: Option<f32>,
    /// How updates are compressed; if absent, not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<compression::Settings>,
    /// How members hide their rows in their updates; if absent, not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<privacy::Settings>,
    /// How updates are masked, so that nobody sees one alone; if absent, not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masking: Option<masking::Settings>,
    /// The share of its last update that a member's next one keeps, over 0 and under 1; if absent,
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_momentum: Option<f32>,
    /// Rows that everybody trusts, in the place of a rule; if absent, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Whether members commit to their updates before they see others'; not unless given.
    #[serde(default, skip_serializing_if = "is_off")]
    pub commit_reveal: bool,
}

/// What is not asked for has one encoding: no field.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_off(flag: &bool) -> bool {
    !flag
}

/// One author's contribution to a round: a difference of weights, as a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// The run.
    pub run: VertexId,
    /// The vertex with the weights it was trained from: the run itself or an aggregate.
    pub base: VertexId,
    /// The round it contributes to, from 1.
    pub round: u32,
    /// Samples it was trained on.
    pub samples: u32,
    /// Trained weights minus base weights, raw little-endian `f32` or as the run compresses them.
    pub delta: BlobId,
    /// Bytes of that blob.
    pub delta_bytes: u32,
    /// In a run with secure aggregation the cohort that it is masked for; in others nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohort: Option<VertexId>,
    /// In a run with commitments what opens the author's; in others nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reveal: Option<Reveal>,
}

/// The result of a round: what its run makes of the updates, added to the base, as a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregate {
    /// The run.
    pub run: VertexId,
    /// The vertex with the weights it starts from: the run itself or an aggregate.
    pub base: VertexId,
    /// The round, from 1.
    pub round: u32,
    /// The vertices of its updates, strictly ascending.
    pub updates: Vec<VertexId>,
    /// The new weights, raw little-endian `f32`.
    pub weights: BlobId,
    /// Bytes of that blob.
    pub weights_bytes: u32,
}

impl Payload {
    /// The name that stands under `"type"`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Identity { .. } => "identity",
            Self::Binding(_) => "binding",
            Self::RunStart(_) => "run-start",
            Self::RunJoin { .. } => "run-join",
            Self::RunLeave { .. } => "run-leave",
            Self::Update(_) => "update",
            Self::Aggregate(_) => "aggregate",
            Self::Equivocation { .. } => "equivocation",
            Self::Votes(_) => "votes",
            Self::Committee(_) => "committee",
            Self::Ledger(_) => "ledger",
            Self::Masking(_) => "masking",
            Self::Commitment(_) => "commitment",
            Self::Sealed(_) => "sealed",
            Self::Revocation { .. } => "revocation",
        }
    }

    /// Checks everything that needs no other vertex.
    pub(super) fn validate(&self, network: &NetworkId) -> Result<(), Error> {
        match self {
            Self::RunStart(spec) => spec.validate(),
            Self::RunJoin { samples, .. } => {
                within("samples", *samples, 1, limits::RUN_SAMPLES_MAX)
            }
            Self::Update(update) => update.validate(),
            Self::Aggregate(aggregate) => aggregate.validate(),
            Self::Equivocation { public_key, first, second } => {
                let proof = EquivocationProof::from_fields(public_key, first, second)?;
                if proof.network() == *network {
                    return Ok(());
                }
                Err(Error::Proof { reason: "it is about another network" })
            }
            Self::Votes(votes) => votes.validate(),
            Self::Committee(seats) => seats.validate(),
            Self::Ledger(operation) => Ok(operation.validate()?),
            Self::Masking(statement) => statement.validate(),
            Self::Sealed(message) => message.validate(),
            // The rest of it, and the next one, are checked with the author's key, by the graph.
            Self::Identity { sealing_key, pass, .. } => {
                let bytes = pass.as_ref().map_or(0, |pass| pass.len());
                count("pass", bytes, 0, limits::INVITE_BYTES_MAX)?;
                sealing_key.as_ref().map_or(Ok(()), |key| sealed::validate_key(key))
            }
            Self::Binding(_)
            | Self::RunLeave { .. }
            | Self::Commitment(_)
            | Self::Revocation { .. } => Ok(()),
        }
    }
}

impl RunSpec {
    /// Checks every bound. A vertex that carries a specification which does not pass is refused.
    ///
    /// # Errors
    /// [`Error::Range`], [`Error::Text`], [`Error::Model`], [`Error::Classes`],
    /// [`Error::Compression`], [`Error::Privacy`] or [`Error::Aggregation`] names the first field
    /// that is wrong.
    pub fn validate(&self) -> Result<(), Error> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty()
            || self.name.len() > limits::RUN_NAME_BYTES_MAX
            || !self.name.chars().all(allowed)
        {
            return Err(Error::Text {
                field: "name",
                bytes: self.name.len(),
                expected: "1 to 64 of a-z, 0-9 and '-'",
            });
        }
        self.model.validate().map_err(Error::Model)?;
        // Members replay runs and need the weights a run begins with, which a node computes for
        // dense layers only.
        let other = |layer: &Layer| !matches!(layer, Layer::Dense { .. });
        if let Some(place) = self.model.layers.iter().position(other) {
            let what = "a run trains networks of dense layers";
            return Err(Error::Model(specification::Error::Layer { layer: place + 1, what }));
        }
        self.scaling.validate(self.model.inputs()).map_err(Error::Model)?;
        self.validate_classes()?;
        within("rounds", self.rounds, 1, limits::RUN_ROUNDS_MAX)?;
        within("epochs", self.epochs, 1, limits::NEURAL_EPOCHS_MAX)?;
        within("batch", self.batch, 1, limits::NEURAL_BATCH_MAX)?;
        let quorum_max = u32::try_from(limits::AGGREGATE_UPDATES_MAX).unwrap_or(u32::MAX);
        within("quorum", self.quorum, 1, quorum_max)?;
        within("updates_min", self.updates_min, 1, self.quorum)?;
        within(
            "deadline_ms",
            self.deadline_ms,
            limits::RUN_DEADLINE_MS_MIN,
            limits::RUN_DEADLINE_MS_MAX,
        )?;
        let rate = self.learning_rate;
        if !(rate > 0.0 && rate <= limits::NEURAL_LEARNING_RATE_MAX) {
            return Err(Error::Number {
                field: "learning_rate",
                found: rate,
                expected: "over 0, at most 100",
            });
        }
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(Error::Number {
                field: "momentum",
                found: self.momentum,
                expected: "from 0, under 1",
            });
        }
        let momenta =
            [("server_momentum", self.server_momentum), ("worker_momentum", self.worker_momentum)];
        for (field, momentum) in momenta {
            // None has one encoding: no field.
            if let Some(found) = momentum.filter(|share| !(*share > 0.0 && *share < 1.0)) {
                let expected = "over 0 and under 1, or left out";
                return Err(Error::Number { field, found, expected });
            }
        }
        self.privacy.map_or(Ok(()), |settings| settings.validate()).map_err(Error::Privacy)?;
        self.validate_compression()?;
        self.validate_masking()?;
        self.validate_aggregation()?;
        self.reference.as_ref().map_or(Ok(()), |reference| reference.validate(self))
    }

    /// A rule that takes the middle of each value makes nothing of updates that leave most values
    /// out.
    fn validate_compression(&self) -> Result<(), Error> {
        let Some(settings) = self.compression else { return Ok(()) };
        settings.validate().map_err(Error::Compression)?;
        let takes_middle = self.aggregation.is_some_and(|settings| {
            matches!(settings.rule, Rule::Median | Rule::TrimmedMean | Rule::Bulyan)
        });
        if settings.is_dense() || !takes_middle {
            return Ok(());
        }
        Err(Error::Compression(compression::Error::Setting {
            what: "what is kept of a million values",
            found: settings.keep,
            expected: "1,000,000, or another rule: this one takes the middle of each value, and of \
                most only few members would send any",
        }))
    }

    /// Of masked updates nobody sees more than the sum, so nothing that looks at single ones goes
    /// with them; and of two updates either member would know the other's.
    fn validate_masking(&self) -> Result<(), Error> {
        let Some(settings) = self.masking else { return Ok(()) };
        settings.validate().map_err(Error::Masking)?;
        let looks_at = [
            (self.commit_reveal, "masks hide updates already: nothing is to be committed to"),
            (self.aggregation.is_some(), "a rule other than the mean compares single updates"),
            (self.reference.is_some(), "trusted rows measure single updates"),
            (
                self.compression.is_some(),
                "masked updates are random words, which nothing compresses",
            ),
            (
                2 * self.model.parameter_count() > limits::NEURAL_PARAMETERS_MAX,
                "a masked update takes twice the bytes: the model has at most 524,288 parameters",
            ),
        ];
        if let Some((_, reason)) = looks_at.into_iter().find(|(is_so, _)| *is_so) {
            return Err(Error::Masked(reason));
        }
        let most = u32::try_from(limits::MASKING_MEMBERS_MAX).unwrap_or(u32::MAX);
        within("updates_min", self.updates_min, limits::MASKING_MEMBERS_MIN, most)
    }

    /// Nothing may be aggregated that the rule does not hold for, so the least that closes a round
    /// is never less than the rule needs. The mean has one encoding: none.
    fn validate_aggregation(&self) -> Result<(), Error> {
        let Some(settings) = self.aggregation else { return Ok(()) };
        if settings.rule == Rule::Mean {
            return Err(Error::Mean);
        }
        let wide = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let needed = wide(settings.needs().map_err(Error::Aggregation)?);
        within("updates_min", self.updates_min, needed, wide(self.updates_max()))
    }

    /// The most updates that one aggregate of this run has.
    pub fn updates_max(&self) -> usize {
        let parameters = self.model.parameter_count();
        let most = limits::AGGREGATE_UPDATES_MAX;
        if self.masking.is_some() {
            return most.min(limits::MASKING_MEMBERS_MAX);
        }
        if self.reference.is_some() {
            return most.min(limits::AGGREGATION_VALUES_MAX / parameters.max(1));
        }
        self.aggregation.map_or(most, |settings| settings.updates_max(parameters))
    }

    fn validate_classes(&self) -> Result<(), Error> {
        let outputs = self.model.outputs();
        let count = self.classes.len();
        // As training has it: what no data set fits would be a run in which nobody can take part.
        let fits = count == 0 || (count > 1 && u32::try_from(count) == Ok(outputs));
        if count > limits::CLASSES_MAX || !fits {
            return Err(Error::Classes { classes: count, outputs });
        }
        let too_long = |name: &&String| name.len() > limits::CLASS_NAME_BYTES_MAX;
        match self.classes.iter().find(too_long) {
            Some(name) => Err(Error::Text {
                field: "classes",
                bytes: name.len(),
                expected: "names of at most 64 bytes",
            }),
            None => Ok(()),
        }
    }
}

impl Update {
    fn validate(&self) -> Result<(), Error> {
        within("round", self.round, 1, limits::RUN_ROUNDS_MAX)?;
        within("samples", self.samples, 1, limits::RUN_SAMPLES_MAX)?;
        // How many exactly, its run says.
        within("delta_bytes", self.delta_bytes, 1, WEIGHTS_BYTES_MAX)?;
        self.reveal.as_ref().map_or(Ok(()), Reveal::validate)
    }
}

impl Aggregate {
    fn validate(&self) -> Result<(), Error> {
        within("round", self.round, 1, limits::RUN_ROUNDS_MAX)?;
        weights_bytes("weights_bytes", self.weights_bytes)?;
        count("updates", self.updates.len(), 1, limits::AGGREGATE_UPDATES_MAX)?;
        ascending("updates", &self.updates)
    }
}

/// Refuses a number outside `min..=max`.
pub(super) fn within(field: &'static str, found: u32, min: u32, max: u32) -> Result<(), Error> {
    range(field, u64::from(found), u64::from(min), u64::from(max))
}

/// Refuses a list with fewer than `min` or more than `max` entries.
pub(super) fn count(
    field: &'static str,
    found: usize,
    min: usize,
    max: usize,
) -> Result<(), Error> {
    let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    range(field, wide(found), wide(min), wide(max))
}

/// Refuses a number outside `min..=max`.
pub(super) fn range(field: &'static str, found: u64, min: u64, max: u64) -> Result<(), Error> {
    if (min..=max).contains(&found) {
        return Ok(());
    }
    Err(Error::Range { field, found, min, max })
}

/// Refuses a list that is not strictly ascending, so that one set has one encoding.
pub(super) fn ascending<T: Ord>(field: &'static str, entries: &[T]) -> Result<(), Error> {
    match entries.iter().zip(entries.iter().skip(1)).position(|(left, right)| left >= right) {
        Some(index) => Err(Error::Order { field, index: index + 1 }),
        None => Ok(()),
    }
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "4 MiB")]
const WEIGHTS_BYTES_MAX: u32 = limits::NEURAL_WEIGHTS_BYTES_MAX as u32;

fn weights_bytes(field: &'static str, bytes: u32) -> Result<(), Error> {
    within(field, bytes, 4, WEIGHTS_BYTES_MAX)?;
    if bytes.is_multiple_of(4) {
        return Ok(());
    }
    Err(Error::Weights { field, bytes })
}
