//! Files that people upload: what they are is told by their bytes, never by their name or by what the
//! sender claims.

use super::EvidenceKind;
use super::evidence::sniff_image;

/// Largest file that is kept, in bytes.
pub const MAX_FILE: usize = 10 * 1024 * 1024;

/// Longest kept name, in characters.
const MAX_NAME: usize = 120;

/// A file as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upload {
    pub name: String,
    /// The media type that the sender claims; only for refusing what is not what it says.
    pub claimed: String,
    pub bytes: Vec<u8>,
}

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspected {
    pub kind: EvidenceKind,
    pub media_type: &'static str,
}

impl Upload {
    /// Keeps of the name what every file system and header can bear; pasted images have none.
    pub fn new(name: &str, claimed: &str, bytes: Vec<u8>) -> Self {
        let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let clean: String = last
            .chars()
            .map(|c| if c.is_control() || "\"<>|:*?".contains(c) { '_' } else { c })
            .take(MAX_NAME)
            .collect();
        let name = match clean.trim().trim_start_matches('.') {
            "" => "pasted file".to_owned(),
            name => name.to_owned(),
        };
        Self { name, claimed: claimed.to_owned(), bytes }
    }

    /// # Errors
    /// Why it is not kept, for the person who sent it.
    pub fn inspect(&self) -> Result<Inspected, String> {
        let bytes = self.bytes.as_slice();
        if bytes.is_empty() {
            return Err("is empty".to_owned());
        }
        if bytes.len() > MAX_FILE {
            let (size, most) = (bytes.len() / 1_000, MAX_FILE / 1_000);
            return Err(format!("has {size} kB; at most {most} kB are kept"));
        }
        if let Some(media_type) = sniff_image(bytes) {
            return Ok(Inspected { kind: EvidenceKind::Image, media_type });
        }
        if self.claims_to_be_an_image() {
            return Err("says that it is an image, but its content is no PNG, JPEG, GIF or WebP".to_owned());
        }
        if is_program(bytes) {
            return Err("is a program; those are not kept".to_owned());
        }
        Ok(Inspected { kind: EvidenceKind::File, media_type: self.media_type() })
    }

    fn claims_to_be_an_image(&self) -> bool {
        let extension = self.name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
        self.claimed.trim().to_ascii_lowercase().starts_with("image/")
            || ["png", "jpg", "jpeg", "gif", "webp", "svg", "bmp", "ico"].contains(&extension.as_str())
    }

    fn media_type(&self) -> &'static str {
        match self.bytes.as_slice() {
            [b'%', b'P', b'D', b'F', b'-', ..] => "application/pdf",
            [b'P', b'K', 3, 4, ..] => "application/zip",
            [0x1f, 0x8b, ..] => "application/gzip",
            bytes => match std::str::from_utf8(bytes) {
                Ok(text) if !text.contains('\0') => text_type(text),
                _ => "application/octet-stream",
            },
        }
    }
}

fn text_type(text: &str) -> &'static str {
    let is_json =
        text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if is_json { "application/json" } else { "text/plain; charset=utf-8" }
}

/// Windows, Linux and macOS programs, by their first bytes.
fn is_program(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [b'M', b'Z', ..]
            | [0x7f, b'E', b'L', b'F', ..]
            | [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..]
            | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

    #[test]
    fn content_decides_and_claims_do_not() {
        let of = |name: &str, claimed: &str, bytes: &[u8]| Upload::new(name, claimed, bytes.to_vec()).inspect();
        assert_eq!(
            of("notes.txt", "text/plain", PNG),
            Ok(Inspected { kind: EvidenceKind::Image, media_type: "image/png" })
        );
        for (name, claimed, bytes) in [
            ("x.png", "", &b"<script>alert(1)</script>"[..]),
            ("x.svg", "", b"<svg onload='alert(1)'/>"),
            ("x", "image/svg+xml", b"<svg/>"),
            ("x.exe", "", b"MZ\x90\0"),
            ("x", "", b"\x7fELF\x02"),
            ("x", "", b""),
        ] {
            assert!(of(name, claimed, bytes).is_err(), "{name} {claimed}");
        }
        let media_type = |bytes: &[u8]| of("x", "", bytes).unwrap().media_type;
        assert_eq!(media_type(b"<script>alert(1)</script>"), "text/plain; charset=utf-8");
        assert_eq!(media_type(br#"{"log":{"version":"1.2"}}"#), "application/json");
        assert_eq!(media_type(b"{broken"), "text/plain; charset=utf-8");
        assert_eq!(media_type(b"a\0b"), "application/octet-stream");
        assert_eq!(media_type(b"%PDF-1.7"), "application/pdf");
    }

    #[test]
    fn a_name_is_the_last_part_of_a_path_without_what_breaks_a_header() {
        assert_eq!(Upload::new("../../etc/pass\r\nwd", "", vec![]).name, "pass__wd");
        assert_eq!(Upload::new("C:\\x\\a\"b.log", "", vec![]).name, "a_b.log");
        assert_eq!(Upload::new(" ..", "", vec![]).name, "pasted file");
    }

    proptest! {
        #[test]
        fn any_bytes_are_told_without_panic(name in ".{0,40}", bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let upload = Upload::new(&name, "", bytes);
            prop_assert!(!upload.name.is_empty() && !upload.name.contains('/'));
            let _ = upload.inspect();
        }
    }
}
