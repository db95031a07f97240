//! Tiles written by hand, so that they may be wrong.

use tiles::decode::Value;

/// A layer that becomes a tile.
pub(super) struct Hand {
    name: String,
    extent: u32,
    keys: Vec<String>,
    values: Vec<Vec<u8>>,
    features: Vec<Vec<u8>>,
}

/// Geometry type and commands.
pub(super) struct Shape {
    kind: u8,
    commands: Vec<u8>,
}

/// Points (1, all in the first path), lines (2) or rings (3, open), encoded as they are.
pub(super) fn shape(kind: u8, paths: &[Vec<[i32; 2]>]) -> Shape {
    let mut commands = Vec::new();
    let mut cursor = [0_i64; 2];
    let mut step = |out: &mut Vec<u8>, p: [i32; 2]| {
        for k in 0..2 {
            let by = i64::from(p[k]) - cursor[k];
            cursor[k] = p[k].into();
            varint(out, ((by << 1) ^ (by >> 63)).cast_unsigned());
        }
    };
    let command = |id: u64, count: usize| (count as u64) << 3 | id;
    for path in paths {
        let moves = if kind == 1 { path.len() } else { 1 };
        varint(&mut commands, command(1, moves));
        path[..moves].iter().for_each(|p| step(&mut commands, *p));
        if kind > 1 {
            varint(&mut commands, command(2, path.len() - 1));
            path[1..].iter().for_each(|p| step(&mut commands, *p));
        }
        if kind == 3 {
            varint(&mut commands, command(7, 1));
        }
    }
    Shape { kind, commands }
}

impl Hand {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            extent: 4096,
            keys: Vec::new(),
            values: Vec::new(),
            features: Vec::new(),
        }
    }

    pub(super) fn extent(mut self, extent: u32) -> Self {
        self.extent = extent;
        self
    }

    pub(super) fn feature(self, id: impl Into<Option<u64>>, shape: Shape) -> Self {
        self.tagged(id, &[], shape)
    }

    pub(super) fn tagged(
        mut self,
        id: impl Into<Option<u64>>,
        tags: &[(&str, Value)],
        shape: Shape,
    ) -> Self {
        let mut feature = Vec::new();
        if let Some(id) = id.into() {
            feature.push(1 << 3);
            varint(&mut feature, id);
        }
        let mut numbers = Vec::new();
        for (key, value) in tags {
            varint(&mut numbers, self.keys.len() as u64);
            varint(&mut numbers, self.values.len() as u64);
            self.keys.push((*key).to_owned());
            self.values.push(encoded(value));
        }
        field(&mut feature, 2, &numbers);
        feature.extend([3 << 3, shape.kind]);
        field(&mut feature, 4, &shape.commands);
        self.features.push(feature);
        self
    }

    /// Of this layer alone; several tiles one after another are a tile of all their layers.
    pub(super) fn tile(&self) -> Vec<u8> {
        let mut layer = vec![15 << 3, 2];
        field(&mut layer, 1, self.name.as_bytes());
        self.features.iter().for_each(|f| field(&mut layer, 2, f));
        self.keys
            .iter()
            .for_each(|k| field(&mut layer, 3, k.as_bytes()));
        self.values.iter().for_each(|v| field(&mut layer, 4, v));
        layer.push(5 << 3);
        varint(&mut layer, self.extent.into());
        let mut tile = Vec::new();
        field(&mut tile, 3, &layer);
        tile
    }
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match value {
        Value::Text(text) => field(&mut out, 1, text.as_bytes()),
        Value::Int(v) => {
            out.push(4 << 3);
            varint(&mut out, v.cast_unsigned());
        }
        Value::Uint(v) => {
            out.push(5 << 3);
            varint(&mut out, *v);
        }
        other => panic!("{other:?} is not written here"),
    }
    out
}

fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}
