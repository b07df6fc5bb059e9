//! From CSV to a data set.
//!
//! Numbers are read as they come; labels are kept as text until the last row has shown whether they
//! are classes. The first row is a header if it says so against the second: every field of it is
//! text while the second row has numbers, or at least half of its columns (or the label's) turn
//! from text into numbers.

use std::cmp::Ordering;

use super::csv::{Record, Records};
use super::error::Error;
use super::labels::Labels;
use super::number;
use super::{Dataset, Task, bound};
use crate::limits;
use crate::tensor::index as to_index;

/// Columns of one file: the most inputs and a label.
pub(super) const COLUMNS_MAX: usize = to_index(limits::NEURAL_INPUTS_MAX) + 1;

/// How to read a CSV file; the default finds out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Which column is the label; the last one by default.
    pub label: Option<Label>,
    /// Whether labels are classes. By default they are if they are whole numbers or not numbers.
    pub task: Option<Task>,
    /// Whether the first row names the columns; found out by default.
    pub header: Option<bool>,
    /// The classes in the order of the outputs, as a model or a run has them. Without it they are
    /// those that occur, numbers by size and names by their bytes, and there must be two.
    pub classes: Option<Vec<String>>,
}

/// A column of a CSV file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// By the name in the header.
    Name(String),
    /// By its index, counted from 0.
    Index(u32),
}

/// Labels as text: one string and where each ends, with the line it is from.
#[derive(Default)]
struct Texts {
    text: String,
    ends: Vec<(usize, usize)>,
}

/// What is known after the first row.
struct Columns {
    names: Option<Vec<String>>,
    count: usize,
    label: Option<usize>,
}

impl Dataset {
    /// Reads rows of features with a label.
    ///
    /// # Errors
    /// Whatever is wrong with the file first, from the top; see [`Error`].
    pub fn parse(csv: &[u8], options: &Options) -> Result<Self, Error> {
        let mut labels = Texts::default();
        let (columns, values) = read(csv, options, Select::LabelOrLast, &mut labels)?;
        let features = columns.count - 1;
        let (labels, classes) = labels.into_labels(options, &columns)?;
        Dataset::from_parts(features, values, labels, classes)
    }

    /// Reads rows to run a network on, `[rows, inputs]`: features only, unless a label is named,
    /// which is then left out.
    ///
    /// # Errors
    /// As [`Dataset::parse`], and [`Error::Columns`] if the file does not have `inputs` columns.
    pub fn parse_rows(csv: &[u8], inputs: usize, options: &Options) -> Result<Vec<f32>, Error> {
        let select = match options.label {
            Some(_) => Select::LabelOrLast,
            None => Select::None,
        };
        let (columns, values) = read(csv, options, select, &mut Texts::default())?;
        let found = columns.count - usize::from(columns.label.is_some());
        if found == inputs { Ok(values) } else { Err(Error::Columns { found, expected: inputs }) }
    }
}

/// Which column is a label.
#[derive(Clone, Copy, PartialEq)]
enum Select {
    LabelOrLast,
    None,
}

/// Reads the whole file: its columns and its features, the labels into `labels`.
fn read(
    csv: &[u8],
    options: &Options,
    select: Select,
    labels: &mut Texts,
) -> Result<(Columns, Vec<f32>), Error> {
    let columns = columns(csv, options, select)?;
    let mut records = Records::new(csv)?;
    if columns.names.is_some() {
        records.next()?;
    }
    let mut values = Vec::new();
    let mut rows = 0;
    while let Some(record) = records.next()? {
        rows += 1;
        bound("rows", rows, limits::DATASET_ROWS_MAX)?;
        bound("numbers", values.len() + record.len(), limits::DATASET_VALUES_MAX)?;
        if record.len() != columns.count {
            let (row, found, expected) = (record.row, record.len(), columns.count);
            return Err(Error::Ragged { row, found, expected });
        }
        for (index, field) in record.fields().enumerate() {
            if columns.label == Some(index) {
                labels.push(field, &record, &columns)?;
            } else {
                values.push(number(field, record.row, index, &columns)?);
            }
        }
    }
    if rows == 0 { Err(Error::Empty) } else { Ok((columns, values)) }
}

