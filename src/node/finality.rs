//! What the application asks about finality, and what it may ask of the committee.

use super::Node;
use crate::clock::Now;
use crate::consensus::{Committee, Finality, Item, Record, State};
use crate::dag::vote::{ItemId, Seats};
use crate::dag::{Payload, SignedVertex, VertexId};
use crate::event::{
    CommitteeView, FinalisedPage, FinalityView, ItemState, ItemView, MemberView, Problem, Reply,
    SamplingView, WishView,
};
use crate::identity::AuthorId;
use crate::limits;

impl Node {
    /// Finality in numbers.
    pub(super) fn finality_view(&self) -> FinalityView {
        let engine = &self.deciding.engine;
        let (committee, quorum, sampled) = (engine.committee(), engine.quorum(), engine.sampled());
        let sampling = sampled.map(|sampled| SamplingView {
            config: *sampled.engine.config(),
            polls: sampled.engine.counters().counted,
            confidence: sampled.confidence(),
        });
        FinalityView {
            state: self.deciding.finality(),
            engine: self.config.deciding().map(|genesis| genesis.engine),
            epoch: committee.map_or(0, Committee::epoch),
            members: committee.map_or(0, |known| known.members().len()),
            total: committee.map_or(0, Committee::total),
            quorum: self.weight_that_decides(),
            votes: self.is_member(),
            height: quorum.and_then(State::last_checkpoint).map_or(0, |last| last.height),
            certified: quorum.map_or(0, |quorum| quorum.mmr().len()),
            decided: engine.decisions(),
            pending: engine.pending(),
            finalised: self.deciding.finalised.total(),
            sampling,
        }
    }

    /// The least weight that decides; what has to be in reach where decisions are sampled.
    fn weight_that_decides(&self) -> u64 {
        let engine = &self.deciding.engine;
        match engine.sampled() {
            Some(sampled) => sampled.weight_min(),
            None => engine.committee().map_or(0, Committee::quorum),
        }
    }

    /// The members that decide now, and the committees that members want next.
    pub(super) fn committee_view(&self) -> Result<CommitteeView, Problem> {
        let committee = self.deciding.engine.committee().ok_or_else(no_committee)?;
        let view = |(author, weight): &(AuthorId, u32)| {
            let is_me = *author == self.me;
            let connected = is_me || self.peers.of_author(author).is_some();
            MemberView { author: *author, weight: *weight, is_me, connected }
        };
        let epoch = committee.epoch();
        let next = |seats: &&Seats| epoch.checked_add(1) == Some(seats.epoch);
        let wishes = self.deciding.wishes.iter().filter(|(seats, _)| next(seats));
        let wish = |(seats, by): (&Seats, &std::collections::BTreeSet<AuthorId>)| {
            let members = by.iter().filter_map(|author| {
                let place = committee.place(author)?;
                committee.members().get(place)
            });
            let (by, weights): (Vec<AuthorId>, Vec<u64>) =
                members.map(|(author, weight)| (*author, u64::from(*weight))).unzip();
            WishView { members: seats.members.clone(), by, weight: weights.iter().sum() }
        };
        Ok(CommitteeView {
            epoch,
            members: committee.members().iter().map(view).collect(),
            total: committee.total(),
            quorum: self.weight_that_decides(),
            wishes: wishes.map(wish).filter(|wish| wish.weight > 0).collect(),
        })
    }

    /// What is known about an item, by `<vertex id>` or `<vertex id>/<place>`.
    pub(super) fn item_view(&self, text: &str) -> Result<ItemView, Problem> {
        let id = self.find_item(text)?;
        self.view_of_item(&id).ok_or_else(|| item_unknown(text))
    }

    fn view_of_item(&self, id: &ItemId) -> Option<ItemView> {
        let item = self.item(id);
        let (kind, author) = match (self.graph.get(&id.0).map(SignedVertex::vertex), &item) {
            (Some(fields), _) => {
                let payload = fields.payloads.get(usize::try_from(id.1).ok()?)?;
                (payload.kind(), fields.author)
            }
            (None, Some(item)) => (item.kind(), item.author),
            (None, None) => return None,
        };
        let engine = &self.deciding.engine;
        let voted = |item: &Item| engine.sampled().is_none_or(|sampled| sampled.takes(item));
        let open = item.as_ref().is_some_and(voted);
        let keys = item.map(|item| item.keys).unwrap_or_default();
        let winners: Vec<_> = keys.iter().map(|key| engine.decided(key)).collect();
        let state = match self.deciding.finality() {
            _ if keys.is_empty() => ItemState::Free,
            Finality::CausalOnly => ItemState::Free,
            _ if winners.iter().any(|winner| winner.is_some_and(|other| other != *id)) => {
                ItemState::Rejected
            }
            _ if winners.iter().all(Option::is_some) => ItemState::Final,
            _ if !open => ItemState::Free,
            _ if self.deciding.own.get(id).is_some() => ItemState::Final,
            _ if self.is_forgotten(id) => ItemState::Forgotten,
            _ => ItemState::Pending,
        };
        let first = keys.first().filter(|_| state == ItemState::Final);
        let height = first.and_then(|key| self.height_of(key, id));
        Some(ItemView { item: *id, kind, author, keys, state, height })
    }

    /// Whether an item in the history was decided before what the engine remembers.
    fn is_forgotten(&self, id: &ItemId) -> bool {
        let Some(engine) = self.deciding.engine.quorum() else { return false };
        let record = self.graph.get(&id.0).map(Record::of);
        record.is_some_and(|record| {
            let mut items = record.items.iter().filter(|item| item.id == *id);
            items.any(|item| engine.is_over(item, record.seq))
        })
    }

