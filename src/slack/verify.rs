//! Slack's request signature, v0: `v0=<hex HMAC-SHA256 of "v0:{timestamp}:{body}">`. Pure.

use subtle::ConstantTimeEq;

use crate::clock::Timestamp;
use crate::inbox::signature::{FRESHNESS_SECS, hmac_sha256};

/// Why a request is not Slack's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the signature or its time is missing")]
    Missing,
    #[error("the request was signed more than five minutes ago, or in the future")]
    Stale,
    #[error("the signature does not match")]
    Mismatch,
}

/// What Slack would send in `x-slack-signature`; `timestamp` as in `x-slack-request-timestamp`.
pub fn signature(secret: &str, timestamp: &str, body: &[u8]) -> String {
    format!("v0={}", hex::encode(hmac_sha256(secret.as_bytes(), &[b"v0:", timestamp.as_bytes(), b":", body])))
}

/// # Errors
/// [`Refusal`], when the request must not be looked at.
pub fn verify(
    secret: &str,
    timestamp: Option<&str>,
    given: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Refusal> {
    let (Some(timestamp), Some(given)) = (timestamp, given) else { return Err(Refusal::Missing) };
    let signed_at: i64 = timestamp.parse().map_err(|_| Refusal::Missing)?;
    if (now - Timestamp::from_secs(signed_at)).num_seconds().abs() > FRESHNESS_SECS {
        return Err(Refusal::Stale);
    }
    let expected = signature(secret, timestamp, body);
    if bool::from(expected.as_bytes().ct_eq(given.trim().as_bytes())) { Ok(()) } else { Err(Refusal::Mismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Slack's documentation.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const AT: &str = "1531420618";
    const BODY: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    #[test]
    fn slacks_own_example_is_verified_and_nothing_else() {
        let at = Timestamp::from_secs(1_531_420_618);
        let check = |timestamp, given, body: &[u8], now| verify(SECRET, timestamp, given, body, now);
        assert_eq!(check(Some(AT), Some(SIGNATURE), BODY, at), Ok(()));
        assert_eq!(check(Some(AT), Some(SIGNATURE), BODY, at + chrono::TimeDelta::seconds(300)), Ok(()));
        assert_eq!(check(Some(AT), Some(SIGNATURE), BODY, at + chrono::TimeDelta::seconds(301)), Err(Refusal::Stale));
        assert_eq!(check(Some(AT), Some(SIGNATURE), BODY, at - chrono::TimeDelta::seconds(301)), Err(Refusal::Stale));
        assert_eq!(check(Some(AT), Some(SIGNATURE), b"text=declare", at), Err(Refusal::Mismatch));
        assert_eq!(check(Some("1531420619"), Some(SIGNATURE), BODY, at), Err(Refusal::Mismatch));
        assert_eq!(check(None, Some(SIGNATURE), BODY, at), Err(Refusal::Missing));
        assert_eq!(check(Some(AT), None, BODY, at), Err(Refusal::Missing));
        assert_eq!(check(Some("soon"), Some(SIGNATURE), BODY, at), Err(Refusal::Missing));
        assert_eq!(check(Some(AT), Some(""), BODY, at), Err(Refusal::Mismatch));
        let extreme = i64::MAX.to_string();
        assert_eq!(check(Some(extreme.as_str()), Some(SIGNATURE), BODY, at), Err(Refusal::Stale));
    }
}
