//! What is to be told from each row.

/// The labels of all rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// The index of each row's class.
    Classes(Vec<u32>),
    /// `width` numbers per row, `[rows, width]`.
    Numbers {
        /// The numbers.
        values: Vec<f32>,
        /// Numbers per row, at least 1.
        width: usize,
    },
}

/// The label of one row.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// A class: 1 at its place, 0 everywhere else.
    Class(u32),
    /// The numbers themselves.
    Numbers(&'a [f32]),
}

impl Labels {
    /// Rows that have a label.
    pub fn rows(&self) -> usize {
        match self {
            Labels::Classes(classes) => classes.len(),
            Labels::Numbers { values, width } => values.len() / (*width).max(1),
        }
    }

    /// The label of a row; for a row that does not exist, an empty one.
    pub fn of_row(&self, row: usize) -> Target<'_> {
        match self {
            Labels::Classes(classes) => {
                classes.get(row).map_or(Target::Numbers(&[]), |class| Target::Class(*class))
            }
            Labels::Numbers { values, width } => {
                let start = row.saturating_mul(*width);
                Target::Numbers(values.get(start..start + *width).unwrap_or_default())
            }
        }
    }

    /// The labels of some of the rows, in the given order.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Labels::Classes(classes) => {
                Labels::Classes(rows.iter().filter_map(|row| classes.get(*row).copied()).collect())
            }
            Labels::Numbers { width, .. } => {
                let mut values = Vec::with_capacity(rows.len() * width);
                for row in rows {
                    if let Target::Numbers(numbers) = self.of_row(*row) {
                        values.extend_from_slice(numbers);
                    }
                }
                Labels::Numbers { values, width: *width }
            }
        }
    }
}

impl Target<'_> {
    /// What the output at `place` should be.
    pub fn at(&self, place: usize) -> f32 {
        match self {
            Target::Class(class) => f32::from(u8::from(usize::try_from(*class) == Ok(place))),
            Target::Numbers(numbers) => numbers.get(place).copied().unwrap_or(0.0),
        }
    }
}
