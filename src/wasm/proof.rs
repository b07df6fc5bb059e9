//! Checking that something is final, for JavaScript: in the artifact `proof`, which can do nothing
//! else, and in `mesh`. Whoever has the genesis, which the id of the network names, needs no node,
//! no network and no history.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::consensus;
use crate::dag::vote::Decision;
use crate::genesis::{self, Genesis};
use crate::wasm::error::{Coded, thrown};
use crate::wasm::number::{count, hex};
use crate::wasm::reader::object;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What a proof proves. */
export interface ProvenItem {
  readonly network: string;
  /** The final item, and the conflict key it has for good. */
  readonly item: string;
  readonly key: string;
  /** The checkpoint that holds it: its epoch, height, and the root of the state after it. */
  readonly epoch: number;
  readonly height: number;
  readonly stateRoot: string;
  /** Decisions up to there (count). */
  readonly decided: number;
}
"#;

/// Verifies a proof that `MeshNode.prove` gave, from nothing but the genesis of the network.
/// `heightMin` is the lowest height of a checkpoint that is accepted, 0 unless given: members of
/// long ago may have sold their keys.
///
/// # Errors
/// The first thing that is wrong with it, by code.
#[wasm_bindgen(js_name = verifyProof, unchecked_return_type = "ProvenItem")]
pub fn verify_proof(
    genesis: &[u8],
    proof: &[u8],
    #[wasm_bindgen(js_name = heightMin)] height_min: Option<u32>,
) -> Result<JsValue, JsValue> {
    let genesis = Genesis::decode(genesis).map_err(thrown)?;
    let trust = genesis.trust(u64::from(height_min.unwrap_or(0))).map_err(thrown)?;
    let proven = consensus::verify_proof(&trust, proof).map_err(thrown)?;
    let (Decision(key, item), checkpoint) = proven;
    Ok(object(&[
        ("network", checkpoint.network.to_string().into()),
        ("item", item.to_string().into()),
        ("key", hex(key.as_bytes()).into()),
        ("epoch", count(checkpoint.epoch)),
        ("height", count(checkpoint.height)),
        ("stateRoot", hex(&checkpoint.state_root).into()),
        ("decided", count(checkpoint.decided)),
    ]))
}

impl Coded for genesis::Error {
    fn code(&self) -> &'static str {
        genesis::Error::code(self)
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Encoding(_) | Self::Foreign { .. } => {
                "use the bytes of a join link of the network, unchanged"
            }
            Self::Engine => "leave it out for \"quorum\"",
            Self::Value => "credits need quorums",
            Self::NoProofs => "do not rely on proofs that claim to be of this network",
            _ => {
                "name 4 to 100 members, each once, and credits over 0 that add up to less than 2^53"
            }
        }
    }
}

impl Coded for consensus::Error {
    fn code(&self) -> &'static str {
        consensus::Error::code(self)
    }

    fn hint(&self) -> &'static str {
        "do not rely on it; ask another member for a proof"
    }
}
