//! Finding a trace by whatever a person has at hand: an id in any notation, a context header, or the
//! address of a tracing system's page.
//!
//! One text may be read in two ways (sixteen decimal digits are also hexadecimal), so the answer is a
//! list of candidates, likeliest first.

use url::Url;

use super::ids::parse_hex;
use super::{SpanId, TraceId};

/// How a candidate is to be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceKey {
    Full(TraceId),
    /// Only the low half is known: 64-bit systems, Datadog's decimal ids.
    Low64(u64),
}

/// The tracing system whose page was pasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Faultline,
    Jaeger,
    Zipkin,
    Tempo,
    Elastic,
    Datadog,
    NewRelic,
    Honeycomb,
    Sentry,
}

/// What a pasted text says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pasted {
    /// Never empty; likeliest first.
    pub keys: Vec<TraceKey>,
    pub span: Option<SpanId>,
    /// Set when it was a page's address.
    pub page: Option<PageUrl>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageUrl {
    pub url: Url,
    pub backend: Option<Backend>,
}

impl TraceKey {
    /// 1 to 16 digits are a low half, more are a whole id.
    fn from_hex(text: &str) -> Option<Self> {
        let bits = parse_hex(text, 32).filter(|b| *b != 0)?;
        match u64::try_from(bits) {
            Ok(low) if text.len() <= 16 => Some(Self::Low64(low)),
            _ => TraceId::new(bits).map(Self::Full),
        }
    }

    fn from_decimal(text: &str) -> Option<Self> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        text.parse().ok().filter(|n| *n != 0).map(Self::Low64)
    }
}

impl Pasted {
    fn of(keys: Vec<TraceKey>) -> Option<Self> {
        if keys.is_empty() { None } else { Some(Self { keys, span: None, page: None }) }
    }

    /// Reads what was pasted; `None` when no trace can be seen in it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_matches(['"', '\'', '<', '>', '`']).trim();
        if text.is_empty() || text.len() > 8192 {
            return None;
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            return from_url(text);
        }
        if let Some((name, value)) = split_header(text) {
            return from_header(&name, value);
        }
        from_context(text).or_else(|| Self::of(from_id(text)))
    }
}

/// `name: value`, for the header names that carry a trace context.
fn split_header(text: &str) -> Option<(String, &str)> {
    const NAMES: [&str; 11] = [
        "traceparent",
        "b3",
        "x-b3-traceid",
        "uber-trace-id",
        "x-datadog-trace-id",
        "sentry-trace",
        "x-amzn-trace-id",
        "x-cloud-trace-context",
        "trace_id",
        "traceid",
        "trace.id",
    ];
    let (name, value) = text.split_once([':', '='])?;
    let name = name.trim().trim_matches('"').to_ascii_lowercase();
    NAMES.contains(&name.as_str()).then(|| (name, value.trim().trim_matches(['"', ',']).trim()))
}

fn from_header(name: &str, value: &str) -> Option<Pasted> {
    match name {
        // Datadog's propagation header is decimal and nothing else.
        "x-datadog-trace-id" => Pasted::of(TraceKey::from_decimal(value).into_iter().collect()),
        "x-amzn-trace-id" => amazon(value),
        _ => from_context(value).or_else(|| Pasted::of(from_id(value))),
    }
}

/// `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=…`
fn amazon(value: &str) -> Option<Pasted> {
    let root = value.split(';').find_map(|part| part.trim().strip_prefix("Root="))?;
    let mut parts = root.split('-');
    let (Some("1"), Some(time), Some(rest), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    Pasted::of(TraceKey::from_hex(&format!("{time}{rest}")).into_iter().collect())
}

/// The contexts that carry more than an id: `traceparent`, `b3`, `uber-trace-id`, `sentry-trace`,
/// `X-Cloud-Trace-Context`.
fn from_context(text: &str) -> Option<Pasted> {
    if text.starts_with("Root=") {
        return amazon(text);
    }
    // Jaeger's colons travel percent-encoded in some clients.
    let jaeger = text.replace("%3A", ":").replace("%3a", ":");
    let (trace, span) = match jaeger.split(':').collect::<Vec<_>>().as_slice() {
        [trace, span, _parent, _flags] => ((*trace).to_owned(), (*span).to_owned()),
        _ => dashed(text)?,
    };
    let key = TraceKey::from_hex(&trace)?;
    Some(Pasted { keys: vec![key], span: SpanId::parse_lenient(&span).ok(), page: None })
}

fn dashed(text: &str) -> Option<(String, String)> {
    if let Some((trace, rest)) = text.split_once('/') {
        // 105445aa7843bc8bf206b12000100000/1;o=1 with a decimal span id.
        let span: u64 = rest.split(';').next()?.parse().ok()?;
        return (trace.len() == 32).then(|| (trace.to_owned(), format!("{span:016x}")));
    }
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        [version, trace, span, flags, ..]
            if version.len() == 2 && trace.len() == 32 && span.len() == 16 && flags.len() == 2 =>
        {
            Some(((*trace).to_owned(), (*span).to_owned()))
        }
        [trace, span, ..] if matches!(trace.len(), 16 | 32) && span.len() == 16 => {
            Some(((*trace).to_owned(), (*span).to_owned()))
        }
        _ => None,
    }
}

