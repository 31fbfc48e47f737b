"""Objects dropped or thrown straight up or down.

Source of the equations: constant acceleration g, no air resistance.
"""

import math

from recurra.data.synthetic.kinematics.kind import Kind, Span
from recurra.data.synthetic.kinematics.problem import GRAVITY_M_PER_S2 as G

_WORDS = {
    "thing": ("ball", "stone", "coin", "apple", "orange"),
    "place": ("cliff", "tower", "building"),
}

_THROWN_UP = (
    "{A thing} is thrown straight up with an initial velocity of {v}.",
    "{person} throws {a thing} straight up at {v}.",
    "{A thing} is thrown upward and leaves the hand at {v}.",
)

VERTICAL = (
    Kind(
        name="drop_height",
        equation="h = g t²/2",
        given={"t": (Span("s", 1.3, 4.2, 0.1),)},
        unit="m",
        bounds=(8, 90),
        solve=lambda t: G * t**2 / 2,
        words=_WORDS,
        gravity=True,
        stories=(
            "{A thing} is dropped from the top of {a place}. It hits the ground after {t}.",
            "{person} drops {a thing} from the top of {a place}. It takes {t} to reach the ground.",
            "{A thing} falls from rest from the top of {a place} and lands {t} later.",
        ),
        questions=(
            "what is the height of the {place}",
            "how high is the {place}",
            "from what height does the {thing} fall",
        ),
    ),
    Kind(
        name="drop_time",
        equation="t = √(2 h/g)",
        given={"h": (Span("m", 6, 90),)},
        unit="s",
        bounds=(1, 5),
        solve=lambda h: math.sqrt(2 * h / G),
        words=_WORDS,
        gravity=True,
        stories=(
            "{A thing} is dropped from the top of {a place} that is {h} high.",
            "{person} drops {a thing} from the top of {a h} high {place}.",
            "{A thing} falls from rest at a height of {h}.",
            "{A thing} is released from rest {h} above the ground.",
        ),
        questions=(
            "how long does the {thing} take to hit the ground",
            "how long does it take to reach the ground",
            "after what time does the {thing} hit the ground",
        ),
    ),
    Kind(
        name="well",
        equation="h = g t²/2",
        given={"t": (Span("s", 1.1, 3.2, 0.1),)},
        unit="m",
        bounds=(5, 52),
        solve=lambda t: G * t**2 / 2,
        words={"thing": ("stone", "coin", "key")},
        gravity=True,
        stories=(
            "{A thing} is dropped into a well. It strikes the water after {t}.",
            "{person} drops {a thing} into a well and sees it hit the water {t} later.",
            "{person} drops {a thing} into a well. The splash comes {t} later. "
            "Ignore the time that the sound takes.",
        ),
        questions=(
            "how deep is the well",
            "what is the depth of the well",
            "how far down is the water",
        ),
    ),
    Kind(
        name="throw_height",
        equation="h = v²/(2 g)",
        given={"v": (Span("m/s", 6, 25, 0.1),)},
        unit="m",
        bounds=(1.5, 35),
        solve=lambda v: v**2 / (2 * G),
        words=_WORDS,
        gravity=True,
        stories=_THROWN_UP,
        questions=(
            "how high does the {thing} rise",
            "what maximum height does it reach above the hand",
            "at what height above the hand does the {thing} stop rising",
        ),
    ),
    Kind(
        name="throw_time",
        equation="t = 2 v/g",
        given={"v": (Span("m/s", 6, 25, 0.1),)},
        unit="s",
        bounds=(1.1, 6),
        solve=lambda v: 2 * v / G,
        words=_WORDS,
        gravity=True,
        stories=_THROWN_UP,
        questions=(
            "how long does the {thing} take to return to the hand",
            "after what time does it come back to the hand",
            "how long is the {thing} in the air before it is caught at the same height",
        ),
    ),
    Kind(
        name="throw_down_speed",
        equation="v' = √(v² + 2 g h)",
        given={"v": (Span("m/s", 2, 12, 0.1),), "h": (Span("m", 8, 70),)},
        unit="m/s",
        bounds=(10, 45),
        solve=lambda v, h: math.sqrt(v**2 + 2 * G * h),
        words=_WORDS,
        gravity=True,
        stories=(
            "{A thing} is thrown straight down at {v} from the top of {a place} that is {h} high.",
            "{person} throws {a thing} straight down at {v} from the top of {a h} high {place}.",
            "From a height of {h}, {a thing} is thrown straight down with an initial velocity of {v}.",
        ),
        questions=(
            "with what speed does the {thing} hit the ground",
            "what is its speed just before it hits the ground",
        ),
    ),
    Kind(
        name="bridge_up",
        equation="h = g t²/2 - v t",
        given={"v": (Span("m/s", 2, 12, 0.1),), "t": (Span("s", 1.2, 3.8, 0.1),)},
        unit="m",
        bounds=(4, 45),
        solve=lambda v, t: G * t**2 / 2 - v * t,
        words=_WORDS,
        gravity=True,
        stories=(
            "{A thing} is thrown upward from a bridge with an initial velocity of {v}. "
            "It strikes the water after {t}.",
            "{person} stands on a bridge and throws {a thing} straight up at {v}. "
            "It hits the water {t} later.",
            "From a bridge over a river, {a thing} is thrown upward at {v}. It lands in the water after {t}.",
        ),
        questions=(
            "what is the height of the bridge",
            "how high is the bridge above the water",
            "how far above the water is the bridge",
        ),
    ),
    Kind(
        name="bridge_down",
        equation="h = v t + g t²/2",
        given={"v": (Span("m/s", 2, 10, 0.1),), "t": (Span("s", 1, 2.6, 0.1),)},
        unit="m",
        bounds=(6, 50),
        solve=lambda v, t: v * t + G * t**2 / 2,
        words=_WORDS,
        gravity=True,
        stories=(
            "{A thing} is thrown straight down from a bridge with an initial velocity of {v}. "
            "It strikes the water after {t}.",
            "{person} stands on a bridge and throws {a thing} straight down at {v}. "
            "It hits the water {t} later.",
        ),
        questions=(
            "what is the height of the bridge",
            "how high is the bridge above the water",
            "how far above the water is the bridge",
        ),
    ),
    Kind(
        name="balloon",
        equation="t = (v + √(v² + 2 g h))/g",
        given={"v": (Span("m/s", 2, 9, 0.1),), "h": (Span("m", 20, 99),)},
        unit="s",
        bounds=(2, 7),
        solve=lambda v, h: (v + math.sqrt(v**2 + 2 * G * h)) / G,
        words={"thing": ("bag of sand", "camera", "package")},
        gravity=True,
        stories=(
            "A hot air balloon rises at {v}. At a height of {h}, {a thing} falls from it.",
            "A balloon is {h} above the ground and rises at {v} when {a thing} is dropped from it.",
        ),
        questions=(
            "how long does the {thing} take to reach the ground",
            "after what time does the {thing} hit the ground",
        ),
    ),
)
