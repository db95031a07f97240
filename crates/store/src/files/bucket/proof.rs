//! What a service's tag of an object proves.

use std::fmt::Write;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use md5::{Digest, Md5};

/// Bytes read at once.
const CHUNK: u64 = 256 * 1024;

/// The tag that S3 gives to a content it received whole: its MD5, and for an upload in parts the MD5 of their MD5
/// and their count, <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>. MD5 is no protection
/// against a forger, and need not be: each request is signed together with the SHA-256 of its body.
pub(super) fn tag(file: &File, bytes: u64, part: u64) -> io::Result<String> {
    if bytes <= part {
        return Ok(hex(&md5(file, 0, bytes)?));
    }
    let mut whole = Md5::new();
    let mut at = 0;
    while at < bytes {
        let length = part.min(bytes - at);
        whole.update(md5(file, at, length)?);
        at += length;
    }
    let count = bytes.div_ceil(part);
    Ok(format!("{}-{count}", hex(&whole.finalize().into())))
}

/// Whether a tag is the expected one. They come with quotes, and here and there in capitals.
pub(super) fn is_same(tag: &str, expected: &str) -> bool {
    tag.trim_matches('"').eq_ignore_ascii_case(expected)
}

fn md5(file: &File, mut at: u64, mut left: u64) -> io::Result<[u8; 16]> {
    let mut hasher = Md5::new();
    let mut chunk = vec![0; usize::try_from(CHUNK.min(left)).map_err(io::Error::other)?];
    while left > 0 {
        let length = CHUNK.min(left);
        let chunk = &mut chunk[..usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact_at(chunk, at)?;
        hasher.update(chunk);
        at += length;
        left -= length;
    }
    Ok(hasher.finalize().into())
}

fn hex(hash: &[u8; 16]) -> String {
    hash.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
