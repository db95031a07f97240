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
use std::path::PathBuf;

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
/// `InvalidInput` when the number of parcels is out of range, and errors of the file system.
pub fn write(options: &Options, progress: &mut dyn FnMut(u64)) -> io::Result<Summary> {
    if !(1..=MAX_PARCELS).contains(&options.parcels) {
        let text = format!("parcels must be in 1..={MAX_PARCELS}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    std::fs::create_dir_all(&options.out)?;
    let mut files = Vec::with_capacity(Layer::ALL.len());
    for layer in Layer::ALL {
        let path = options.out.join(manifest::file(layer));
        files.push(BufWriter::with_capacity(1 << 17, File::create(path)?));
    }
    let mut bytes = 0;
    let mut sink = |layer: Layer, line: &[u8]| {
        bytes += line.len() as u64;
        files[layer as usize].write_all(line)
    };
    let (counts, area) = town::build(options.parcels, options.seed, &mut sink, progress)?;
    for mut file in files {
        file.flush()?;
    }
    let features: Vec<(Layer, u64)> = Layer::ALL
        .into_iter()
        .map(|l| (l, counts[l as usize]))
        .filter(|f| f.1 > 0)
        .collect();
    let path = options.out.join("town.json");
    std::fs::write(&path, manifest::text(&features))?;
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
