#!/usr/bin/env python3
"""Writes Grafana's dashboards of gopacer into charts/gopacer/dashboards:  dashboards.py [--check]

With --check it writes nothing and says which files differ from what it would write; exit code 1 if there is any.
"""
import json
import pathlib
import sys

PLACE = pathlib.Path(__file__).resolve().parents[1] / "charts/gopacer/dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
EACH = "by (namespace, profile)"
CHOSEN = 'namespace=~"$namespace",profile=~"$profile"'
PROFILE = "{{namespace}}/{{profile}}"
FAILED = 'result="failed"'
# Of the collections' pauses at most so many may take 5 ms or more, as charts/gopacer/rules/targets.yaml has it.
OBJECTIVE = 0.01


# Queries

def of(metric, labels="", by=EACH):
    """A gauge of each chosen profile. Two replicas tell it for a moment when the leader changes, hence the max."""
    return f"max {by} ({series(metric, labels)})"


def series(metric, labels=""):
    return f"{metric}{{{CHOSEN}{',' + labels if labels else ''}}}"


def total(expression, by=EACH):
    return f"sum {by} ({expression})" if by else f"sum({expression})"


def counted(metric, by):
    """What was counted in the time that is shown. A counter begins with its first count, which increase() does not see."""
    one = series(metric)
    return total(f"({one} unless {one} offset $__range) or increase({one}[$__range])", by)


def long_share(window, by=EACH):
    """The share of pauses that are long: the indicator of the objective for jitter."""
    long, every = (total(f"rate({series(metric)}[{window}])", by) for metric in ("gopacer_gc_pauses_long_total", "gopacer_gc_pauses_total"))
    return f"{long} / {every}"


def budget_left(by=EACH):
    return f"1 - {long_share('$window', by)} / {OBJECTIVE}"


def minutes_over():
    # More than, not within: of a minute without pauses the share is NaN, which is not more than anything.
    return f"avg_over_time(({long_share('$__rate_interval')} > bool {OBJECTIVE})[$window:1m])"


# Panels. Sizes are in Grafana's grid, which is 24 wide.

def panel(kind, title, size, queries, unit, description="", thresholds=None, **more):
    """`queries`: (legend, expression) each. `thresholds`: (from, colour) each."""
    width, height = size
    instant = kind != "timeseries"
    steps = [{"color": "green", "value": None}] + [{"color": colour, "value": value} for value, colour in thresholds or []]
    targets = []
    for number, (legend, expression) in enumerate(queries):
        targets.append({
            "refId": chr(ord("A") + number), "datasource": SOURCE, "editorMode": "code", "expr": expression, "legendFormat": legend,
            "instant": instant, "range": not instant, "format": "table" if kind == "table" else "time_series"})
    made = {"type": kind, "title": title, "description": description, "datasource": SOURCE, "gridPos": {"w": width, "h": height},
            "targets": targets, "fieldConfig": {"defaults": {"unit": unit, "thresholds": {"mode": "absolute", "steps": steps}}, "overrides": []}}
    made.update(more)
    return made


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"w": 24, "h": 1}}


def stat(title, expression, unit, width=4, legend="", decimals=None, **more):
    made = panel("stat", title, (width, 4), [(legend, expression)], unit, **more)
    made["options"] = {"colorMode": "value" if "thresholds" in more else "none", "graphMode": "none", "textMode": "auto",
                       "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    if decimals is not None:
        made["fieldConfig"]["defaults"]["decimals"] = decimals
    return made


def lines(title, queries, unit, width=12, stacked=False, least=0, **more):
    made = panel("timeseries", title, (width, 8), queries, unit, **more)
    custom = {"lineWidth": 1, "fillOpacity": 40 if stacked else 5, "showPoints": "auto", "spanNulls": False,
              "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
              "thresholdsStyle": {"mode": "line" if "thresholds" in more else "off"}}
    made["fieldConfig"]["defaults"].update({"custom": custom} if least is None else {"custom": custom, "min": least})
    made["options"] = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                       "tooltip": {"mode": "multi", "sort": "desc"}}
    return made