/// A bare id: hexadecimal, decimal, or a UUID with its dashes.
fn from_id(text: &str) -> Vec<TraceKey> {
    let text = text.strip_prefix("0x").unwrap_or(text);
    let dashes: Vec<usize> = text.split('-').map(str::len).collect();
    if dashes == [8, 4, 4, 4, 12] {
        return TraceKey::from_hex(&text.replace('-', "")).into_iter().collect();
    }
    let decimal = TraceKey::from_decimal(text);
    // Hexadecimal ids are written with all their zeros, so an odd length of digits is a decimal number;
    // past 16 digits it can hardly be anything else.
    let hex = TraceKey::from_hex(text).filter(|_| decimal.is_none() || matches!(text.len(), 1..=16 | 32));
    let decimal_first = decimal.is_some() && !matches!(text.len(), 16 | 32);
    let ordered = if decimal_first { [decimal, hex] } else { [hex, decimal] };
    let mut keys: Vec<TraceKey> = ordered.into_iter().flatten().collect();
    keys.dedup();
    keys
}

fn from_url(text: &str) -> Option<Pasted> {
    let url = Url::parse(text).ok()?;
    let backend = backend_of(&url);
    let (keys, span) = keys_in(&url);
    if keys.is_empty() {
        return None;
    }
    Some(Pasted { keys, span, page: Some(PageUrl { url, backend }) })
}

fn keys_in(url: &Url) -> (Vec<TraceKey>, Option<SpanId>) {
    const TRACE_KEYS: [&str; 7] = ["trace_id", "traceid", "trace.id", "trace", "tid", "x-b3-traceid", "dd.trace_id"];
    const SPAN_KEYS: [&str; 6] = ["span_id", "spanid", "span", "uifind", "spanhighlight", "waterfallitemid"];
    let fragment_query = url.fragment().and_then(|f| f.split_once('?')).map(|(_, q)| q.to_owned()).unwrap_or_default();
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .chain(url::form_urlencoded::parse(fragment_query.as_bytes()))
        .map(|(k, v)| (k.to_ascii_lowercase(), v.into_owned()))
        .collect();
    let find = |names: &[&str]| pairs.iter().find(|(k, _)| names.contains(&k.as_str())).map(|(_, v)| v.as_str());
    let span = find(&SPAN_KEYS).and_then(|s| SpanId::parse_strict(s).ok());

    if let Some(keys) = find(&TRACE_KEYS).map(from_id).filter(|k| !k.is_empty()) {
        return (keys, span);
    }
    let path = format!("{}/{}", url.path(), url.fragment().unwrap_or_default());
    let segments: Vec<&str> = path.split(['/', '?', ':']).filter(|s| !s.is_empty()).collect();
    let after_trace = segments.windows(2).find_map(|pair| match pair {
        [word, id] if matches!(*word, "trace" | "traces" | "transactions") => {
            Some(from_id(id)).filter(|k| !k.is_empty())
        }
        _ => None,
    });
    if let Some(keys) = after_trace {
        return (keys, span);
    }
    // Grafana and others pack the query into JSON inside a parameter: take the first whole id there.
    let packed = pairs.iter().find_map(|(_, v)| hex_run(v)).or_else(|| hex_run(&path));
    (packed.and_then(|id| TraceKey::from_hex(&id)).into_iter().collect(), span)
}

/// The first run of exactly 32 hex digits that stands alone.
fn hex_run(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .find(|run| run.len() == 32 && parse_hex(run, 32).is_some())
        .map(str::to_owned)
}

