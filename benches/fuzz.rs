//! Throws damaged documents at every decoder of what machines and people send, for as long as asked, and
//! builds what the pages show from whatever was taken.
//!
//! `cargo bench --bench fuzz`, or without optimisation `cargo bench --profile dev --bench fuzz`.
//! `FAULTLINE_FUZZ_SECONDS` for each target (default 60), `FAULTLINE_FUZZ_ONLY` for some of them (names with
//! commas between), `FAULTLINE_FUZZ_SEED` to see a run again, `FAULTLINE_FUZZ_CORPUS` for a folder of further
//! documents to start from (a file belongs to the target whose name its own name begins with).
//!
//! No coverage guides it, so that it runs on a stable compiler; documents that decode to something new are
//! kept and damaged further. A panic, or a document that takes longer than two seconds, is written to
//! `target/fuzz/` and fails the run.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a runner prints, and stops when it cannot start"
)]
#![allow(missing_docs)]

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use faultline::clock::Timestamp;
use faultline::logs;
use faultline::telemetry::lookup::Pasted;
use faultline::traces::batch;
use faultline::traces::calls::calls_of;
use faultline::traces::explain::critical_path::critical_path;
use faultline::traces::explain::first_error::first_error;
use faultline::traces::explain::tree::TraceTree;
use faultline::traces::explain::waterfall::Waterfall;
use faultline::traces::model::Span;
use faultline::traces::wire::{datadog, elastic, jaeger, otlp_json, otlp_proto, sentry, zipkin};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A document that takes longer would be a way to hold a server up.
const TOO_LONG: Duration = Duration::from_secs(2);
const MAX_DOCUMENT: usize = 64 * 1024;
/// Documents kept to be damaged further.
const MAX_CORPUS: usize = 2_000;

const OTLP: &str = include_str!("../tests/fixtures/traces/otlp_two_services.json");
const ZIPKIN: &str = r#"[{"traceId":"1e223ff1f80f1c69","id":"bf396325699c84bf","kind":"SERVER","name":"get","timestamp":1470150004071068,"duration":99411,"localEndpoint":{"serviceName":"a","ipv4":"10.0.0.1","port":80},"annotations":[{"timestamp":1470150004071069,"value":"x"}],"tags":{"error":"gone"}},{"traceId":"1e223ff1f80f1c69","parentId":"bf396325699c84bf","id":"74280ae0c10d8062","kind":"CLIENT","shared":true,"name":"post"}]"#;
const JAEGER: &str = r#"{"data":[{"traceID":"abc","processes":{"p1":{"serviceName":"a","tags":[{"key":"host","type":"string","value":"h"}]}},"spans":[{"traceID":"abc","spanID":"1","operationName":"op","references":[],"startTime":1700000000000000,"duration":5,"processID":"p1","tags":[{"key":"error","type":"bool","value":true}],"logs":[{"timestamp":1700000000000001,"fields":[{"key":"event","value":"error"}]}]},{"traceID":"abc","spanID":"2","operationName":"op","references":[{"refType":"CHILD_OF","traceID":"abc","spanID":"1"}],"startTime":1,"duration":2}]}]}"#;
const ELASTIC: &str = "{\"metadata\":{\"service\":{\"name\":\"shop\",\"version\":\"5\"},\"system\":{\"hostname\":\"h\"}}}\n{\"transaction\":{\"id\":\"945254c567a5417e\",\"trace_id\":\"945254c567a5417eaaaaaaaaaaaaaaaa\",\"name\":\"GET\",\"type\":\"request\",\"duration\":32.5,\"outcome\":\"failure\",\"timestamp\":1496170407154000,\"context\":{\"response\":{\"status_code\":500}}}}\n{\"error\":{\"trace_id\":\"945254c567a5417eaaaaaaaaaaaaaaaa\",\"parent_id\":\"945254c567a5417e\",\"exception\":{\"type\":\"E\",\"message\":\"m\"}}}\n{\"log\":{\"message\":\"hi\",\"log.level\":\"warn\",\"@timestamp\":1662616049000000}}\n";
const SENTRY: &str = "{\"event_id\":\"9ec79c33ec9942ab8353589fcb2e04dc\",\"dsn\":\"https://key@host/42\"}\n{\"type\":\"transaction\"}\n{\"type\":\"transaction\",\"transaction\":\"GET\",\"start_timestamp\":1700000000.5,\"timestamp\":\"2023-11-14T22:13:21Z\",\"contexts\":{\"trace\":{\"trace_id\":\"5b8efff798038103d269b633813fc60c\",\"span_id\":\"eee19b7ec3c1b174\",\"op\":\"http\"}},\"spans\":[{\"span_id\":\"eee19b7ec3c1b175\",\"parent_span_id\":\"eee19b7ec3c1b174\",\"trace_id\":\"5b8efff798038103d269b633813fc60c\",\"start_timestamp\":1700000000.6,\"timestamp\":1700000000.7}]}\n{\"type\":\"event\",\"length\":27}\n{\"message\":\"boom\",\"level\":1}\n";
const DATADOG: &str = r#"[[{"trace_id":15161849952847513100,"span_id":42,"parent_id":0,"name":"web","service":"shop","resource":"GET","type":"web","start":1700000000000000000,"duration":5000,"error":1,"meta":{"_dd.p.tid":"5b8efff798038103","error.message":"gone"},"metrics":{"_dd.top_level":1.0}}]]"#;
const OTLP_LOGS: &str = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"scopeLogs":[{"scope":{"name":"l"},"logRecords":[{"timeUnixNano":"1700000000000000000","severityNumber":17,"severityText":"ERROR","body":{"stringValue":"gone"},"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","attributes":[{"key":"n","value":{"intValue":"7"}}]}]}]}]}"#;
const PASTED: &str =
    "https://acme.grafana.net/explore?panes=%7B%22query%22%3A%225b8efff798038103d269b633813fc60c%22%7D#x?trace=1";

