"""Debian's Prometheus and Alertmanager, configured for us: a target that stops becomes an incident."""

import http.server
import pathlib
import subprocess
import tempfile
import threading
import unittest

from faultline import Faultline, free_port, wait_for

RULES = """
groups:
  - name: shop
    rules:
      - alert: CheckoutDown
        expr: up{job="checkout"} == 0
        labels: {severity: critical, service: checkout}
        annotations: {summary: "Checkout does not answer", runbook_url: "https://runbooks.example/checkout"}
"""


class Target(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(b"shop_requests_total 1\n")

    def log_message(self, *_):
        pass


class Service:
    """What Prometheus watches; the test stops and starts it."""

    def __init__(self):
        self.port = free_port()
        self.server = None

    def start(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Target)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Senders(unittest.TestCase):
    def setUp(self):
        self.faultline = Faultline().start()
        self.addCleanup(self.faultline.close)
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        (self.path / "rules.yml").write_text(RULES)
        self.service = Service()
        self.service.start()

    def run_program(self, *args):
        log = open(self.path / f"{args[0]}.log", "wb")
        self.addCleanup(log.close)
        process = subprocess.Popen(args, cwd=self.path, stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)

    def prometheus(self, alertmanagers):
        (self.path / "prometheus.yml").write_text(f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: checkout
    static_configs: [{{targets: ['127.0.0.1:{self.service.port}']}}]
alerting:
  alertmanagers:
{alertmanagers}""")
        self.run_program(
            "prometheus", "--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{free_port()}",
            "--storage.tsdb.path=data", "--rules.alert.resend-delay=2s")

    def alerts(self, query):
        return self.faultline.get(f"/api/v1/alerts?{query}")["items"]

    def story(self, source):
        """Down, an incident with the alert's own start, up again, over."""
        self.service.stop()
        alert = wait_for("the alert", lambda: self.alerts("status=firing"))[0]
        self.assertEqual((alert["source"], alert["service"], alert["severity"]), (source, "checkout", "critical"))
        alert = wait_for("the incident", lambda: self.alerts("status=firing&incident=any"), 90)[0]
        incident = self.faultline.get(f"/api/v1/incidents/{alert['incident']}")
        text = str(incident)
        self.assertIn(alert["started_at"], text, "impact and detection are the alert's startsAt")
        self.assertIn("checkout", text)
        self.service.start()
        over = wait_for("the end", lambda: self.alerts("status=resolved"), 90)[0]
        self.assertEqual((over["id"], over["episodes"]), (alert["id"], 1))
        self.assertGreater(over["ended_at"], over["started_at"])
        return over

    def test_prometheus_sends_straight_to_us(self):
        self.prometheus(f"""    - api_version: v2
      authorization: {{credentials: {self.faultline.ingest}}}
      static_configs: [{{targets: ['127.0.0.1:{self.faultline.port}']}}]""")
        over = self.story("prometheus")
        self.assertGreater(over["count"], 1, "repeats are counted, not listed")

    def test_alertmanager_sends_its_webhook_with_the_same_fingerprint(self):
        port = free_port()
        (self.path / "alertmanager.yml").write_text(f"""
route: {{receiver: faultline, group_by: [alertname], group_wait: 1s, group_interval: 1s}}
receivers:
  - name: faultline
    webhook_configs:
      - url: {self.faultline.url}/ingest/alerts/alertmanager
        send_resolved: true
        http_config: {{authorization: {{credentials: {self.faultline.ingest}}}}}
""")
        self.run_program(
            "prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=am",
            f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=")
        # Both paths at once: the same alert by the same fingerprint, so there is one.
        self.prometheus(f"""    - api_version: v2
      static_configs: [{{targets: ['127.0.0.1:{port}']}}]
    - api_version: v2
      authorization: {{credentials: {self.faultline.ingest}}}
      static_configs: [{{targets: ['127.0.0.1:{self.faultline.port}']}}]""")
        self.service.stop()
        wait_for("two sources", lambda: len({d for d in self.sources()}) == 2)
        self.assertEqual(len(self.alerts("status=all")), 1)

    def sources(self):
        import sqlite3
        with sqlite3.connect(f"file:{self.faultline.database}?mode=ro", uri=True) as db:
            return [r[0] for r in db.execute("SELECT DISTINCT source FROM deliveries WHERE status = 'processed'")]


if __name__ == "__main__":
    unittest.main()
