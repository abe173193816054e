//! Signatures of deliveries: HMAC-SHA256 over the raw body, compared in constant time, each tried
//! with several secrets so that one can be exchanged without losing a delivery.
//!
//! Pure functions over bytes; which scheme a source uses is the caller's knowledge.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::clock::Timestamp;

/// A signed time older (or newer) than this is a replay.
pub const FRESHNESS_SECS: i64 = 5 * 60;

/// How a source signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `X-Hub-Signature-256: sha256=<hex>`.
    GitHub,
    /// `Sentry-Hook-Signature: <hex>`; the time is in `Sentry-Hook-Timestamp` and is not signed.
    Sentry,
    /// `X-Grafana-Alerting-Signature: <hex>`, over `<unix seconds>:<body>` when a time is sent.
    Grafana,
    /// `X-PagerDuty-Signature: v1=<hex>,v1=<hex>`, one for each secret in use over there.
    PagerDuty,
    /// `X-Gitlab-Token`: the secret itself.
    GitLab,
    /// `X-Honeycomb-Webhook-Token`: the secret itself.
    Honeycomb,
}

impl Scheme {
    /// The header that carries the signature.
    pub const fn header(self) -> &'static str {
        match self {
            Self::GitHub => "x-hub-signature-256",
            Self::Sentry => "sentry-hook-signature",
            Self::Grafana => "x-grafana-alerting-signature",
            Self::PagerDuty => "x-pagerduty-signature",
            Self::GitLab => "x-gitlab-token",
            Self::Honeycomb => "x-honeycomb-webhook-token",
        }
    }

    /// The header that carries the time of signing, where there is one.
    pub const fn time_header(self) -> Option<&'static str> {
        match self {
            Self::Grafana => Some("x-grafana-alerting-timestamp"),
            Self::Sentry => Some("sentry-hook-timestamp"),
            Self::GitHub | Self::PagerDuty | Self::GitLab | Self::Honeycomb => None,
        }
    }
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the signature header is missing")]
    Missing,
    #[error("the signature header cannot be read")]
    Malformed,
    #[error("the signature does not match the body with any of the secrets")]
    Mismatch,
    #[error("the delivery was signed more than five minutes ago, or in the future")]
    Stale,
}

/// Checks a signature. `signature` and `signed_at` are the values of the scheme's headers.
///
/// # Errors
/// [`Refusal`], when the delivery must not be trusted.
pub fn verify(
    scheme: Scheme,
    secrets: &[String],
    body: &[u8],
    signature: Option<&str>,
    signed_at: Option<&str>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let signature = signature.map(str::trim).filter(|s| !s.is_empty()).ok_or(Refusal::Missing)?;
    let prefix = match (scheme, signed_at) {
        (Scheme::Grafana, Some(at)) => format!("{}:", at.trim()),
        _ => String::new(),
    };
    let given: Vec<Vec<u8>> = match scheme {
        Scheme::GitLab | Scheme::Honeycomb => return plain(secrets, signature),
        Scheme::GitHub => vec![bytes(signature.strip_prefix("sha256=").ok_or(Refusal::Malformed)?)?],
        Scheme::Sentry | Scheme::Grafana => vec![bytes(signature)?],
        Scheme::PagerDuty => {
            let parts = signature.split(',').filter_map(|p| p.trim().strip_prefix("v1="));
            parts.map(bytes).collect::<Result<_, _>>()?
        }
    };
    if given.is_empty() {
        return Err(Refusal::Malformed);
    }
    let matches = secrets.iter().filter(|s| !s.is_empty()).any(|secret| {
        let expected = hmac_sha256(secret.as_bytes(), &[prefix.as_bytes(), body]);
        given.iter().any(|g| bool::from(g.as_slice().ct_eq(&expected)))
    });
    if !matches {
        return Err(Refusal::Mismatch);
    }
    fresh(signed_at, now)
}

fn plain(secrets: &[String], given: &str) -> Result<(), Refusal> {
    let matches = secrets.iter().filter(|s| !s.is_empty()).any(|s| bool::from(s.as_bytes().ct_eq(given.as_bytes())));
    if matches { Ok(()) } else { Err(Refusal::Mismatch) }
}

