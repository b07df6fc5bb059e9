//! A member's own secrets, what it deals of them, and the shares that others dealt to it.
//!
//! Everything grows from one random root for each run, which the member's store keeps: after a
//! restart it opens the same shares and goes on with the same deals. Who has that store can take
//! the masks off all updates that the member sent in the run.

use zeroize::Zeroizing;

use super::super::Run;
use super::super::run::masked::{DealRecord, commitment};
use crate::crypto::hash::Digest;
use crate::dag::VertexId;
use crate::dag::masking::{Deal, Dealt};
use crate::identity::AuthorId;
use crate::masking::agreement::{self, Public, Secret};
use crate::masking::shamir;
use crate::masking::sum::Secrets;
use crate::masking::{Error, Settings};
use crate::rng::Rng;

const JOIN: &str = "synaptic-mesh 2026 masking join key v1";
const DEAL: &str = "synaptic-mesh 2026 masking deal v1";
const SHARE: &str = "synaptic-mesh 2026 masking share v1";

/// What all secrets of a member in a run grow from: 32 random bytes.
#[derive(Clone)]
pub struct Root(Secret);

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Root(redacted)")
    }
}

impl Root {
    /// A root of these bytes, which nobody else knows.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, to be stored.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The secret key to which shares are sealed for the member.
    fn join_key(&self) -> Secret {
        Zeroizing::new(Digest::derive(JOIN, &[self.0.as_slice()]).0)
    }

    /// The public one, which the member says when it joins.
    pub fn public(&self) -> Public {
        agreement::public_of(&self.join_key())
    }

    /// The secrets of the member's deal number `attempt` on a base, from 0, and what the shares of
    /// them are drawn from.
    fn drawn(&self, base: &VertexId, attempt: u32) -> (Secrets, Rng) {
        let parts: [&[u8]; 3] = [self.0.as_slice(), &base.0.0, &attempt.to_le_bytes()];
        let mut source = Rng::from_seed(Digest::derive(DEAL, &parts).0);
        let (mut key, mut own) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        source.fill(&mut *key);
        source.fill(&mut *own);
        (Secrets { key, own }, source)
    }

    /// The secrets of the member's deal number `attempt` on a base, from 0.
    pub fn secrets(&self, base: &VertexId, attempt: u32) -> Secrets {
        self.drawn(base, attempt).0
    }

    /// Deals shares of the secrets of deal number `attempt` to these holders.
    ///
    /// # Errors
    /// [`Error::Key`] for the unusable key of a holder, [`Error::Shares`] for no or too many.
    pub fn deal(
        &self,
        run: VertexId,
        (base, attempt): (VertexId, u32),
        me: &AuthorId,
        holders: &[(AuthorId, Public)],
        settings: Settings,
    ) -> Result<Deal, Error> {
        let (secrets, mut source) = self.drawn(&base, attempt);
        let (join, key) = (self.join_key(), agreement::public_of(&secrets.key));
        let (count, needed) = (holders.len(), settings.needed(holders.len()));
        let own = shamir::split(&secrets.own, needed, count, &mut source)?;
        let keys = shamir::split(&secrets.key, needed, count, &mut source)?;
        let mut shares = Vec::with_capacity(count);
        for (number, ((holder, to), (own, of_key))) in
            (1_u8..).zip(holders.iter().zip(own.iter().zip(&keys)))
        {
            let context = [&run.0.0[..], &base.0.0, &key, me.as_bytes(), holder.as_bytes()];
            let sealed_by = agreement::agree(&join, to, SHARE, &context)?;
            let sealed = agreement::seal(&sealed_by, &[*own, *of_key].concat());
            shares.push(Dealt {
                holder: *holder,
                sealed: <[u8; _]>::try_from(sealed).map_err(|_| Error::Sealed)?.into(),
                own: commitment(number, own).into(),
                key: commitment(number, of_key).into(),
            });
        }
        let commitment = commitment(0, &secrets.own).into();
        Ok(Deal { run, base, key: key.into(), commitment, shares })
    }

    /// The shares that a deal has for this member: of the seed of its dealer's own mask, and of its
    /// key. Nothing where it has none, or they are not what the dealer committed to.
    pub fn shares(&self, run: &Run, record: &DealRecord, me: &AuthorId) -> Option<[[u8; 32]; 2]> {
        let deal = &record.deal;
        let at = deal.shares.iter().position(|dealt| dealt.holder == *me)?;
        let dealt = deal.shares.get(at)?;
        let number = u8::try_from(at).ok()?.checked_add(1)?;
        let from = run.masked()?.key(&record.author)?;
        let (dealer, holder) = (record.author.as_bytes(), me.as_bytes());
        let context = [&run.id().0.0[..], &deal.base.0.0, &*deal.key, dealer, holder];
        let key = agreement::agree(&self.join_key(), from, SHARE, &context).ok()?;
        let opened = agreement::open(&key, &*dealt.sealed).ok()?;
        let ([own, of_key], []) = opened.as_chunks::<32>() else { return None };
        let is_right =
            commitment(number, own) == *dealt.own && commitment(number, of_key) == *dealt.key;
        is_right.then_some([*own, *of_key])
    }
}
