//! Who sent a delivery: checked over the raw body, in constant time, before anything is parsed.
//! Several secrets may be valid at once, so that a secret can be changed without losing deliveries.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// GitHub's `X-Hub-Signature-256: sha256=<hex HMAC-SHA256 of the raw body>`.
pub fn github(secrets: &[String], header: Option<&str>, body: &[u8]) -> bool {
    let Some(claimed) = header.and_then(|h| h.trim().strip_prefix("sha256=")).and_then(|h| hex::decode(h).ok()) else {
        return false;
    };
    secrets.iter().any(|secret| hmac_sha256(secret, body).is_some_and(|mac| mac.verify_slice(&claimed).is_ok()))
}

/// GitLab's `X-Gitlab-Token`: the secret itself.
pub fn plain_token(secrets: &[String], header: Option<&str>) -> bool {
    header.is_some_and(|h| secrets.iter().any(|s| bool::from(s.as_bytes().ct_eq(h.as_bytes()))))
}

fn hmac_sha256(secret: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    // HMAC takes keys of any length; the Result is the trait's, not the algorithm's.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(body);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of GitHub's documentation.
    const SECRET: &str = "It's a Secret to Everybody";
    const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn githubs_own_vector_verifies_with_any_of_the_secrets() {
        let secrets = ["the old one".to_owned(), SECRET.to_owned()];
        assert!(github(&secrets, Some(SIGNATURE), b"Hello, World!"));
        assert!(!github(&secrets, Some(SIGNATURE), b"Hello, World?"));
        assert!(!github(&secrets[..1], Some(SIGNATURE), b"Hello, World!"));
    }

    #[test]
    fn missing_malformed_and_cut_signatures_are_refused() {
        let secrets = [SECRET.to_owned()];
        for header in
            [None, Some(""), Some("sha256="), Some("sha256=zz"), Some(&SIGNATURE[7..]), Some(&SIGNATURE[..40])]
        {
            assert!(!github(&secrets, header, b"Hello, World!"), "{header:?}");
        }
        assert!(!github(&[], Some(SIGNATURE), b"Hello, World!"));
    }

    #[test]
    fn a_plain_token_must_match_exactly() {
        let secrets = ["s3cret".to_owned()];
        assert!(plain_token(&secrets, Some("s3cret")));
        assert!(!plain_token(&secrets, Some("s3cre")));
        assert!(!plain_token(&secrets, None));
    }
}
