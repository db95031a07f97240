//! Command integers and their parameters (MVT 2.1 §4.3).

use super::proto::unzigzag;
use super::{DecodeError, Geometry};

const MOVE_TO: u32 = 1;
const LINE_TO: u32 = 2;
const CLOSE_PATH: u32 = 7;

struct Commands<'a> {
    numbers: &'a [u32],
    cursor: [i64; 2],
}

pub(super) fn decode(kind: u32, numbers: &[u32]) -> Result<Geometry, DecodeError> {
    let mut commands = Commands {
        numbers,
        cursor: [0, 0],
    };
    match kind {
        1 => commands.points(),
        2 => commands.lines(),
        3 => commands.rings(),
        _ => Err(DecodeError::GeometryType),
    }
}

impl Commands<'_> {
    fn points(&mut self) -> Result<Geometry, DecodeError> {
        let mut points = Vec::new();
        let count = self.command(MOVE_TO)?;
        self.vertices(count, &mut points)?;
        if count == 0 || !self.numbers.is_empty() {
            return Err(DecodeError::Command);
        }
        Ok(Geometry::Points(points))
    }

    fn lines(&mut self) -> Result<Geometry, DecodeError> {
        let mut lines = vec![self.path(1)?];
        while !self.numbers.is_empty() {
            lines.push(self.path(1)?);
        }
        Ok(Geometry::Lines(lines))
    }

    fn rings(&mut self) -> Result<Geometry, DecodeError> {
        let mut rings = Vec::new();
        loop {
            rings.push(self.path(2)?);
            if self.command(CLOSE_PATH)? != 1 {
                return Err(DecodeError::Command);
            }
            if self.numbers.is_empty() {
                return Ok(Geometry::Rings(rings));
            }
        }
    }

    /// One `MoveTo`, then at least `least` times `LineTo`.
    fn path(&mut self, least: u32) -> Result<Vec<[i32; 2]>, DecodeError> {
        let mut path = Vec::new();
        if self.command(MOVE_TO)? != 1 {
            return Err(DecodeError::Command);
        }
        self.vertices(1, &mut path)?;
        let count = self.command(LINE_TO)?;
        if count < least {
            return Err(DecodeError::Command);
        }
        self.vertices(count, &mut path)?;
        Ok(path)
    }

    /// The count of the next command, which must be of this kind.
    fn command(&mut self, id: u32) -> Result<u32, DecodeError> {
        match self.numbers.split_first() {
            Some((&command, rest)) if command & 7 == id => {
                self.numbers = rest;
                Ok(command >> 3)
            }
            _ => Err(DecodeError::Command),
        }
    }

    fn vertices(&mut self, count: u32, out: &mut Vec<[i32; 2]>) -> Result<(), DecodeError> {
        // 2^29 at most, so twice that fits.
        let (numbers, rest) = self
            .numbers
            .split_at_checked(2 * count as usize)
            .ok_or(DecodeError::Parameters)?;
        self.numbers = rest;
        out.reserve(count as usize);
        for step in numbers.chunks_exact(2) {
            let mut vertex = [0; 2];
            for k in 0..2 {
                self.cursor[k] += unzigzag(u64::from(step[k]));
                let v = i32::try_from(self.cursor[k]);
                vertex[k] = v.map_err(|_too_far| DecodeError::Coordinate)?;
            }
            out.push(vertex);
        }
        Ok(())
    }
}
