//! Fields of a table as numbers, while it is read: what a column is shows at its first value, and
//! which categories it has at the last one.

use super::columns::{self, Column};
use super::error::Error;
use super::parse::{Options, Table, class_name, compare, shorten, shorten_list};
use super::{bound, number};
use crate::limits;
use crate::tensor::index;

/// What is written where a value is missing, in any case, besides nothing.
const GAPS: [&str; 5] = ["na", "n/a", "nan", "null", "?"];

/// The features of the rows read so far, `[rows, columns]`; a category is its number in the order
/// of appearance, a gap is NaN.
pub(super) struct Features<'a> {
    options: &'a Options,
    values: Vec<f32>,
    found: Vec<Found>,
}

/// What is known of a column.
struct Found {
    kind: Kind,
    /// The line of the first category.
    row: usize,
    /// The categories in order, with the number under which each appeared.
    categories: Vec<(String, u32)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Unknown,
    Numbers,
    Categories,
    /// Said to be categories, even where they are numbers.
    Named,
}

/// Where a field stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) table: &'a Table,
    pub(super) row: usize,
    pub(super) index: usize,
}

impl<'a> Features<'a> {
    pub(super) fn new(options: &'a Options, table: &Table) -> Self {
        let kind = |index| {
            if table.categories.contains(&index) { Kind::Named } else { Kind::Unknown }
        };
        let found = |index| Found { kind: kind(index), row: 0, categories: Vec::new() };
        Self {
            options,
            values: Vec::new(),
            found: table.features().iter().copied().map(found).collect(),
        }
    }

    /// Numbers read so far.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Takes the next field, which is of the feature `feature`.
    pub(super) fn push(&mut self, feature: usize, field: &str, at: Place<'_>) -> Result<(), Error> {
        let known = self.options.columns.get(feature);
        let fill = known.and_then(|column| column.fill);
        let gap = (self.options.gaps || fill.is_some()) && is_gap(field);
        let value = match (gap, known) {
            (true, _) => fill.unwrap_or(f32::NAN),
            (false, Some(column)) if column.categories.is_empty() => number(field, at)?,
            (false, Some(column)) => known_category(&column.categories, field, at)?,
            (false, None) => self.found(feature, field, at)?,
        };
        self.values.push(value);
        Ok(())
    }

    /// A value of a column of which nothing is known but its rows so far.
    fn found(&mut self, feature: usize, field: &str, at: Place<'_>) -> Result<f32, Error> {
        let encode = self.options.encode;
        let Some(found) = self.found.get_mut(feature) else { return number(field, at) };
        let number = number::parse(field);
        let text = encode && number.is_none() && !field.is_empty();
        if found.kind == Kind::Unknown {
            found.kind = if text { Kind::Categories } else { Kind::Numbers };
        }
        let mixed = match found.kind {
            Kind::Numbers => text,
            Kind::Categories => number.is_some(),
            _ => false,
        };
        if mixed {
            return Err(found.mixed(field, at));
        }
        match found.kind {
            Kind::Numbers => finite(number, field, at),
            _ => found.category(field, at),
        }
    }

    /// Inputs and columns, and whether there are gaps.
    pub(super) fn finish(self, table: &Table) -> Result<(Vec<f32>, Vec<Column>, bool), Error> {
        let Self { options, mut values, found } = self;
        let count = found.len();
        let mut known = options.columns.clone();
        if known.is_empty() {
            for (feature, (found, at)) in found.into_iter().zip(table.features()).enumerate() {
                let mut places = vec![0.0; found.categories.len()];
                let mut column = Column { name: table.header(*at).into(), ..Column::default() };
                for ((name, number), place) in found.categories.into_iter().zip(0_u16..) {
                    column.categories.push(name);
                    if let Some(to) = places.get_mut(index(number)) {
                        *to = f32::from(place);
                    }
                }
                // From the order of appearance to that of the names.
                if !places.is_empty() {
                    renumber(&places, values.iter_mut().skip(feature).step_by(count));
                }
                known.push(column);
            }
        }
        let gaps = values.iter().any(|value| value.is_nan());
        let width = columns::width(&known);
        if known.iter().any(|column| !column.categories.is_empty()) {
            bound("inputs with one for each category", width, index(limits::NEURAL_INPUTS_MAX))?;
            let rows = values.len() / count.max(1);
            bound("numbers", rows.saturating_mul(width), limits::DATASET_VALUES_MAX)?;
            values = encoded(&known, &values, rows * width);
        }
        Ok((values, columns::worth_keeping(known), gaps))
    }
}

