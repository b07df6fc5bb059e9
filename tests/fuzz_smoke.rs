//! A short run of every fuzz target, on stable Rust and without a fuzzer: sound seeds damaged at
//! random, and every input that ever broke a target.
//!
//! `SEED` repeats a run; `FUZZ_INPUTS` makes it longer. A real search is `npm run fuzz -- TARGET`.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::{env, fs, panic, path::Path};

use synaptic_mesh::rng::Rng;

/// Inputs per target (count). With signature checks in the slowest, all take a few seconds.
const INPUTS: u32 = 400;
const DAMAGE_MAX: u32 = 3;
/// Longest input that damage makes, in bytes.
const INPUT_BYTES_MAX: usize = 1 << 17;
/// A list, bytes, a varint and a link, each longer than any input.
const HEADS: &[&[u8]] = &[
    &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x5a, 0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0xd8, 0x2a, 0x58, 0x25, 0x00],
];

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// One sound input with a few bytes flipped, inserted, dropped or doubled, or cut short.
#[expect(clippy::indexing_slicing, reason = "`pick` stays below the length it is given")]
fn damaged(seeds: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let pick = |rng: &mut Rng, count: usize| {
        let bound = u32::try_from(count).expect("seeds are small").max(1);
        usize::try_from(rng.below(bound)).expect("32 bits fit")
    };
    let mut bytes = seeds[pick(rng, seeds.len())].clone();
    for _ in 0..=rng.below(DAMAGE_MAX) {
        let at = pick(rng, bytes.len() + 1);
        let byte = rng.next_u32().to_le_bytes()[0];
        match rng.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << (byte % 8),
            1 if at < bytes.len() => bytes[at] = byte,
            2 => bytes.insert(at, byte),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            4 => bytes.truncate(at),
            5 => {
                let other = &seeds[pick(rng, seeds.len())];
                let from = pick(rng, other.len() + 1);
                let until = from + pick(rng, other.len() - from + 1);
                bytes.splice(at..at, other[from..until].iter().copied());
            }
            // The heads of CBOR and varints are where lengths are: extreme ones.
            6 => {
                let head = HEADS[usize::from(byte) % HEADS.len()];
                let until = bytes.len().min(at + head.len());
                bytes.splice(at..until, head.iter().copied());
            }
            _ => {
                let until = bytes.len().min(at + usize::from(byte));
                bytes.extend_from_within(at..until);
            }
        }
    }
    bytes.truncate(INPUT_BYTES_MAX);
    bytes
}

#[test]
fn no_target_breaks_on_damaged_seeds() {
    let seed = number("SEED", 1);
    let inputs = number("FUZZ_INPUTS", u64::from(INPUTS));
    for (name, target) in targets::TARGETS {
        let seeds = targets::seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seed to start from");
        for sound in &seeds {
            target(sound);
        }
        let mut rng = Rng::from_u64(seed);
        for input in 0..inputs {
            let bytes = damaged(&seeds, &mut rng);
            if panic::catch_unwind(|| target(&bytes)).is_err() {
                let place = env::temp_dir().join(format!("synaptic-mesh-{name}-{seed}-{input}"));
                fs::write(&place, &bytes).expect("the temporary folder can be written");
                panic!("{name} broke (SEED={seed}); move {} to tests/regressions", place.display());
            }
        }
    }
}

#[test]
fn inputs_that_once_broke_a_target_do_not_any_more() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions");
    for entry in fs::read_dir(folder).expect("tests/regressions is there") {
        let path = entry.expect("it can be listed").path();
        let file = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        let matching = |(name, _): &&(&str, targets::Target)| file.starts_with(&format!("{name}-"));
        match targets::TARGETS.iter().find(matching) {
            Some((_, target)) => target(&fs::read(&path).expect("it can be read")),
            None => assert_eq!(file, "README.md", "named after a target: TARGET-cause"),
        }
    }
}

#[test]
fn every_target_can_be_given_to_the_fuzzer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("fuzz has a manifest");
    for (name, _) in targets::TARGETS {
        let driver = folder.join(format!("fuzz_targets/{name}.rs"));
        let text = fs::read_to_string(&driver).expect("a driver for every target");
        assert!(
            text.contains(&format!("targets::{name}(")),
            "{name}'s driver calls another target"
        );
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} is not in fuzz/Cargo.toml"
        );
    }
}
