//! Puts the files that the server serves into the binary: the built web app, fonts and sprites.
//!
//! Writes `files.rs` with one table a folder: (path, bytes). A hash over everything that shapes an answer goes
//! to `HROMADA_BUILD`, so that a validator of another build is never taken for one of this.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::fs;
use std::hash::Hasher;
use std::path::{Path, PathBuf};

const PLACEHOLDER: &str = "<!doctype html><meta charset=\"utf-8\"><title>hromada</title>\
<p>The web map was not built. In crates/server/web run: npm ci &amp;&amp; npm run build, then build the server again.</p>\n";

fn main() {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("set by cargo"));
    let mut app = root.join("web/dist");
    // While the folder is missing, this runs on every build.
    println!("cargo:rerun-if-changed=web/dist");
    if !app.join("index.html").is_file() {
        println!(
            "cargo:warning=crates/server/web/dist/index.html is missing: a placeholder is built in. \
             Run `npm ci && npm run build` in crates/server/web, then build again."
        );
    }
    // A copy, so that a web build that runs meanwhile can't take a file away under the compiler.
    app = copied(&app, &out.join("app"));
    let mut hash = DefaultHasher::new();
    let mut code = String::new();
    let tables = [
        ("APP", app),
        ("FONTS", root.join("assets/fonts")),
        ("SPRITES", root.join("assets/sprites")),
    ];
    for (name, folder) in tables {
        if !folder.starts_with(&out) {
            println!("cargo:rerun-if-changed={}", folder.display());
        }
        writeln!(code, "pub(super) static {name}: &[(&str, &[u8])] = &[").expect("a string");
        for file in files(&folder) {
            let relative = file
                .strip_prefix(&folder)
                .expect("found below it")
                .to_string_lossy()
                .replace('\\', "/");
            writeln!(
                code,
                "    ({relative:?}, include_bytes!({:?})),",
                file.display().to_string()
            )
            .expect("a string");
            add(&mut hash, &file);
        }
        writeln!(code, "];").expect("a string");
    }
    fs::write(out.join("files.rs"), code).expect("the out folder is ours");
    for folder in ["src", "templates", "../model/messages", "../model/src"] {
        println!("cargo:rerun-if-changed={folder}");
        files(&root.join(folder))
            .iter()
            .for_each(|file| add(&mut hash, file));
    }
    println!("cargo:rustc-env=HROMADA_BUILD={:016x}", hash.finish());
}

fn add(hash: &mut DefaultHasher, file: &Path) {
    hash.write(&fs::read(file).unwrap_or_default());
}

/// Copies a folder's files, or the placeholder when it has no index.
fn copied(from: &Path, to: &Path) -> PathBuf {
    // It may be absent.
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).expect("the out folder is ours");
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).expect("found below it"));
        let parent = target.parent().expect("it is below a folder");
        fs::create_dir_all(parent).expect("the out folder is ours");
        // One that went away since it was found belongs to a web build that is not finished; the next build has it.
        if fs::copy(&file, &target).is_err() {
            println!(
                "cargo:warning={} went away while it was read; build again.",
                file.display()
            );
        }
    }
    if !to.join("index.html").is_file() {
        fs::write(to.join("index.html"), PLACEHOLDER).expect("the out folder is ours");
    }
    to.to_owned()
}

/// All files below a folder, sorted; none when it is not there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
