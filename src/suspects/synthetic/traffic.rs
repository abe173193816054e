//! Requests through a made system, healthy or with a fault.

use super::SECOND;
use super::dice::Dice;
use super::system::{Fault, FaultKind, System};
use crate::suspects::model::{LogLine, Span, Telemetry};

/// Calls deeper than this are not made, which keeps the largest requests in bounds.
const DEPTH: usize = 6;
/// Spans after which a request makes no further calls.
const LARGEST: usize = 120;

struct Run<'a> {
    system: &'a System,
    dice: &'a mut Dice,
    fault: Option<&'a Fault>,
    out: Telemetry,
    trace: u64,
    spans: u64,
    first: usize,
}

/// Traffic for some seconds. `shift` is how far the mix of requests strays from the system's own.
pub(super) fn run(
    system: &System,
    dice: &mut Dice,
    from: i64,
    seconds: i64,
    fault: Option<&Fault>,
    shift: f64,
) -> Telemetry {
    let weights: Vec<f64> = system.entries.iter().map(|e| e.2 * dice.jitter(shift * 0.5)).collect();
    let total: f64 = weights.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    let wanted = system.requests_per_second * seconds as f64;
    let trace = if fault.is_some() { 1 << 40 } else { dice.next() >> 24 };
    let mut run = Run { system, dice, fault, out: Telemetry::default(), trace, spans: 0, first: 0 };
    let mut done = 0.0;
    while done < wanted {
        done += 1.0;
        let mut at = run.dice.unit() * total;
        let entry = weights.iter().position(|w| {
            at -= w;
            at < 0.0
        });
        let (service, operation, _) = system.entries[entry.unwrap_or(0)];
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "nanoseconds of minutes")]
        let start = from + (run.dice.unit() * (seconds * SECOND) as f64) as i64;
        run.trace += 1;
        run.first = run.out.spans.len();
        run.serve((service, operation), start, None, 0);
    }
    run.out
}

/// How a part of a request ended.
struct Ended {
    at: i64,
    failed: bool,
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds of minutes")]
fn nanos(ms: f64) -> i64 {
    (ms * 1e6) as i64
}

impl Run<'_> {
    fn hit(&mut self, kind: FaultKind, service: usize, operation: Option<usize>) -> Option<f64> {
        let fault = self.fault.filter(|f| f.kind == kind && f.at.0 == service)?;
        let here = operation.is_none_or(|o| o == fault.at.1);
        (here && self.dice.chance(fault.share)).then_some(fault.size)
    }

    /// The time a piece of work of the service takes.
    fn work(&mut self, service: usize, operation: usize, ms: f64) -> i64 {
        let stall = if self.dice.chance(0.004) { self.dice.between(10.0, 80.0) } else { 0.0 };
        let slow = self.hit(FaultKind::Cpu, service, None).unwrap_or(0.0);
        let op = self.hit(FaultKind::SlowOperation, service, Some(operation)).unwrap_or(0.0);
        nanos(ms * self.dice.jitter(0.35) + stall + slow * self.dice.unit() + op)
    }

    fn span(&mut self, parent: Option<&str>, service: usize, operation: String, start: i64) -> usize {
        self.spans += 1;
        self.out.spans.push(Span {
            trace_id: format!("{:032x}", self.trace),
            span_id: format!("{:016x}", self.spans),
            parent_id: parent.map(str::to_owned),
            service: self.system.services[service].name.clone(),
            operation,
            start,
            end: start,
            ..Span::default()
        });
        self.out.spans.len() - 1
    }

    fn line(&mut self, span: usize, at: i64, error: bool, body: String) {
        if self.system.logs {
            let s = &self.out.spans[span];
            let (service, trace_id, span_id) = (s.service.clone(), Some(s.trace_id.clone()), Some(s.span_id.clone()));
            self.out.logs.push(LogLine { time: at, service, trace_id, span_id, error, body });
        }
    }

