//! Archives: what is written is read, and nothing that is read does harm.

use std::collections::BTreeMap;
use std::io::{self, Cursor};

use model::Envelope;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tiles::TileCoord;
use tiles::pmtiles::{
    Archive, Compression, Directory, Entry, Error, HEADER_BYTES, Header, MAX_DIRECTORY_BYTES,
    MAX_FRONT_BYTES, ReadAt, TileType, Writer, tile_coord, tile_id,
};

use crate::support::{Random, coord};

const METADATA: &[u8] = br#"{"vector_layers":[]}"#;

fn written(tiles: impl IntoIterator<Item = (u64, impl AsRef<[u8]>)>) -> (Header, Vec<u8>) {
    let mut writer = Writer::new(Cursor::new(Vec::new()), Compression::None);
    for (id, bytes) in tiles {
        writer.add(tile_coord(id).unwrap(), bytes.as_ref()).unwrap();
    }
    let mut out = Vec::new();
    let header = writer.finish(&mut out, METADATA, None).unwrap();
    // Degrees have seven digits in the file.
    let read = Header::parse(&out).unwrap();
    let (bounds, center) = (read.bounds, read.center);
    assert_eq!(
        read,
        Header {
            bounds,
            center,
            ..header
        }
    );
    (read, out)
}

fn open(bytes: &[u8]) -> Result<Archive<&[u8]>, Error> {
    Archive::open(bytes)
}

/// Every tile by id, through the entries.
fn all(archive: &Archive<&[u8]>) -> Result<BTreeMap<u64, Vec<u8>>, Error> {
    let mut tiles = BTreeMap::new();
    for entry in archive.entries() {
        let entry = entry?;
        let bytes = archive.read(&entry)?;
        // A broken archive may say that a tile comes four thousand million times.
        for id in entry.ids().take(1000) {
            assert_eq!(tiles.insert(id, bytes.clone()), None, "{id} comes twice");
        }
    }
    Ok(tiles)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(
        // Near ones make runs, few contents make duplicates.
        tiles in btree_map(prop_oneof![0..200_u64, 0..1_466_015_503_701_u64], vec(0..3_u8, 1..3), 1..150),
        absent in any::<u64>(),
    ) {
        let (header, bytes) = written(tiles.iter().map(|(id, tile)| (*id, tile)));
        let archive = open(&bytes).unwrap();
        prop_assert_eq!(archive.header(), &header);
        prop_assert_eq!(archive.metadata().unwrap(), METADATA);
        prop_assert_eq!(&all(&archive).unwrap(), &tiles);
        for (id, tile) in &tiles {
            let read = archive.tile(tile_coord(*id).unwrap()).unwrap();
            prop_assert_eq!(read.as_ref(), Some(tile));
        }
        for id in [absent % 300, absent % 1_000_000_000_000] {
            let read = archive.tile(tile_coord(id).unwrap()).unwrap();
            prop_assert_eq!(read.as_ref(), tiles.get(&id));
        }
        let contents: std::collections::BTreeSet<_> = tiles.values().collect();
        prop_assert_eq!(header.addressed_tiles, tiles.len() as u64);
        prop_assert_eq!(header.tile_contents, contents.len() as u64);
        prop_assert_eq!(header.tiles.length, contents.iter().map(|c| c.len() as u64).sum::<u64>());
        let entries = archive.entries().count() as u64;
        prop_assert_eq!(header.tile_entries, entries);
    }

    #[test]
    fn flipped_bytes_give_an_error_or_another_archive(
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let (_, mut bytes) = written((0..300_u64).map(|id| (id * 7, [id as u8 % 9; 5])));
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(archive) = open(&bytes) {
            let _read = all(&archive);
            let _metadata = archive.metadata();
            let _tile = archive.tile(coord(4, 3, 3));
        }
    }

    #[test]
    fn any_directory_is_read_or_refused(bytes in vec(prop_oneof![0..4_u8, any::<u8>()], 0..40)) {
        if let Ok(directory) = Directory::parse(&bytes, Compression::None) {
            for entry in directory.entries() {
                prop_assert_eq!(directory.find(entry.tile_id), Some(*entry));
            }
        }
    }
}

