use super::*;

fn span() -> Span {
    let trace = TraceId::new(1).expect("not zero");
    Span::bare(trace, SpanId::new(2).expect("not zero"), Arc::new(Resource::named("cart")))
}

#[test]
fn failure_is_read_from_status_then_codes() {
    let mut s = span();
    assert!(!s.failed());
    s.attributes.push("http.status_code", AttrValue::text("503"));
    assert!(s.failed());
    assert_eq!(s.error_text().as_deref(), Some("HTTP 503"));
    s.status = SpanStatus::Ok;
    assert!(!s.failed(), "an explicit Ok wins");
    s.set_error("no stock");
    assert_eq!(s.error_text().as_deref(), Some("no stock"));
    s.events.push(SpanEvent { at_nanos: 5, name: "exception".into(), attributes: Attributes::default() });
    assert_eq!(s.error_text().as_deref(), Some("no stock"), "an exception with nothing said does not hide the message");
    s.events[0].attributes.push("exception.type", AttrValue::text("StockError"));
    assert_eq!(s.error_text().as_deref(), Some("StockError"));
}

#[test]
fn a_client_error_is_no_failure_of_the_server() {
    let mut s = span();
    s.attributes.push("http.status_code", AttrValue::Int(404));
    s.attributes.push("rpc.grpc.status_code", AttrValue::Int(5));
    assert!(!s.failed());
}

#[test]
fn backward_times_take_no_time() {
    let mut s = span();
    (s.start_nanos, s.end_nanos) = (10, 4);
    assert_eq!((s.duration_nanos(), s.ends_before_start()), (0, true));
    (s.start_nanos, s.end_nanos) = (0, 4);
    assert_eq!((s.duration_nanos(), s.has_time()), (0, false));
}

#[test]
fn kinds_survive_their_numbers_and_words() {
    for n in 0..6 {
        let kind = SpanKind::from_number(n);
        assert_eq!(i64::from(kind.number()), n);
        assert_eq!(SpanKind::from_word(kind.word()), kind);
    }
    assert_eq!(SpanKind::from_number(99), SpanKind::Unspecified);
}
