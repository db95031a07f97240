//! The table of OWASP ASVS in the handbook has each requirement once, and names tests that there are.

// Clippy counts helpers outside `#[test]` functions as product code.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Number and level of each requirement of levels 1 and 2 (OWASP ASVS 5.0.0), one a line.
const REQUIREMENTS: &str = include_str!("asvs.txt");

/// How a row says that it is not held by a test, in both languages.
const MARKS: [(Status, &str, &str); 3] = [
    (Status::NotHeld, "Not held yet: ", "Поки не виконано: "),
    (
        Status::DoesNotApply,
        "Does not apply: ",
        "Не застосовується: ",
    ),
    (Status::Untested, "No test: ", "Без тесту: "),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Held,
    NotHeld,
    DoesNotApply,
    Untested,
}

/// A row of the table, but for its words.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    numbers: Vec<String>,
    levels: BTreeSet<String>,
    status: Status,
    /// `file` or `file::test`, the file from `crates/` on.
    tests: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rows(lang: &str) -> Vec<Row> {
    let page = root().join("docs/src").join(lang).join("asvs.md");
    let text = std::fs::read_to_string(page).unwrap();
    let starts_with_number = |line: &&str| {
        let cell = line.strip_prefix("| ").unwrap_or_default();
        cell.starts_with(|c: char| c.is_ascii_digit())
    };
    text.lines().filter(starts_with_number).map(row).collect()
}

fn row(line: &str) -> Row {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [numbers, levels, what, how, tests] = cells[..] else {
        panic!("a row has five cells: {line}");
    };
    assert!(!what.is_empty() && !how.is_empty(), "{line}");
    let list = |cell: &str| -> Vec<String> { cell.split(", ").map(str::to_owned).collect() };
    let marked = |(_, en, uk): &&(Status, &str, &str)| how.starts_with(en) || how.starts_with(uk);
    let status = MARKS.iter().find(marked).map(|(status, _, _)| *status);
    let named = tests.split("<br>").filter(|test| *test != "—");
    Row {
        numbers: list(numbers),
        levels: list(levels).into_iter().collect(),
        status: status.unwrap_or(Status::Held),
        tests: named
            .map(|test| test.trim_matches('`').to_owned())
            .collect(),
    }
}

/// The level of each requirement.
fn requirements() -> BTreeMap<String, String> {
    let lines = REQUIREMENTS.lines().map(|l| l.split_once(' ').unwrap());
    lines
        .map(|(number, level)| (number.to_owned(), level.to_owned()))
        .collect()
}

#[test]
fn each_requirement_has_one_row_that_says_its_level() {
    let requirements = requirements();
    assert_eq!(requirements.len(), 70 + 183, "those of levels 1 and 2");
    let mut missing: BTreeSet<&String> = requirements.keys().collect();
    let rows = rows("en");
    for row in &rows {
        let mut levels = BTreeSet::new();
        for number in &row.numbers {
            assert!(
                missing.remove(number),
                "{number} is there twice, or is none"
            );
            levels.insert(requirements[number].clone());
        }
        assert_eq!(row.levels, levels, "{:?}", row.numbers);
    }
    assert!(missing.is_empty(), "no row has {missing:?}");
}

#[test]
fn both_languages_say_the_same() {
    let (en, uk) = (rows("en"), rows("uk"));
    for (en, uk) in en.iter().zip(&uk) {
        assert_eq!(en, uk);
    }
    assert_eq!(en.len(), uk.len());
}

#[test]
fn a_row_names_tests_unless_it_says_why_not() {
    for row in rows("en") {
        let has_tests = !row.tests.is_empty();
        match row.status {
            Status::Held => assert!(has_tests, "{:?} needs a test or a mark", row.numbers),
            Status::NotHeld => {}
            Status::DoesNotApply | Status::Untested => {
                assert!(!has_tests, "{:?} has a test", row.numbers);
            }
        }
    }
}

#[test]
fn every_test_that_is_named_is_in_the_source() {
    let crates = root().join("crates");
    let mut count = 0;
    for test in rows("en").into_iter().flat_map(|row| row.tests) {
        let (file, name) = match test.split_once("::") {
            Some((file, name)) => (file, Some(name)),
            None => (test.as_str(), None),
        };
        let source = std::fs::read_to_string(crates.join(file));
        let source = source.unwrap_or_else(|_| panic!("there is no {file}"));
        if let Some(name) = name {
            let signature = format!("fn {name}(");
            assert!(source.contains(&signature), "{file} has no test {name}");
            count += 1;
        }
    }
    assert!(count >= 100, "only {count} tests are named");
}
