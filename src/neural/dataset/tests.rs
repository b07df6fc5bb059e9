//! Reading, dividing and scaling data sets.

use proptest::prelude::*;

use super::*;

fn parse(csv: &str) -> Result<Dataset, Error> {
    Dataset::parse(csv.as_bytes(), &Options::default())
}

fn parse_with(csv: &str, change: impl FnOnce(&mut Options)) -> Result<Dataset, Error> {
    let mut options = Options::default();
    change(&mut options);
    Dataset::parse(csv.as_bytes(), &options)
}

/// A file of `rows` lines.
fn table(rows: u32, line: impl Fn(u32) -> String) -> String {
    (0..rows).map(line).collect()
}

#[test]
fn usual_files_are_understood() {
    for (csv, features, rows, classes) in [
        ("1,2,a\n3,4,b\n", 2, 2, "a b"),
        ("x,y,z\n1,2,a\n3,4,b\n", 2, 2, "a b"),
        ("x,y,z\n1,2,10\n3,4,9\n", 2, 2, "9 10"),
        ("1,2,10\n3,4,9\n3,4,-1", 2, 3, "-1 9 10"),
        ("1,2,1.0\n3,4,0.0\n", 2, 2, "0 1"),
        ("0,1,2,label\n1,2,3,1\n4,5,6,2\n", 3, 2, "1 2"),
        ("\u{feff}x,\"y, or so\",z\r\n1,2,a\r\n3,4,b\r\n", 2, 2, "a b"),
        ("x;y;z\n1;2;a\n3;4;b\n", 2, 2, "a b"),
        ("1\t2\ta\n3\t4\tb\n", 2, 2, "a b"),
        ("# a comment\n\n1, 2 ,\" a\"\n\n# another\n3,4,b", 2, 2, "a b"),
        ("1,2,0.5\n3,4,1\n", 2, 2, ""),
        ("a,b,price\n1,2,0.5\n3,4,1\n", 2, 2, ""),
        ("1e3,-2.5E-1,a\n+3,.5,b\n", 2, 2, "a b"),
        ("1,2,\"say \"\"a\"\"\"\n3,4,b\n", 2, 2, "b say \"a\""),
    ] {
        let data = parse(csv).unwrap_or_else(|error| panic!("{csv:?}: {error}"));
        assert_eq!((data.features(), data.rows()), (features, rows), "{csv:?}");
        let mut names = data.classes().to_vec();
        if classes.starts_with('b') {
            names = vec![names.join(" ")];
            assert_eq!(names, [classes], "{csv:?}");
        } else {
            assert_eq!(names.join(" "), classes, "{csv:?}");
        }
    }
}

/// The rest of the file was taken as one field, and as a class if it was the label.
#[test]
fn a_quotation_mark_that_is_never_closed_is_an_error() {
    for (csv, row) in [
        ("1,2,a\n3,4,\"b\n", 2),
        ("1,2,a\n3,4,\"b", 2),
        ("1,2,a\n3,4,b\n5,6,\"", 3),
        ("\"x\ny\",2,\"a\n3,4,b\n", 2),
    ] {
        let error = parse(csv).unwrap_err();
        assert_eq!((&error, error.code()), (&Error::Quote { row }, "data-quote"), "{csv:?}");
    }
}

