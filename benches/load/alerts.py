#!/usr/bin/env python3
"""Signals per second of a running Faultline beside Debian's Alertmanager, in one run on one machine.

    cargo build --release && FAULTLINE_PROFILE=release benches/load/alerts.py

Both get the same alerts by the same call (POST /api/v2/alerts, ten to a request, eight connections that
stay open). Faultline's are committed to disk before each answer; Alertmanager keeps them in memory.
Then: 10,000 distinct alerts become one incident, the list with many open alerts, and a change of the
incident's status. Prints one line a measurement.
"""

import http.client
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "clients" / "alerts"))
from faultline import Faultline, free_port, wait_for  # noqa: E402

CONNECTIONS = 8
PER_REQUEST = 10


def alert(i, starts):
    return {"labels": {"alertname": "Storm", "service": "checkout", "severity": "critical", "pod": f"pod-{i}"},
            "annotations": {"summary": "storm"}, "startsAt": starts}


def send_all(port, bodies, headers):
    """Seconds for all, and the latencies; every answer must be 2xx."""
    bodies, lock, latencies, bad = list(bodies), threading.Lock(), [], []

    def work():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while True:
            with lock:
                if not bodies:
                    return
                body = bodies.pop()
            begun = time.perf_counter()
            connection.request("POST", "/api/v2/alerts", body, headers)
            answer = connection.getresponse()
            answer.read()
            with lock:
                latencies.append(time.perf_counter() - begun)
                if answer.status // 100 != 2:
                    bad.append(answer.status)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    begun = time.perf_counter()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not bad, bad[:5]
    return time.perf_counter() - begun, latencies


def requests(count, starts, distinct):
    return [json.dumps([alert((r * PER_REQUEST + i) % distinct, starts) for i in range(PER_REQUEST)])
            for r in range(count // PER_REQUEST)]


def timed(port, path, headers, times, method="GET", bodies=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took = []
    for i in range(times):
        begun = time.perf_counter()
        connection.request(method, path, bodies[i] if bodies else None, headers)
        answer = connection.getresponse()
        body = answer.read()
        took.append(time.perf_counter() - begun)
        assert answer.status // 100 == 2, (answer.status, body[:300])
    took.sort()
    return took


def ms(seconds):
    return f"{seconds * 1000:.1f} ms"


def main():
    json_headers = {"Content-Type": "application/json"}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
        am_port = free_port()
        manager = subprocess.Popen(
            ["prometheus-alertmanager", "--config.file=am.yml", "--storage.path=am", f"--web.listen-address=127.0.0.1:{am_port}",
             "--cluster.listen-address="], cwd=path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        faultline = Faultline().start()
        try:
            measure(faultline, am_port, json_headers)
        finally:
            manager.terminate()
            manager.wait()
            faultline.close()


def measure(faultline, am_port, json_headers):
    ours = json_headers | {"Authorization": f"Bearer {faultline.ingest}"}
    starts = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 120))
    wait_for("Alertmanager", lambda: reachable(am_port))
    count = 30_000
    for name, port, headers in [("Alertmanager", am_port, json_headers), ("Faultline", faultline.port, ours)]:
        send_all(port, requests(1_000, starts, 1_000), headers)
        took, latencies = send_all(port, requests(count, starts, 1_000), headers)
        latencies.sort()
        print(f"{name}: {count / took:,.0f} repeated signals/s, p99 of a request {ms(latencies[int(len(latencies) * .99)])}")
    api = {"Authorization": f"Bearer {faultline.api}", "Content-Type": "application/json"}
    begun = time.perf_counter()
    took, _ = send_all(faultline.port, requests(10_000, starts, 10_000), ours)
    def all_in_one():
        page = faultline.get("/api/v1/alerts?incident=INC-1&limit=1")
        return page["total"] == 10_000 and page
    wait_for("one incident", all_in_one, 120)
    print(f"Faultline: 10,000 distinct alerts sent in {took:.1f} s, all in one incident after {time.perf_counter() - begun:.1f} s")
    took = timed(faultline.port, "/api/v1/alerts?status=firing&limit=50", api, 200)
    print(f"Faultline: list of 10,000 open alerts p50 {ms(statistics.median(took))}, p99 {ms(took[int(len(took) * .99)])}")
    statuses = ["investigating", "identified", "monitoring", "investigating", "identified", "monitoring"]
    bodies = [json.dumps({"status": s, "reason": "bench", "confirmed": True}) for s in statuses]
    took = timed(faultline.port, "/api/v1/incidents/INC-1/status", api, len(bodies), "POST", bodies)
    print(f"Faultline: status change of an incident with 10,000 alerts, worst of {len(took)}: {ms(took[-1])}")


def reachable(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False


if __name__ == "__main__":
    main()
