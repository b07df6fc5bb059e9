//! From CSV to a data set.
//!
//! Numbers are read as they come; labels are kept as text until the last row has shown whether they
//! are classes. The first row is a header if it says so against the second: every field of it is
//! text while the second row has numbers, or at least half of its columns (or the label's) turn
//! from text into numbers.

use std::cmp::Ordering;

use super::columns::{self, Column};
use super::csv::{Record, Records};
use super::error::Error;
use super::features::{self, Features, Place};
use super::header::{Header, has_names, others};
use super::labels::Labels;
use super::number;
use super::{Dataset, Task, bound};
use crate::limits;
use crate::tensor::index as to_index;

/// Columns of one file: the most inputs, and as many labels as a layer may have units.
pub(super) const COLUMNS_MAX: usize =
    to_index(limits::NEURAL_INPUTS_MAX) + to_index(limits::NEURAL_UNITS_MAX);

/// How to read a CSV file; the default finds out, and takes features that are numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Which columns are labels, in the order of the outputs; the last one by default. Several are
    /// numbers to predict. A reconstruction has none: what is named is left out.
    pub labels: Vec<Label>,
    /// What is told from a row. By default labels are classes if they are whole numbers or not
    /// numbers.
    pub task: Option<Task>,
    /// Whether the first row names the columns; found out by default.
    pub header: Option<bool>,
    /// The classes in the order of the outputs, as a model or a run has them. Without it they are
    /// those that occur, numbers by size and names by their bytes, and there must be two.
    pub classes: Option<Vec<String>>,
    /// Whether a column of text becomes an input for each of its categories, which come in the
    /// order that classes come in. Otherwise it is an error.
    pub encode: bool,
    /// Columns that are categories even where they are numbers, such as months.
    pub categories: Vec<Label>,
    /// Whether values may be missing: a field that is empty or, in any case, `NA`, `N/A`, `NaN`,
    /// `null` or `?`. They stay gaps until [`Dataset::filled`].
    pub gaps: bool,
    /// The columns as a model has them; found out if there are none. In a table with a header those
    /// that have names are found by name, and what is not among them is left out.
    pub columns: Vec<Column>,
}

/// Rows to run a network on.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// `[rows, inputs]`.
    pub inputs: Vec<f32>,
    /// Columns that were left out because the model has none of their name: number and name.
    pub ignored: Vec<String>,
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
pub(super) struct Table {
    header: Option<Header>,
    count: usize,
    labels: Vec<usize>,
    /// The places of the features, in the order of the model's columns if it has some.
    features: Vec<usize>,
    /// Columns that are said to be categories.
    pub(super) categories: Vec<usize>,
}

impl Dataset {
    /// Reads rows of features with a label.
    ///
    /// # Errors
    /// Whatever is wrong with the file first, from the top; see [`Error`].
    pub fn parse(csv: &[u8], options: &Options) -> Result<Self, Error> {
        let mut texts = Texts::default();
        let reconstructs = options.task == Some(Task::Reconstruction);
        let (table, (values, columns, gaps)) = read(csv, options, !reconstructs, &mut texts)?;
        let features = match columns.len() {
            0 => table.features.len(),
            _ => columns::width(&columns),
        };
        let (labels, classes) = if reconstructs {
            (Labels::Numbers { values: values.clone(), width: features }, Vec::new())
        } else {
            texts.into_labels(options, &table)?
        };
        let mut data = Dataset::of_parts(features, values, labels, classes, gaps)?;
        (data.columns, data.reconstructs) = (columns, reconstructs);
        data.ignored = table.ignored();
        Ok(data)
    }

    /// Reads rows to run a network on: features only, unless labels are named, which are then left
    /// out.
    ///
    /// # Errors
    /// As [`Dataset::parse`], and [`Error::Columns`] if the file does not have `inputs` columns, or
    /// as many as [`Options::columns`].
    pub fn parse_rows(csv: &[u8], inputs: usize, options: &Options) -> Result<Rows, Error> {
        let (table, (values, ..)) = read(csv, options, false, &mut Texts::default())?;
        let found = table.features.len();
        if options.columns.is_empty() && found != inputs {
            return Err(Error::Columns { found, expected: inputs });
        }
        Ok(Rows { inputs: values, ignored: table.ignored() })
    }
}

