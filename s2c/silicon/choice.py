"""A goal to a number of lanes: the fewest that are fast enough, or the fastest that fit a device."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from s2c.arguments import parse_latency
from s2c.errors import CompileError, Problem, error
from s2c.plan import Plan
from s2c.silicon.area import Estimate, estimate
from s2c.silicon.clock import MHZ, check_clock
from s2c.silicon.datapath import LANES
from s2c.silicon.devices import ECP5, Device, load_device
from s2c.silicon.folding import make_folds
from s2c.silicon.refusals import DATAPATH, STREAM
from s2c.silicon.schedule import make_schedule
from s2c.silicon.stream import connect
from s2c.silicon.stream_cost import estimate_stream
from s2c.target import load_target


@dataclass(frozen=True)
class Goal:
    """microseconds: of an inference at mhz; interval: between two results of a stream. None of both: the
    fastest. device: that it has to fit, if any."""

    microseconds: float | None
    mhz: float
    device: Device | None
    interval: float | None = None


def make_goal(
    lanes: int | None,
    latency: str | None,
    mhz: float | None,
    device: str | None,
    interval: str | None = None,
    style: str = DATAPATH,
) -> Goal | None:
    """None where neither a time nor a device is asked for. Raises CompileError."""
    check_clock(mhz)
    if interval is not None and style != STREAM:
        wanted = "a pipeline, which begins with the next input before it is done with one"
        raise error("--interval", wanted, f"--style {style}", f"add --style {STREAM}, or ask for a --latency")
    if mhz is not None and latency is None and interval is None:
        do = "add one of them, or leave it out"
        raise error("--mhz", "a --latency or --interval that it turns into cycles", "none", do)
    given = {"--latency": latency, "--interval": interval, "--device": device}
    asked = [flag for flag, value in given.items() if value is not None]
    if not asked:
        return None
    if lanes is not None:
        raise error(asked[0], "lanes to choose", f"--lanes {lanes}", "leave one of them out")
    return Goal(
        microseconds=None if latency is None else parse_latency(latency),
        mhz=MHZ if mhz is None else mhz,
        device=None if device is None else load_estimated(device),
        interval=None if interval is None else parse_latency(interval, "--interval"),
    )


def load_estimated(name: str) -> Device:
    device = load_device(name)
    if device.family is not ECP5:
        raise error(
            f"--device {device.name}",
            "an ECP5, for which the cost model knows what a chip takes",
            device.description,
            "give --lanes, and see what s2c synth says",
        )
    return device


def take_goal(
    target: str,
    lanes: int | None,
    latency: str | None,
    mhz: float | None,
    device: str | None,
    interval: str | None = None,
    style: str | None = None,
) -> tuple[Goal | None, str | None]:
    """What a chip's lanes are chosen for, and the latency that is left for pruning: a chip takes it for
    itself, other targets have no clock and no device. Raises CompileError."""
    if load_target(target).is_chip:
        return make_goal(lanes, latency, mhz, device, interval, style or DATAPATH), None
    for flag, value in (("--device", device), ("--mhz", mhz), ("--interval", interval)):
        if value is not None:
            do = "leave it out, or compile for asic"
            raise error(flag, "a target that is a chip", f"{target}, which is none", do)
    return None, latency


@dataclass(frozen=True)
class Candidate:
    """cycles: of one inference; interval: between two results, one after the other."""

    lanes: int
    cycles: int
    interval: int
    area: Estimate


def choose_lanes(plan: Plan, goal: Goal, style: str = DATAPATH) -> int:
    """With a time the fewest lanes that take no longer, else the fastest; of those that fit the device, where
    there is one. Raises CompileError where there are none, naming what comes nearest."""
    candidates = stream_candidates(plan) if style == STREAM else datapath_candidates(plan)
    fitting = [each for each in candidates if goal.device is None or not beyond(each, goal.device)]
    if not fitting:
        assert goal.device is not None
        least = candidates[0].lanes
        raise error(
            f"--device {goal.device.name}",
            f"a chip of {'one lane' if least == 1 else f'{least} lanes'} that fits",
            "; ".join(beyond(candidates[0], goal.device)),
            "take a larger device, or a smaller net",
        )
    if goal.microseconds is None and goal.interval is None:
        return min(fitting, key=lambda each: (each.interval, each.cycles)).lanes
    for each in fitting:
        if not misses(each, goal):
            return each.lanes
    raise CompileError(tuple(misses(min(fitting, key=lambda each: excess(each, goal)), goal)))


def datapath_candidates(plan: Plan) -> list[Candidate]:
    """With more and more lanes."""
    schedules = [make_schedule(plan, count) for count in LANES]
    return [Candidate(each.lanes.count, each.cycles, each.cycles, estimate(each)) for each in schedules]


def stream_candidates(plan: Plan) -> list[Candidate]:
    """With more and more lanes."""
    found = []
    for each in make_folds(plan):
        stream = connect(plan, each.schedules)
        found.append(Candidate(each.lanes, stream.cycles, stream.interval, estimate_stream(stream)))
    return found


def times(candidate: Candidate, goal: Goal) -> list[tuple[str, float, float]]:
    """Of each flag what it asks for and what there is, in microseconds."""
    asked = (
        ("--latency", goal.microseconds, candidate.cycles),
        ("--interval", goal.interval, candidate.interval),
    )
    return [(flag, most, cycles / goal.mhz) for flag, most, cycles in asked if most is not None]


def excess(candidate: Candidate, goal: Goal) -> float:
    return max(found - most for _, most, found in times(candidate, goal))


def misses(candidate: Candidate, goal: Goal) -> list[Problem]:
    return [
        Problem(
            flag,
            f"{most:g} us or less at {goal.mhz:g} MHz",
            f"{found:.4g} us with {candidate.lanes} lanes, the fastest that fits",
            "allow more time, a higher --mhz, or take a smaller net",
        )
        for flag, most, found in times(candidate, goal)
        if found > most
    ]


def beyond(candidate: Candidate, device: Device) -> list[str]:
    """What a chip takes more of than the device has, by the cost model."""
    return [
        f"about {count:,} {name.replace('_', ' ')} of {device.capacity[name]:,}"
        for name, count in asdict(candidate.area).items()
        if count > device.capacity[name]
    ]
