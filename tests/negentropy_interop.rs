//! Reconciliation by ranges against the reference implementation of negentropy, byte for byte.
//!
//! `tests/interop/negentropy.mjs` runs the reference in Node. For each of 1,000 random pairs of
//! sets, both implementations play both roles at once: whatever is said, each must say the same,
//! find the same, and keep to the same limit. A harness of its own, because whether Node and the
//! reference are there is only known at run time: without them the tests count as ignored, and say
//! so. `npm test` installs it. `SEED` gives other pairs.

#![expect(clippy::print_stdout, reason = "it is its own harness")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::{env, panic};

use synaptic_mesh::crypto::hash::Digest;
use synaptic_mesh::dag::{Key, Timeline, VertexId};
use synaptic_mesh::rng::Rng;
use synaptic_mesh::sync::negentropy::{FRAME_BYTES_MIN, Id, answer, initiate, reconcile};

const PAIRS: usize = 1_000;

fn main() -> ExitCode {
    let tests: [(&str, Test); 2] = [
        ("every_message_has_the_bytes_of_the_reference", every_message_has_the_same_bytes),
        ("one_item_more_is_noticed", one_item_more_is_noticed),
    ];
    let filter: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| filter.is_empty() || filter.iter().any(|word| name.contains(word));
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    for (name, test) in tests.into_iter().filter(|(name, _)| wanted(name)) {
        let result = match Reference::start() {
            Err(why) => {
                println!("the reference cannot be compared with: {why}");
                ignored += 1;
                "ignored"
            }
            Ok(mut reference) => {
                let test = panic::AssertUnwindSafe(|| test(&mut reference));
                if panic::catch_unwind(test).is_ok() {
                    passed += 1;
                    "ok"
                } else {
                    failed += 1;
                    "FAILED"
                }
            }
        };
        println!("test {name} ... {result}");
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored");
    ExitCode::from(u8::from(failed > 0))
}

type Test = fn(&mut Reference);
type Set = BTreeSet<(u64, Id)>;

// ---- the reference ----------------------------------------------------------------------------

struct Reference {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

/// What one side says to a message: its own next message if any, what it has, what it needs.
type Said = (Option<Vec<u8>>, Vec<Id>, Vec<Id>);

impl Reference {
    fn start() -> Result<Self, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
        if !folder.join("reference/node_modules").exists() {
            return Err("run `npm ci` in tests/interop/reference".to_owned());
        }
        let started = Command::new("node")
            .arg(folder.join("negentropy.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = started.map_err(|error| format!("node: {error}"))?;
        let to = child.stdin.take().expect("it is piped");
        let from = BufReader::new(child.stdout.take().expect("it is piped"));
        Ok(Self { child, to, from })
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.to, "{line}").expect("it reads");
        let mut reply = String::new();
        self.from.read_line(&mut reply).expect("it answers");
        assert!(reply.ends_with('\n'), "the reference has ended");
        reply.truncate(reply.len() - 1);
        reply
    }

    fn set(&mut self, slot: &str, set: &Set, frame: Option<usize>) {
        let mut line = format!("set,{slot},{},", frame.unwrap_or(0));
        for (timestamp, id) in set {
            write!(line, "{timestamp}:{} ", hex(id)).expect("memory");
        }
        assert_eq!(self.ask(&line), "ok");
    }

    fn hear(&mut self, line: &str) -> Said {
        let reply = self.ask(line);
        let mut parts = reply.split(';');
        let mut part = || parts.next().expect("three parts");
        let next = Some(part()).filter(|text| *text != "done").map(bytes);
        let mut ids = || {
            part().split_whitespace().map(|id| bytes(id).try_into().expect("32 bytes")).collect()
        };
        (next, ids(), ids())
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("memory");
    }
    text
}

fn bytes(hex: &str) -> Vec<u8> {
    let (pairs, _) = hex.as_bytes().as_chunks::<2>();
    let pairs = pairs.iter().map(|pair| str::from_utf8(pair).expect("hex is ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}

// ---- sets -------------------------------------------------------------------------------------

fn timeline(set: &Set) -> Timeline {
    let mut timeline = Timeline::new();
    for (lamport, id) in set {
        timeline.insert(Key { lamport: *lamport, id: VertexId(Digest(*id)) });
    }
    timeline
}

/// Two sets: mostly small, sometimes thousands; much in common, or little; time stamps of a
/// history (each a few times) or all the same; some ids that begin alike.
fn pair(rng: &mut Rng) -> [Set; 2] {
    let most = pick(rng, [40, 400, 400, 2_500, 400]);
    let counts = [rng.below(most / 4 + 1), rng.below(most / 4 + 1), rng.below(most + 1)];
    let spread = pick(rng, [1, 3, 50, 100_000, 1 << 30]);
    let mut sets = [Set::new(), Set::new()];
    for (part, count) in counts.into_iter().enumerate() {
        for _ in 0..count {
            let mut id = [0; 32];
            rng.fill(&mut id);
            if rng.below(4) == 0 {
                let alike = below(rng, 29);
                id.iter_mut().take(alike).for_each(|byte| *byte = 0xee);
            }
            let item = (u64::from(rng.below(spread)), id);
            for (_, set) in
                sets.iter_mut().enumerate().filter(|(side, _)| [*side, 2].contains(&part))
            {
                set.insert(item);
            }
        }
    }
    sets
}

fn pick(rng: &mut Rng, from: [u32; 5]) -> u32 {
    from.into_iter().nth(below(rng, 5)).expect("one of five")
}

fn below(rng: &mut Rng, bound: u32) -> usize {
    usize::try_from(rng.below(bound)).expect("32 bits fit")
}

fn frame(rng: &mut Rng) -> Option<usize> {
    let over = below(rng, 8_000);
    (rng.below(2) == 0).then_some(FRAME_BYTES_MIN + over)
}

// ---- tests ------------------------------------------------------------------------------------

/// What happened in one dialogue.
#[derive(Default)]
struct Dialogue {
    messages: usize,
    bytes: usize,
    /// Whether a limit made a difference: a message more than without.
    is_cut: bool,
}

/// Both implementations ask and answer the same; panics at the first difference.
fn compare(reference: &mut Reference, sets: &[Set; 2], frames: [Option<usize>; 2]) -> Dialogue {
    let [mine, theirs] = sets;
    reference.set("asker", mine, frames[0]);
    reference.set("answerer", theirs, frames[1]);
    let (asker, answerer) = (timeline(mine), timeline(theirs));
    let mut dialogue = Dialogue::default();
    let mut message = initiate(&asker);
    assert_eq!(reference.hear("initiate,asker").0.as_deref(), Some(&*message), "first message");
    let (mut have, mut need) = (Set::new(), Set::new());
    loop {
        let (reply, _) = answer(&answerer, &message, frames[1]).expect("a sound question");
        let said = reference.hear(&format!("msg,answerer,{}", hex(&message)));
        assert_eq!(said.0.as_deref(), Some(&*reply), "the answer to {}", hex(&message));
        let found = reconcile(&asker, &reply, frames[0]).expect("a sound answer");
        let said = reference.hear(&format!("msg,asker,{}", hex(&reply)));
        let needs: Vec<Id> = found.need.iter().map(|need| need.id).collect();
        assert!(said.1 == found.have && said.2 == needs, "what is found in {}", hex(&reply));
        assert_eq!(said.0, found.next, "what is asked next after {}", hex(&reply));
        have.extend(found.have.iter().map(|id| (0, *id)));
        need.extend(needs.iter().map(|id| (0, *id)));
        dialogue.messages += 2;
        dialogue.bytes += message.len() + reply.len();
        for (bytes, frame) in [(&message, frames[0]), (&reply, frames[1])] {
            dialogue.is_cut |= frame.is_some_and(|max| bytes.len() + 200 > max);
            assert!(frame.is_none_or(|max| bytes.len() <= max), "a frame of {}", bytes.len());
        }
        let Some(next) = found.next else { break };
        message = next;
    }
    let names =
        |one: &Set, other: &Set| -> Set { one.difference(other).map(|(_, id)| (0, *id)).collect() };
    assert!(have == names(mine, theirs) && need == names(theirs, mine), "the differences");
    dialogue
}

fn every_message_has_the_same_bytes(reference: &mut Reference) {
    let seed = env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("SEED={seed}");
    let mut rng = Rng::from_u64(seed);
    let (mut messages, mut bytes, mut cut) = (0, 0, 0);
    for number in 0..PAIRS {
        let sets = pair(&mut rng);
        let frames = [frame(&mut rng), frame(&mut rng)];
        let compared = panic::AssertUnwindSafe(|| compare(reference, &sets, frames));
        let Ok(dialogue) = panic::catch_unwind(compared) else {
            panic!("pair {number} of SEED={seed}, frames {frames:?}");
        };
        messages += dialogue.messages;
        bytes += dialogue.bytes;
        cut += usize::from(dialogue.is_cut);
    }
    println!("{PAIRS} pairs: {messages} messages, {bytes} bytes, {cut} pairs with full frames");
    assert!(cut > PAIRS / 20, "limits of frames were hardly tried: {cut}");
}

/// The control: were the sets not the same on both sides, the comparison would fail.
fn one_item_more_is_noticed(reference: &mut Reference) {
    let mut rng = Rng::from_u64(1);
    let [mine, theirs] = pair(&mut rng);
    compare(reference, &[mine.clone(), theirs.clone()], [None; 2]);
    let mut more = mine.clone();
    more.insert((1, [0x55; 32]));
    let first = initiate(&timeline(&more));
    reference.set("asker", &mine, None);
    assert_ne!(reference.hear("initiate,asker").0, Some(first));
}
