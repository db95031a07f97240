//! What else a query that finds nothing may mean.

use std::collections::HashMap;

use spatial::index::{Guess, folded, other_layouts};
use store::LiveCollection;

use super::merge::{self, Answers, columns, leading_number};
use crate::limits::{MAX_CANDIDATES, MAX_GUESSED};

/// How a query was understood that found nothing as it was.
#[derive(Debug)]
pub(super) struct Understood {
    /// The text that was looked for instead.
    pub(super) text: String,
    pub(super) by: &'static str,
}

/// Answers to the query as it is or, when there are none, as it may be meant. One more than `limit` tells whether
/// there are more.
pub(super) fn search<'a>(
    collections: &'a [LiveCollection],
    query: &str,
    limit: usize,
) -> (Answers<'a>, Option<Understood>) {
    let plain = merge::search(collections, query, limit + 1);
    if !plain.is_empty() {
        return (plain, None);
    }
    let guessed = |guess| move || best_guess(collections, query, guess).into_iter().collect();
    let ways: [(&'static str, &dyn Fn() -> Vec<String>); 3] = [
        ("layout", &|| other_layouts(query)),
        ("transliteration", &guessed(Guess::Transliteration)),
        ("spelling", &guessed(Guess::Spelling)),
    ];
    for (by, texts) in ways {
        for text in texts() {
            let answers = merge::search(collections, &text, limit + 1);
            if !answers.is_empty() {
                return (answers, Some(Understood { text, by }));
            }
        }
    }
    without_number(collections, query).unwrap_or((plain, None))
}

/// The words that most texts have which the query may mean.
fn best_guess(collections: &[LiveCollection], query: &str, guess: Guess) -> Option<String> {
    let mut budget = MAX_GUESSED;
    let mut all: HashMap<String, usize> = HashMap::new();
    for live in collections {
        let found = live
            .index
            .guesses(query, guess, &columns(live), &mut budget);
        for (text, count) in found {
            *all.entry(text).or_insert(0) += count;
        }
    }
    // Of equally frequent ones the same each time.
    let best = all
        .into_iter()
        .max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)));
    best.map(|(text, _)| text)
}

/// The street and the houses nearest to a number that is not there.
fn without_number<'a>(
    collections: &'a [LiveCollection],
    query: &str,
) -> Option<(Answers<'a>, Option<Understood>)> {
    let folded = folded(query);
    let (numbers, words): (Vec<&str>, Vec<&str>) = folded
        .split(' ')
        .partition(|word| leading_number(word).is_some());
    let number = leading_number(numbers.first()?)?;
    if words.is_empty() {
        return None;
    }
    let text = words.join(" ");
    let mut answers = merge::search(collections, &text, MAX_CANDIDATES);
    answers.nearest_to(number, &text);
    let understood = Understood {
        text,
        by: "without-number",
    };
    (!answers.is_empty()).then_some((answers, Some(understood)))
}
