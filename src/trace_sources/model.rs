//! What a trace source is, what a person may set of it, and what a fetch goes through. Pure.

mod fetch;
mod input;

pub use fetch::{Fetch, FetchState, Said, Wanted, key_text, next_pause};
pub use input::{NewSource, SourceInput};

use serde::Serialize;
use url::Url;

use crate::clock::Timestamp;
use crate::fields::text_enum;
use crate::telemetry::lookup::{Backend, Pasted};

text_enum! {
    /// A system that keeps traces.
    pub enum SourceKind("kind of trace source") {
        Jaeger = "jaeger",
        Zipkin = "zipkin",
        Tempo = "tempo",
        Elastic = "elastic",
        Datadog = "datadog",
        NewRelic = "newrelic",
        Honeycomb = "honeycomb",
        Sentry = "sentry",
    }
}

impl SourceKind {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Jaeger => "Jaeger",
            Self::Zipkin => "Zipkin",
            Self::Tempo => "Grafana Tempo",
            Self::Elastic => "Elasticsearch (APM and logs)",
            Self::Datadog => "Datadog",
            Self::NewRelic => "New Relic",
            Self::Honeycomb => "Honeycomb",
            Self::Sentry => "Sentry",
        }
    }

    /// Where the API of a hosted system answers; empty for those that everybody runs themselves.
    pub const fn usual_url(self) -> &'static str {
        match self {
            Self::Jaeger | Self::Zipkin | Self::Tempo | Self::Elastic => "",
            Self::Datadog => "https://api.datadoghq.com",
            Self::NewRelic => "https://api.newrelic.com",
            Self::Honeycomb => "https://api.honeycomb.io",
            Self::Sentry => "https://sentry.io",
        }
    }

    pub const fn url_hint(self) -> &'static str {
        match self {
            Self::Jaeger => "Of the query service: http://jaeger:16686. api/v3 is asked first, then /api/traces.",
            Self::Zipkin => "http://zipkin:9411",
            Self::Tempo => "Of the query frontend: http://tempo:3200",
            Self::Elastic => "Of Elasticsearch, not of Kibana: https://elastic.example.com:9200",
            Self::Datadog => "The API of your site: https://api.datadoghq.com, https://api.datadoghq.eu, …",
            Self::NewRelic => "https://api.newrelic.com, or https://api.eu.newrelic.com",
            Self::Honeycomb => "https://api.honeycomb.io; only its page is linked: its API gives no spans.",
            Self::Sentry => "https://sentry.io, or your own installation",
        }
    }

    /// What the scope means for this kind: label, hint, whether it must be there.
    pub const fn scope(self) -> Option<(&'static str, &'static str, bool)> {
        match self {
            Self::Jaeger | Self::Zipkin | Self::Datadog => None,
            Self::Tempo => Some(("Tenant", "Sent as X-Scope-OrgID; empty for a single tenant.", false)),
            Self::Elastic => Some(("Indices", "Empty for traces-*,apm-*,logs-*,filebeat-*", false)),
            Self::NewRelic => Some(("Account id", "A number.", true)),
            Self::Honeycomb => {
                Some(("Team and environment", "As in the address of a page: my-team/environments/production", true))
            }
            Self::Sentry => Some(("Organisation", "Its slug.", true)),
        }
    }

    /// Labels of the credentials: user name, secret, second secret; `None` for what the kind has not.
    pub const fn credentials(self) -> (Option<&'static str>, &'static str, Option<&'static str>) {
        match self {
            Self::Jaeger | Self::Zipkin | Self::Tempo => (Some("User name"), "Password, or a bearer token", None),
            Self::Elastic => (Some("User name"), "Password, or an API key (encoded)", None),
            Self::Datadog => (None, "API key", Some("Application key")),
            Self::NewRelic => (None, "User key", None),
            Self::Honeycomb => (None, "API key, only for the test", None),
            Self::Sentry => (None, "Auth token (org:read)", None),
        }
    }

    const fn backend(self) -> Backend {
        match self {
            Self::Jaeger => Backend::Jaeger,
            Self::Zipkin => Backend::Zipkin,
            Self::Tempo => Backend::Tempo,
            Self::Elastic => Backend::Elastic,
            Self::Datadog => Backend::Datadog,
            Self::NewRelic => Backend::NewRelic,
            Self::Honeycomb => Backend::Honeycomb,
            Self::Sentry => Backend::Sentry,
        }
    }
}

