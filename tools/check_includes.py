#!/usr/bin/env python3
"""Enforces the dependency rule by reading the includes: modules depend one way, and the pure ones on nothing but values.

check_includes.py [ROOT]             prints one line per breach, exit code 1 if there is any
check_includes.py --drawing [ROOT]   draws the modules in docs/architecture.md as the includes are

Five rules:
 1. A module includes only the modules that ALLOWED lists for it; public headers (include/gopacer) only public headers.
 2. A pure module includes the standard library and tl::expected, and never asks for the time.
 3. A third-party library with a say in how a program is built stays in the modules that LIBRARIES lists for it.
 4. ALLOWED and LIBRARIES allow nothing that no include uses.
 5. The drawing in docs/architecture.md is what the includes say, and its table has each module.
"""
import pathlib
import re
import sys

# From the outside to the inside, as they are drawn.
LAYERS = {
    "put together": ["main", "cli", "control"],
    "outer: talks to the world": ["kube", "net", "watch", "observe", "apply", "act", "record", "notify", "runtime_memory", "gc_probe", "agent"],
    "edges: ports and codec": ["codec", "ports"],
    "pure: values and decisions": ["rollout", "policy", "judge", "simulate", "decide", "domain", "base"],
}
PURE = set(LAYERS["pure: values and decisions"])

# Each module may use those above it in this table, so that there is no circle.
_VALUES = {"base", "domain"}  # for everybody
ALLOWED = {
    "base": set(),
    "domain": {"base"},
    "decide": _VALUES,
    "judge": _VALUES,
    "policy": _VALUES | {"decide", "judge"},
    "rollout": _VALUES | {"policy", "judge"},
    "simulate": _VALUES | {"decide", "judge", "rollout"},
    "ports": _VALUES,  # what the outer modules ask of the world
    "codec": _VALUES | {"ports", "simulate"},  # how values are written as JSON
    "kube": _VALUES | {"ports", "codec"},
    "net": _VALUES | {"ports"},
    "watch": _VALUES | {"ports", "codec"},
    "observe": _VALUES | {"ports", "codec"},
    "apply": _VALUES | {"ports", "codec"},
    "act": _VALUES | {"rollout", "ports", "codec"},
    "record": _VALUES | {"rollout", "ports", "codec"},
    "notify": _VALUES | {"ports", "codec"},
    "control": _VALUES | {"rollout", "ports", "codec", "watch", "observe", "apply", "act", "record"},
    "runtime_memory": _VALUES | {"decide"},
    "gc_probe": _VALUES | {"runtime_memory"},
    "agent": _VALUES | {"runtime_memory", "gc_probe", "ports", "codec", "watch"},
    "cli": _VALUES | {"runtime_memory", "agent", "decide", "simulate", "ports", "codec", "observe", "record", "notify", "control", "kube", "net"},
}

LIBRARIES = {
    re.compile(r"^(cpprest|pplx)/"): {"kube"},
    re.compile(r"^boost/(asio|beast)"): {"net"},
    re.compile(r"^yaml-cpp/"): {"kube"},
    re.compile(r"^bpf/"): {"gc_probe"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|("(?:\\.|[^"\\\n])*")', re.DOTALL)
CLOCK_READ = re.compile(r"::\s*now\s*\(|\b(?:gettimeofday|clock_gettime|std::time|time)\s*\(\s*(?:&|nullptr|NULL|0|CLOCK)")
STANDARD = re.compile(r"^[a-z_0-9]+$")  # no directory, no .h

PAGE = "docs/architecture.md"
BEGIN, END = "<!-- drawing: tools/check_includes.py --drawing -->\n", "<!-- end of the drawing -->\n"


def module_of_include(path):
    """The module that a quoted include names, or None if it names none of ours."""
    parts = path.split("/")
    if parts[0] == "gopacer" and len(parts) > 2:
        return parts[1]
    return parts[0] if len(parts) > 1 else None


def without_comments(text):
    # Keeps string literals, the other thing in which // may stand, and all line breaks.
    return COMMENT.sub(lambda match: match.group(1) or "\n" * match.group(0).count("\n"), text)


def module_of_file(relative):
    """The module that a file belongs to; None for operator/main.cpp, which puts everything together."""
    parts = relative.split("/")
    return None if len(parts) == 2 else parts[2 if parts[0] == "include" else 1]


def breaches_of(relative, text):
    public = relative.startswith("include/")
    module = module_of_file(relative)
    is_main = module is None
    if module is not None and module not in ALLOWED:
        yield 1, f"module '{module}' is not known; give it a line in ALLOWED and a place in LAYERS of tools/check_includes.py"
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


def sources(root):
    files = [path for top in ("include/gopacer", "operator") for path in (root / top).rglob("*") if path.suffix in {".h", ".cpp"}]
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in sorted(files)}


