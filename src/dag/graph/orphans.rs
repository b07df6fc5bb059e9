//! Vertices that wait for their parents, and the bounds on them.
//!
//! The pool is small (about a thousand vertices), so that what a peer can make this node hold is
//! small; counts are taken by walking it, which costs microseconds beside the signature check that
//! came before. Per peer and per author bounds refuse (the latter not what another author's vertex
//! waits for); the bound on the whole pool evicts the
//! oldest vertex of the peer that holds the most, so that a newcomer always gets a place.

use std::collections::{BTreeMap, BTreeSet};

use crate::dag::{Citation, Error, SignedVertex, VertexId};
use crate::identity::{AuthorId, TransportId};
use crate::limits;

/// One parked vertex.
#[derive(Clone, Debug)]
pub(super) struct Orphan {
    /// The vertex.
    pub(super) vertex: SignedVertex,
    /// The peer that sent it.
    pub(super) peer: TransportId,
    /// Whether that peer had been asked for it.
    pub(super) answered: bool,
    /// Whether its signature was verified; false while the author's key is unknown.
    pub(super) proven: bool,
    /// When it was parked.
    pub(super) parked_mono_ms: u64,
    /// Parents that are not accepted yet; never empty while parked.
    pub(super) missing: BTreeSet<VertexId>,
}

/// The pool.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    by_id: BTreeMap<VertexId, Orphan>,
    /// For each missing parent, the parked vertices that wait for it.
    waiting: BTreeMap<VertexId, BTreeSet<VertexId>>,
    bytes: usize,
}

impl Orphans {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn contains(&self, id: &VertexId) -> bool {
        self.by_id.contains_key(id)
    }

    /// Whether a parked vertex whose signature was verified waits for this one. What an unknown
    /// author cites does not count: anybody can make that up.
    pub(super) fn is_cited(&self, id: &VertexId) -> bool {
        let mut children = self.waiting.get(id).into_iter().flatten();
        children.any(|child| self.by_id.get(child).is_some_and(|orphan| orphan.proven))
    }

    /// The same, counting only what somebody else than `author` wrote.
    pub(super) fn is_cited_by_another(&self, id: &VertexId, author: &AuthorId) -> bool {
        let mut children = self.waiting.get(id).into_iter().flatten();
        children.any(|child| {
            let other = |orphan: &Orphan| orphan.vertex.vertex().author != *author;
            self.by_id.get(child).is_some_and(|orphan| orphan.proven && other(orphan))
        })
    }

    /// Verifies what is parked of an author whose key is known now; gives what failed, taken out.
    pub(super) fn prove(
        &mut self,
        author: &AuthorId,
        verify: impl Fn(&SignedVertex) -> Result<(), Error>,
    ) -> Vec<(Orphan, Error)> {
        let mut forged = Vec::new();
        for (id, orphan) in &mut self.by_id {
            if orphan.proven || orphan.vertex.vertex().author != *author {
                continue;
            }
            match verify(&orphan.vertex) {
                Ok(()) => orphan.proven = true,
                Err(error) => forged.push((*id, error)),
            }
        }
        forged
            .into_iter()
            .filter_map(|(id, error)| self.remove(&id).map(|orphan| (orphan, error)))
            .collect()
    }

    /// Every parent that a parked vertex waits for, ascending.
    #[cfg(test)]
    pub(super) fn awaited(&self) -> impl Iterator<Item = &VertexId> {
        self.waiting.keys()
    }

    /// Parks a vertex, or says which bound forbids it.
    pub(super) fn park(&mut self, orphan: Orphan) -> Result<(), Error> {
        assert!(!orphan.missing.is_empty(), "a vertex with all its parents is not parked");
        self.check_peer(&orphan)?;
        self.check_author(&orphan)?;
        let bytes = orphan.vertex.size_bytes();
        while self.by_id.len() >= limits::ORPHANS_MAX
            || self.bytes + bytes > limits::ORPHANS_BYTES_MAX
        {
            self.evict();
        }
        let id = orphan.vertex.id();
        for parent in &orphan.missing {
            self.waiting.entry(*parent).or_default().insert(id);
        }
        self.bytes += bytes;
        self.by_id.insert(id, orphan);
        Ok(())
    }

    /// Takes out what waited for nothing but `parent`, which is now accepted; ascending.
    pub(super) fn release(&mut self, parent: &VertexId) -> Vec<Orphan> {
        let children = self.waiting.remove(parent).unwrap_or_default();
        let mut released = Vec::new();
        for child in children {
            let Some(orphan) = self.by_id.get_mut(&child) else { continue };
            orphan.missing.remove(parent);
            if orphan.missing.is_empty() {
                released.extend(self.remove(&child));
            }
        }
        released
    }

