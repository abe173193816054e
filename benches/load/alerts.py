#!/usr/bin/env python3
"""Signals per second of a running Faultline beside Debian's Alertmanager, in one run on one machine.

    cargo build --release && FAULTLINE_PROFILE=release benches/load/alerts.py
    BENCH_SCALE=0.02 benches/load/alerts.py          # a small try: every count times this

Both get the same alerts by the same call (POST /api/v2/alerts, ten to a request, eight connections that
stay open). Faultline's are committed to disk before each answer; Alertmanager keeps them in memory.
Then: 10,000 distinct alerts become one incident with none lost, its status is changed, and `/alerts` and
its API are read with 100,000 open alerts, beside Alertmanager's own list with 1,000. Prints one line a
measurement.
"""

import http.client
import json
import os
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
SCALE = float(os.environ.get("BENCH_SCALE", "1"))


def scaled(count):
    """A multiple of what goes into one request."""
    return max(PER_REQUEST, int(count * SCALE) // PER_REQUEST * PER_REQUEST)



def alert(i, starts, severity):
    return {"labels": {"alertname": "Storm", "service": "checkout", "severity": severity, "pod": f"pod-{i}"},
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


def requests(count, starts, distinct, severity="critical"):
    return [json.dumps([alert((r * PER_REQUEST + i) % distinct, starts, severity) for i in range(PER_REQUEST)])
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
    count, known, storm, open_alerts = scaled(30_000), scaled(1_000), scaled(10_000), scaled(100_000)
    for name, port, headers in [("Alertmanager", am_port, json_headers), ("Faultline", faultline.port, ours)]:
        # What only lists does not mix with the storm below.
        send_all(port, requests(known, starts, known, "info"), headers)
        took, latencies = send_all(port, requests(count, starts, known, "info"), headers)
        print(f"{name}: {count / took:,.0f} repeated signals/s, p99 of a request {ms(p99(latencies))}")
    api = {"Authorization": f"Bearer {faultline.api}", "Content-Type": "application/json"}
    begun = time.perf_counter()
    took, _ = send_all(faultline.port, requests(storm, starts, storm), ours)

    def all_in_one():
        return faultline.get("/api/v1/alerts?incident=INC-1&limit=1")["total"] == storm

    wait_for("one incident", all_in_one, 120)
    print(f"Faultline: {storm:,} distinct alerts sent in {took:.1f} s, all in one incident after {time.perf_counter() - begun:.1f} s")
    assert faultline.get("/api/v1/incidents?limit=10")["total"] == 1, "one incident"
    statuses = ["investigating", "identified", "monitoring"] * 5
    bodies = [json.dumps({"status": s, "reason": "bench", "confirmed": True}) for s in statuses]
    took = timed(faultline.port, "/api/v1/incidents/INC-1/status", api, len(bodies), "POST", bodies)
    print(f"Faultline: status change of an incident with {storm:,} alerts, p50 {ms(statistics.median(took))}, worst of {len(took)}: {ms(took[-1])}")
    more = open_alerts - storm - known
    send_all(faultline.port, [json.dumps([alert(f"more-{r}-{i}", starts, "info") for i in range(100)]) for r in range(max(more, 0) // 100)], ours)
    # Every one of them, not nearly all.
    every = known + storm + max(more, 0) // 100 * 100
    wait_for("open alerts", lambda: faultline.get("/api/v1/alerts?status=firing&limit=1")["total"] == every, 300)
    total = faultline.get("/api/v1/alerts?status=firing&limit=1")["total"]
    cookie = {"Cookie": sign_in(faultline)}
    for name, port, path, headers in [
            ("Alertmanager", am_port, "/api/v2/alerts", {}),
            ("Faultline", faultline.port, "/alerts", cookie),
            ("Faultline", faultline.port, "/alerts?severity=critical&service=checkout", cookie),
            ("Faultline", faultline.port, "/api/v1/alerts?status=firing&limit=50", api),
            ("Faultline", faultline.port, "/incidents/INC-1", cookie)]:
        took = timed(port, path, headers, 200)
        of = f"{known:,}" if name == "Alertmanager" else f"{total:,}"
        print(f"{name}: {path} with {of} open alerts: p50 {ms(statistics.median(took))}, p99 {ms(p99(took))}, {len(took) / sum(took):,.0f} requests/s")


def p99(took):
    return sorted(took)[int(len(took) * .99)]


def sign_in(faultline):
    """The cookie of a new administrator's session."""
    faultline.command("user", "add", "bench@example.org", "--role", "admin", input="violet anchor drum 7\n")
    connection = http.client.HTTPConnection("127.0.0.1", faultline.port, timeout=60)
    form = "email=bench%40example.org&password=violet+anchor+drum+7"
    origin = f"http://127.0.0.1:{faultline.port}"
    connection.request("POST", "/login", form, {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin, "Sec-Fetch-Site": "same-origin"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 303, answer.status
    return answer.getheader("Set-Cookie").split(";")[0]


def reachable(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False


if __name__ == "__main__":
    main()