/// Reads the whole file: what its columns are and its features, the labels into `labels`.
#[expect(clippy::type_complexity, reason = "the parts of a data set")]
fn read(
    csv: &[u8],
    options: &Options,
    labelled: bool,
    labels: &mut Texts,
) -> Result<(Table, (Vec<f32>, Vec<Column>, bool)), Error> {
    let table = Table::of_first_rows(csv, options, labelled)?;
    let (found, expected) = (table.features.len(), options.columns.len());
    if expected != 0 && found != expected {
        return Err(Error::Columns { found, expected });
    }
    let mut records = Records::new(csv)?;
    if table.header.is_some() {
        records.next()?;
    }
    let mut features = Features::new(options, &table);
    let mut rows = 0;
    while let Some(record) = records.next()? {
        rows += 1;
        bound("rows", rows, limits::DATASET_ROWS_MAX)?;
        bound("numbers", features.len() + record.len(), limits::DATASET_VALUES_MAX)?;
        let row = record.row;
        if record.len() != table.count {
            return Err(Error::Ragged { row, found: record.len(), expected: table.count });
        }
        for (feature, index) in table.features.iter().enumerate() {
            let index = *index;
            features.push(feature, record.field(index), Place { table: &table, row, index })?;
        }
        for index in &table.labels {
            labels.push(record.field(*index), Place { table: &table, row, index: *index })?;
        }
    }
    if rows == 0 {
        return Err(Error::Empty);
    }
    let features = features.finish(&table)?;
    Ok((table, features))
}

impl Table {
    /// Looks at the first two rows. Without a named label the last column is one if it is
    /// `labelled`.
    fn of_first_rows(csv: &[u8], options: &Options, labelled: bool) -> Result<Self, Error> {
        let mut records = Records::new(csv)?;
        let first: Vec<String> = match records.next()? {
            Some(record) => record.fields().map(str::to_string).collect(),
            None => return Err(Error::Empty),
        };
        let names = Header::new(&first);
        let mut labels = places(&options.labels, &first);
        let last = options.labels.is_empty() && labelled;
        if last {
            labels.push(first.len() - 1);
        }
        let wanted = options.labels.iter().chain(&options.categories);
        let by_name = wanted.clone().any(|label| match label {
            Label::Name(name) => first.contains(name),
            Label::Index(_) => false,
        });
        let header = match options.header {
            Some(header) => header,
            None if by_name => true,
            None => match known_header(&first, &names, &options.columns, &labels) {
                Some(header) => header,
                None => match records.next()? {
                    Some(second) => is_header(&first, &second, &labels),
                    None => first.iter().all(|field| number::parse(field).is_none()),
                },
            },
        };
        for label in wanted {
            let missing = matches!(label, Label::Name(_)) && !header;
            if missing || place(label, &first).is_none() {
                return Err(no_label(label, &first, header));
            }
        }
        if header {
            names.check_unique()?;
            if last && has_names(&options.columns) {
                labels = vec![names.label(&options.columns)?];
            }
        }
        let twice = |index: &usize| labels.iter().filter(|one| *one == index).count() > 1;
        if labels.iter().any(twice) {
            return Err(Error::Parts("a column is named twice as a label"));
        }
        if labels.len() == first.len() {
            return Err(Error::NoFeatures);
        }
        let mut features = others(first.len(), &labels);
        if header && has_names(&options.columns) {
            features = names.places(&options.columns, &features)?;
        }
        let categories = places(&options.categories, &first);
        let header = header.then_some(names);
        Ok(Self { header, count: first.len(), labels, features, categories })
    }

    /// The columns that are neither labels nor features, by number and name.
    fn ignored(&self) -> Vec<String> {
        let mut ignored = Vec::new();
        for index in others(self.count, &self.features) {
            if !self.labels.contains(&index) {
                ignored.push(self.name(index));
            }
        }
        ignored
    }

    /// A column's name for a message.
    pub(super) fn name(&self, index: usize) -> String {
        match self.header(index) {
            "" => (index + 1).to_string(),
            name => format!("{} ({name})", index + 1),
        }
    }

    /// The places of the features.
    pub(super) fn features(&self) -> &[usize] {
        &self.features
    }

