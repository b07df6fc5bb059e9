//! Columns of text and values that are missing, against tables made by hand.

use proptest::prelude::*;

use super::*;
use crate::neural::dataset::{Kind, Label, Options, Task};

fn encoding() -> Options {
    Options { encode: true, ..Options::default() }
}

fn parse(csv: &str) -> Result<Dataset, Error> {
    Dataset::parse(csv.as_bytes(), &encoding())
}

fn with_gaps(csv: &str) -> Dataset {
    Dataset::parse(csv.as_bytes(), &Options { gaps: true, ..encoding() }).unwrap()
}

#[test]
fn a_column_of_text_becomes_an_input_for_each_category_in_their_order() {
    let data = parse("size,colour,told\n1,red,a\n2,blue,b\n3,red,a\n").unwrap();
    assert_eq!(data.features(), 3);
    assert_eq!(data.values(), [1., 0., 1., 2., 1., 0., 3., 0., 1.]);
    let [size, colour] = data.columns() else { panic!("{:?}", data.columns()) };
    assert_eq!((size.name.as_str(), size.width()), ("size", 1));
    assert_eq!((colour.name.as_str(), colour.width()), ("colour", 2));
    assert_eq!(colour.categories, ["blue", "red"]);
    // Without a name or a category there is nothing to keep.
    assert_eq!(parse("1,2,a\n3,4,b\n").unwrap().columns(), []);
}

#[test]
fn numbers_may_be_said_to_be_categories() {
    let options = Options { categories: vec![Label::Index(0)], ..encoding() };
    let data = Dataset::parse(b"10,1,a\n9,2,b\n10.0,3,a\n", &options).unwrap();
    assert_eq!(data.columns()[0].categories, ["9", "10"]);
    assert_eq!(data.values(), [0., 1., 1., 1., 0., 2., 0., 1., 3.]);
    let missing = Options { categories: vec![Label::Name("month".into())], ..encoding() };
    let error = Dataset::parse(b"a,b\n1,2\n", &missing).unwrap_err();
    assert_eq!(error.code(), "data-no-label");
}

#[test]
fn text_among_numbers_is_refused_where_it_stands() {
    for csv in ["1,2,a\n3,x,b\n5,6,a\n", "1,2,a\n3,x,b\n", "h,i,j\n1,2,a\n3,x,b\n"] {
        let error = parse(csv).unwrap_err();
        let row = 2 + usize::from(csv.starts_with('h'));
        assert!(
            matches!(&error, Error::Mixed { row: found, value, .. }
            if *found == row && value == "x"),
            "{csv:?}: {error}"
        );
        assert_eq!(error.code(), "data-not-a-number");
    }
    // Also when it comes before them.
    let error = parse("1,x,a\n3,y,b\n5,6,a\n").unwrap_err();
    assert!(error.to_string().starts_with("row 1, column 2: 'x' is not a number"), "{error}");
    let error = Dataset::parse(b"1,x,a\n3,y,b\n", &Options::default()).unwrap_err();
    assert!(matches!(error, Error::NotANumber { row: 1, .. }), "asked for numbers: {error}");
    assert!(matches!(parse("x,1,a\n,2,b\n").unwrap_err(), Error::EmptyField { row: 2, .. }));
}

#[test]
fn rows_for_a_model_have_its_columns() {
    let columns = parse("size,colour,told\n1,red,a\n2,blue,b\n").unwrap().columns().to_vec();
    let options = Options { columns, ..encoding() };
    let run = |csv: &str| Dataset::parse_rows(csv.as_bytes(), 3, &options).map(|rows| rows.inputs);
    assert_eq!(run("7,red\n"), Ok(vec![7., 0., 1.]));
    assert_eq!(run("size,colour\n7,red\n8,blue\n"), Ok(vec![7., 0., 1., 8., 1., 0.]));
    let error = run("7,red\n8,green\n").unwrap_err();
    let message = "row 2, column 2: 'green' is none of its categories (blue, red)";
    assert_eq!((error.code(), error.to_string().as_str()), ("data-unknown-category", message));
    assert_eq!(run("7,red,1\n"), Err(Error::Columns { found: 3, expected: 2 }));
    // The labelled rows of one class, which is why the classes are given.
    let classes = Some(["a", "b"].map(String::from).to_vec());
    let options = Options { classes, ..options.clone() };
    let data = Dataset::parse(b"1,blue,a\n", &options).unwrap();
    assert_eq!((data.values(), data.features()), ([1., 1., 0.].as_slice(), 3));
}

