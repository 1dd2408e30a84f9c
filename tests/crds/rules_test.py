#!/usr/bin/env python3
"""The chart's alerts and dashboards. Each alert has its runbook and its unit tests, and each query finds something in a real Prometheus
that has read gopacer's own page. Needs no cluster, but Debian's prometheus.

METRICS_PAGE is the built program that prints such a page.
"""

import http.server
import itertools
import json
import math
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import yaml

from harness import ROOT, eventually

CHART = ROOT / "charts/gopacer"
# What Grafana would put in. One window for all: whatever there is to see is younger.
VARIABLES = {"$__rate_interval": "2m", "$__range": "1h", "$window": "1h", "$namespace": "shop", "$profile": "checkout", "$metric": "latency-p99"}


def alerts():
    """Each alert's rule by its name."""
    found = {}
    for file in sorted((CHART / "rules").glob("*.yaml")):
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                assert rule["alert"] not in found, f"{rule['alert']} is there twice"
                found[rule["alert"]] = rule
    return found


def dashboards():
    return {file.stem: json.loads(file.read_text()) for file in sorted((CHART / "dashboards").glob("*.json"))}


def unit_tests():
    return sorted((ROOT / "tests/rules").glob("*.yaml"))


class Alerts(unittest.TestCase):
    def test_say_how_bad_it_is_of_which_profile_and_where_to_read_on(self):
        for name, rule in alerts().items():
            with self.subTest(name):
                notes = rule["annotations"]
                self.assertIn(rule["labels"]["severity"], ("critical", "warning", "info"))
                self.assertEqual(notes["runbook"], f"docs/alerts.md#{name.lower()}")
                if "(namespace, profile)" in rule["expr"]:
                    self.assertTrue(notes["summary"].startswith("{{ $labels.namespace }}/{{ $labels.profile }}: "))
                    self.assertIn("{{ $labels.namespace }}/{{ $labels.profile }}", notes["description"])
                    self.assertIn("{{ $value ", notes["description"])

    def test_have_a_section_each_that_says_what_to_do(self):
        page = (ROOT / "docs/alerts.md").read_text()
        sections = dict(re.findall(r"^## (Gopacer\w+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
        self.assertEqual(sorted(sections), sorted(alerts()))
        for name, text in sections.items():
            with self.subTest(name):
                for part in ("**Means:**", "**Look at**", "**Do"):
                    self.assertIn(part, text)

    def test_fire_when_they_should_with_the_right_words_and_not_otherwise(self):
        for file in unit_tests():
            with self.subTest(file.name):
                result = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=60)
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_are_each_seen_to_fire_and_to_keep_quiet(self):
        expected = {True: set(), False: set()}
        for file in unit_tests():
            for case in yaml.safe_load(file.read_text())["tests"]:
                for check in case["alert_rule_test"]:
                    expected[bool(check["exp_alerts"])].add(check["alertname"])
        self.assertEqual(expected[True], set(alerts()))
        self.assertEqual(expected[False], set(alerts()))


class Dashboards(unittest.TestCase):
    def test_are_what_the_generator_writes(self):
        result = subprocess.run([str(ROOT / "tools/dashboards.py"), "--check"], capture_output=True, text=True, timeout=30)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_need_no_plugins_and_ask_the_data_source_that_is_chosen(self):
        self.assertEqual(sorted(dashboards()), ["fleet", "gc-jitter", "profile"])
        for name, dashboard in dashboards().items():
            for panel in dashboard["panels"]:
                with self.subTest(f"{name}: {panel['title']}"):
                    self.assertIn(panel["type"], ("row", "stat", "timeseries", "table", "bargauge"))
                    for target in panel.get("targets", []):
                        self.assertEqual(target["datasource"], {"type": "prometheus", "uid": "${datasource}"})

    def test_have_a_line_each_in_their_page(self):
        page = (ROOT / "docs/dashboards.md").read_text()
        self.assertEqual(set(re.findall(r"dashboards/([\w-]+)\.json", page)), set(dashboards()))


class Pages(http.server.BaseHTTPRequestHandler):
    """Of an operator that leads and has all sorts of trouble, further on with each request; and of one that stands by."""

    passed = itertools.count(1)

    def do_GET(self):
        arguments = ["standby"] if self.path == "/standby" else ["leading", str(next(self.passed))]
        page = subprocess.run([os.environ["METRICS_PAGE"], *arguments], check=True, stdout=subprocess.PIPE, timeout=30).stdout
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass


class Page(unittest.TestCase):
    def test_keeps_to_the_conventions(self):
        page = subprocess.run([os.environ["METRICS_PAGE"], "leading", "3"], capture_output=True, check=True, timeout=60).stdout
        result = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, timeout=60)
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, b""))


