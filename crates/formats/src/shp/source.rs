//! Where the parts of a Shapefile lie: beside each other in a folder, or in a ZIP archive.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Crc;
use flate2::read::DeflateDecoder;
use model::Message;
use zip::{CompressionMethod, ZipArchive};

use crate::Error;
use crate::error::file_name;
use crate::input::{Bytes, Packed, Unpacked};
use crate::limits::{MAX_SIDE_BYTES, MAX_ZIP_ENTRIES};

/// The parts that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Shp,
    Shx,
    Dbf,
    Prj,
    Cpg,
}

impl Part {
    const ALL: [Self; 5] = [Self::Shp, Self::Shx, Self::Dbf, Self::Prj, Self::Cpg];

    fn extension(self) -> &'static str {
        match self {
            Self::Shp => "shp",
            Self::Shx => "shx",
            Self::Dbf => "dbf",
            Self::Prj => "prj",
            Self::Cpg => "cpg",
        }
    }
}

/// A Shapefile's parts, found and not yet read.
pub(super) struct Source {
    /// Name of the `.shp`.
    pub(super) name: String,
    /// In the order of [`Part::ALL`].
    parts: [Option<Place>; 5],
}

enum Place {
    File(PathBuf, u64),
    Entry(Entry),
}

/// A file inside an archive. Nothing is unpacked to disk, so its name is only a name.
#[derive(Clone)]
struct Entry {
    archive: PathBuf,
    name: String,
    start: u64,
    packed: u64,
    size: u64,
    crc: u32,
    deflated: bool,
}

impl Source {
    /// Finds the parts of `x.shp`, of the only `.shp` in a folder, or of the only one in a ZIP archive.
    pub(super) fn find(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            return Self::in_folder(path);
        }
        let mut magic = [0; 4];
        let mut file = File::open(path).map_err(|e| Error::read(path, e))?;
        let archive = file.read_exact(&mut magic).is_ok() && magic.starts_with(b"PK");
        if archive {
            return Self::in_archive(path);
        }
        Self::beside(path)
    }

    fn in_folder(folder: &Path) -> Result<Self, Error> {
        let io = |e| Error::read(folder, e);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if has_extension(&path.to_string_lossy(), "shp") {
                found.push(path);
            }
        }
        found.sort();
        let names: Vec<_> = found.iter().map(|p| file_name(p)).collect();
        only_one(&names, folder)?;
        Self::beside(&found[0])
    }

    fn beside(shp: &Path) -> Result<Self, Error> {
        let parts = Part::ALL.map(|part| {
            let path = match part {
                Part::Shp => shp.to_owned(),
                // Extensions are in either case, whatever that of the others.
                _ => [part.extension().to_owned(), part.extension().to_uppercase()]
                    .into_iter()
                    .map(|extension| shp.with_extension(extension))
                    .find(|path| path.is_file())?,
            };
            let size = std::fs::metadata(&path).ok()?.len();
            Some(Place::File(path, size))
        });
        Ok(Self {
            name: file_name(shp),
            parts,
        })
    }

    fn in_archive(path: &Path) -> Result<Self, Error> {
        let damaged = || {
            let message = Message::new("formats.zip-damaged").with("file", file_name(path));
            Error::from(message)
        };
        let file = File::open(path).map_err(|e| Error::read(path, e))?;
        let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|_unreadable| damaged())?;
        if archive.len() > MAX_ZIP_ENTRIES {
            return Err(Message::new("formats.zip-entries")
                .with("file", file_name(path))
                .with("max", MAX_ZIP_ENTRIES)
                .into());
        }
        let mut entries = Vec::new();
        for i in 0..archive.len() {
            let entry = archive.by_index_raw(i).map_err(|_unreadable| damaged())?;
            let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
            let wanted = Part::ALL
                .iter()
                .any(|part| has_extension(&name, part.extension()));
            // macOS puts a shadow of every file into a folder of this name.
            if !wanted || name.starts_with("__MACOSX/") {
                continue;
            }
            let deflated = match entry.compression() {
                CompressionMethod::Stored => false,
                CompressionMethod::Deflated => true,
                _ => return Err(zip_method(path, &name)),
            };
            if entry.encrypted() {
                return Err(zip_method(path, &name));
            }
            entries.push(Entry {
                archive: path.to_owned(),
                start: entry.data_start().ok_or_else(damaged)?,
                packed: entry.compressed_size(),
                size: entry.size(),
                crc: entry.crc32(),
                deflated,
                name,
            });
        }
        let mut names: Vec<_> = entries
            .iter()
            .filter(|e| has_extension(&e.name, "shp"))
            .map(|e| e.name.clone())
            .collect();
        names.sort();
        only_one(&names, path)?;
        let stem = |name: &str| name.rsplit_once('.').map(|(stem, _)| stem.to_lowercase());
        let wanted = stem(&names[0]);
        let parts = Part::ALL.map(|part| {
            let of_part =
                |e: &&Entry| has_extension(&e.name, part.extension()) && stem(&e.name) == wanted;
            entries.iter().find(of_part).cloned().map(Place::Entry)
        });
        let name = names[0].rsplit(['/', '\\']).next().unwrap_or_default();
        Ok(Self {
            name: name.to_owned(),
            parts,
        })
    }

    fn place(&self, part: Part) -> Option<&Place> {
        self.parts[part as usize].as_ref()
    }

    pub(super) fn has(&self, part: Part) -> bool {
        self.place(part).is_some()
    }

    /// Unpacked size in bytes as the file system or the archive tells it; 0 when the part is missing.
    pub(super) fn size(&self, part: Part) -> u64 {
        match self.place(part) {
            Some(Place::File(_, size)) => *size,
            Some(Place::Entry(entry)) => entry.size,
            None => 0,
        }
    }

    /// The path that messages about a part name.
    pub(super) fn path(&self, part: Part) -> PathBuf {
        match self.place(part) {
            Some(Place::File(path, _)) => path.clone(),
            // Both names, so that the file to mend can be found.
            Some(Place::Entry(entry)) => PathBuf::from(format!(
                "{}:{}",
                file_name(&entry.archive),
                file_name(Path::new(&entry.name))
            )),
            None => PathBuf::from(&self.name).with_extension(part.extension()),
        }
    }

    /// Opens a part as a stream from its first byte; `count` grows with the unpacked bytes read.
    ///
    /// # Errors
    /// When the part is missing or cannot be read.
    pub(super) fn open(&self, part: Part, count: Arc<AtomicU64>) -> Result<Bytes, Error> {
        let Some(place) = self.place(part) else {
            return Err(Message::new("formats.shp-part-missing")
                .with("file", &self.name)
                .with("missing", file_name(&self.path(part)))
                .into());
        };
        let bytes: Bytes = match place {
            Place::File(path, _) => Box::new(File::open(path).map_err(|e| Error::read(path, e))?),
            Place::Entry(entry) => entry.open()?,
        };
        let counted = Counted {
            inner: bytes,
            count,
        };
        Ok(Box::new(BufReader::with_capacity(128 << 10, counted)))
    }

    /// A small part as text; `None` when it is missing, too large or unreadable.
    pub(super) fn text(&self, part: Part) -> Option<String> {
        if !self.has(part) {
            return None;
        }
        let mut bytes = Vec::new();
        let stream = self.open(part, Arc::default()).ok()?;
        stream
            .take(MAX_SIDE_BYTES as u64)
            .read_to_end(&mut bytes)
            .ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn zip_method(path: &Path, name: &str) -> Error {
    Message::new("formats.zip-method")
        .with("file", file_name(path))
        .with("name", crate::limits::shown(name))
        .into()
}

fn has_extension(name: &str, extension: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, found)| found.eq_ignore_ascii_case(extension))
}