/// Pieces of the formats, and numbers at the edges.
const TOKENS: [&str; 30] = [
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "0",
    "-1",
    "1e309",
    "1e-9",
    "18446744073709551615",
    "9223372036854775807",
    "-9223372036854775808",
    "\"00000000000000000000000000000000\"",
    "\"traceId\":",
    "\"spanId\":",
    "\"parentSpanId\":",
    "\"startTimeUnixNano\":",
    "\"duration\":",
    "\"timestamp\":",
    "\"references\":",
    "\"tags\":",
    "\\u0000",
    "\\ud800",
    "\u{fffd}",
    "-",
    ":",
    "%",
    "/trace/",
    "0x",
    "\n",
];

struct Target {
    name: &'static str,
    seeds: Vec<Vec<u8>>,
    /// What a document gave, roughly: documents with a new answer are kept. Panics are the finding.
    run: fn(&[u8]) -> u64,
}

fn targets() -> Vec<Target> {
    let spans = otlp_json::decode(OTLP.as_bytes()).expect("the fixture").records;
    let text = |t: &str| vec![t.as_bytes().to_vec()];
    let packed: serde_json::Value = serde_json::from_str(DATADOG).expect("the fixture");
    vec![
        Target {
            name: "otlp_proto",
            seeds: vec![otlp_proto::encode(&spans)],
            run: |b| taken(otlp_proto::decode(b.to_vec().into())),
        },
        Target { name: "otlp_json", seeds: text(OTLP), run: |b| taken(otlp_json::decode(b)) },
        Target { name: "zipkin", seeds: text(ZIPKIN), run: |b| taken(zipkin::decode(b)) },
        Target { name: "jaeger", seeds: text(JAEGER), run: |b| taken(jaeger::decode(b)) },
        Target {
            name: "elastic",
            seeds: text(ELASTIC),
            run: |b| {
                elastic::decode(b, 7)
                    .map_or(1, |i| explain(&i.spans) ^ (i.errors.len() as u64) << 8 ^ (i.logs.len() as u64) << 16)
            },
        },
        Target {
            name: "sentry",
            seeds: text(SENTRY),
            run: |b| sentry::decode(b, "42", 7).map_or(1, |e| explain(&e.spans.records) ^ (e.logs.len() as u64) << 16),
        },
        Target {
            name: "datadog_msgpack",
            seeds: vec![rmp_serde::to_vec(&packed).expect("packs")],
            run: |b| taken(datadog::decode_msgpack(b)),
        },
        Target { name: "datadog_json", seeds: text(DATADOG), run: |b| taken(datadog::decode_json(b)) },
        Target {
            name: "logs_json",
            seeds: text(OTLP_LOGS),
            run: |b| {
                logs::wire::decode_json(b).map_or(1, |d| (d.records.len() as u64) << 8 ^ d.rejected_count() as u64)
            },
        },
        Target {
            name: "logs_proto",
            seeds: vec![otlp_proto::encode(&spans)],
            run: |b| {
                logs::wire::decode_proto(b.to_vec().into())
                    .map_or(1, |d| (d.records.len() as u64) << 8 ^ d.rejected_count() as u64)
            },
        },
        Target {
            name: "pasted",
            seeds: vec![
                PASTED.into(),
                b"00-5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174-01".to_vec(),
                b"a:b:0:1".to_vec(),
            ],
            run: |b| {
                Pasted::parse(&String::from_utf8_lossy(b))
                    .map_or(0, |p| p.keys.len() as u64 + 4 * u64::from(p.page.is_some()))
            },
        },
    ]
}

fn taken(decoded: faultline::error::Result<faultline::traces::wire::DecodedSpans>) -> u64 {
    match decoded {
        Ok(decoded) => explain(&decoded.records) ^ ((decoded.rejected_count().min(15) as u64) << 4),
        Err(_) => 1,
    }
}

