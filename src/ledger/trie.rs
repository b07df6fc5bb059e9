//! A map whose content has one hash, and of which a copy costs nothing.
//!
//! A binary radix trie over the hashes of the keys, in which every fork has two children (Morrison,
//! *PATRICIA*, 1968), with hashes over it (Merkle): its shape follows from the set of keys alone,
//! so equal maps have equal roots whatever happened to them before. Nodes never change; a changed
//! map shares all but the path to what changed with the one before it. Keys are hashed, so that
//! nobody chooses how deep the trie gets.
//!
//! O(log n) per look-up and change, O(changes log n) hashes per root; hashes are kept once taken.
//! About 160 bytes an entry. No entry can be proven to be absent.

use std::sync::{Arc, OnceLock};

use serde::Serialize;

use crate::crypto::hash::Digest;
use crate::dag::cbor;

/// Domain of the places of keys.
const PATH_DOMAIN: &str = "synaptic-mesh 2026 ledger path v1";
/// Domain of entries.
const LEAF_DOMAIN: &str = "synaptic-mesh 2026 ledger record v1";
/// Domain of forks.
const FORK_DOMAIN: &str = "synaptic-mesh 2026 ledger fork v1";

/// One hash.
pub(super) type Hash = [u8; 32];

/// A map of entries of one kind.
#[derive(Clone, Debug)]
pub(super) struct Trie<K, V> {
    kind: &'static str,
    root: Option<Arc<Node<K, V>>>,
    len: usize,
}

#[derive(Debug)]
enum Node<K, V> {
    Leaf(K, V),
    Fork {
        /// The first bit in which paths to the left and to the right differ.
        bit: u16,
        left: Arc<Node<K, V>>,
        right: Arc<Node<K, V>>,
        hash: OnceLock<Hash>,
    },
}

type Link<K, V> = Arc<Node<K, V>>;

impl<K, V> Trie<K, V>
where
    K: Clone + Eq + Serialize,
    V: Clone + Serialize,
{
    pub(super) const fn new(kind: &'static str) -> Self {
        Self { kind, root: None, len: 0 }
    }

    /// Entries (count).
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let (found, value) = self.root.as_deref()?.nearest(&self.path(key));
        (found == key).then_some(value)
    }

    /// A map of these entries.
    pub(super) fn of(kind: &'static str, entries: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut map = Self::new(kind);
        entries.into_iter().for_each(|(key, value)| map.insert(key, value));
        map
    }

    /// Adds or replaces an entry.
    pub(super) fn insert(&mut self, key: K, value: V) {
        let path = self.path(&key);
        let leaf = Arc::new(Node::Leaf(key, value));
        let Some(root) = &self.root else {
            (self.root, self.len) = (Some(leaf), 1);
            return;
        };
        let (nearest, _) = root.nearest(&path);
        let differs = first_difference(&path, &self.path(nearest));
        self.len += usize::from(differs.is_some());
        self.root = Some(with(root, &path, differs, leaf));
    }

    /// Takes an entry out; gives what it was.
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let value = self.get(key)?.clone();
        self.root = without(self.root.as_ref()?, &self.path(key));
        self.len -= 1;
        Some(value)
    }

    /// All entries, in an order that follows from the keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let mut open: Vec<&Node<K, V>> = self.root.iter().map(AsRef::as_ref).collect();
        std::iter::from_fn(move || {
            loop {
                match open.pop()? {
                    Node::Leaf(key, value) => return Some((key, value)),
                    Node::Fork { left, right, .. } => open.extend([right.as_ref(), left.as_ref()]),
                }
            }
        })
    }

    /// An entry as the bytes that are hashed.
    pub(super) fn record(&self, key: &K, value: &V) -> Vec<u8> {
        record(self.kind, key, value)
    }

    /// The hash that commits to all entries; zeros for none.
    pub(super) fn root(&self) -> Hash {
        self.root.as_ref().map_or([0; 32], |root| root.hash(self.kind))
    }

    fn path(&self, key: &K) -> Hash {
        let key = cbor::encode(key).expect("numbers, texts, bytes and links always encode");
        Digest::derive(PATH_DOMAIN, &[self.kind.as_bytes(), &key]).0
    }
}

impl<K, V> PartialEq for Trie<K, V>
where
    K: Clone + Eq + Serialize,
    V: Clone + PartialEq + Serialize,
{
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.iter().eq(other.iter())
    }
}

impl<K, V> Eq for Trie<K, V>
where
    K: Clone + Eq + Serialize,
    V: Clone + Eq + Serialize,
{
}

impl<K: Serialize, V: Serialize> Node<K, V> {
    /// The entry under this path, or one that shares as much of it as any.
    fn nearest(&self, path: &Hash) -> (&K, &V) {
        let mut node = self;
        loop {
            match node {
                Self::Leaf(key, value) => return (key, value),
                Self::Fork { bit, left, right, .. } => {
                    node = if is_set(path, *bit) { right } else { left };
                }
            }
        }
    }

    fn hash(&self, kind: &'static str) -> Hash {
        match self {
            Self::Leaf(key, value) => Digest::derive(LEAF_DOMAIN, &[&record(kind, key, value)]).0,
            Self::Fork { bit, left, right, hash } => {
                *hash.get_or_init(|| fork_hash(*bit, &left.hash(kind), &right.hash(kind)))
            }
        }
    }
}

fn record<K: Serialize, V: Serialize>(kind: &str, key: &K, value: &V) -> Vec<u8> {
    cbor::encode(&(kind, key, value)).expect("numbers, texts, bytes and links always encode")
}

fn fork_hash(bit: u16, left: &Hash, right: &Hash) -> Hash {
    Digest::derive(FORK_DOMAIN, &[&bit.to_be_bytes(), left, right]).0
}

fn fork<K, V>(bit: u16, left: Link<K, V>, right: Link<K, V>) -> Link<K, V> {
    Arc::new(Node::Fork { bit, left, right, hash: OnceLock::new() })
}

/// The trie with a leaf on this path, which differs from its nearest in this bit, or replaces it.
fn with<K, V>(
    node: &Link<K, V>,
    path: &Hash,
    differs: Option<u16>,
    leaf: Link<K, V>,
) -> Link<K, V> {
    match (node.as_ref(), differs) {
        (Node::Fork { bit, left, right, .. }, _) if differs.is_none_or(|at| *bit < at) => {
            if is_set(path, *bit) {
                fork(*bit, left.clone(), with(right, path, differs, leaf))
            } else {
                fork(*bit, with(left, path, differs, leaf), right.clone())
            }
        }
        (_, Some(at)) if is_set(path, at) => fork(at, node.clone(), leaf),
        (_, Some(at)) => fork(at, leaf, node.clone()),
        (_, None) => leaf,
    }
}

/// The trie without the leaf on this path, which is there.
fn without<K, V>(node: &Link<K, V>, path: &Hash) -> Option<Link<K, V>> {
    let Node::Fork { bit, left, right, .. } = node.as_ref() else { return None };
    Some(if is_set(path, *bit) {
        match without(right, path) {
            Some(rest) => fork(*bit, left.clone(), rest),
            None => left.clone(),
        }
    } else {
        match without(left, path) {
            Some(rest) => fork(*bit, rest, right.clone()),
            None => right.clone(),
        }
    })
}

/// Bit `at` of a path, from the most significant of the first byte.
fn is_set(path: &Hash, at: u16) -> bool {
    path.get(usize::from(at / 8)).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1)
}

fn first_difference(left: &Hash, right: &Hash) -> Option<u16> {
    (0..256).find(|at| is_set(left, *at) != is_set(right, *at))
}