/// Tiles of all sizes with gaps, so that their directory packs badly.
fn many() -> impl Iterator<Item = (u64, Vec<u8>)> {
    let mut random = Random(11);
    let mut id = 0;
    (0..150_000_u32).map(move |k| {
        id += 1 + random.below(5);
        let mut tile = k.to_le_bytes().to_vec();
        tile.resize(4 + random.below(60) as usize, 0);
        (id, tile)
    })
}

#[test]
fn many_tiles_are_split_over_leaves_and_the_root_stays_small() {
    let (header, bytes) = written(many());
    assert_eq!(header.tile_entries, 150_000);
    assert!(header.root.offset + header.root.length < MAX_FRONT_BYTES as u64);
    let root = &bytes[HEADER_BYTES..][..header.root.length as usize];
    let root = Directory::parse(root, Compression::Gzip).unwrap();
    assert!(root.entries().iter().all(Entry::is_leaf));
    let archive = open(&bytes).unwrap();
    let mut entries = archive.entries();
    for (id, tile) in many() {
        let entry = entries.next().unwrap().unwrap();
        assert_eq!((entry.tile_id, entry.run_length), (id, 1));
        assert_eq!(archive.read(&entry).unwrap(), tile);
    }
    assert!(entries.next().is_none());
    for (id, tile) in many().step_by(5000) {
        let read = archive.tile(tile_coord(id).unwrap()).unwrap();
        assert_eq!(read, Some(tile));
    }
}

#[test]
fn the_same_tiles_give_the_same_archive() {
    assert_eq!(written(many()).1, written(many()).1);
}

/// The specification's order: header, root, metadata, leaves, tiles.
#[test]
fn the_sections_follow_each_other_to_the_end_of_the_file() {
    let (header, bytes) = written(many());
    let mut end = HEADER_BYTES as u64;
    for section in [header.root, header.metadata, header.leaves, header.tiles] {
        assert_eq!(section.offset, end);
        end += section.length;
    }
    assert_eq!(end, bytes.len() as u64);
    assert_eq!(&bytes[..8], b"PMTiles\x03");
}

#[test]
fn the_header_tells_what_the_archive_holds() {
    let mut writer = Writer::new(Cursor::new(Vec::new()), Compression::Gzip);
    let mut tiles = [
        coord(1, 1, 0),
        coord(3, 4, 2),
        coord(3, 5, 2),
        coord(3, 5, 3),
    ];
    tiles.sort_by_key(|t| tile_id(*t));
    for tile in tiles {
        writer.add(tile, b"equal").unwrap();
    }
    let header = writer.finish(&mut Vec::new(), METADATA, None).unwrap();
    assert_eq!((header.min_zoom, header.max_zoom), (1, 3));
    assert_eq!((header.addressed_tiles, header.tile_contents), (4, 1));
    assert_eq!(header.tiles.length, 5);
    assert!(header.clustered);
    assert_eq!(header.internal_compression, Compression::Gzip);
    assert_eq!(header.tile_compression, Compression::Gzip);
    assert_eq!(header.tile_type, TileType::Mvt);
    let [west, south] = header.bounds.min;
    let [east, north] = header.bounds.max;
    assert_eq!([west, south, east], [0.0, 0.0, 90.0]);
    assert!((north - 66.513_260).abs() < 1e-5, "{north}");
    assert_eq!(header.center, [45.0, north / 2.0]);
    assert_eq!(header.center_zoom, 2);
}

#[test]
fn bounds_end_where_the_map_does() {
    let (header, _) = written([(0, "world")]);
    let north = 85.051_128_7;
    assert_eq!(
        (header.bounds.min, header.bounds.max),
        ([-180.0, -north], [180.0, north])
    );
    assert_eq!((header.center, header.center_zoom), ([0.0, 0.0], 0));
}

#[test]
fn bounds_are_those_given_to_seven_digits() {
    let mut out = Vec::new();
    let mut writer = Writer::new(Cursor::new(Vec::new()), Compression::None);
    writer.add(coord(14, 4957, 6059), b"tile").unwrap();
    let bounds = Envelope {
        min: [-71.160_612_3, 42.352_294_8],
        max: [-71.064_041_7, 42.404_040_1],
    };
    writer.finish(&mut out, METADATA, Some(bounds)).unwrap();
    let header = Header::parse(&out).unwrap();
    assert_eq!(header.bounds, bounds);
    assert_eq!(header.center_zoom, 14);
}