def bars(title, queries, unit, width=8, **more):
    made = panel("bargauge", title, (width, 8), queries, unit, **more)
    made["options"] = {"displayMode": "basic", "orientation": "horizontal", "showUnfilled": True, "valueMode": "color",
                       "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return made


def table(title, columns, height=8, width=24, links=False, **more):
    """`columns`: (header, expression, unit) each; a row for each set of labels that they share. No header: only labels are shown."""
    made = panel("table", title, (width, height), [("", expression) for _, expression, _ in columns], "none", **more)
    value = {number: f"Value #{chr(ord('A') + number)}" if len(columns) > 1 else "Value" for number in range(len(columns))}
    hidden = {"Time": True, **{value[number]: True for number, (header, _, _) in enumerate(columns) if not header}}
    renamed = {value[number]: header for number, (header, _, _) in enumerate(columns) if header}
    made["transformations"] = [{"id": "merge", "options": {}},
                               {"id": "organize", "options": {"excludeByName": hidden, "indexByName": {}, "renameByName": renamed}}]
    made["options"] = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}}
    overrides = made["fieldConfig"]["overrides"]
    for header, _, unit in columns:
        if header:
            overrides.append(override(header, unit=unit))
    if links:
        url = "/d/gopacer-profile?${datasource:queryparam}&var-namespace=${__data.fields.namespace}&var-profile=${__data.fields.profile}"
        overrides.append(override("profile", links=[{"title": "Look at this profile", "url": url}]))
    return made


def override(name, **properties):
    return {"matcher": {"id": "byName", "options": name}, "properties": [{"id": key, "value": value} for key, value in properties.items()]}


# Dashboards

def variable(name, label, query, several):
    everything = {"allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}} if several else {"current": {}}
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE, "definition": query, "query": {"query": query, "refId": name},
            "refresh": 2, "sort": 1, "includeAll": several, "multi": several, "options": [], **everything}


def profile_variables(several):
    """That choose which profiles are shown: several, all at first, or one."""
    return [variable("namespace", "Namespace", "label_values(gopacer_profile_info, namespace)", several),
            variable("profile", "Profile", 'label_values(gopacer_profile_info{namespace=~"$namespace"}, profile)', several)]


def choice(name, label, values, chosen):
    options = [{"text": value, "value": value, "selected": value == chosen} for value in values]
    return {"name": name, "label": label, "type": "custom", "query": ",".join(values), "options": options, "includeAll": False, "multi": False,
            "current": {"text": chosen, "value": chosen}}


def place(panels):
    """From left to right, line by line."""
    x = y = height = 0
    for number, one in enumerate(panels):
        grid = one["gridPos"]
        if x + grid["w"] > 24:
            x, y, height = 0, y + height, 0
        one["id"] = number + 1
        grid.update(x=x, y=y)
        x, height = x + grid["w"], max(height, grid["h"])
    return panels


def dashboard(uid, title, description, variables, panels, since="now-6h"):
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1, "includeAll": False,
              "multi": False, "options": [], "current": {}}
    # Without the choices: "All" of several profiles is none that a dashboard of one could show.
    links = [{"type": "dashboards", "title": "gopacer", "tags": ["gopacer"], "asDropdown": True, "includeVars": False, "keepTime": True}]
    return {"uid": uid, "title": title, "description": description, "tags": ["gopacer"], "schemaVersion": 39, "version": 1, "editable": True,
            "graphTooltip": 1, "refresh": "1m", "time": {"from": since, "to": "now"}, "timezone": "browser", "links": links,
            "annotations": {"list": []}, "templating": {"list": [source, *variables]}, "panels": place(panels)}


