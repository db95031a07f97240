//! Files as byte streams: counted, unpacked, and read through a window that grows with one record only.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use memchr::{memchr, memchr2};
use model::Message;

use crate::Error;
use crate::error::file_name;
use crate::limits::{MAX_FEATURE_BYTES, MAX_RATIO, MAX_UNPACKED_BYTES, RATIO_GRACE_BYTES};

pub(crate) type Bytes = Box<dyn Read + Send>;

/// Bytes of a file that are read at once.
const CHUNK: usize = 256 << 10;

/// Opens a file, unpacked when it is gzip (RFC 1952) whatever its name; `count` grows with the bytes read from disk.
pub(crate) fn open_bytes(path: &Path, count: Arc<AtomicU64>) -> Result<Bytes, Error> {
    let file = File::open(path).map_err(|e| Error::read(path, e))?;
    if file.metadata().map_err(|e| Error::read(path, e))?.is_dir() {
        return Err(Message::new("formats.is-folder")
            .with("file", file_name(path))
            .into());
    }
    let mut counted = BufReader::with_capacity(
        CHUNK,
        Counted {
            inner: file,
            count: Arc::clone(&count),
        },
    );
    let start = io::BufRead::fill_buf(&mut counted).map_err(|e| Error::read(path, e))?;
    if !start.starts_with(&[0x1F, 0x8B]) {
        return Ok(Box::new(counted));
    }
    Ok(Box::new(Unpacked::new(
        MultiGzDecoder::new(counted),
        Packed::Counted(count),
        file_name(path),
    )))
}