/// Which system's page this is, from its host and path.
fn backend_of(url: &Url) -> Option<Backend> {
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    let path = url.path();
    let has = |part: &str| path.contains(part);
    Some(match () {
        () if host.ends_with("datadoghq.com") || host.ends_with("datadoghq.eu") || has("/apm/trace/") => {
            Backend::Datadog
        }
        () if host.ends_with("newrelic.com") => Backend::NewRelic,
        () if host.ends_with("honeycomb.io") => Backend::Honeycomb,
        () if host.ends_with("sentry.io") || has("/performance/trace/") || has("/explore/traces/trace/") => {
            Backend::Sentry
        }
        () if has("/app/apm") => Backend::Elastic,
        () if has("/zipkin/traces/") => Backend::Zipkin,
        () if has("/explore") || host.ends_with("grafana.net") => Backend::Tempo,
        () if has("/traces/") => Backend::Faultline,
        () if has("/trace/") => Backend::Jaeger,
        () => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "5b8efff798038103d269b633813fc60c";

    fn full() -> TraceKey {
        TraceKey::Full(TraceId::parse_strict(ID).expect("an id"))
    }

    #[test]
    fn ids_in_every_notation() {
        let low = TraceKey::Low64(0xd269_b633_813f_c60c);
        let table: [(&str, Vec<TraceKey>); 12] = [
            (ID, vec![full()]),
            ("5B8EFFF798038103D269B633813FC60C", vec![full()]),
            ("5b8efff7-9803-8103-d269-b633813fc60c", vec![full()]),
            ("  \"5b8efff798038103d269b633813fc60c\" ", vec![full()]),
            ("d269b633813fc60c", vec![low]),
            ("15161849952847513100", vec![low]),
            ("x-datadog-trace-id: 15161849952847513100", vec![low]),
            ("1234567890123456", vec![TraceKey::Low64(0x1234_5678_9012_3456), TraceKey::Low64(1_234_567_890_123_456)]),
            ("trace_id=5b8efff798038103d269b633813fc60c", vec![full()]),
            ("X-B3-TraceId: d269b633813fc60c", vec![low]),
            ("X-Amzn-Trace-Id: Root=1-5b8efff7-98038103d269b633813fc60c;Sampled=1", vec![full()]),
            ("42", vec![TraceKey::Low64(42), TraceKey::Low64(0x42)]),
        ];
        for (text, keys) in table {
            assert_eq!(Pasted::parse(text).map(|p| p.keys), Some(keys), "{text}");
        }
        for text in
            ["", "hello", "0", "00000000000000000000000000000000", "INC-12", "5b8efff798038103d269b633813fc60c00"]
        {
            assert_eq!(Pasted::parse(text), None, "{text}");
        }
    }

    #[test]
    fn contexts_carry_the_span_too() {
        for text in [
            "00-5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174-01",
            "traceparent: 00-5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174-01",
            "b3: 5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174-1-05e3ac9a4f6e3b90",
            "5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174",
            "uber-trace-id: 5b8efff798038103d269b633813fc60c:eee19b7ec3c1b174:0:1",
            "5b8efff798038103d269b633813fc60c%3Aeee19b7ec3c1b174%3A0%3A1",
            "sentry-trace: 5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174-1",
            "X-Cloud-Trace-Context: 5b8efff798038103d269b633813fc60c/17213210219539181940;o=1",
        ] {
            let pasted = Pasted::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(pasted.keys, vec![full()], "{text}");
            assert_eq!(pasted.span.map(|s| s.to_string()).as_deref(), Some("eee19b7ec3c1b174"), "{text}");
        }
    }

    #[test]
    fn pages_of_tracing_systems() {
        let grafana = "https://acme.grafana.net/explore?panes=%7B%22a%22%3A%7B%22queries%22%3A%5B%7B%22query%22%3A%225b8efff798038103d269b633813fc60c%22%7D%5D%7D%7D";
        let table = [
            (
                "http://jaeger:16686/trace/5b8efff798038103d269b633813fc60c?uiFind=eee19b7ec3c1b174",
                Some(Backend::Jaeger),
            ),
            ("http://zipkin:9411/zipkin/traces/5b8efff798038103d269b633813fc60c", Some(Backend::Zipkin)),
            (grafana, Some(Backend::Tempo)),
            ("https://kibana/app/apm/link-to/trace/5b8efff798038103d269b633813fc60c", Some(Backend::Elastic)),
            (
                "https://kibana/app/apm/services/x/transactions/view?traceId=5b8efff798038103d269b633813fc60c",
                Some(Backend::Elastic),
            ),
            ("https://app.datadoghq.com/apm/trace/5b8efff798038103d269b633813fc60c", Some(Backend::Datadog)),
            (
                "https://ui.honeycomb.io/acme/environments/prod/trace?trace_id=5b8efff798038103d269b633813fc60c",
                Some(Backend::Honeycomb),
            ),
            ("https://acme.sentry.io/performance/trace/5b8efff798038103d269b633813fc60c/", Some(Backend::Sentry)),
            ("https://faultline.example/traces/5b8efff798038103d269b633813fc60c", Some(Backend::Faultline)),
            ("https://somewhere.example/x?trace=5b8efff798038103d269b633813fc60c", None),
        ];
        for (text, backend) in table {
            let pasted = Pasted::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(pasted.keys, vec![full()], "{text}");
            assert_eq!(pasted.page.and_then(|p| p.backend), backend, "{text}");
        }
        let decimal = Pasted::parse("https://app.datadoghq.com/apm/trace/15161849952847513100").expect("a trace");
        assert_eq!(decimal.keys.first(), Some(&TraceKey::Low64(0xd269_b633_813f_c60c)));
        assert_eq!(Pasted::parse("https://example.com/"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,200}") {
            if let Some(pasted) = Pasted::parse(&text) {
                prop_assert!(!pasted.keys.is_empty());
            }
        }

        #[test]
        fn every_id_is_found_again(high in any::<u64>(), low in 1u64..) {
            let id = TraceId::from_halves(high, low).expect("not zero");
            let pasted = Pasted::parse(&id.to_string()).expect("an id");
            prop_assert_eq!(pasted.keys[0], TraceKey::Full(id));
            let decimal = Pasted::parse(&low.to_string()).expect("a number");
            prop_assert!(decimal.keys.contains(&TraceKey::Low64(low)));
        }
    }
}
