"""Launched level or at an angle. Source of the equations: steady motion across, g downwards, no air."""

import math

from recurra.data.synthetic.kinematics.kind import Kind, Span
from recurra.data.synthetic.kinematics.problem import GRAVITY_M_PER_S2 as G

_EDGE = {
    "vehicle": ("car", "truck", "van", "motorcycle"),
    "thing": ("ball", "stone", "rock", "coin"),
    "place": ("cliff", "tower", "building"),
}
_LAUNCHED = {"thing": ("ball", "golf ball", "stone", "arrow")}
_ANGLED = (
    "{A thing} is launched from level ground at {v} at an angle of {angle} above the horizontal.",
    "{A thing} leaves level ground with an initial velocity of {v} at {angle} above the horizontal.",
    "{A thing} is shot from level ground at {v}, {angle} above the horizontal.",
)
_ANGLES = (Span("degrees", 30, 60, 15),)
_LAUNCH_SPEED = (Span("m/s", 10, 35, 0.1),)

_LEVEL = (
    Kind(
        name="cliff_range",
        equation="d = v √(2 h/g)",
        given={"h": (Span("m", 15, 90),), "v": (Span("m/s", 8, 28),)},
        unit="m",
        bounds=(12, 110),
        solve=lambda h, v: v * math.sqrt(2 * h / G),
        words=_EDGE,
        gravity=True,
        stories=(
            "At {v}, {a vehicle} drives straight off the edge of a cliff that is {h} high.",
            "{A vehicle} moving at {v} drives off the edge of {a h} high cliff.",
        ),
        questions=(
            "how far from the base of the cliff does it land",
            "at what distance from the base of the cliff does the {vehicle} hit the ground",
        ),
    ),
    Kind(
        name="cliff_height",
        equation="h = g (d/v)²/2",
        given={"v": (Span("m/s", 8, 28),), "d": (Span("m", 14, 90),)},
        unit="m",
        bounds=(12, 95),
        solve=lambda v, d: G * (d / v) ** 2 / 2,
        words=_EDGE,
        gravity=True,
        stories=(
            "{A vehicle} drives straight off the edge of a cliff at {v}. It lands {d} from the base.",
            "{A vehicle} moving at {v} drives off a cliff and hits the ground {d} from its base.",
        ),
        questions=(
            "how high is the cliff",
            "what is the height of the cliff",
        ),
    ),
    Kind(
        name="level_throw",
        equation="d = v √(2 h/g)",
        given={"v": (Span("m/s", 4, 18, 0.1),), "h": (Span("m", 8, 80),)},
        unit="m",
        bounds=(6, 72),
        solve=lambda v, h: v * math.sqrt(2 * h / G),
        words=_EDGE,
        gravity=True,
        stories=(
            "{A thing} is thrown horizontally at {v} from the top of {a place} that is {h} high.",
            "{person} throws {a thing} horizontally at {v} from the top of {a h} high {place}.",
        ),
        questions=(
            "how far from the base of the {place} does the {thing} land",
            "what is the horizontal distance to the point where it lands",
        ),
    ),
    Kind(
        name="plane_drop",
        equation="d = v √(2 h/g)",
        given={"v": (Span("m/s", 40, 90),), "h": (Span("m", 100, 900, 10),)},
        unit="m",
        bounds=(180, 1300),
        solve=lambda v, h: v * math.sqrt(2 * h / G),
        words={"plane": ("plane", "small plane", "airplane"), "thing": ("package", "bag of food", "box")},
        gravity=True,
        stories=(
            "{A plane} flies level at {v} and drops {a thing} from a height of {h}.",
            "{A thing} is dropped from {a plane} that flies level at {v}, {h} above the ground.",
        ),
        questions=(
            "how far does the {thing} travel horizontally before it lands",
            "what horizontal distance does the {thing} cover",
        ),
    ),
)

_AT_AN_ANGLE = (
    Kind(
        name="projectile_range",
        equation="d = v² sin(2 angle)/g",
        given={"v": _LAUNCH_SPEED, "angle": _ANGLES},
        unit="m",
        bounds=(8, 130),
        solve=lambda v, angle: v**2 * math.sin(2 * angle) / G,
        words=_LAUNCHED,
        gravity=True,
        stories=_ANGLED,
        questions=(
            "how far away does the {thing} land",
            "what is the range of the {thing}",
        ),
    ),
    Kind(
        name="projectile_height",
        equation="h = (v sin(angle))²/(2 g)",
        given={"v": _LAUNCH_SPEED, "angle": _ANGLES},
        unit="m",
        bounds=(1.2, 50),
        solve=lambda v, angle: (v * math.sin(angle)) ** 2 / (2 * G),
        words=_LAUNCHED,
        gravity=True,
        stories=_ANGLED,
        questions=(
            "what maximum height does the {thing} reach",
            "how high does the {thing} rise",
        ),
    ),
    Kind(
        name="projectile_time",
        equation="t = 2 v sin(angle)/g",
        given={"v": _LAUNCH_SPEED, "angle": _ANGLES},
        unit="s",
        bounds=(1, 6.2),
        solve=lambda v, angle: 2 * v * math.sin(angle) / G,
        words=_LAUNCHED,
        gravity=True,
        stories=_ANGLED,
        questions=(
            "how long is the {thing} in the air",
            "after what time does the {thing} land",
        ),
    ),
)

PROJECTILES = (*_LEVEL, *_AT_AN_ANGLE)
