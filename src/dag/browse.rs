//! Reading a history: pages of it, one vertex, figures, and a second look at every signature.
//!
//! A [`Query`] is answered from a [`Graph`] alone, in bounded pieces, so that a node can answer
//! between other things and a reader can stop. Pages go back in time along the [`Timeline`], which
//! has the same order on every node; a page begins behind a vertex, not at a place, so that what
//! arrives meanwhile shifts nothing. Cost: a page O(limit), with an author O(vertices); a vertex by
//! the beginning of its id, figures and children O(vertices).
//!
//! [`Timeline`]: super::Timeline

use std::collections::BTreeMap;

use super::{Coverage, Error, Graph, Key, NetworkId, SignedVertex, VertexId};
use crate::identity::AuthorId;
use crate::limits;

/// What is asked about a history. Ids are their text, or as much of its beginning as is unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// The newest vertices first.
    Log {
        /// Only what is before this vertex; from the newest on if it is none.
        before: Option<VertexId>,
        /// Only those of this author.
        author: Option<String>,
        /// Vertices of the page, cut to [`limits::DAG_PAGE_VERTICES_MAX`].
        limit: u32,
    },
    /// One vertex.
    Show {
        /// Its id.
        id: String,
    },
    /// The history in figures.
    Stats,
    /// Verifies hashes, signatures and rules again.
    Verify {
        /// How many vertices were verified before, in the order of acceptance.
        from: u64,
        /// Vertices of this piece, cut to [`limits::DAG_PAGE_VERTICES_MAX`].
        limit: u32,
    },
}

/// What a query is answered with.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A page, newest first; the last one is shorter than asked for.
    Log(Vec<SignedVertex>),
    /// A vertex.
    Show(Box<Shown>),
    /// Figures.
    Stats(Box<Stats>),
    /// A piece that was verified.
    Verified(Verified),
}

/// A vertex and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The vertex.
    pub vertex: SignedVertex,
    /// Accepted vertices that name it as a parent, in the order of acceptance; no more than
    /// [`limits::DAG_PAGE_VERTICES_MAX`].
    pub children: Vec<VertexId>,
    /// The position at which its author equivocated, if it did.
    pub equivocated: Option<u64>,
}

/// A history in figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Accepted vertices.
    pub vertices: u64,
    /// Bytes of them and their signatures.
    pub bytes: u64,
    /// Vertices that nothing refers to yet.
    pub heads: u64,
    /// Vertices that wait for their parents.
    pub orphans: u64,
    /// Payloads by kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// What there is of each author.
    pub authors: BTreeMap<AuthorId, Share>,
}

/// One author's part of a history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    /// Accepted vertices.
    pub vertices: u64,
    /// Bytes of them and their signatures.
    pub bytes: u64,
    /// The latest time it claimed, milliseconds since 1970.
    pub latest_ms: u64,
    /// The position at which it equivocated, if it did.
    pub equivocated: Option<u64>,
}

/// A piece of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Vertices verified up to now, in the order of acceptance.
    pub done: u64,
    /// Vertices there are.
    pub total: u64,
    /// What was found wrong in this piece.
    pub faults: Vec<Fault>,
}

/// Something wrong with a vertex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The vertex.
    pub id: VertexId,
    /// Stable name of what is wrong.
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
}

/// A stored record that could not be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// Which of the records, counted from 0.
    pub record: u64,
    /// The vertex, if the record is one.
    pub id: Option<VertexId>,
    /// Stable name of what is wrong.
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
}

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unknown {
    /// No vertex has such an id.
    #[error("there is no vertex {0}")]
    Vertex(String),
    /// No author has such an id.
    #[error("there is no author {0}")]
    Author(String),
    /// Several ids begin so.
    #[error("{count} ids begin with {text}")]
    Ambiguous {
        /// The beginning.
        text: String,
        /// How many.
        count: usize,
    },
}

impl Unknown {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Unknown::Vertex(_) => "no-such-vertex",
            Unknown::Author(_) => "no-such-author",
            Unknown::Ambiguous { .. } => "id-ambiguous",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Unknown::Vertex(_) => "`dag log` shows the ids; it may not have arrived yet",
            Unknown::Author(_) => "`dag stats` shows the authors",
            Unknown::Ambiguous { .. } => "give more of the id",
        }
    }
}

/// The history in the records of a store, in any order, and the records that are not a part of it.
/// `coverage` says which positions need no vertex, because that may have been dropped.
///
/// Signatures are taken on trust, as [`Graph::restore`] does; [`Query::Verify`] looks at them.
pub fn read(network: NetworkId, records: &[Vec<u8>], coverage: Coverage) -> (Graph, Vec<Damaged>) {
    let mut graph = Graph::new(network);
    graph.restore_coverage(coverage);
    let mut damaged = Vec::new();
    let mut vertices = Vec::with_capacity(records.len());
    let broken = |record: usize, id: Option<VertexId>, error: &Error| Damaged {
        record: wide(record),
        id,
        code: error.code(),
        message: error.to_string(),
    };
    for (record, bytes) in records.iter().enumerate() {
        match SignedVertex::decode(bytes) {
            Ok(signed) => vertices.push((record, signed)),
            Err(error) => damaged.push(broken(record, None, &error)),
        }
    }
    // A parent has a smaller Lamport time than its child, so this is a causal order.
    vertices.sort_by_key(|(_, signed)| (signed.vertex().lamport, signed.id()));
    for (record, signed) in vertices {
        let id = signed.id();
        if let Err(error) = graph.restore(signed) {
            damaged.push(broken(record, Some(id), &error));
        }
    }
    (graph, damaged)
}

