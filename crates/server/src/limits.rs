//! Caps on everything that a client chooses, with the reason of each.

use std::time::Duration;

/// Longest request target in bytes. A page of property filters stays far below; longer ones are mistakes or probes.
pub(crate) const MAX_URL: usize = 8 * 1024;

/// Parameters in a query string at most: the widest schema has some hundred properties, no query filters by all.
pub(crate) const MAX_PARAMETERS: usize = 64;

/// Bytes of a request head that are read before the connection is closed.
pub(crate) const MAX_HEAD: usize = 64 * 1024;

/// Header lines in a request.
pub(crate) const MAX_HEADERS: usize = 100;

/// Bytes of a feature that a client sends: the largest multipolygons of a national register stay below 20 MiB.
pub(crate) const MAX_BODY: usize = 32 * 1024 * 1024;

/// Kibibytes of bodies that are held in memory at once: eight of [`MAX_BODY`], or many small ones.
pub(crate) const BODY_ROOM: usize = 8 * (MAX_BODY >> 10);

/// Features in a page when the client does not say: GDAL and QGIS take it as their page size, and fetch pages one
/// after the other.
pub(crate) const DEFAULT_LIMIT: u32 = 1_000;

/// Rows of an HTML page when the client does not say: as many as a person looks through.
pub(crate) const DEFAULT_ROWS: u32 = 100;

/// Features that are read from the store at a time, so that a page of 10,000 is never whole in memory.
pub(crate) const CHUNK: u32 = 1_000;

/// Bytes of features after which a page ends early with a `next` link, whatever `limit` says.
pub(crate) const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;

/// Collections in one tile: as many layers as a map shows at once.
pub(crate) const MAX_TILE_COLLECTIONS: usize = 16;

/// Hits of the search box.
pub(crate) const DEFAULT_HITS: usize = 20;
pub(crate) const MAX_HITS: usize = 100;

/// Collections that a search may name: more than a municipality publishes.
pub(crate) const MAX_SEARCH_COLLECTIONS: usize = 64;

/// Features of a street collection, or with a house number that is not there, that are read to choose the answers
/// from: a long street has some hundred segments and houses.
pub(crate) const MAX_CANDIDATES: usize = 1_000;

/// Distinct texts that are held against a query that found nothing, for each way to understand it: some 50 ms.
pub(crate) const MAX_GUESSED: usize = 1_000_000;

/// Characters that are searched for: the longest address and the longest number stay below.
pub(crate) const MAX_SEARCH: usize = 200;

/// Requests that are worked on at once; above it the answer is 503, so that a burst costs a refusal and not memory.
pub(crate) const MAX_REQUESTS: usize = 512;

/// Open connections; above it new ones wait in the kernel's queue.
pub(crate) const MAX_CONNECTIONS: usize = 4_096;

/// For the head of a request, and for a kept connection without one.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// For the whole body of a request: 32 MiB at half a megabyte a second.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Without a byte taken by a reader, its connection is closed.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// For answers in progress when the server stops.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Seconds after which a client may try again.
pub(crate) const RETRY_AFTER: u32 = 2;