/// One row of text alone looks like a header, unless one knows the categories.
#[test]
fn a_single_row_of_categories_is_a_row() {
    let columns = parse("red,up,a\nblue,down,b\n").unwrap().columns().to_vec();
    let options = Options { columns, ..encoding() };
    let rows = Dataset::parse_rows(b"red,down\n", 4, &options).unwrap();
    assert_eq!(rows.inputs, [0., 1., 1., 0.]);
    let error = Dataset::parse_rows(b"pink,down\nred,up\n", 4, &options).unwrap_err();
    assert!(matches!(error, Error::UnknownCategory { row: 1, .. }), "{error}");
}

#[test]
fn too_many_categories_are_refused() {
    let count = limits::DATASET_CATEGORIES_MAX;
    let table = |count: usize| -> String {
        (0..count)
            .map(|row| ["id", &row.to_string(), ",", &(row % 2).to_string(), "\n"].concat())
            .collect()
    };
    assert_eq!(parse(&table(count)).unwrap().features(), count);
    let error = parse(&table(count + 1)).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("data-categories", "column 1 has more than 1000 categories")
    );
    let long = ["a,1\n", &"x".repeat(limits::CLASS_NAME_BYTES_MAX + 1), ",2\n"].concat();
    assert_eq!(parse(&long).unwrap_err().code(), "data-class-name");
    // 70 columns of a thousand categories each are more inputs than a network may have.
    let row = |row: usize| vec![["c", &row.to_string()].concat(); 70].join(",");
    let wide: String =
        (0..count).map(|n| [&row(n), ",", &(n % 2).to_string(), "\n"].concat()).collect();
    let error = parse(&wide).unwrap_err();
    assert!(matches!(error, Error::TooLarge { found: 70_000, max: 65_536, .. }), "{error}");
}

#[test]
fn what_is_missing_is_an_error_unless_it_may_be() {
    for gap in ["", "NA", "n/a", "NaN", "null", "?"] {
        let csv = ["1,2,a\n3,", gap, ",b\n5,6,a\n"].concat();
        let error = parse(&csv).unwrap_err();
        assert!(error.to_string().starts_with("row 2, column 2"), "{gap:?}: {error}");
        let data = with_gaps(&csv);
        assert!(data.has_gaps());
        assert_eq!(data.fit_scaling(Kind::Standard), Err(Error::Gaps));
        let columns = data.fit_columns().unwrap();
        assert_eq!(
            columns.iter().map(|column| column.fill).collect::<Vec<_>>(),
            [Some(3.0), Some(4.0)]
        );
        let filled = data.filled(&columns).unwrap();
        assert_eq!(filled.values(), [1., 2., 3., 4., 5., 6.]);
        assert!(!filled.has_gaps());
    }
    let label = Options { gaps: true, ..encoding() };
    let error = Dataset::parse(b"1,2,a\n3,4,\n", &label).unwrap_err();
    assert!(matches!(error, Error::EmptyField { row: 2, .. }), "a label is never missing: {error}");
    let empty = with_gaps("1,,a\n3,?,b\n");
    assert_eq!(empty.fit_columns(), Err(Error::NoValues { column: 2 }));
}

#[test]
fn a_missing_category_becomes_the_most_frequent_one_of_the_training_rows() {
    let data = with_gaps("red,1,a\nblue,2,b\n?,3,a\nblue,,b\nred,9,a\n");
    let half = data.select(&[1, 2, 3]);
    let columns = half.fit_columns().unwrap();
    assert_eq!(columns[0].fill, Some(0.0), "blue");
    assert_eq!(columns[1].fill, Some(2.5), "of these rows only");
    assert_eq!(half.filled(&columns).unwrap().values(), [1., 0., 2., 1., 0., 3., 1., 0., 2.5]);
    // In all rows both are as frequent: the first one.
    assert_eq!(data.fit_columns().unwrap()[0].fill, Some(0.0));
    let options = Options { columns, ..encoding() };
    let rows = Dataset::parse_rows(b",4\nred,NA\n", 3, &options).unwrap();
    assert_eq!(rows.inputs, [1., 0., 4., 0., 1., 2.5]);
    assert!(!data.select(&[0, 1]).has_gaps());
}

