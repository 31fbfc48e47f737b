"""Objects launched horizontally or at an angle.

Source of the equations: constant horizontal velocity, acceleration g downwards, no air resistance.
"""

import math

from recurra.data.synthetic.kinematics.kind import Kind, Span
from recurra.data.synthetic.kinematics.problem import GRAVITY_M_PER_S2 as G

_LAUNCHED = {"thing": ("ball", "stone", "arrow")}
_ANGLED = (
    "{A thing} is launched from level ground at {v} at an angle of {angle} above the horizontal.",
    "{A thing} leaves level ground with an initial velocity of {v} at {angle} above the horizontal.",
    "{A thing} is shot from level ground at {v}, {angle} above the horizontal.",
)
_ANGLES = (Span("degrees", 30, 60, 15),)
_LAUNCH_SPEED = (Span("m/s", 10, 35, 0.1),)

PROJECTILES = (
    Kind(
        name="cliff_range",
        equation="d = v √(2 h/g)",
        given={"h": (Span("m", 15, 90),), "v": (Span("m/s", 8, 28),)},
        unit="m",
        bounds=(12, 110),
        solve=lambda h, v: v * math.sqrt(2 * h / G),
        words={"vehicle": ("car", "truck", "motorcycle")},
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
)
