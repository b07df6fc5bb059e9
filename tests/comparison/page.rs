//! The page's tables, a small version of them, and the attack that they show.

use synaptic_mesh::{consensus, sampling};

use crate::table::{self, FREE, Row, SIZES};
use crate::world::{Case, Fault};
use crate::{quorum, sampled};

fn published() -> String {
    let page = include_str!("../../docs/finality.md");
    let [begin, end] = table::MARKS;
    let (_, rest) = page.split_once(begin).expect("the page has the tables' first mark");
    rest.split_once(end).expect("and the last one").0.to_owned()
}

#[test]
fn the_page_has_every_row_and_nothing_else() {
    let page = published();
    assert!(page.contains(table::HEAD), "the head is another one: run `--example compare`");
    let labels: Vec<String> = SIZES
        .iter()
        .flat_map(|(nodes, _)| table::cases(*nodes))
        .map(|case| format!("| {} |", Row::label(&case)))
        .collect();
    let (first, second) = page.split_once("\nThe same").expect("two tables");
    let rows: Vec<&str> = first.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert_eq!(rows.len(), labels.len());
    for (row, label) in rows.iter().zip(&labels) {
        assert!(row.starts_with(label), "{row} is not the row of {label}");
        assert_eq!(row.matches('|').count(), 13, "{row}");
    }
    let signed = second.lines().filter(|line| line.starts_with("| ")).count();
    let sizes = SIZES.iter().filter(|(nodes, _)| *nodes < 1_000).count();
    assert_eq!(signed, 1 + 2 * sizes);
}

#[test]
fn a_row_of_the_page_is_what_its_seeds_give() {
    // The sampled half of the smallest network: the same on every machine.
    let (nodes, seeds) = SIZES[0];
    let row = table::run(table::cases(nodes)[0], seeds).text();
    let half = |row: &str| row.split('|').take(8).collect::<String>();
    let page = published();
    let found = page.lines().find(|line| half(line) == half(&row));
    assert!(found.is_some(), "{row} is not on the page: run `--example compare -- --write`");
}

#[test]
fn the_tables_can_be_written_again() {
    let mut rows = 0;
    let tables = table::page(&[(4, 1)], |_| rows += 1);
    assert_eq!(rows, table::cases(4).len() + 2);
    let [begin, end] = table::MARKS;
    let page = format!("before\n{begin}old\n{end}after\n");
    let page = table::replaced(&page, &tables).expect("it has both marks");
    assert_eq!(page, format!("before\n{begin}{tables}{end}after\n"));
    assert_eq!(table::replaced("without marks\n", &tables), None);
}

#[test]
fn both_engines_decide_a_small_network_and_the_committee_sooner() {
    let case = table::cases(10)[0];
    let row = table::run(case, 20);
    let (sampled, quorum) = (row.sampled.percentile_ms(99), row.quorum.percentile_ms(99));
    assert_eq!((row.sampled.undecided(), row.quorum.undecided()), (0, 0));
    // Five rounds of four polls take five round trips; item, lock, commit take three delays.
    assert!((200..600).contains(&sampled.unwrap()), "{sampled:?}");
    assert!((60..300).contains(&quorum.unwrap()), "{quorum:?}");
}

/// A contested key among 100 nodes, of which 20 know what everybody prefers: twice the root.
fn attacked(fault: Fault) -> Case {
    Case { nodes: 100, faulty: (20, fault), contested: true, cost: FREE, horizon_ms: 3_000 }
}

#[test]
fn as_many_attackers_as_the_root_of_the_members_stall_sampling_and_not_the_quorum() {
    // A documented weakness (ESORICS 2024, "Quantifying Liveness and Safety of Avalanche's
    // Snowball"), with the control that half as many members that are silent do not stall it.
    let config = sampling::Config::default();
    let decided = |outcome: &crate::world::Outcome| outcome.times_us.iter().flatten().count();
    for seed in [1, 2] {
        let outcome = sampled::run(&attacked(Fault::Active), config, seed);
        assert_eq!(decided(&outcome), 0, "seed {seed}: the attack has stopped to work");
        let outcome = quorum::run(&attacked(Fault::Active), consensus::Config::default(), seed);
        assert_eq!((decided(&outcome), outcome.contradiction), (80, false), "seed {seed}");
    }
    let silent = Case { faulty: (10, Fault::Silent), ..attacked(Fault::Silent) };
    let outcome = sampled::run(&silent, config, 1);
    assert_eq!((decided(&outcome), outcome.contradiction), (90, false));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let case = Case { nodes: 31, ..attacked(Fault::Active) };
    let run = |seed| {
        let outcome = sampled::run(&case, sampling::Config::default(), seed);
        (outcome.times_us, outcome.messages, outcome.bytes)
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
