//! What a network with finality begins with: its first committee and its first balances.
//!
//! A genesis is a small document in canonical DAG-CBOR, and the id of its network *is* the hash of
//! these bytes under a domain of its own. Whoever knows the id of the network can therefore check
//! the genesis, wherever it came from, and every vertex and every proof names that id: nothing
//! that a committee signed passes for a network with another one. What cannot be changed later is
//! that a network has a genesis; committees follow one another by decisions.
//!
//! ```text
//!   {engine, committee: [[member, weight]...], balances: [[author, micro-credits]...], nonce}
//!        | canonical bytes, BLAKE3 in the domain "synaptic-mesh 2026 genesis v1"
//!        v
//!   network id  <- join link, vertices, certificates
//! ```
//!
//! The engine is part of it: a network decides by quorums or by sampling, for good, and a join link
//! brings along which. A network that samples has no credits, because its decisions are probable
//! and have no order that everybody shares.
//!
//! A network whose id was drawn at random has no genesis: its history converges, and nothing in it
//! is ever final. Reading is total and bounded by [`crate::limits::GENESIS_BYTES_MAX`].

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::consensus::{self, Committee};
use crate::dag::cbor;
use crate::dag::invite::Rule;
use crate::identity::{AuthorId, NetworkId};
use crate::units::MicroCredits;
use crate::{ledger, limits, sampling};

/// Bounds of an encoded genesis: a pair and its two parts for each member and each balance.
const BOUNDS: cbor::Bounds = cbor::Bounds {
    bytes_max: limits::GENESIS_BYTES_MAX,
    items_max: 3 * limits::COMMITTEE_MAX + 3 * (limits::GENESIS_BYTES_MAX / 36) + 16,
    depth_max: 4,
};

/// How a network decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Engine {
    /// Quorum certificates of a committee: [`crate::consensus`].
    #[default]
    Quorum,
    /// Repeated polls of a few members, with the parameters of [`sampling::Config::default`]:
    /// [`crate::sampling`]. For what has no value.
    QrAvalanche,
}

impl Engine {
    /// Its name, as a genesis and a configuration have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quorum => "quorum",
            Self::QrAvalanche => "qr-avalanche",
        }
    }
}

impl FromStr for Engine {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let all = [Self::Quorum, Self::QrAvalanche];
        all.into_iter().find(|engine| engine.name() == name).ok_or(Error::Engine)
    }
}

/// The beginning of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// How the network decides.
    pub engine: Engine,
    /// Members of the committee of epoch 0 with their weights, ascending by member, 4 to
    /// [`limits::COMMITTEE_MAX`]; those that polls draw from, in a network that samples. A
    /// permissioned network may be without: then nothing is ever final in it.
    pub committee: Vec<(AuthorId, u32)>,
    /// First balances in millionths of a credit, over 0, ascending by author; the only source of
    /// credits. None in a network that samples.
    pub balances: Vec<(AuthorId, MicroCredits)>,
    /// Random bytes: two networks of the same members are two networks.
    #[serde(with = "serde_bytes")]
    pub nonce: [u8; 32],
    /// Who may enter; if absent, everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admission: Option<Admission>,
}

/// Who may enter a permissioned network without an invite: these, and the first committee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// Those who may invite others, ascending, 1 to [`limits::INVITERS_MAX`].
    pub inviters: Vec<AuthorId>,
    /// Others that need no invite, ascending, at most [`limits::ALLOWED_MAX`].
    pub allowed: Vec<AuthorId>,
}

