//! What the node shows of itself.

use std::collections::BTreeSet;

use super::Node;
use crate::event::{LinkInfo, PrivacyView, RunState, RunView, Status};
use crate::federated::Run;
use crate::genesis::Genesis;
use crate::identity::AuthorId;
use crate::limits;

impl Node {
    /// A run as this node sees it.
    pub(super) fn run_view(&self, run: &Run) -> RunView {
        let joined = run.members().iter().filter(|(_, member)| member.joined);
        let mut members: BTreeSet<AuthorId> = joined.map(|(author, _)| *author).collect();
        let enough = usize::try_from(run.spec().updates_min).unwrap_or(usize::MAX);
        let state = if run.is_finished() {
            members.append(&mut run.all_contributors());
            RunState::Finished
        } else if run.round() == 0 && members.len() < enough {
            RunState::Waiting
        } else {
            RunState::Running
        };
        let following = self.following.get(&run.id());
        RunView {
            run: run.id(),
            spec: run.spec().clone(),
            founder: run.founder(),
            state,
            round: run.round(),
            contributing: run.is_member(&self.me) && !run.is_finished(),
            members: members.into_iter().collect(),
            weights: following.and_then(|following| following.weights(run, &run.head())),
            privacy: self.privacy_view(run),
            waiting: run.waiting(),
        }
    }

    /// Every update that was sent counts, also those that came too late for an aggregate.
    fn privacy_view(&self, run: &Run) -> Option<PrivacyView> {
        let settings = run.spec().privacy?;
        let own = run.updates().filter(|(_, update)| update.author == self.me).count();
        Some(PrivacyView {
            spent: settings.epsilon(u64::try_from(own).unwrap_or(u64::MAX)),
            epsilon: settings.epsilon(u64::from(run.spec().rounds)),
        })
    }

    /// All runs.
    pub(super) fn run_views(&self) -> Vec<RunView> {
        self.runs.iter().map(|run| self.run_view(run)).collect()
    }

    /// The node in numbers.
    pub(super) fn status(&self) -> Status {
        let (blobs, blob_bytes) = self.blobs.stored();
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let peers = self.peers.known().filter_map(|(transport, _, _)| self.peer_view(transport));
        Status {
            author: self.me,
            network: self.config.network,
            name: self.config.name.clone(),
            addresses: self.addresses.clone(),
            peers: peers.collect(),
            banned: self.penalties.banned.iter().copied().collect(),
            vertices: wide(self.graph.len()),
            blobs: wide(blobs),
            blob_bytes,
            runs: self.run_views(),
            finality: self.finality_view(),
            counters: self.counters.snapshot(),
        }
    }

    /// What a join link is made of: own addresses, then those of connected peers.
    pub(super) fn link_info(&self) -> LinkInfo {
        let mut addresses = self.addresses.clone();
        let others = self.peers.known().filter_map(|(_, peer, _)| peer.listens.first());
        addresses.extend(others.cloned());
        addresses.truncate(limits::ADDRESSES_PER_PEER_MAX);
        LinkInfo {
            network: self.config.network,
            name: self.config.name.clone(),
            genesis: self.config.genesis.as_ref().map(Genesis::encode),
            addresses,
        }
    }
}
