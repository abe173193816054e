"""A storm while the process is killed again and again: what was acknowledged is there, nothing twice."""

import json
import random
import sqlite3
import tempfile
import threading
import time
import unittest

from faultline import Faultline, wait_for

SENDERS = 4
BATCHES = 60
PER_BATCH = 25


class Stop(unittest.TestCase):
    def test_a_stop_in_a_storm_is_orderly_and_loses_nothing(self):
        faultline = Faultline()
        self.addCleanup(faultline.close)
        with tempfile.TemporaryFile("w+") as log:
            faultline.start(log)
            alerts = [{"labels": {"alertname": "Stop", "service": "checkout", "pod": f"pod-{i}"}} for i in range(200)]
            for _ in range(20):
                self.assertEqual(faultline.send("/api/v2/alerts", alerts)[0], 200)
            # While it still works them off.
            faultline.stop()
            self.assertEqual(faultline.process.returncode, 0)
            log.seek(0)
            self.assertEqual(log.read(), "", "warnings at the stop")
        faultline.start()
        wait_for("all alerts", lambda: faultline.get("/api/v1/alerts?limit=1")["total"] == 200)


class Storm(unittest.TestCase):
    def test_sigkill_loses_no_acknowledged_signal_and_doubles_none(self):
        faultline = Faultline().start()
        self.addCleanup(faultline.close)
        acknowledged, lock = set(), threading.Lock()

        def sender(number):
            for batch in range(BATCHES):
                alerts = [
                    {"status": "firing", "labels": {"alertname": "Storm", "service": "checkout", "severity": "critical"},
                     "annotations": {"summary": "storm"}, "startsAt": "2026-01-02T03:04:05Z", "endsAt": "0001-01-01T00:00:00Z",
                     "fingerprint": f"{number}-{batch}-{i}"}
                    for i in range(PER_BATCH)
                ]
                # As Alertmanager does: again until it is acknowledged.
                while True:
                    answer = faultline.send("/ingest/alerts/alertmanager", {"version": "4", "alerts": alerts}, timeout=5)
                    if answer and answer[0] == 202:
                        break
                    self.assertIn(answer and answer[0], (None, 503), answer)
                    time.sleep(0.05)
                with lock:
                    acknowledged.add(json.loads(answer[1])["delivery"])

        threads = [threading.Thread(target=sender, args=(n,)) for n in range(SENDERS)]
        for thread in threads:
            thread.start()
        moments = random.Random(4711)
        kills = 0
        while any(t.is_alive() for t in threads):
            time.sleep(moments.uniform(0.1, 0.6))
            if kills < 6:
                faultline.kill()
                faultline.start()
                kills += 1
        for thread in threads:
            thread.join()
        self.assertGreater(kills, 0)
        total = SENDERS * BATCHES * PER_BATCH

        def done():
            with sqlite3.connect(f"file:{faultline.database}?mode=ro", uri=True) as db:
                return db.execute("SELECT COUNT(*) FROM deliveries WHERE status = 'pending'").fetchone()[0] == 0
        wait_for("the inbox to empty", done)
        with sqlite3.connect(f"file:{faultline.database}?mode=ro", uri=True) as db:
            kept = {row[0] for row in db.execute("SELECT id FROM deliveries WHERE status = 'processed'")}
            alerts, keys = db.execute("SELECT COUNT(*), COUNT(DISTINCT dedup_key) FROM alerts").fetchone()
            signals = db.execute("SELECT COUNT(*) FROM signals").fetchone()[0]
        self.assertEqual(acknowledged - kept, set(), "every acknowledged delivery is there")
        self.assertEqual((alerts, keys, signals), (total, total, total), "each alert and each signal once")
        print(f"{total} signals, {kills} kills, {len(acknowledged)} acknowledged deliveries, {len(kept)} kept")


if __name__ == "__main__":
    unittest.main()
