#!/usr/bin/env python3
"""Persisted spans per second of a running Faultline beside Arize Phoenix (OTLP receiver on SQLite), in one
run on one machine.

    python3 -m venv /tmp/phoenix && /tmp/phoenix/bin/pip install arize-phoenix
    cargo build --release && FAULTLINE_PROFILE=release /tmp/phoenix/bin/python benches/load/traces.py

Both get the same requests: OTLP over HTTP in gzipped protobuf, as many spans to a request as an
OpenTelemetry Collector batches, over connections that stay open. Faultline answers once spans are on disk
and can be found; Phoenix answers earlier, so its clock runs until its database holds them all. Sizes by
environment: LOAD_SPANS (100000), LOAD_PHOENIX_SPANS (20000), LOAD_CONNECTIONS (4), LOAD_BATCH (1000).
Prints one line a measurement, and the ratio.
"""

import gzip
import hashlib
import http.client
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "clients" / "alerts"))
from faultline import Faultline, free_port, wait_for  # noqa: E402

SPANS = int(os.environ.get("LOAD_SPANS", 100_000))
PHOENIX_SPANS = int(os.environ.get("LOAD_PHOENIX_SPANS", 20_000))
CONNECTIONS = int(os.environ.get("LOAD_CONNECTIONS", 4))
BATCH = int(os.environ.get("LOAD_BATCH", 1_000))
PER_TRACE = 50
BEGIN_NS = int(time.time() - 600) * 1_000_000_000


def ident(kind, n, size):
    return hashlib.blake2b(f"{kind}{n}".encode(), digest_size=size).digest()


def request(first):
    """One gzipped request of BATCH spans, from span number `first`."""
    message = ExportTraceServiceRequest()
    by_service = {}
    for n in range(first, first + BATCH):
        trace, i = divmod(n, PER_TRACE)
        service = (trace + i // 5) % 30
        if service not in by_service:
            resource = message.resource_spans.add()
            attribute = resource.resource.attributes.add(key="service.name")
            attribute.value.string_value = f"service-{service:02}"
            by_service[service] = resource.scope_spans.add()
        span = by_service[service].spans.add(
            trace_id=ident("t", trace, 16), span_id=ident("s", n, 8), name=f"GET /api/v1/resource-{i % 12}", kind=2 + i % 2,
            start_time_unix_nano=BEGIN_NS + trace * 1_000_000 + i * 50_000,
            end_time_unix_nano=BEGIN_NS + trace * 1_000_000 + i * 50_000 + 1_000_000 + n % 9_000_000,
        )
        if i:
            span.parent_span_id = ident("s", trace * PER_TRACE + (i - 1) // 3, 8)
        for key, value in [("http.route", f"/api/v1/resource-{i % 12}"), ("server.address", f"10.0.{service}.{i}")]:
            span.attributes.add(key=key).value.string_value = value
        for key, value in [("http.response.status_code", 200), ("user.id", trace % 100_000), ("thread.id", i % 64)]:
            span.attributes.add(key=key).value.int_value = value
    return gzip.compress(message.SerializeToString(), 1)


def send_all(port, bodies, headers):
    """Sends all; how often it was told to wait."""
    left, lock, waits, bad = list(bodies), threading.Lock(), [0], []
    headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip", **headers}

    def work():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while True:
            with lock:
                if not left or bad:
                    return
                body = left.pop(0)
            while True:
                connection.request("POST", "/v1/traces", body, headers)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status == 200:
                    break
                if answer.status not in (429, 503):
                    bad.append((answer.status, text[:200]))
                    return
                waits[0] += 1
                time.sleep(0.05)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not bad, bad[0]
    return waits[0]


def peak_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    return 0


def count(database, table, column="COUNT(*)"):
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as db:
        return db.execute(f"SELECT {column} FROM {table}").fetchone()[0] or 0


def measure_faultline():
    bodies = [request(first) for first in range(0, SPANS, BATCH)]
    spans = len(bodies) * BATCH
    faultline = Faultline().start()
    try:
        begun = time.perf_counter()
        waits = send_all(faultline.port, bodies, {"authorization": f"Bearer {faultline.ingest}"})
        took = time.perf_counter() - begun
        stored = count(faultline.database, "traces", "SUM(span_count)")
        assert stored == spans, f"{stored} of {spans} are stored"
        print(f"Faultline: {spans / took:.0f} persisted spans/s ({spans} in {took:.2f} s, told to wait {waits} times, "
              f"at most {peak_mib(faultline.process.pid)} MiB)", flush=True)
        return spans / took
    finally:
        faultline.close()


def measure_phoenix():
    bodies = [request(first) for first in range(0, PHOENIX_SPANS, BATCH)]
    spans = len(bodies) * BATCH
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        env = os.environ | {"PHOENIX_WORKING_DIR": folder, "PHOENIX_PORT": str(port), "PHOENIX_GRPC_PORT": str(free_port()),
                            "PHOENIX_HOST": "127.0.0.1", "PHOENIX_TELEMETRY_ENABLED": "false"}
        binary = pathlib.Path(sys.executable).with_name("phoenix")
        process = subprocess.Popen([binary, "serve"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        database = pathlib.Path(folder) / "phoenix.db"

        def answers():
            assert process.poll() is None, "phoenix stopped"
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
                connection.request("GET", "/healthz")
                return connection.getresponse().status == 200
            except OSError:
                return False

        try:
            wait_for("phoenix's start", answers, 900)
            begun = time.perf_counter()
            waits = send_all(port, bodies, {})
            wait_for("phoenix's inserting", lambda: count(database, "spans") >= spans, 1800)
            took = time.perf_counter() - begun
            print(f"Phoenix: {spans / took:.0f} persisted spans/s ({spans} in {took:.2f} s, told to wait {waits} times, "
                  f"at most {peak_mib(process.pid)} MiB)", flush=True)
            return spans / took
        finally:
            process.terminate()
            process.wait(timeout=60)


def main():
    ours = measure_faultline()
    theirs = measure_phoenix()
    print(f"Faultline persists {ours / theirs:.1f} times as many spans a second as Phoenix")


if __name__ == "__main__":
    main()
