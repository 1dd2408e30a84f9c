"""gopacer as a tuner: asks `gopacer advise`, and says when it is done."""
import json
import re
import subprocess

import tuners

MOST_ROLLOUTS = 4
# As far as the oracle may go.
BOUNDS = ("--max-gogc", str(max(tuners.GRID)))
UNITS = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}


class AdviceError(Exception):
    """gopacer gave no answer that can be used."""


def parse_bytes(text):
    """Bytes of a size in Go's syntax; None for no limit."""
    if text is None or str(text).lower() in ("", "off", "none"):
        return None
    found = re.fullmatch(r"(\d+)\s*([KMGT]?I?B?)", str(text).upper())
    if not found or found[2] not in UNITS:
        raise AdviceError(f"advice has goMemLimit {text!r}, which is not Go's syntax for a size")
    return int(found[1]) * UNITS[found[2]]


def settings_of(document):
    """GOGC and GOMEMLIMIT as environment variables; one that is not recommended is left out."""
    recommended = document.get("recommended") or {}
    gogc, limit = recommended.get("gogc"), recommended.get("goMemLimit")
    settings = {}
    if gogc not in (None, ""):
        if not re.fullmatch(r"\d+|off", str(gogc)):
            raise AdviceError(f"advice has gogc {gogc!r}: neither a whole number nor off")
        settings["GOGC"] = str(gogc)
    if parse_bytes(limit) is not None:
        settings["GOMEMLIMIT"] = str(limit)
    return settings


def same(one, other):
    """Whether two settings mean the same to Go's runtime."""
    return (one.get("GOGC", "100"), parse_bytes(one.get("GOMEMLIMIT"))) == (
        other.get("GOGC", "100"), parse_bytes(other.get("GOMEMLIMIT")))


def ask(gopacer, pid, debug_address, limit, seconds, recording, prefix=()):
    """The JSON document of one `gopacer advise` on a running process, and what it read, in the new directory `recording`.
    AdviceError where there is none."""
    return answer_of([*prefix, gopacer, "advise", "--url", f"http://{debug_address}/debug/pprof", "--metrics-url",
                      f"http://{debug_address}/metrics", "--pid", str(pid), "--limit", str(limit),
                      "--for", f"{seconds}s", "--record", str(recording), *BOUNDS, "-o", "json"], 3 * seconds + 30)


def ask_again(gopacer, recording, objective):
    """The JSON document of `gopacer advise` on a recording, with another objective."""
    return answer_of([gopacer, "advise", "--samples", str(recording), "--objective", objective, *BOUNDS, "-o", "json"], 30)


def answer_of(command, seconds):
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AdviceError(f"gopacer advise: {error}") from error
    try:
        document = json.loads(result.stdout)
    except ValueError as error:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise AdviceError(f"gopacer advise ended with {result.returncode}: {last}") from error
    if not isinstance(document, dict):
        raise AdviceError(f"gopacer advise printed {type(document).__name__}, not an object")
    document["exitCode"] = result.returncode
    return document


def one_rollout(document):
    """What becomes of the default by one advice: settings, rollouts, converged, predicted."""
    session = Session()
    session.next_step(document)
    return {name: value for name, value in session.outcome().items() if name != "advice"}


class Session:
    """The rollouts of one trial. `settings` are in force; `next_step` says what to do with a new advice."""

    def __init__(self):
        self.settings = {}
        self.rollouts = 0
        self.asked = []  # every advice, in order
        self.converged = False

    def next_step(self, document):
        """True: restart with `settings`, then ask again. False: measure as it is."""
        wanted = settings_of(document)
        self.asked.append({"inForce": dict(self.settings), **document})
        if document["decision"] == "NoData":  # gopacer could not say anything: what is in force is measured
            return False
        if document["decision"] != "Change" or same(wanted, self.settings):
            self.converged = True
            return False
        if self.rollouts == MOST_ROLLOUTS:
            return False
        self.settings = wanted
        self.rollouts += 1
        return True

    def prediction(self):
        """What was predicted of the settings in force, by the advice that brought them; else by the last one."""
        for document in reversed(self.asked):
            if document["decision"] == "Change" and same(settings_of(document), self.settings) \
                    and not same(document["inForce"], self.settings):
                return document.get("predicted")
        return self.asked[-1].get("predicted") if self.asked else None

    def outcome(self):
        """For the trial's record."""
        return {"settings": self.settings, "rollouts": self.rollouts, "converged": self.converged, "predicted": self.prediction(),
                "advice": self.asked}
