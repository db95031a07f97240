//! Attribute columns: a code for each slot into a dictionary of distinct values.

use hashbrown::{DefaultHashBuilder, HashTable};
use model::{Message, ValueRef};
use std::hash::BuildHasher;
use std::sync::OnceLock;

use super::haystack::{Haystack, haystack};
use crate::Error;

/// A finished column.
#[derive(Debug)]
pub(super) struct Column {
    codes: Codes,
    dictionary: Dictionary,
    /// The dictionary as searchable text, where the column is searchable.
    haystack: Option<Haystack>,
    /// Made when it is first asked for.
    index: OnceLock<Index>,
}

/// Which slots have a value.
#[derive(Debug)]
struct Index {
    /// Codes by the hash of their value.
    lookup: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Where the slots of each code begin, and one more entry at the end.
    starts: Vec<u32>,
    /// By code, then ascending.
    slots: Vec<u32>,
}

impl Column {
    #[inline]
    pub(super) fn code(&self, slot: u32) -> u32 {
        self.codes.get(slot as usize)
    }

    pub(super) fn codes(&self) -> &Codes {
        &self.codes
    }

    #[inline]
    pub(super) fn value(&self, code: u32) -> ValueRef<'_> {
        self.dictionary.get(code)
    }

    #[inline]
    pub(super) fn distinct(&self) -> usize {
        self.dictionary.len()
    }

    /// The slots that hold a value, ascending. O(slots) the first time for a column.
    pub(super) fn slots_of(&self, value: ValueRef<'_>) -> &[u32] {
        let index = self.index.get_or_init(|| self.indexed());
        let (tag, hash) = hashed(&index.hasher, value);
        let code = index
            .lookup
            .find(hash, |code| self.dictionary.equals(*code, tag, value));
        let Some(code) = code.map(|code| *code as usize) else {
            return &[];
        };
        &index.slots[index.starts[code] as usize..index.starts[code + 1] as usize]
    }

    /// Does what [`Self::slots_of`] does the first time.
    pub(super) fn index(&self) {
        self.index.get_or_init(|| self.indexed());
    }

    /// Whether [`Self::slots_of`] was asked before.
    pub(super) fn is_indexed(&self) -> bool {
        self.index.get().is_some()
    }

    fn indexed(&self) -> Index {
        let hasher = DefaultHashBuilder::default();
        let mut lookup = HashTable::with_capacity(self.distinct());
        for code in 0..self.distinct() as u32 {
            let hash = hashed(&hasher, self.value(code)).1;
            let again = |code: &u32| hashed(&hasher, self.value(*code)).1;
            lookup.insert_unique(hash, code, again);
        }
        let count = self.codes.len();
        let mut starts = vec![0_u32; self.distinct() + 1];
        for slot in 0..count {
            starts[self.codes.get(slot) as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut slots = vec![0_u32; count];
        for slot in 0..count {
            let place = &mut next[self.codes.get(slot) as usize];
            slots[*place as usize] = slot as u32;
            *place += 1;
        }
        Index {
            lookup,
            hasher,
            starts,
            slots,
        }
    }

    pub(super) fn haystack(&self) -> Option<&Haystack> {
        self.haystack.as_ref()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let haystack = self.haystack.as_ref().map_or(0, Haystack::memory_bytes);
        let index = self.index.get().map_or(0, |index| {
            (index.starts.capacity() + index.slots.capacity()) * 4 + index.lookup.capacity() * 5
        });
        self.codes.memory_bytes() + self.dictionary.memory_bytes() + haystack + index
    }
}

/// The tag and hash that a value is found by.
fn hashed(hasher: &DefaultHashBuilder, value: ValueRef<'_>) -> (Tag, u64) {
    match value {
        ValueRef::Text(t) => (Tag::Text, hasher.hash_one(t.as_bytes())),
        other => {
            let (tag, payload) = scalar(other);
            (tag, hasher.hash_one((tag as u8, payload)))
        }
    }
}

/// A column under construction.
pub(super) struct ColumnBuilder {
    codes: Codes,
    dictionary: Dictionary,
    /// Codes by the hash of their value; randomly seeded, since clients choose the values.
    lookup: HashTable<u32>,
    hasher: DefaultHashBuilder,
    searchable: bool,
}

impl ColumnBuilder {
    pub(super) fn new(searchable: bool) -> Self {
        Self {
            codes: Codes::U8(Vec::new()),
            dictionary: Dictionary::default(),
            lookup: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            searchable,
        }
    }

    /// The code of a value, which gets one when it has none yet.
    ///
    /// # Errors
    /// When the texts of the column are together longer than 4 GiB.
    pub(super) fn code_of(&mut self, value: ValueRef<'_>) -> Result<u32, Error> {
        let (tag, hash) = hashed(&self.hasher, value);
        let dictionary = &self.dictionary;
        if let Some(code) = self
            .lookup
            .find(hash, |code| dictionary.equals(*code, tag, value))
        {
            return Ok(*code);
        }
        let code = self.dictionary.push(value)?;
        let (dictionary, hasher) = (&self.dictionary, &self.hasher);
        self.lookup
            .insert_unique(hash, code, |code| hashed(hasher, dictionary.get(*code)).1);
        Ok(code)
    }

    pub(super) fn push_code(&mut self, code: u32) {
        self.codes.push(code);
    }

    pub(super) fn finish(mut self) -> Column {
        drop(std::mem::take(&mut self.lookup));
        self.codes.shrink();
        self.dictionary.shrink();
        let values = || (0..self.dictionary.len() as u32).map(|code| self.dictionary.get(code));
        let haystack = self.searchable.then(|| haystack(values()));
        Column {
            codes: self.codes,
            dictionary: self.dictionary,
            haystack,
            index: OnceLock::new(),
        }
    }
}

/// Codes in the narrowest width that holds them: most columns of a cadastre have fewer than 256 distinct values.
#[derive(Debug)]
pub(super) enum Codes {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
}

impl Codes {
    fn push(&mut self, code: u32) {
        match self {
            Self::U8(codes) => match u8::try_from(code) {
                Ok(code) => return codes.push(code),
                Err(_) => *self = Self::U16(codes.iter().map(|c| u16::from(*c)).collect()),
            },
            Self::U16(codes) => match u16::try_from(code) {
                Ok(code) => return codes.push(code),
                Err(_) => *self = Self::U32(codes.iter().map(|c| u32::from(*c)).collect()),
            },
            Self::U32(codes) => return codes.push(code),
        }
        self.push(code);
    }

    #[inline]
    pub(super) fn get(&self, slot: usize) -> u32 {
        match self {
            Self::U8(codes) => u32::from(codes[slot]),
            Self::U16(codes) => u32::from(codes[slot]),
            Self::U32(codes) => codes[slot],
        }
    }

    #[inline]
    fn len(&self) -> usize {
        match self {
            Self::U8(codes) => codes.len(),
            Self::U16(codes) => codes.len(),
            Self::U32(codes) => codes.len(),
        }
    }

    fn shrink(&mut self) {
        match self {
            Self::U8(codes) => codes.shrink_to_fit(),
            Self::U16(codes) => codes.shrink_to_fit(),
            Self::U32(codes) => codes.shrink_to_fit(),
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Self::U8(codes) => codes.capacity(),
            Self::U16(codes) => codes.capacity() * 2,
            Self::U32(codes) => codes.capacity() * 4,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Tag {
    Null,
    Boolean,
    Integer,
    Real,
    Text,
}

/// Distinct values: a tag and eight bytes each; a text's bytes stand in one pool.
#[derive(Debug, Default)]
struct Dictionary {
    tags: Vec<Tag>,
    /// The number's bits; of a text its start in the pool (high half) and its length (low half).
    payloads: Vec<u64>,
    pool: String,
}

/// Tag and bits of a value that is no text.
fn scalar(value: ValueRef<'_>) -> (Tag, u64) {
    match value {
        ValueRef::Null | ValueRef::Text(_) => (Tag::Null, 0),
        ValueRef::Boolean(b) => (Tag::Boolean, u64::from(b)),
        ValueRef::Integer(i) => (Tag::Integer, i.cast_unsigned()),
        ValueRef::Real(x) => (Tag::Real, x.to_bits()),
    }
}

/// A value as it is told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    Text(&'a str),
    Scalar(Tag, u64),
}

pub(super) fn key(value: ValueRef<'_>) -> Key<'_> {
    match value {
        ValueRef::Text(t) => Key::Text(t),
        other => {
            let (tag, bits) = scalar(other);
            Key::Scalar(tag, bits)
        }
    }
}

impl Dictionary {
    #[inline]
    fn len(&self) -> usize {
        self.tags.len()
    }

    fn push(&mut self, value: ValueRef<'_>) -> Result<u32, Error> {
        let code = u32::try_from(self.tags.len()).expect("a segment has fewer than 2^32 slots");
        let (tag, payload) = match value {
            ValueRef::Text(t) => {
                let start = self.pool.len() as u64;
                let end = start + t.len() as u64;
                if end > u64::from(u32::MAX) {
                    return Err(Error::Failed(Message::new("spatial.index-too-large")));
                }
                self.pool.push_str(t);
                (Tag::Text, start << 32 | t.len() as u64)
            }
            other => scalar(other),
        };
        self.tags.push(tag);
        self.payloads.push(payload);
        Ok(code)
    }

    #[inline]
    fn get(&self, code: u32) -> ValueRef<'_> {
        let payload = self.payloads[code as usize];
        match self.tags[code as usize] {
            Tag::Null => ValueRef::Null,
            Tag::Boolean => ValueRef::Boolean(payload != 0),
            Tag::Integer => ValueRef::Integer(payload.cast_signed()),
            Tag::Real => ValueRef::Real(f64::from_bits(payload)),
            Tag::Text => {
                let start = (payload >> 32) as usize;
                ValueRef::Text(&self.pool[start..start + (payload & u64::from(u32::MAX)) as usize])
            }
        }
    }

    fn equals(&self, code: u32, tag: Tag, value: ValueRef<'_>) -> bool {
        if self.tags[code as usize] != tag {
            return false;
        }
        match (self.get(code), value) {
            (ValueRef::Text(a), ValueRef::Text(b)) => a == b,
            (_, other) => self.payloads[code as usize] == scalar(other).1 && scalar(other).0 == tag,
        }
    }

    fn shrink(&mut self) {
        self.tags.shrink_to_fit();
        self.payloads.shrink_to_fit();
        self.pool.shrink_to_fit();
    }

    fn memory_bytes(&self) -> usize {
        self.tags.capacity() + self.payloads.capacity() * 8 + self.pool.capacity()
    }
}

#[cfg(test)]
mod tests {
    use model::Value;

    use super::*;

    #[test]
    fn equal_values_share_a_code_and_kinds_stay_apart() {
        let values = [
            Value::Null,
            Value::Boolean(false),
            Value::Integer(0),
            Value::Real(0.0),
            Value::Real(-0.0),
            Value::Text("".into()),
            Value::Text("0".into()),
        ];
        let mut column = ColumnBuilder::new(false);
        for value in values.iter().chain(&values) {
            let code = column.code_of(value.into()).unwrap();
            column.push_code(code);
        }
        let column = column.finish();
        assert_eq!(column.distinct(), values.len());
        for (slot, value) in values.iter().chain(&values).enumerate() {
            assert_eq!(column.value(column.code(slot as u32)).to_value(), *value);
        }
    }

    #[test]
    fn codes_widen_without_loss() {
        let mut column = ColumnBuilder::new(false);
        for i in 0..70_000_i64 {
            let code = column.code_of(ValueRef::Integer(i * 7)).unwrap();
            column.push_code(code);
        }
        let column = column.finish();
        assert!(
            (0..70_000_u32)
                .all(|s| column.value(column.code(s)) == ValueRef::Integer(i64::from(s) * 7))
        );
    }
}
