"""Each client sends one trace with a failure in it, in a process of its own; then the trace is read back from
the API and from its page.

Usage: clients.py (all of them), or clients.py send NAME (used for the processes).
"""

import html
import os
import pathlib
import subprocess
import sys
import time
from urllib.parse import quote

import requests

URL = os.environ["FAULTLINE_URL"]
INGEST = os.environ["INGEST_TOKEN"]
BEARER = {"Authorization": f"Bearer {INGEST}"}
READER = {"Authorization": f"Bearer {os.environ['API_TOKEN']}"}


def otel():
    """The OpenTelemetry SDK with its OTLP/HTTP exporter: gzipped protobuf."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "otel-shop", "service.version": "1.3.2"}))
    exporter = OTLPSpanExporter(endpoint=f"{URL}/v1/traces", headers=BEARER, compression=Compression.Gzip)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("clients")
    try:
        with tracer.start_as_current_span("GET /cart", kind=trace.SpanKind.SERVER) as root:
            trace_id = f"{root.get_span_context().trace_id:032x}"
            with tracer.start_as_current_span("charge card", kind=trace.SpanKind.CLIENT):
                raise ValueError("card refused")
    except ValueError:
        pass
    provider.shutdown()
    return trace_id, "otel-shop", "card refused"


def zipkin():
    """py_zipkin: Zipkin v2 JSON."""
    from py_zipkin import Encoding
    from py_zipkin.zipkin import ZipkinAttrs, create_attrs_for_span, zipkin_client_span, zipkin_span

    def transport(payload):
        answer = requests.post(f"{URL}/api/v2/spans", data=payload, headers={**BEARER, "Content-Type": "application/json"})
        assert answer.status_code == 202, answer.text

    attrs: ZipkinAttrs = create_attrs_for_span(use_128bit_trace_id=True)
    with zipkin_span(
        service_name="zipkin-shop", span_name="get /cart", transport_handler=transport, zipkin_attrs=attrs, encoding=Encoding.V2_JSON
    ):
        with zipkin_client_span(service_name="zipkin-shop", span_name="charge card") as call:
            call.update_binary_annotations({"error": "card refused"})
    return attrs.trace_id, "zipkin-shop", "card refused"


def sentry():
    """sentry-sdk: envelopes; the DSN's public key is the ingest token."""
    import sentry_sdk

    dsn = URL.replace("://", f"://{INGEST}@") + "/42"
    sentry_sdk.init(dsn=dsn, traces_sample_rate=1.0, release="sentry-shop@1.3.2", default_integrations=False)
    sentry_sdk.set_tag("service", "sentry-shop")
    with sentry_sdk.start_transaction(name="GET /cart", op="http.server") as transaction:
        trace_id = transaction.trace_id
        with sentry_sdk.start_span(op="http.client", name="charge card") as call:
            call.set_status("internal_error")
            sentry_sdk.capture_exception(ValueError("card refused"))
    sentry_sdk.flush(10)
    return trace_id, "sentry-shop", "internal_error"


def elastic():
    """elastic-apm: intake v2; the secret token is the ingest token."""
    import elasticapm

    client = elasticapm.Client(
        service_name="elastic-shop", server_url=URL, secret_token=INGEST, central_config=False, cloud_provider=False,
        api_request_time="100ms", metrics_interval="0ms",
    )
    elasticapm.instrument()
    client.begin_transaction("request")
    trace_id = elasticapm.get_trace_id()
    with elasticapm.capture_span("charge card", span_type="external"):
        client.capture_exception(exc_info=(ValueError, ValueError("card refused"), None))
    elasticapm.set_transaction_outcome("failure")
    client.end_transaction("GET /cart", "card refused")
    client.close()
    return trace_id, "elastic-shop", "card refused"


def datadog():
    """ddtrace: MessagePack to what it takes for its agent; the agent's address ends in the token."""
    os.environ.update(
        DD_TRACE_AGENT_URL=f"{URL}/datadog/{INGEST}", DD_SERVICE="dd-shop", DD_TRACE_API_VERSION="v0.4",
        DD_INSTRUMENTATION_TELEMETRY_ENABLED="false", DD_REMOTE_CONFIGURATION_ENABLED="false",
        DD_TRACE_128_BIT_TRACEID_GENERATION_ENABLED="true",
    )
    from ddtrace.trace import tracer

    with tracer.trace("web.request", service="dd-shop", resource="GET /cart") as root:
        trace_id = f"{root.trace_id:032x}"
        with tracer.trace("charge.card", resource="charge card") as call:
            call.error = 1
            call.set_tag("error.message", "card refused")
    tracer.flush()
    tracer.shutdown()
    return trace_id, "dd-shop", "card refused"


