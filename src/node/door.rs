//! The door of a permissioned network: who may connect, before there is a connection.
//!
//! A handshake proves an author. Then either side shows its pass, and asks its [`Door`] about the
//! other's (`crate::channel::entrance`): nothing else is said on a connection before both were let
//! in, so no protocol has to ask again. The rule is [`Rule`], the same that decides about vertices.
//! What depends on when one looks is asked here alone, and only about authors whose identity is not
//! in the history: whoever a member has let in is a member for all.
//!
//! - An invite that has run out by the own clock lets nobody in.
//! - Nor does one that an inviter has taken back, as far as the history here says.
//! - Nor does one with which as many others have come as it is for, as far as is known here: two
//!   members that do not hear of each other can each let one in. What an author showed counts, and
//!   what its identity says, so that nobody comes by one invite and is booked under another.
//!
//! Nor is an author let in that is known to have signed two different vertices.
//!
//! A node that knows nobody yet, unless it may invite, cannot tell a member of old from a stranger
//! with an old invite. To those whom its owner has it call, the members of its link, it applies the
//! rule alone; not to whom it finds by other ways.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Node;
use super::book;
use super::commands::Intent;
use crate::clock::Now;
use crate::dag::invite::{InviteId, Order, Page, Pass, Refused, Rule, Terms, Ticket, View};
use crate::dag::{Payload, SignedVertex};
use crate::event::{Problem, Reply};
use crate::identity::{AuthorId, TransportId};
use crate::limits;

/// Who may connect. The node writes what it hears, the network asks.
#[derive(Debug)]
pub struct Door {
    rule: Rule,
    me: AuthorId,
    /// What this node shows.
    pass: Vec<u8>,
    seen: Mutex<Seen>,
}

/// What is known here about who has entered.
#[derive(Debug, Default)]
struct Seen {
    /// Authors with an identity in the history.
    known: BTreeSet<AuthorId>,
    /// By which invites they entered: one, unless somebody showed another than it has.
    entered: BTreeSet<(InviteId, AuthorId)>,
    /// Authors that were let in, whose identity is on its way: by which invite and when.
    let_in: BTreeMap<AuthorId, (InviteId, u64)>,
    revoked: BTreeSet<InviteId>,
    /// Authors that signed two different vertices.
    ended: BTreeSet<AuthorId>,
    /// Peers that the owner has this node call.
    called: BTreeSet<TransportId>,
}

impl Door {
    /// With what this node itself shows, if it needs to.
    pub fn new(rule: Rule, me: AuthorId, pass: Option<Vec<u8>>) -> Self {
        Self { rule, me, pass: pass.unwrap_or_default(), seen: Mutex::default() }
    }

    /// What this node shows; empty where it is listed.
    pub fn pass(&self) -> &[u8] {
        &self.pass
    }

    /// Whether the owner has this node call a peer.
    pub fn calls(&self, peer: &TransportId) -> bool {
        self.lock().called.contains(peer)
    }

    /// The owner has this node call whoever is at an address that names a peer.
    pub(super) fn call(&self, address: &str) {
        let mut seen = self.lock();
        if seen.called.len() < limits::CALLED_MAX {
            seen.called.extend(book::peer_of(address));
        }
    }

    /// By which invite an author was let in whose identity is on its way.
    pub(super) fn shown_by(&self, author: &AuthorId) -> Option<InviteId> {
        self.lock().let_in.get(author).map(|(invite, _)| *invite)
    }

    /// Whether an author that the handshake proved may come in with what it shows. `called` says
    /// that this node dialled, and that its owner had it do so ([`Self::calls`]).
    ///
    /// # Errors
    /// Why not.
    pub fn judge(
        &self,
        author: &AuthorId,
        pass: &[u8],
        called: bool,
        unix_ms: u64,
    ) -> Result<(), Refused> {
        {
            let seen = self.lock();
            if seen.ended.contains(author) {
                return Err(Refused::Ended);
            }
            if seen.known.contains(author) {
                return Ok(());
            }
        }
        let shown = Some(pass).filter(|pass| !pass.is_empty());
        let Some(invite) = self.rule.check(author, shown)? else { return Ok(()) };
        let id = invite.id();
        let mut seen = self.lock();
        let is_new_here =
            !self.rule.may_invite(&self.me) && seen.known.iter().all(|a| *a == self.me);
        if called && is_new_here {
            return Ok(());
        }
        if unix_ms > invite.until_ms {
            return Err(Refused::Expired);
        }
        let span_ms_max = limits::INVITE_SPAN_MS_MAX + limits::INVITE_AHEAD_MS_MAX;
        if invite.until_ms.saturating_sub(unix_ms) > span_ms_max {
            return Err(Refused::Overlong);
        }
        if seen.revoked.contains(&id) {
            return Err(Refused::Revoked);
        }
        seen.let_in.retain(|_, (_, at_ms)| unix_ms.saturating_sub(*at_ms) <= limits::LET_IN_MS_MAX);
        let uses = usize::try_from(invite.uses).unwrap_or(usize::MAX);
        if seen.holders(&id).filter(|holder| *holder != author).count() >= uses {
            return Err(Refused::Used);
        }
        if seen.let_in.len() >= limits::LET_IN_MAX {
            let oldest = seen.let_in.iter().min_by_key(|(_, (_, at_ms))| *at_ms);
            let oldest = oldest.map(|(author, _)| *author);
            oldest.and_then(|author| seen.let_in.remove(&author));
        }
        seen.let_in.insert(*author, (id, unix_ms));
        Ok(())
    }