/// Answers a query.
///
/// # Errors
/// [`Unknown`] if it is about something that is not there.
pub fn browse(graph: &Graph, query: &Query) -> Result<Answer, Unknown> {
    match query {
        Query::Log { before, author, limit } => {
            log(graph, *before, author.as_deref(), *limit).map(Answer::Log)
        }
        Query::Show { id } => show(graph, id).map(|shown| Answer::Show(Box::new(shown))),
        Query::Stats => Ok(Answer::Stats(Box::new(stats(graph)))),
        Query::Verify { from, limit } => Ok(Answer::Verified(verify(graph, *from, *limit))),
    }
}

fn log(
    graph: &Graph,
    before: Option<VertexId>,
    author: Option<&str>,
    limit: u32,
) -> Result<Vec<SignedVertex>, Unknown> {
    let end = match before {
        None => graph.timeline().len(),
        Some(id) => {
            let vertex = graph.get(&id).ok_or_else(|| Unknown::Vertex(id.to_string()))?;
            graph.timeline().rank(&Key { lamport: vertex.vertex().lamport, id })
        }
    };
    let author = author.map(|text| author_of(graph, text)).transpose()?;
    let mut page = Vec::new();
    // Leaves of the timeline are passed through from their beginning, so a place at a time would
    // cost a leaf each.
    for end in (1..=end).rev().step_by(limits::DAG_PAGE_VERTICES_MAX) {
        let start = end.saturating_sub(limits::DAG_PAGE_VERTICES_MAX);
        let keys: Vec<Key> = graph.timeline().range(start..end).collect();
        for vertex in keys.iter().rev().filter_map(|key| graph.get(&key.id)) {
            if page.len() == page_len(limit) {
                return Ok(page);
            }
            if author.is_none_or(|author| vertex.vertex().author == author) {
                page.push(vertex.clone());
            }
        }
    }
    Ok(page)
}

fn show(graph: &Graph, text: &str) -> Result<Shown, Unknown> {
    let known = text.parse().ok().filter(|id| graph.contains(id));
    let id = match known {
        Some(id) => id,
        None => only(graph.iter().map(SignedVertex::id), text)?
            .ok_or_else(|| Unknown::Vertex(text.to_owned()))?,
    };
    let vertex = graph.get(&id).ok_or_else(|| Unknown::Vertex(text.to_owned()))?;
    let named = graph.iter().filter(|child| child.vertex().parent_ids().any(|parent| parent == id));
    Ok(Shown {
        vertex: vertex.clone(),
        children: named.map(SignedVertex::id).take(limits::DAG_PAGE_VERTICES_MAX).collect(),
        equivocated: graph.equivocated(&vertex.vertex().author),
    })
}

fn stats(graph: &Graph) -> Stats {
    let mut stats = Stats {
        vertices: wide(graph.len()),
        bytes: wide(graph.size_bytes()),
        heads: wide(graph.heads().len()),
        orphans: wide(graph.parked()),
        ..Stats::default()
    };
    for signed in graph.iter() {
        let vertex = signed.vertex();
        for payload in &vertex.payloads {
            *stats.kinds.entry(payload.kind()).or_default() += 1;
        }
        let share = stats.authors.entry(vertex.author).or_default();
        share.vertices += 1;
        share.bytes += wide(signed.size_bytes());
        share.latest_ms = share.latest_ms.max(vertex.time_ms);
    }
    for (author, share) in &mut stats.authors {
        share.equivocated = graph.equivocated(author);
    }
    stats
}

fn verify(graph: &Graph, from: u64, limit: u32) -> Verified {
    let total = graph.len();
    let start = usize::try_from(from).unwrap_or(total).min(total);
    let piece = graph.iter().skip(start).take(page_len(limit));
    let mut done = start;
    let mut faults = Vec::new();
    for vertex in piece {
        done += 1;
        if let Err((code, message)) = check(graph, vertex) {
            faults.push(Fault { id: vertex.id(), code, message });
        }
    }
    Verified { done: wide(done), total: wide(total), faults }
}

/// Everything that can be said about a vertex again: that its bytes are canonical and have this
/// name, that its author signed them, and that it follows what it says it follows.
fn check(graph: &Graph, signed: &SignedVertex) -> Result<(), (&'static str, String)> {
    let broken = |error: Error| (error.code(), error.to_string());
    let again = SignedVertex::decode(&signed.encode()).map_err(broken)?;
    if again.id() != signed.id() || again.vertex() != signed.vertex() {
        return Err(("hash-differs", "its bytes have another hash than its id".to_owned()));
    }
    graph.verify(signed).map_err(broken)?;
    match graph.lost_parents(signed).next() {
        Some(parent) => Err(("parent-missing", format!("its parent {} is not there", parent.id))),
        None => Ok(()),
    }
}

fn author_of(graph: &Graph, text: &str) -> Result<AuthorId, Unknown> {
    let known = text.parse().ok().filter(|author| graph.author(author).is_some());
    let mut authors: Vec<AuthorId> = graph.iter().map(|signed| signed.vertex().author).collect();
    authors.sort_unstable();
    authors.dedup();
    match known {
        Some(author) => Ok(author),
        None => only(authors.into_iter(), text)?.ok_or_else(|| Unknown::Author(text.to_owned())),
    }
}

/// The one id that begins so.
fn only<T: ToString + Copy>(
    ids: impl Iterator<Item = T>,
    text: &str,
) -> Result<Option<T>, Unknown> {
    let found: Vec<T> =
        ids.filter(|id| !text.is_empty() && id.to_string().starts_with(text)).collect();
    match found.as_slice() {
        [] => Ok(None),
        [id] => Ok(Some(*id)),
        more => Err(Unknown::Ambiguous { text: text.to_owned(), count: more.len() }),
    }
}

fn page_len(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX).min(limits::DAG_PAGE_VERTICES_MAX)
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
