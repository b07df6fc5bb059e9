//! Records of a CSV file (RFC 4180, as tolerant as spreadsheets are).
//!
//! A byte order mark, CRLF, CR alone, quoted fields and a missing last line break are understood;
//! blank lines and lines that begin with `#` are passed over. The separator is a comma, unless the
//! first line has more semicolons or tabs. Text behind a closing quotation mark belongs to the
//! field. The tests hold this reader to the `csv-core` crate, which takes three times the wasm.

use std::ops::Range;

use super::error::Error;
use crate::limits;

/// A cursor over the records of a file.
pub(super) struct Records<'a> {
    rest: &'a [u8],
    separator: u8,
    /// Line breaks passed so far.
    breaks: usize,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// One record; its fields are UTF-8 and trimmed of white space.
pub(super) struct Record<'a> {
    text: &'a str,
    ends: &'a [usize],
    /// Line of the file on which it ends, counted from 1.
    pub(super) row: usize,
}

/// Where the reader stands within a record.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// At the start of a field, where a quotation mark opens it.
    Start,
    /// In a field that is not, or no longer, quoted.
    Plain,
    /// Between quotation marks.
    Quoted,
    /// Behind a quotation mark that ends the field, or that is the first of two.
    Quote,
}

impl<'a> Records<'a> {
    pub(super) fn new(csv: &'a [u8]) -> Result<Self, Error> {
        super::bound("bytes", csv.len(), limits::DATASET_BYTES_MAX)?;
        let rest = csv.strip_prefix(b"\xef\xbb\xbf").unwrap_or(csv);
        let separator = separator(rest);
        Ok(Self { rest, separator, breaks: 0, bytes: Vec::new(), ends: Vec::new() })
    }

    /// The next record, or `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>, Error> {
        self.pass_blank_lines();
        if self.rest.is_empty() {
            return Ok(None);
        }
        let begin = self.breaks + 1;
        let mut opened = begin;
        self.bytes.clear();
        self.ends.clear();
        let mut state = State::Start;
        while let Some((byte, rest)) = self.rest.split_first() {
            let quoted = state == State::Quoted;
            if matches!(byte, b'\n' | b'\r') && !quoted {
                break;
            }
            self.rest = rest;
            self.breaks += usize::from(*byte == b'\n');
            state = match (state, *byte) {
                (State::Start, b'"') => {
                    opened = self.breaks + 1;
                    State::Quoted
                }
                (State::Quoted, b'"') => State::Quote,
                (State::Quote, b'"') => {
                    self.bytes.push(b'"');
                    State::Quoted
                }
                (_, byte) if byte == self.separator && !quoted => {
                    self.ends.push(self.bytes.len());
                    // The last field has no separator behind it.
                    super::bound("columns", self.ends.len() + 1, super::parse::COLUMNS_MAX)?;
                    State::Start
                }
                (_, byte) => {
                    self.bytes.push(byte);
                    if quoted { State::Quoted } else { State::Plain }
                }
            };
            if self.bytes.len() > limits::DATASET_RECORD_BYTES_MAX {
                let max = limits::DATASET_RECORD_BYTES_MAX;
                return Err(Error::RowTooLong { row: begin, max });
            }
        }
        if state == State::Quoted {
            return Err(Error::Quote { row: opened });
        }
        self.ends.push(self.bytes.len());
        let row = self.breaks + 1;
        let text = std::str::from_utf8(&self.bytes).map_err(|_| Error::NotText { row })?;
        Ok(Some(Record { text, ends: &self.ends, row }))
    }

    /// Moves to the first byte of a record.
    fn pass_blank_lines(&mut self) {
        let mut comment = false;
        while let Some((byte, rest)) = self.rest.split_first() {
            let line_break = matches!(byte, b'\n' | b'\r');
            comment = !line_break && (comment || *byte == b'#');
            if !line_break && !comment {
                break;
            }
            self.breaks += usize::from(*byte == b'\n');
            self.rest = rest;
        }
    }
}

