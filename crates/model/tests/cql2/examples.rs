//! The standard's own examples: each is read, printed and converted, and those of one name are one tree.

use std::collections::BTreeMap;
use std::path::Path;

use model::cql2::Expression;

/// By name without its ending.
fn files(folder: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cql2")
        .join(folder);
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry.expect("the folder can be read").path();
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .map(str::to_owned);
        let text = std::fs::read_to_string(path).expect("a text file");
        files.insert(name.expect("a plain name"), text);
    }
    files
}

fn texts() -> BTreeMap<String, Expression> {
    let read = |(name, text): (String, String)| {
        let read = Expression::from_text(&text);
        let expression = read.unwrap_or_else(|e| panic!("{name}: {e}\n{text}"));
        (name, expression)
    };
    files("text").into_iter().map(read).collect()
}

fn documents() -> BTreeMap<String, Expression> {
    let read = |(name, text): (String, String)| {
        let read = Expression::from_json(&serde_json::from_str(&text).expect("JSON"));
        let expression = read.unwrap_or_else(|e| panic!("{name}: {e}\n{text}"));
        (name, expression)
    };
    files("json").into_iter().map(read).collect()
}

#[test]
fn all_are_there() {
    assert_eq!((files("text").len(), files("json").len()), (120, 109));
}

#[test]
fn all_are_read_printed_and_converted() {
    for (name, expression) in texts().into_iter().chain(documents()) {
        let text = expression.to_text();
        let of_text =
            Expression::from_text(&text).unwrap_or_else(|e| panic!("{name}: {e}\n{text}"));
        assert_eq!(of_text, expression, "{name}: {text}");
        let json = of_text.to_json();
        let of_json =
            Expression::from_json(&json).unwrap_or_else(|e| panic!("{name}: {e}\n{json}"));
        assert_eq!(of_json, expression, "{name}: {json}");
        assert_eq!(of_json.to_text(), text, "{name}");
    }
}

#[test]
fn those_of_one_name_are_one_tree() {
    let documents = documents();
    let mut pairs = 0;
    for (name, expression) in texts() {
        let (base, alternative) = match name.split_once("-alt") {
            Some((base, _)) => (base, true),
            None => (name.as_str(), false),
        };
        let Some(document) = documents.get(base) else {
            panic!("{name} has no JSON");
        };
        pairs += usize::from(!alternative);
        assert_eq!(&expression, document, "{name}");
    }
    assert_eq!(pairs, documents.len());
}

/// Written as the standard's schema has it, and not only so that this reader understands it.
#[test]
fn the_json_that_is_written_is_the_standards() {
    for (name, text) in files("json") {
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let written = Expression::from_json(&json).unwrap().to_json();
        // Heights are left out, and times are written without needless zeros.
        if ["example45", "example49"].contains(&name.as_str()) {
            continue;
        }
        assert_eq!(numbers_alike(written), numbers_alike(json), "{name}");
    }
}

/// `10` and `10.0` are one number.
fn numbers_alike(json: serde_json::Value) -> serde_json::Value {
    match json {
        serde_json::Value::Number(n) => n.as_f64().into(),
        serde_json::Value::Array(list) => list.into_iter().map(numbers_alike).collect(),
        serde_json::Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, numbers_alike(value)))
            .collect(),
        other => other,
    }
}
