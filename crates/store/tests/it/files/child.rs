//! A process of its own, for what can only be seen from outside: this test program once more, with one test.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use store::{Files, FilesLocation};

use super::service::{KEY_ID, SECRET};
use super::{LIMIT, MB, Place, content, source};
use crate::support::key;

/// How the child is told what to do.
const TASK: &str = "HROMADA_TEST_FILES_TASK";
const LOCATION: &str = "HROMADA_TEST_FILES_LOCATION";
const SCRATCH: &str = "HROMADA_TEST_FILES_SCRATCH";

const TEST: &str = "files::child::does_what_its_parent_asks";

/// Puts a file of 1 MB and says how it went.
pub(super) const PUT: &str = "put";
/// Begins to put a file, and stays there.
pub(super) const HANG: &str = "hang";
/// Puts and reads 20 MB and 200 MB, and says by how many kB its memory grew between.
pub(super) const MEMORY: &str = "memory";

/// The program and the arguments that do a task, for those who start it under another program.
pub(super) fn set(command: &mut Command, task: &str, place: &Place) {
    let scratch = place.scratch().to_string_lossy().into_owned();
    let environment = [
        (TASK, task),
        (LOCATION, &place.text),
        (SCRATCH, &scratch),
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    command.envs(environment);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
}

pub(super) fn args() -> [String; 4] {
    let program = std::env::current_exe().unwrap();
    let program = program.to_string_lossy().into_owned();
    [program, "--exact".into(), "--nocapture".into(), TEST.into()]
}

pub(super) fn start(task: &str, place: &Place) -> Child {
    let [program, args @ ..] = args();
    let mut command = Command::new(program);
    command.args(args);
    set(&mut command, task, place);
    command.spawn().unwrap()
}

/// A child that ends with its test, also with a failing one.
pub(super) struct Living(pub(super) Child);

impl Living {
    /// As `kill -9` does.
    pub(super) fn kill(&mut self) {
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What the child said after `result: `.
pub(super) async fn result(child: Child) -> String {
    let output = tokio::task::spawn_blocking(|| child.wait_with_output());
    let output = output.await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|l| l.split_once("result: "));
    line.unwrap_or_else(|| panic!("no result: {text}"))
        .1
        .to_owned()
}

/// No test of its own: without a parent it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn does_what_its_parent_asks() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let location: FilesLocation = std::env::var(LOCATION).unwrap().parse().unwrap();
    let scratch = std::env::var(SCRATCH).unwrap();
    let files = Files::open(&location, scratch.as_ref()).await.unwrap();
    let said = match task.as_str() {
        PUT => match files.put(source(&content(1, MB)), None, LIMIT).await {
            Ok(stored) => stored.hash.to_string(),
            Err(error) => key(&error).to_owned(),
        },
        HANG => {
            let endless = source(&content(2, MB)).chain(stream::pending());
            let put = files.put(endless, None, LIMIT).await;
            panic!("the stream ended: {put:?}")
        }
        MEMORY => {
            roundtrip(&files, 20 * MB).await;
            let before = peak();
            roundtrip(&files, 200 * MB).await;
            (peak() - before).to_string()
        }
        other => panic!("unknown task {other}"),
    };
    println!("result: {said}");
    std::io::stdout().flush().unwrap();
}

async fn roundtrip(files: &Files, bytes: usize) {
    const CHUNK: usize = 64 * 1024;
    let chunk = Bytes::from(content(3, CHUNK));
    let chunks = (0..bytes / CHUNK).map(|_| Ok::<_, std::io::Error>(chunk.clone()));
    let stored = files.put(stream::iter(chunks), None, LIMIT).await.unwrap();
    let (announced, read) = files.get(stored.hash).await.unwrap();
    let read = read.try_fold(0, async |sum, chunk| Ok(sum + chunk.len() as u64));
    let read = read.await.unwrap();
    assert_eq!((announced, read), (stored.bytes, stored.bytes));
}

/// The most memory this process ever had, kB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