    fn serve(&mut self, (service, operation): (usize, usize), start: i64, parent: Option<&str>, depth: usize) -> Ended {
        let system = self.system;
        let op = &system.services[service].operations[operation];
        let me = self.span(parent, service, op.name.clone(), start);
        let bad_version = self.version(me, service);
        let my_id = self.out.spans[me].span_id.clone();
        let early = self.hit(FaultKind::EarlyReturn, service, Some(operation)).is_some();
        let throws = bad_version
            || self.hit(FaultKind::Exception, service, Some(operation)).is_some()
            || self.dice.chance(0.001);
        let stop_at = if throws || early { op.calls.len() / 2 } else { usize::MAX };
        let mut now = start + self.work(service, operation, op.own_ms / 2.0);
        for n in 0..op.lines.min(if early { 0 } else { usize::MAX }) {
            let number = self.dice.below(100_000);
            self.line(
                me,
                now,
                false,
                format!("INFO {} handled step{} part of request {number}", op.name, ["a", "b", "c"][n % 3]),
            );
        }
        for n in 0..op.inner.min(if early { 0 } else { usize::MAX }) {
            let inner = self.span(Some(&my_id), service, format!("{}.part{n}", op.name), now);
            now += self.work(service, operation, op.own_ms / 3.0);
            self.out.spans[inner].end = now;
        }
        let mut failed = throws;
        let began = now;
        for (n, call) in op.calls.iter().enumerate() {
            if n >= stop_at || failed && !throws || depth >= DEPTH || self.out.spans.len() - self.first > LARGEST {
                break;
            }
            if !self.dice.chance(call.chance) {
                continue;
            }
            for _ in 0..=self.dice.below(call.times) {
                let from = if op.parallel { began } else { now };
                let ended = self.call(service, (call.service, call.operation), from, &my_id, depth);
                now = now.max(ended.at);
                failed |= ended.failed;
            }
        }
        if !failed && !early {
            now += self.work(service, operation, op.own_ms / 2.0);
        }
        self.finish(me, now, failed, throws);
        Ended { at: now, failed }
    }

    fn finish(&mut self, me: usize, now: i64, failed: bool, throws: bool) {
        self.out.spans[me].end = now;
        self.out.spans[me].error = failed && self.system.statuses;
        if throws {
            let name = self.out.spans[me].operation.clone();
            self.line(me, now, true, format!("ERROR {name} unexpected state while handling the request"));
        }
    }

    /// Which version serves; true when it is the failing one and this request fails.
    fn version(&mut self, me: usize, service: usize) -> bool {
        if !self.system.versions {
            return false;
        }
        let split = self.fault.is_some_and(|f| f.kind == FaultKind::BadVersion && f.at.0 == service);
        let new = split && self.dice.chance(0.5);
        self.out.spans[me].version = Some(if new { "2.0.0" } else { "1.9.0" }.to_owned());
        new && self.hit(FaultKind::BadVersion, service, None).is_some()
    }

    fn call(&mut self, from: usize, to: (usize, usize), start: i64, parent: &str, depth: usize) -> Ended {
        let system = self.system;
        let gap = system.services[to.0].gap_ms * self.dice.jitter(0.4);
        let delay = self.hit(FaultKind::NetworkDelay, to.0, None).unwrap_or(0.0);
        let starved = [from, to.0].into_iter().filter_map(|s| self.hit(FaultKind::Cpu, s, None)).sum::<f64>() / 2.0;
        let way = nanos((gap + delay + starved) / 2.0);
        if !system.client_spans {
            let ended = self.serve(to, start + way, Some(parent), depth + 1);
            return Ended { at: ended.at + way, failed: ended.failed };
        }
        let name = format!("call {}", system.services[to.0].operations[to.1].name);
        let client = self.span(Some(parent), from, name, start);
        let id = self.out.spans[client].span_id.clone();
        let refused = self.hit(FaultKind::Refused, to.0, None).is_some();
        let ended = if refused {
            let callee = &system.services[to.0].name;
            self.line(client, start + way, true, format!("ERROR connection refused by {callee}"));
            Ended { at: start + way, failed: true }
        } else {
            self.serve(to, start + way, Some(&id), depth + 1)
        };
        self.out.spans[client].end = ended.at + way;
        self.out.spans[client].error = ended.failed && system.statuses;
        Ended { at: ended.at + way, failed: ended.failed }
    }
}
