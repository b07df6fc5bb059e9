//! Masks of own updates: the steps that [`crate::federated::masking`] decides on, one after the
//! other, and the secrets behind them.

use std::collections::BTreeMap;

use super::Node;
use super::following::{self, Following, Trained};
use crate::clock::Now;
use crate::dag::masking::{Closing, Cohort, Statement, Unmask};
use crate::dag::{BlobId, Payload, Update, VertexId};
use crate::effect::Effect;
use crate::event::Problem;
use crate::federated::masking::dealing::Root;
use crate::federated::masking::{self, Facts, Step};
use crate::federated::run::masked::tensor_sizes;
use crate::federated::{Run, policy};
use crate::limits;
use crate::masking::Error;
use crate::masking::ring;
use crate::masking::sum::{self, Party};

const ROOT_NAME: &str = "masking/";

/// Steps of one look at a run (count): a round has five.
const STEPS_MAX: usize = 8;

/// What the secrets of this node grow from, by run.
#[derive(Debug, Default)]
pub(super) struct Roots(BTreeMap<VertexId, Root>);

impl Roots {
    /// Goes on with what was stored.
    pub(super) fn restore(meta: &[(String, Vec<u8>)]) -> Self {
        let root = |(name, bytes): &(String, Vec<u8>)| {
            let run: VertexId = name.strip_prefix(ROOT_NAME)?.parse().ok()?;
            Some((run, Root::new(<[u8; 32]>::try_from(bytes.as_slice()).ok()?)))
        };
        Self(meta.iter().filter_map(root).collect())
    }
}

impl Node {
    /// What says that this node takes part in a run. In one with secure aggregation the key goes
    /// along to which others seal shares; what it grows from is stored with the vertex.
    pub(super) fn join_payload(&mut self, run: VertexId, samples: u32) -> Payload {
        let is_masked = self.runs.get(&run).is_some_and(|run| run.masked().is_some());
        let key = is_masked.then(|| self.masking_root(run).public().into());
        Payload::RunJoin { run, samples, key }
    }

    fn masking_root(&mut self, run: VertexId) -> Root {
        if let Some(root) = self.masking.0.get(&run) {
            return root.clone();
        }
        let mut bytes = [0; 32];
        self.rng.fill(&mut bytes);
        let root = Root::new(bytes);
        self.writer.add_meta(&format!("{ROOT_NAME}{run}"), root.expose().to_vec());
        self.masking.0.insert(run, root.clone());
        root
    }

    /// Whether others know the key of this node, where that takes one. A store that was lost takes
    /// the secret along.
    pub(super) fn has_masking_key(&self, run: &Run) -> bool {
        let Some(masked) = run.masked() else { return true };
        let root = self.masking.0.get(&run.id());
        root.is_some_and(|root| masked.key(&self.me) == Some(&root.public()))
    }

    /// Does what is due about the masks of a run's round.
    pub(super) fn advance_masks(&mut self, id: &VertexId, now: Now, out: &mut Vec<Effect>) {
        for _ in 0..STEPS_MAX {
            let Some(step) = self.masking_step(id, now) else { return };
            self.warn_broken(id, now, out);
            if let Step::Wait { until_ms } = step {
                if let (Some(until_ms), Some(following)) = (until_ms, self.following.get_mut(id)) {
                    following.look_again(until_ms);
                }
                return;
            }
            if self.writer.is_failing() || self.writer.is_queue_full() {
                if let Some(following) = self.following.get_mut(id) {
                    let again_ms = now.mono_ms.saturating_add(limits::STORE_RETRY_MS_MIN);
                    following.look_again(again_ms);
                }
                return;
            }
            if let Err(error) = self.take_masking_step(id, step, now) {
                return self.warn(masking_problem(&error), now, out);
            }
        }
    }

    fn masking_step(&mut self, id: &VertexId, now: Now) -> Option<Step> {
        let (run, following) = (self.runs.get(id)?, self.following.get_mut(id)?);
        run.masked()?;
        let root = self.masking.0.get(id)?;
        let ended = following::ended(run, &self.graph);
        let joined_lately = following.joined.keys().copied().collect();
        let facts = Facts {
            round: policy::Facts {
                me: &self.me,
                now_ms: now.mono_ms,
                adopted_ms: following.adopted_ms,
                ripe_ms: None,
                mutual: None,
                joined_lately: &joined_lately,
                ended: &ended,
            },
            root,
            progress: &following.masking,
            is_trained: following.trained.is_some(),
        };
        let (step, progress) = masking::step(run, &facts, |update| {
            let delta = run.update(update).map(|update| update.delta);
            delta.is_some_and(|delta| following.checked.get(&delta) == Some(&true))
        });
        following.masking = progress;
        Some(step)
    }

