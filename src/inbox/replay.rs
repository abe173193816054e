//! Telling a replayed signed delivery from a repeated one. A signature over the body alone stays valid for ever, so
//! who captured a delivery could send it again years later.

use axum::http::HeaderMap;
use chrono::TimeDelta;
use sha2::{Digest, Sha256};

use super::signature::Scheme;

/// A sender that got no answer repeats within this time; what comes later with the same signature is a replay.
pub const REPEATS_WITHIN: TimeDelta = TimeDelta::minutes(5);

/// Among a delivery's kept headers: stands for the signature under which it was accepted.
pub const MARK: &str = "x-faultline-signature-sha256";

/// Stands for the signature of a delivery whose bytes occur once: a hash, because who reads the inbox need not know
/// the signature. Grafana repeats a standing alert byte for byte unless it signs the time as well; a shared token is no
/// signature.
pub fn mark(scheme: Option<Scheme>, secrets: &[String], headers: &HeaderMap) -> Option<String> {
    let scheme = scheme.filter(|_| !secrets.is_empty())?;
    let is_unique = match scheme {
        Scheme::GitHub | Scheme::Sentry | Scheme::PagerDuty => true,
        Scheme::Grafana => scheme.time_header().is_some_and(|h| headers.contains_key(h)),
        Scheme::GitLab | Scheme::Honeycomb => false,
    };
    let signature = headers.get(scheme.header())?.as_bytes();
    (is_unique && !signature.is_empty()).then(|| hex::encode(Sha256::digest(signature)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signatures_that_occur_once_are_remembered() {
        let mut headers = HeaderMap::new();
        headers.insert("x-hub-signature-256", "sha256=00".parse().unwrap());
        headers.insert("x-gitlab-token", "t".parse().unwrap());
        headers.insert("x-grafana-alerting-signature", "00".parse().unwrap());
        let secrets = ["s".to_owned()];
        assert_eq!(mark(Some(Scheme::GitHub), &secrets, &headers).map(|m| m.len()), Some(64));
        assert_eq!(mark(Some(Scheme::GitHub), &[], &headers), None);
        assert_eq!(mark(Some(Scheme::GitLab), &secrets, &headers), None);
        assert_eq!(mark(Some(Scheme::Grafana), &secrets, &headers), None);
        headers.insert("x-grafana-alerting-timestamp", "1".parse().unwrap());
        assert!(mark(Some(Scheme::Grafana), &secrets, &headers).is_some());
        assert_eq!(mark(Some(Scheme::Sentry), &secrets, &headers), None);
    }
}
