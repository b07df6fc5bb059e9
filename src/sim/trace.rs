//! The trace: one line of JSON for every input of every node, and the hash of all lines.
//!
//! The hash is the BLAKE3-256 of the very bytes that are written with `--trace`, so it can be
//! checked with any tool. It is taken whether or not lines are kept.

use std::fmt::Write as _;

use crate::effect::Input;

/// Takes lines.
pub type Sink = Box<dyn FnMut(&str)>;

/// Where lines go.
pub struct Trace {
    hasher: blake3::Hasher,
    sink: Option<Sink>,
    line: String,
    lines: u64,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trace({} lines)", self.lines)
    }
}

impl Trace {
    /// A trace of which only the hash is kept.
    pub fn hash_only() -> Self {
        Self { hasher: blake3::Hasher::new(), sink: None, line: String::new(), lines: 0 }
    }

    /// A trace whose lines are handed on.
    pub fn to(sink: Sink) -> Self {
        Self { sink: Some(sink), ..Self::hash_only() }
    }

    /// How many lines there are.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The hash of all lines so far, as hexadecimal text.
    pub fn hash(&self) -> String {
        data_encoding::HEXLOWER.encode(self.hasher.finalize().as_bytes())
    }

    /// An input of a node, before the node sees it.
    pub fn input(&mut self, at_us: u64, node: usize, input: &Input) {
        self.line.clear();
        let line = &mut self.line;
        write!(line, "{{\"us\":{at_us},\"node\":{node},").expect("a string takes all");
        let (kind, bytes): (&str, &[u8]) = match input {
            Input::Started => ("started", &[]),
            Input::Tick => ("tick", &[]),
            Input::Listening { .. } => ("listening", &[]),
            Input::Connected { peer, .. } => ("connected", peer.as_bytes()),
            Input::Disconnected { peer, .. } => ("disconnected", peer.as_bytes()),
            Input::DialFailed { address, .. } => ("dial-failed", address.as_bytes()),
            Input::Rtt { peer, .. } => ("rtt", peer.as_bytes()),
            Input::Request { bytes, .. } => ("request", bytes),
            Input::Told { bytes, .. } => ("told", bytes),
            Input::Cell { bytes, .. } => ("cell", bytes),
            Input::Response { result: Ok(bytes), .. } => ("response", bytes),
            Input::Response { .. } => ("no-response", &[]),
            Input::Gossip { bytes, .. } => ("gossip", bytes),
            Input::Persisted { result: Ok(()), .. } => ("persisted", &[]),
            Input::Persisted { .. } => ("not-persisted", &[]),
            Input::BlobLoaded { blob, .. } => ("blob-loaded", &blob.0.0),
            Input::Trained { result: Ok(update), .. } => ("trained", &update.delta),
            Input::Trained { .. } => ("not-trained", &[]),
            Input::Command { .. } => ("command", &[]),
        };
        write!(line, "\"input\":\"{kind}\"").expect("a string takes all");
        if !bytes.is_empty() {
            let hash = blake3::hash(bytes);
            let start = hash.as_bytes().first_chunk::<6>().expect("a hash has 32 bytes");
            let text = data_encoding::HEXLOWER.encode(start);
            write!(line, ",\"bytes\":{},\"hash\":\"{text}\"", bytes.len())
                .expect("a string takes all");
        }
        line.push_str("}\n");
        self.push();
    }

    /// Something the simulator does to a node, or that a checker says.
    pub fn note(&mut self, at_us: u64, node: Option<usize>, what: &str) {
        self.line.clear();
        let node = node.map_or(String::new(), |node| format!("\"node\":{node},"));
        let what = serde_json::Value::from(what);
        writeln!(self.line, "{{\"us\":{at_us},{node}\"note\":{what}}}")
            .expect("a string takes all");
        self.push();
    }

    fn push(&mut self) {
        self.lines += 1;
        self.hasher.update(self.line.as_bytes());
        if let Some(sink) = &mut self.sink {
            sink(&self.line);
        }
    }
}
