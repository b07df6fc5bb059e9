//! The other side: which vertices to send for a request.

use super::Want;
use crate::dag::{Graph, SignedVertex};
use crate::limits;

/// The answer to a [`Want`].
#[derive(Clone, Debug, PartialEq)]
pub struct Served<'a> {
    /// Vertices in causal order, within the limits of one answer.
    pub vertices: Vec<&'a SignedVertex>,
    /// Whether the limits left some out; the asker asks again with what it then knows.
    pub more: bool,
    /// How many vertices were looked at to choose these: what the answer cost.
    pub walked: usize,
}

/// Chooses what to send. Ids that are not in the graph, and entries beyond the limits of a
/// request, are passed over. Costs one walk over the history behind the named vertices.
pub fn serve<'a>(graph: &'a Graph, want: &Want) -> Served<'a> {
    let (mut chosen, walked) = match want {
        Want::Vertices { ids } => (by_id(graph, ids), ids.len()),
        Want::Ancestors { of, known } => {
            let of = of.get(..limits::REQUEST_VERTICES_MAX).unwrap_or(of);
            let known = known.get(..limits::HEADS_MAX).unwrap_or(known);
            graph.ancestors(of, known)
        }
        Want::Ranges { .. } => (Vec::new(), 0),
    };
    let mut bytes = 0;
    let fits = chosen
        .iter()
        .take(limits::RESPONSE_VERTICES_MAX)
        .take_while(|vertex| {
            bytes += vertex.encoded_bytes();
            bytes <= limits::RESPONSE_VERTICES_BYTES_MAX
        })
        .count();
    let more = fits < chosen.len();
    chosen.truncate(fits);
    Served { vertices: chosen, more, walked }
}

/// The named vertices, those with the smallest Lamport times first, which is a causal order.
fn by_id<'a>(graph: &'a Graph, ids: &[crate::dag::VertexId]) -> Vec<&'a SignedVertex> {
    let mut chosen: Vec<&SignedVertex> =
        ids.iter().take(limits::REQUEST_VERTICES_MAX).filter_map(|id| graph.get(id)).collect();
    chosen.sort_by_key(|signed| (signed.vertex().lamport, signed.id()));
    chosen.dedup_by_key(|signed| signed.id());
    chosen
}
