//! Request bodies: decompression under a limit.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::error::{Error, Result};

/// Largest body after decompression, as the OTLP specification recommends.
pub const MAX_BODY: usize = 64 * 1024 * 1024;

/// The bytes that a `Content-Encoding` stands for. The limit holds for what comes out, so a bomb of a
/// few kilobytes stops there. Errors: 400 for truncated or foreign bytes and for an unknown encoding,
/// 413 beyond the limit.
pub fn decompress<'a>(encoding: Option<&str>, body: &'a [u8], limit: usize) -> Result<Cow<'a, [u8]>> {
    let encoding = encoding.map(str::trim).unwrap_or_default().to_ascii_lowercase();
    match encoding.as_str() {
        "" | "identity" if body.len() > limit => Err(Error::TooLarge { limit }),
        "" | "identity" => Ok(Cow::Borrowed(body)),
        "gzip" | "x-gzip" => read_limited(MultiGzDecoder::new(body), "gzip", body.len(), limit),
        // RFC 9110 means zlib by "deflate"; some senders mean the bare stream.
        "deflate" if looks_like_zlib(body) => read_limited(ZlibDecoder::new(body), "deflate", body.len(), limit),
        "deflate" => read_limited(DeflateDecoder::new(body), "deflate", body.len(), limit),
        "zstd" => {
            let decoder =
                zstd::stream::read::Decoder::new(body).map_err(|e| Error::BadRequest(format!("not zstd: {e}")))?;
            read_limited(decoder, "zstd", body.len(), limit)
        }
        other => Err(Error::BadRequest(format!("content encoding '{other}' is not supported; use gzip"))),
    }
}

fn looks_like_zlib(body: &[u8]) -> bool {
    matches!(body, [cmf, flg, ..] if cmf & 0x0f == 8 && (u16::from(*cmf) * 256 + u16::from(*flg)).is_multiple_of(31))
}

fn read_limited(reader: impl Read, name: &str, compressed: usize, limit: usize) -> Result<Cow<'static, [u8]>> {
    let mut out = Vec::with_capacity(compressed.saturating_mul(4).min(limit));
    // One byte more than allowed tells "too large" from "just fits".
    reader
        .take(limit as u64 + 1)
        .read_to_end(&mut out)
        .map_err(|e| Error::BadRequest(format!("the {name} body cannot be decompressed: {e}")))?;
    if out.len() > limit { Err(Error::TooLarge { limit }) } else { Ok(Cow::Owned(out)) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn every_encoding_comes_back() {
        let data = b"spans spans spans".as_slice();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(data).expect("memory");
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(data).expect("memory");
        let bodies = [
            (None, data.to_vec()),
            (Some("identity"), data.to_vec()),
            (Some(" GZIP"), gzip(data)),
            (Some("deflate"), zlib.finish().expect("memory")),
            (Some("deflate"), raw.finish().expect("memory")),
            (Some("zstd"), zstd::encode_all(data, 1).expect("memory")),
        ];
        for (encoding, body) in bodies {
            assert_eq!(decompress(encoding, &body, 100).expect("fits").as_ref(), data, "{encoding:?}");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = gzip(&vec![0; 5_000_000]);
        assert!(bomb.len() < 10_000);
        assert!(matches!(decompress(Some("gzip"), &bomb, 1_000_000), Err(Error::TooLarge { limit: 1_000_000 })));
        assert!(decompress(Some("gzip"), &bomb, 5_000_000).is_ok(), "exactly the limit is allowed");
        assert!(matches!(decompress(None, &[0; 11], 10), Err(Error::TooLarge { limit: 10 })));
    }

    #[test]
    fn truncated_and_foreign_bodies_are_bad_requests() {
        let whole = gzip(b"hello hello hello");
        for cut in 1..whole.len() {
            assert!(matches!(decompress(Some("gzip"), &whole[..cut], 100), Err(Error::BadRequest(_))), "cut at {cut}");
        }
        assert!(matches!(decompress(Some("gzip"), b"plain", 100), Err(Error::BadRequest(_))));
        assert!(matches!(decompress(Some("br"), b"", 100), Err(Error::BadRequest(_))));
    }
}
