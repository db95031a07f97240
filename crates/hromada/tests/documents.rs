//! Every `hromada …` command line that README and handbook show is one that the program takes.

// Clippy counts helpers outside `#[test]` functions as product code.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use model::Lang;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// README, the samples' page and all pages of the handbook.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![
        root().join("README.md"),
        root().join("data-samples/README.md"),
    ];
    for lang in ["uk", "en"] {
        let folder = root().join("docs/src").join(lang);
        pages.extend(
            std::fs::read_dir(folder)
                .unwrap()
                .map(|e| e.unwrap().path()),
        );
    }
    pages
}

/// The command lines in code blocks without a language.
fn commands(page: &str) -> Vec<String> {
    let mut fence = None;
    let mut found = Vec::new();
    for line in page.lines().map(str::trim) {
        if let Some(language) = line.strip_prefix("```") {
            fence = if fence.is_none() {
                Some(language)
            } else {
                None
            };
        } else if fence == Some("") && line.starts_with("hromada ") {
            found.push(line.to_owned());
        }
    }
    found
}

/// Words as a shell makes them; quotes hold spaces.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(q), _) if c == q => quote = None,
            (None, ' ') => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
    }
    assert!(quote.is_none(), "an open quote in: {line}");
    words.retain(|w| !w.is_empty());
    words
}

#[test]
fn documented_commands_are_taken_by_the_program() {
    let mut count = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for line in commands(&text) {
            let parsed = hromada::cli::command(Lang::En).try_get_matches_from(words(&line));
            assert!(
                parsed.is_ok(),
                "{}: {line}\n{}",
                page.display(),
                parsed.unwrap_err()
            );
            count += 1;
        }
    }
    assert!(count >= 40, "only {count} command lines were found");
}

#[test]
fn each_command_is_shown_in_both_languages() {
    for lang in ["uk", "en"] {
        let folder = root().join("docs/src").join(lang);
        let texts: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .flat_map(|page| commands(&std::fs::read_to_string(page.unwrap().path()).unwrap()))
            .collect();
        for command in hromada::cli::command(Lang::En).get_subcommands() {
            let start = format!("hromada {}", command.get_name());
            let shown = texts.iter().any(|line| line.starts_with(&start));
            assert!(shown, "{start} is not shown in the handbook ({lang})");
        }
    }
}

#[test]
fn a_misspelt_flag_would_be_seen() {
    let line = "hromada import parcels.gpkg --colection parcels --title \"Two words\"";
    assert_eq!(words(line).len(), 7);
    assert!(
        hromada::cli::command(Lang::En)
            .try_get_matches_from(words(line))
            .is_err()
    );
}