#[test]
fn equal_tiles_that_follow_each_other_are_one_entry() {
    let (_, bytes) = written([(5, "sea"), (6, "sea"), (7, "land"), (8, "sea"), (10, "sea")]);
    let entries: Vec<_> = open(&bytes)
        .unwrap()
        .entries()
        .map(|e| e.unwrap())
        .map(|e| (e.tile_id, e.offset, e.length, e.run_length))
        .collect();
    assert_eq!(
        entries,
        [(5, 0, 3, 2), (7, 3, 4, 1), (8, 0, 3, 1), (10, 0, 3, 1)]
    );
}

#[test]
fn tiles_out_of_order_without_bytes_or_none_at_all_are_refused() {
    let mut writer = Writer::new(Cursor::new(Vec::new()), Compression::None);
    writer.add(coord(1, 0, 1), b"tile").unwrap();
    for earlier in [coord(1, 0, 1), coord(1, 0, 0), coord(0, 0, 0)] {
        let refused = writer.add(earlier, b"tile");
        assert!(matches!(refused, Err(Error::Order { last: 2, .. })));
    }
    let empty = writer.add(coord(1, 1, 1), b"");
    assert!(matches!(empty, Err(Error::EmptyTile)));
    let writer = Writer::new(Cursor::new(Vec::new()), Compression::None);
    let none = writer.finish(&mut Vec::new(), METADATA, None);
    assert!(matches!(none, Err(Error::NoTiles)));
}

#[test]
fn an_archive_that_is_cut_anywhere_is_refused() {
    let (_, bytes) = written((0..40_u64).map(|id| (id * 3, id.to_le_bytes())));
    for end in 0..bytes.len() {
        let cut = &bytes[..end];
        let read = open(cut).and_then(|archive| {
            archive.metadata()?;
            all(&archive)
        });
        assert!(
            matches!(read, Err(Error::Truncated { .. })),
            "{end}: {read:?}"
        );
    }
}

#[test]
fn a_foreign_file_another_version_and_what_we_cannot_unpack_are_named() {
    let (_, bytes) = written([(3, "tile")]);
    let refused = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        open(&bytes).unwrap_err().to_string()
    };
    assert_eq!(
        refused(0, b'Q'),
        "not a PMTiles archive: it does not begin with PMTiles"
    );
    assert_eq!(refused(7, 2), "a PMTiles archive of version 2, not 3");
    assert_eq!(
        refused(97, 4),
        "a directory compressed by zstd; only gzip and none can be unpacked"
    );
    assert!(refused(97, 3).contains("brotli"));
    assert!(refused(97, 0).contains("something unknown"));
    assert!(refused(97, 9).contains("a compression that version 3 does not have"));
    assert!(refused(101, 0).contains("the least zoom is deeper"));
}