/// # Errors
/// When there is no Shapefile, or several: the message names them.
fn only_one(names: &[String], path: &Path) -> Result<(), Error> {
    let message = match names.len() {
        1 => return Ok(()),
        0 => Message::new("formats.shp-none"),
        _ => {
            let mut list = names
                .iter()
                .take(10)
                .cloned()
                .collect::<Vec<_>>()
                .join(", ");
            if names.len() > 10 {
                list.push_str(", …");
            }
            Message::new("formats.shp-several").with("names", list)
        }
    };
    Err(message.with("file", file_name(path)).into())
}

impl Entry {
    fn open(&self) -> Result<Bytes, Error> {
        let io = |e| Error::read(&self.archive, e);
        let mut file = File::open(&self.archive).map_err(io)?;
        file.seek(SeekFrom::Start(self.start)).map_err(io)?;
        let packed = BufReader::new(file).take(self.packed);
        let inner: Bytes = if self.deflated {
            Box::new(DeflateDecoder::new(packed))
        } else {
            Box::new(packed)
        };
        let checked = Checked {
            inner,
            crc: Crc::new(),
            expected: self.crc,
        };
        Ok(Box::new(Unpacked::new(
            checked,
            Packed::Known(self.packed),
            file_name(&self.archive),
        )))
    }
}

/// Compares the checksum at the end of an entry.
struct Checked {
    inner: Bytes,
    crc: Crc,
    expected: u32,
}

impl Read for Checked {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.crc.update(&buf[..n]);
        if n == 0 && !buf.is_empty() && self.crc.sum() != self.expected {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "checksum"));
        }
        Ok(n)
    }
}

struct Counted {
    inner: Bytes,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}
