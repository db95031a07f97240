//! `hromada sample-town`: a believable Ukrainian town of any size, the same bytes for the same size and seed.
//!
//! The town is made from a plan of rings and rays (`plan`), bent on the ground (`ground`), cut into cells that share their
//! vertices (`land`): streets and water are parcels too, so parcels partition the town without gaps and overlaps.
//! Everything is a function of seed and place; nothing is kept but the band of blocks at hand, so memory grows with the
//! square root of the town. Nothing here is real: names of streets are common ones, numbers of parcels are made up.

mod block;
mod districts;
mod ground;
mod land;
mod manifest;
mod networks;
mod number;
mod output;
mod parcels;
mod plan;
mod street_list;
mod streets;
#[cfg(test)]
mod tests;
mod town;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use output::Layer;

/// Most parcels of a town: its zone, quarter and parcel numbers have 2, 3 and 4 digits.
pub const MAX_PARCELS: u64 = plan::MAX_PARCELS;

pub struct Options {
    /// Exact number of parcels, streets and water among them: 1..=[`MAX_PARCELS`].
    pub parcels: u64,
    pub seed: u64,
    /// Folder for the files; made when it does not exist. Files of the same names are overwritten.
    pub out: PathBuf,
}

/// What was written.
pub struct Summary {
    /// Id and number of features of each collection that has any, in the order of the manifest.
    pub collections: Vec<(String, u64)>,
    pub bytes: u64,
    /// Area of the town in square metres.
    pub area: f64,
    /// The manifest, for `hromada import --manifest`.
    pub manifest: PathBuf,
}

/// Writes one file of newline-delimited GeoJSON a collection, and `town.json`, the manifest for `hromada import --manifest`.
///
/// `progress` gets the number of parcels written so far, after each band of blocks.
///
/// # Errors
/// `InvalidInput` when the number of parcels is out of range, and errors of the file system, with the file; what was
/// written is then removed.
pub fn write(options: &Options, progress: &mut dyn FnMut(u64)) -> io::Result<Summary> {
    if !(1..=MAX_PARCELS).contains(&options.parcels) {
        let text = format!("parcels must be in 1..={MAX_PARCELS}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let folder_is_new = !options.out.exists();
    std::fs::create_dir_all(&options.out).map_err(|e| at(&options.out, &e))?;
    let mut made = Vec::new();
    let written = write_files(options, &mut made, progress);
    if written.is_err() {
        // A part of a town is none; what can't be removed stays.
        for file in &made {
            let _ = std::fs::remove_file(file);
        }
        if folder_is_new {
            let _ = std::fs::remove_dir(&options.out);
        }
    }
    written
}

/// Writes the files; `made` gets each that is begun.
fn write_files(
    options: &Options,
    made: &mut Vec<PathBuf>,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Summary> {
    let mut files = Vec::with_capacity(Layer::ALL.len());
    for layer in Layer::ALL {
        let path = options.out.join(manifest::file(layer));
        let file = File::create(&path).map_err(|e| at(&path, &e))?;
        files.push(BufWriter::with_capacity(1 << 17, file));
        made.push(path);
    }
    let mut bytes = 0;
    let mut sink = |layer: Layer, line: &[u8]| {
        bytes += line.len() as u64;
        let written = files[layer as usize].write_all(line);
        written.map_err(|e| at(&made[layer as usize], &e))
    };
    let (counts, area) = town::build(options.parcels, options.seed, &mut sink, progress)?;
    for (file, path) in files.iter_mut().zip(made.iter()) {
        file.flush().map_err(|e| at(path, &e))?;
    }
    let features: Vec<(Layer, u64)> = Layer::ALL
        .into_iter()
        .map(|l| (l, counts[l as usize]))
        .filter(|f| f.1 > 0)
        .collect();
    let path = options.out.join("town.json");
    made.push(path.clone());
    std::fs::write(&path, manifest::text(&features)).map_err(|e| at(&path, &e))?;
    Ok(Summary {
        collections: features
            .into_iter()
            .map(|(layer, count)| (layer.id().to_owned(), count))
            .collect(),
        bytes,
        area,
        manifest: path,
    })
}

/// The error with the file that it is about.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
