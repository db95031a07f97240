//! The part of protobuf's wire format that tiles use.

use super::DecodeError;

/// Fields of a message, one after another: number and content.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Field<'a>), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u64, Field<'a>), DecodeError> {
        let tag = varint(&mut self.0)?;
        let field = match tag & 7 {
            0 => Field::Varint(varint(&mut self.0)?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let len = varint(&mut self.0)?;
                let len = usize::try_from(len).map_err(|_too_long| DecodeError::Truncated)?;
                let (bytes, rest) = self.0.split_at_checked(len).ok_or(DecodeError::Truncated)?;
                self.0 = rest;
                Field::Bytes(bytes)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(DecodeError::WireType),
        };
        Ok((tag >> 3, field))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*array)
    }
}

impl<'a> Field<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], DecodeError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(DecodeError::WireType),
        }
    }

    pub(super) fn text(self) -> Result<String, DecodeError> {
        let text = str::from_utf8(self.bytes()?).map_err(|_bad| DecodeError::Utf8)?;
        Ok(text.to_owned())
    }

    pub(super) fn varint(self) -> Result<u64, DecodeError> {
        match self {
            Self::Varint(v) => Ok(v),
            _ => Err(DecodeError::WireType),
        }
    }

    pub(super) fn u32(self) -> Result<u32, DecodeError> {
        u32::try_from(self.varint()?).map_err(|_too_big| DecodeError::Varint)
    }

    /// Appends packed 32-bit numbers, or a single one that stands alone.
    pub(super) fn packed(self, out: &mut Vec<u32>) -> Result<(), DecodeError> {
        let Self::Bytes(mut bytes) = self else {
            out.push(self.u32()?);
            return Ok(());
        };
        while !bytes.is_empty() {
            let v = varint(&mut bytes)?;
            out.push(u32::try_from(v).map_err(|_too_big| DecodeError::Varint)?);
        }
        Ok(())
    }
}

pub(crate) fn varint(bytes: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        *bytes = rest;
        if shift == 63 && byte > 1 {
            return Err(DecodeError::Varint);
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(DecodeError::Varint)
}

pub(super) fn unzigzag(v: u64) -> i64 {
    (v >> 1).cast_signed() ^ -(v & 1).cast_signed()
}