/// Why a genesis is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes that are no genesis.
    #[error("the genesis cannot be read: {0}; take it from a current join link of the network")]
    Encoding(#[from] cbor::Error),
    /// Members that are no committee.
    #[error(transparent)]
    Committee(#[from] consensus::Error),
    /// Balances that are no ledger's beginning.
    #[error("the balances of the genesis are refused: {reason}")]
    Balances {
        /// The rule that was broken.
        reason: &'static str,
    },
    /// Lists that say of nobody, or not in one way, who may enter.
    #[error(
        "who may enter is refused: {inviters} inviters and {allowed} others; 1 to 16 and at most \
         128 are needed, each once and in ascending order"
    )]
    Admission {
        /// Those who may invite (count).
        inviters: usize,
        /// Others (count).
        allowed: usize,
    },
    /// Members that nobody can sample from.
    #[error(transparent)]
    Sampling(#[from] sampling::Error),
    /// A name that is no engine's.
    #[error("no engine has this name; there are \"quorum\" and \"qr-avalanche\"")]
    Engine,
    /// Credits where decisions are only probable.
    #[error(
        "a network that decides by sampling has no credits: its decisions are probable and have \
         no common order; leave the balances out, or choose the engine \"quorum\""
    )]
    Value,
    /// Proofs where nobody signs checkpoints.
    #[error(
        "this network decides by sampling, and a decision by sampling has no proof for others; ask \
         several members, or use a network with the engine \"quorum\""
    )]
    NoProofs,
    /// The genesis of another network.
    #[error(
        "the genesis belongs to network {found}, not to {expected}; take the one of its join link"
    )]
    Foreign {
        /// The network whose genesis this is.
        found: NetworkId,
        /// The network it was given for.
        expected: NetworkId,
    },
}

impl Error {
    /// Stable name of the cause.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Encoding(_) => "genesis-malformed",
            Self::Committee(error) => error.code(),
            Self::Balances { .. } => "genesis-balances",
            Self::Admission { .. } => "genesis-admission",
            Self::Sampling(error) => error.code(),
            Self::Engine => "engine-unknown",
            Self::Value => "sampling-no-value",
            Self::NoProofs => "sampling-no-proof",
            Self::Foreign { .. } => "genesis-foreign",
        }
    }
}

impl From<ledger::Error> for Error {
    fn from(_: ledger::Error) -> Self {
        Self::Balances { reason: "all together are more than 2^53 - 1" }
    }
}

impl Genesis {
    /// The beginning of a network of these members, in any order, that decides by quorums.
    ///
    /// # Errors
    /// [`Error::Committee`] for fewer than four or too many members, one twice, or a weight out of
    /// bounds; [`Error::Balances`] for an author twice, a balance of 0, or too much in all;
    /// [`Error::Encoding`] when it is larger than [`limits::GENESIS_BYTES_MAX`].
    pub fn new(
        committee: Vec<(AuthorId, u32)>,
        balances: Vec<(AuthorId, MicroCredits)>,
        nonce: [u8; 32],
    ) -> Result<Self, Error> {
        Self::with_engine(Engine::Quorum, committee, balances, nonce)
    }

    /// As [`Genesis::new`], for a network that decides by this engine.
    ///
    /// # Errors
    /// As [`Genesis::new`]; [`Error::Value`] for balances in a network that samples.
    pub fn with_engine(
        engine: Engine,
        committee: Vec<(AuthorId, u32)>,
        balances: Vec<(AuthorId, MicroCredits)>,
        nonce: [u8; 32],
    ) -> Result<Self, Error> {
        Self::with_admission(engine, committee, balances, nonce, None)
    }

    /// As [`Genesis::with_engine`], for a network that only some may enter; then `committee` may be
    /// empty.
    ///
    /// # Errors
    /// As [`Genesis::with_engine`]; [`Error::Admission`] for no inviters, or too many of a list.
    pub fn with_admission(
        engine: Engine,
        mut committee: Vec<(AuthorId, u32)>,
        mut balances: Vec<(AuthorId, MicroCredits)>,
        nonce: [u8; 32],
        mut admission: Option<Admission>,
    ) -> Result<Self, Error> {
        committee.sort_unstable();
        balances.sort_unstable();
        for list in admission.iter_mut().flat_map(|lists| [&mut lists.inviters, &mut lists.allowed])
        {
            list.sort_unstable();
            list.dedup();
        }
        let genesis = Self { engine, committee, balances, nonce, admission };
        genesis.validate()?;
        let (bytes, bytes_max) = (genesis.encode().len(), limits::GENESIS_BYTES_MAX);
        if bytes > bytes_max {
            return Err(cbor::Error::TooLarge { bytes, bytes_max }.into());
        }
        Ok(genesis)
    }