def jaeger():
    """What replaced jaeger-client: the OpenTelemetry SDK going on with a context in `uber-trace-id`."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.propagators.jaeger import JaegerPropagator
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "jaeger-shop"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=f"{URL}/v1/traces", headers=BEARER)))
    tracer = provider.get_tracer("clients")
    carrier = {}
    with tracer.start_as_current_span("GET /cart", kind=trace.SpanKind.SERVER):
        JaegerPropagator().inject(carrier)
    with tracer.start_as_current_span("charge card", context=JaegerPropagator().extract(carrier)) as call:
        call.set_status(trace.StatusCode.ERROR, "card refused")
    provider.shutdown()
    # The header itself leads to the trace.
    return f"uber-trace-id: {carrier['uber-trace-id']}", "jaeger-shop", "card refused"


FOLDER = pathlib.Path(__file__).resolve().parent
CLIENTS = {
    **{f.__name__: [sys.executable, __file__, "send", f.__name__] for f in (otel, zipkin, sentry, elastic, datadog, jaeger)},
    "node": ["node", str(FOLDER / "node" / "otel.mjs")],
    "rust": [os.environ.get("RUST_CLIENT", str(FOLDER / "rust" / "target" / "debug" / "faultline-telemetry-client"))],
}


def wait_for_server():
    for _ in range(100):
        try:
            if requests.get(f"{URL}/healthz", timeout=2).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    sys.exit("Faultline did not start")


def read_back(trace_id):
    """The trace once both of its spans are there; clients send in the background."""
    answer = None
    for _ in range(100):
        answer = requests.get(f"{URL}/api/v1/traces/{quote(trace_id, safe='')}", headers=READER, timeout=5)
        if answer.status_code == 200 and answer.json()["span_count"] >= 2:
            return answer.json()
        time.sleep(0.1)
    raise AssertionError(f"{trace_id}: {answer.status_code} {answer.text[:500]}")


def sign_in():
    """A browser's session; pages know no tokens."""
    browser = requests.Session()
    form = {"email": os.environ["VIEWER_EMAIL"], "password": os.environ["VIEWER_PASSWORD"]}
    answer = browser.post(f"{URL}/login", data=form, headers={"Origin": URL}, timeout=10)
    assert answer.ok and "faultline" in browser.cookies, answer.text[:300]
    return browser


def check(name, browser):
    sent = subprocess.run(CLIENTS[name], capture_output=True, text=True, timeout=120)
    assert sent.returncode == 0, sent.stderr
    trace_id, service, message = sent.stdout.strip().splitlines()[-1].split("\t")
    trace = read_back(trace_id)
    assert trace["service"] == service, trace
    assert {s["operation"].lower() for s in trace["spans"]} >= {"get /cart", "charge card"}, trace["spans"]
    assert message in trace["first_error"]["message"], trace["first_error"]
    page = browser.get(f"{URL}/traces", params={"q": trace_id}, timeout=10)
    assert page.status_code == 200 and trace["trace_id"] in page.url, f"{page.status_code} {page.url}"
    shown = html.unescape(page.text).lower()
    for text in ("get /cart", "charge card", service, message, "first error"):
        assert text.lower() in shown, f"'{text}' is not on the page of {trace['trace_id']}"
    print(f"{name}: {trace['trace_id']} {trace['span_count']} spans, first error: {trace['first_error']['message']}")


def main():
    if sys.argv[1:2] == ["send"]:
        print("\t".join(globals()[sys.argv[2]]()))
        return
    wait_for_server()
    browser = sign_in()
    failed = 0
    for name in CLIENTS:
        try:
            check(name, browser)
        except Exception as error:  # every client is tried, whatever became of the one before
            failed += 1
            print(f"{name}: FAILED: {error}", file=sys.stderr)
    print(f"{len(CLIENTS) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
