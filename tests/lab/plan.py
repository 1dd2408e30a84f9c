"""Which trials, in which order, and how long they take."""
import dataclasses
import random
import statistics

import tuners
import yardstick
from programs import CHANGING

START_SECONDS = 0.6  # until a program is ready, and to end it
SHORT_REPETITIONS = 2  # of each point of the oracle's grid, before the best one alone goes on
# gopacer looks at a program anew in so many repetitions; the later ones measure what these came to.
ADVISED_REPETITIONS = 2


@dataclasses.dataclass(frozen=True)
class Step:
    program: str
    scenario: str  # steady or changing
    tuner: str
    repetition: int  # from 1

    def record(self):
        return dataclasses.asdict(self)


def chosen_scenarios(programs, scenarios):
    """Pairs of scenario and program."""
    return [(scenario, program) for scenario in scenarios for program in programs
            if scenario == "steady" or program in CHANGING]


def round_of(programs, scenarios, names, repetition, best, seed):
    """The trials of one repetition, shuffled: programs and tuners in an order that the seed fixes.

    `best(scenario, program)` names the point of the grid that goes on after SHORT_REPETITIONS."""
    steps = []
    for scenario, program in chosen_scenarios(programs, scenarios):
        wanted = [name for name in names if name != "oracle"]
        if "oracle" in names:
            wanted += tuners.ORACLE if repetition <= SHORT_REPETITIONS else [best(scenario, program)]
        steps += [Step(program, scenario, name, repetition) for name in wanted if name]
    random.Random(f"{seed} {repetition}").shuffle(steps)
    # The grid's memory limit comes from the first trials of the default, and other trials take over gopacer's advice.
    return sorted(steps, key=lambda step: (repetition == 1 and step.tuner != "default",
                                           repetition <= ADVISED_REPETITIONS and takes_over(step)))


def takes_over(step):
    """Whether a trial of this repetition of gopacer's takes settings from another one's advice."""
    return step.tuner == "gopacer-throughput" or (step.scenario, step.tuner) == ("changing", "gopacer")


def obeys_memory_rule(record):
    """Whether a trial kept to the memory rule (tuners.MOST_MEMORY)."""
    return not record.get("failure") and not record["oomKills"] and \
        record["memory"]["peakBytes"] <= tuners.MOST_MEMORY * record["limitBytes"]


def adjusted_cpu(record):
    return record["adjustedCpuMs"]


def best_of_grid(records, scenario, program, cost=adjusted_cpu):
    """The point of the grid with the least cost (by default CPU per request) of those that kept to the memory rule in each of the
    first SHORT_REPETITIONS; None when there is none."""
    found = {}
    for record in yardstick.adjusted([r for r in records if r["repetition"] <= SHORT_REPETITIONS]):
        if (record["scenario"], record["program"]) == (scenario, program) and record["tuner"] in tuners.ORACLE:
            found.setdefault(record["tuner"], []).append(record)
    fair = {name: statistics.median(map(cost, trials)) for name, trials in found.items() if all(map(obeys_memory_rule, trials))}
    return min(fair, key=fair.get) if fair else None


def non_go(records, program):
    """Memory of the program's container that Go does not count, as the first trial of the default has shown."""
    seen = [r["runtime"]["nonGoBytes"] for r in records
            if r["program"] == program and r["tuner"] == "default" and not r.get("failure")]
    return seen[0] if seen else 32 << 20


def advised_before(records, step):
    """What gopacer has advised before, for a trial that takes it over: settings, rollouts, converged, predicted and the
    repetition in which it did. None where gopacer is to look for itself, and for other tuners."""
    if step.tuner not in tuners.ADVISED:
        return None
    if step.tuner == "gopacer" and step.scenario == "steady" and step.repetition <= ADVISED_REPETITIONS:
        return None
    source = (step.repetition - 1) % ADVISED_REPETITIONS + 1
    for record in records:
        if (record["program"], record["scenario"], record["tuner"], record["repetition"]) == (
                step.program, "steady", "gopacer", source) and not record.get("failure"):
            said = record if step.tuner == "gopacer" else record.get("throughput")
            return {**said, "repetition": source} if said else None
    return None


def seconds_of(step, steady_too, warm, seconds, advise_seconds):
    """An estimate. gopacer takes one rollout and two advices, as a rule."""
    one = START_SECONDS + warm
    if step.tuner == "gopacer" and (step.repetition <= ADVISED_REPETITIONS and step.scenario == "steady" or not steady_too):
        return 2 * (one + advise_seconds + 1) + one + seconds
    return one + seconds


def total_seconds(programs, scenarios, names, repetitions, warm, seconds, advise_seconds):
    return sum(seconds_of(step, "steady" in scenarios, warm, seconds[step.scenario], advise_seconds)
               for repetition in range(1, repetitions + 1)
               for step in round_of(programs, scenarios, names, repetition, lambda *_: tuners.ORACLE[-1], 0))
