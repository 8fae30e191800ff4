"""A goal to a number of lanes: the fewest that are fast enough, or the fastest that fit a device."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from s2c.arguments import parse_latency
from s2c.errors import error
from s2c.plan import Plan
from s2c.silicon.area import estimate
from s2c.silicon.clock import MHZ, check_clock
from s2c.silicon.datapath import LANES
from s2c.silicon.devices import ECP5, Device, load_device
from s2c.silicon.schedule import Schedule, make_schedule
from s2c.target import load_target


@dataclass(frozen=True)
class Goal:
    """microseconds: of an inference at mhz, or None for the fastest. device: that it has to fit, if any."""

    microseconds: float | None
    mhz: float
    device: Device | None


def make_goal(lanes: int | None, latency: str | None, mhz: float | None, device: str | None) -> Goal | None:
    """None where neither a time nor a device is asked for. Raises CompileError."""
    check_clock(mhz)
    if mhz is not None and latency is None:
        do = "add --latency, or leave it out"
        raise error("--mhz", "a --latency that it turns into cycles", "none", do)
    if latency is None and device is None:
        return None
    if lanes is not None:
        given = "--latency" if latency is not None else "--device"
        raise error(given, "lanes to choose", f"--lanes {lanes}", "leave one of them out")
    found = None if device is None else load_device(device)
    if found is not None and found.family is not ECP5:
        raise error(
            f"--device {found.name}",
            "an ECP5, for which the cost model knows what a chip takes",
            found.description,
            "give --lanes, and see what s2c synth says",
        )
    return Goal(None if latency is None else parse_latency(latency), MHZ if mhz is None else mhz, found)


def take_goal(
    target: str, lanes: int | None, latency: str | None, mhz: float | None, device: str | None
) -> tuple[Goal | None, str | None]:
    """What a chip's lanes are chosen for, and the latency that is left for pruning: a chip takes it for
    itself, other targets have no clock and no device. Raises CompileError."""
    if load_target(target).is_chip:
        return make_goal(lanes, latency, mhz, device), None
    for flag, value in (("--device", device), ("--mhz", mhz)):
        if value is not None:
            do = "leave it out, or compile for asic"
            raise error(flag, "a target that is a chip", f"{target}, which is none", do)
    return None, latency


def choose_lanes(plan: Plan, goal: Goal) -> int:
    """With a time the fewest lanes that take no longer, else the fastest; of those that fit the device, where
    there is one. Raises CompileError where there are none, naming what comes nearest."""
    schedules = [make_schedule(plan, count) for count in LANES]
    fitting = [each for each in schedules if goal.device is None or not beyond(each, goal.device)]
    fastest = min(fitting, key=lambda each: each.cycles, default=None)
    if fastest is None:
        assert goal.device is not None
        raise error(
            f"--device {goal.device.name}",
            "a chip of one lane that fits",
            "; ".join(beyond(schedules[0], goal.device)),
            "take a larger device, or a smaller net",
        )
    if goal.microseconds is None:
        return fastest.lanes.count
    for each in fitting:
        if each.cycles / goal.mhz <= goal.microseconds:
            return each.lanes.count
    raise error(
        "--latency",
        f"{goal.microseconds:g} us or less at {goal.mhz:g} MHz",
        f"{fastest.cycles / goal.mhz:.4g} us with {fastest.lanes.count} lanes, the fastest that fits",
        "allow more time, a higher --mhz, or take a smaller net",
    )


def beyond(schedule: Schedule, device: Device) -> list[str]:
    """What a chip takes more of than the device has, by the cost model."""
    return [
        f"about {count:,} {name.replace('_', ' ')} of {device.capacity[name]:,}"
        for name, count in asdict(estimate(schedule)).items()
        if count > device.capacity[name]
    ]