/// As the header of an archive whose sections are all at the end of its 127 bytes.
fn crafted(root: &[u8], leaves: &[u8], tiles: u64) -> Vec<u8> {
    let (_, mut bytes) = written([(0, "tile")]);
    bytes.truncate(HEADER_BYTES);
    bytes[97] = 1;
    let leaves_at = (HEADER_BYTES + root.len()) as u64;
    let numbers = [
        HEADER_BYTES as u64,
        root.len() as u64,
        0,
        0,
        leaves_at,
        leaves.len() as u64,
        leaves_at,
        tiles,
    ];
    for (at, number) in (8..).step_by(8).zip(numbers) {
        bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(root);
    bytes.extend_from_slice(leaves);
    bytes
}

fn first_error(bytes: &[u8]) -> String {
    let archive = open(bytes).unwrap();
    let by_entry = all(&archive).unwrap_err().to_string();
    let by_tile = archive.tile(coord(0, 0, 0)).unwrap_err().to_string();
    assert_eq!(by_entry, by_tile);
    by_entry
}

#[test]
fn a_leaf_that_leads_to_itself_ends() {
    // One entry: id 0, run 0 (a leaf), length 5, offset 0.
    let leaf = [1, 0, 0, 5, 1];
    let error = first_error(&crafted(&leaf, &leaf, 0));
    assert!(error.contains("nested more than four deep"), "{error}");
}

#[test]
fn directories_nest_four_deep_and_no_deeper() {
    // Each leaf leads to the next, the last to a tile of id 0.
    let leaf = |to: u8| vec![1, 0, 0, 5, 1 + to];
    let tile = vec![1, 0, 1, 3, 1];
    let four = crafted(&leaf(0), &[leaf(5), leaf(10), tile.clone()].concat(), 3);
    let bytes = [four, b"sea".to_vec()].concat();
    // The leaves are before the tiles, which `crafted` puts at the same place.
    let mut bytes = bytes;
    let at = u64::from_le_bytes(bytes[56..64].try_into().unwrap()) + 15;
    bytes[56..64].copy_from_slice(&at.to_le_bytes());
    let archive = open(&bytes).unwrap();
    assert_eq!(archive.tile(coord(0, 0, 0)).unwrap().unwrap(), b"sea");
    assert_eq!(all(&archive).unwrap()[&0], b"sea");
    let five = crafted(&leaf(0), &[leaf(5), leaf(10), leaf(15), tile].concat(), 3);
    let error = first_error(&five);
    assert!(error.contains("nested more than four deep"), "{error}");
}

#[test]
fn a_leaf_is_not_gone_through_twice() {
    // Two leaves, of id 0 and of id 1, which are the same bytes: a tile of id 0.
    let leaf = [1, 0, 1, 3, 1];
    let root = [2, 0, 1, 0, 0, 5, 5, 1, 1];
    let bytes = crafted(&root, &leaf, 3);
    let error = all(&open(&bytes).unwrap()).unwrap_err().to_string();
    assert!(
        error.contains("out of order between directories"),
        "{error}"
    );
}

#[test]
fn offsets_beyond_a_section_are_refused_before_anything_is_read() {
    // A tile of 200 bytes at offset 4 of a section of 3.
    let error = first_error(&crafted(&[1, 0, 1, 200, 1, 5], &[], 3));
    assert!(error.contains("a tile beyond those of the header"));
    let error = first_error(&crafted(&[1, 0, 0, 5, 9], &[1, 0, 1, 3, 1], 3));
    assert!(error.contains("a leaf directory beyond those of the header"));
    let huge = [1, 0, 1, 0xff, 0xff, 0xff, 0xff, 15, 1];
    let error = first_error(&crafted(&huge, &[], u64::MAX / 2));
    assert!(error.contains("a tile of more than"), "{error}");
    let error = first_error(&crafted(&[1, 0, 1, 100, 1], &[], 1000));
    assert!(error.contains("the archive ends before byte"), "{error}");
}

#[test]
fn a_directory_that_unpacks_to_gigabytes_is_refused() {
    use io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        gzip.write_all(&vec![0; MAX_DIRECTORY_BYTES]).unwrap();
    }
    let bomb = gzip.finish().unwrap();
    let refused = Directory::parse(&bomb, Compression::Gzip);
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
    let (_, mut bytes) = written([(3, "tile")]);
    bytes[16..24].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    assert!(matches!(open(&bytes), Err(Error::TooLarge { .. })));
}

#[test]
fn an_archive_is_read_from_a_file_and_from_whatever_gives_ranges() {
    struct Other(Vec<u8>);
    impl ReadAt for Other {
        fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
            self.0.as_slice().read_at(offset, length)
        }
    }
    let (_, bytes) = written([(3, "three"), (9, "nine")]);
    let file = tempfile::tempfile().unwrap();
    io::Write::write_all(&mut &file, &bytes).unwrap();
    let by_file = Archive::open(file).unwrap().tile(tile_coord(9).unwrap());
    let by_other = Archive::open(Other(bytes))
        .unwrap()
        .tile(TileCoord::new(1, 1, 1).unwrap());
    assert_eq!(by_file.unwrap().as_deref(), Some(&b"nine"[..]));
    assert_eq!(by_other.unwrap().as_deref(), Some(&b"three"[..]));
}

/// A caller that cannot block takes the steps itself.
#[test]
fn the_steps_lead_to_a_tile_without_an_archive() {
    let (_, bytes) = written(many());
    let part = |s: tiles::pmtiles::Section| &bytes[s.offset as usize..][..s.length as usize];
    let header = Header::parse(&bytes).unwrap();
    let (id, tile) = many().nth(70_000).unwrap();
    let root = Directory::parse(part(header.root), header.internal_compression).unwrap();
    let leaf = header.leaf(&root.find(id).unwrap()).unwrap();
    let leaf = Directory::parse(part(leaf), header.internal_compression).unwrap();
    let entry = leaf.find(id).unwrap();
    assert_eq!(part(header.tile(&entry).unwrap()), tile);
}
