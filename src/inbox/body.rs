//! Bodies: decompression within a limit, and how they are kept.

use std::cell::RefCell;
use std::io::Read;

use zstd::bulk::{Compressor, Decompressor};

use crate::error::{Error, Result};

/// How much of an oversized or refused body is kept, in bytes.
pub const KEPT_OF_REFUSED: usize = 64 << 10;
/// No body is larger; a row that says so is damaged.
const LARGEST: usize = 1 << 30;
/// Smaller bodies are kept as they are.
const WORTH_COMPRESSING: usize = 400;

/// Undoes the content encodings, in reverse order. The limit holds for every step's result, so a
/// small body that unfolds to gigabytes is refused early.
///
/// # Errors
/// [`Error::TooLarge`] past the limit, [`Error::BadRequest`] for an unknown encoding or a body that
/// is not in it.
pub fn decompress(body: Vec<u8>, encodings: &str, limit: usize) -> Result<Vec<u8>> {
    if body.len() > limit {
        return Err(Error::TooLarge { limit });
    }
    let mut body = body;
    for encoding in encodings.rsplit(',').map(|e| e.trim().to_ascii_lowercase()) {
        body = match encoding.as_str() {
            "" | "identity" => body,
            "gzip" | "x-gzip" => bounded(flate2::read::MultiGzDecoder::new(body.as_slice()), "gzip", limit)?,
            "deflate" => bounded(flate2::read::ZlibDecoder::new(body.as_slice()), "deflate", limit)?,
            "zstd" => {
                let decoder = zstd::stream::read::Decoder::new(body.as_slice());
                bounded(decoder.map_err(|e| Error::BadRequest(format!("the body is not zstd: {e}")))?, "zstd", limit)?
            }
            other => {
                let shown: String = other.chars().take(40).collect();
                return Err(Error::BadRequest(format!(
                    "content encoding '{shown}' is not understood; send gzip, deflate, zstd or none"
                )));
            }
        };
    }
    Ok(body)
}

fn bounded(reader: impl Read, name: &str, limit: usize) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(most).read_to_end(&mut out).map_err(|e| Error::BadRequest(format!("the body is not {name}: {e}")))?;
    if out.len() > limit { Err(Error::TooLarge { limit }) } else { Ok(out) }
}

/// A body as it lies in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub encoding: &'static str,
    pub truncated: bool,
    pub bytes: Vec<u8>,
}

/// Prepares a body for keeping: at most `most` bytes of it, compressed where that pays.
pub fn store(body: &[u8], most: usize) -> Stored {
    let truncated = body.len() > most;
    let kept = &body[..body.len().min(most)];
    if kept.len() >= WORTH_COMPRESSING
        && let Some(bytes) = compress(kept)
        && bytes.len() < kept.len()
    {
        return Stored { encoding: "zstd", truncated, bytes };
    }
    Stored { encoding: "identity", truncated, bytes: kept.to_vec() }
}

thread_local! {
    /// Making them costs more than a body of a few kilobytes.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(1).ok());
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = RefCell::new(Decompressor::new().ok());
}

fn unpack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    // What [`compress`] wrote says how large it was; anything else is read as a stream.
    let size = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten().and_then(|n| usize::try_from(n).ok());
    DECOMPRESSOR.with_borrow_mut(|decompressor| match (decompressor, size) {
        (Some(decompressor), Some(size)) if size <= LARGEST => decompressor.decompress(bytes, size),
        _ => zstd::stream::decode_all(bytes),
    })
}

fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|compressor| compressor.as_mut()?.compress(bytes).ok())
}

/// The bytes that [`store`] was given.
///
/// # Errors
/// [`Error::Internal`] when the row was damaged.
pub fn restore(encoding: &str, bytes: Vec<u8>) -> Result<Vec<u8>> {
    match encoding {
        "identity" => Ok(bytes),
        "zstd" => unpack(&bytes).map_err(|e| Error::Internal(format!("stored body: {e}"))),
        other => Err(Error::Internal(format!("stored body in unknown encoding {other}"))),
    }
}

/// The beginning of a body for people, and whether it was cut: JSON with line breaks where it is whole JSON, else the
/// text as it is.
pub fn pretty(body: &[u8], most: usize) -> (String, bool) {
    let is_cut = body.len() > most;
    let json: Option<serde_json::Value> = if is_cut { None } else { serde_json::from_slice(body).ok() };
    let text = match json.and_then(|v| serde_json::to_string_pretty(&v).ok()) {
        Some(text) => text,
        None => String::from_utf8_lossy(body.get(..body.len().min(most)).unwrap_or_default()).into_owned(),
    };
    (text, is_cut)
}

/// Replaces a secret wherever it stands in a body, so that it is not kept.
pub fn redact(body: &[u8], secret: &str) -> Vec<u8> {
    const INSTEAD: &[u8] = b"[secret]";
    let secret = secret.as_bytes();
    if secret.len() < 8 {
        return body.to_vec();
    }
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.windows(secret.len()).position(|w| w == secret) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(INSTEAD);
        rest = &rest[at + secret.len()..];
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_limit_holds_after_decompression() {
        let bomb = gzip(&vec![b'0'; 1_000_000]);
        assert!(bomb.len() < 10_000);
        assert!(matches!(decompress(bomb.clone(), "gzip", 100_000), Err(Error::TooLarge { limit: 100_000 })));
        assert_eq!(decompress(bomb, "gzip", 1_000_000).unwrap().len(), 1_000_000);
        assert!(matches!(decompress(vec![0; 11], "", 10), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn encodings_are_undone_or_named() {
        assert_eq!(decompress(gzip(&gzip(b"x")), "gzip, gzip", 100).unwrap(), b"x");
        assert_eq!(decompress(zstd::bulk::compress(b"x", 1).unwrap(), "zstd", 100).unwrap(), b"x");
        let message = |body: &[u8], encoding: &str| decompress(body.to_vec(), encoding, 100).unwrap_err().to_string();
        assert!(message(b"plain", "gzip").starts_with("the body is not gzip"));
        assert!(message(b"plain", "zstd").starts_with("the body is not zstd"));
        assert!(message(b"plain", "rot13").contains("'rot13' is not understood"));
    }

    #[test]
    fn a_secret_is_not_kept() {
        assert_eq!(redact(b"{\"routing_key\":\"flt_abcdefgh\"}", "flt_abcdefgh"), b"{\"routing_key\":\"[secret]\"}");
        assert_eq!(redact(b"abc", ""), b"abc");
    }

    proptest! {
        #[test]
        fn what_is_stored_comes_back(body in prop::collection::vec(any::<u8>(), 0..3_000), most in 1_usize..3_000) {
            let stored = store(&body, most);
            prop_assert_eq!(stored.truncated, body.len() > most);
            prop_assert_eq!(&restore(stored.encoding, stored.bytes).unwrap()[..], &body[..body.len().min(most)]);
        }
    }
}
