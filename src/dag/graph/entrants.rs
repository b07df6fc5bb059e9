//! New authors of a permissioned network: who may be one, and for how many by one invite there is
//! room.
//!
//! Who may be an author is a rule of validity: a function of the genesis and the identity vertex
//! alone. How many there are is not, because members hear of them in different orders; it is policy
//! as in `super::room`. Who holds the key of an invite can make up authors without end, and doors,
//! which count, see none of those that only gossip tells of. So authors by one invite have a share
//! of the table. Beyond it one is taken where another author cites it, or honest members that heard
//! of different ones would never agree again; who cites them lends them a place under its own name.
//! All lent places together are half of the table, so that nobody is locked out by them.

use std::collections::BTreeMap;

use super::{Graph, Source};
use crate::dag::invite::{InviteId, Pass, Rule};
use crate::dag::{Error, Payload, SignedVertex};
use crate::limits;

/// Who may be an author of a graph, and how many are by which invite.
#[derive(Debug)]
pub(super) struct Entrants {
    entry: Entry,
    by_invite: BTreeMap<InviteId, usize>,
    /// Authors beyond the shares of their invites.
    lent: usize,
    /// [`limits::LENT_AUTHORS_MAX`]; less in tests.
    pub(super) lent_max: usize,
}

/// Who may be an author.
#[derive(Debug)]
enum Entry {
    /// Nobody has said what the network began with.
    Unknown,
    /// Everybody; invites mean nothing.
    Open,
    /// Those whom the rule admits.
    Members(Rule),
}

impl Graph {
    /// From now on new authors are those that the rule admits, or in an open network, which has
    /// none, those without invites. A graph that is told nothing takes either.
    pub fn admit_by(&mut self, rule: Option<Rule>) {
        let entry = rule.map_or(Entry::Open, Entry::Members);
        self.entrants = Entrants { entry, ..Entrants::default() };
        let known: Vec<_> = self.order.iter().filter_map(invite_of).collect();
        for invite in known {
            self.entrants.enter(invite);
        }
    }

    /// Whether all that is here was admitted by what [`Graph::admit_by`] was told. What is restored
    /// was admitted before, unless the network was taken for another kind then.
    ///
    /// # Errors
    /// What is wrong with the first one that was not.
    pub fn check_admitted(&self) -> Result<(), Error> {
        self.order.iter().try_for_each(|signed| self.check_entry(signed))
    }

    /// Whether an author may be one, and what is said about invites may be said.
    pub(super) fn check_entry(&self, signed: &SignedVertex) -> Result<(), Error> {
        let fields = signed.vertex();
        let is_identity = matches!(fields.payloads.first(), Some(Payload::Identity { .. }));
        match &self.entrants.entry {
            Entry::Members(rule) if is_identity => {
                let (author, checked) = (fields.author, rule.check(&fields.author, fields.pass()));
                checked.map(|_| ()).map_err(|source| Error::Stranger { author, source })
            }
            Entry::Open => {
                let mut payloads = fields.payloads.iter();
                if payloads.any(|payload| matches!(payload, Payload::Revocation { .. })) {
                    return Err(Error::Open { what: "a revocation" });
                }
                fields.pass().map_or(Ok(()), |_| Err(Error::Open { what: "an invite" }))
            }
            Entry::Members(_) | Entry::Unknown => Ok(()),
        }
    }

    /// Whether there is room for one more author by an invite.
    pub(super) fn check_entrants(&self, signed: &SignedVertex, from: &Source) -> Result<(), Error> {
        let author = signed.vertex().author;
        let is_members = matches!(self.entrants.entry, Entry::Members(_));
        if !is_members || *from == Source::Own || self.chains.contains_key(&author) {
            return Ok(());
        }
        let Some((invite, max)) = invite_of(signed) else { return Ok(()) };
        let held = self.entrants.by_invite.get(&invite).copied().unwrap_or(0);
        let is_cited = || self.orphans.is_cited_by_another(&signed.id(), &author);
        if held < max || (self.entrants.lent < self.entrants.lent_max && is_cited()) {
            return Ok(());
        }
        Err(Error::InviteFull { invite, held, max })
    }

    /// Counts a new author.
    pub(super) fn count_entrant(&mut self, signed: &SignedVertex) {
        if !matches!(self.entrants.entry, Entry::Members(_)) {
            return;
        }
        if let Some(invite) = invite_of(signed) {
            self.entrants.enter(invite);
        }
    }
}

impl Default for Entrants {
    fn default() -> Self {
        let (entry, by_invite) = (Entry::Unknown, BTreeMap::new());
        Self { entry, by_invite, lent: 0, lent_max: limits::LENT_AUTHORS_MAX }
    }
}

impl Entrants {
    fn enter(&mut self, (invite, share): (InviteId, usize)) {
        let held = self.by_invite.entry(invite).or_default();
        *held += 1;
        self.lent += usize::from(*held > share);
    }
}

/// By which invite an author has entered, and for how many by it there is room in any case.
fn invite_of(signed: &SignedVertex) -> Option<(InviteId, usize)> {
    let Pass { invite, .. } = Pass::decode(signed.vertex().pass()?).ok()?;
    let uses = usize::try_from(invite.uses).unwrap_or(usize::MAX);
    Some((invite.id(), uses.saturating_add(limits::INVITE_AUTHORS_SPARE)))
}
