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

/// Features that one request adds, or actions that it makes, as one transaction: others wait for its end, and 10,000 parcels
/// are written in about a second.
pub(crate) const MAX_ACTIONS: usize = 10_000;

/// Bytes of the key under which a client repeats a request: a UUID has 36.
pub(crate) const MAX_KEY: usize = 255;

/// Bytes of the reason of a change: it stands in the history beside each version.
pub(crate) const MAX_REASON: usize = 1_000;

/// For the whole of a form, which is short.
pub(crate) const FORM_TIMEOUT: Duration = Duration::from_secs(10);

/// Fields of a form: four for each property of the widest collection.
pub(crate) const MAX_FIELDS: usize = 4_096;

/// Bytes of a form: the rules of a collection are the longest thing in one.
pub(crate) const MAX_FORM: usize = 64 * 1024;

/// Kibibytes of bodies that are held in memory at once: eight of [`MAX_BODY`], or many small ones.
pub(crate) const BODY_ROOM: usize = 8 * (MAX_BODY >> 10);

/// Features in a page when the client does not say: GDAL and QGIS take it as their page size, and fetch pages one
/// after the other.
pub(crate) const DEFAULT_LIMIT: u32 = 1_000;

/// Properties that an order is by: more decide nothing.
pub(crate) const MAX_SORT: usize = 8;

/// Terms that a text search names, of which one has to be found.
pub(crate) const MAX_TERMS: usize = 16;

/// For the choice of a page's features: a million are looked through in some tenths of a second, and relations of large shapes
/// to each of them would take minutes.
pub(crate) const CHOICE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of an answer below which it is not packed: with its head it is one packet on the usual network.
pub(crate) const MIN_PACKED: u64 = 1_024;

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

/// Filters of tiles that are kept with what they leave: those of some dozen maps.
pub(crate) const MAX_NARROWED: usize = 64;

/// Requests that are worked on at once; above it the answer is 503, so that a burst costs a refusal and not memory.
pub(crate) const MAX_REQUESTS: usize = 512;

/// Of one network, so that slow bodies and slow readers from two or three do not take all of them. A page's browser asks
/// for some ten things at once, and each is answered in milliseconds.
pub(crate) const MAX_NETWORK_REQUESTS: u32 = 128;

/// Streams of changes: they stay open, so half of the connections are left for requests.
pub(crate) const MAX_STREAMS: usize = MAX_CONNECTIONS / 2;

/// Streams of changes of one network: half of its connections.
pub(crate) const MAX_NETWORK_STREAMS: u32 = MAX_NETWORK_CONNECTIONS / 2;

/// Between two signs of life in a stream of changes: proxies close what is silent for half a minute or longer.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);

/// Between two looks for changes of one stream: what comes meanwhile is told together, and a person sees it at once all the same.
pub(crate) const STREAM_PAUSE: Duration = Duration::from_millis(50);

/// Bytes of cookies in a request: ours are a tenth of it, and browsers add those of other programs under the same name.
pub(crate) const MAX_COOKIES: usize = 8 * 1024;

/// Open connections; above it new ones wait in the kernel's queue.
pub(crate) const MAX_CONNECTIONS: usize = 4_096;

/// Connections that the kernel holds until there is a place. With the usual 128 a burst of new ones is dropped, and each
/// tries again only after a second.
pub(crate) const BACKLOG: u32 = 1_024;

/// Open connections of one network: the browsers of forty people behind one address, who open six each.
pub(crate) const MAX_NETWORK_CONNECTIONS: u32 = 256;

/// Seconds of the rate of requests that may come at once: a map that opens asks for a hundred tiles for each of some
/// people behind one address.
pub(crate) const BURST_SECONDS: u32 = 6;

/// Networks whose requests are counted, some 40 bytes each.
pub(crate) const MAX_NETWORKS: usize = 65_536;

/// For the head of a request, for a kept connection without one, and for the handshake of TLS before it.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The same for connections that come while fewer than [`SCARCE_CONNECTIONS`] places are free, so that slow ones make
/// room for others soon.
pub(crate) const HURRIED_HEAD_TIMEOUT: Duration = Duration::from_secs(2);

/// A quarter of all places.
pub(crate) const SCARCE_CONNECTIONS: usize = MAX_CONNECTIONS / 4;

/// For the whole body of a request: 32 MiB at half a megabyte a second.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Without a byte taken by a reader, its connection is closed.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Between two looks at the files of the certificate; they are renewed weeks ahead.
pub(crate) const CERTIFICATE_CHECK: Duration = Duration::from_secs(60);

/// Bytes of a PEM file: a chain of ten certificates has some twenty kilobytes.
pub(crate) const MAX_PEM: u64 = 1024 * 1024;

/// For one answer of the provider of single sign-on, with the connection to it.
pub(crate) const PROVIDER_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of one: tokens and keys have some kilobytes, with very many groups some tens.
pub(crate) const MAX_PROVIDER_ANSWER: usize = 1024 * 1024;

/// For answers in progress when the server stops.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Seconds after which a client may try again.
pub(crate) const RETRY_AFTER: u32 = 2;
