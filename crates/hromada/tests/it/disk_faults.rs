//! Failing disks, by strace: an error at each k-th system call of an import and of an edit.
//!
//! A success that is told must be on disk; a failure must leave a sound store and a clear message.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{BINARY, Server, check, import, json, points, post_point, text, writer};

/// Runs a command under strace with an injection; `{}` arguments follow the binary.
fn strace(inject: &str, log: &Path, data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("strace");
    let calls = inject.split(':').next().unwrap_or_default();
    command.args(["-f", "-qq", "-o"]).arg(log).args([
        "-e",
        &format!("trace={calls}"),
        "-e",
        &format!("inject={inject}"),
        "-e",
        "signal=none",
    ]);
    command
        .arg(BINARY)
        .arg("--data")
        .arg(data)
        .args(args)
        .env("HROMADA_LANG", "en")
        .env("RUST_LOG", "error");
    command.stdin(Stdio::null());
    command
}

fn features(data: &Path) -> u64 {
    json(data, &["collections"])["collections"][0]["features"]
        .as_u64()
        .unwrap()
}

#[test]
fn an_import_with_a_failing_disk_is_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source.geojsonl");
    points(&source, 1, 3000);
    let path = source.to_string_lossy().into_owned();
    let log = folder.path().join("strace.log");
    let mut injected = 0;
    for call in ["fdatasync", "fsync", "pwrite64", "ftruncate"] {
        for error in ["EIO", "ENOSPC"] {
            for k in 1..=200 {
                let data = folder.path().join("data");
                // The store itself is there and sound before the disk begins to fail.
                let _ = std::fs::remove_dir_all(&data);
                let first = folder.path().join("first.geojsonl");
                points(&first, 1, 5);
                assert!(import(&data, &first, "points", &[]).status.success());
                let args = ["import", &path, "--collection", "points", "--append"];
                let output = strace(
                    &format!("{call}:error={error}:when={k}"),
                    &log,
                    &data,
                    &args,
                )
                .output()
                .unwrap();
                let hit = std::fs::read_to_string(&log)
                    .unwrap()
                    .contains("(INJECTED)");
                let told = text(&output);
                let case = format!("{call} {error} {k}");
                assert!(!told.contains("panicked"), "{case}: {told}");
                check(&data);
                let count = features(&data);
                match output.status.code() {
                    Some(0) => assert_eq!(count, 3005, "{case}: told done"),
                    Some(1) => {
                        assert!(count == 5 || count == 3005, "{case}: {count} features");
                        assert!(told.contains("Error: "), "{case}: {told}");
                    }
                    other => panic!("{case}: ended with {other:?}: {told}"),
                }
                if !hit {
                    break;
                }
                injected += 1;
            }
        }
    }
    assert!(injected >= 10, "only {injected} faults were injected");
    println!("{injected} faults injected into an import");
}

#[test]
fn an_edit_with_a_failing_disk_is_never_told_as_done() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("strace.log");
    let mut injected = 0;
    for call in ["fdatasync", "fsync", "pwrite64"] {
        for error in ["EIO", "ENOSPC"] {
            for k in 1..=40 {
                let data = folder.path().join("data");
                let _ = std::fs::remove_dir_all(&data);
                let first = folder.path().join("first.geojsonl");
                points(&first, 1, 5);
                assert!(import(&data, &first, "points", &[]).status.success());
                let inject = format!("{call}:error={error}:when={k}");
                let token = writer(&data, &[]);
                let args = ["serve", "--listen", "127.0.0.1:0"];
                let mut command = strace(&inject, &log, &data, &args);
                command.stdout(Stdio::piped());
                let case = format!("{call} {error} {k}");
                let Some(mut server) = try_start(command) else {
                    // The fault met the start: it must be told, and the store must be sound.
                    check(&data);
                    injected += 1;
                    continue;
                };
                let done: Vec<u64> = (100..104)
                    .filter(|n| matches!(post_point(&server.address, &token, *n), Ok(201)))
                    .collect();
                // A server that stopped writing still reads.
                assert_eq!(server.get("/collections?f=json").status, 200, "{case}");
                stop(&mut server);
                let hit = std::fs::read_to_string(&log)
                    .unwrap()
                    .contains("(INJECTED)");
                check(&data);
                let again = Server::start(&data, &[]);
                let page = again.json("/collections/points/items?f=json&limit=100");
                let stored: Vec<u64> = page["features"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|f| f["properties"]["n"].as_u64().unwrap())
                    .collect();
                assert!(
                    done.iter().all(|n| stored.contains(n)),
                    "{case}: told {done:?}, stored {stored:?}"
                );
                if !hit {
                    break;
                }
                injected += 1;
            }
        }
    }
    assert!(injected >= 4, "only {injected} faults were injected");
    println!("{injected} faults injected into edits");
}

