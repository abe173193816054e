//! Evidence: what is kept whole with an incident after its source forgot it.

use crate::fields::text_enum;

text_enum! {
    pub enum EvidenceKind("kind of evidence") {
        Trace = "trace",
        Deployment = "deployment",
        Alert = "alert",
        Log = "log",
        Link = "link",
        Image = "image",
        File = "file",
    }
}

impl EvidenceKind {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Trace => "Trace",
            Self::Deployment => "Deployment",
            Self::Alert => "Alert",
            Self::Log => "Log excerpt",
            Self::Link => "Link",
            Self::Image => "Image",
            Self::File => "File",
        }
    }
}

/// Images that a browser shows, told by their first bytes and never by what the sender claims.
/// SVG is not among them: it can carry scripts.
pub fn sniff_image(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// The address when it is a plain `http` or `https` one with a host: all that a page may link to.
pub fn safe_link(text: &str) -> Option<String> {
    let url = url::Url::parse(text.trim()).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then(|| url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_told_by_their_bytes() {
        assert_eq!(sniff_image(b"\x89PNG\r\n\x1a\nrest"), Some("image/png"));
        assert_eq!(sniff_image(b"RIFF\x10\0\0\0WEBPVP8 "), Some("image/webp"));
        for not_an_image in [&b"<svg xmlns='x' onload='y'/>"[..], b"<!doctype html>", b"", b"\x89PNG"] {
            assert_eq!(sniff_image(not_an_image), None);
        }
    }

    #[test]
    fn only_web_links_are_links() {
        assert!(safe_link("https://grafana.example/d/1?x=1").is_some());
        for bad in
            ["javascript:alert(1)", "data:text/html,x", "//host/x", "mailto:a@b", "file:///etc/passwd", "", "https://"]
        {
            assert_eq!(safe_link(bad), None, "{bad}");
        }
    }
}
