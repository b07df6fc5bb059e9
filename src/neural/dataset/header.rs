//! The names of a table's columns, and which of them a model takes.
//!
//! A model whose columns have names finds them by name, in whatever order a table has them; a table
//! without a header, and a model without names, go by position. What the model has no column for
//! is passed over. Names are compared as a model keeps them, shortened. Linear in the number of
//! columns unless names collide, which only the owner of a file can make them do.

use super::columns::Column;
use super::error::Error;
use super::parse::{shorten, shorten_list};

/// Where each name is. A hash table with open addressing: the library's maps take ten times the
/// wasm.
pub(super) struct Header {
    /// Shortened; empty where a column has no name.
    names: Vec<String>,
    /// Places in `names` counted from 1, at what a name hashes to or behind it; 0 where none is. At
    /// most half full.
    slots: Vec<usize>,
    /// A column whose name another one has before it.
    twice: Option<usize>,
}

impl Header {
    pub(super) fn new(fields: &[String]) -> Self {
        let slots = vec![0; (2 * fields.len().max(1)).next_power_of_two()];
        let mut header = Self { names: Vec::with_capacity(fields.len()), slots, twice: None };
        for (place, field) in fields.iter().enumerate() {
            let name = shorten(field);
            let (slot, known) = header.find(&name);
            if known.is_some() {
                header.twice = Some(place);
            } else if let (false, Some(slot)) = (name.is_empty(), header.slots.get_mut(slot)) {
                *slot = place + 1;
            }
            header.names.push(name);
        }
        header
    }

    /// The name of a column, shortened; empty if it has none.
    pub(super) fn name(&self, place: usize) -> &str {
        self.names.get(place).map(String::as_str).unwrap_or_default()
    }

    /// The first column of a name that is not empty.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.find(name).1
    }

    /// # Errors
    /// [`Error::NameTwice`] if a name does not say which column is meant.
    pub(super) fn check_unique(&self) -> Result<(), Error> {
        match self.twice {
            Some(place) => Err(Error::NameTwice(self.name(place).to_string())),
            None => Ok(()),
        }
    }

    /// The label of a table of which none was named: the last column, unless it is one that the
    /// model takes and a single other one is not.
    ///
    /// # Errors
    /// [`Error::LabelUnclear`] if that does not tell.
    pub(super) fn label(&self, columns: &[Column]) -> Result<usize, Error> {
        let mut known = Vec::new();
        for column in columns {
            known.extend(self.place(&column.name));
        }
        let count = self.names.len();
        match others(count, &known).as_slice() {
            [.., last] if last + 1 == count => Ok(*last),
            [only] => Ok(*only),
            _ => Err(Error::LabelUnclear),
        }
    }

    /// The places of a model's columns among `features`, in the order of the model. Columns without
    /// a name are those without one in the table, from left to right.
    ///
    /// # Errors
    /// [`Error::NoColumn`] for the first that is not there.
    pub(super) fn places(
        &self,
        columns: &[Column],
        features: &[usize],
    ) -> Result<Vec<usize>, Error> {
        let mut unnamed = features.iter().filter(|place| self.name(**place).is_empty());
        let mut places = Vec::with_capacity(columns.len());
        for column in columns {
            let place = match column.name.as_str() {
                "" => unnamed.next().copied(),
                // In ascending order, as they are made.
                name => self.place(name).filter(|place| features.binary_search(place).is_ok()),
            };
            let Some(place) = place else {
                let columns = shorten_list(&self.names);
                return Err(Error::NoColumn { name: column.name.clone(), columns });
            };
            places.push(place);
        }
        Ok(places)
    }

    /// The slot of a name, which is full if it is known, and its place.
    fn find(&self, name: &str) -> (usize, Option<usize>) {
        // FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv).
        let hash = name
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let mask = self.slots.len() - 1;
        let mut slot = crate::tensor::index(hash) & mask;
        loop {
            match self.slots.get(slot) {
                None | Some(0) => return (slot, None),
                Some(next) if self.name(next - 1) == name => return (slot, Some(next - 1)),
                _ => slot = (slot + 1) & mask,
            }
        }
    }
}

/// The places of so many columns that are not `used`, from left to right.
#[inline(never)]
pub(super) fn others(count: usize, used: &[usize]) -> Vec<usize> {
    let mut free = vec![true; count];
    for place in used {
        if let Some(free) = free.get_mut(*place) {
            *free = false;
        }
    }
    let mut places = Vec::new();
    for (place, free) in free.into_iter().enumerate() {
        if free {
            places.push(place);
        }
    }
    places
}

/// Whether columns of a model are told by their names.
pub(super) fn has_names(columns: &[Column]) -> bool {
    columns.iter().any(|column| !column.name.is_empty())
}

#[cfg(test)]
mod tests;
