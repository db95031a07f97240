//! The distinct values of a column as one searchable text.

use memchr::memmem::Finder;

use super::fold::fold;
use super::text::Needle;
use model::ValueRef;

/// Words of a needle that are counted to find the rarest.
const MAX_PROBED: usize = 4;

/// How far they are counted.
const MAX_COUNTED: usize = 4_097;

/// The folded texts of a dictionary, each after a line feed, which no folded text contains.
#[derive(Debug)]
pub(super) struct Haystack {
    text: String,
    /// Where the text of each code begins.
    starts: Vec<u32>,
}

/// Folded texts of values in the order of their codes. What does not fit in 4 GiB is not found.
pub(super) fn haystack<'a>(values: impl Iterator<Item = ValueRef<'a>>) -> Haystack {
    let mut text = String::from("\n");
    let mut starts = Vec::new();
    for value in values {
        let start = text.len();
        match value {
            ValueRef::Null | ValueRef::Boolean(_) => {}
            ValueRef::Integer(i) => fold(&i.to_string(), &mut text),
            ValueRef::Real(x) => fold(&x.to_string(), &mut text),
            ValueRef::Text(t) => fold(t, &mut text),
        }
        if text.len() >= u32::MAX as usize {
            text.truncate(start);
            break;
        }
        starts.push(start as u32);
        text.push('\n');
    }
    text.shrink_to_fit();
    starts.shrink_to_fit();
    Haystack { text, starts }
}

impl Haystack {
    /// Codes whose text holds a needle, ascending, each once.
    pub(super) fn with<'a, 'n>(
        &'a self,
        needle: &'n Needle,
    ) -> impl Iterator<Item = u32> + use<'a, 'n> {
        let leading = self.rarest(needle).map(|word| self.find(word));
        let codes = leading.into_iter().flatten();
        codes.filter(|code| needle.words.is_empty() || needle.is_in(self.text(*code)))
    }

    /// What of a needle is looked for first: the rarest of its longest words, how rare it is matters only while it is
    /// rare. `None` when one of them is nowhere.
    fn rarest<'n>(&self, needle: &'n Needle) -> Option<&'n str> {
        let mut rarest = (usize::MAX, needle.phrase.as_str());
        for word in needle.words.iter().take(MAX_PROBED) {
            let count = self.find(word).take(rarest.0.min(MAX_COUNTED)).count();
            if count == 0 {
                return None;
            }
            if count < rarest.0 {
                rarest = (count, word);
            }
        }
        Some(rarest.1)
    }

    /// Codes whose text holds the pattern, ascending, each once.
    pub(super) fn find<'a>(&'a self, pattern: &str) -> impl Iterator<Item = u32> + use<'a> {
        let finder = Finder::new(pattern.as_bytes()).into_owned();
        let (mut from, mut code) = (0, 0);
        std::iter::from_fn(move || {
            let at = from + finder.find(self.text.as_bytes().get(from..)?)?;
            // A pattern that begins with a line feed begins in the text behind it.
            let inside = at + usize::from(self.text.as_bytes()[at] == b'\n');
            code = self.code_at(inside, code);
            // On with the line feed before the next text.
            from = self
                .starts
                .get(code + 1)
                .map_or(self.text.len(), |next| *next as usize - 1);
            Some(code as u32)
        })
    }

    /// The code of the text around a byte, which is not before `from`: near ones are found in a few steps.
    fn code_at(&self, byte: usize, from: usize) -> usize {
        let is_before = |code: usize| self.starts.get(code).is_some_and(|s| *s as usize <= byte);
        let (mut low, mut step) = (from, 1);
        while is_before(low + step) {
            low += step;
            step *= 2;
        }
        let high = (low + step).min(self.starts.len());
        low + self.starts[low..high].partition_point(|start| *start as usize <= byte) - 1
    }

    /// The folded texts, in the order of their codes.
    pub(super) fn texts(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.starts.len() as u32).map(|code| self.text(code))
    }

    pub(super) fn text(&self, code: u32) -> &str {
        let start = self.starts[code as usize] as usize;
        let end = self
            .starts
            .get(code as usize + 1)
            .map_or(self.text.len(), |next| *next as usize);
        &self.text[start..end - 1]
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.text.capacity() + self.starts.capacity() * 4
    }
}
