#!/usr/bin/env python3
"""Tests of tools/check_includes.py on small trees, good and bad."""
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_includes  # noqa: E402


def on_tree(files, look):
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return look(root)


def breaches(files):
    return on_tree(files, lambda root: list(check_includes.check(root)))


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
                         '#include "gopacer/rollout/advance.h"\n#include <chrono>\n#include <tl/expected.hpp>\n#include "gopacer/policy/rules.h"\n')
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

    def test_has_a_table_that_points_one_way_and_places_for_all_in_the_drawing(self):
        modules = list(check_includes.ALLOWED)
        for place, module in enumerate(modules):
            self.assertLessEqual(check_includes.ALLOWED[module], set(modules[:place]), module)
        placed = [module for layer in check_includes.LAYERS.values() for module in layer]
        self.assertEqual(sorted(placed), sorted(["main", *modules]))

    def test_finds_what_is_allowed_and_not_used(self):
        uses = {"operator/policy/rules.cpp": '#include "gopacer/judge/verdict.h"\n', "operator/kube/transport.cpp": "#include <pplx/threadpool.h>\n"}
        found = on_tree(uses, lambda root: list(check_includes.check_allowances(root)))
        of_policy = [line for line in found if " policy may use " in line]
        self.assertEqual(of_policy, ["tools/check_includes.py: policy may use decide and does not; take decide out of its line in ALLOWED"])
        self.assertFalse([line for line in found if "pplx" in line], found)
        self.assertTrue([line for line in found if line.startswith("tools/check_includes.py: net may use ^boost/")], found)

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


PAGE = "docs/architecture.md"
HOUSE = {
    "operator/main.cpp": '#include "cli/commands.h"\n',
    "operator/cli/commands.cpp": '#include "gopacer/decide/decision.h"\n#include "gopacer/domain/trial.h"\n// #include "kube/client.h"\n',
    "include/gopacer/decide/decision.h": '#include "gopacer/domain/trial.h"\n#include "gopacer/base/units.h"\n',
    "operator/domain/trial.cpp": '#include "gopacer/domain/trial.h"\n#include "gopacer/base/units.h"\n',
    PAGE: "# The house\n" + check_includes.BEGIN + "old\n" + check_includes.END + "The rest.\n",
}


class Drawing(unittest.TestCase):
    def test_has_the_arrows_that_do_not_follow_from_others(self):
        arrows = [line.strip() for line in on_tree(HOUSE, check_includes.drawing).splitlines() if "-->" in line]
        self.assertEqual(arrows, ["main --> cli", "cli --> decide", "decide --> domain", "domain --> base"])

    def test_has_each_module_that_is_there_in_its_layer(self):
        drawn = on_tree(HOUSE, check_includes.drawing)
        self.assertIn('subgraph layer0["put together"]\n    main\n    cli\n  end\n', drawn)
        self.assertNotIn("kube", drawn)

    def test_ends_even_where_modules_include_each_other(self):
        circle = {"operator/decide/a.cpp": '#include "judge/b.h"\n', "operator/judge/b.cpp": '#include "decide/a.h"\n'}
        self.assertIn("graph TD", on_tree(circle, check_includes.drawing))

    def test_is_found_to_be_old_and_is_written_anew(self):
        def draw(root):
            before = list(check_includes.check_page(root))
            (root / PAGE).write_text(check_includes.redrawn(root)[1])
            return before, list(check_includes.check_page(root)), (root / PAGE).read_text()

        before, after, text = on_tree(HOUSE, draw)
        self.assertIn(f"{PAGE}: the drawing is not what the includes say; run tools/check_includes.py --drawing", before)
        self.assertFalse([line for line in after if "drawing" in line], after)
        self.assertTrue(text.startswith("# The house\n") and text.endswith("The rest.\n"), text)
        self.assertNotIn("old\n", text)

    def test_stands_beside_a_table_that_has_each_module(self):
        page = HOUSE[PAGE] + "".join(f"| `{module}` | what it is for |\n" for module in check_includes.ALLOWED if module != "judge")
        found = on_tree({**HOUSE, PAGE: page}, lambda root: list(check_includes.check_page(root)))
        self.assertEqual([line for line in found if "table" in line],
                         [f"{PAGE}: the table of modules has no line for judge; say there what it is for"])


if __name__ == "__main__":
    unittest.main()
