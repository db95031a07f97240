//! The file store: the same promises in a folder and in a bucket.

mod bucket;
mod child;
mod names;
mod ranged;
mod service;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use store::{Error, FileHash, Files, FilesLocation, StoredFile};

use crate::support::key;
use service::{BUCKET, KEY_ID, SECRET, Service};

const MB: usize = 1 << 20;
const LIMIT: u64 = 1 << 30;

/// Where the files of a test are.
struct Place {
    folder: tempfile::TempDir,
    text: String,
    service: Option<Service>,
}

impl Place {
    fn folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("files").to_string_lossy().into_owned();
        Self {
            folder,
            text,
            service: None,
        }
    }

    async fn bucket() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::start(&folder.path().join("service")).await;
        let endpoint = format!("http://{}", service.address);
        Self {
            folder,
            text: format!("s3://{BUCKET}/of/town?endpoint={endpoint}"),
            service: Some(service),
        }
    }

    async fn both() -> [Self; 2] {
        [Self::folder(), Self::bucket().await]
    }

    fn scratch(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn open(&self) -> Files {
        self.try_open(KEY_ID, SECRET).await.unwrap()
    }

    async fn try_open(&self, id: &str, secret: &str) -> Result<Files, Error> {
        open(&self.text, &self.scratch(), id, secret).await
    }

    /// What another program would find below `sha256`.
    fn root(&self) -> PathBuf {
        match self.service {
            None => Path::new(&self.text).join("sha256"),
            Some(_) => {
                let bucket = self.folder.path().join("service").join(BUCKET);
                bucket.join("of/town/sha256")
            }
        }
    }

    fn path(&self, hash: FileHash) -> PathBuf {
        let name = hash.to_string();
        self.root().join(&name[..2]).join(name)
    }

    /// Names of unfinished uploads.
    fn unfinished(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.unfinished_folder()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn unfinished_folder(&self) -> PathBuf {
        let folder = match self.service {
            None => PathBuf::from(&self.text),
            Some(_) => self.scratch(),
        };
        folder.join("files-unfinished")
    }

    fn service(&self) -> &Service {
        self.service.as_ref().unwrap()
    }
}

async fn open(text: &str, scratch: &Path, id: &str, secret: &str) -> Result<Files, Error> {
    let location: FilesLocation = text.parse()?;
    let environment = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" => Some(id.to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some(secret.to_owned()),
        _ => None,
    };
    Files::open_with(&location, scratch, environment).await
}

/// Bytes that no other seed gives.
fn content(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// A content in pieces of odd length.
fn source(content: &[u8]) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + use<> {
    let pieces = content.chunks(70_001).map(Bytes::copy_from_slice);
    stream::iter(pieces.map(Ok).collect::<Vec<_>>())
}

async fn put(files: &Files, content: &[u8]) -> Result<StoredFile, Error> {
    files.put(source(content), None, LIMIT).await
}

/// What came until the end or the error.
async fn read(files: &Files, hash: FileHash) -> (Vec<u8>, Result<(), Error>) {
    let (_, mut stream) = files.get(hash).await.unwrap();
    let mut all = Vec::new();
    loop {
        match stream.try_next().await {
            Ok(Some(chunk)) => all.extend_from_slice(&chunk),
            Ok(None) => return (all, Ok(())),
            Err(error) => return (all, Err(error)),
        }
    }
}

async fn listed(files: &Files) -> (Vec<StoredFile>, u64) {
    let mut others = 0;
    let mut found: Vec<_> = files.list(&mut others).try_collect().await.unwrap();
    found.sort_by_key(|file| file.hash);
    (found, others)
}

/// Waits for what comes soon or never.
async fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let begun = std::time::Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed().as_secs() < 30, "{what} does not come");
        tokio::task::yield_now().await;
    }
}