    pub(super) fn find_item(&self, text: &str) -> Result<ItemId, Problem> {
        let (vertex, place) = parse_item(text)?;
        let mut items: Vec<u32> = if let Some(signed) = self.graph.get(&vertex) {
            let record = Record::of(signed);
            record.items.iter().map(|item| item.id.1).collect()
        } else {
            let engine = self.deciding.engine.quorum().into_iter();
            let remembered = engine.flat_map(|engine| engine.items_of(&vertex)).map(|i| i.id);
            remembered.chain(self.deciding.own.of_vertex(&vertex)).map(|id| id.1).collect()
        };
        if items.is_empty() && !self.graph.contains(&vertex) {
            return Err(item_unknown(text));
        }
        // The one that is voted on, if the vertex has one.
        let place = place.or_else(|| items.drain(..).next()).unwrap_or(0);
        Ok(ItemId(vertex, place))
    }

    /// Final items from this number on.
    pub(super) fn finalised_page(&self, from: u64, count_max: usize) -> FinalisedPage {
        let count_max = count_max.min(limits::FINALISED_PAGE_MAX);
        let finalised = &self.deciding.finalised;
        let (first, total) = (finalised.first(), finalised.total());
        let found = self.deciding.final_since(from);
        let views = found.filter_map(|(number, _)| self.finalised_view(number));
        let items = views.take(count_max).collect();
        FinalisedPage { items, first, total }
    }

    /// Writes that this member wants a committee for the next epoch.
    pub(super) fn propose_committee(
        &mut self,
        command: u64,
        mut members: Vec<(AuthorId, u32)>,
        now: Now,
    ) -> Result<(), Problem> {
        members.sort_unstable();
        let committee = self.deciding.engine.committee().ok_or_else(no_committee)?;
        if self.deciding.engine.sampled().is_some() {
            return Err(members_fixed());
        }
        if !self.is_member() {
            return Err(Problem {
                code: "not-a-member",
                message: "this node is no member of the committee, and members alone can change it"
                    .to_owned(),
                hint: "ask members that weigh a quorum to propose the same committee".to_owned(),
            });
        }
        let seats = Seats { epoch: committee.epoch().saturating_add(1), members };
        Committee::of_seats(&seats).map_err(|error| Problem {
            code: error.code(),
            message: error.to_string(),
            hint: "name 4 to 100 members, each once, with weights from 1 to 1048576".to_owned(),
        })?;
        self.write_item(command, Payload::Committee(seats), now)
    }

    /// The answer to a command whose payload is an item of this own vertex.
    pub(super) fn written_item(&self, vertex: &VertexId, place: u32) -> Result<Reply, Problem> {
        let id = ItemId(*vertex, place);
        let view = self.view_of_item(&id).ok_or_else(|| item_unknown(&id.to_string()))?;
        Ok(Reply::Item(view))
    }
}

/// There is nothing that decides.
pub(super) fn no_committee() -> Problem {
    Problem {
        code: "no-committee",
        message: "causal only, no finality: this network began without a committee".to_owned(),
        hint: "make a network with `synaptic-mesh init --committee`; this one cannot get one later"
            .to_owned(),
    }
}

/// Members of a network that samples are those of its genesis.
fn members_fixed() -> Problem {
    Problem {
        code: "sampling-members-fixed",
        message:
            "this network decides by sampling, and the members that polls draw from are those \
                  of its genesis for good: who may decide is nothing to be decided by a poll"
                .to_owned(),
        hint: "make a network with other members, or one with `--consensus quorum`".to_owned(),
    }
}

/// Where decisions are only probable, nothing has value.
pub(super) fn no_value() -> Problem {
    Problem {
        code: "sampling-no-value",
        message:
            "this network decides by sampling and has no credits: its decisions are probable, \
                  and have no order that everybody shares"
                .to_owned(),
        hint: "pay in a network made with `synaptic-mesh init --consensus quorum --committee`"
            .to_owned(),
    }
}

/// A decision by sampling convinces only who took part in it.
pub(super) fn no_proof() -> Problem {
    Problem {
        code: "sampling-no-proof",
        message: "this network decides by sampling, and such a decision has no proof for others: \
                  answers to polls count for who asked, and nobody signs checkpoints"
            .to_owned(),
        hint:
            "let whoever doubts it ask members by itself, as a node of this network; proofs need \
               a network made with `--consensus quorum`"
                .to_owned(),
    }
}

pub(super) fn item_unknown(text: &str) -> Problem {
    Problem {
        code: "item-unknown",
        message: format!("{:?} is not in the history here", shown(text)),
        hint: "one that was just written takes a moment to arrive; check the id".to_owned(),
    }
}

/// The vertex that a text names, and the place in it if it says one.
pub(super) fn parse_item(text: &str) -> Result<(VertexId, Option<u32>), Problem> {
    let (vertex, place) = match text.split_once('/') {
        Some((vertex, place)) => (vertex, Some(place)),
        None => (text, None),
    };
    let vertex = vertex.parse().map_err(|_| item_malformed(text))?;
    let place = place.map(str::parse).transpose().map_err(|_| item_malformed(text))?;
    Ok((vertex, place))
}

fn item_malformed(text: &str) -> Problem {
    Problem {
        code: "item-malformed",
        message: format!("{:?} names no item", shown(text)),
        hint: "give the id of a vertex, with the place of the payload if it has several: bafy.../0"
            .to_owned(),
    }
}

/// The beginning of a text that came from outside, safe to put into an error.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}