struct Counted {
    inner: File,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// How many packed bytes went into a stream.
pub(crate) enum Packed {
    Counted(Arc<AtomicU64>),
    Known(u64),
}

/// An unpacked stream that stops when it gives more than a file of its size can honestly hold.
pub(crate) struct Unpacked<R> {
    inner: R,
    packed: Packed,
    out: u64,
    file: String,
}

impl<R: Read> Unpacked<R> {
    pub(crate) fn new(inner: R, packed: Packed, file: String) -> Self {
        Self {
            inner,
            packed,
            out: 0,
            file,
        }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.out += n as u64;
        let packed = match &self.packed {
            Packed::Counted(count) => count.load(Ordering::Relaxed),
            Packed::Known(size) => *size,
        };
        let honest = self.out <= RATIO_GRACE_BYTES || self.out / packed.max(1) <= MAX_RATIO;
        if self.out > MAX_UNPACKED_BYTES || !honest {
            let bomb = Message::new("formats.bomb").with("file", &self.file);
            return Err(io::Error::other(Error::from(bomb)));
        }
        Ok(n)
    }
}

/// A view on a byte stream. It holds one record at a time.
pub(crate) struct Window {
    source: Bytes,
    path: PathBuf,
    buf: Vec<u8>,
    /// What is not yet consumed lies at `pos..end`.
    pos: usize,
    end: usize,
    /// Stream offset of `buf[0]`.
    base: u64,
    ended: bool,
}

/// A piece of the stream.
pub(crate) struct Slice {
    /// Offset in the stream.
    pub(crate) at: u64,
    start: usize,
    end: usize,
    /// Whether its end was marked, and not only the end of the stream.
    pub(crate) ended: bool,
}

impl Window {
    pub(crate) fn new(source: Bytes, path: &Path) -> Self {
        Self {
            source,
            path: path.to_owned(),
            buf: vec![0; CHUNK],
            pos: 0,
            end: 0,
            base: 0,
            ended: false,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Stream offset of the next byte.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.pos as u64
    }

    pub(crate) fn bytes(&self, slice: &Slice) -> &[u8] {
        &self.buf[slice.start..slice.end]
    }

    /// Up to `count` next bytes, not consumed.
    pub(crate) fn start(&mut self, count: usize) -> Result<&[u8], Error> {
        while self.end - self.pos < count && self.more()? {}
        Ok(&self.buf[self.pos..self.end.min(self.pos + count)])
    }

    /// What is read and not yet consumed.
    pub(crate) fn buffered(&self) -> &[u8] {
        &self.buf[self.pos..self.end]
    }

    pub(crate) fn advance(&mut self, count: usize) {
        self.pos = (self.pos + count).min(self.end);
    }

    /// The next byte, white space of JSON passed over; `None` at the end.
    pub(crate) fn peek(&mut self) -> Result<Option<u8>, Error> {
        loop {
            while self.pos < self.end {
                match self.buf[self.pos] {
                    b' ' | b'\n' | b'\r' | b'\t' => self.pos += 1,
                    byte => return Ok(Some(byte)),
                }
            }
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    /// Consumes up to and with the next `delimiter`, which is not part of the slice; `None` at the end.
    pub(crate) fn until(&mut self, delimiter: u8) -> Result<Option<Slice>, Error> {
        let mut searched = 0;
        loop {
            let found = memchr(delimiter, &self.buf[self.pos + searched..self.end]);
            if let Some(i) = found {
                let slice = self.take(searched + i, true);
                self.pos += 1;
                return Ok(Some(slice));
            }
            searched = self.end - self.pos;
            if !self.more()? {
                return Ok((searched > 0).then(|| self.take(searched, false)));
            }
        }
    }

    fn take(&mut self, length: usize, ended: bool) -> Slice {
        let slice = Slice {
            at: self.offset(),
            start: self.pos,
            end: self.pos + length,
            ended,
        };
        self.pos += length;
        slice
    }

    /// Consumes one JSON value by its brackets and quotes alone; what is inside is checked when it is parsed.
    /// Stands on its first byte.
    pub(crate) fn value(&mut self) -> Result<Slice, Error> {
        let mut scan = Brackets::default();
        let mut at = 0;
        loop {
            let rest = &self.buf[self.pos..self.end];
            if let Some(length) = scan.end(rest, &mut at) {
                return Ok(self.take(length, true));
            }
            if scan.mismatch {
                return Err(self.broken("formats.json-brackets", at));
            }
            if !self.more()? {
                return Err(self.broken("formats.json-truncated", at));
            }
        }
    }

    /// Consumes one JSON value without holding it.
    pub(crate) fn pass_value(&mut self) -> Result<(), Error> {
        let mut scan = Brackets::default();
        loop {
            let mut at = std::mem::take(&mut scan.carried);
            let rest = &self.buf[self.pos..self.end];
            if let Some(length) = scan.end(rest, &mut at) {
                self.pos += length;
                return Ok(());
            }
            if scan.mismatch {
                return Err(self.broken("formats.json-brackets", at));
            }
            scan.carried = at - (self.end - self.pos);
            self.pos = self.end;
            if !self.more()? {
                return Err(self.broken("formats.json-truncated", 0));
            }
        }
    }

    /// A fault of the file's structure, `ahead` bytes from here.
    pub(crate) fn broken(&self, key: &'static str, ahead: usize) -> Error {
        Message::new(key)
            .with("file", file_name(&self.path))
            .with("position", self.offset() + ahead as u64)
            .into()
    }

    /// Reads on, keeping what is not consumed; false at the end of the stream.
    fn more(&mut self) -> Result<bool, Error> {
        if self.ended {
            return Ok(false);
        }
        if self.pos > 0 {
            self.buf.copy_within(self.pos..self.end, 0);
            self.base += self.pos as u64;
            self.end -= self.pos;
            self.pos = 0;
        }
        if self.end == self.buf.len() {
            if self.end >= MAX_FEATURE_BYTES {
                return Err(Message::new("formats.feature-too-large-in-file")
                    .with("file", file_name(&self.path))
                    .with("position", self.base)
                    .with("max", MAX_FEATURE_BYTES >> 20)
                    .into());
            }
            self.buf.resize(self.buf.len() * 2, 0);
        }
        loop {
            match self.source.read(&mut self.buf[self.end..]) {
                Ok(n) => {
                    self.end += n;
                    self.ended = n == 0;
                    return Ok(n > 0);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::read(&self.path, e)),
            }
        }
    }
}

/// The length of the JSON value that a text begins with; `None` when the text ends before it.
pub(crate) fn first_value(text: &[u8]) -> Option<usize> {
    Brackets::default().end(text, &mut 0)
}

/// Finds the end of a JSON value in pieces.
#[derive(Default)]
struct Brackets {
    /// One bit a level: 1 for an object.
    objects: u64,
    levels: usize,
    /// Outer levels whose bits were pushed out by more than 64 inner ones; they are only counted.
    lost: usize,
    in_string: bool,
    mismatch: bool,
    /// Bytes of the next piece that an escape has already passed.
    carried: usize,
}

impl Brackets {
    /// Scans `bytes` from `at`; the length of the value when it ends here. A bare word or number ends before what follows.
    fn end(&mut self, bytes: &[u8], at: &mut usize) -> Option<usize> {
        while *at < bytes.len() {
            if self.in_string {
                let Some(i) = memchr2(b'"', b'\\', &bytes[*at..]) else {
                    *at = bytes.len();
                    return None;
                };
                *at += i;
                if bytes[*at] == b'\\' {
                    *at += 2;
                    continue;
                }
                self.in_string = false;
                *at += 1;
                if self.levels == 0 {
                    return Some(*at);
                }
                continue;
            }
            match bytes[*at] {
                b'"' => self.in_string = true,
                open @ (b'{' | b'[') => {
                    self.objects = (self.objects << 1) | u64::from(open == b'{');
                    self.levels += 1;
                    self.lost = self.lost.max(self.levels.saturating_sub(64));
                }
                close @ (b'}' | b']') => {
                    if self.levels == 0 {
                        return Some(*at);
                    }
                    let object = self.objects & 1 == 1;
                    self.mismatch = self.levels > self.lost && object != (close == b'}');
                    if self.mismatch {
                        return None;
                    }
                    self.objects >>= 1;
                    self.levels -= 1;
                    if self.levels == 0 {
                        return Some(*at + 1);
                    }
                }
                b',' | b' ' | b'\n' | b'\r' | b'\t' if self.levels == 0 => return Some(*at),
                _ => {}
            }
            *at += 1;
        }
        None
    }
}
