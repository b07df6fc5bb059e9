//! A bounded list of changes that is applied as one.

use crate::limits;
use crate::storage::{Error, Table};

/// One change: a record written, or removed when `value` is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Where.
    pub table: Table,
    /// Which record.
    pub key: Vec<u8>,
    /// What it becomes; `None` removes it, and removing what is not there is no error.
    pub value: Option<Vec<u8>>,
}

/// Changes to be applied together, in order, within the bounds of `limits`.
///
/// ```
/// use synaptic_mesh::storage::{Batch, Table};
///
/// let mut batch = Batch::new();
/// batch.put(Table::Meta, b"name".to_vec(), b"ada".to_vec())?;
/// assert_eq!(batch.operations().len(), 1);
/// # Ok::<(), synaptic_mesh::storage::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    operations: Vec<Operation>,
    bytes: usize,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a record to be written.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when the record or the batch would exceed its bound; the batch is then
    /// unchanged.
    pub fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) -> Result<(), Error> {
        self.push(Operation { table, key, value: Some(value) })
    }

    /// Adds a record to be removed.
    ///
    /// # Errors
    /// As [`Batch::put`].
    pub fn remove(&mut self, table: Table, key: Vec<u8>) -> Result<(), Error> {
        self.push(Operation { table, key, value: None })
    }

    /// The changes, in order.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The changes, in order, by value.
    pub fn into_operations(self) -> Vec<Operation> {
        self.operations
    }

    /// Keys and values together, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends `other`, unless the sum would exceed a bound: then `other` comes back.
    ///
    /// # Errors
    /// The other batch, untouched.
    pub fn merge(&mut self, other: Self) -> Result<(), Self> {
        let operations = self.operations.len() + other.operations.len();
        let bytes = self.bytes + other.bytes;
        if operations > limits::STORE_BATCH_OPERATIONS_MAX || bytes > limits::STORE_BATCH_BYTES_MAX
        {
            return Err(other);
        }
        self.operations.extend(other.operations);
        self.bytes = bytes;
        Ok(())
    }

    fn push(&mut self, operation: Operation) -> Result<(), Error> {
        let value_bytes = operation.value.as_ref().map_or(0, Vec::len);
        let bytes = self.bytes + operation.key.len() + value_bytes;
        within("key bytes", operation.key.len(), limits::STORE_KEY_BYTES_MAX)?;
        within("value bytes", value_bytes, limits::STORE_VALUE_BYTES_MAX)?;
        within("batch operations", self.operations.len() + 1, limits::STORE_BATCH_OPERATIONS_MAX)?;
        within("batch bytes", bytes, limits::STORE_BATCH_BYTES_MAX)?;
        self.operations.push(operation);
        self.bytes = bytes;
        Ok(())
    }
}

fn within(what: &'static str, given: usize, most: usize) -> Result<(), Error> {
    if given > most { Err(Error::TooLarge { what, given, most }) } else { Ok(()) }
}