def fleet():
    gc_cores = f"{of('gopacer_target_gc_cpu_ratio')} * {of('gopacer_target_cpu_cores')}"
    saved, possible = f"sum({of('gopacer_saved_cores')})", f"sum({of('gopacer_recommended_saving_cores')})"
    failed, every = (f'sum(rate(gopacer_scrapes{{result="{result}"}}[$__rate_interval]))' for result in ("failed", "all"))
    failing = f"rate({series('gopacer_reconcile_errors_total')}[$__rate_interval])"
    panels = [
        stat("Profiles", f"count({of('gopacer_profile_info')})", "none"),
        stat("Not ready", f"sum({of('gopacer_profile_ready')} == bool 0)", "none", thresholds=[(1, "orange")],
             description="Profiles whose condition Ready is false. The table below has them and the reason."),
        stat("Cores saved", saved, "none", decimals=2,
             description="By the settings in force, against those before gopacer's, as their trials measured it."),
        stat("Cores that recommendations would save", possible, "none", decimals=2),
        stat("Cores that collection takes", f"sum({gc_cores})", "none", decimals=2),
        stat("Readings that fail", f"{failed} / {every}", "percentunit", decimals=1, thresholds=[(0.05, "orange")]),
        lines("Cores", [("saved", saved), ("that recommendations would save", possible), ("that collection takes", f"sum({gc_cores})")], "none", 8),
        lines("Profiles by phase", [("{{phase}}", f"count by (phase) ({of('gopacer_profile_info', by='by (namespace, profile, phase)')})")],
              "none", 8, stacked=True),
        bars("Trials by verdict", [("{{verdict}}", counted("gopacer_trials_total", "by (verdict)"))], "none",
             description="That ended in the time that is shown."),
        table("Profiles", [
            ("", of("gopacer_profile_info", by="by (namespace, profile, target, mode, phase, reason)"), "none"),
            ("Ready", of("gopacer_profile_ready"), "bool_yes_no"),
            ("GC share", of("gopacer_target_gc_cpu_ratio"), "percentunit"),
            ("Cores", of("gopacer_target_cpu_cores"), "none"),
            ("Saved cores", of("gopacer_saved_cores"), "none"),
            ("Possible saving", of("gopacer_recommended_saving_ratio"), "percentunit"),
            ("Possible cores", of("gopacer_recommended_saving_cores"), "none"),
            ("Peak memory", of("gopacer_target_peak_memory_ratio"), "percentunit"),
            ("Unreadable pods", of("gopacer_target_pods", FAILED), "none"),
        ], 10, links=True),
        table("Trials that run", [
            ("", of("gopacer_trial_info", by="by (namespace, profile, trial, phase, apply)"), "none"),
            ("Windows", of("gopacer_trial_windows"), "none"),
        ], 6, links=True),
        lines("Collection's share of the CPU, the ten highest", [(PROFILE, f"topk(10, {of('gopacer_target_gc_cpu_ratio')})")], "percentunit"),
        lines("Pods that cannot be read", [(PROFILE, f"{of('gopacer_target_pods', FAILED)} > 0")], "none"),
        row("gopacer itself"),
        lines("Replicas that lead", [("{{namespace}} {{job}}", "sum by (namespace, job) (gopacer_leader)")], "none", 6),
        lines("Silence of the API server", [("{{kind}}", "max by (kind) (gopacer_watch_age_seconds)")], "s", 6, thresholds=[(300, "red")]),
        lines("Passes: 99 % take at most", [
            ("time", "histogram_quantile(0.99, sum by (le) (rate(gopacer_reconcile_duration_seconds_bucket[$__rate_interval])))")], "s", 6),
        lines("Passes that fail, a minute", [(PROFILE, f"60 * {total(failing)}")], "none", 6),
        lines("Memory of samples", [("taken", "sum(gopacer_history_bytes)"), ("may be taken", "sum(gopacer_history_limit_bytes)")], "bytes", 8),
        lines("Samples given up, a second", [
            ("{{limit}}, {{pods}}", "sum by (limit, pods) (rate(gopacer_history_shed_total[$__rate_interval]))")], "none", 8),
        lines("Left out, a minute", [
            ("events", "60 * sum(rate(gopacer_events_dropped_total[$__rate_interval]))"),
            ("objects: {{kind}}", "60 * sum by (kind) (rate(gopacer_unreadable_objects_total[$__rate_interval]))")], "none", 8),
    ]
    return dashboard("gopacer-fleet", "gopacer / Fleet", "All profiles: what is saved, what could be, and what stands in the way.",
                     profile_variables(several=True), panels)


