//! Rows and fields of delimited text.

use model::Message;

use crate::Error;
use crate::error::file_name;
use crate::input::Window;
use crate::limits::MAX_ROW_BYTES;

/// Fields of a row whose places are kept; a row with more has the wrong number of fields anyway.
const MAX_FIELDS: usize = 10_000;

/// One row, unquoted.
#[derive(Debug, Default)]
pub(super) struct Row {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Fields in the row, those past [`MAX_FIELDS`] included.
    pub(super) count: usize,
    /// The line on which it begins, from 1.
    pub(super) line: u64,
}

impl Row {
    pub(super) fn field(&self, index: usize) -> &[u8] {
        let start = match index {
            0 => 0,
            i => self.ends.get(i - 1).copied().unwrap_or_default(),
        };
        match self.ends.get(index) {
            Some(end) => &self.bytes[start..*end],
            None => &[],
        }
    }

    #[cfg(test)]
    fn fields(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len()).map(|i| self.field(i))
    }

    fn end_field(&mut self) {
        self.count += 1;
        if self.ends.len() < MAX_FIELDS {
            self.ends.push(self.bytes.len());
        }
    }
}

/// A text as rows. Quotes count at the start of a field only; a doubled quote inside quotes is one quote; lines end
/// with LF, CR LF or CR. Empty lines are passed over.
pub(super) struct Rows {
    window: Window,
    delimiter: u8,
    line: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    /// After a quote inside quotes: the end of the quoted part, or the first half of a doubled quote.
    AfterQuote,
}

impl Rows {
    pub(super) fn new(window: Window, delimiter: u8) -> Self {
        Self {
            window,
            delimiter,
            line: 1,
        }
    }

    pub(super) fn window(&mut self) -> &mut Window {
        &mut self.window
    }

    /// Reads the next row into `row`; false at the end.
    ///
    /// # Errors
    /// When a quote is never closed, or a row passes the cap.
    pub(super) fn next(&mut self, row: &mut Row) -> Result<bool, Error> {
        row.bytes.clear();
        row.ends.clear();
        row.count = 0;
        row.line = self.line;
        let mut state = State::FieldStart;
        loop {
            let chunk = self.window.start(1)?;
            if chunk.is_empty() {
                return self.end(row, state);
            }
            let chunk = self.window.buffered();
            let mut used = 0;
            let mut ended = false;
            for &byte in chunk {
                used += 1;
                let line_end = matches!(byte, b'\n' | b'\r');
                match state {
                    State::Quoted if byte == b'"' => state = State::AfterQuote,
                    State::Quoted => {
                        row.bytes.push(byte);
                        self.line += u64::from(byte == b'\n');
                    }
                    State::AfterQuote if byte == b'"' => {
                        row.bytes.push(byte);
                        state = State::Quoted;
                    }
                    State::FieldStart if byte == b'"' => state = State::Quoted,
                    _ if byte == self.delimiter => {
                        row.end_field();
                        state = State::FieldStart;
                    }
                    _ if line_end => {
                        self.line += u64::from(byte == b'\n');
                        let blank = state == State::FieldStart && row.count == 0;
                        if blank {
                            row.line = self.line;
                            continue;
                        }
                        row.end_field();
                        ended = true;
                        break;
                    }
                    _ => {
                        row.bytes.push(byte);
                        state = State::Plain;
                    }
                }
            }
            self.window.advance(used);
            if ended {
                return Ok(true);
            }
            if row.bytes.len() > MAX_ROW_BYTES {
                return Err(self.broken("formats.csv-row-too-large", row));
            }
        }
    }

    fn end(&self, row: &mut Row, state: State) -> Result<bool, Error> {
        if state == State::Quoted {
            return Err(self.broken("formats.csv-quote-open", row));
        }
        if state == State::FieldStart && row.count == 0 {
            return Ok(false);
        }
        row.end_field();
        Ok(true)
    }

    fn broken(&self, key: &'static str, row: &Row) -> Error {
        Message::new(key)
            .with("file", file_name(self.window.path()))
            .with("line", row.line)
            .with("max", MAX_ROW_BYTES >> 20)
            .into()
    }
}

/// The delimiter of a header line: of comma, semicolon, tab and bar the one that stands there most often.
pub(super) fn sniff(start: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0), (b'|', 0)];
    for &byte in start {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted => {}
            _ => {
                if let Some((_, count)) = counts.iter_mut().find(|(d, _)| *d == byte) {
                    *count += 1;
                }
            }
        }
    }
    // Of equals the first.
    let best = counts.iter().rev().max_by_key(|(_, count)| *count);
    best.map_or(b',', |(delimiter, _)| *delimiter)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn rows(text: &[u8], delimiter: u8) -> Result<Vec<Vec<Vec<u8>>>, Error> {
        let source = Box::new(std::io::Cursor::new(text.to_vec()));
        let mut rows = Rows::new(Window::new(source, Path::new("t.csv")), delimiter);
        let mut row = Row::default();
        let mut all = Vec::new();
        while rows.next(&mut row)? {
            all.push(row.fields().map(<[u8]>::to_vec).collect());
        }
        Ok(all)
    }

    #[test]
    fn quotes_line_ends_and_blank_lines() {
        let text = b"a,\"b \"\"x\"\"\",c\r\n\r\n\"1\n2\",,3\r4,5,";
        let all = rows(text, b',').unwrap();
        let expect: [&[&[u8]]; 3] = [
            &[b"a", b"b \"x\"", b"c"],
            &[b"1\n2", b"", b"3"],
            &[b"4", b"5", b""],
        ];
        assert_eq!(all, expect);
        let open = rows(b"a,b\n1,\"2\n3,4\n", b',').unwrap_err();
        assert_eq!(open.message().key(), "formats.csv-quote-open");
    }

    #[test]
    fn the_delimiter_is_the_one_of_the_header() {
        for (text, expected) in [
            ("a,b;c,d\n", b','),
            ("a;b;c\n1,5;2,5;3\n", b';'),
            ("a\tb\n", b'\t'),
            ("\"a,b\";c\n", b';'),
            ("one", b','),
        ] {
            assert_eq!(sniff(text.as_bytes()), expected, "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        /// The csv crate is the witness for all text that closes its quotes.
        #[test]
        fn rows_are_those_of_the_csv_crate(text in "[ab\",\n\r]{0,40}") {
            if let Ok(ours) = rows(text.as_bytes(), b',') {
                let mut theirs = csv::ReaderBuilder::new()
                    .has_headers(false)
                    .flexible(true)
                    .from_reader(text.as_bytes());
                let theirs: Vec<Vec<Vec<u8>>> = theirs
                    .byte_records()
                    .map(|r| r.unwrap().iter().map(<[u8]>::to_vec).collect())
                    .collect();
                prop_assert_eq!(ours, theirs);
            }
        }
    }
}