    fn take_masking_step(&mut self, id: &VertexId, step: Step, now: Now) -> Result<(), Error> {
        let (Some(run), Some(following)) = (self.runs.get(id), self.following.get_mut(id)) else {
            return Ok(());
        };
        let (head, progress) = (following.head, &mut following.masking);
        let statement = match step {
            Step::Wait { .. } => return Ok(()),
            Step::Mask { cohort, deal, attempt } => {
                progress.masked.insert(deal);
                return self.publish_masked(id, cohort, &deal, attempt, now);
            }
            Step::Deal { attempt, holders } => {
                progress.dealt = attempt.saturating_add(1);
                let (Some(root), Some(settings)) = (self.masking.0.get(id), run.spec().masking)
                else {
                    return Ok(());
                };
                Statement::Deal(root.deal(*id, (head, attempt), &self.me, &holders, settings)?)
            }
            Step::Cohort { deals } => {
                progress.cohort_of = progress.dealt.max(progress.cohort_of.saturating_add(1));
                Statement::Cohort(Cohort { run: *id, base: head, deals })
            }
            Step::Closing { cohort, updates } => {
                progress.closed.insert(cohort);
                Statement::Closing(Closing { run: *id, cohort, updates })
            }
            Step::Unmask { closing, shares } => {
                progress.unmasked.insert(head);
                Statement::Unmask(Unmask::new(*id, closing, &shares))
            }
        };
        self.writer.queue(Payload::Masking(statement), None, true, now.mono_ms);
        Ok(())
    }

    /// Masks what was trained, and publishes it.
    fn publish_masked(
        &mut self,
        id: &VertexId,
        cohort: VertexId,
        deal: &VertexId,
        attempt: u32,
        now: Now,
    ) -> Result<(), Error> {
        let (Some(run), Some(following)) = (self.runs.get(id), self.following.get_mut(id)) else {
            return Ok(());
        };
        let (Some(root), Some(trained)) = (self.masking.0.get(id), &following.trained) else {
            return Ok(());
        };
        let words = masked_words(run, root, trained, (&cohort, deal, attempt))?;
        let blob = ring::bytes_of(&words);
        let delta = BlobId::of(&blob);
        let payload = Payload::Update(Update {
            run: *id,
            base: trained.base,
            round: trained.round,
            samples: trained.samples,
            delta,
            delta_bytes: u32::try_from(blob.len()).unwrap_or(u32::MAX),
            cohort: Some(cohort),
            reveal: None,
        });
        self.writer.queue(payload, None, true, now.mono_ms);
        following.carried = trained.carried.clone();
        self.keep_blob(delta, blob.into());
        Ok(())
    }

    /// Says who made a round fail, once.
    fn warn_broken(&mut self, id: &VertexId, now: Now, out: &mut Vec<Effect>) {
        let Some(run) = self.runs.get(id) else { return };
        let Some(dealer) = run.masked().and_then(|masked| masked.broken().first()) else { return };
        let problem = Problem {
            code: "masking-broken",
            message: format!(
                "round {} of run {} cannot be opened: {dealer} dealt shares of something else \
                 than it committed to",
                run.round().saturating_add(1),
                run.spec().name
            ),
            hint: "start the run again without this member".to_owned(),
        };
        self.warn(problem, now, out);
    }
}

/// The words of an update under the masks of its cohort.
fn masked_words(
    run: &Run,
    root: &Root,
    trained: &Trained,
    (cohort, deal, attempt): (&VertexId, &VertexId, u32),
) -> Result<Vec<u64>, Error> {
    let clip = run.spec().masking.map_or(limits::MASKING_CLIP_MIN, |settings| settings.clip);
    let mut words = ring::encode(&trained.values, trained.samples, clip)?;
    let deals = run.cohort_deals(cohort).unwrap_or_default();
    let place = deals.iter().position(|(id, _)| id == deal).unwrap_or(usize::MAX);
    let parties: Vec<Party> =
        deals.iter().map(|(id, record)| Party { id: id.0.0, key: *record.deal.key }).collect();
    let tensors = tensor_sizes(run.spec());
    let secrets = root.secrets(&trained.base, attempt);
    sum::Cohort { id: &cohort.0.0, round: trained.round, tensors: &tensors, parties: &parties }
        .mask(&mut words, place, &secrets)?;
    Ok(words)
}

fn masking_problem(error: &Error) -> Problem {
    Problem {
        code: error.code(),
        message: format!("an update cannot be masked: {error}"),
        hint: "wait for the next round; start the run anew if it happens again".to_owned(),
    }
}

impl Following {
    /// Keeps what was trained until it can be masked.
    pub(super) fn keep_trained(&mut self, trained: Trained) {
        self.updated = Some(trained.base);
        self.trained = Some(trained);
        self.dirty = true;
    }
}