#[test]
fn the_label_may_be_any_column() {
    let csv = "kind,x,y\nb,1,2\na,3,4\n";
    for label in [Label::Name("kind".into()), Label::Index(0)] {
        let data = parse_with(csv, |options| options.labels = vec![label]).unwrap();
        assert_eq!(data.values(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(data.labels(), &Labels::Classes(vec![1, 0]));
    }
}

#[test]
fn the_task_may_be_chosen() {
    let regression = |options: &mut Options| options.task = Some(Task::Regression);
    let data = parse_with("1,2,3\n4,5,6\n", regression).unwrap();
    assert_eq!(data.labels(), &Labels::Numbers { values: vec![3.0, 6.0], width: 1 });
    let classification = |options: &mut Options| options.task = Some(Task::Classification);
    let data = parse_with("1,2,0.5\n4,5,1.5\n", classification).unwrap();
    assert_eq!(data.classes(), ["0.5", "1.5"]);
    let error = parse_with("1,2,x\n4,5,6\n", regression).map(|data| data.rows());
    assert_eq!(error, Ok(1), "an all-text column in the first row only is a header");
}

#[test]
fn given_classes_keep_their_order_and_may_be_missing() {
    let given = |options: &mut Options| {
        options.classes = Some(["2", "1", "0"].map(String::from).to_vec());
    };
    let data = parse_with("5,1.0\n6,1\n7,2\n", given).unwrap();
    assert_eq!(data.labels(), &Labels::Classes(vec![1, 1, 0]));
    assert_eq!(data.class_counts(), [1, 2, 0]);
    let error = parse_with("5,1\n6,3\n", given).unwrap_err();
    assert_eq!(error.to_string(), "row 2: '3' is none of the expected classes (2, 1, 0)");
}

#[test]
fn broken_files_are_refused_with_their_place() {
    let long = format!("1,{}\n2,b\n", "x".repeat(65));
    for (csv, code, text) in [
        ("", "data-empty", "no rows"),
        ("\n\n# nothing\n", "data-empty", "no rows"),
        ("a,b,c\n", "data-empty", "no rows"),
        ("1,2,a\n3,b\n", "data-ragged", "row 2 has 2 columns, the first row has 3"),
        ("x,y,c\r\n1,2,a\r\n\r\n3,4,b,5\r\n", "data-ragged", "row 4 has 4 columns"),
        ("x,y,c\n1,2,a\n3,four,b\n", "data-not-a-number", "row 3, column 2 (y): 'four'"),
        ("1,2,a\n3,x,b\n", "data-not-a-number", "row 2, column 2: 'x'"),
        ("1,2,a\n3,,b\n", "data-field-empty", "row 2, column 2 is empty"),
        ("1,2,a\n3,4,\n", "data-field-empty", "row 2, column 3 is empty"),
        ("1,2,a\n3,NaN,b\n", "data-not-finite", "row 2, column 2: 'NaN'"),
        ("1,2,a\n3,-inf,b\n", "data-not-finite", "'-inf'"),
        ("1,2,a\n3,1e99,b\n", "data-not-finite", "'1e99'"),
        ("1,0.5\n2,nan\n", "data-not-finite", "row 2, column 2"),
        ("1\n2\n", "data-no-features", "one column"),
        ("1,2,a\n3,4,a\n", "data-one-class", "'a'"),
        (long.as_str(), "data-class-name", "64 bytes"),
    ] {
        let error = parse(csv).expect_err(csv);
        assert_eq!(error.code(), code, "{csv:?}: {error}");
        assert!(error.to_string().contains(text), "{csv:?}: {error}");
        assert!(!error.hint().is_empty());
    }
    let error = Dataset::parse(b"1,\xff\n2,b\n", &Options::default()).unwrap_err();
    assert_eq!(error, Error::NotText { row: 1 });
    let utf16 = b"\xff\xfe1\0,\x002\0\n\0";
    assert_eq!(Dataset::parse(utf16, &Options::default()).unwrap_err().code(), "data-not-text");
}

#[test]
fn a_label_that_is_not_there_is_refused_with_what_is() {
    let name = |name: &str| vec![Label::Name(name.into())];
    let error = parse_with("x,y\n1,a\n2,b\n", |options| options.labels = name("z")).unwrap_err();
    assert_eq!(error.to_string(), "there is no column 'z'; the columns are x, y");
    let error = parse_with("1,a\n2,b\n", |options| options.labels = name("z")).unwrap_err();
    assert_eq!(error.code(), "data-no-label");
    let index = |options: &mut Options| options.labels = vec![Label::Index(2)];
    assert_eq!(parse_with("1,a\n2,b\n", index).unwrap_err().code(), "data-no-label");
}

#[test]
fn too_much_of_anything_is_refused() {
    let wide = "1,".repeat(80_000) + "1\n";
    let error = parse(&wide).unwrap_err();
    assert!(matches!(error, Error::TooLarge { what: "columns", .. }), "{error}");
    let open = format!("1,2\n3,\"{}", "x\n".repeat(3 << 20));
    assert!(matches!(parse(&open).unwrap_err(), Error::RowTooLong { row: 2, .. }));
    let many = table(1_100, |row| format!("1,{row}\n"));
    let error = parse(&many).unwrap_err();
    assert!(matches!(error, Error::TooLarge { what: "classes", .. }), "{error}");
    assert!(error.hint().contains("regression"));
    let huge = vec![b'1'; limits::DATASET_BYTES_MAX + 1];
    let error = Dataset::parse(&huge, &Options::default()).unwrap_err();
    assert!(matches!(error, Error::TooLarge { what: "bytes", .. }));
}

#[test]
fn rows_to_run_have_no_label_unless_it_is_named() {
    let run = |csv: &str, labels: &[Label]| {
        let options = Options { labels: labels.to_vec(), ..Options::default() };
        Dataset::parse_rows(csv.as_bytes(), 2, &options).map(|rows| rows.inputs)
    };
    assert_eq!(run("1,2\n3,4\n", &[]).unwrap(), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(run("x,y\n1,2\n", &[]).unwrap(), [1.0, 2.0]);
    let label = [Label::Name("z".into())];
    assert_eq!(run("x,z,y\n1,cat,2\n", &label).unwrap(), [1.0, 2.0]);
    assert_eq!(run("1,2,3\n", &[]), Err(Error::Columns { found: 3, expected: 2 }));
    assert_eq!(run("1,x\n", &[]).unwrap_err().code(), "data-not-a-number");
}

#[test]
fn a_split_takes_the_same_share_of_every_class() {
    let csv = table(100, |row| format!("{row},{}\n", row % 3));
    let data = parse(&csv).unwrap();
    let (training, test) = data.split(0.2, 1).unwrap();
    assert_eq!((training.rows(), test.rows()), (80, 20));
    assert!(test.class_counts().iter().all(|count| (6..=7).contains(count)));
    let mut all = [training.values(), test.values()].concat();
    assert!(test.values().is_sorted());
    all.sort_by(f32::total_cmp);
    assert_eq!(all, (0_u8..100).map(f32::from).collect::<Vec<_>>());
    assert_eq!(data.split(0.2, 1).unwrap().1, test);
    assert_ne!(data.split(0.2, 2).unwrap().1, test);
    for fraction in [0.0, 1.0, -0.1, f64::NAN, 0.001] {
        assert_eq!(data.split(fraction, 1).unwrap_err().code(), "split-invalid");
    }
}

#[test]
fn a_dirichlet_split_gives_every_row_to_one_member() {
    let csv = table(600, |row| format!("{row},{}\n", row % 10));
    let data = parse(&csv).unwrap();
    for seed in 0..20 {
        let shares = data.dirichlet_split(6, 0.1, seed).unwrap();
        let mut rows: Vec<f32> = shares.iter().flat_map(|share| share.values().to_vec()).collect();
        rows.sort_by(f32::total_cmp);
        assert_eq!(rows, data.values(), "seed {seed}");
        assert!(shares.iter().all(|share| share.rows() >= 10));
        let most = |share: &Dataset| share.class_counts().into_iter().max().unwrap();
        assert!(shares.iter().all(|share| most(&shares[0]) <= most(share)), "seed {seed}");
        assert_eq!(shares, data.dirichlet_split(6, 0.1, seed).unwrap());
    }
    let even = data.dirichlet_split(6, 1e6, 1).unwrap();
    assert!(even.iter().all(|share| (90..=110).contains(&share.rows())));
    assert_eq!(data.dirichlet_split(0, 0.1, 1).unwrap_err().code(), "split-invalid");
    assert_eq!(data.dirichlet_split(61, 0.1, 1).unwrap_err().code(), "split-invalid");
    assert_eq!(data.dirichlet_split(6, 0.0, 1).unwrap_err().code(), "split-invalid");
    assert_eq!(data.dirichlet_split(60, 0.001, 1).unwrap_err().code(), "split-unlucky");
}

#[test]
fn standard_scaling_has_mean_zero_and_deviation_one() {
    let csv = table(50, |row| format!("{},7,{}\n", row * 3, row % 2));
    let data = parse(&csv).unwrap();
    let scaling = data.fit_scaling(Kind::Standard).unwrap();
    let scaled = data.scaled(&scaling).unwrap();
    let column: Vec<f64> = scaled.values().iter().step_by(2).map(|x| f64::from(*x)).collect();
    let mean = column.iter().sum::<f64>() / 50.0;
    let variance = column.iter().map(|x| x * x).sum::<f64>() / 50.0;
    assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-5, "{mean} {variance}");
    assert!(scaled.values().iter().skip(1).step_by(2).all(|x| *x == 0.0), "constant becomes 0");
    assert_eq!(scaled.scaling(), Some(&scaling));
    assert_eq!(scaled.scaled(&scaling), Err(Error::ScaledTwice));
    let range = data.fit_scaling(Kind::Range).unwrap();
    let mut values = data.scaled(&range).unwrap().values().to_vec();
    assert!(values.iter().all(|x| (0.0..=1.0).contains(x)));
    range.undo(&mut values);
    assert!(values.iter().zip(data.values()).all(|(a, b)| (a - b).abs() < 1e-4));
    assert_eq!(data.scaled(&Scaling::identity(3)).unwrap_err().code(), "scaling-invalid");
}

#[test]
fn a_rare_value_stays_within_five_deviations() {
    let csv = table(1_000, |row| format!("{},{}\n", row / 999, row % 2));
    let data = parse(&csv).unwrap();
    let scaled = data.scaled(&data.fit_scaling(Kind::Standard).unwrap()).unwrap();
    assert!((scaled.values()[999] - 5.0).abs() < 1e-4, "{}", scaled.values()[999]);
}

#[test]
fn regression_targets_are_scaled_apart() {
    let data = parse("1,100.5\n2,300\n3,500\n").unwrap();
    let targets = data.fit_target_scaling().unwrap().unwrap();
    let scaled = data.targets_scaled(&targets).unwrap();
    let Labels::Numbers { values, .. } = scaled.labels() else { panic!("numbers") };
    assert!(values[0] < -1.0 && values[1].abs() < 0.01 && values[2] > 1.0, "{values:?}");
    assert_eq!(scaled.target_scaling(), Some(&targets));
}

#[test]
fn parts_are_checked() {
    let classes = || vec!["a".to_string(), "b".to_string()];
    let labels = |classes: &[u32]| Labels::Classes(classes.to_vec());
    assert!(Dataset::from_parts(2, vec![0.0; 4], labels(&[0, 1]), classes()).is_ok());
    for (features, values, labels) in [
        (2, vec![0.0; 3], labels(&[0, 1])),
        (0, vec![], labels(&[])),
        (2, vec![0.0; 4], labels(&[0, 2])),
        (2, vec![0.0; 4], Labels::Numbers { values: vec![0.0; 2], width: 1 }),
        (2, vec![0.0, f32::NAN, 0.0, 0.0], labels(&[0, 1])),
    ] {
        assert!(Dataset::from_parts(features, values, labels, classes()).is_err());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(data) = Dataset::parse(&bytes, &Options::default()) {
            prop_assert_eq!(data.values().len(), data.rows() * data.features());
        }
        let _ = Dataset::parse_rows(&bytes, 2, &Options::default());
    }

    #[test]
    fn any_small_table_is_read_or_refused(csv in "[0-9a,;\"\n\r# .-]{0,80}") {
        if let Ok(data) = Dataset::parse(csv.as_bytes(), &Options::default()) {
            prop_assert_eq!(data.values().len(), data.rows() * data.features());
            prop_assert!(data.rows() > 0);
        }
    }
}
