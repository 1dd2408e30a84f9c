#!/usr/bin/env python3
"""Enforces the dependency rule by reading the includes: modules depend one way, and the pure ones on nothing but values.

check_includes.py [ROOT]      prints one line per breach, exit code 1 if there is any

Three rules:
 1. A module includes only the modules that ALLOWED lists for it; public headers (include/gopacer) only public headers.
 2. A pure module includes the standard library and tl::expected, and never asks for the time.
 3. A third-party library with a say in how a program is built stays in the modules that LIBRARIES lists for it.
"""
import pathlib
import re
import sys

PURE = {"base", "domain", "decide", "judge", "policy", "rollout", "simulate"}

_VALUES = {"base", "domain"}
_DECISIONS = {"decide", "judge", "policy", "rollout"}
_EDGES = {"ports", "codec"}  # what the outer modules ask of the world, and how values are written as JSON
ALLOWED = {
    "base": set(),
    "domain": {"base"},
    "decide": _VALUES,
    "judge": _VALUES,
    "policy": _VALUES | {"decide", "judge"},
    "rollout": _VALUES | {"decide", "judge", "policy"},
    "simulate": _VALUES | {"decide"},
    "codec": _VALUES | _DECISIONS | {"ports", "simulate"},
    "ports": _VALUES,
    "kube": _VALUES | _EDGES,
    "net": _VALUES | {"ports"},
    "watch": _VALUES | _EDGES,
    "observe": _VALUES | _EDGES,
    "apply": _VALUES | _EDGES,
    "act": _VALUES | _DECISIONS | _EDGES,
    "record": _VALUES | _DECISIONS | _EDGES,
    "control": _VALUES | _DECISIONS | _EDGES | {"watch", "observe", "apply", "act", "record"},
    "cli": _VALUES | _DECISIONS | _EDGES | {"simulate", "watch", "observe", "apply", "act", "record", "control", "kube", "net"},
}

LIBRARIES = {
    re.compile(r"^(cpprest|pplx)/"): {"kube"},
    re.compile(r"^boost/beast"): {"net"},
    re.compile(r"^boost/asio"): {"net", "observe", "control", "cli"},
    re.compile(r"^yaml-cpp/"): {"kube", "cli"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|("(?:\\.|[^"\\\n])*")', re.DOTALL)
CLOCK_READ = re.compile(r"::\s*now\s*\(|\b(?:gettimeofday|clock_gettime|std::time|time)\s*\(\s*(?:&|nullptr|NULL|0|CLOCK)")
STANDARD = re.compile(r"^[a-z_0-9]+$")  # no directory, no .h


def module_of_include(path):
    """The module that a quoted include names, or None if it names none of ours."""
    parts = path.split("/")
    if parts[0] == "gopacer" and len(parts) > 2:
        return parts[1]
    return parts[0] if len(parts) > 1 else None


def without_comments(text):
    # Keeps string literals, the other thing in which // may stand, and all line breaks.
    return COMMENT.sub(lambda match: match.group(1) or "\n" * match.group(0).count("\n"), text)


def breaches_of(relative, text):
    parts = relative.split("/")
    public = parts[0] == "include"
    is_main = len(parts) == 2  # operator/main.cpp puts everything together
    module = None if is_main else parts[2 if public else 1]
    if module is not None and module not in ALLOWED:
        yield 1, f"module '{module}' is not known; give it a line in ALLOWED of tools/check_includes.py"
        return
    pure = public or module in PURE
    allowed = ALLOWED.get(module, set())
    text = without_comments(text)

    for match in INCLUDE.finditer(text):
        quote, path = match.groups()
        line = text.count("\n", 0, match.start(2)) + 1
        if quote == '"':
            other = module_of_include(path)
            if path.endswith(".pb.h") and "/" not in path and not pure:
                pass  # generated from the module's own .proto
            elif other is None:
                yield line, f'"{path}" does not say its module; write "{module}/{path}"'
            elif other not in ALLOWED:
                yield line, f'"{path}" is not ours; third-party headers stand in <>'
            elif public and not path.startswith("gopacer/"):
                yield line, f'a public header may include public headers only, not "{path}"'
            elif not is_main and other not in allowed | {module}:
                yield line, f"{module} may not depend on {other} (\"{path}\"); it may use {', '.join(sorted(allowed)) or 'nothing'}"
            continue
        if pure and not (STANDARD.match(path) or path == "tl/expected.hpp"):
            yield line, f"a pure module includes the standard library and tl::expected only, not <{path}>"
        for library, homes in LIBRARIES.items():
            if library.search(path) and not is_main and module not in homes:
                yield line, f"<{path}> belongs into {' or '.join(sorted(homes))}, not into {module}"

    if pure and module != "base":
        for match in CLOCK_READ.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, "a pure module never asks for the time; take it as an argument"


def check(root):
    """Yields 'path:line: what is wrong and what to do' for every breach below root."""
    files = [path for top in ("include/gopacer", "operator") for path in (root / top).rglob("*") if path.suffix in {".h", ".cpp"}]
    if not files:
        yield f"{root}: no sources found below include/gopacer and operator; give the root of the checkout"
    for path in sorted(files):
        relative = path.relative_to(root).as_posix()
        for line, message in breaches_of(relative, path.read_text(encoding="utf-8")):
            yield f"{relative}:{line}: {message}"


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    breaches = list(check(root))
    print(*breaches, sep="\n", end="\n" if breaches else "")
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
