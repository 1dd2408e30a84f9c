#!/usr/bin/env python3
"""The table of a profile's fields (operator/codec/spec_fields.h), the definitions of profiles and trials, and the reference page say
the same of each field: that it is there, what it is when left out, and its bounds. Needs no cluster."""

import pathlib
import re
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


def schema(kind):
    crd = yaml.safe_load((ROOT / f"crds/gopacer.dev_goruntime{kind}.yaml").read_text())
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]


def in_ms(duration):
    return sum(int(n) * UNITS[unit] for n, unit in re.findall(r"(\d+)(ms|s|m|h)", duration))


def bounds_of(field):
    """Least and most of a field of a definition; durations in milliseconds, and none where there are none."""
    if field["type"] == "integer":
        return field.get("minimum"), field.get("maximum")
    for rule in field.get("x-kubernetes-validations", []):
        found = re.search(r"duration\(self\) >= duration\('(\w+)'\) && duration\(self\) <= duration\('(\w+)'\)", rule["rule"])
        if found:
            return in_ms(found[1]), in_ms(found[2])
    return None


def fields_of(schema, path=""):
    if "properties" in schema:
        for name, child in schema["properties"].items():
            yield from fields_of(child, f"{path}.{name}" if path else name)
    elif isinstance(schema.get("items"), dict):
        yield from fields_of(schema["items"], f"{path}[]")
    else:
        yield path, schema


def table():
    """What spec_fields.h says: path → (default, kind, bounds)."""
    text = (ROOT / "operator/codec/spec_fields.h").read_text()
    names = {f"detail::k{unit}": ms for unit, ms in (("Second", 1000), ("Minute", 60_000), ("Hour", 3_600_000))}

    def number(expression):
        value = 1
        for factor in expression.split("*"):
            factor = factor.strip()
            value *= names[factor] if factor in names else int(factor.replace("'", ""))
        return value

    rows = {}
    for path, default, rest in re.findall(r'SpecField\{\s*"([^"]+)",\s*"([^"]*)"([^}]*)\}', text):
        parts = [part.strip() for part in rest.split(",")[1:]]
        kind = parts[0].removeprefix("FieldKind::k") if parts else "Text"
        bounds = (number(parts[1]), number(parts[2])) if len(parts) == 3 else None
        rows[path] = (default, kind, bounds)
    return rows


def as_text(default):
    return str(default).lower() if isinstance(default, bool) else "" if default is None else str(default)


class Fields(unittest.TestCase):
    def setUp(self):
        self.table = table()
        self.profile = dict(fields_of(schema("profiles")))
        self.page = dict((name, (default.strip("`\" "), allowed.strip())) for name, default, allowed in re.findall(
            r"^\| `([\w.\[\]]+)` \|([^|]*)\|([^|]*)\|", (ROOT / "docs/profile-reference.md").read_text(), re.MULTILINE))

    def test_are_the_same_in_the_table_and_in_the_definition(self):
        self.assertGreater(len(self.table), 30, "the table was not understood")
        self.assertEqual(sorted(self.table), sorted(self.profile))

    def test_have_the_same_defaults_and_bounds_everywhere(self):
        for path, (default, kind, bounds) in self.table.items():
            with self.subTest(path):
                field = self.profile[path]
                self.assertEqual(as_text(field.get("default")), default)
                self.assertEqual({"integer": "Integer", "boolean": "Boolean"}.get(field["type"], "Duration" if bounds_of(field) else "Text"), kind)
                self.assertEqual(bounds_of(field), bounds)
                shown, allowed = self.page[path.removeprefix("slos[].")]
                if default:
                    self.assertEqual(shown, default)
                if bounds:
                    found = re.match(r"(\w+) to (\w+)", allowed)
                    self.assertTrue(found, f"the page has no bounds: {allowed}")
                    of_page = tuple(in_ms(x) if kind == "Duration" else int(x) for x in found.groups())
                    self.assertEqual(of_page, bounds)

    def test_that_a_trial_takes_over_have_the_same_bounds_there(self):
        trial = dict(fields_of(schema("trials")))
        taken = {path: path for path in trial if path in self.table and (path.startswith("canary.") or path.startswith("slos[]."))}
        taken["canary.watchFor"] = "rollback.watchFor"
        taken.pop("slos[].podHistogram.quantile")
        # Steps are pods there, and several of one size are one.
        for path in ("canary.replicas", "canary.steps[].pause"):
            taken.pop(path)
        compared = 0
        for path, origin in taken.items():
            if self.table[origin][2] is None:
                continue
            compared += 1
            with self.subTest(path):
                self.assertEqual(bounds_of(trial[path]), self.table[origin][2])
        self.assertGreaterEqual(compared, 8)


if __name__ == "__main__":
    unittest.main(verbosity=2)
