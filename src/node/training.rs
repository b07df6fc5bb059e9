//! Training on own data: one job at a time for each run, for the head of the run.

use super::Node;
use super::following::{Following, Trained, Training};
use crate::clock::Now;
use crate::dag::{BlobId, Payload, Update, VertexId};
use crate::effect::{Effect, Job, TrainedUpdate};
use crate::event::Problem;
use crate::federated::Run;
use crate::federated::average;
use crate::federated::delta::{self, Carried};
use crate::rng::Rng;

impl Node {
    /// Starts a training job if this node owes the round an update.
    pub(super) fn train(&mut self, id: &VertexId, now: Now, out: &mut Vec<Effect>) {
        let Some(head) = self.following.get(id).map(|following| following.head) else { return };
        let has_promised = self.has_promised(id, &head);
        let (Some(run), Some(following)) = (self.runs.get(id), self.following.get_mut(id)) else {
            return;
        };
        let owes = following.training
            && run.is_member(&self.me)
            && !run.is_finished()
            && following.job.is_none()
            && following.updated != Some(head)
            && following.hopeless != Some(head)
            && !has_promised
            && !run.updates_of(&head).any(|(_, update)| update.author == self.me);
        if !owes || self.writer.is_failing() {
            return;
        }
        if following.train_next_ms > now.mono_ms {
            return following.look_again(following.train_next_ms);
        }
        let Some(weights) = following.weights(run, &head) else { return };
        let Some(base_weights) = self.blobs.get(&weights) else {
            return self.load_blob(weights, out);
        };
        self.last_job += 1;
        let (job, round) = (self.last_job, run.round().saturating_add(1));
        following.job = Some(Training { job, base: head, round });
        out.push(Effect::Train(Box::new(Job {
            job,
            run: *id,
            round,
            spec: run.spec().clone(),
            base_weights: base_weights.to_vec(),
            seed: run.training_seed(round, &self.me),
        })));
    }

    /// A training job ended.
    pub(super) fn on_trained(
        &mut self,
        job: u64,
        result: Result<TrainedUpdate, String>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let is_it = |following: &Following| following.job.is_some_and(|known| known.job == job);
        let found = self.following.iter().find(|(_, following)| is_it(following));
        let Some(id) = found.map(|(id, _)| *id) else {
            return self.counters.count("training-unknown-job");
        };
        let (Some(run), Some(following)) = (self.runs.get(&id), self.following.get_mut(&id)) else {
            return;
        };
        let Some(training) = following.job.take() else { return };
        following.dirty = true;
        // An update for the head's base comes too late to count, but shows that this member works.
        let is_late = run.tree().base(following.head) == Some(training.base);
        let is_wanted = following.head == training.base || is_late;
        if !is_wanted || !following.training || run.is_finished() {
            return self.counters.count("training-stale");
        }
        let source = run.spec().privacy.is_some().then_some(&mut self.rng);
        let ready = result
            .map_err(TrainingFailed::Host)
            .and_then(|update| ready(&update, run, &following.carried, source));
        let is_masked = run.masked().is_some();
        match ready {
            // What is for another base has no cohort any more.
            Ok(_) if is_masked && is_late => self.counters.count("training-stale"),
            Ok(ready) if is_masked => following.keep_trained(Trained {
                base: training.base,
                round: training.round,
                samples: ready.samples,
                values: average::values(&ready.blob).collect(),
                carried: ready.carried,
            }),
            Ok(ready) if run.committed().is_some() => {
                let made = (ready.samples, ready.blob, ready.carried);
                if is_late {
                    self.commit_late(&id, training, made, now);
                } else {
                    self.promise(&id, training, made);
                }
            }
            Ok(ready) => self.publish_update(&id, training, ready, now),
            Err(failed) => {
                match failed {
                    TrainingFailed::Host(_) => following.training_failed(now.mono_ms),
                    TrainingFailed::Unusable(_) => {
                        following.hopeless = Some(training.base);
                        // It may be what was lost before that makes the next one unusable, too.
                        following.carried = Carried::default();
                    }
                }
                let name = run.spec().name.clone();
                self.warn(failed.problem(&name, training.round), now, out);
            }
        }
    }

    fn publish_update(&mut self, id: &VertexId, training: Training, ready: Ready, now: Now) {
        let delta = BlobId::of(&ready.blob);
        let payload = Payload::Update(Update {
            run: *id,
            base: training.base,
            round: training.round,
            samples: ready.samples,
            delta,
            delta_bytes: u32::try_from(ready.blob.len()).unwrap_or(u32::MAX),
            cohort: None,
            reveal: None,
        });
        let is_queued = self.writer.queue(payload, None, true, now.mono_ms);
        let Some(following) = self.following.get_mut(id) else { return };
        if !is_queued {
            return following.training_failed(now.mono_ms);
        }
        following.train_failures = 0;
        following.updated = Some(training.base);
        following.carried = ready.carried;
        self.keep_blob(delta, ready.blob.into());
    }
}

/// Why a training job gave no update.
enum TrainingFailed {
    /// The host could not train.
    Host(String),
    /// It trained, and the result is not an update.
    Unusable(average::Error),
}

impl TrainingFailed {
    fn problem(&self, name: &str, round: u32) -> Problem {
        match self {
            TrainingFailed::Host(reason) => Problem {
                code: "training-failed",
                message: format!("training for round {round} of run {name} failed: {reason}"),
                hint: "check the data set of this member; training is tried again".to_owned(),
            },
            TrainingFailed::Unusable(error) => Problem {
                code: "training-unusable",
                message: format!("the update for round {round} of run {name} is unusable: {error}"),
                hint: "start a run with a smaller learning rate, or scale the inputs".to_owned(),
            },
        }
    }
}

/// An update that can be published.
struct Ready {
    samples: u32,
    blob: Vec<u8>,
    /// What it leaves, which counts once it is published.
    carried: Carried,
}

fn ready(
    update: &TrainedUpdate,
    run: &Run,
    carried: &Carried,
    source: Option<&mut Rng>,
) -> Result<Ready, TrainingFailed> {
    let samples = update.samples;
    average::check_samples(samples).map_err(TrainingFailed::Unusable)?;
    let written = delta::write(run.spec(), &update.delta, carried, source);
    let (blob, carried) = written.map_err(TrainingFailed::Unusable)?;
    Ok(Ready { samples, blob, carried })
}
