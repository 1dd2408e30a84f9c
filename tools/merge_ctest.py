#!/usr/bin/env python3
"""Makes one ctest tree of tests from several build directories, so that one run and one summary cover them all.

merge_ctest.py [--once-more LABEL] OUT BUILD_DIR:CTEST_ARGUMENTS...
merge_ctest.py build/all build/asan:'-LE cluster' build/release:'-L cluster'

Tests with LABEL may fail once: tools/once_more.sh runs them again, and keeps the first failure in OUT/first_failures/.
"""
import json
import pathlib
import shlex
import shutil
import subprocess
import sys


ONCE_MORE = pathlib.Path(__file__).resolve().parent / "once_more.sh"
LONGEST_SECONDS = 1500  # ctest's own, where a test names none


def quoted(value):
    """A CMake bracket argument, in which nothing has a meaning."""
    text = str(value)
    level = 0
    while f"]{'=' * level}]" in f"{text}]":  # its own last bracket may be the first of the end
        level += 1
    return f"[{'=' * level}[{text}]{'=' * level}]"


def property_value(value):
    return ";".join(map(str, value)) if isinstance(value, list) else value


def tests_of(build, arguments):
    listing = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1", *arguments], check=True, capture_output=True, text=True)
    return json.loads(listing.stdout)["tests"]


def allow_one_failure(test, directory):
    """Each of the two attempts gets the time that the test has."""
    timeouts = [entry for entry in test["properties"] if entry["name"] == "TIMEOUT"]
    seconds = timeouts[0]["value"] if timeouts else LONGEST_SECONDS
    test["command"] = [ONCE_MORE, f"{seconds:g}", directory / test["name"].replace("/", "_"), *test["command"]]
    test["properties"] = [entry for entry in test["properties"] if entry["name"] != "TIMEOUT"]
    test["properties"].append({"name": "TIMEOUT", "value": 2 * seconds + 10})


def main():
    arguments, label = sys.argv[1:], None
    if arguments[:1] == ["--once-more"]:
        label, arguments = arguments[1], arguments[2:]
    if len(arguments) < 2:
        sys.exit(__doc__)
    out = pathlib.Path(arguments[0])
    first_failures = out.resolve() / "first_failures"
    shutil.rmtree(first_failures, ignore_errors=True)
    lines, names = [], set()
    for argument in arguments[1:]:
        build, _, selection = argument.partition(":")
        for test in tests_of(build, shlex.split(selection)):
            name = test["name"]
            if name in names:
                sys.exit(f"merge_ctest: two tests are called {name}; select each from one build directory")
            if "command" not in test:
                sys.exit(f"merge_ctest: {name} of {build} has no program; build all tests first")
            names.add(name)
            if label and any(entry["name"] == "LABELS" and label in entry["value"] for entry in test.get("properties", [])):
                allow_one_failure(test, first_failures)
            lines.append(f"add_test({quoted(name)} {' '.join(map(quoted, test['command']))})")
            properties = [(entry["name"], property_value(entry["value"])) for entry in test.get("properties", [])]
            if properties:
                lines.append(f"set_tests_properties({quoted(name)} PROPERTIES {' '.join(f'{key} {quoted(value)}' for key, value in properties)})")
    if not names:
        sys.exit("merge_ctest: no tests were found")
    out.mkdir(parents=True, exist_ok=True)
    (out / "CTestTestfile.cmake").write_text("\n".join(lines) + "\n")
    print(len(names))


if __name__ == "__main__":
    main()
