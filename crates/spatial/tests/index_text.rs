//! What the search box finds and in which order.

use model::Value;
use spatial::index::{Builder, Guess, Rank, Snapshot};

fn index(values: &[&str]) -> Snapshot {
    let mut builder = Builder::new(1, &[true]);
    for (fid, value) in values.iter().enumerate() {
        builder
            .push(fid as i64, None, &[], &[Value::Text((*value).into())])
            .expect("a good feature");
    }
    builder.finish()
}

fn found<'a>(values: &[&'a str], query: &str, limit: usize) -> Vec<&'a str> {
    let index = index(values);
    index
        .search_text(query, &[0], limit)
        .iter()
        .map(|hit| values[hit.hit.fid() as usize])
        .collect()
}

#[test]
fn equal_values_come_first_then_prefixes_then_words_then_the_rest() {
    let values = [
        "Підгай",
        "вул. Гайова",
        "Гайове",
        "Гай",
        "Зелений Гай",
        "Шевченка",
    ];
    let all = ["Гай", "Гайове", "вул. Гайова", "Зелений Гай", "Підгай"];
    let mut hits = found(&values, "гай", 10);
    // Within a rank the order is that of the folded text.
    hits[2..4].sort_unstable();
    assert_eq!(hits[..2], all[..2]);
    assert_eq!(hits[2..4], ["Зелений Гай", "вул. Гайова"]);
    assert_eq!(hits[4..], all[4..]);
    assert_eq!(found(&values, "гай", 2), ["Гай", "Гайове"]);
}

#[test]
fn a_cadastral_number_is_found_however_it_is_typed() {
    let values = [
        "2610100000:01:001:0001",
        "2610100000:01:001:0002",
        "ділянка 2610100000:01:001:0001 (стара)",
    ];
    for query in [
        "2610100000:01:001:0001",
        "26101000000100 10001",
        "2610100000-01-001-0001",
    ] {
        assert_eq!(found(&values, query, 10)[0], values[0], "{query}");
    }
    assert_eq!(
        found(&values, "2610100000:01:001:0001", 10),
        [values[0], values[2]]
    );
    assert_eq!(found(&values, "0010002", 10), [values[1]]);
}

#[test]
fn case_apostrophes_and_latin_letters_make_no_difference() {
    let values = ["вул. Пʼятихатки, 5", "Івано-Франківськ"];
    assert_eq!(found(&values, "П'ЯТИХАТКИ 5", 10), [values[0]]);
    assert_eq!(found(&values, "iвано фpанк", 10), [values[1]]);
}

#[test]
fn a_query_without_letters_or_digits_finds_nothing() {
    for query in ["", " ", "::", "'"] {
        assert!(found(&["а", "", "::"], query, 10).is_empty(), "{query:?}");
    }
    assert!(found(&["а"], "а", 0).is_empty());
    assert!(found(&["а"], &"а".repeat(100_000), 10).is_empty());
}

#[test]
fn one_value_of_many_features_gives_as_many_hits_as_asked() {
    let values = vec!["вул. Шевченка"; 5_000];
    let index = index(&values);
    let fids: Vec<i64> = index
        .search_text("шевч", &[0], 10)
        .iter()
        .map(|h| h.hit.fid())
        .collect();
    assert_eq!(fids, (0..10).collect::<Vec<_>>());
}

#[test]
fn the_rank_of_a_value_does_not_depend_on_how_many_there_are() {
    // More values with the needle than are ranked at once.
    let mut values: Vec<String> = (0..6_000).map(|i| format!("{i}a77b")).collect();
    values.extend(["77", "x 77", "77c"].map(str::to_owned));
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let mut expected: Vec<String> = (770..780).map(|i| format!("{i}a77b")).collect();
    expected.splice(0..0, ["77", "77a77b", "77c"].map(str::to_owned));
    expected.push("x 77".to_owned());
    assert_eq!(found(&values, "77", 14), expected);
    let hits = index(&values);
    let hits = hits.search_text("77", &[0], 2);
    assert!(hits.iter().all(|hit| hit.rank <= Rank::Prefix));
}

#[test]
fn words_come_in_any_order_and_street_types_in_any_spelling() {
    let values = [
        "вул. Бандери, 50",
        "вул. Бандери, 5",
        "вул. Степана Бандери, 7",
        "пл. Ринок",
        "вул. Шевченка, 5",
    ];
    for query in [
        "вулиця Бандери 5",
        "Бандери вул 5",
        "5 бандери",
        "ул. Бандери, 5",
    ] {
        assert_eq!(found(&values, query, 10), [values[1], values[0]], "{query}");
    }
    assert_eq!(found(&values, "площа Ринок", 10), [values[3]]);
    // Still being typed.
    assert_eq!(found(&values, "площ", 10), [values[3]]);
    assert_eq!(found(&values, "ш", 10), [values[4]]);
    assert!(found(&values, "бандери шевченка", 10).is_empty());
}

#[test]
fn numbers_are_counted_within_a_rank() {
    let values: Vec<String> = (1..=30)
        .rev()
        .map(|n| format!("вул. Бандери, {n}"))
        .collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let expected = ["вул. Бандери, 1", "вул. Бандери, 2", "вул. Бандери, 3"];
    assert_eq!(found(&values, "бандери", 3), expected);
}

#[test]
fn a_query_that_finds_nothing_is_guessed() {
    let index = index(&[
        "вул. Бандери, 5",
        "вул. Бандери, 55",
        "пл. Ринок",
        "вул. Бандури",
    ]);
    let guessed = |query, guess| {
        let mut all: Vec<(String, usize)> = index
            .guesses(query, guess, &[0], &mut 1_000)
            .into_iter()
            .collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all.into_iter().map(|(text, _)| text).collect::<Vec<_>>()
    };
    assert_eq!(guessed("Бондери 5", Guess::Spelling), ["бандери 5"]);
    assert_eq!(guessed("вулеця бандеры", Guess::Spelling)[0], "вул бандери");
    assert_eq!(guessed("Рінок", Guess::Spelling), ["ринок"]);
    assert_eq!(guessed("bandery 5", Guess::Transliteration), ["бандери 5"]);
    assert_eq!(
        guessed("5 Bandery Street", Guess::Transliteration),
        ["5 бандери вул"]
    );
    assert_eq!(
        guessed("vulytsia Bandery", Guess::Transliteration),
        ["вул бандери"]
    );
    assert!(guessed("Шевченка", Guess::Spelling).is_empty());
    let mut none = 0;
    assert!(
        index
            .guesses("Рінок", Guess::Spelling, &[0], &mut none)
            .is_empty()
    );
}
