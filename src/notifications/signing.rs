//! Standard Webhooks signatures for outgoing webhooks (<https://www.standardwebhooks.com>, v1 symmetric):
//! `webhook-signature: v1,<base64 HMAC-SHA256 of "{id}.{timestamp}.{body}">`, keyed with the base64 that
//! follows `whsec_` in the secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const PREFIX: &str = "whsec_";

/// A new secret from 32 random bytes.
pub fn secret_from(random: [u8; 32]) -> String {
    format!("{PREFIX}{}", STANDARD.encode(random))
}

/// The bytes of a secret, or `None` when it is not written as the standard says or is too short (24
/// bytes at least).
fn key(secret: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(secret.trim().strip_prefix(PREFIX)?).ok()?;
    (bytes.len() >= 24).then_some(bytes)
}

/// The value of `webhook-signature`. `None` when the secret cannot be used.
pub fn sign(secret: &str, id: &str, timestamp_s: i64, body: &[u8]) -> Option<String> {
    Some(format!("v1,{}", STANDARD.encode(mac(secret, id, timestamp_s, body)?.finalize().into_bytes())))
}

/// Whether one of the space-separated signatures in the header is right; for tests and for senders that
/// sign the same way.
pub fn verify(secret: &str, id: &str, timestamp_s: i64, body: &[u8], header: &str) -> bool {
    header.split_whitespace().filter_map(|s| s.strip_prefix("v1,")).any(|claimed| {
        let Ok(claimed) = STANDARD.decode(claimed) else { return false };
        mac(secret, id, timestamp_s, body).is_some_and(|m| m.verify_slice(&claimed).is_ok())
    })
}

fn mac(secret: &str, id: &str, timestamp_s: i64, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key(secret)?).ok()?;
    mac.update(format!("{id}.{timestamp_s}.").as_bytes());
    mac.update(body);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks reference libraries.
    #[test]
    fn the_standards_own_example_is_signed_the_same() {
        let signature = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn any_change_breaks_the_signature() {
        let secret = secret_from([7; 32]);
        let good = sign(&secret, "m1", 1000, b"body").expect("a usable secret");
        let both = format!("v1,AAAA {good}");
        assert!(verify(&secret, "m1", 1000, b"body", &both));
        assert!(!verify(&secret, "m2", 1000, b"body", &good));
        assert!(!verify(&secret, "m1", 1001, b"body", &good));
        assert!(!verify(&secret, "m1", 1000, b"Body", &good));
        assert!(!verify(&secret_from([8; 32]), "m1", 1000, b"body", &good));
        assert_eq!(sign("whsec_c2hvcnQ=", "m1", 1000, b"body"), None);
        assert_eq!(sign("no prefix", "m1", 1000, b"body"), None);
    }
}
