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
//!   members that do not hear of each other can each let one in.
//!
//! A node that knows nobody yet cannot tell a member of old from a stranger with an old invite. To
//! those that it calls itself, which are those of its link, it applies the rule alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Node;
use super::commands::Intent;
use crate::clock::Now;
use crate::dag::invite::{InviteId, Order, Page, Pass, Refused, Rule, Terms, Ticket, View};
use crate::dag::{Payload, SignedVertex};
use crate::event::{Problem, Reply};
use crate::identity::AuthorId;
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
    /// Authors with an identity in the history, and what they entered with.
    known: BTreeMap<AuthorId, Option<InviteId>>,
    /// Authors that were let in, whose identity is on its way.
    let_in: BTreeMap<AuthorId, InviteId>,
    revoked: BTreeSet<InviteId>,
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

    /// Whether an author that the handshake proved may come in with what it shows. `called` says
    /// that this node called it.
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
        if self.lock().known.contains_key(author) {
            return Ok(());
        }
        let shown = Some(pass).filter(|pass| !pass.is_empty());
        let Some(invite) = self.rule.check(author, shown)? else { return Ok(()) };
        let id = invite.id();
        let mut seen = self.lock();
        let is_new_here = !self.rule.lists(&self.me) && seen.known.keys().all(|a| *a == self.me);
        if called && is_new_here {
            return Ok(());
        }
        if unix_ms > invite.until_ms {
            return Err(Refused::Expired);
        }
        if seen.revoked.contains(&id) {
            return Err(Refused::Revoked);
        }
        let uses = usize::try_from(invite.uses).unwrap_or(usize::MAX);
        if seen.holders(&id).filter(|holder| *holder != author).count() >= uses {
            return Err(Refused::Used);
        }
        if seen.let_in.len() >= limits::LET_IN_MAX {
            seen.let_in.pop_first();
        }
        seen.let_in.insert(*author, id);
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
                    seen.known.insert(author, pass.map(|pass| pass.invite.id()));
                    seen.let_in.remove(&author);
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
        let known = self.known.iter().filter_map(|(author, by)| Some((author, by.as_ref()?)));
        known.chain(&self.let_in).filter(move |(_, by)| *by == id).map(|(author, _)| author)
    }
}

impl Node {
    /// Lets the door know what is in the history, from the beginning.
    pub(super) fn fill_door(&self) {
        if let Some(door) = &self.door {
            self.graph.iter().for_each(|signed| door.hear(signed));
        }
    }

    /// Lets the door know of one more vertex.
    pub(super) fn tell_door(&self, signed: &SignedVertex) {
        if let Some(door) = &self.door {
            door.hear(signed);
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
        Ok(Reply::Ticket(Box::new(ticket.map_err(|_| terms_problem())?)))
    }

    fn revoke_invite(&mut self, command: u64, invite: InviteId, now: Now) -> Result<(), Problem> {
        self.door_of_inviter()?;
        self.write(command, Payload::Revocation { invite }, Intent::Revoke, now)
    }

    /// Invites that somebody entered with, or that were taken back.
    fn invite_views(&self) -> Result<Reply, Problem> {
        let door = self.own_door()?;
        let seen = door.lock();
        let used = seen.known.values().flatten();
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