def check(root):
    """Yields 'path:line: what is wrong and what to do' for every breach below root."""
    files = sources(root)
    if not files:
        yield f"{root}: no sources found below include/gopacer and operator; give the root of the checkout"
    for relative, text in files.items():
        for line, message in breaches_of(relative, text):
            yield f"{relative}:{line}: {message}"


def uses(root):
    """What each module includes: (modules of ours, headers of others); under None what operator/main.cpp does."""
    found = {}
    for relative, text in sources(root).items():
        module = module_of_file(relative)
        ours, theirs = found.setdefault(module, (set(), set()))
        for quote, path in INCLUDE.findall(without_comments(text)):
            if quote == "<":
                theirs.add(path)
            elif module_of_include(path) not in (None, module):
                ours.add(module_of_include(path))
    return found


def check_allowances(root):
    """Yields a line for each thing that is allowed and that no include uses."""
    used = uses(root)
    for module, allowed in ALLOWED.items():
        for other in sorted(allowed - _VALUES - used.get(module, (set(),))[0]):
            yield f"tools/check_includes.py: {module} may use {other} and does not; take {other} out of its line in ALLOWED"
    for library, homes in LIBRARIES.items():
        for module in sorted(homes):
            if not any(library.search(path) for path in used.get(module, ((), ()))[1]):
                yield f"tools/check_includes.py: {module} may use {library.pattern} and does not; take {module} out of its line in LIBRARIES"


def drawing(root):
    """The modules and their includes as a Mermaid graph, without the arrows that follow from others."""
    arrows = {module or "main": ours for module, (ours, _) in uses(root).items()}

    def reach(module, seen):
        for other in arrows.get(module, ()):
            if other not in seen:
                seen.add(other)
                reach(other, seen)
        return seen

    boxes, lines = [], []
    for number, (layer, modules) in enumerate(LAYERS.items()):
        boxes += [f'  subgraph layer{number}["{layer}"]', *(f"    {module}" for module in modules if module in arrows), "  end"]
        for module in modules:
            direct = arrows.get(module, set())
            further = {other for step in direct for other in reach(step, set())}
            lines += [f"  {module} --> {other}" for other in sorted(direct - further)]
    return "\n".join(["```mermaid", "graph TD", *boxes, *lines, "```", ""])


def redrawn(root):
    """The page's text as it is, and with the drawing that the includes ask for between its two marks."""
    text = (root / PAGE).read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return text, before + BEGIN + drawing(root) + END + after


def check_page(root):
    """Yields a line when the page's drawing is not what the includes say, and for each module that its table lacks."""
    text, wanted = redrawn(root)
    if text != wanted:
        yield f"{PAGE}: the drawing is not what the includes say; run tools/check_includes.py --drawing"
    for module in ALLOWED:
        if f"\n| `{module}` |" not in text:
            yield f"{PAGE}: the table of modules has no line for {module}; say there what it is for"


def main():
    arguments = sys.argv[1:]
    draw = "--drawing" in arguments
    roots = [argument for argument in arguments if argument != "--drawing"]
    root = pathlib.Path(roots[0]) if roots else pathlib.Path(__file__).resolve().parent.parent
    if draw:
        (root / PAGE).write_text(redrawn(root)[1], encoding="utf-8")
    breaches = [*check(root), *check_allowances(root), *check_page(root)]
    print(*breaches, sep="\n", end="\n" if breaches else "")
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