    /// A column's name in the header, shortened; empty without one.
    pub(super) fn header(&self, index: usize) -> &str {
        self.header.as_ref().map(|header| header.name(index)).unwrap_or_default()
    }
}

/// Whether the first row names the columns of a model, if that shows.
fn known_header(
    first: &[String],
    names: &Header,
    columns: &[Column],
    labels: &[usize],
) -> Option<bool> {
    let features = others(first.len(), labels);
    let (mut in_order, mut fits, mut known) = (true, true, false);
    for (column, index) in columns.iter().zip(&features) {
        let name = names.name(*index);
        in_order &= !name.is_empty() && column.name == name;
        known |= !column.name.is_empty() && names.place(&column.name).is_some();
        let field = first.get(*index).map(String::as_str).unwrap_or_default();
        let category = |name: &str| column.categories.iter().any(|one| one == name);
        let value = if column.categories.is_empty() {
            number::parse(field).is_some()
        } else {
            category(field) || category(&class_name(field))
        };
        fits &= value || features::is_gap(field);
    }
    if columns.is_empty() || features.is_empty() {
        None
    } else if in_order || fits {
        Some(in_order)
    } else {
        known.then_some(true)
    }
}

/// The columns that labels are, without those that are not there.
#[inline(never)]
fn places(labels: &[Label], first: &[String]) -> Vec<usize> {
    labels.iter().filter_map(|label| place(label, first)).collect()
}

/// Which of the columns a label is.
fn place(label: &Label, first: &[String]) -> Option<usize> {
    match label {
        Label::Index(index) => Some(to_index(*index)).filter(|index| *index < first.len()),
        Label::Name(name) => first.iter().position(|column| column == name),
    }
}

fn no_label(label: &Label, first: &[String], header: bool) -> Error {
    let label = match label {
        Label::Name(name) => shorten(name),
        Label::Index(index) => index.to_string(),
    };
    let columns =
        if header { shorten_list(first) } else { format!("{}, without names", first.len()) };
    Error::NoLabel { label, columns }
}

/// Whether `first` names the columns of which `second` is the first row.
fn is_header(first: &[String], second: &Record<'_>, labels: &[usize]) -> bool {
    let text = |field: &str| number::parse(field).is_none();
    let turns = |(index, name): (usize, &String)| text(name) && !text(second.field(index));
    let turning = first.iter().enumerate().filter(|column| turns(*column)).count();
    let label = |index: &usize| first.get(*index).is_some_and(|name| turns((*index, name)));
    let all_text = first.iter().all(|name| text(name));
    turning > 0 && (all_text || labels.iter().any(label) || turning * 2 >= first.len())
}

impl Texts {
    fn push(&mut self, field: &str, at: Place<'_>) -> Result<(), Error> {
        if field.is_empty() {
            return Err(Error::EmptyField { row: at.row, column: at.table.name(at.index) });
        }
        self.text.push_str(field);
        self.ends.push((self.text.len(), at.row));
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

    fn into_labels(self, options: &Options, table: &Table) -> Result<(Labels, Vec<String>), Error> {
        let several = table.labels.len() > 1;
        let own = || if several { Task::Regression } else { self.task(options) };
        match (options.task.unwrap_or_else(own), &options.classes) {
            (Task::Classification, _) if several => Err(Error::Labels(table.labels.len())),
            (Task::Classification, Some(classes)) => self.known_classes(classes),
            (Task::Classification, None) => self.new_classes(),
            _ => self.numbers(table).map(|labels| (labels, Vec::new())),
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

    fn numbers(&self, table: &Table) -> Result<Labels, Error> {
        let mut values = Vec::with_capacity(self.ends.len());
        for ((field, row), index) in self.iter().zip(table.labels.iter().cycle()) {
            values.push(features::number(field, Place { table, row, index: *index })?);
        }
        Ok(Labels::Numbers { values, width: table.labels.len() })
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
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let number = |name: &str| number::parse(name).and_then(whole).unwrap_or(i64::MAX);
    number(a).cmp(&number(b)).then_with(|| a.cmp(b))
}

/// A class as it is written in a model: whole numbers without decimals, names as they are.
pub(super) fn class_name(field: &str) -> String {
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
pub(super) fn shorten(text: &str) -> String {
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
pub(super) fn shorten_list(names: &[String]) -> String {
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
