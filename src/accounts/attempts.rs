//! How often somebody may try to sign in: for each account, so that nobody guesses its password, and for
//! each place that requests come from, so that nobody tries one password on every account. argon2 makes
//! each attempt dear for us, too.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::LazyLock;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::error::{Error, Result};

/// Evaluated by the compiler: a zero here would not build.
const OF_ACCOUNT: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// An office behind one address signs in at nine o'clock. Evaluated by the compiler, too.
const OF_PLACE: NonZeroU32 = NonZeroU32::new(60).unwrap();

/// Of this process; both in attempts a minute.
static ATTEMPTS: LazyLock<Attempts> = LazyLock::new(Attempts::default);

struct Attempts {
    by_account: DefaultKeyedRateLimiter<String>,
    by_place: DefaultKeyedRateLimiter<IpAddr>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            by_account: DefaultKeyedRateLimiter::keyed(Quota::per_minute(OF_ACCOUNT)),
            by_place: DefaultKeyedRateLimiter::keyed(Quota::per_minute(OF_PLACE)),
        }
    }
}

impl Attempts {
    fn admit(&self, account: &str, place: Place) -> Result<()> {
        if self.by_account.len() + self.by_place.len() > 10_000 {
            self.by_account.retain_recent();
            self.by_place.retain_recent();
        }
        let limited = || Error::RateLimited { retry_after_s: 60 };
        if let Some(address) = place.0 {
            self.by_place.check_key(&address).map_err(|_| limited())?;
        }
        let account = account.trim().to_lowercase().chars().take(254).collect();
        self.by_account.check_key(&account).map_err(|_| limited())
    }
}

/// Lets an attempt on an account pass.
///
/// # Errors
/// [`Error::RateLimited`] after too many within a minute, on this account or from this place.
pub(super) fn admit(account: &str, place: Place) -> Result<()> {
    ATTEMPTS.admit(account, place)
}

/// Where a request comes from, if the server said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(Option<IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Place {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        Ok(Self(peer.map(|peer| behind(peer, &parts.headers))))
    }
}

/// Whoever speaks to us from this machine or a private network may be a proxy: then the last address of
/// `X-Forwarded-For` counts, which is the one that the proxy itself added. From elsewhere the header is
/// only what a stranger claims.
fn behind(peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let is_near = match peer {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
    };
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back().and_then(|v| v.to_str().ok());
    let last = forwarded.and_then(|list| list.rsplit(',').next()).and_then(|a| a.trim().parse().ok());
    last.filter(|_| is_near).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> Place {
        Place(address.parse().ok())
    }

    #[test]
    fn an_account_is_tried_ten_times_a_minute_from_wherever() {
        let attempts = Attempts::default();
        for n in 0..10 {
            attempts.admit("Ada@Example.org ", from(&format!("192.0.2.{n}"))).expect("among the first ten");
        }
        assert!(matches!(attempts.admit("ada@example.org", from("192.0.2.99")), Err(Error::RateLimited { .. })));
        attempts.admit("bo@example.org", from("192.0.2.1")).expect("another account");
    }

    #[test]
    fn one_place_tries_sixty_accounts_a_minute_and_harms_no_other() {
        let attempts = Attempts::default();
        for n in 0..60 {
            attempts.admit(&format!("{n}@example.org"), from("192.0.2.1")).expect("among the first sixty");
        }
        assert!(attempts.admit("60@example.org", from("192.0.2.1")).is_err());
        attempts.admit("60@example.org", from("2001:db8::1")).expect("another place");
        attempts.admit("61@example.org", Place(None)).expect("a place that nobody knows");
    }

    #[test]
    fn only_a_proxy_nearby_says_whom_it_speaks_for() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "198.51.100.7".parse().expect("a value"));
        headers.append("x-forwarded-for", "203.0.113.9, 198.51.100.8".parse().expect("a value"));
        let seen = |peer: &str| behind(peer.parse().expect("an address"), &headers).to_string();
        assert_eq!(seen("127.0.0.1"), "198.51.100.8");
        assert_eq!(seen("10.1.2.3"), "198.51.100.8");
        assert_eq!(seen("192.0.2.1"), "192.0.2.1");
        headers.insert("x-forwarded-for", "nonsense".parse().expect("a value"));
        assert_eq!(behind("10.1.2.3".parse().expect("an address"), &headers).to_string(), "10.1.2.3");
    }
}