fn bytes(text: &str) -> Result<Vec<u8>, Refusal> {
    hex::decode(text.trim()).map_err(|_| Refusal::Malformed)
}

/// A time may be absent; one that is there must be near.
fn fresh(signed_at: Option<&str>, now: Timestamp) -> Result<(), Refusal> {
    let Some(text) = signed_at.map(str::trim) else { return Ok(()) };
    let at = match text.parse::<i64>() {
        Ok(secs) => Timestamp::from_secs(secs),
        Err(_) => Timestamp::parse(text).ok_or(Refusal::Malformed)?,
    };
    if (now - at).num_seconds().abs() > FRESHNESS_SECS { Err(Refusal::Stale) } else { Ok(()) }
}

/// HMAC-SHA256 over the parts, one after the other.
pub fn hmac_sha256(secret: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes a key of any length, so the constructor cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return [0; 32] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn check(scheme: Scheme, secrets: &[&str], body: &str, signature: &str, at: Option<&str>) -> Result<(), Refusal> {
        let secrets: Vec<String> = secrets.iter().map(|s| (*s).to_owned()).collect();
        verify(scheme, &secrets, body.as_bytes(), Some(signature), at, NOW)
    }

    /// GitHub's documented test vector.
    const VECTOR: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    const SECRET: &str = "It's a Secret to Everybody";

    #[test]
    fn githubs_documented_vector_is_accepted_with_any_of_several_secrets() {
        let signature = format!("sha256={VECTOR}");
        assert_eq!(check(Scheme::GitHub, &["old", SECRET], "Hello, World!", &signature, None), Ok(()));
        assert_eq!(check(Scheme::GitHub, &["old"], "Hello, World!", &signature, None), Err(Refusal::Mismatch));
        assert_eq!(check(Scheme::GitHub, &[SECRET], "Hello, World?", &signature, None), Err(Refusal::Mismatch));
        assert_eq!(check(Scheme::GitHub, &[SECRET], "Hello, World!", VECTOR, None), Err(Refusal::Malformed));
        assert_eq!(check(Scheme::GitHub, &[SECRET], "Hello, World!", "sha256=zz", None), Err(Refusal::Malformed));
        assert_eq!(check(Scheme::GitHub, &[""], "Hello, World!", &signature, None), Err(Refusal::Mismatch));
    }

    #[test]
    fn sentry_and_pagerduty_carry_the_same_digest_in_their_own_dress() {
        assert_eq!(check(Scheme::Sentry, &[SECRET], "Hello, World!", VECTOR, None), Ok(()));
        let two = format!("v1={},v1={VECTOR}", "00".repeat(32));
        assert_eq!(check(Scheme::PagerDuty, &[SECRET], "Hello, World!", &two, None), Ok(()));
        assert_eq!(check(Scheme::PagerDuty, &[SECRET], "Hello, World!", "v2=00", None), Err(Refusal::Malformed));
    }

    #[test]
    fn grafana_signs_the_time_with_the_body_and_an_old_delivery_is_refused() {
        let sign = |at: &str| hex::encode(hmac_sha256(b"s", &[at.as_bytes(), b":", b"{}"]));
        assert_eq!(check(Scheme::Grafana, &["s"], "{}", &sign("1699999990"), Some("1699999990")), Ok(()));
        assert_eq!(check(Scheme::Grafana, &["s"], "{}", &sign("1699990000"), Some("1699990000")), Err(Refusal::Stale));
        assert_eq!(
            check(Scheme::Grafana, &["s"], "{}", &sign("1699990000"), Some("1699999990")),
            Err(Refusal::Mismatch)
        );
        let untimed = hex::encode(hmac_sha256(b"s", &[b"{}"]));
        assert_eq!(check(Scheme::Grafana, &["s"], "{}", &untimed, None), Ok(()));
    }

    #[test]
    fn a_shared_token_is_compared_whole() {
        assert_eq!(check(Scheme::GitLab, &["token"], "", "token", None), Ok(()));
        assert_eq!(check(Scheme::Honeycomb, &["token"], "", "tok", None), Err(Refusal::Mismatch));
        assert_eq!(verify(Scheme::GitLab, &["t".to_owned()], b"", None, None, NOW), Err(Refusal::Missing));
    }
}
