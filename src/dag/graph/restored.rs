//! Vertices that were accepted before: from the own store, or from a file.

use super::{Graph, Source};
use crate::dag::{Citation, Error, SignedVertex};

impl Graph {
    /// Takes back a vertex that this node had accepted and stored before.
    ///
    /// The trusted path: signatures (of the vertex, its bindings and proofs) were verified before
    /// it was stored and are not verified again, which makes a start 100 times faster. The
    /// hash of the bytes, every local rule and every rule of the causal past are checked as
    /// always. Never give it bytes that did not come from the node's own store.
    ///
    /// # Errors
    /// [`Error::Restore`] when parents are missing (restore in the order of [`Graph::iter`]), or
    /// the rule that is broken; both mean that the store is damaged.
    pub fn restore(&mut self, vertex: SignedVertex) -> Result<(), Error> {
        self.restore_beside(vertex, |_| false)
    }

    /// The same, where some parents need not be there: those of which nothing but the citation
    /// ever was, or that are the other side of a fork.
    ///
    /// # Errors
    /// As [`Graph::restore`].
    pub fn restore_beside(
        &mut self,
        vertex: SignedVertex,
        is_beside: impl Fn(&Citation) -> bool,
    ) -> Result<(), Error> {
        if self.contains(&vertex.id()) {
            return Ok(());
        }
        let fields = vertex.vertex();
        if fields.network != self.network {
            return Err(Error::WrongNetwork { expected: self.network, found: fields.network });
        }
        let missing = self.lost_parents(&vertex).filter(|cited| !is_beside(cited)).count();
        if missing > 0 {
            return Err(Error::Restore { id: vertex.id(), missing });
        }
        if let Some(proof) = self.conflict(&vertex) {
            self.end(&proof);
        }
        Self::check_accused(&vertex)?;
        self.accept(vertex, &Source::Own, &mut Vec::new())
    }

    /// Verifies every signature of an accepted vertex: its own, and those of the bindings and the
    /// proofs that it states. Accepted vertices were verified when they came, restored ones not.
    ///
    /// # Errors
    /// [`Error::Signature`], [`Error::Binding`] or [`Error::Proof`].
    pub fn verify(&self, vertex: &SignedVertex) -> Result<(), Error> {
        self.check_signature(vertex)?;
        self.check_statements(vertex)
    }
}
