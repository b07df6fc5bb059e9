//! What this node has room for: vertices, bytes and authors, all together and of one author.
//!
//! All of it is policy. What finds no room is not invalid, and nobody is blamed for sending it.

use super::{Chain, Graph, Source};
use crate::clock::Now;
use crate::dag::{Error, SignedVertex};
use crate::identity::{AuthorId, TransportId};
use crate::limits;

impl Graph {
    /// Forgets what a peer had parked; for a peer that was disconnected for a fault.
    pub fn forget_peer(&mut self, peer: &TransportId) {
        self.orphans.forget_peer(peer);
    }

    /// Forgets what has been parked for too long; gives the number of vertices forgotten.
    pub fn expire(&mut self, now: Now) -> usize {
        self.orphans.expire(now.mono_ms)
    }

    /// A vertex of somebody else has to leave room for one own vertex: that may be signed already
    /// and on its way through the store.
    pub(super) fn check_room(&self, vertex: &SignedVertex, from: &Source) -> Result<(), Error> {
        let authors = usize::from(vertex.vertex().seq == 0);
        match from {
            Source::Own => self.check_bounds(0, authors, vertex.size_bytes()),
            Source::Peer(_) | Source::Answer(_) => {
                let bytes = vertex.size_bytes() + limits::SIGNED_VERTEX_BYTES_MAX;
                self.check_bounds(1, 2 * authors, bytes)
            }
        }
    }

    /// Whether one more vertex and `spare` others fit, with so many more authors and bytes.
    pub(super) fn check_bounds(
        &self,
        spare: usize,
        authors: usize,
        bytes: usize,
    ) -> Result<(), Error> {
        let full = |what, held, max| Err(Error::GraphFull { what, held, max });
        if self.order.len() + spare >= self.vertices_max {
            return full("vertices", self.order.len(), self.vertices_max);
        }
        if self.bytes + bytes > limits::GRAPH_BYTES_MAX {
            return full("bytes", self.bytes, limits::GRAPH_BYTES_MAX);
        }
        if authors > 0 && self.chains.len() + authors > limits::GRAPH_AUTHORS_MAX {
            return full("authors", self.chains.len(), limits::GRAPH_AUTHORS_MAX);
        }
        Ok(())
    }

    /// Whether an author has room for one more vertex from a peer. What another author cites is
    /// taken all the same: that one may have had room for it.
    pub(super) fn check_share(&self, vertex: &SignedVertex) -> Result<(), Error> {
        let author = vertex.vertex().author;
        match self.chains.get(&author) {
            Some(chain) if !self.orphans.is_cited_by_another(&vertex.id(), &author) => {
                self.check_own_share(&author, chain)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn check_own_share(&self, author: &AuthorId, chain: &Chain) -> Result<(), Error> {
        let full = |what, held, max| Err(Error::AuthorFull { author: *author, what, held, max });
        if chain.vertices >= self.author_vertices_max {
            return full("vertices", chain.vertices, self.author_vertices_max);
        }
        if chain.bytes >= limits::AUTHOR_BYTES_MAX {
            return full("bytes", chain.bytes, limits::AUTHOR_BYTES_MAX);
        }
        Ok(())
    }
}
