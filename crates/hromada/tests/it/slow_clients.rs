//! Thousands of clients that send the head of a request letter by letter and never end it.
//!
//! Against the program, and not the server within a test: each has its own files, and the memory is the server's alone.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::Server;

/// What the server gives a head, and how many connections it serves at once.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const PLACES: usize = 4_096;

const CLIENTS: usize = 10_000;

/// Files that this process and the server need besides the connections.
const OTHER_FILES: usize = 500;

/// A letter of a head every so often.
const STEP: Duration = Duration::from_secs(1);

/// A figure of `/proc`, such as `VmRSS:`, by its name.
fn figure(file: &str, name: &str) -> usize {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let word = line.unwrap().split_whitespace().next().unwrap();
    // `unlimited` is a word too.
    word.parse().unwrap_or(usize::MAX)
}

/// Opens a connection without waiting for the server, which has no place for it yet; `None` when the kernel has none
/// either.
fn open(server: &Server) -> Option<TcpStream> {
    let address = server.address.parse().unwrap();
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()?;
    stream.set_nonblocking(true).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nX-Slow: ").ok()?;
    Some(stream)
}

/// Sends a letter; whether the server still holds the connection.
fn is_held(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 256];
    match stream.read(&mut answer) {
        Ok(0) => return false,
        // A refusal in words, whose end follows.
        Ok(_) => return true,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
        Err(_) => return false,
    }
    stream.write_all(b"a").is_ok()
}

#[test]
fn ten_thousand_slow_clients_do_not_keep_others_out() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let allowed = figure("/proc/self/limits", "Max open files").saturating_sub(OTHER_FILES);
    let clients = CLIENTS.min(allowed);
    if clients < CLIENTS {
        println!(
            "only {clients} slow clients, not {CLIENTS}: more files may not be open at once (ulimit -n)"
        );
    }
    let status = format!("/proc/{}/status", server.child.id());
    let before = figure(&status, "VmRSS:");
    let started = Instant::now();
    // All that come to wait for a place get one within these rounds, and then lose it.
    let rounds = u32::try_from(clients.div_ceil(PLACES)).unwrap() + 1;
    let longest = HEAD_TIMEOUT * rounds;
    let (mut slow, mut opened, mut most) = (Vec::new(), 0, 0);
    let (mut waits, mut memory) = (Vec::new(), before);
    while opened < clients || !slow.is_empty() {
        let step = Instant::now();
        while opened < clients && step.elapsed() < STEP {
            match open(&server) {
                Some(stream) => slow.push(stream),
                // The kernel's queue is full.
                None => break,
            }
            opened += 1;
        }
        slow.retain_mut(is_held);
        most = most.max(slow.len());
        memory = memory.max(figure(&status, "VmRSS:"));
        // Somebody who means it.
        let asked = Instant::now();
        assert_eq!(server.get("/collections").status, 200);
        waits.push(asked.elapsed());
        assert!(
            started.elapsed() < longest * 2,
            "{} slow clients are still connected",
            slow.len()
        );
        std::thread::sleep(STEP.saturating_sub(step.elapsed()));
    }
    let grown = memory.saturating_sub(before);
    let worst = waits.iter().max().unwrap();
    println!(
        "{opened} slow clients, {most} at once, gone after {:?}; {} answers meanwhile, the slowest after {worst:?}; memory {before} + {grown} KiB",
        started.elapsed(),
        waits.len(),
    );
    assert!(*worst < HEAD_TIMEOUT * 2, "{worst:?}");
    // As much as the server reads of each head, at the very most.
    assert!(grown < PLACES * 64, "{grown} KiB more");
}