/// A configured source with its credentials. `Debug` and `Serialize` show none of them.
#[derive(Clone, Serialize)]
pub struct TraceSource {
    pub id: i64,
    pub name: String,
    pub kind: SourceKind,
    pub base_url: String,
    pub page_url: String,
    pub scope: String,
    pub username: String,
    #[serde(skip)]
    pub secret: String,
    #[serde(skip)]
    pub secret_extra: String,
    pub enabled: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub answered_at: Option<Timestamp>,
    pub failed_at: Option<Timestamp>,
    /// Why it failed last; empty when it never did.
    pub failure: String,
}

impl std::fmt::Debug for TraceSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceSource").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Hosts and ports of two addresses agree.
fn same_host(a: &Url, b: &str) -> bool {
    Url::parse(b).is_ok_and(|b| a.host() == b.host() && a.port_or_known_default() == b.port_or_known_default())
}

impl TraceSource {
    pub const fn has_secret(&self) -> bool {
        !self.secret.is_empty()
    }

    /// The last that was heard of it was a failure.
    pub fn is_failing(&self) -> bool {
        self.failed_at.is_some_and(|failed| self.answered_at.is_none_or(|answered| answered < failed))
    }

    /// Whether a pasted page belongs to this source.
    fn owns(&self, page: &Url) -> bool {
        same_host(page, &self.base_url) || (!self.page_url.is_empty() && same_host(page, &self.page_url))
    }

    /// Where a person sees the trace at the source; `None` when no stable address is known.
    pub fn page_of(&self, id: &str) -> Option<String> {
        let page = |default: &str| if self.page_url.is_empty() { default.to_owned() } else { self.page_url.clone() };
        let base = page(&self.base_url);
        Some(match self.kind {
            SourceKind::Jaeger => format!("{base}/trace/{id}"),
            SourceKind::Zipkin => format!("{base}/zipkin/traces/{id}"),
            SourceKind::Elastic if !self.page_url.is_empty() => format!("{base}/app/apm/link-to/trace/{id}"),
            SourceKind::Datadog => {
                format!("{}/apm/trace/{id}", page(&self.base_url.replacen("://api.", "://app.", 1)))
            }
            SourceKind::Honeycomb => {
                format!("{}/{}/trace?trace_id={id}", page("https://ui.honeycomb.io"), self.scope)
            }
            SourceKind::Sentry => format!("{base}/organizations/{}/traces/trace/{id}/", self.scope),
            SourceKind::Tempo | SourceKind::Elastic | SourceKind::NewRelic => return None,
        })
    }
}

/// Those of `sources` that may know what was pasted: the one whose page it is, else those of the same
/// system, else all.
pub fn candidates(sources: &[TraceSource], pasted: &Pasted) -> Vec<TraceSource> {
    let enabled = || sources.iter().filter(|s| s.enabled);
    let pick = |wanted: &dyn Fn(&TraceSource) -> bool| enabled().filter(|s| wanted(s)).cloned().collect::<Vec<_>>();
    if let Some(page) = &pasted.page {
        let owners = pick(&|s| s.owns(&page.url));
        if !owners.is_empty() {
            return owners;
        }
        let alike = pick(&|s| Some(s.kind.backend()) == page.backend);
        if !alike.is_empty() {
            return alike;
        }
    }
    pick(&|_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn source(id: i64, kind: SourceKind, base_url: &str, page_url: &str) -> TraceSource {
        TraceSource {
            id,
            name: format!("s{id}"),
            kind,
            base_url: base_url.into(),
            page_url: page_url.into(),
            scope: "acme".into(),
            username: String::new(),
            secret: "hunter2".into(),
            secret_extra: String::new(),
            enabled: true,
            created_at: Timestamp::from_secs(0),
            updated_at: Timestamp::from_secs(0),
            answered_at: None,
            failed_at: None,
            failure: String::new(),
        }
    }

    const ID: &str = "5b8efff798038103d269b633813fc60c";

    #[test]
    fn a_page_leads_to_its_own_source() {
        let sources = [
            source(1, SourceKind::Jaeger, "http://jaeger-a:16686", ""),
            source(2, SourceKind::Jaeger, "http://jaeger-b:16686", "https://traces.example.com"),
            source(3, SourceKind::Datadog, "https://api.datadoghq.com", ""),
        ];
        let ids = |text: &str| {
            let pasted = Pasted::parse(text).expect("names a trace");
            candidates(&sources, &pasted).iter().map(|s| s.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(&format!("http://jaeger-a:16686/trace/{ID}")), [1]);
        assert_eq!(ids(&format!("https://traces.example.com/trace/{ID}")), [2]);
        assert_eq!(ids(&format!("https://app.datadoghq.com/apm/trace/{ID}")), [3], "by the system");
        assert_eq!(ids(&format!("http://elsewhere/trace/{ID}")), [1, 2]);
        assert_eq!(ids(ID), [1, 2, 3]);
    }
}