    /// Its canonical bytes.
    ///
    /// # Panics
    /// Never: names, numbers and byte strings always encode.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("names, numbers and byte strings always encode")
    }

    /// Reads the canonical bytes of a genesis and nothing else.
    ///
    /// # Errors
    /// Any but [`Error::Foreign`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let genesis: Self = cbor::decode(bytes, &BOUNDS)?;
        genesis.validate()?;
        Ok(genesis)
    }

    /// The network that begins so.
    pub fn network(&self) -> NetworkId {
        NetworkId::of_genesis(&self.encode())
    }

    /// Refuses the genesis of another network.
    ///
    /// # Errors
    /// [`Error::Foreign`].
    pub fn check_network(&self, expected: &NetworkId) -> Result<(), Error> {
        let found = self.network();
        if found == *expected { Ok(()) } else { Err(Error::Foreign { found, expected: *expected }) }
    }

    /// The members of epoch 0.
    ///
    /// # Errors
    /// [`Error::Committee`], which a genesis that was read or made does not have.
    pub fn committee(&self) -> Result<Committee, Error> {
        Ok(Committee::new(0, self.committee.clone())?)
    }

    /// Whether anything is ever final in the network.
    pub fn decides(&self) -> bool {
        self.admission.is_none() || !self.committee.is_empty()
    }

    /// Who may enter, where not everybody may.
    pub fn rule(&self) -> Option<Rule> {
        let Admission { inviters, allowed } = self.admission.as_ref()?;
        let committee = self.committee.iter().map(|(member, _)| *member);
        let listed = allowed.iter().copied().chain(committee);
        Some(Rule::new(self.network(), inviters.iter().copied(), listed))
    }

    /// What the ledger of the network begins with.
    pub fn ledger(&self) -> ledger::Genesis {
        ledger::Genesis { balances: self.balances.iter().copied().collect() }
    }

    /// Where trust in proofs begins for who knows this network.
    ///
    /// `height_min` is the lowest height of a checkpoint that is accepted (count).
    ///
    /// # Errors
    /// As [`Genesis::committee`]; [`Error::NoProofs`] for a network that samples.
    pub fn trust(&self, height_min: u64) -> Result<consensus::Genesis, Error> {
        if self.engine == Engine::QrAvalanche {
            return Err(Error::NoProofs);
        }
        let (network, committee) = (self.network(), self.committee()?);
        Ok(consensus::Genesis { network, committee, height_min })
    }

    fn validate(&self) -> Result<(), Error> {
        if let Some(Admission { inviters, allowed }) = &self.admission {
            let fits = |list: &[AuthorId], min: usize, max: usize| {
                (min..=max).contains(&list.len()) && list.is_sorted_by(|left, right| left < right)
            };
            if !fits(inviters, 1, limits::INVITERS_MAX) || !fits(allowed, 0, limits::ALLOWED_MAX) {
                let (inviters, allowed) = (inviters.len(), allowed.len());
                return Err(Error::Admission { inviters, allowed });
            }
        }
        if !self.decides() && self.balances.is_empty() && self.engine == Engine::Quorum {
            return Ok(());
        }
        if self.engine == Engine::QrAvalanche && !self.balances.is_empty() {
            return Err(Error::Value);
        }
        let committee = self.committee()?;
        // One set of members has one encoding, and with it one network.
        if committee.members() != self.committee {
            let reason = "its members are not in ascending order";
            let members = self.committee.len();
            return Err(consensus::Error::Committee { members, reason }.into());
        }
        let mut accounts = self.balances.iter().zip(self.balances.iter().skip(1));
        if accounts.any(|((left, _), (right, _))| left >= right) {
            let reason = "an author stands there twice, or they are not in ascending order";
            return Err(Error::Balances { reason });
        }
        if self.balances.iter().any(|(_, amount)| *amount == MicroCredits::ZERO) {
            return Err(Error::Balances { reason: "a balance of nothing; leave that author out" });
        }
        ledger::State::new(&self.ledger())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn author(number: u8) -> AuthorId {
        AuthorId::from_bytes([number; 32])
    }

    fn members(numbers: std::ops::Range<u8>) -> Vec<(AuthorId, u32)> {
        numbers.map(|number| (author(number), 1)).collect()
    }

    fn genesis() -> Genesis {
        let balances = vec![(author(9), MicroCredits(5)), (author(2), MicroCredits(7))];
        Genesis::new(members(1..5), balances, [3; 32]).unwrap()
    }

    #[test]
    fn what_was_written_is_read_and_any_change_is_another_network() {
        let genesis = genesis();
        let bytes = genesis.encode();
        assert_eq!(Genesis::decode(&bytes).as_ref(), Ok(&genesis));
        assert_eq!(genesis.network(), NetworkId::of_genesis(&bytes));
        assert_eq!(genesis.check_network(&genesis.network()), Ok(()));
        let mut others = vec![genesis.clone(), genesis.clone(), genesis.clone()];
        others[0].nonce[31] ^= 1;
        others[1].committee[0].1 = 2;
        others[2].balances[0].1 = MicroCredits(8);
        for other in others {
            assert_eq!(Genesis::decode(&other.encode()).as_ref(), Ok(&other), "sound by itself");
            let refused = other.check_network(&genesis.network()).unwrap_err();
            assert_eq!(refused.code(), "genesis-foreign");
        }
    }

    /// The id of a network is for good, and so is how it follows from a genesis: the domain hash of
    /// bytes that are written out here by hand.
    #[test]
    fn the_id_of_a_network_is_the_hash_of_the_bytes_in_their_domain() {
        let genesis = Genesis::new(members(1..5), Vec::new(), [3; 32]).unwrap();
        let mut bytes = vec![0xa4];
        bytes.extend(b"\x65nonce\x58\x20");
        bytes.extend([3; 32]);
        bytes.extend(b"\x66engine\x66quorum\x68balances\x80\x69committee\x84");
        for number in 1..5 {
            bytes.extend([0x82, 0x58, 0x20]);
            bytes.extend([number; 32]);
            bytes.push(1);
        }
        assert_eq!(genesis.encode(), bytes);
        let digest = blake3::derive_key("synaptic-mesh 2026 genesis v1", &bytes);
        assert_eq!(genesis.network().as_bytes(), &digest);
    }

    /// Made by the version before there was a second engine.
    #[test]
    fn networks_that_decide_by_quorums_keep_their_ids() {
        let id = genesis().network().to_string();
        assert_eq!(id, "5vb65e457zdma6lev6lfffig32ubtzsxynnrwczou7z7cibwocda");
    }

    #[test]
    fn the_engine_is_part_of_the_network() {
        let quorum = Genesis::new(members(1..5), Vec::new(), [3; 32]).unwrap();
        let made = |engine| Genesis::with_engine(engine, members(1..5), Vec::new(), [3; 32]);
        let sampled = made(Engine::QrAvalanche).unwrap();
        assert_eq!(made(Engine::Quorum), Ok(quorum.clone()));
        assert_ne!(sampled.network(), quorum.network());
        let bytes = sampled.encode();
        assert!(bytes.windows(12).any(|window| window == b"qr-avalanche"));
        assert_eq!(Genesis::decode(&bytes), Ok(sampled));
        for engine in [Engine::Quorum, Engine::QrAvalanche] {
            assert_eq!(engine.name().parse(), Ok(engine));
        }
        assert_eq!("avalanche".parse::<Engine>().unwrap_err().code(), "engine-unknown");
    }

    #[test]
    fn who_may_enter_is_part_of_the_network_and_needs_no_committee() {
        let lists = |inviters: &[u8], allowed: &[u8]| {
            let ids = |list: &[u8]| list.iter().map(|number| author(*number)).collect();
            Some(Admission { inviters: ids(inviters), allowed: ids(allowed) })
        };
        let made = |committee: std::ops::Range<u8>, admission| {
            let committee = members(committee);
            Genesis::with_admission(Engine::Quorum, committee, Vec::new(), [3; 32], admission)
        };
        let alone = made(0..0, lists(&[9, 8, 9], &[2])).unwrap();
        assert_eq!(Genesis::decode(&alone.encode()).as_ref(), Ok(&alone));
        assert!(!alone.decides());
        let rule = alone.rule().unwrap();
        assert!(rule.may_invite(&author(8)) && rule.lists(&author(2)) && rule.lists(&author(8)));
        assert!(!rule.may_invite(&author(2)) && !rule.lists(&author(1)));
        let both = made(1..5, lists(&[9], &[])).unwrap();
        assert!(both.decides() && both.rule().unwrap().lists(&author(4)));
        let open = made(1..5, None).unwrap();
        assert_eq!(open.rule(), None);
        assert_ne!(both.network(), open.network());
        assert_eq!(made(0..0, None).unwrap_err().code(), "committee-invalid");
        assert_eq!(made(1..3, lists(&[9], &[])).unwrap_err().code(), "committee-invalid");
        assert_eq!(made(0..0, lists(&[], &[2])).unwrap_err().code(), "genesis-admission");
        let many: Vec<u8> = (0..17).collect();
        assert_eq!(made(0..0, lists(&many, &[])).unwrap_err().code(), "genesis-admission");
        let mut rich = alone.clone();
        rich.balances = vec![(author(1), MicroCredits(1))];
        assert_eq!(Genesis::decode(&rich.encode()).unwrap_err().code(), "committee-invalid");
        let mut swapped = alone;
        swapped.admission.as_mut().unwrap().inviters.swap(0, 1);
        assert_eq!(Genesis::decode(&swapped.encode()).unwrap_err().code(), "genesis-admission");
    }

    #[test]
    fn a_network_that_samples_has_neither_credits_nor_proofs() {
        let mut rich = genesis();
        rich.engine = Engine::QrAvalanche;
        assert_eq!(Genesis::decode(&rich.encode()).unwrap_err().code(), "sampling-no-value");
        let Genesis { engine, committee, balances, nonce, .. } = rich;
        let refused = Genesis::with_engine(engine, committee.clone(), balances, nonce);
        assert_eq!(refused.unwrap_err().code(), "sampling-no-value");
        let poor = Genesis::with_engine(engine, committee, Vec::new(), nonce).unwrap();
        assert_eq!(poor.trust(0).unwrap_err().code(), "sampling-no-proof");
        assert!(genesis().trust(0).is_ok(), "control");
        let three = Genesis::with_engine(engine, members(1..4), Vec::new(), nonce);
        assert_eq!(three.unwrap_err().code(), "committee-invalid");
    }

    #[test]
    fn three_members_a_member_twice_and_weights_of_nothing_are_no_committee() {
        let twice = [members(1..5), members(4..5)].concat();
        let weightless = [members(1..4), vec![(author(4), 0)]].concat();
        for committee in [members(1..4), twice, weightless, members(0..101), Vec::new()] {
            let refused = Genesis::new(committee, Vec::new(), [0; 32]).unwrap_err();
            assert_eq!(refused.code(), "committee-invalid");
        }
        assert!(Genesis::new(members(0..100), Vec::new(), [0; 32]).is_ok());
    }

    #[test]
    fn balances_are_over_nothing_of_one_author_each_and_exact_in_all() {
        let (one, most) = (MicroCredits(1), MicroCredits(limits::LEDGER_MINTED_MAX));
        for balances in [
            vec![(author(1), one), (author(1), one)],
            vec![(author(1), MicroCredits::ZERO)],
            vec![(author(1), most), (author(2), one)],
        ] {
            let refused = Genesis::new(members(1..5), balances, [0; 32]).unwrap_err();
            assert_eq!(refused.code(), "genesis-balances");
        }
        assert!(Genesis::new(members(1..5), vec![(author(1), most)], [0; 32]).is_ok());
    }

    #[test]
    fn other_orders_engines_and_sizes_are_refused() {
        let mut swapped = genesis();
        swapped.committee.swap(0, 1);
        assert_eq!(Genesis::decode(&swapped.encode()).unwrap_err().code(), "committee-invalid");
        let mut swapped = genesis();
        swapped.balances.swap(0, 1);
        assert_eq!(Genesis::decode(&swapped.encode()).unwrap_err().code(), "genesis-balances");
        let mut bytes = genesis().encode();
        let at = bytes.windows(6).position(|window| window == b"quorum").unwrap();
        bytes[at] = b'Q';
        assert_eq!(Genesis::decode(&bytes).unwrap_err().code(), "genesis-malformed");
        let rich = |number: u16| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            (AuthorId::from_bytes(bytes), MicroCredits(1))
        };
        let balances = (0..500).map(rich).collect();
        let refused = Genesis::new(members(1..5), balances, [0; 32]).unwrap_err();
        assert_eq!(refused.code(), "genesis-malformed", "{refused}");
        // As many as fit the bytes fit the items, too.
        let balances = (0..400).map(rich).collect();
        let largest = Genesis::new(members(1..5), balances, [0; 32]).unwrap();
        assert_eq!(Genesis::decode(&largest.encode()), Ok(largest));
    }
}
