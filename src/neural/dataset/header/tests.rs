//! Tables whose columns come in another order than the model has them.

use proptest::prelude::*;

use super::*;
use crate::neural::dataset::{Dataset, Label, Labels, Options, Rows, Task};

/// What a model learned from `size,colour,told`.
fn model() -> Options {
    let options = Options { encode: true, ..Options::default() };
    let data = Dataset::parse(b"size,colour,told\n1,red,a\n2,blue,b\n", &options).unwrap();
    let classes = Some(data.classes().to_vec());
    Options { columns: data.columns().to_vec(), classes, ..Options::default() }
}

fn rows(csv: &str, options: &Options) -> Result<Rows, Error> {
    Dataset::parse_rows(csv.as_bytes(), 3, options)
}

fn inputs(csv: &str) -> Vec<f32> {
    rows(csv, &model()).unwrap_or_else(|error| panic!("{csv:?}: {error}")).inputs
}

/// Columns were taken by their position whatever the header said: sizes as colours were an error,
/// numbers as other numbers a wrong answer.
#[test]
fn columns_are_found_by_their_names() {
    let expected = [7., 0., 1., 8., 1., 0.];
    for csv in [
        "size,colour\n7,red\n8,blue\n",
        "colour,size\nred,7\nblue,8\n",
        "id,colour,note,size\n1,red,x,7\n2,blue,,8\n",
        "told,colour,size\na,red,7\n?,blue,8\n",
        "7,red\n8,blue\n",
    ] {
        assert_eq!(inputs(csv), expected, "{csv:?}");
    }
    let numbers = Dataset::parse(b"x,y,told\n1,10,a\n2,20,b\n", &Options::default()).unwrap();
    let options = Options { columns: numbers.columns().to_vec(), ..Options::default() };
    let swapped = Dataset::parse_rows(b"y,x\n30,3\n", 2, &options).unwrap();
    assert_eq!(swapped.inputs, [3., 30.]);
    let asked = Options { header: Some(false), ..options };
    assert_eq!(Dataset::parse_rows(b"30,3\n", 2, &asked).unwrap().inputs, [30., 3.]);
}

#[test]
fn labelled_rows_are_found_by_name_as_well() {
    let parse = |csv: &str, options: &Options| Dataset::parse(csv.as_bytes(), options);
    for csv in ["size,colour,told\n7,red,b\n", "colour,size,told\nred,7,b\n"] {
        let data = parse(csv, &model()).unwrap();
        assert_eq!(
            (data.values(), data.labels()),
            ([7., 0., 1.].as_slice(), &Labels::Classes(vec![1]))
        );
        assert_eq!(data.ignored(), [""; 0]);
    }
    // The label is the column the model does not have, wherever it is.
    assert_eq!(parse("told,colour,size\nb,red,7\n", &model()).unwrap().values(), [7., 0., 1.]);
    let data = parse("id,colour,size,told\n9,red,7,b\n", &model()).unwrap();
    assert_eq!(
        (data.values(), data.ignored()),
        ([7., 0., 1.].as_slice(), ["1 (id)".into()].as_slice())
    );
    // The labels of one class say nothing, but those that were named are where they are.
    let labels = vec![Label::Name("told".into())];
    let named = Options { labels, ..model() };
    assert_eq!(parse("told,id,colour,size\nb,9,red,7\n", &named).unwrap().values(), [7., 0., 1.]);
    let targets = Options {
        labels: ["u", "v"].map(|name| Label::Name(name.into())).to_vec(),
        classes: None,
        ..model()
    };
    let data = parse("v,colour,u,size\n2,red,1,7\n", &targets).unwrap();
    assert_eq!(data.labels(), &Labels::Numbers { values: vec![1., 2.], width: 2 });
    for csv in ["size,colour\n7,red\n", "told,id,colour,size\nb,9,red,7\n"] {
        let error = parse(csv, &model()).unwrap_err();
        assert_eq!(error.code(), "data-no-label", "{csv:?}: {error}");
    }
    let task = Some(Task::Reconstruction);
    let mirror = Options { task, classes: None, ..model() };
    let data = parse("colour,id,size\nred,1,7\n", &mirror).unwrap();
    assert_eq!(data.labels(), &Labels::Numbers { values: vec![7., 0., 1.], width: 3 });
}

#[test]
fn a_column_that_is_missing_is_named() {
    for csv in ["size,color\n7,red\n", "size,color,told\n7,red,a\n", "size,told\n7,a\n"] {
        let error = rows(csv, &model()).unwrap_err();
        assert_eq!(error.code(), "data-no-column", "{csv:?}: {error}");
        let columns = csv.lines().next().unwrap_or_default().replace(',', ", ");
        let message =
            ["the model takes a column 'colour', which is not among the inputs (", &columns, ")"];
        assert_eq!(error.to_string(), message.concat());
    }
    let error = Dataset::parse(b"size,color,told\n7,red,a\n", &model()).unwrap_err();
    assert_eq!(error.code(), "data-no-column");
    let label = Options { labels: vec![Label::Name("size".into())], ..model() };
    let error = Dataset::parse(b"size,colour,told\n7,red,a\n", &label).unwrap_err();
    assert!(matches!(error, Error::NoColumn { name, .. } if name == "size"));
}

