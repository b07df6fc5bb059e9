//! Runs, as a node tells its owner of them.

use crate::dag::{BlobId, RunSpec, VertexId};
use crate::federated::run::committed::WhyNot;
use crate::federated::run::waiting::Waiting;
use crate::identity::AuthorId;

/// What happened to a run, for [`super::Event::Run`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunChange {
    /// Its first vertex entered the history.
    Started,
    /// This node is now a member.
    Joined,
    /// This node is no longer a member.
    Left,
    /// Its last round is aggregated and recomputed.
    Finished,
}

/// One aggregated round, for [`super::Event::Round`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundView {
    /// The run.
    pub run: VertexId,
    /// Its name.
    pub name: String,
    /// The round that was aggregated, 1-based.
    pub round: u32,
    /// How many rounds the run has.
    pub rounds: u32,
    /// How many updates went into the aggregate.
    pub updates: u32,
    /// Their authors, in order of their author ids.
    pub contributors: Vec<AuthorId>,
    /// Whose updates it does not have and why, in a run with commitments.
    pub left_out: Vec<(AuthorId, WhyNot)>,
    /// The aggregate vertex.
    pub aggregate: VertexId,
    /// The weights after this round.
    pub weights: BlobId,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Fewer members than one aggregate needs.
    Waiting,
    /// Rounds are being trained.
    Running,
    /// The last round is aggregated.
    Finished,
}

/// A run as this node sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunView {
    /// The run: the vertex that started it.
    pub run: VertexId,
    /// Everything its founder fixed: name, model, classes, scaling, rounds, local training.
    pub spec: RunSpec,
    /// Who started it.
    pub founder: AuthorId,
    /// Where it stands.
    pub state: RunState,
    /// The last aggregated and recomputed round; 0 before the first.
    pub round: u32,
    /// Current members, in order of their author ids; of a finished run also those who left after
    /// they had contributed.
    pub members: Vec<AuthorId>,
    /// Whether this node is a member and the run goes on.
    pub contributing: bool,
    /// The weights of the head; `None` until they are recomputed (round 0: the initial weights).
    pub weights: Option<BlobId>,
    /// What the updates of this node tell about its rows; `None` in a run without noise.
    pub privacy: Option<PrivacyView>,
    /// What the open round waits for, where rounds have several steps and somebody is missing.
    pub waiting: Option<Waiting>,
}

/// What updates with noise tell about the rows of their author, at the delta of their run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrivacyView {
    /// The epsilon of the updates that this node has sent.
    pub spent: f64,
    /// The epsilon of one update in every round of the run.
    pub epsilon: f64,
}

/// The current model of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelView {
    /// The run.
    pub run: VertexId,
    /// What was trained, with classes and scaling.
    pub spec: RunSpec,
    /// The round these weights belong to; 0 are the initial weights.
    pub round: u32,
    /// Raw little-endian f32 in canonical order.
    pub weights: Vec<u8>,
}