    /// Hears what a vertex of the history says.
    fn hear(&self, signed: &SignedVertex) {
        let fields = signed.vertex();
        let author = fields.author;
        for payload in &fields.payloads {
            match payload {
                Payload::Identity { pass, .. } => {
                    let pass = pass.as_ref().and_then(|pass| Pass::decode(pass).ok());
                    let mut seen = self.lock();
                    seen.known.insert(author);
                    let shown = seen.let_in.remove(&author).map(|(invite, _)| invite);
                    let invites = shown.into_iter().chain(pass.map(|pass| pass.invite.id()));
                    seen.entered.extend(invites.map(|invite| (invite, author)));
                }
                Payload::Revocation { invite } if self.rule.may_invite(&author) => {
                    self.lock().revoked.insert(*invite);
                }
                _ => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Who has entered with an invite.
    fn holders<'a>(&'a self, id: &'a InviteId) -> impl Iterator<Item = &'a AuthorId> {
        let entered = self.entered.iter().filter(move |(by, _)| by == id).map(|(_, by)| by);
        let let_in = self.let_in.iter().filter(move |(_, (by, _))| by == id).map(|(by, _)| by);
        entered.chain(let_in)
    }
}

impl Node {
    /// Lets the door know what is in the history, from the beginning.
    pub(super) fn fill_door(&self) {
        if let Some(door) = &self.door {
            self.graph.iter().for_each(|signed| door.hear(signed));
            door.lock().ended.extend(self.graph.ended().map(|(author, _)| author));
        }
    }

    /// Lets the door know of an author that signed two different vertices.
    pub(super) fn tell_door_of_end(&self, author: AuthorId) {
        if let Some(door) = &self.door {
            door.lock().ended.insert(author);
        }
    }

    /// Lets the door know of one more vertex.
    pub(super) fn tell_door(&self, signed: &SignedVertex) {
        if let Some(door) = &self.door {
            door.hear(signed);
        }
    }

    /// An author that this door has let in comes with the identity that has the same invite: it
    /// would use up none otherwise.
    pub(super) fn check_shown(&self, identity: &SignedVertex) -> Result<(), String> {
        let fields = identity.vertex();
        let shown = self.door.as_ref().and_then(|door| door.shown_by(&fields.author));
        let pass = fields.pass().and_then(|pass| Pass::decode(pass).ok());
        match shown {
            Some(shown) if pass.is_none_or(|pass| pass.invite.id() != shown) => {
                Err("it was let in by another invite than its identity has".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The door of the network, where not everybody may enter.
    fn own_door(&self) -> Result<&Door, Problem> {
        self.door.as_deref().ok_or_else(|| Problem {
            code: "not-permissioned",
            message: "this network is open: whoever has its join link may enter".to_owned(),
            hint: "make one with `synaptic-mesh init --permissioned`; an open one stays open"
                .to_owned(),
        })
    }

    fn door_of_inviter(&self) -> Result<&Door, Problem> {
        let door = self.own_door()?;
        if door.rule.may_invite(&self.me) {
            return Ok(door);
        }
        Err(Problem {
            code: "not-inviter",
            message: "this node may not invite in this network".to_owned(),
            hint: "ask one of those who may: `synaptic-mesh invite list` names them".to_owned(),
        })
    }

    /// Does what the owner wants with invites.
    pub(super) fn order_invites(
        &mut self,
        command: u64,
        order: Order,
        now: Now,
    ) -> Option<Result<Reply, Problem>> {
        match order {
            Order::Make(terms) => Some(self.make_invite(terms, now)),
            Order::Revoke(invite) => self.revoke_invite(command, invite, now).err().map(Err),
            Order::List => Some(self.invite_views()),
        }
    }

    fn make_invite(&mut self, terms: Terms, now: Now) -> Result<Reply, Problem> {
        self.door_of_inviter()?;
        let span_ms = terms.until_ms.saturating_sub(now.unix_ms);
        if span_ms == 0 || span_ms > limits::INVITE_SPAN_MS_MAX {
            return Err(terms_problem());
        }
        let mut entropy = ([0; 32], [0; 32]);
        self.rng.fill(&mut entropy.0);
        self.rng.fill(&mut entropy.1);
        let ticket = Ticket::issue(self.config.network, &self.key, terms, entropy);
        Ok(Reply::Ticket(Box::new(ticket.ok_or_else(terms_problem)?)))
    }

    fn revoke_invite(&mut self, command: u64, invite: InviteId, now: Now) -> Result<(), Problem> {
        self.door_of_inviter()?;
        self.write(command, Payload::Revocation { invite }, Intent::Revoke, now)
    }

    /// Invites that somebody entered with, or that were taken back.
    fn invite_views(&self) -> Result<Reply, Problem> {
        let door = self.own_door()?;
        let seen = door.lock();
        let used = seen.entered.iter().map(|(invite, _)| invite);
        let ids: BTreeSet<InviteId> = used.chain(&seen.revoked).copied().collect();
        let view = |id: InviteId| View {
            id,
            holders: seen.holders(&id).copied().collect(),
            revoked: seen.revoked.contains(&id),
        };
        let invites = ids.into_iter().map(view).collect();
        Ok(Reply::Invites(Page { invites, inviters: door.rule.inviters().copied().collect() }))
    }
}

fn terms_problem() -> Problem {
    Problem {
        code: "invite-terms",
        message: "an invite lets in 1 to 1,000, for up to a year; one for a node, that node once"
            .to_owned(),
        hint: "give other --uses or --expires".to_owned(),
    }
}