#[test]
fn several_labels_are_numbers_in_the_order_they_are_named() {
    let labels = |names: &[&str]| Options {
        labels: names.iter().map(|name| Label::Name((*name).into())).collect(),
        ..encoding()
    };
    let csv = b"x,y,z,k\n1,2,3,u\n4,5,6,v\n";
    let data = Dataset::parse(csv, &labels(&["z", "x"])).unwrap();
    assert_eq!(data.labels(), &Labels::Numbers { values: vec![3., 1., 6., 4.], width: 2 });
    assert_eq!(data.values(), [2., 1., 0., 5., 0., 1.]);
    let classes = Options { task: Some(Task::Classification), ..labels(&["z", "x"]) };
    assert_eq!(Dataset::parse(csv, &classes).unwrap_err(), Error::Labels(2));
    let error = Dataset::parse(csv, &labels(&["z", "k"])).unwrap_err();
    assert!(matches!(error, Error::NotANumber { row: 2, .. }), "{error}");
    assert_eq!(Dataset::parse(csv, &labels(&["z", "z"])).unwrap_err().code(), "data-parts");
    assert_eq!(Dataset::parse(csv, &labels(&["z", "w"])).unwrap_err().code(), "data-no-label");
    let all = labels(&["x", "y", "z", "k"]);
    assert_eq!(Dataset::parse(csv, &all).unwrap_err(), Error::NoFeatures);
}

#[test]
fn a_reconstruction_has_its_inputs_as_targets_and_no_label() {
    let task = Some(Task::Reconstruction);
    let options = Options { task, gaps: true, ..encoding() };
    let data = Dataset::parse(b"1,4\n,5\n3,6\n", &options).unwrap();
    let data = data.filled(&data.fit_columns().unwrap()).unwrap();
    assert_eq!((data.task(), data.features()), (Task::Reconstruction, 2));
    let targets = |data: &Dataset| Labels::Numbers { values: data.values().to_vec(), width: 2 };
    assert_eq!(data.values(), [1., 4., 2., 5., 3., 6.]);
    assert_eq!(data.labels(), &targets(&data));
    let scaled = data.scaled(&data.fit_scaling(Kind::Range).unwrap()).unwrap();
    assert_eq!(scaled.labels(), &targets(&scaled), "the targets are scaled as the inputs are");
    assert_eq!(scaled.target_scaling(), scaled.scaling());
    let options = Options { labels: vec![Label::Index(0)], ..options };
    let data = Dataset::parse(b"a,1,4\nb,2,5\n", &options).unwrap();
    assert_eq!(data.features(), 2, "a column that is named is left out");
}

#[test]
fn columns_of_a_file_are_checked() {
    let column = |categories: &[&str], fill| Column {
        name: String::new(),
        categories: categories.iter().map(ToString::to_string).collect(),
        fill,
    };
    let good = [column(&[], Some(1.5)), column(&["a", "b"], Some(1.0))];
    assert!(fit(&good, 3) && fit(&[], 3) && !fit(&good, 4));
    for bad in [
        column(&["a", "b"], Some(2.0)),
        column(&["a", "b"], Some(0.5)),
        column(&["a", "b"], Some(-1.0)),
        column(&["a", &"b".repeat(65)], None),
    ] {
        assert!(!fit(std::slice::from_ref(&bad), 2), "{bad:?}");
    }
    assert!(!fit(&[column(&[], Some(f32::NAN))], 1));
}

proptest! {
    // The plain version: the sorted set of what occurs, and a 1 where a row has it.
    #[test]
    fn categories_are_those_a_hand_would_write(rows in prop::collection::vec("[a-d]{1,2}", 2..30)) {
        let csv: String = rows.iter().map(|name| [name, ",0.5\n"].concat()).collect();
        let data = Dataset::parse(csv.as_bytes(), &Options {
            header: Some(false),
            ..encoding()
        }).unwrap();
        let names: std::collections::BTreeSet<&String> = rows.iter().collect();
        let by_hand: Vec<f32> = rows.iter()
            .flat_map(|row| names.iter().map(move |name| if *name == row { 1.0 } else { 0.0 }))
            .collect();
        prop_assert_eq!(data.values(), by_hand);
    }

    #[test]
    fn any_table_with_gaps_is_read_or_refused(
        csv in "[a-c0-9?,\n.-]{0,80}",
        known in any::<bool>(),
    ) {
        let columns = if known {
            vec![Column { categories: vec!["a".into()], fill: Some(0.0), ..Column::default() }]
        } else {
            Vec::new()
        };
        let options = Options { gaps: true, columns, ..encoding() };
        if let Ok(data) = Dataset::parse(csv.as_bytes(), &options) {
            prop_assert_eq!(data.values().len(), data.rows() * data.features());
            if let Ok(columns) = data.fit_columns() {
                prop_assert!(data.filled(&columns).unwrap().values().iter().all(|x| x.is_finite()));
            }
        }
    }
}