impl Record<'_> {
    /// Number of fields.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The fields, trimmed.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.field(index))
    }

    /// One field, trimmed; empty if there is no such field.
    pub(super) fn field(&self, index: usize) -> &str {
        self.text.get(self.range(index)).unwrap_or_default().trim_ascii()
    }

    fn range(&self, index: usize) -> Range<usize> {
        let end = self.ends.get(index).copied().unwrap_or_default();
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        start.unwrap_or_default()..end
    }
}

/// The separator of the first line that is not blank and not a comment.
fn separator(csv: &[u8]) -> u8 {
    let mut lines = csv.split(|byte| matches!(byte, b'\n' | b'\r'));
    let line = lines.find(|line| !line.is_empty() && !line.starts_with(b"#")).unwrap_or_default();
    let (mut commas, mut semicolons, mut tabs, mut quoted) = (0, 0, 0, false);
    for byte in line {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => commas += 1,
            b';' if !quoted => semicolons += 1,
            b'\t' if !quoted => tabs += 1,
            _ => {}
        }
    }
    if semicolons > commas && semicolons >= tabs {
        b';'
    } else if tabs > commas {
        b'\t'
    } else {
        b','
    }
}

#[cfg(test)]
mod tests {
    use csv_core::{ReadRecordResult, ReaderBuilder};
    use proptest::prelude::*;

    use super::*;

    /// The records that `csv-core` reads.
    fn oracle(csv: &str, separator: u8) -> Vec<Vec<String>> {
        let mut reader = ReaderBuilder::new().delimiter(separator).comment(Some(b'#')).build();
        let (mut records, mut rest) = (Vec::new(), csv.as_bytes());
        let (mut bytes, mut ends) = (vec![0; 1_000], vec![0; 1_000]);
        let (mut written, mut ended) = (0, 0);
        loop {
            let (result, read, wrote, fields) =
                reader.read_record(rest, &mut bytes[written..], &mut ends[ended..]);
            (rest, written, ended) = (&rest[read..], written + wrote, ended + fields);
            match result {
                ReadRecordResult::End => return records,
                ReadRecordResult::Record => {
                    let starts = std::iter::once(0).chain(ends[..ended].iter().copied());
                    let field = |(start, end): (usize, &usize)| {
                        String::from_utf8_lossy(&bytes[start..*end]).trim_ascii().to_string()
                    };
                    records.push(starts.zip(&ends[..ended]).map(field).collect());
                    (written, ended) = (0, 0);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_record_of_separators_is_refused_before_it_fills_the_memory() {
        let csv = ",".repeat(4 << 20);
        let mut records = Records::new(csv.as_bytes()).unwrap();
        assert!(matches!(records.next(), Err(Error::TooLarge { what: "columns", .. })));
        assert!(records.ends.len() <= crate::neural::dataset::parse::COLUMNS_MAX);
    }

    proptest! {
        // Apart from comments that end with a bare CR, or with the file: the first `csv-core` does
        // not see ending, behind the second it sees a record.
        #[test]
        fn records_are_those_of_csv_core(
            csv in "([a1 ,;\t\"#]|\r?\n){0,60}|[a1 ,;\t\"\r\n]{0,60}",
        ) {
            let csv = if csv.contains('#') { csv + "\n" } else { csv };
            let mut records = Records::new(csv.as_bytes()).unwrap();
            let mut expected = oracle(&csv, records.separator);
            let mut found = Vec::new();
            loop {
                match records.next() {
                    Ok(Some(record)) => {
                        found.push(record.fields().map(str::to_string).collect::<Vec<_>>());
                    }
                    Ok(None) => break,
                    // `csv-core` closes at the end of the file what was never closed.
                    Err(error) => {
                        prop_assert!(matches!(error, Error::Quote { .. }), "{}", error);
                        expected.pop();
                        break;
                    }
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
