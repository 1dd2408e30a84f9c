#!/usr/bin/env python3
"""Makes the table of values in charts/gopacer/README.md from values.yaml: each key, its default, and the comment above it.

chart_readme.py        prints the page with the table that values.yaml asks for

crds.Chart holds the page against it; with GOPACER_WRITE_DOCS=1 that test writes it.
"""
import pathlib
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
VALUES = "charts/gopacer/values.yaml"
PAGE = "charts/gopacer/README.md"
BEGIN = "<!-- made by tools/chart_readme.py -->\n"
END = "<!-- end -->\n"


def comment_above(lines, number):
    """The comment that ends right above a line; empty where there is none."""
    first = number
    while first > 0 and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return " ".join(line.lstrip().lstrip("#").strip() for line in lines[first:number])


def values_of(text):
    """Yields (key, default, meaning) in the file's order. A default is as it stands there. A block has none: it is here only
    when it has a comment of its own."""
    lines = text.splitlines()

    def within(node, path):
        for name, value in node.value:
            key = f"{path}.{name.value}" if path else name.value
            meaning = comment_above(lines, name.start_mark.line)
            if isinstance(value, yaml.MappingNode) and not value.flow_style:
                if meaning:
                    yield key, "", meaning
                yield from within(value, key)
            elif isinstance(value, yaml.SequenceNode) and not value.flow_style:
                raise ValueError(f"{VALUES}: write {key} in brackets, so that it fits into a table")
            elif not meaning:
                raise ValueError(f"{VALUES}: {key} has no comment above it; say there what it means")
            else:
                yield key, text[value.start_mark.index : value.end_mark.index], meaning

    return within(yaml.compose(text), "")


def table(text):
    def row(*cells):
        return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"

    return "\n".join(["| value | default | meaning |", "|---|---|---|", *(row(f"`{key}`", f"`{default}`" if default else "", meaning) for key, default, meaning in values_of(text)), ""])


def remade(root=ROOT):
    """The page's text as it is, and with the table that the values ask for between its two marks."""
    text = (root / PAGE).read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE}: put the lines {BEGIN.strip()} and {END.strip()} where the table belongs")
    return text, before + BEGIN + table((root / VALUES).read_text(encoding="utf-8")) + END + after


def main():
    try:
        sys.stdout.write(remade()[1])
    except ValueError as problem:
        sys.exit(f"chart_readme: {problem}")


if __name__ == "__main__":
    main()