    /// Takes out what waits for no parent any more, because of what `is_satisfied` says of parents
    /// now; ascending.
    pub(super) fn take_ready(&mut self, is_satisfied: impl Fn(&Citation) -> bool) -> Vec<Orphan> {
        // What one says of a parent is nothing to another that waits for the same.
        let mut arrived: Vec<(VertexId, VertexId)> = Vec::new();
        for (child, orphan) in &self.by_id {
            let parents = orphan.vertex.vertex().parents.iter();
            let waits = parents.filter(|cited| orphan.missing.contains(&cited.id));
            let here = waits.filter(|cited| is_satisfied(cited));
            arrived.extend(here.map(|cited| (*child, cited.id)));
        }
        let mut ready = BTreeSet::new();
        for (child, parent) in arrived {
            self.forget_wait(&parent, &child);
            let Some(orphan) = self.by_id.get_mut(&child) else { continue };
            orphan.missing.remove(&parent);
            if orphan.missing.is_empty() {
                ready.insert(child);
            }
        }
        ready.iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Drops everything that waits, directly or not, for a vertex that can never be accepted.
    pub(super) fn drop_dependents(&mut self, id: &VertexId) {
        let mut dead = vec![*id];
        while let Some(id) = dead.pop() {
            for child in self.waiting.get(&id).cloned().unwrap_or_default() {
                self.remove(&child);
                dead.push(child);
            }
        }
    }

    /// Drops the vertices of ended authors, except those that peers were asked for, and those that
    /// a proven vertex of somebody else cites, directly or through others.
    pub(super) fn drop_uncited(&mut self, ended: impl Fn(&AuthorId) -> bool) {
        let author = |orphan: &Orphan| orphan.vertex.vertex().author;
        let mut keep: BTreeSet<VertexId> = BTreeSet::new();
        let mut open: Vec<VertexId> = self
            .by_id
            .iter()
            .filter(|(_, orphan)| orphan.proven && !ended(&author(orphan)))
            .map(|(id, _)| *id)
            .collect();
        while let Some(id) = open.pop() {
            let Some(orphan) = self.by_id.get(&id) else { continue };
            if keep.insert(id) {
                open.extend(orphan.missing.iter().copied());
            }
        }
        let drop: Vec<VertexId> = self
            .by_id
            .iter()
            .filter(|(id, orphan)| ended(&author(orphan)) && !orphan.answered && !keep.contains(id))
            .map(|(id, _)| *id)
            .collect();
        for id in drop {
            self.remove(&id);
        }
    }

    /// Drops what has been parked for too long; gives how many.
    pub(super) fn expire(&mut self, mono_ms: u64) -> usize {
        self.drop_where(|orphan| {
            mono_ms.saturating_sub(orphan.parked_mono_ms) > limits::ORPHAN_AGE_MS_MAX
        })
    }

    /// Drops everything one peer sent.
    pub(super) fn forget_peer(&mut self, peer: &TransportId) {
        self.drop_where(|orphan| orphan.peer == *peer);
    }

    fn drop_where(&mut self, unwanted: impl Fn(&Orphan) -> bool) -> usize {
        let drop: Vec<VertexId> =
            self.by_id.iter().filter(|(_, orphan)| unwanted(orphan)).map(|(id, _)| *id).collect();
        for id in &drop {
            self.remove(id);
        }
        drop.len()
    }

    fn check_peer(&self, orphan: &Orphan) -> Result<(), Error> {
        let of_peer = || self.by_id.values().filter(|other| other.peer == orphan.peer);
        let full = |what, held, max| Err(Error::OrphansFull { what, held, max });
        let held = of_peer().count();
        if held >= limits::ORPHANS_PER_PEER_MAX {
            return full("this peer", held, limits::ORPHANS_PER_PEER_MAX);
        }
        let unproven = of_peer().filter(|other| !other.proven).count();
        if !orphan.proven && unproven >= limits::ORPHANS_UNPROVEN_PER_PEER_MAX {
            let max = limits::ORPHANS_UNPROVEN_PER_PEER_MAX;
            return full("this peer's share for unknown authors", unproven, max);
        }
        Ok(())
    }

    /// Unproven vertices do not count: anybody can write another author's name into them. What
    /// somebody else waits for has a place beside the author's own, or an author could keep others
    /// waiting by filling its share.
    fn check_author(&self, orphan: &Orphan) -> Result<(), Error> {
        let author = orphan.vertex.vertex().author;
        if self.is_cited_by_another(&orphan.vertex.id(), &author) {
            return Ok(());
        }
        let same = |other: &&Orphan| other.proven && other.vertex.vertex().author == author;
        let held = self.by_id.values().filter(same).count();
        if orphan.proven && held >= limits::ORPHANS_PER_AUTHOR_MAX {
            let max = limits::ORPHANS_PER_AUTHOR_MAX;
            return Err(Error::OrphansFull { what: "this author", held, max });
        }
        Ok(())
    }

    /// Drops the oldest vertex of the peer that holds the most bytes.
    fn evict(&mut self) {
        let mut held: BTreeMap<&TransportId, usize> = BTreeMap::new();
        for orphan in self.by_id.values() {
            *held.entry(&orphan.peer).or_default() += orphan.vertex.size_bytes();
        }
        let Some(fullest) = held.into_iter().max_by_key(|(_, bytes)| *bytes).map(|(peer, _)| peer)
        else {
            return;
        };
        let oldest = self
            .by_id
            .iter()
            .filter(|(_, orphan)| orphan.peer == *fullest)
            .min_by_key(|(id, orphan)| (orphan.parked_mono_ms, **id))
            .map(|(id, _)| *id);
        if let Some(id) = oldest {
            self.remove(&id);
        }
    }

    fn remove(&mut self, id: &VertexId) -> Option<Orphan> {
        let orphan = self.by_id.remove(id)?;
        self.bytes -= orphan.vertex.size_bytes();
        for parent in &orphan.missing {
            self.forget_wait(parent, id);
        }
        Some(orphan)
    }

    fn forget_wait(&mut self, parent: &VertexId, child: &VertexId) {
        if let Some(children) = self.waiting.get_mut(parent) {
            children.remove(child);
            if children.is_empty() {
                self.waiting.remove(parent);
            }
        }
    }
}
