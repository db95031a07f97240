//! A column in which a query is looked for, over all parts of a snapshot.
//!
//! What is found depends on the live features alone, never on how they are spread over parts or on what dead rows
//! hold: a reader who may see only a part of them must not notice the others.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use super::column::key;
use super::fold::natural;
use super::haystack::Haystack;
use super::hit::{Hit, TextHit};
use super::part::Part;
use super::snapshot::Snapshot;
use super::text::{Needle, Rank};

/// Distinct values that are ranked at once; a needle with more is rather looked for rank by rank, which ends early.
const MAX_RANKED: usize = 4_096;

/// Features whose value is held against the words of a needle, when more than [`MAX_RANKED`] values have them all:
/// keeps the worst query below some 20 ms.
const MAX_EXAMINED: usize = 65_536;

pub(super) struct Field<'a, 'n> {
    column: usize,
    needle: &'n Needle,
    values: Values<'a>,
}

/// The values that hold the needle.
enum Values<'a> {
    /// All of them, ranked and in the order of their texts, for each part.
    Few(Vec<(Searched<'a>, Vec<(Rank, u32)>)>),
    /// They are looked for again at each rank; beside it the features of [`Field::examined`].
    Many(Vec<Searched<'a>>, OnceCell<Vec<(Rank, Row<'a>)>>),
}

#[derive(Clone, Copy)]
struct Searched<'a> {
    part: &'a Part,
    haystack: &'a Haystack,
}

#[derive(Clone, Copy)]
struct Row<'a> {
    searched: Searched<'a>,
    slot: u32,
    code: u32,
}

impl<'a> Row<'a> {
    fn fid(&self) -> i64 {
        self.searched.part.segment.fids[self.slot as usize]
    }

    fn text(&self) -> &'a str {
        self.searched.haystack.text(self.code)
    }
}

impl<'a, 'n> Field<'a, 'n> {
    /// `None` when the column is not searchable or has no such text.
    pub(super) fn new(snapshot: &'a Snapshot, column: usize, needle: &'n Needle) -> Option<Self> {
        let mut found: Vec<(Searched<'a>, Vec<u32>)> = Vec::new();
        for part in &snapshot.inner.parts {
            let Some(haystack) = part.haystack(column) else {
                continue;
            };
            let codes: Vec<u32> = haystack.with(needle).take(MAX_RANKED + 1).collect();
            if !codes.is_empty() {
                found.push((Searched { part, haystack }, codes));
            }
        }
        if found.is_empty() {
            return None;
        }
        let values = match are_few(column, needle, &mut found) {
            true => Values::Few(
                found
                    .into_iter()
                    .map(|(s, codes)| (s, ranked(s.haystack, needle, &codes)))
                    .collect(),
            ),
            false => Values::Many(found.into_iter().map(|(s, _)| s).collect(), OnceCell::new()),
        };
        Some(Self {
            column,
            needle,
            values,
        })
    }

    /// Hits of a rank that are not yet known, with the text that matched: where values are few, the first `limit`
    /// in the order of their texts and then keys and perhaps more; where they are many, those of the `limit` lowest
    /// keys, and those of a better rank may be among them.
    pub(super) fn hits(
        &self,
        rank: Rank,
        limit: usize,
        seen: &HashSet<i64>,
    ) -> impl Iterator<Item = (&'a str, TextHit<'a>)> + use<'a> {
        let column = self.column;
        let rows = match &self.values {
            Values::Few(parts) => parts
                .iter()
                .flat_map(|(searched, ranked)| first(*searched, column, ranked, rank, limit, seen))
                .collect(),
            Values::Many(parts, examined) => {
                let examined = || examined.get_or_init(|| self.examined(parts));
                self.lowest_of(rank, parts, examined, limit, seen)
            }
        };
        rows.into_iter().map(move |row| {
            let hit = Hit {
                part: row.searched.part,
                slot: row.slot,
            };
            (row.text(), TextHit { hit, column, rank })
        })
    }