/// Changes one byte in the middle of a file.
fn flip(path: &Path) {
    let mut content = std::fs::read(path).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 0x10;
    std::fs::write(path, content).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_comes_back() {
    for place in Place::both().await {
        let files = place.open().await;
        let mut expected = Vec::new();
        for bytes in [0, 1, 20 * MB + 3] {
            let content = content(7, bytes);
            let stored = put(&files, &content).await.unwrap();
            let hash = FileHash::of(&content);
            let bytes = bytes as u64;
            assert_eq!(stored, StoredFile { hash, bytes }, "{}", place.text);
            expected.push(stored);
            assert!(files.contains(hash).await.unwrap());
            assert_eq!(files.get(hash).await.unwrap().0, bytes);
            let (back, ended) = read(&files, hash).await;
            ended.unwrap();
            assert!(back == content, "{}: {bytes} bytes differ", place.text);
            assert!(std::fs::read(place.path(hash)).unwrap() == content);
        }
        expected.sort_by_key(|file| file.hash);
        // As a new process finds it.
        let files = place.open().await;
        assert_eq!(listed(&files).await, (expected, 0));
        assert!(files.scrub().await.unwrap().is_clean());
        assert!(place.unfinished().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_is_stored_once() {
    for place in Place::both().await {
        let files = place.open().await;
        for bytes in [10, 9 * MB] {
            let content = content(2, bytes);
            let first = put(&files, &content).await.unwrap();
            let inode = |hash| std::fs::metadata(place.path(hash)).unwrap().ino();
            let before = inode(first.hash);
            place.service.as_ref().map(Service::seen);
            assert_eq!(put(&files, &content).await.unwrap(), first);
            assert_eq!(inode(first.hash), before, "{}", place.text);
            if let Some(service) = &place.service {
                let seen = service.seen();
                assert!(seen.iter().all(|r| r.starts_with("HEAD")), "{seen:?}");
            }
        }
        assert_eq!(listed(&files).await.0.len(), 2);
        assert!(place.unfinished().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_leaves_nothing() {
    for place in Place::both().await {
        let files = place.open().await;
        let content = content(3, MB);
        let limit = content.len() as u64;
        let other = FileHash::of(b"other");
        let wrong = files.put(source(&content), Some(other), LIMIT).await;
        let large = files.put(source(&content), None, limit - 1).await;
        let broken = source(&content).chain(stream::iter([Err(std::io::Error::other("cable"))]));
        let broken = files.put(broken, None, LIMIT).await;
        for (refused, expected) in [
            (wrong, "store.files-hash-differs"),
            (large, "store.files-too-large"),
            (broken, "store.files-broken-off"),
        ] {
            let refused = refused.unwrap_err();
            assert_eq!(key(&refused), expected, "{}", place.text);
            assert!(matches!(refused, Error::Invalid(_)));
        }
        assert_eq!(listed(&files).await, (Vec::new(), 0));
        assert!(!files.contains(FileHash::of(&content)).await.unwrap());
        assert!(place.unfinished().is_empty());
        let right = Some(FileHash::of(&content));
        files.put(source(&content), right, limit).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_is_dropped_leaves_nothing() {
    for place in Place::both().await {
        let files = place.open().await;
        let content = content(4, MB);
        let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
        let folder = place.unfinished_folder();
        let endless = source(&content).chain(stream::once(async move {
            told.send(std::fs::read_dir(folder).unwrap().count())
                .unwrap();
            std::future::pending().await
        }));
        tokio::select! {
            _ = files.put(endless, None, LIMIT) => panic!("the stream has no end"),
            during = hears.recv() => assert_eq!(during, Some(1)),
        }
        assert!(place.unfinished().is_empty(), "{}", place.text);
        assert_eq!(listed(&files).await, (Vec::new(), 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_left_is_swept_and_what_a_living_one_has_is_not() {
    for place in Place::both().await {
        let mut child = child::Living(child::start(child::HANG, &place));
        // The folder of unfinished uploads comes into being with the child.
        let begun = || {
            let found = std::fs::read_dir(place.unfinished_folder()).ok()?;
            let mut found = found.flatten().map(|entry| entry.path());
            found.find(|path| path.metadata().is_ok_and(|m| m.len() > 0))
        };
        let file = until("the child's upload", begun).await;
        let files = place.open().await;
        assert!(file.exists(), "{}: a living upload was swept", place.text);
        child.kill();
        assert!(file.exists());
        assert_eq!(listed(&files).await, (Vec::new(), 0));
        place.open().await;
        assert!(place.unfinished().is_empty(), "{}", place.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_found_before_the_last_byte_is_given() {
    for place in Place::both().await {
        let files = place.open().await;
        let content = content(6, 3 * MB);
        let whole = put(&files, &content).await.unwrap();
        let small = put(&files, b"small").await.unwrap();
        let cut = put(&files, b"will be cut").await.unwrap();
        put(&files, b"untouched").await.unwrap();
        flip(&place.path(whole.hash));
        flip(&place.path(small.hash));
        std::fs::write(place.path(cut.hash), b"").unwrap();
        for file in [whole, small, cut] {
            let (given, ended) = read(&files, file.hash).await;
            assert_eq!(key(&ended.unwrap_err()), "store.files-damaged");
            assert!((given.len() as u64) < file.bytes, "{}", place.text);
        }
        let report = files.scrub().await.unwrap();
        assert_eq!((report.files, report.damaged, report.others), (4, 3, 0));
        let named: Vec<_> = report.findings.iter().map(|f| f.name.as_str()).collect();
        for file in [whole, small, cut] {
            let name = file.hash.to_string();
            assert!(named.iter().any(|n| n.ends_with(&name)), "{named:?}");
        }
        // Healed: in a bucket the old one has to go first.
        if place.service.is_some() {
            files.delete(whole.hash).await.unwrap();
        }
        put(&files, &content).await.unwrap();
        read(&files, whole.hash).await.1.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_others_are_counted_and_reported() {
    for place in Place::both().await {
        let files = place.open().await;
        let ours = put(&files, b"ours").await.unwrap();
        let name = ours.hash.to_string();
        let elsewhere = if name.starts_with("00") { "01" } else { "00" };
        std::fs::create_dir_all(place.root().join(elsewhere)).unwrap();
        let others = [
            "notes.txt".to_owned(),
            format!("{elsewhere}/{name}"),
            format!("{}/{}", &name[..2], name.to_uppercase()),
        ];
        for other in &others {
            std::fs::write(place.root().join(other), "theirs").unwrap();
        }
        assert_eq!(listed(&files).await, (vec![ours], 3), "{}", place.text);
        let report = files.scrub().await.unwrap();
        assert_eq!((report.files, report.damaged, report.others), (1, 0, 3));
        let named: Vec<_> = report.findings.iter().map(|f| f.name.clone()).collect();
        assert!(others.iter().all(|o| named.contains(o)), "{named:?}");
        assert!(!report.is_clean());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_missing() {
    for place in Place::both().await {
        let files = place.open().await;
        let stored = put(&files, b"gone soon").await.unwrap();
        files.delete(stored.hash).await.unwrap();
        files.delete(stored.hash).await.unwrap();
        assert!(!files.contains(stored.hash).await.unwrap());
        let missing = files.get(stored.hash).await.err().unwrap();
        assert!(matches!(missing, Error::NotFound(_)), "{missing}");
        assert_eq!(key(&missing), "store.files-missing");
        assert_eq!(listed(&files).await, (Vec::new(), 0));
    }
}

/// A small disk, unmounted at the end.
struct SmallDisk(PathBuf);

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_nothing_stays() {
    let place = Place::folder();
    // A limit on the size of files works for everybody.
    let mut command = Command::new("bash");
    command.args(["-c", r#"trap "" XFSZ; ulimit -f 100; exec "$0" "$@""#]);
    command.args(child::args());
    child::set(&mut command, child::PUT, &place);
    let said = child::result(command.spawn().unwrap()).await;
    assert_eq!(said, "store.files-full");
    assert!(place.unfinished().is_empty());

    // A disk of its own only for root.
    let target = Path::new(&place.text);
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]);
    if !mount.arg(target).status().is_ok_and(|s| s.success()) {
        println!("no small disk can be mounted here");
        return;
    }
    let _disk = SmallDisk(target.to_owned());
    let files = place.open().await;
    let full = put(&files, &content(11, 8 * MB)).await.unwrap_err();
    assert!(matches!(full, Error::Full(_)), "{full}");
    assert_eq!(key(&full), "store.files-full");
    assert!(full.to_string().contains(&place.text), "{full}");
    assert!(place.unfinished().is_empty());
    assert_eq!(listed(&files).await, (Vec::new(), 0));
    put(&files, &content(11, 3 * MB)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_does_not_grow_with_the_file() {
    for place in Place::both().await {
        let child = child::start(child::MEMORY, &place);
        let grown: u64 = child::result(child).await.parse().unwrap();
        assert!(grown < 24 * 1024, "{}: {grown} kB", place.text);
        println!("{}: memory grew by {grown} kB", place.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_and_its_folders_are_on_disk_before_the_answer() {
    let place = Place::folder();
    let log = place.folder.path().join("strace.log");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-y", "-s", "24", "-e", "signal=none", "-o"]);
    command.arg(&log);
    let calls = "trace=fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat,write";
    command.args(["-e", calls]).args(child::args());
    child::set(&mut command, child::PUT, &place);
    let hash: FileHash = child::result(command.spawn().unwrap())
        .await
        .parse()
        .unwrap();
    let trace = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = trace.lines().collect();
    let root = place.root().to_string_lossy().into_owned();
    let base = &place.text;
    let folder = place.path(hash).parent().unwrap().to_owned();
    let folder = folder.to_string_lossy().into_owned();
    let find = |what: &str, from: usize, wanted: &dyn Fn(&str) -> bool| {
        let found = lines[from..].iter().position(|line| wanted(line));
        from + found.unwrap_or_else(|| panic!("{what} is not in\n{trace}"))
    };
    let synced = |name: &str| {
        let end = format!("{name}>");
        move |line: &str| line.contains("sync(") && line.contains(&end)
    };
    let content = find("sync of the content", 0, &synced(".part"));
    let rename = find("rename", content, &|line| {
        line.contains("rename") && line.contains(&hash.to_string())
    });
    let answer = find("answer", rename, &|line| line.contains("result: "));
    for (name, since) in [(&folder, rename), (&root, rename)] {
        let at = find("sync of a folder", since, &synced(name));
        assert!(at < answer, "{name} is synced after the answer:\n{trace}");
    }
    // The folders above were made by the opening.
    let parent = place.folder.path().to_string_lossy().into_owned();
    for name in [base, &parent] {
        assert!(find("sync of a folder above", 0, &synced(name)) < content);
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_refused_with_the_reason() {
    let place = Place::folder();
    std::fs::write(&place.text, "a file").unwrap();
    let refused = place.try_open("", "").await.err().unwrap();
    assert!(matches!(refused, Error::Refused(_)), "{refused}");
    assert_eq!(key(&refused), "store.files-folder");
    assert!(refused.to_string().contains(&place.text), "{refused}");
}
