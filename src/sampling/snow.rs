//! What a node thinks about one key: preference and confidence.
//!
//! The Snow family of arXiv 1906.08936, section 2, each adding to the one before:
//!
//! - *Slush* goes over to the item of the last successful poll.
//! - *Snowflake* counts successful polls in a row for one item, its confidence; `beta` decide. Any
//!   poll without a majority sets it back to 0, one for another item to 1.
//! - *Snowball* prefers the item with the most successful polls so far, so that one odd sample
//!   does not turn a node round; confidence is counted as in Snowflake.
//!
//! The two thresholds are avalanchego's (`snow/consensus/snowball/nnary_snowflake.go` and
//! `nnary_snowball.go`): `alpha_preference` seats change the preference, only `alpha_confidence`
//! raise the confidence, fewer set it back.

use std::collections::BTreeMap;

use super::{Config, Rule};
use crate::dag::vote::ItemId;

/// One instance of Snowflake or Snowball.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snow {
    /// Slush: the item of the last successful poll, or the one that was seen first.
    last: ItemId,
    confidence: u32,
    decided: bool,
    /// Snowball only: successful polls by item, and the first item that had so many.
    strengths: BTreeMap<ItemId, u64>,
    strongest: (ItemId, u64),
}

impl Snow {
    /// Begins with the item that was seen first.
    pub fn new(first: ItemId) -> Self {
        Self {
            last: first,
            confidence: 0,
            decided: false,
            strengths: BTreeMap::new(),
            strongest: (first, 0),
        }
    }

    /// Takes the result of a poll: the item with the most seats and how many, if any answered.
    pub fn record(&mut self, config: &Config, winner: Option<(ItemId, u32)>) {
        if self.decided {
            return;
        }
        let successful = winner.filter(|(_, seats)| *seats >= config.alpha_preference);
        let Some((item, seats)) = successful else {
            self.confidence = 0;
            return;
        };
        if config.rule == Rule::Snowball {
            let strength = self.strengths.entry(item).or_default();
            *strength += 1;
            if *strength > self.strongest.1 {
                self.strongest = (item, *strength);
            }
        }
        let same = item == self.last;
        self.last = item;
        self.confidence = match seats >= config.alpha_confidence {
            true if same => self.confidence + 1,
            true => 1,
            false => 0,
        };
        self.decided = self.confidence >= config.beta;
    }

    /// What the node says when it is asked. Once decided, what was decided: in Snowball the
    /// strongest item may then be another one.
    pub fn preference(&self, rule: Rule) -> ItemId {
        match rule {
            Rule::Snowball if !self.decided => self.strongest.0,
            _ => self.last,
        }
    }

    /// Successful polls in a row for one item (count), up to `beta`.
    pub fn confidence(&self) -> u32 {
        self.confidence
    }

    /// What it decided, if it has.
    pub fn decided(&self) -> Option<ItemId> {
        self.decided.then_some(self.last)
    }
}
