//! Words and numbers of a FANN file, each checked as it is read.

use super::Error;
use crate::limits;
use crate::neural::dataset::parse_number;
use crate::neural::fann::activation::Activation;
use crate::neural::fann::network::check_steepness;
use crate::tensor::index;

/// The text and how far it has been read.
pub(super) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn range(&self, what: &'static str) -> Error {
        Error::Range { what, at: self.at }
    }

    fn expected(&self, what: &'static str) -> Error {
        Error::Expected { what, at: self.at }
    }

    /// Whether scaling is part of it.
    pub(super) fn version(&mut self) -> Result<bool, Error> {
        let line = self.rest().split(u8::is_ascii_whitespace).next();
        let line = line.unwrap_or_default();
        self.at = line.len();
        match line {
            b"FANN_FLO_2.1" => Ok(true),
            b"FANN_FLO_2.0" => Ok(false),
            _ if line.starts_with(b"FANN_FLO_") || line.starts_with(b"FANN_FIX_") => {
                Err(Error::Version)
            }
            _ => Err(Error::NotFann),
        }
    }

    fn space(&mut self) {
        self.at += self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    }

    pub(super) fn mark(&mut self, mark: u8) -> Result<(), Error> {
        self.space();
        if self.rest().first() != Some(&mark) {
            return Err(self.expected("a bracket or comma"));
        }
        self.at += 1;
        Ok(())
    }

    pub(super) fn key(&mut self, name: &'static str) -> Result<(), Error> {
        self.space();
        let behind = self.rest().strip_prefix(name.as_bytes());
        if behind.and_then(<[u8]>::first) != Some(&b'=') {
            return Err(self.expected(name));
        }
        self.at += name.len() + 1;
        Ok(())
    }

    /// What stands before the next space, comma or bracket.
    fn word(&mut self) -> Option<&'a str> {
        self.space();
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'(' | b')');
        let length = self.rest().iter().position(ends).unwrap_or(self.rest().len());
        let word = self.rest().get(..length)?;
        self.at += length;
        std::str::from_utf8(word).ok().filter(|word| !word.is_empty())
    }

    pub(super) fn count(&mut self, what: &'static str) -> Result<u32, Error> {
        let word = self.word().ok_or(self.expected(what))?;
        if !word.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.expected(what));
        }
        word.parse().map_err(|_| self.range(what))
    }

    pub(super) fn float(&mut self, what: &'static str) -> Result<f32, Error> {
        let number = self.word().and_then(parse_number).ok_or(self.expected(what))?;
        #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounds once")]
        let number = number as f32;
        if number.is_finite() { Ok(number) } else { Err(self.range(what)) }
    }

    pub(super) fn activation(&mut self) -> Result<Activation, Error> {
        const WHAT: &str = "an activation function";
        Activation::from_number(self.count(WHAT)?).ok_or(self.range(WHAT))
    }

    pub(super) fn steepness(&mut self) -> Result<f32, Error> {
        let steepness = self.float("a steepness")?;
        check_steepness(steepness).map_err(|_| self.range("a steepness"))?;
        Ok(steepness)
    }

    pub(super) fn key_count(&mut self, name: &'static str) -> Result<u32, Error> {
        self.key(name)?;
        self.count(name)
    }

    pub(super) fn key_float(&mut self, name: &'static str) -> Result<f32, Error> {
        self.key(name)?;
        self.float(name)
    }

    pub(super) fn key_choice<T: Copy>(&mut self, name: &'static str, of: &[T]) -> Result<T, Error> {
        let number = self.key_count(name)?;
        of.get(index(number)).copied().ok_or(self.range(name))
    }

    /// A number of activations or steepnesses of candidates.
    pub(super) fn bounded(&mut self, name: &'static str) -> Result<u32, Error> {
        let count = self.key_count(name)?;
        if index(count) > limits::FANN_CANDIDATES_MAX {
            return Err(self.range(name));
        }
        Ok(count)
    }

    pub(super) fn end(&mut self) -> Result<(), Error> {
        self.space();
        if self.rest().is_empty() { Ok(()) } else { Err(Error::Trailing(self.at)) }
    }
}