def profile():
    info = of("gopacer_profile_info", by="by (namespace, profile, target, mode, phase, reason, objective, strategy)")
    panels = [
        table("Profile", [("", info, "none")], 4),
        stat("Ready", of("gopacer_profile_ready"), "bool_yes_no", 3),
        stat("Collection's share of the CPU", of("gopacer_target_gc_cpu_ratio"), "percentunit", decimals=1),
        stat("GOGC", of("gopacer_target_gogc_percent"), "none", 3),
        stat("GOMEMLIMIT", of("gopacer_target_gomemlimit_bytes"), "bytes", description="0: none is set."),
        stat("Recommended GOGC", of("gopacer_recommended_gogc_percent"), "none", 3),
        stat("Recommended GOMEMLIMIT", of("gopacer_recommended_gomemlimit_bytes"), "bytes"),
        stat("Expected saving of CPU", of("gopacer_recommended_saving_ratio"), "percentunit", 3, decimals=1),
        lines("GOGC", [("in force", of("gopacer_target_gogc_percent")), ("recommended", of("gopacer_recommended_gogc_percent"))], "none"),
        lines("GOMEMLIMIT", [("in force", of("gopacer_target_gomemlimit_bytes")),
                             ("recommended", of("gopacer_recommended_gomemlimit_bytes"))], "bytes"),
        lines("Collection's share of the CPU", [("share", of("gopacer_target_gc_cpu_ratio"))], "percentunit", 8),
        lines("Cores", [("used", of("gopacer_target_cpu_cores")), ("saved", of("gopacer_saved_cores"))], "none", 8),
        lines("Collections a second, of the pod that collects most", [("collections", of("gopacer_target_collections_per_second"))], "none", 8),
        lines("Memory", [("highest use, of the container's limit", of("gopacer_target_peak_memory_ratio")),
                         ("heap in use, of GOMEMLIMIT", of("gopacer_target_heap_in_use_ratio"))], "percentunit", 8, thresholds=[(0.8, "red")]),
        lines("Pods", [("{{result}}", of("gopacer_target_pods", by="by (result)"))], "none", 8, stacked=True),
        bars("Trials by verdict", [("{{verdict}}", counted("gopacer_trials_total", "by (verdict)"))], "none",
             description="That ended in the time that is shown."),
        row("The trial that runs"),
        table("Trial", [("", of("gopacer_trial_info", by="by (trial, phase, apply)"), "none")], 4, 8),
        stat("Windows", of("gopacer_trial_windows"), "none", description="That were measured and compared. Twenty are needed at the least."),
        stat("Requests", of("gopacer_trial_requests", by="by (arm)"), "short", 12, "{{arm}}"),
        lines("$metric, canary against baseline", [
            ("{{arm}}", of("gopacer_trial_value", 'metric="$metric"', "by (arm)"))], "none",
            description="Latencies and pauses in seconds, shares from 0 to 1."),
        change(),
        table("All figures of the trial", [
            ("Baseline", of("gopacer_trial_value", 'arm="baseline"', "by (metric)"), "none"),
            ("Canary", of("gopacer_trial_value", 'arm="canary"', "by (metric)"), "none"),
            *((header, of("gopacer_trial_change_ratio", f'bound="{bound}"', "by (metric)"), "percentunit")
              for header, bound in (("Change", "mean"), ("at least", "low"), ("at most", "high"))),
            ("Has to be below", of("gopacer_trial_threshold_ratio", by="by (metric)"), "percentunit"),
        ]),
    ]
    figures = variable("metric", "Figure", f"label_values({series('gopacer_trial_value')}, metric)", several=False)
    return dashboard("gopacer-profile", "gopacer / Profile and trial", "One profile: its settings, what they cost, and the trial that runs.",
                     [*profile_variables(several=False), figures], panels)