#[test]
fn writing_goes_on_when_a_full_disk_has_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = folder.path().join("first.geojsonl");
    points(&first, 1, 5);
    assert!(import(&data, &first, "points", &[]).status.success());
    let token = writer(&data, &[]);
    let server = Server::start(&data, &[]);
    let mut n = 100;
    let mut post = || {
        n += 1;
        post_point(&server.address, &token, n).unwrap()
    };
    assert_eq!(post(), 201);
    for k in 1..=8 {
        let full = attach(
            &server,
            &format!("inject=pwrite64:error=ENOSPC:when={k}+"),
            &folder.path().join("strace.log"),
        );
        let refused = (0..8).map(|_| post()).find(|status| *status != 201);
        detach(full);
        assert_eq!(refused, Some(507), "pwrite64 {k}: nothing was written");
        assert_eq!((post(), post()), (201, 201), "pwrite64 {k}: there is room");
    }
    drop(server);
    check(&data);
}

/// Lets the system calls of a running server fail until [`detach`].
fn attach(server: &Server, inject: &str, log: &Path) -> std::process::Child {
    use std::io::{BufRead, BufReader};
    let pid = server.child.id().to_string();
    let mut strace = Command::new("strace")
        .args(["-f", "-e", "trace=pwrite64", "-e", inject, "-o"])
        .arg(log)
        .args(["-p", &pid])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(strace.stderr.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert!(line.contains("attached"), "{line}");
    std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
    strace
}

fn detach(mut strace: std::process::Child) {
    let pid = strace.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(sent.success());
    strace.wait().unwrap();
}

fn try_start(mut command: Command) -> Option<Server> {
    use std::io::{BufRead, BufReader};
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let Some(address) = line
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
    else {
        child.wait().unwrap();
        return None;
    };
    let address = address.to_owned();
    std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
    Some(Server { child, address })
}

/// Ends the server behind strace, which goes with it.
fn stop(server: &mut Server) {
    let children = Command::new("pkill")
        .args(["-9", "-P", &server.child.id().to_string()])
        .status()
        .unwrap();
    assert!(children.success());
    server.child.wait().unwrap();
}

#[test]
fn the_log_is_synced_before_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = folder.path().join("first.geojsonl");
    points(&first, 1, 1);
    assert!(import(&data, &first, "points", &[]).status.success());
    let token = writer(&data, &[]);
    let log = folder.path().join("strace.log");
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-s", "24", "-y", "-o"])
        .arg(&log)
        .args([
            "-e",
            "trace=fdatasync,fsync,write,writev,sendto",
            "-e",
            "signal=none",
        ]);
    command
        .arg(BINARY)
        .arg("--data")
        .arg(&data)
        .args(["serve", "--listen", "127.0.0.1:0"]);
    command
        .env("HROMADA_LANG", "en")
        .env("RUST_LOG", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut server = try_start(command).unwrap();
    assert_eq!(post_point(&server.address, &token, 77).unwrap(), 201);
    stop(&mut server);
    let trace = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = trace.lines().collect();
    let answer = lines
        .iter()
        .position(|l| l.contains("HTTP/1.1 201"))
        .expect("the answer is in the trace");
    let synced = lines[..answer]
        .iter()
        .rposition(|l| l.contains("sync(") && l.contains("-wal"));
    assert!(
        synced.is_some(),
        "no sync of the log before the answer:\n{}",
        lines[..=answer].join("\n")
    );
}