    fn lowest_of<'s>(
        &'s self,
        rank: Rank,
        parts: &[Searched<'a>],
        examined: impl Fn() -> &'s Vec<(Rank, Row<'a>)>,
        limit: usize,
        seen: &HashSet<i64>,
    ) -> Vec<Row<'a>> {
        let phrase = &self.needle.phrase;
        let pattern = match rank {
            Rank::Equal => format!("\n{phrase}\n"),
            Rank::Prefix => format!("\n{phrase}"),
            Rank::Word => format!(" {phrase}"),
            // One word alone is of a better rank, or inside.
            Rank::Whole | Rank::Begun if self.needle.words.is_empty() => return Vec::new(),
            Rank::Whole | Rank::Begun => {
                let of_rank = examined().iter().filter(|(r, _)| *r == rank);
                let rows = of_rank.map(|(_, row)| *row);
                return rows
                    .filter(|row| !seen.contains(&row.fid()))
                    .take(limit)
                    .collect();
            }
            Rank::Inside => {
                let with_all = |haystack: &'a Haystack| haystack.with(self.needle);
                return lowest(parts, self.column, with_all, limit, seen);
            }
        };
        let find = |haystack: &'a Haystack| haystack.find(&pattern);
        lowest(parts, self.column, find, limit, seen)
    }

    /// The features of the lowest keys whose value has all words of the needle, with its rank.
    fn examined(&self, parts: &[Searched<'a>]) -> Vec<(Rank, Row<'a>)> {
        let with_all = |haystack: &'a Haystack| haystack.with(self.needle);
        let rows = lowest(parts, self.column, with_all, MAX_EXAMINED, &HashSet::new());
        let mut ranks: HashMap<&str, Rank> = HashMap::new();
        let ranked = rows.into_iter().map(|row| {
            let rank = ranks.entry(row.text());
            (*rank.or_insert_with(|| self.needle.rank(row.text())), row)
        });
        ranked.collect()
    }
}