def change():
    made = lines("$metric, change with its interval", [
        ("{{bound}}", of("gopacer_trial_change_ratio", 'metric="$metric"', "by (bound)")),
        ("has to be below", of("gopacer_trial_threshold_ratio", 'metric="$metric"', "by (metric)"))], "percentunit", least=None,
        description="The true change lies between low and high with 95 % confidence; of shares, such as gc-cpu, in points.")
    made["fieldConfig"]["overrides"] = [
        override("high", **{"custom.fillBelowTo": "low", "custom.lineWidth": 0, "custom.fillOpacity": 20}),
        override("low", **{"custom.lineWidth": 0}),
        override("has to be below", **{"custom.lineStyle": {"fill": "dash", "dash": [8, 8]}})]
    return made


def gc_jitter():
    burning = [(1, "orange"), (6, "red")]
    every, long = (f"increase({series(metric)}[$window])" for metric in ("gopacer_gc_pauses_total", "gopacer_gc_pauses_long_total"))
    panels = [
        stat("Share of pauses of 5 ms and more", long_share("$window", by=""), "percentunit", 6, decimals=2, thresholds=[(OBJECTIVE, "red")],
             description="Of all pauses of the chosen profiles in the window. The objective is 1 % at most."),
        stat("Error budget left", budget_left(by=""), "percentunit", 6, decimals=0,
             description="Of the chosen profiles, over the window. Below 0 the objective is missed."),
        stat("Burn rate, an hour", f"{long_share('1h', by='')} / {OBJECTIVE}", "none", 6, decimals=1, thresholds=burning,
             description="1 spends exactly the window's budget."),
        stat("Long pauses", total(long, by=""), "short", 6, decimals=0),
        lines("Share of pauses of 5 ms and more", [(PROFILE, long_share("$__rate_interval"))], "percentunit", 24, thresholds=[(OBJECTIVE, "red")],
              description="The objective is 1 % of each minute's pauses at most."),
        lines("Error budget left", [(PROFILE, budget_left())], "percentunit", least=None, thresholds=[(0, "red")],
              description="Over the window. Below 0 the objective is missed."),
        lines("Burn rate, an hour", [(PROFILE, f"{long_share('1h')} / {OBJECTIVE}")], "none", thresholds=[(1, "orange"), (14.4, "red")],
              description="1 spends exactly the budget. Alerts look at several windows at once: docs/alerts.md."),
        table("Profiles", [
            ("Pauses", total(every), "short"),
            ("Long", total(long), "short"),
            ("Share", long_share("$window"), "percentunit"),
            ("Budget left", budget_left(), "percentunit"),
            ("Minutes over 1 %", minutes_over(), "percentunit"),
            *((f"Burn rate {window}", f"{long_share(window)} / {OBJECTIVE}", "none") for window in ("5m", "1h", "6h", "3d")),
        ], 10, links=True),
        lines("Minutes over the objective", [(PROFILE, minutes_over())], "percentunit",
              description="Of the window's minutes, the share in which more than 1 % of the pauses took 5 ms or more."),
        lines("Episodes a minute, of all profiles", [("{{kind}}", "60 * sum by (kind) (rate(gopacer_episodes_total[$__rate_interval]))")], "none",
              description="Pauses that stand out and storms of allocations: docs/captures.md."),
    ]
    window = choice("window", "Window", ["1h", "6h", "1d", "7d", "30d"], "1d")
    return dashboard("gopacer-gc-jitter", "gopacer / GC jitter", "The objective for pauses of the garbage collector: at most 1 % take 5 ms or more.",
                     [*profile_variables(several=True), window], panels)


def files():
    """What each file has to hold, by its path."""
    return {PLACE / f"{name}.json": json.dumps(made, indent=2) + "\n"
            for name, made in (("fleet", fleet()), ("profile", profile()), ("gc-jitter", gc_jitter()))}


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit(__doc__)
    outdated = {path: text for path, text in files().items() if not path.exists() or path.read_text() != text}
    for path, text in outdated.items():
        if arguments:
            print(f"{path} is not what tools/dashboards.py writes: run it")
        else:
            path.write_text(text)
    return 1 if arguments and outdated else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
