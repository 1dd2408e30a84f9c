#!/usr/bin/env python3
"""Do the unit tests of a pure module notice when one line of it is wrong?

mutate.py --module M [--sample N] [--seed S] [--only FILE[:LINE]] [--list]

Changes one line at a time in a copy of the tree, builds the module's tests, runs them, and prints how many changes were
noticed, and each that was not with its file and line. Run it by hand (tools/mutate.sh): 40 changes take some minutes.
A change that does not compile is no sample; one whose tests never end counts as noticed.
"""
import argparse
import fcntl
import filecmp
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
CACHE = pathlib.Path(os.environ.get("GOPACER_CACHE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "gopacer")
PRESET = "dev"
LONGEST_SECONDS = 1800  # of one build or one run, for what waits for ever

# Text that a change puts in the place of another. Operators stand between spaces (clang-format sees to that), so that
# template arguments, references and pointers are left alone.
SWAPS = [
    (r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "), (r" == ", " != "), (r" != ", " == "),
    (r" && ", " || "), (r" \|\| ", " && "),
    (r" \+ ", " - "), (r" - ", " + "), (r" \* ", " / "), (r" / ", " * "), (r" \+= ", " -= "), (r" -= ", " += "),
    (r"\+\+(?=\w|\()", "--"), (r"(?<=[ (])!(?=[\w(])", ""),
    (r"\bstd::min\b", "std::max"), (r"\bstd::max\b", "std::min"), (r"\ball_of\b", "any_of"), (r"\bany_of\b", "all_of"),
    (r"\btrue\b", "false"), (r"\bfalse\b", "true"), (r"(?<![\w.])0(?![\w.])", "1"), (r"(?<![\w.])1(?![\w.])", "0"),
]
STATEMENT = re.compile(r"^\s*(?!return\b|break\b|using\b|const\b|static\b|auto\b|case\b|default\b|struct\b|class\b|"
                       r"if\b|for\b|while\b|else\b|public\b|private\b|template\b|namespace\b|\})"
                       r"[\w.>()\[\]*:{}-]+?(\(| [+*/-]?= |\+\+|--|\.|->).*;$")
# What {} stands for as well: such a line says the same afterwards.
NOTHING = re.compile(r"^\s*return (?:std::nullopt|nullptr|false|0);$")
# "Bytes used;" or "double most = 0;" declares: without it nothing compiles.
CONSTANT = re.compile(r"(constexpr (?:double|int|auto|Duration|std::\w+) \w+ = (?:\w+(?:::\w+)*\()?)(\d+(?:\.\d+)?)")


def masked(line):
    """The line with strings and its comment blotted out, each character in its old place."""
    text = re.sub(r'"(?:\\.|[^"\\])*"', lambda found: '"' + "~" * (len(found[0]) - 2) + '"', line)
    comment = text.find("//")
    return text if comment < 0 else text[:comment] + " " * (len(text) - comment)


def condition_of(text):
    """Begin and end of the condition of an `if` that is whole on this line; None without one."""
    found = re.search(r"\bif (?:constexpr )?\(", text)
    if not found:
        return None
    depth, begin = 0, found.end()
    for at in range(begin - 1, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return begin, at
    return None


def changes_of(line):
    """All (what, new line) for one line of code."""
    text = masked(line)
    if not text.strip() or text.lstrip().startswith(("#", "static_assert", "/", "using ", "namespace ", "template")):
        return
    for pattern, new in SWAPS:
        for found in re.finditer(pattern, text):
            yield f"{found[0].strip()} → {new.strip() or 'nothing'}", line[:found.start()] + new + line[found.end():]
    if constant := CONSTANT.search(text):
        twice = float(constant[2]) * 2 or 1
        value = str(int(twice)) if "." not in constant[2] else str(twice)
        yield f"{constant[2]} → {value}", line[:constant.start(2)] + value + line[constant.end(2):]
    if condition := condition_of(text):
        begin, end = condition
        inner = line[begin:end]
        declares, _, test = inner.rpartition("; ")
        declares += "; " if declares else ""
        if not re.match(r"(const )?(auto|[A-Z]\w*)\b[*& ]+\w+ = ", test):
            yield "if not", f"{line[:begin]}{declares}!({test}){line[end:]}"
            yield "if true", f"{line[:begin]}{declares}({test}) || true{line[end:]}"
            yield "if false", f"{line[:begin]}{declares}({test}) && false{line[end:]}"
    if re.match(r"^\s*return [^;]+;$", text) and "return {};" not in text and not NOTHING.match(text):
        yield "return {}", re.sub(r"return .*;$", "return {};", line)
    if STATEMENT.match(text):
        yield "dropped", re.match(r"\s*", line)[0] + ";"


def sources_of(tree, module):
    places = [tree / "operator" / module, tree / "include" / "gopacer" / module]
    return sorted(path for place in places if place.is_dir() for path in place.iterdir() if path.suffix in (".cpp", ".h"))


def all_changes(tree, module, only):
    for path in sources_of(tree, module):
        lines = path.read_text().split("\n")
        for number, line in enumerate(lines, 1):
            name = str(path.relative_to(tree))
            # Files and lines on the command line are matched by their ends: judge.cpp:125.
            if only and not (name.endswith(only) or f"{name}:{number}".endswith(only)):
                continue
            # A statement that goes on over lines is no statement here, and neither is a declaration in a class.
            before = masked(lines[number - 2]).rstrip() if number > 1 else ""
            whole = not before or before.endswith((";", "{", "}", ":", ")")) or before.lstrip().startswith("//")
            changes = [change for change in changes_of(line) if whole or change[0] not in ("dropped", "return {}")]
            if changes:
                yield name, number, line, changes


def run(command, cwd, env=None, cpu_seconds=None):
    """Whether it succeeded within that much CPU time, which others on the machine do not change."""
    limit = (lambda: resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))) if cpu_seconds else None
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True, preexec_fn=limit)
    try:
        return process.wait(LONGEST_SECONDS) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def cpu_used():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Copy:
    """A copy of the tree whose changes nobody else sees. It stays where it is, so that the next run builds little."""

    def __init__(self, tree, module):
        self.tree, self.target = tree, f"{module}_tests"
        tree.mkdir(parents=True, exist_ok=True)
        self.lock = open(tree.with_suffix(".lock"), "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.synchronize()
        # The compiler cache serves the copy, and is spared the changes.
        self.env = dict(os.environ, CCACHE_READONLY="1")
        subprocess.run(["cmake", "--preset", PRESET], cwd=tree, check=True, capture_output=True)
        if not self.build(dict(os.environ)):
            sys.exit(f"mutate: {self.target} does not build; try tools/build.sh {PRESET} {self.target}")
        self.program = next(self.tree.glob(f"build/{PRESET}/**/{self.target}"))
        before = cpu_used()
        if not self.passes():
            sys.exit(f"mutate: {self.target} fails without any change; mend that first")
        self.most_cpu = int(10 + 5 * (cpu_used() - before))

    def synchronize(self):
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
        wanted = {name for name in names if name and (ROOT / name).is_file()}
        for path in self.tree.rglob("*"):
            name = path.relative_to(self.tree)
            if path.is_file() and name.parts[0] != "build" and str(name) not in wanted:
                path.unlink()
        for name in wanted:
            here, there = ROOT / name, self.tree / name
            if there.is_file() and filecmp.cmp(here, there, shallow=False):
                continue
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(here, there)

    def build(self, env=None):
        return run(["ninja", "-C", f"build/{PRESET}", "-j1", self.target], self.tree, env or self.env)

    def passes(self, most_cpu=None):
        return run([self.program, "--gtest_brief=1", "--gtest_fail_fast=1"], self.tree, cpu_seconds=most_cpu)

    def notices(self, name, number, new):
        """Whether the tests fail with line `number` of file `name` changed to `new`; None when that is no program."""
        path = self.tree / name
        text = path.read_text()
        lines = text.split("\n")
        lines[number - 1] = new
        path.write_text("\n".join(lines))
        try:
            return None if not self.build() else not self.passes(self.most_cpu)
        finally:
            path.write_text(text)


def main():
    parser = argparse.ArgumentParser(prog="tools/mutate.sh", description=__doc__.splitlines()[0])
    parser.add_argument("--module", required=True, help="a pure module: policy, decide, judge, rollout, domain, …")
    parser.add_argument("--sample", type=int, help="how many changes to try (default 40, or all of --only)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default 1)")
    parser.add_argument("--only", default="", metavar="FILE[:LINE]", help="only changes there, all that a line may have")
    parser.add_argument("--list", action="store_true", help="show the changes that there are and stop")
    options = parser.parse_args()

    if not sources_of(ROOT, options.module):
        sys.exit(f"mutate: no module '{options.module}' in operator/; see the list in docs/architecture.md")
    places = list(all_changes(ROOT, options.module, options.only))
    if options.list:
        for name, number, _, changes in places:
            print(f"{name}:{number}: {', '.join(what for what, _ in changes)}")
        return
    # Of each line one change at most, so that a long line counts as much as a short one.
    chance = random.Random(options.seed)
    if options.only:
        trials = [(name, number, old, change) for name, number, old, changes in places for change in changes]
    else:
        trials = [(name, number, old, chance.choice(changes)) for name, number, old, changes in places]
    chance.shuffle(trials)
    sample = options.sample or (len(trials) if options.only else 40)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("mutate: stopped"))
    noticed, tried, survivors = 0, 0, []
    copy = Copy(CACHE / "mutate" / "tree", options.module)
    for name, number, old, (what, new) in trials:
        if tried == sample:
            break
        result = copy.notices(name, number, new)
        if result is None:
            continue
        tried += 1
        noticed += result
        if not result:
            survivors.append(f"{name}:{number}: {what}: {old.strip()}")
        print(f"{tried:4} {'noticed ' if result else 'SURVIVED'} {name}:{number}: {what}", file=sys.stderr, flush=True)
    for survivor in sorted(survivors):
        print(f"survived: {survivor}")
    share = 100 * noticed / tried if tried else 0
    print(f"{options.module}: {noticed} of {tried} changes noticed ({share:.0f} %), seed {options.seed}")


if __name__ == "__main__":
    main()