/// Puts the place of each category for its number.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "they are whole numbers below the bound on categories; a gap is not looked up"
)]
fn renumber<'v>(places: &[f32], values: impl Iterator<Item = &'v mut f32>) {
    for value in values.filter(|value| !value.is_nan()) {
        *value = places.get(*value as usize).copied().unwrap_or(f32::NAN);
    }
}

/// Rows of columns as rows of inputs, `len` numbers in all.
fn encoded(columns: &[Column], values: &[f32], len: usize) -> Vec<f32> {
    let mut inputs = vec![0.0; len];
    let mut rest = inputs.as_mut_slice();
    for (value, column) in values.iter().zip(columns.iter().cycle()) {
        let (own, tail) = rest.split_at_mut(column.width());
        column.encode(*value, own);
        rest = tail;
    }
    inputs
}

impl Found {
    /// The error for a column of both numbers and text; the text is at fault.
    #[cold]
    fn mixed(&self, field: &str, at: Place<'_>) -> Error {
        let first = self.categories.iter().find(|(_, number)| *number == 0);
        let (row, text) = first.map_or((at.row, field), |(name, _)| (self.row, name));
        Error::Mixed { row, column: at.name(), value: shorten(text) }
    }

    /// The number of a category.
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "below 2^24")]
    fn category(&mut self, field: &str, at: Place<'_>) -> Result<f32, Error> {
        let name = class_name(field);
        let place = self.categories.binary_search_by(|(known, _)| compare(known, &name));
        if let Ok(known) = place.map(|place| self.categories.get(place)) {
            return Ok(known.map_or(0.0, |(_, number)| *number as f32));
        }
        let count = self.categories.len();
        if name.is_empty()
            || name.len() > limits::CLASS_NAME_BYTES_MAX
            || count == limits::DATASET_CATEGORIES_MAX
        {
            return Err(no_category(&name, at));
        }
        if count == 0 {
            self.row = at.row;
        }
        let number = u32::try_from(count).unwrap_or(u32::MAX);
        self.categories.insert(place.unwrap_or_else(|place| place), (name, number));
        Ok(number as f32)
    }
}

/// The error for a category that cannot be one of its column.
#[cold]
fn no_category(name: &str, at: Place<'_>) -> Error {
    let max = limits::CLASS_NAME_BYTES_MAX;
    if name.is_empty() {
        Error::EmptyField { row: at.row, column: at.name() }
    } else if name.len() > max {
        Error::ClassName { row: at.row, name: shorten(name), max }
    } else {
        Error::Categories { column: at.name(), max: limits::DATASET_CATEGORIES_MAX }
    }
}

/// The place of a category of a model.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "there are few")]
fn known_category(categories: &[String], field: &str, at: Place<'_>) -> Result<f32, Error> {
    let place = |name: &str| categories.iter().position(|known| known == name);
    match place(field).or_else(|| place(&class_name(field))) {
        Some(place) => Ok(place as f32),
        None if field.is_empty() => Err(no_category(field, at)),
        None => Err(Error::UnknownCategory {
            row: at.row,
            column: at.name(),
            value: shorten(field),
            categories: shorten_list(categories),
        }),
    }
}

/// Whether a field says that its value is missing.
pub(super) fn is_gap(field: &str) -> bool {
    field.is_empty() || GAPS.iter().any(|gap| field.eq_ignore_ascii_case(gap))
}

/// One number. Read in double precision and rounded, as JavaScript would.
pub(super) fn number(field: &str, at: Place<'_>) -> Result<f32, Error> {
    finite(number::parse(field), field, at)
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounds on purpose")]
fn finite(number: Option<f64>, field: &str, at: Place<'_>) -> Result<f32, Error> {
    match number.map(|number| number as f32).filter(|number| number.is_finite()) {
        Some(number) => Ok(number),
        None => Err(no_number(number.is_some(), field, at)),
    }
}

/// The error for a field that is no number, or one that is not finite.
#[cold]
fn no_number(is_number: bool, field: &str, at: Place<'_>) -> Error {
    let (row, column, value) = (at.row, at.name(), shorten(field));
    if is_number {
        Error::NotFinite { row, column, value }
    } else if field.is_empty() {
        Error::EmptyField { row, column }
    } else {
        Error::NotANumber { row, column, value }
    }
}

impl Place<'_> {
    /// The column's name for a message.
    fn name(&self) -> String {
        self.table.name(self.index)
    }
}
