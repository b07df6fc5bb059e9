//! Signalling: what two sides tell each other until they have a direct way, without IO.
//!
//! ```text
//!  offerer (dialled the circuit)                      answerer
//!  host: make an offer  --- SDP_OFFER --->            host: take it, make an answer
//!  host: take it        <-- SDP_ANSWER ---
//!           <--- ICE_CANDIDATE, as they are found, both ways --->
//!  data channel open                                  data channel open
//! ```
//!
//! Candidates that come before the other side's description is set are kept until then, because no
//! host takes them earlier; own candidates are kept until the own description is sent. All of it
//! travels on a circuit that is secured end to end, so a relay reads and changes nothing.

use super::Error;
use super::protobuf::{self, Value};
use crate::limits::{
    ICE_CANDIDATE_BYTES_MAX, ICE_CANDIDATES_MAX, SIGNAL_BYTES_MAX, SIGNAL_MESSAGES_MAX,
};

/// The text of a candidate that says that there are no more.
pub const END_OF_CANDIDATES: &str = "null";

/// What a message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The offerer's session description.
    Offer,
    /// The answerer's.
    Answer,
    /// A place where the sender might be reached: `RTCIceCandidate.toJSON()`.
    Candidate,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it holds.
    pub kind: Kind,
    /// That.
    pub data: String,
}

impl Message {
    /// The message behind its length.
    pub fn encode(&self) -> Vec<u8> {
        let kind = match self.kind {
            Kind::Offer => 0,
            Kind::Answer => 1,
            Kind::Candidate => 2,
        };
        let mut body = vec![1 << 3, kind, 2 << 3 | 2];
        protobuf::put_varint(self.data.len(), &mut body);
        body.extend_from_slice(self.data.as_bytes());
        let mut bytes = Vec::with_capacity(body.len() + 3);
        protobuf::put_varint(body.len(), &mut bytes);
        bytes.append(&mut body);
        bytes
    }

    /// Takes the first message off `bytes`; `None` when more are needed.
    ///
    /// # Errors
    /// When they are no message, or too long for one.
    pub fn take(bytes: &mut Vec<u8>) -> Result<Option<Self>, Error> {
        let Some((length, rest)) = protobuf::varint(bytes)? else { return Ok(None) };
        let found = usize::try_from(length).unwrap_or(usize::MAX);
        if found > SIGNAL_BYTES_MAX {
            return Err(Error::Limit { what: "a message", found, most: SIGNAL_BYTES_MAX });
        }
        let Some(body) = rest.get(..found) else { return Ok(None) };
        let message = Self::decode(body)?;
        let left = rest.len() - found;
        bytes.drain(..bytes.len() - left);
        Ok(Some(message))
    }

    fn decode(mut body: &[u8]) -> Result<Self, Error> {
        let (mut kind, mut data) = (Kind::Offer, String::new());
        while let Some(field) = protobuf::field(&mut body)? {
            match field {
                (1, Value::Number(0)) => kind = Kind::Offer,
                (1, Value::Number(1)) => kind = Kind::Answer,
                (1, Value::Number(2)) => kind = Kind::Candidate,
                (1, _) => return Err(Error::Message("a message of an unknown kind")),
                (2, Value::Bytes(bytes)) => {
                    let text = std::str::from_utf8(bytes);
                    text.map_err(|_| Error::Message("its text is not UTF-8"))?
                        .clone_into(&mut data);
                }
                (2, _) => return Err(Error::Message("a field of another kind than its own")),
                _ => {}
            }
        }
        Ok(Self { kind, data })
    }
}

/// Which side this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Dialled the circuit, and begins.
    Offerer,
    /// Was dialled.
    Answerer,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The host has made and set the own description.
    Described(String),
    /// The host has set the peer's answer.
    Applied,
    /// The host has found a candidate, or [`END_OF_CANDIDATES`].
    Candidate(String),
    /// The peer says something.
    Message(Message),
    /// The data channel is open.
    Opened,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Tell the peer.
    Send(Message),
    /// Let the host take an offer and make an answer: [`Input::Described`].
    Answer(String),
    /// Let the host take an answer: [`Input::Applied`].
    Apply(String),
    /// Let the host take a candidate of the peer.
    Add(String),
    /// There is a direct way; nothing more is to be said.
    Done,
}

/// The peer's description, as far as the host has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Theirs {
    Missing,
    BeingSet,
    Set,
}

/// One side of it.
#[derive(Debug)]
pub struct State {
    role: Role,
    /// Whether the own description was sent.
    described: bool,
    theirs: Theirs,
    /// Own candidates that wait for the own description, and theirs that wait for theirs.
    own: Vec<String>,
    early: Vec<String>,
    /// Candidates of either side.
    told: usize,
    heard: usize,
    messages: usize,
    done: bool,
}

