//! What an export has finished, so that it goes on after it was killed: `FILE.part`.
//!
//! It begins with a line that names it, and the job that it is of. Each record after that is a tile: its id, how long it is,
//! a hash over both and the bytes, and the bytes. What the disk or a kill left in pieces at the end is cut off. Numbers
//! are little-endian.

use std::fs::{File, TryLockError};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use model::Message;
use serde_json::{Value as Json, json};
use store::Error;
use tiles::pmtiles::MAX_TILE_BYTES;

use super::Coarser;
use super::file::failed;

const MAGIC: &[u8] = b"hromada: finished tiles of an export, 1\n";

/// Bytes of a job: some hundred collections with their names and numbers.
const MAX_JOB: u32 = 1 << 20;

/// Bytes before a tile.
const HEAD: usize = 8 + 4 + 8;

/// Bytes that a kill may take.
const BUFFER: usize = 1 << 18;

pub(super) struct Part {
    path: PathBuf,
    out: BufWriter<File>,
    /// Where records begin.
    first: u64,
}

/// What a file of that name was of.
pub(super) enum Found {
    Nothing,
    /// Another job, or the same one with other data.
    Other,
    /// This job, with what it found too heavy so far.
    Same(Vec<Coarser>),
}

impl Part {
    /// Opens the file, or makes it. Until it is closed nobody else can.
    ///
    /// # Errors
    /// [`Error::Refused`] when another export has it open, or it is no file of this kind.
    pub(super) fn open(path: &Path, job: &Json) -> Result<(Self, Found), Error> {
        let refused = |key| {
            Err(Error::Refused(
                Message::new(key).with("file", path.display()),
            ))
        };
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|e| failed(path, e))?;
        // Not every file system has locks.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return refused("server.archive-busy");
        }
        let mut start = Vec::new();
        let longest = MAGIC.len() as u64 + 4 + u64::from(MAX_JOB) + 8;
        (&file)
            .take(longest)
            .read_to_end(&mut start)
            .map_err(|e| failed(path, e))?;
        let shown = &start[..start.len().min(MAGIC.len())];
        if shown != &MAGIC[..shown.len()] {
            return refused("server.archive-part-foreign");
        }
        let (found, first) = match read_job(start.get(MAGIC.len()..).unwrap_or_default()) {
            _ if start.is_empty() => (Found::Nothing, 0),
            Some((found, length)) if &found["job"] == job => (
                Found::Same(coarser(&found["coarser"])),
                MAGIC.len() as u64 + length,
            ),
            _ => (Found::Other, 0),
        };
        let part = Self {
            path: path.to_owned(),
            out: BufWriter::with_capacity(BUFFER, file),
            first,
        };
        Ok((part, found))
    }

    /// Begins anew, without any tiles.
    pub(super) fn begin(&mut self, job: &Json, coarser: &[Coarser]) -> io::Result<()> {
        let text = json!({ "job": job, "coarser": coarser }).to_string();
        let length = u32::try_from(text.len())
            .ok()
            .filter(|length| *length <= MAX_JOB);
        let length = length.ok_or_else(|| io::Error::other("too many collections"))?;
        self.out.flush()?;
        self.out.get_ref().set_len(0)?;
        self.out.rewind()?;
        self.out.write_all(MAGIC)?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(text.as_bytes())?;
        self.out
            .write_all(&hash(&[text.as_bytes()]).to_le_bytes())?;
        self.first = self.out.stream_position()?;
        self.out.flush()
    }

    /// Calls `each` with all finished tiles in ascending order of their ids, and cuts off what is in pieces.
    ///
    /// # Errors
    /// What `each` gives, or when the disk refuses.
    pub(super) fn replay(
        &mut self,
        mut each: impl FnMut(u64, Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let path = self.path.clone();
        let failed = |error: io::Error| failed(&path, error);
        self.out.seek(SeekFrom::Start(self.first)).map_err(failed)?;
        let mut reader = BufReader::with_capacity(BUFFER, self.out.get_ref());
        let (mut end, mut last) = (self.first, None);
        while let Some((id, bytes)) = record(&mut reader).map_err(failed)? {
            if last.is_some_and(|last| id <= last) {
                break;
            }
            last = Some(id);
            end += (HEAD + bytes.len()) as u64;
            each(id, bytes)?;
        }
        self.out.get_ref().set_len(end).map_err(failed)?;
        self.out.seek(SeekFrom::Start(end)).map_err(failed)?;
        Ok(())
    }

    pub(super) fn add(&mut self, id: u64, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.out.write_all(&id.to_le_bytes())?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&record_hash(id, bytes).to_le_bytes())?;
        self.out.write_all(bytes)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Takes the file away.
    pub(super) fn remove(&mut self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

/// What stands after the first line, and how many bytes that is; `None` when it is in pieces.
fn read_job(bytes: &[u8]) -> Option<(Json, u64)> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = u32::from_le_bytes(*length) as usize;
    let (text, rest) = rest.split_at_checked(length)?;
    let is_whole = rest.first_chunk() == Some(&hash(&[text]).to_le_bytes());
    let job = serde_json::from_slice(text).ok().filter(|_| is_whole)?;
    Some((job, 4 + length as u64 + 8))
}

fn coarser(found: &Json) -> Vec<Coarser> {
    serde_json::from_value(found.clone()).unwrap_or_default()
}

/// The next record; `None` at the end, and where it is in pieces.
fn record(reader: &mut impl Read) -> io::Result<Option<(u64, Vec<u8>)>> {
    let mut head = [0; HEAD];
    if !is_read(reader, &mut head)? {
        return Ok(None);
    }
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|k| head[at + k]));
    let length = u32::from_le_bytes(std::array::from_fn(|k| head[8 + k])) as usize;
    if length > MAX_TILE_BYTES {
        return Ok(None);
    }
    let (id, given) = (number(0), number(12));
    let mut bytes = vec![0; length];
    let is_whole = is_read(reader, &mut bytes)? && record_hash(id, &bytes) == given;
    Ok(is_whole.then_some((id, bytes)))
}

fn is_read(reader: &mut impl Read, into: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(into) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn record_hash(id: u64, bytes: &[u8]) -> u64 {
    hash(&[
        &id.to_le_bytes(),
        &(bytes.len() as u64).to_le_bytes(),
        bytes,
    ])
}

fn hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = foldhash::quality::FixedState::default().build_hasher();
    parts.iter().for_each(|part| hasher.write(part));
    hasher.finish()
}