class Queries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        place = tempfile.TemporaryDirectory(prefix="gopacer-prometheus-")
        cls.addClassCleanup(place.cleanup)
        cls.start(pathlib.Path(place.name), cls.serve_pages())
        # Whatever can be found is found soon after. All queries share the time, so that several bad ones do not add up.
        cls.deadline = time.monotonic() + 60

    @classmethod
    def serve_pages(cls):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        cls.addClassCleanup(server.server_close)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        cls.addClassCleanup(thread.join)
        cls.addClassCleanup(server.shutdown)
        return f"127.0.0.1:{server.server_port}"

    @classmethod
    def start(cls, place, pages):
        def job(name, page, *instances):
            read = [{"targets": [pages], "labels": {"instance": instance}} for instance in instances]
            return {"job_name": name, "honor_labels": True, "metrics_path": page, "static_configs": read}

        # Two leaders, as there are for a moment when one takes over: no query may stumble over that.
        jobs = [job("gopacer", "/leading", "a", "b"), job("standby", "/standby", "c")]
        config = place / "prometheus.yml"
        config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}))
        log = place / "log"
        with log.open("w") as messages:
            cls.prometheus = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={place / 'data'}", "--web.listen-address=127.0.0.1:0"],
                stdout=messages, stderr=messages)
        cls.addClassCleanup(cls.prometheus.wait, 30)
        cls.addClassCleanup(cls.prometheus.terminate)

        def is_ready():
            if cls.prometheus.poll() is not None:
                raise AssertionError(f"Prometheus did not start:\n{log.read_text()}")
            return "Server is ready" in log.read_text()

        eventually(is_ready)
        cls.base = "http://" + re.search(r"Listening on\"? address=(127\.0\.0\.1:\d+)", log.read_text())[1]

    def ask(self, path, **parameters):
        try:
            with urllib.request.urlopen(f"{self.base}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {json.load(error)['error']}") from error

    def figures(self, query):
        # A minute ahead: subqueries look at whole minutes only, and no minute may have ended since the start.
        found = self.ask("query", query=query, time=time.time() + 60)["result"]
        return [float(one["value"][1]) for one in found]

    def assert_finds_something(self, query):
        for variable, value in VARIABLES.items():
            query = query.replace(variable, value)
        self.assertNotIn("$", query, "this test knows nothing of that variable")
        while not any(math.isfinite(figure) for figure in self.figures(query)):
            self.assertLess(time.monotonic(), self.deadline, f"finds nothing, or nothing that is a number: {query}")
            time.sleep(0.1)

    def test_of_each_alert_find_the_trouble(self):
        for name, rule in alerts().items():
            with self.subTest(name):
                self.assert_finds_something(rule["expr"])

    def test_of_each_panel_find_something(self):
        for name, dashboard in dashboards().items():
            for panel in dashboard["panels"]:
                for target in panel.get("targets", []):
                    with self.subTest(f"{name}: {panel['title']} ({target['legendFormat'] or target['refId']})"):
                        self.assert_finds_something(target["expr"])

    def test_of_each_choice_find_what_the_others_are_about(self):
        for name, dashboard in dashboards().items():
            for variable in dashboard["templating"]["list"]:
                if variable["type"] != "query":
                    continue
                with self.subTest(f"{name}: {variable['name']}"):
                    [(chosen_from, label)] = re.findall(r"^label_values\((.+), (\w+)\)$", variable["definition"])
                    for other, value in VARIABLES.items():
                        chosen_from = chosen_from.replace(other, value)
                    eventually(lambda: VARIABLES[f"${variable['name']}"] in self.ask(f"label/{label}/values", **{"match[]": chosen_from}))


if __name__ == "__main__":
    unittest.main(verbosity=2)