impl State {
    /// The beginning; the offerer's host has to make an offer.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            described: false,
            theirs: Theirs::Missing,
            own: Vec::new(),
            early: Vec::new(),
            told: 0,
            heard: 0,
            messages: 0,
            done: false,
        }
    }

    /// Whether both sides have described themselves.
    pub fn is_agreed(&self) -> bool {
        self.described && self.theirs != Theirs::Missing
    }

    /// Takes in what happened, and says what is to be done.
    ///
    /// # Errors
    /// When the peer broke a rule; nothing more is to be handled then.
    pub fn handle(&mut self, input: Input, out: &mut Vec<Output>) -> Result<(), Error> {
        if self.done {
            return Ok(());
        }
        match input {
            Input::Described(data) => self.on_described(data, out),
            Input::Applied => self.on_theirs(out),
            Input::Candidate(candidate) => self.on_own(candidate, out),
            Input::Message(message) => return self.on_message(message, out),
            Input::Opened => {
                self.done = true;
                out.push(Output::Done);
            }
        }
        Ok(())
    }

    fn on_described(&mut self, data: String, out: &mut Vec<Output>) {
        let kind = match self.role {
            Role::Offerer => Kind::Offer,
            Role::Answerer => Kind::Answer,
        };
        self.described = true;
        out.push(Output::Send(Message { kind, data }));
        out.extend(self.own.drain(..).map(candidate));
        if self.role == Role::Answerer {
            self.on_theirs(out);
        }
    }

    fn on_theirs(&mut self, out: &mut Vec<Output>) {
        self.theirs = Theirs::Set;
        out.extend(self.early.drain(..).map(Output::Add));
    }

    /// The host has as many interfaces as it has; the peer takes so many candidates.
    fn on_own(&mut self, data: String, out: &mut Vec<Output>) {
        let is_end = data == END_OF_CANDIDATES;
        if !is_end && (self.told >= ICE_CANDIDATES_MAX || data.len() > ICE_CANDIDATE_BYTES_MAX) {
            return;
        }
        self.told += usize::from(!is_end);
        if self.described {
            out.push(candidate(data));
        } else {
            self.own.push(data);
        }
    }

    fn on_message(&mut self, message: Message, out: &mut Vec<Output>) -> Result<(), Error> {
        self.messages += 1;
        if self.messages > SIGNAL_MESSAGES_MAX {
            let (found, most) = (self.messages, SIGNAL_MESSAGES_MAX);
            return Err(Error::Limit { what: "messages", found, most });
        }
        let is_first = self.theirs == Theirs::Missing;
        match (message.kind, self.role) {
            (Kind::Candidate, _) => return self.on_candidate(message.data, out),
            (Kind::Offer, Role::Answerer) if is_first => {
                self.on_description(&message.data)?;
                out.push(Output::Answer(message.data));
            }
            (Kind::Answer, Role::Offerer) if is_first && self.described => {
                self.on_description(&message.data)?;
                out.push(Output::Apply(message.data));
            }
            (Kind::Offer, _) => return Err(Error::Order("an offer")),
            (Kind::Answer, _) => return Err(Error::Order("an answer")),
        }
        self.theirs = Theirs::BeingSet;
        Ok(())
    }

    /// A description may name candidates itself, and the host tries those as it does the others.
    fn on_description(&mut self, sdp: &str) -> Result<(), Error> {
        check_description(sdp)?;
        self.on_heard(lines(sdp).filter(|line| is_candidate(line)).count())
    }

    fn on_heard(&mut self, candidates: usize) -> Result<(), Error> {
        self.heard += candidates;
        if self.heard > ICE_CANDIDATES_MAX {
            let (found, most) = (self.heard, ICE_CANDIDATES_MAX);
            return Err(Error::Limit { what: "candidates", found, most });
        }
        Ok(())
    }

    fn on_candidate(&mut self, data: String, out: &mut Vec<Output>) -> Result<(), Error> {
        if data.len() > ICE_CANDIDATE_BYTES_MAX {
            let (found, most) = (data.len(), ICE_CANDIDATE_BYTES_MAX);
            return Err(Error::Limit { what: "a candidate", found, most });
        }
        self.on_heard(usize::from(data != END_OF_CANDIDATES))?;
        if self.theirs == Theirs::Set {
            out.push(Output::Add(data));
        } else {
            self.early.push(data);
        }
        Ok(())
    }
}

fn candidate(data: String) -> Output {
    Output::Send(Message { kind: Kind::Candidate, data })
}

/// A session description is the host's to read. Here it is only held to what a data channel needs:
/// one section, that of data, and a fingerprint, without which a host might take any certificate.
fn check_description(sdp: &str) -> Result<(), Error> {
    let mut sections = lines(sdp).filter(|line| line.starts_with("m="));
    let is_data = sections.next().is_some_and(|line| line.starts_with("m=application "));
    if !is_data || sections.next().is_some() {
        return Err(Error::Description("it is not about one data channel"));
    }
    if !lines(sdp).any(|line| line.starts_with("a=fingerprint:sha-256 ")) {
        return Err(Error::Description("it names no certificate by SHA-256"));
    }
    Ok(())
}

/// Some browsers take either character for the end of a line; an empty line in between is none.
fn lines(sdp: &str) -> impl Iterator<Item = &str> {
    sdp.split(['\r', '\n']).filter(|line| !line.is_empty())
}

/// Whether a browser might read a candidate there. Some skip separators and do not mind case.
fn is_candidate(line: &str) -> bool {
    let attribute = line.strip_prefix("a=").unwrap_or_default();
    let name = attribute.trim_start_matches([' ', '\t', ':']).split([' ', '\t', ':']).next();
    name.is_some_and(|name| name.eq_ignore_ascii_case("candidate"))
}
