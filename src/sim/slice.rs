//! A picture of the history: what a vertex depends on, one line for each author, time to the right.
//!
//! Without a violation it shows the newest vertices of the longest history; with one, the causal
//! past of the vertex that the violation is about. At most [`VERTICES_MAX`], the nearest first.
//!
//! A dot is a vertex and a line leads from each of its parents that is shown, dark if it is the
//! author's own last one. Letters above a dot say what its votes do: `l` and `c` lock an item and
//! commit to it, `r` report a key to the slow path, `P`, `L` and `C` put a block forward, lock it
//! and commit to it, `V` goes to a later view, `E` ends an epoch, `S` signs a checkpoint.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use super::World;
use crate::dag::vote::Vote;
use crate::dag::{Graph, Payload, SignedVertex, VertexId};

/// Vertices of one picture (count): as many as fit a screen.
pub const VERTICES_MAX: usize = 240;

const STEP: usize = 28;
const ROW: usize = 26;
const LEFT: usize = 90;

/// The picture as SVG.
pub fn svg(world: &World) -> String {
    let about = world.violation().and_then(|violation| violation.broken.vertex);
    let longest = world.members().max_by_key(|node| world.history(*node).map_or(0, Graph::len));
    let holder = about.and_then(|id| {
        world.members().find(|node| world.history(*node).is_some_and(|graph| graph.contains(&id)))
    });
    let title = match world.violation() {
        Some(violation) => violation.to_string(),
        None => "the newest vertices; every invariant held".to_owned(),
    };
    let graph = holder.or(longest).and_then(|node| world.history(node));
    let Some(graph) = graph else { return draw(world, &title, &[], None) };
    let from = if holder.is_some() { about.into_iter().collect() } else { graph.heads() };
    draw(world, &title, &past(graph, from), about)
}

/// The nearest of the causal past, in causal order.
fn past(graph: &Graph, from: Vec<VertexId>) -> Vec<&SignedVertex> {
    let mut open: VecDeque<VertexId> = from.into();
    let mut taken = BTreeSet::new();
    let mut found = Vec::new();
    while let Some(id) = open.pop_front() {
        if found.len() >= VERTICES_MAX || !taken.insert(id) {
            continue;
        }
        let Some(vertex) = graph.get(&id) else { continue };
        found.push(vertex);
        open.extend(vertex.vertex().parent_ids());
    }
    found.sort_by_key(|signed| (signed.vertex().lamport, signed.id()));
    found
}

fn draw(world: &World, title: &str, shown: &[&SignedVertex], about: Option<VertexId>) -> String {
    let authors: BTreeSet<_> = shown.iter().map(|signed| signed.vertex().author).collect();
    let rows: BTreeMap<_, usize> = authors.into_iter().zip(0..).collect();
    let mut columns: BTreeMap<u64, usize> = BTreeMap::new();
    for signed in shown {
        let next = columns.len();
        columns.entry(signed.vertex().lamport).or_insert(next);
    }
    let place = |signed: &SignedVertex| {
        let fields = signed.vertex();
        (LEFT + STEP * columns[&fields.lamport], 50 + ROW * rows[&fields.author])
    };
    let places: BTreeMap<VertexId, (usize, usize)> =
        shown.iter().map(|signed| (signed.id(), place(signed))).collect();
    let (width, height) = (LEFT + STEP * (columns.len() + 1), 60 + ROW * rows.len());
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"8\" y=\"20\">{}</text>\n",
        escape(title)
    );
    let mut push = |text: String| writeln!(out, "{text}").expect("a string takes all");
    for (author, row) in &rows {
        let name = world.member(author).map_or("?".to_owned(), |node| format!("member {node}"));
        push(format!("<text x=\"8\" y=\"{}\">{name}</text>", 54 + ROW * row));
    }
    for signed in shown {
        let (x, y) = places[&signed.id()];
        for parent in signed.vertex().parent_ids() {
            let Some((from_x, from_y)) = places.get(&parent) else { continue };
            let dark = signed.vertex().prev == Some(parent);
            let colour = if dark { "#333" } else { "#bbd" };
            push(format!(
                "<line x1=\"{from_x}\" y1=\"{from_y}\" x2=\"{x}\" y2=\"{y}\" stroke=\"{colour}\"/>"
            ));
        }
    }
    for signed in shown {
        let (x, y) = places[&signed.id()];
        let fields = signed.vertex();
        let fill = if about == Some(signed.id()) { "#c22" } else { "#247" };
        let kinds: Vec<&str> = fields.payloads.iter().map(Payload::kind).collect();
        let letters = letters(signed);
        if !letters.is_empty() {
            push(format!(
                "<text x=\"{x}\" y=\"{}\" font-size=\"8\" text-anchor=\"middle\">{letters}</text>",
                y - 8
            ));
        }
        push(format!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"6\" fill=\"{fill}\">\
             <title>{} position {} lamport {} {}</title></circle>",
            signed.id(),
            fields.seq,
            fields.lamport,
            escape(&kinds.join(" "))
        ));
    }
    out.push_str("</svg>\n");
    out
}

/// What the votes in a vertex do, each kind once.
fn letters(signed: &SignedVertex) -> String {
    let mut letters = String::new();
    for payload in &signed.vertex().payloads {
        let Payload::Votes(votes) = payload else { continue };
        for vote in &votes.votes {
            let letter = match vote {
                Vote::Lock(_) => 'l',
                Vote::Commit(_) => 'c',
                Vote::Contested(..) => 'r',
                Vote::Propose(..) => 'P',
                Vote::LockBlock(..) => 'L',
                Vote::CommitBlock(..) => 'C',
                Vote::Enter(..) => 'V',
                Vote::Close(_) => 'E',
                Vote::Sign(..) => 'S',
            };
            if !letters.contains(letter) {
                letters.push(letter);
            }
        }
    }
    letters
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
