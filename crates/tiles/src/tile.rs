//! Layers together as a tile.

use crate::{Error, decode, proto};

/// A tile of encoded layers, in the given order; empty without layers.
///
/// # Errors
/// [`Error::DuplicateLayer`] when two layers have one name (MVT 2.1 §4.1), [`Error::NotALayer`] when bytes did
/// not come from [`crate::LayerBuilder::finish`].
pub fn tile<L: AsRef<[u8]>>(layers: &[L]) -> Result<Vec<u8>, Error> {
    let mut names = Vec::with_capacity(layers.len());
    let size: usize = layers.iter().map(|l| l.as_ref().len() + 10).sum();
    let mut tile = Vec::with_capacity(size);
    for layer in layers {
        let layer = layer.as_ref();
        let name = decode::layer_name(layer).ok_or(Error::NotALayer)?;
        if names.contains(&name) {
            return Err(Error::DuplicateLayer(name.to_owned()));
        }
        names.push(name);
        proto::bytes(&mut tile, proto::TILE_LAYER, layer);
    }
    Ok(tile)
}