/// Whether at most [`MAX_RANKED`] distinct values of live features were found. Codes are looked up up to one more.
fn are_few(column: usize, needle: &Needle, found: &mut [(Searched<'_>, Vec<u32>)]) -> bool {
    let at_most = |found: &[(Searched<'_>, Vec<u32>)]| -> usize {
        found.iter().map(|(_, codes)| codes.len()).sum()
    };
    // Values of dead features alone can only make it fewer.
    if at_most(found) <= MAX_RANKED {
        return true;
    }
    for (searched, codes) in found.iter_mut() {
        if let Some(live) = searched.part.live_codes(column) {
            let with_all = searched.haystack.with(needle);
            *codes = with_all
                .filter(|code| live.contains(*code))
                .take(MAX_RANKED + 1)
                .collect();
        }
    }
    if at_most(found) <= MAX_RANKED {
        return true;
    }
    if found.iter().any(|(_, codes)| codes.len() > MAX_RANKED) {
        return false;
    }
    // A value may stand in several parts.
    let values = found.iter().flat_map(|(searched, codes)| {
        let column = &searched.part.segment.columns[column];
        codes.iter().map(|code| key(column.value(*code)))
    });
    values.collect::<HashSet<_>>().len() <= MAX_RANKED
}

fn ranked(haystack: &Haystack, needle: &Needle, codes: &[u32]) -> Vec<(Rank, u32)> {
    let mut ranked: Vec<(Rank, u32)> = codes
        .iter()
        .map(|c| (needle.rank(haystack.text(*c)), *c))
        .collect();
    ranked.sort_by(|(a, a_code), (b, b_code)| {
        a.cmp(b)
            .then_with(|| natural(haystack.text(*a_code), haystack.text(*b_code)))
    });
    ranked
}

/// Live rows of a rank that are not yet known: the first `limit` in the order of their texts and then keys, and
/// perhaps more.
fn first<'a>(
    searched: Searched<'a>,
    column: usize,
    ranked: &[(Rank, u32)],
    rank: Rank,
    limit: usize,
    seen: &HashSet<i64>,
) -> Vec<Row<'a>> {
    let begin = ranked.partition_point(|(r, _)| *r < rank);
    let end = ranked.partition_point(|(r, _)| *r <= rank);
    let mut rest = &ranked[begin..end];
    let text = |code: u32| searched.haystack.text(code);
    let mut out = Vec::new();
    // Codes are looked up in the rows in growing batches: a code may have no live row, or thousands.
    let mut batch = limit.max(16);
    while !rest.is_empty() && out.len() < limit {
        // Values that are folded to one text stand together, whichever of them came first.
        let mut places: Vec<(u32, u32)> = Vec::new();
        let mut last = None;
        let mut place = 0;
        for (_, code) in rest {
            if last.is_some_and(|last| last != text(*code)) {
                if places.len() >= batch {
                    break;
                }
                place += 1;
            }
            last = Some(text(*code));
            places.push((*code, place));
        }
        rest = &rest[places.len()..];
        let rows = rows(searched.part, column, places, limit, seen);
        out.extend(rows.into_iter().map(|(slot, code)| Row {
            searched,
            slot,
            code,
        }));
        batch = batch.saturating_mul(4);
    }
    out
}

/// Slots and codes of live rows with one of the codes: at most `limit` of them, those of the first places first.
fn rows(
    part: &Part,
    column: usize,
    mut places: Vec<(u32, u32)>,
    limit: usize,
    seen: &HashSet<i64>,
) -> Vec<(u32, u32)> {
    places.sort_unstable();
    let (Some((first, _)), Some((last, _))) = (places.first(), places.last()) else {
        return Vec::new();
    };
    let all = part.segment.columns[column].codes();
    // A bit for each code from the lowest to the highest one.
    let mut wanted = vec![0_u64; ((last - first) / 64 + 1) as usize];
    for (code, _) in &places {
        wanted[((code - first) / 64) as usize] |= 1 << ((code - first) % 64);
    }
    let place = |code: u32| places[places.partition_point(|(c, _)| *c < code)].1;
    let mut found: Vec<(u32, u32)> = Vec::new();
    for slot in 0..part.slots() {
        let code = all.get(slot);
        let Some(offset) = code.checked_sub(*first).filter(|_| code <= *last) else {
            continue;
        };
        let slot = slot as u32;
        if wanted[(offset / 64) as usize] >> (offset % 64) & 1 == 1
            && part.is_live(slot)
            && !seen.contains(&part.segment.fids[slot as usize])
        {
            found.push((place(code), slot));
            if found.len() >= limit.saturating_mul(4).max(1024) {
                // Enough to choose from: keep those of the first places.
                found.sort_unstable();
                found.truncate(limit);
            }
        }
    }
    found.sort_unstable();
    found.truncate(limit);
    let coded = found
        .into_iter()
        .map(|(_, slot)| (slot, all.get(slot as usize)));
    coded.collect()
}

/// Live rows of the lowest keys that are not yet known and whose code is found, at most `limit` of all parts.
fn lowest<'a, I: Iterator<Item = u32>>(
    parts: &[Searched<'a>],
    column: usize,
    find: impl Fn(&'a Haystack) -> I,
    limit: usize,
    seen: &HashSet<i64>,
) -> Vec<Row<'a>> {
    let mut out: Vec<Row<'a>> = Vec::new();
    for searched in parts {
        let rows = lowest_rows(searched.part, column, find(searched.haystack), limit, seen);
        out.extend(rows.into_iter().map(|(slot, code)| Row {
            searched: *searched,
            slot,
            code,
        }));
    }
    out.sort_unstable_by_key(Row::fid);
    out.truncate(limit);
    out
}

/// Slots and codes, ascending. Codes are numbered in the order in which they first stand in a row, so `codes`, which
/// ascend, are taken one by one along the rows, and no further than needed.
fn lowest_rows(
    part: &Part,
    column: usize,
    mut codes: impl Iterator<Item = u32>,
    limit: usize,
    seen: &HashSet<i64>,
) -> Vec<(u32, u32)> {
    let column = &part.segment.columns[column];
    let mut wanted = vec![0_u64; column.distinct().div_ceil(64)];
    let mut next = codes.next();
    let mut out = Vec::new();
    if limit == 0 {
        return out;
    }
    for slot in 0..part.slots() as u32 {
        let code = column.code(slot);
        while let Some(met) = next.filter(|next| *next <= code) {
            wanted[(met / 64) as usize] |= 1 << (met % 64);
            next = codes.next();
        }
        if wanted[(code / 64) as usize] >> (code % 64) & 1 == 1
            && part.is_live(slot)
            && !seen.contains(&part.segment.fids[slot as usize])
        {
            out.push((slot, code));
            if out.len() == limit {
                break;
            }
        }
    }
    out
}
