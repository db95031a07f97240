//! Running the program: commands, a server on a free port, plain HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value as Json;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_hromada");

pub(crate) fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../data-samples")
        .join(name)
}

/// `hromada --data DIR ARGS…`, in English.
pub(crate) fn hromada(data: &Path, args: &[&str]) -> Output {
    command(data, args).output().unwrap()
}

pub(crate) fn command(data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command
        .arg("--data")
        .arg(data)
        .args(args)
        .env("HROMADA_LANG", "en")
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null());
    command
}

/// A command that must end well; its standard output as JSON.
pub(crate) fn json(data: &Path, args: &[&str]) -> Json {
    let output = hromada(data, &[args, &["--json"]].concat());
    assert!(
        matches!(output.status.code(), Some(0 | 3)),
        "{args:?}: {}",
        text(&output)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat())
        .into_owned()
}

/// Imports for everybody to see, unless `more` says for whom.
pub(crate) fn import(data: &Path, file: &Path, collection: &str, more: &[&str]) -> Output {
    let file = file.to_string_lossy();
    let mut args = vec!["import", &*file, "--collection", collection];
    args.extend(more);
    if !more.contains(&"--access") {
        args.extend(["--access", "public"]);
    }
    hromada(data, &args)
}

/// A program's account that may write everything, in the store of `place`; its token.
pub(crate) fn writer(data: &Path, place: &[&str]) -> String {
    let add = "user add writer --machine --name Writer --role gis-editor";
    let add: Vec<&str> = add.split(' ').collect();
    let added = hromada(data, &[&add, place].concat());
    assert!(added.status.success(), "{}", text(&added));
    token(data, &[&["writer", "--scope", "write"], place].concat())
}

/// `hromada token new ARGS…`
pub(crate) fn token(data: &Path, args: &[&str]) -> String {
    let made = json(data, &[&["token", "new"], args].concat());
    made["token"].as_str().unwrap().to_owned()
}

/// The header that shows a token.
pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// `hromada check --json`, which must find the store sound.
pub(crate) fn check(data: &Path) -> Json {
    let report = json(data, &["check", "--fast"]);
    assert_eq!(report["clean"], true, "{report:#}");
    report
}

/// A line-delimited source of points; the property `n` counts from `first`.
pub(crate) fn points(path: &Path, first: u64, count: u64) {
    let mut text = String::new();
    for n in first..first + count {
        let x = 24.0 + (n % 1000) as f64 * 1e-4;
        let y = 48.0 + (n / 1000) as f64 * 1e-4;
        text.push_str(&format!("{{\"type\":\"Feature\",\"properties\":{{\"n\":{n}}},\"geometry\":{{\"type\":\"Point\",\"coordinates\":[{x},{y}]}}}}\n"));
    }
    std::fs::write(path, text).unwrap();
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(data: &Path, more: &[&str]) -> Self {
        Self::from(command(
            data,
            &[&["serve", "--listen", "127.0.0.1:0"], more].concat(),
        ))
    }

    /// Starts a command that ends up in `hromada serve` and waits for its first line.
    pub(crate) fn from(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let address = line
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split('/').next());
        let address = address
            .unwrap_or_else(|| panic!("the server did not say its address: {line:?}"))
            .to_owned();
        // The rest of its output is read away, so that it never blocks on a full pipe.
        std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        Self { child, address }
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], b"").unwrap()
    }

    pub(crate) fn json(&self, path: &str) -> Json {
        let response = self.get(path);
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        serde_json::from_slice(&response.body).unwrap()
    }

    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Response> {
        request(
            &self.address,
            &message(&self.address, method, path, headers, body),
        )
    }

    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends one request on a connection of its own and reads to the end.
pub(crate) fn request(address: &str, bytes: &[u8]) -> std::io::Result<Response> {
    let mut stream = connect(address)?;
    stream.write_all(bytes)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Response::parse(&answer).ok_or_else(|| std::io::Error::other("no answer"))
}

pub(crate) fn connect(address: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

/// The bytes of a request.
pub(crate) fn message(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// Posts a point to the collection `points`.
pub(crate) fn point_message(address: &str, token: &str, n: u64) -> Vec<u8> {
    let body = format!(
        "{{\"type\":\"Feature\",\"properties\":{{\"n\":{n}}},\"geometry\":{{\"type\":\"Point\",\"coordinates\":[24.5,48.5]}}}}"
    );
    message(
        address,
        "POST",
        "/collections/points/items",
        &[
            ("Content-Type", "application/geo+json"),
            ("Authorization", &bearer(token)),
        ],
        body.as_bytes(),
    )
}

/// The status of a posted point.
pub(crate) fn post_point(address: &str, token: &str, n: u64) -> std::io::Result<u16> {
    request(address, &point_message(address, token, n)).map(|response| response.status)
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Response {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut body = bytes[end + 4..].to_vec();
        if head
            .to_ascii_lowercase()
            .contains("transfer-encoding: chunked")
        {
            body = unchunked(&body)?;
        }
        Some(Self { status, body })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|w| w == b"\r\n")?;
        let size = usize::from_str_radix(
            std::str::from_utf8(&bytes[..end]).ok()?.split(';').next()?,
            16,
        )
        .ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(bytes.get(end + 2..end + 2 + size)?);
        bytes = bytes.get(end + 2 + size + 2..)?;
    }
}

/// A small generator (splitmix64) for moments and offsets; the seed is in each failure's message.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}