/// Looks at the first two rows.
fn columns(csv: &[u8], options: &Options, select: Select) -> Result<Columns, Error> {
    let mut records = Records::new(csv)?;
    let first: Vec<String> = match records.next()? {
        Some(record) => record.fields().map(str::to_string).collect(),
        None => return Err(Error::Empty),
    };
    let count = first.len();
    let index = match (&options.label, select) {
        (_, Select::None) => None,
        (None, Select::LabelOrLast) => Some(count - 1),
        (Some(Label::Index(index)), _) => Some(to_index(*index)),
        (Some(Label::Name(name)), _) => first.iter().position(|column| column == name),
    };
    let by_name = matches!(options.label, Some(Label::Name(_))) && index.is_some();
    let header = match options.header {
        Some(header) => header,
        None if by_name => true,
        None => match records.next()? {
            Some(second) => is_header(&first, &second, index),
            None => first.iter().all(|field| number::parse(field).is_none()),
        },
    };
    let names = header.then_some(first);
    if let (Some(label), true) = (&options.label, select == Select::LabelOrLast) {
        let missing = matches!(label, Label::Name(_)) && names.is_none();
        if missing || index.is_none_or(|index| index >= count) {
            let label = match label {
                Label::Name(name) => shorten(name),
                Label::Index(index) => index.to_string(),
            };
            let columns = match &names {
                Some(names) => shorten_list(names),
                None => format!("{count}, without names"),
            };
            return Err(Error::NoLabel { label, columns });
        }
    }
    if count == 1 && index.is_some() {
        return Err(Error::NoFeatures);
    }
    Ok(Columns { names, count, label: index })
}

/// Whether `first` names the columns of which `second` is the first row.
fn is_header(first: &[String], second: &Record<'_>, label: Option<usize>) -> bool {
    let text = |field: &str| number::parse(field).is_none();
    let turns = |(index, name): (usize, &String)| text(name) && !text(second.field(index));
    let turning = first.iter().enumerate().filter(|column| turns(*column)).count();
    let label_turns =
        label.and_then(|index| first.get(index).map(|name| (index, name))).is_some_and(turns);
    let all_text = first.iter().all(|name| text(name));
    turning > 0 && (all_text || label_turns || turning * 2 >= first.len())
}

/// One feature. Read in double precision and rounded, as JavaScript would.
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounds on purpose")]
fn number(field: &str, row: usize, index: usize, columns: &Columns) -> Result<f32, Error> {
    let column = || columns.name(index);
    match number::parse(field).map(|number| number as f32) {
        Some(number) if number.is_finite() => Ok(number),
        Some(_) => Err(Error::NotFinite { row, column: column(), value: shorten(field) }),
        None if field.is_empty() => Err(Error::EmptyField { row, column: column() }),
        None => Err(Error::NotANumber { row, column: column(), value: shorten(field) }),
    }
}

impl Columns {
    /// A column's name for a message.
    fn name(&self, index: usize) -> String {
        let name = self.names.as_ref().and_then(|names| names.get(index));
        match name.filter(|name| !name.is_empty()) {
            Some(name) => format!("{} ({})", index + 1, shorten(name)),
            None => (index + 1).to_string(),
        }
    }
}

impl Texts {
    fn push(&mut self, field: &str, record: &Record<'_>, columns: &Columns) -> Result<(), Error> {
        let row = record.row;
        if field.is_empty() {
            let column = columns.name(columns.label.unwrap_or_default());
            return Err(Error::EmptyField { row, column });
        }
        self.text.push_str(field);
        self.ends.push((self.text.len(), row));
        Ok(())
    }

    fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        let mut start = 0;
        self.ends.iter().map(move |(end, row)| {
            let text = self.text.get(start..*end).unwrap_or_default();
            start = *end;
            (text, *row)
        })
    }

    fn into_labels(
        self,
        options: &Options,
        columns: &Columns,
    ) -> Result<(Labels, Vec<String>), Error> {
        let task = options.task.unwrap_or_else(|| self.task(options));
        match (task, &options.classes) {
            (Task::Regression, _) => self.numbers(columns).map(|labels| (labels, Vec::new())),
            (Task::Classification, Some(classes)) => self.known_classes(classes),
            (Task::Classification, None) => self.new_classes(),
        }
    }

    /// Given classes, text, and whole numbers mean classification; other numbers regression.
    fn task(&self, options: &Options) -> Task {
        if let Some(classes) = &options.classes {
            return if classes.is_empty() { Task::Regression } else { Task::Classification };
        }
        let mut task = Task::Classification;
        for (field, _) in self.iter() {
            match number::parse(field) {
                None => return Task::Classification,
                Some(number) if whole(number).is_none() => task = Task::Regression,
                Some(_) => {}
            }
        }
        task
    }

    fn numbers(&self, columns: &Columns) -> Result<Labels, Error> {
        let index = columns.label.unwrap_or_default();
        let mut values = Vec::with_capacity(self.ends.len());
        for (field, row) in self.iter() {
            values.push(number(field, row, index, columns)?);
        }
        Ok(Labels::Numbers { values, width: 1 })
    }

    /// Classes in a given order, in which a whole number may be written in any way.
    fn known_classes(&self, classes: &[String]) -> Result<(Labels, Vec<String>), Error> {
        bound("classes", classes.len(), limits::CLASSES_MAX)?;
        // One after the other: there are few, and a sorted index takes a kilobyte of wasm.
        let place = |name: &str| {
            let found = classes.iter().position(|class| class == name)?;
            u32::try_from(found).ok()
        };
        let mut labels = Vec::with_capacity(self.ends.len());
        for (field, row) in self.iter() {
            let class = place(field).or_else(|| place(&class_name(field)));
            labels.push(class.ok_or_else(|| Error::UnknownClass {
                row,
                name: shorten(field),
                classes: shorten_list(classes),
            })?);
        }
        Ok((Labels::Classes(labels), classes.to_vec()))
    }

    /// The classes that occur, in order.
    fn new_classes(&self) -> Result<(Labels, Vec<String>), Error> {
        let mut names: Vec<String> = Vec::new();
        for (field, row) in self.iter() {
            let name = class_name(field);
            let max = limits::CLASS_NAME_BYTES_MAX;
            if name.len() > max {
                return Err(Error::ClassName { row, name: shorten(&name), max });
            }
            if let Err(place) = names.binary_search_by(|known| compare(known, &name)) {
                names.insert(place, name);
                bound("classes", names.len(), limits::CLASSES_MAX)?;
            }
        }
        if let [only] = names.as_slice() {
            return Err(Error::OneClass(only.clone()));
        }
        self.known_classes(&names)
    }
}

/// The order of classes: whole numbers by size, then names by their bytes.
fn compare(a: &str, b: &str) -> Ordering {
    let number = |name: &str| number::parse(name).and_then(whole).unwrap_or(i64::MAX);
    number(a).cmp(&number(b)).then_with(|| a.cmp(b))
}

/// A class as it is written in a model: whole numbers without decimals, names as they are.
fn class_name(field: &str) -> String {
    match number::parse(field).and_then(whole) {
        Some(number) => number.to_string(),
        None => field.to_string(),
    }
}

/// A number as a whole number, if it is one that `f64` holds exactly.
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "checked by the guard")]
#[expect(clippy::float_cmp, reason = "a whole number equals its whole part exactly")]
fn whole(number: f64) -> Option<i64> {
    (number.trunc() == number && number.abs() < 9e15).then_some(number as i64)
}

/// The start of a text, for a message.
fn shorten(text: &str) -> String {
    let mut end = text.len().min(limits::DATASET_QUOTED_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    match text.get(..end) {
        Some(start) if start.len() < text.len() => format!("{start}..."),
        _ => text.to_string(),
    }
}

/// The first few of some names, for a message.
fn shorten_list(names: &[String]) -> String {
    let mut list = String::new();
    for (place, name) in names.iter().enumerate() {
        if place > 0 {
            list.push_str(", ");
        }
        if place == 8 {
            list.push_str("...");
            break;
        }
        list.push_str(&shorten(name));
    }
    list
}
