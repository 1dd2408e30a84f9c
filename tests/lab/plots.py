"""The report's drawings, as SVG. The same data gives the same files."""
import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "gopacer lab", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
                            "axes.grid": True, "grid.alpha": 0.3, "axes.axisbelow": True})
from matplotlib import pyplot  # noqa: E402

import stats  # noqa: E402
import tuners  # noqa: E402

MIB = 1 << 20
COLOURS = {"default": "#888888", "automemlimit": "#4c78a8", "automemlimit-off": "#9ecae9", "gctuner": "#f58518", "s2": "#b79a20",
           "s8": "#54a24b", "s14": "#88d27a", "gopacer": "#e45756", "gopacer-throughput": "#b2182b",
           "oracle": "#000000"}


def save(figure, path):
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    pyplot.close(figure)
    # matplotlib leaves blanks at line ends, which reviews stumble over.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def bars(results, metric, label, path):
    """Each tuner's median by the default's, a group of bars for each program, with intervals."""
    names = [name for name in results.tuners() if name != "default"]
    figure, axes = pyplot.subplots(figsize=(1.5 + 1.9 * len(results.programs), 3.4))
    width = 0.8 / max(1, len(names))
    for number, name in enumerate(names):
        for place, program in enumerate(results.programs):
            ratio = results.ratio(program, name, "default", metric)
            if ratio is None:
                continue
            value, low, high = (100 * one for one in ratio)
            x = place + (number - (len(names) - 1) / 2) * width
            axes.bar(x, value - 100, width, bottom=100, color=COLOURS[name], label=name if place == 0 else None)
            axes.errorbar(x, value, [[max(0, value - low)], [max(0, high - value)]], color="black", linewidth=0.8, capsize=1.5)
    axes.axhline(100, color="black", linewidth=0.8)
    axes.set_xticks(range(len(results.programs)), results.programs)
    axes.set_ylabel(label)
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=COLOURS[name]) for name in names]
    axes.legend(handles, names, ncols=4, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.1), frameon=False)
    save(figure, path)


def frontier(results, path):
    """CPU per request over mean memory: a point for each tuner and a line through the grid, a plot for each program."""
    columns = min(3, len(results.programs))
    rows = -(-len(results.programs) // columns)
    figure, plots = pyplot.subplots(rows, columns, figsize=(3.4 * columns, 2.9 * rows), squeeze=False)
    names = [name for name in results.tuners() if name != "oracle"]
    for number, program in enumerate(results.programs):
        axes = plots[number // columns][number % columns]
        points = [(results.median(program, g, "mean"), results.median(program, g, "cpu")) for g in tuners.ORACLE]
        points = sorted((m[0] / MIB, c[0]) for m, c in points if m and c)
        if points:
            axes.plot(*zip(*points), color="black", linewidth=0.8, marker=".", markersize=4)
        for name in names:
            memory, cpu = results.median(program, name, "mean"), results.median(program, name, "cpu")
            if memory and cpu:
                axes.errorbar(memory[0] / MIB, cpu[0], [[max(0, cpu[0] - cpu[1])], [max(0, cpu[2] - cpu[0])]], fmt="o", markersize=5,
                              color=COLOURS[name], linewidth=0.8)
        axes.set_title(program, fontsize=9)
        axes.set_xlabel("mean memory, MiB")
        axes.set_ylabel("CPU per request, ms")
    for number in range(len(results.programs), rows * columns):
        plots[number // columns][number % columns].axis("off")
    handles = [pyplot.Line2D([], [], color=COLOURS[n], marker="o", linestyle="") for n in names]
    handles.append(pyplot.Line2D([], [], color="black", marker=".", linewidth=0.8))
    figure.tight_layout()
    figure.legend(handles, [*names, "fixed settings (the oracle's grid)"], ncols=5, fontsize=8, loc="upper center",
                  bbox_to_anchor=(0.5, 0), frameon=False)
    save(figure, path)


def predictions(records, path):
    """Predicted over measured, for GC's CPU share and for peak memory. False where there is nothing to draw."""
    errors = stats.prediction_errors(records)
    figures = (("gcCpuFraction", "GC's share of CPU, %", 100), ("peakMemoryBytes", "peak memory, MiB", 1 / MIB))
    if not any(name in error for error in errors for name, _, _ in figures):
        return False
    figure, plots = pyplot.subplots(1, 2, figsize=(7, 3.2))
    programs = sorted({error["program"] for error in errors})
    for axes, (name, label, scale) in zip(plots, figures):
        most = 0
        for number, program in enumerate(programs):
            here = [e[name] for e in errors if e["program"] == program and name in e]
            axes.plot([scale * e["measured"] for e in here], [scale * e["predicted"] for e in here], "o", markersize=4,
                      color=f"C{number}", label=program)
            most = max([most, *(scale * e[key] for e in here for key in ("measured", "predicted"))])
        axes.plot([0, most], [0, most], color="black", linewidth=0.8)
        axes.fill_between([0, most], [0, 0.9 * most], [0, 1.1 * most], color="black", alpha=0.1, linewidth=0)
        axes.set_xlabel("measured " + label)
        axes.set_ylabel("predicted " + label)
    plots[0].legend(fontsize=8, frameon=False)
    figure.tight_layout()
    save(figure, path)
    return True