/// Everything that is built from spans before a page is drawn or a row is written.
fn explain(spans: &[Span]) -> u64 {
    let tree = TraceTree::build(spans);
    let error = first_error(&tree);
    let waterfall = Waterfall::build(&tree, error.as_ref(), true);
    let path: usize = tree.roots.iter().take(3).map(|root| critical_path(&tree, *root).len()).sum();
    let calls = calls_of(&tree).len();
    let parts = batch::prepare(spans.to_vec(), Timestamp::from_secs(1_700_000_000)).expect("compresses");
    for part in &parts {
        assert_eq!(batch::open(&part.body).expect("opens").len(), part.keys.len(), "a part gives back what it took");
    }
    let shape =
        [spans.len(), tree.roots.len(), waterfall.rows.len(), path, calls, parts.len(), usize::from(error.is_some())];
    shape.iter().fold(17, |sum, n| (sum << 3) ^ (*n).min(31) as u64)
}

/// Damages a document in one to four ways.
fn damage(document: &mut Vec<u8>, other: &[u8], rng: &mut StdRng) {
    for _ in 0..rng.random_range(1..=4) {
        let at = if document.is_empty() { 0 } else { rng.random_range(0..document.len()) };
        let end = (at + rng.random_range(1..=24)).min(document.len());
        match rng.random_range(0..9_u32) {
            0 if at < document.len() => document[at] ^= 1 << rng.random_range(0..8_u32),
            1 if at < document.len() => document[at] = rng.random(),
            2 => document.truncate(at),
            3 => drop(document.drain(at..end)),
            4 => {
                let piece = document[at..end].to_vec();
                document.splice(at..at, piece);
            }
            5 => {
                let token = TOKENS[rng.random_range(0..TOKENS.len())];
                document.splice(at..at, token.bytes());
            }
            6 => {
                let token = TOKENS[rng.random_range(0..TOKENS.len())];
                document.splice(at..end, token.bytes());
            }
            7 if !other.is_empty() => {
                let from = rng.random_range(0..other.len());
                let to = (from + rng.random_range(1..=200)).min(other.len());
                document.splice(at..end, other[from..to].iter().copied());
            }
            _ => {
                // The same digit at both ends of a number of ids makes circles and repeats.
                let digit = b"0123456789abcdef"[rng.random_range(0..16_usize)];
                document[at..end].iter_mut().filter(|b| b.is_ascii_hexdigit()).for_each(|b| *b = digit);
            }
        }
    }
    document.truncate(MAX_DOCUMENT);
}

/// Runs one target; gives how many documents it saw, or the one that broke it.
fn fuzz(target: &Target, length: Duration, rng: &mut StdRng) -> Result<u64, (Vec<u8>, String)> {
    let mut corpus = target.seeds.clone();
    let mut answers: HashSet<u64> = HashSet::new();
    let (began, mut seen) = (Instant::now(), 0);
    while began.elapsed() < length {
        let mut document = corpus[rng.random_range(0..corpus.len())].clone();
        let other = corpus[rng.random_range(0..corpus.len())].clone();
        damage(&mut document, &other, rng);
        let one = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| (target.run)(&document)));
        seen += 1;
        match answer {
            Err(_) => return Err((document, "it panicked".to_owned())),
            Ok(_) if one.elapsed() > TOO_LONG => return Err((document, format!("it took {:?}", one.elapsed()))),
            Ok(answer) => {
                if answers.insert(answer) && corpus.len() < MAX_CORPUS {
                    corpus.push(document);
                }
            }
        }
    }
    println!("{}: {seen} documents, {} different answers", target.name, answers.len());
    Ok(seen)
}

fn further_seeds(name: &str) -> Vec<Vec<u8>> {
    let Ok(folder) = std::env::var("FAULTLINE_FUZZ_CORPUS") else { return Vec::new() };
    let entries = std::fs::read_dir(folder).expect("FAULTLINE_FUZZ_CORPUS is a folder");
    let files = entries.filter_map(|e| Some(e.ok()?.path()));
    let own = files.filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(name)));
    own.filter_map(|p| std::fs::read(p).ok()).filter(|b| b.len() <= MAX_DOCUMENT).collect()
}

fn main() {
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let length = Duration::from_secs(number("FAULTLINE_FUZZ_SECONDS", 60));
    let seed = number("FAULTLINE_FUZZ_SEED", rand::random());
    let only = std::env::var("FAULTLINE_FUZZ_ONLY").unwrap_or_default();
    println!("seed {seed}, {} s for each target", length.as_secs());
    let mut broken = 0;
    for mut target in targets() {
        if !only.is_empty() && !only.split(',').any(|name| name.trim() == target.name) {
            continue;
        }
        target.seeds.extend(further_seeds(target.name));
        let mut rng = StdRng::seed_from_u64(seed);
        if let Err((document, why)) = fuzz(&target, length, &mut rng) {
            broken += 1;
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
            std::fs::create_dir_all(&folder).expect("a folder");
            let file = folder.join(format!("{}-{seed}.bin", target.name));
            std::fs::write(&file, document).expect("written");
            eprintln!("{}: {why}; the document is {}", target.name, file.display());
        }
    }
    if broken > 0 {
        std::process::exit(1);
    }
}
