//! Why a data set cannot be read, made or divided.

/// Why a data set cannot be read, made or divided. Rows are lines of the file, counted from 1.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More bytes, rows, columns, numbers or classes than the limit.
    #[error("the data has {found} {what}; the limit is {max}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is; reading stops at the limit, so there may be more.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// No rows, or nothing but a header.
    #[error("the data has no rows")]
    Empty,
    /// Bytes that are not UTF-8.
    #[error("row {row} is not UTF-8 text")]
    NotText {
        /// Line of the file.
        row: usize,
    },
    /// A record longer than any row of numbers.
    #[error("row {row} is longer than {max} bytes")]
    RowTooLong {
        /// Line of the file where it begins.
        row: usize,
        /// The limit.
        max: usize,
    },
    /// A quotation mark that opens a field and is never closed.
    #[error("row {row} opens a quotation mark that is never closed")]
    Quote {
        /// Line of the file where it opens.
        row: usize,
    },
    /// A row with another number of columns than the first one.
    #[error("row {row} has {found} columns, the first row has {expected}")]
    Ragged {
        /// Line of the file.
        row: usize,
        /// Columns of the row.
        found: usize,
        /// Columns of the first row.
        expected: usize,
    },
    /// Text where a number belongs.
    #[error("row {row}, column {column}: '{value}' is not a number")]
    NotANumber {
        /// Line of the file.
        row: usize,
        /// Name of the column, or its number counted from 1.
        column: String,
        /// The text, shortened.
        value: String,
    },
    /// Text in a column that has numbers elsewhere.
    #[error(
        "row {row}, column {column}: '{value}' is not a number, and other rows have numbers there"
    )]
    Mixed {
        /// Line of the file.
        row: usize,
        /// Name of the column, or its number counted from 1.
        column: String,
        /// The text, shortened.
        value: String,
    },
    /// A category that a column of the model does not have.
    #[error("row {row}, column {column}: '{value}' is none of its categories ({categories})")]
    UnknownCategory {
        /// Line of the file.
        row: usize,
        /// Name of the column, or its number counted from 1.
        column: String,
        /// The text, shortened.
        value: String,
        /// The first few categories, shortened.
        categories: String,
    },
    /// A column of more categories than the limit.
    #[error("column {column} has more than {max} categories")]
    Categories {
        /// Name of the column, or its number counted from 1.
        column: String,
        /// The limit.
        max: usize,
    },
    /// Several label columns, and classes.
    #[error("{0} label columns are numbers to predict, not classes")]
    Labels(usize),
    /// Values are missing where a scaling is to be found or applied.
    #[error("values are missing in the data")]
    Gaps,
    /// A column in which every value is missing.
    #[error("every value of column {column} is missing")]
    NoValues {
        /// Which of the features, counted from 1.
        column: usize,
    },
    /// Infinity, NaN, or a number too large for `f32`.
    #[error("row {row}, column {column}: '{value}' is not a finite number")]
    NotFinite {
        /// Line of the file.
        row: usize,
        /// Name of the column, or its number counted from 1.
        column: String,
        /// The text, shortened.
        value: String,
    },
    /// Nothing where a number or a label belongs.
    #[error("row {row}, column {column} is empty")]
    EmptyField {
        /// Line of the file.
        row: usize,
        /// Name of the column, or its number counted from 1.
        column: String,
    },
    /// The label column does not exist.
    #[error("there is no column '{label}'; the columns are {columns}")]
    NoLabel {
        /// The name or index asked for.
        label: String,
        /// The names there are, or how many columns.
        columns: String,
    },
    /// The last column is one of the model's, and no other one must be the label.
    #[error("which column is the label does not show: the model takes the last one as an input")]
    LabelUnclear,
    /// A column of the model is not in the table.
    #[error("the model takes a column '{name}', which is not among the inputs ({columns})")]
    NoColumn {
        /// Its name; empty if it has none.
        name: String,
        /// The first few names there are.
        columns: String,
    },
    /// Two columns of one name.
    #[error("two columns have the same name, '{0}'")]
    NameTwice(String),
    /// A single column: nothing to tell the label from.
    #[error("the data has one column: a label, but nothing to tell it from")]
    NoFeatures,
    /// Every row has the same class.
    #[error("every row has the class '{0}'")]
    OneClass(String),
    /// The name of a class or category longer than the limit.
    #[error("row {row}: the name '{name}' has more than {max} bytes")]
    ClassName {
        /// Line of the file.
        row: usize,
        /// The name, shortened.
        name: String,
        /// The limit.
        max: usize,
    },
    /// A class that is not among the given ones.
    #[error("row {row}: '{name}' is none of the expected classes ({classes})")]
    UnknownClass {
        /// Line of the file.
        row: usize,
        /// The name, shortened.
        name: String,
        /// The expected names, shortened.
        classes: String,
    },
    /// Rows to run with another number of columns than the network has inputs.
    #[error("the rows have {found} columns of features, the network takes {expected}")]
    Columns {
        /// Columns of the rows, without a label if one was named.
        found: usize,
        /// Columns the network was trained with, or its inputs.
        expected: usize,
    },
    /// Parts that do not belong together.
    #[error("{0}")]
    Parts(&'static str),
    /// A test fraction that leaves one side empty.
    #[error("this share of {rows} rows for the test leaves one of the two sides without rows")]
    Fraction {
        /// The fraction asked for.
        fraction: f64,
        /// Rows there are.
        rows: usize,
    },
    /// No members, or too many.
    #[error("{members} members cannot share {rows} rows with at least {least} each")]
    Members {
        /// Members asked for.
        members: u32,
        /// Rows there are.
        rows: usize,
        /// Rows each must get.
        least: usize,
    },
    /// A concentration that is not a positive number.
    #[error("the concentration of a split is above 0 and at most 1000000")]
    Alpha(f64),
    /// No draw gave everybody enough.
    #[error("after {0} draws there was still a member with too few rows")]
    Unlucky(u32),
    /// A scaling for another number of columns, or with numbers that are not usable.
    #[error(transparent)]
    Scaling(#[from] crate::neural::specification::Error),
    /// The data is scaled already.
    #[error("the data is scaled already")]
    ScaledTwice,
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Error::TooLarge { .. } => "data-too-large",
            Error::Empty => "data-empty",
            Error::NotText { .. } => "data-not-text",
            Error::RowTooLong { .. } => "data-row-too-long",
            Error::Quote { .. } => "data-quote",
            Error::Ragged { .. } => "data-ragged",
            Error::NotANumber { .. } | Error::Mixed { .. } => "data-not-a-number",
            Error::UnknownCategory { .. } => "data-unknown-category",
            Error::Categories { .. } => "data-categories",
            Error::Labels(_) => "data-labels",
            Error::Gaps | Error::NoValues { .. } => "data-missing",
            Error::NotFinite { .. } => "data-not-finite",
            Error::EmptyField { .. } => "data-field-empty",
            Error::NoLabel { .. } | Error::LabelUnclear => "data-no-label",
            Error::NoColumn { .. } => "data-no-column",
            Error::NameTwice(_) => "data-name-twice",
            Error::NoFeatures => "data-no-features",
            Error::OneClass(_) => "data-one-class",
            Error::ClassName { .. } => "data-class-name",
            Error::UnknownClass { .. } => "data-unknown-class",
            Error::Columns { .. } => "data-columns",
            Error::Parts(_) => "data-parts",
            Error::Fraction { .. } | Error::Members { .. } | Error::Alpha(_) => "split-invalid",
            Error::Unlucky(_) => "split-unlucky",
            Error::Scaling(error) => error.code(),
            Error::ScaledTwice => "data-scaled-twice",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::TooLarge { what: "classes", .. } => {
                "if the label is a number to predict and no class, set the task to regression"
            }
            Error::TooLarge { .. } => "use fewer rows or columns",
            Error::Empty => "a CSV file has one row per example: the features, then the label",
            Error::NotText { .. } => "save the file as CSV in UTF-8",
            Error::RowTooLong { .. } => "look for a quotation mark that is never closed",
            Error::Quote { .. } => "close it, or remove it if the field is not meant to be quoted",
            Error::Ragged { .. } => "give every row the same columns; quote fields with commas",
            Error::NotANumber { row: 1, .. } => {
                "if the first row names the columns, say that there is a header; if this column is \
                 the label, name it"
            }
            Error::NotANumber { .. } => "write text as numbers, or name this column as the label",
            Error::Mixed { .. } => {
                "write a number there; if the column is of categories that may be numbers, say so \
                 (--categories); if the value is missing, have it filled (--missing mean)"
            }
            Error::UnknownCategory { row: 1, .. } => {
                "if the first row names the columns, say that there is a header; if not, the model \
                 knows only the categories it was trained with"
            }
            Error::UnknownCategory { .. } => {
                "the model knows only the categories it was trained with: use one of them, or \
                 train a model on rows with all of them"
            }
            Error::Categories { .. } => {
                "free text and identifiers tell a network nothing: remove the column, or group \
                 what it says"
            }
            Error::Labels(_) => "name one column for classes, or set the task to regression",
            Error::Gaps => "fill them first",
            Error::NoValues { .. } => "remove the column",
            Error::NotFinite { .. } => "remove the row or put a number there",
            Error::EmptyField { .. } => {
                "remove the row, or have gaps in features filled (--missing mean)"
            }
            Error::NoLabel { .. } => "name one of the columns, or give its index counted from 0",
            Error::LabelUnclear => "name the label (--label)",
            Error::NoColumn { .. } => {
                "columns are found by name: rename it in the header, or remove the header if they \
                 are in the order of the model"
            }
            Error::NameTwice(_) => {
                "rename one, in its first 40 bytes; if the first row has values, say --no-header"
            }
            Error::NoFeatures => "add a column, or check the separator: comma, semicolon or tab",
            Error::OneClass(_) => "a classification needs rows of at least two classes",
            Error::ClassName { .. } => {
                "shorten the names of classes and categories, or name another column as label"
            }
            Error::UnknownClass { .. } => {
                "the label must be one of the classes of the model or run"
            }
            Error::Columns { .. } => {
                "the file has the inputs only; if it has a label as well, name that column"
            }
            Error::Parts(_) => "pass whole rows",
            Error::Fraction { .. } => "0.2 is usual",
            Error::Members { .. } => "fewer members, or more rows",
            Error::Alpha(_) => "0.1 gives every member few classes, 100 gives all of them all",
            Error::Unlucky(_) => "fewer members, a larger concentration, or another seed",
            Error::Scaling(_) => "a scaling has one offset and one scale per feature",
            Error::ScaledTwice => "scale the data as it was read",
        }
    }
}