#[test]
fn what_the_model_does_not_take_is_told() {
    let found = rows("id,colour,,size\n1,red,x,7\n", &model()).unwrap();
    assert_eq!(found.ignored, ["1 (id)", "3"]);
    assert_eq!(rows("7,red\n", &model()).unwrap().ignored, [""; 0]);
    // Without names there is nothing to tell them by.
    let error = rows("7,red,1\n", &model()).unwrap_err();
    assert_eq!(error, Error::Columns { found: 3, expected: 2 });
}

#[test]
fn two_columns_of_one_name_are_refused() {
    let long = "x".repeat(50);
    for (csv, name) in [
        ("x,y,x\n1,2,a\n3,4,b\n".to_string(), "x"),
        ([&long, "1,", &long, "2,z\n1,2,a\n3,4,b\n"].concat(), "xxx"),
    ] {
        let error = Dataset::parse(csv.as_bytes(), &Options::default()).unwrap_err();
        assert_eq!(error.code(), "data-name-twice");
        assert!(error.to_string().contains(name), "{error}");
    }
    let error = rows("size,colour,size\n7,red,8\n", &model()).unwrap_err();
    assert_eq!(error.to_string(), "two columns have the same name, 'size'");
    // What has no name has none twice, and rows of values are no header.
    assert!(Dataset::parse(b"x,,,\n1,2,3,a\n3,4,5,b\n", &Options::default()).is_ok());
    assert!(Dataset::parse(b"1,1,a\n3,4,b\n", &Options::default()).is_ok());
}

#[test]
fn columns_without_names_among_others_stay_in_their_order() {
    let data = Dataset::parse(b",x,,told\n1,2,3,a\n4,5,6,b\n", &Options::default()).unwrap();
    let options = Options { columns: data.columns().to_vec(), ..Options::default() };
    let read = |csv: &[u8]| Dataset::parse_rows(csv, 3, &options);
    assert_eq!(read(b"x,,\n2,1,3\n").unwrap().inputs, [1., 2., 3.]);
    assert!(matches!(read(b"x,\n2,1\n"), Err(Error::NoColumn { name, .. }) if name.is_empty()));
}

/// Numbers are names as well, such as those that data frames number their columns with.
#[test]
fn a_row_of_numbers_is_no_header_for_being_made_of_names() {
    let csv = b"0,1,told\n5,6,a\n7,8,b\n";
    let header = Options { header: Some(true), ..Options::default() };
    let columns = Dataset::parse(csv, &header).unwrap().columns().to_vec();
    let options = Options { columns, ..Options::default() };
    let read = |csv: &[u8]| Dataset::parse_rows(csv, 2, &options).unwrap().inputs;
    assert_eq!(read(b"0,1\n5,6\n"), [5., 6.], "the names in their order");
    assert_eq!(read(b"1,0\n5,6\n"), [1., 0., 5., 6.], "a row of values");
    let options = Options { header: Some(true), ..options.clone() };
    assert_eq!(Dataset::parse_rows(b"1,0\n5,6\n", 2, &options).unwrap().inputs, [6., 5.]);
}

#[test]
fn rows_of_other_names_do_not_go_to_a_model() {
    let columns = |csv: &[u8]| Dataset::parse(csv, &Options::default()).unwrap().columns().to_vec();
    let (xy, yx) = (columns(b"x,y,t\n1,2,a\n3,4,b\n"), columns(b"y,x,t\n1,2,a\n3,4,b\n"));
    assert!(crate::neural::dataset::columns_agree(&xy, &xy));
    assert!(!crate::neural::dataset::columns_agree(&xy, &yx));
    assert!(crate::neural::dataset::columns_agree(&xy, &[]), "of numbers nothing is known");
}

proptest! {
    // The plain version: each column looked up in a map.
    #[test]
    fn any_order_of_columns_gives_the_same_inputs(
        order in Just((0..40_usize).collect::<Vec<_>>()).prop_shuffle(),
        values in prop::collection::vec(any::<i16>(), 40),
    ) {
        let name = |place: usize| ["c", &place.to_string()].concat();
        let columns: Vec<Column> =
            (0..30).map(|place| Column { name: name(place), ..Column::default() }).collect();
        let options = Options { columns, ..Options::default() };
        let line = |field: &dyn Fn(usize) -> String| {
            order.iter().map(|place| field(*place)).collect::<Vec<_>>().join(",")
        };
        let csv = [line(&name), line(&|place| values[place].to_string())].join("\n");
        let found = Dataset::parse_rows(csv.as_bytes(), 30, &options).unwrap();
        let expected: Vec<f32> = values[..30].iter().copied().map(f32::from).collect();
        prop_assert_eq!(found.inputs, expected);
        prop_assert_eq!(found.ignored.len(), 10);
    }

    #[test]
    fn any_header_is_matched_or_refused(csv in "[a-c,\n1\"]{0,60}", labelled in any::<bool>()) {
        let column = |name: &str| Column { name: name.into(), ..Column::default() };
        let options =
            Options { columns: vec![column("b"), column(""), column("a")], ..Options::default() };
        if labelled {
            if let Ok(data) = Dataset::parse(csv.as_bytes(), &options) {
                prop_assert_eq!(data.values().len(), data.rows() * 3);
            }
        } else if let Ok(rows) = Dataset::parse_rows(csv.as_bytes(), 3, &options) {
            prop_assert_eq!(rows.inputs.len() % 3, 0);
        }
    }
}
