//! The workspace keeps its own rules: edges, owners, minimum versions, texts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names in `[dependencies]` of a crate.
fn dependencies(name: &str) -> BTreeSet<String> {
    let manifest =
        std::fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
    let section = manifest
        .split("[dependencies]")
        .nth(1)
        .unwrap_or_default()
        .split("\n[")
        .next()
        .unwrap_or_default();
    section
        .lines()
        .filter_map(|l| l.split(['.', ' ', '=']).next())
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn arrows_between_crates_point_down_only() {
    let levels = [
        ("model", 0),
        ("formats", 1),
        ("spatial", 1),
        ("tiles", 2),
        ("store", 2),
        ("server", 3),
        ("hromada", 4),
    ];
    let level: BTreeMap<&str, i32> = levels.into();
    for (name, own) in levels {
        for dependency in dependencies(name) {
            if let Some(other) = level.get(dependency.as_str()) {
                assert!(*other < own, "{name} must not know {dependency}");
            }
        }
    }
    assert!(
        !dependencies("tiles").contains("spatial"),
        "tiles needs only world coordinates"
    );
}

#[test]
fn each_outside_crate_has_one_owner() {
    let owners = [
        ("sqlx", "store"),
        ("rustix", "store"),
        ("object_store", "store"),
        // Not reqwest: `store` sends files to buckets by it, `server` asks the provider of single sign-on.
        ("rustls", "store"),
        ("axum", "server"),
        ("tower-http", "server"),
        ("hyper", "server"),
        ("rstar", "spatial"),
        ("proj", "spatial"),
        ("geo", "spatial"),
        ("flatgeobuf", "formats"),
        ("flatbuffers", "formats"),
        ("csv", "formats"),
        ("clap", "hromada"),
        ("anyhow", "hromada"),
        ("indicatif", "hromada"),
    ];
    for name in [
        "model", "formats", "spatial", "tiles", "store", "server", "hromada",
    ] {
        for dependency in dependencies(name) {
            if let Some((_, owner)) = owners.iter().find(|(outside, _)| *outside == dependency) {
                assert_eq!(*owner, name, "{dependency} belongs to {owner}");
            }
        }
    }
}

/// Releases below these are known to lose data, hang or crash; see the notes.
const MINIMUM: [(&str, &str, &str); 6] = [
    (
        "libsqlite3-sys",
        "0.37.0",
        "bundles SQLite 3.51.3, the first without the WAL-reset loss",
    ),
    (
        "h2",
        "0.4.16",
        "RUSTSEC-2026-0258: empty DATA frames without bound",
    ),
    ("sqlx-sqlite", "0.9.0", "begin_with, for BEGIN IMMEDIATE"),
    (
        "rstar",
        "0.12.2",
        "the release that the index's model test holds",
    ),
    ("zip", "2.3.0", "RUSTSEC-2025-0155: path of symbolic links"),
    ("tokio", "1.44.2", "RUSTSEC-2025-0023: broadcast channel"),
];

#[test]
fn locked_versions_are_not_older_than_the_known_good_ones() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let parse = |v: &str| -> Vec<u64> {
        v.split(['.', '+', '-'])
            .take(3)
            .map(|p| p.parse().unwrap_or(0))
            .collect()
    };
    for block in lock.split("[[package]]") {
        let field = |name: &str| {
            block
                .lines()
                .find_map(|l| l.strip_prefix(name))
                .map(|v| v.trim_matches(['=', ' ', '"']).to_owned())
        };
        // What has no source is ours: the stand-in for libsqlite3-sys among them.
        let (Some(name), Some(version), true) =
            (field("name"), field("version"), block.contains("source ="))
        else {
            continue;
        };
        if let Some((_, minimum, why)) = MINIMUM.iter().find(|(n, ..)| *n == name) {
            assert!(
                parse(&version) >= parse(minimum),
                "{name} {version} is older than {minimum}: {why}"
            );
        }
    }
}

fn sources(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir()
            && !["target", "node_modules", "dist", "tests", "web"].contains(&name.as_str())
        {
            sources(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

#[test]
fn every_text_in_the_code_is_in_the_catalogue_and_the_other_way_round() {
    let mut catalogue = BTreeSet::new();
    for name in [
        "access", "cli", "formats", "model", "server", "spatial", "store",
    ] {
        let text =
            std::fs::read_to_string(root().join(format!("crates/model/messages/{name}.json")))
                .unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        for key in json.as_object().unwrap().keys() {
            assert!(
                key.starts_with(&format!("{name}.")),
                "{key} is in {name}.json"
            );
            assert!(catalogue.insert(key.clone()), "{key} is there twice");
        }
    }
    let mut files = Vec::new();
    sources(&root().join("crates"), "rs", &mut files);
    sources(&root().join("crates"), "html", &mut files);
    let mut used = BTreeSet::new();
    // Texts of tests are their own.
    files.retain(|file| !file.to_string_lossy().ends_with("tests.rs"));
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text
            .split("#[cfg(test)]\nmod tests")
            .next()
            .unwrap_or_default();
        for quoted in code.split('"').skip(1) {
            if catalogue.contains(quoted) {
                used.insert(quoted.to_owned());
            }
        }
        for after in code.split("Message::new(").skip(1) {
            if let Some(key) = after
                .trim_start()
                .strip_prefix('"')
                .and_then(|rest| rest.split('"').next())
            {
                assert!(
                    catalogue.contains(key),
                    "{}: the catalogue has no {key}",
                    file.display()
                );
            }
        }
    }
    let unused: Vec<_> = catalogue.difference(&used).collect();
    assert!(unused.is_empty(), "texts that nothing uses: {unused:?}");
}
