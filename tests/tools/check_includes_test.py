#!/usr/bin/env python3
"""Tests of tools/check_includes.py on small trees, good and bad."""
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_includes  # noqa: E402


def breaches(files):
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return list(check_includes.check(root))


class CheckIncludes(unittest.TestCase):
    def assert_fine(self, name, text):
        self.assertEqual(breaches({name: text}), [])

    def assert_breach(self, name, text, line, words):
        found = breaches({name: text})
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"{name}:{line}: "), found[0])
        self.assertIn(words, found[0])

    def test_lets_a_module_use_what_lies_below_it(self):
        self.assert_fine("operator/rollout/advance.cpp",
                         '#include "gopacer/rollout/advance.h"\n#include <chrono>\n#include <tl/expected.hpp>\n#include "gopacer/judge/verdict.h"\n')
        self.assert_fine("operator/main.cpp", '#include "kube/client.h"\n#include <boost/asio/io_context.hpp>\n')

    def test_finds_a_dependency_that_points_up(self):
        self.assert_breach("operator/domain/trial.cpp", '#include <vector>\n\n#include "gopacer/decide/decision.h"\n', 3, "domain may not depend on decide")
        self.assert_breach("operator/judge/judge.cpp", '#include "kube/client.h"\n', 1, "judge may not depend on kube")

    def test_keeps_outer_modules_behind_their_ports(self):
        for module in ("watch", "observe", "act", "record", "control"):
            self.assert_breach(f"operator/{module}/a.cpp", '#include "kube/client.h"\n', 1, f"{module} may not depend on kube")
        self.assert_breach("operator/kube/client.cpp", '#include "watch/store.h"\n', 1, "kube may not depend on watch")

    def test_keeps_libraries_out_of_pure_modules(self):
        for header in ("boost/asio/io_context.hpp", "cpprest/json.h", "nlohmann/json.hpp", "spdlog/spdlog.h", "unistd.h", "sys/time.h"):
            for name in ("operator/decide/model.cpp", "operator/simulate/pacer.h", "include/gopacer/domain/trial.h"):
                found = breaches({name: f"#include <{header}>\n"})
                self.assertTrue(any("a pure module includes" in breach for breach in found), (name, header, found))

    def test_keeps_public_headers_public(self):
        self.assert_breach("include/gopacer/decide/model.h", '#include "base/backoff.h"\n', 1, "public headers only")

    def test_keeps_cpprest_in_kube_and_beast_in_net(self):
        self.assert_fine("operator/kube/transport.cpp", "#include <cpprest/http_client.h>\n")
        self.assert_fine("operator/net/fetcher.cpp", "#include <boost/beast/http.hpp>\n")
        self.assert_breach("operator/watch/reflector.cpp", "#include <cpprest/http_client.h>\n", 1, "belongs into kube")
        self.assert_breach("operator/watch/reflector.cpp", "#include <pplx/pplxtasks.h>\n", 1, "belongs into kube")
        self.assert_breach("operator/observe/scraper.cpp", "#include <boost/beast/core.hpp>\n", 1, "belongs into net")

    def test_finds_a_pure_module_that_asks_for_the_time(self):
        self.assert_breach("operator/decide/model.cpp", "\nauto t = std::chrono::steady_clock::now();\n", 2, "never asks for the time")
        self.assert_breach("include/gopacer/domain/trial.h", "inline auto t() { return Clock::now (); }\n", 1, "never asks for the time")
        self.assert_breach("operator/judge/judge.cpp", "auto t = std::time(nullptr);\n", 1, "never asks for the time")
        self.assert_fine("operator/observe/scraper.cpp", "auto t = Clock::now();\n")
        self.assert_fine("operator/decide/model.cpp", "auto t = clock.now();\n")

    def test_does_not_read_comments(self):
        self.assert_fine("operator/decide/model.cpp", '// #include "kube/client.h"\n/* Clock::now()\n#include <boost/asio.hpp>\n*/\n')
        self.assert_breach("operator/decide/model.cpp", 'auto url = "http://"; auto t = Clock::now();\n', 1, "never asks for the time")

    def test_asks_for_a_place_for_what_it_does_not_know(self):
        self.assert_breach("operator/wizard/wand.cpp", "\n", 1, "module 'wizard' is not known")
        self.assert_breach("operator/watch/store.cpp", '#include "queue.h"\n', 1, "does not say its module")
        self.assert_breach("operator/watch/store.cpp", '#include "fmt/core.h"\n', 1, "third-party headers stand in <>")

    def test_lets_an_outer_module_include_what_is_generated_for_it(self):
        self.assert_fine("operator/observe/cpu_profile.cpp", '#include "pprof.pb.h"\n')
        self.assert_breach("operator/decide/model.cpp", '#include "pprof.pb.h"\n', 1, "does not say its module")

    def test_does_not_pass_a_tree_without_sources(self):
        self.assertEqual(len(breaches({"README.md": ""})), 1)

    def test_has_a_table_without_circles(self):
        seen = set()
        while len(seen) < len(check_includes.ALLOWED):
            free = {module for module, below in check_includes.ALLOWED.items() if module not in seen and set(below) <= seen}
            self.assertTrue(free, f"a circle among {set(check_includes.ALLOWED) - seen}")
            seen |= free


if __name__ == "__main__":
    unittest.main()
