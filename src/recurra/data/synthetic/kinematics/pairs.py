"""Two motions at once: meeting, catching up, and a boat in a current."""

import math

from recurra.data.synthetic.kinematics.kind import Kind, Span

_FAST = {"vehicle": ("car", "truck", "van", "motorcycle")}
_MOVERS = {"movers": ("trains", "buses", "cars", "trucks")}

_PURSUIT = (
    "{A vehicle} passes a police car at a constant speed of {v}. "
    "At this moment the police car starts from rest and accelerates at {a}.",
    "{A vehicle} moving at {v} passes a police car at rest. The police car accelerates at once at {a}.",
)
_BOATS = {"boat": ("boat", "ferry", "canoe")}
_CROSSING = (
    "{A boat} heads straight across {a w} wide river. "
    "It moves at {v} through the water and the current flows at {u}.",
    "A river is {w} wide and flows at {u}. {A boat} heads straight across it, at {v} through the water.",
)
_BOAT_SPEED = (Span("m/s", 1.5, 4, 0.1),)
_CURRENT = (Span("m/s", 0.5, 2, 0.1),)
_WIDTH = (Span("m", 30, 300, 5),)

_MEETING = (
    Kind(
        name="meet_time",
        equation="t = d/(v1 + v2)",
        given={
            "d": (Span("km", 20, 200),),
            "v1": (Span("km/h", 50, 110),),
            "v2": (Span("km/h", 50, 110),),
        },
        unit="min",
        bounds=(10, 90),
        solve=lambda d, v1, v2: d / (v1 + v2),
        words=_MOVERS,
        stories=(
            "Two {movers} are {d} apart and move toward each other at {v1} and {v2}.",
            "Two {movers} start {d} apart. One moves at {v1} and the other comes toward it at {v2}.",
        ),
        questions=(
            "how long does it take until they meet",
            "after what time do they meet",
            "how many minutes pass before they meet",
        ),
    ),
    Kind(
        name="meet_people",
        equation="d = v1 t, t = s/(v1 + v2)",
        given={
            "s": (Span("km", 4, 30),),
            "v1": (Span("km/h", 12, 25),),
            "v2": (Span("km/h", 12, 25),),
        },
        unit="km",
        bounds=(2, 25),
        solve=lambda s, v1, v2: v1 * s / (v1 + v2),
        stories=(
            "{person} and {other} live {s} apart and cycle toward each other. "
            "{person} cycles at {v1} and {other} at {v2}.",
            "{person} cycles at {v1} toward {other}, who is {s} away and comes toward {person} at {v2}.",
        ),
        questions=(
            "how far has {person} gone when they meet",
            "how far does {person} cycle before they meet",
        ),
    ),
    Kind(
        name="pursuit_time",
        equation="t = 2 v/a",
        given={"v": (Span("m/s", 12, 22, 0.5),), "a": (Span("m/s^2", 2, 4.5, 0.1),)},
        unit="s",
        bounds=(5, 20),
        solve=lambda v, a: 2 * v / a,
        words=_FAST,
        stories=_PURSUIT,
        questions=(
            "how long does the police car take to catch the {vehicle}",
            "after what time does the police car catch the {vehicle}",
        ),
    ),
    Kind(
        name="pursuit_distance",
        equation="d = 2 v²/a",
        given={"v": (Span("m/s", 12, 22, 0.5),), "a": (Span("m/s^2", 2, 4.5, 0.1),)},
        unit="m",
        bounds=(60, 480),
        solve=lambda v, a: 2 * v**2 / a,
        words=_FAST,
        stories=_PURSUIT,
        questions=(
            "how far does the police car travel before it catches the {vehicle}",
            "at what distance does the police car catch the {vehicle}",
        ),
    ),
    Kind(
        name="overtake_time",
        equation="t = d/(v1 - v2)",
        given={
            "v1": (Span("m/s", 18, 35),),
            "d": (Span("m", 20, 200),),
            "v2": (Span("m/s", 12, 28),),
        },
        unit="s",
        bounds=(3, 60),
        solve=lambda v1, d, v2: d / (v1 - v2),
        when=lambda v1, d, v2: v1 - v2 >= 2,
        words={"vehicle": ("car", "motorcycle", "taxi"), "slow": ("truck", "bus", "van")},
        stories=(
            "{A vehicle} moves at {v1} and is {d} behind {a slow} that moves at {v2}.",
            "{A slow} moves at {v2}. {A vehicle} is {d} behind it and moves at {v1}.",
        ),
        questions=(
            "how long does the {vehicle} take to catch the {slow}",
            "after what time does the {vehicle} catch up with the {slow}",
        ),
    ),
    Kind(
        name="head_start",
        equation="t = v1 t0/(v2 - v1)",
        given={
            "v1": (Span("km/h", 4, 6, 0.1),),
            "t0": (Span("min", 8, 45),),
            "v2": (Span("km/h", 12, 22),),
        },
        unit="min",
        bounds=(3, 45),
        solve=lambda v1, t0, v2: v1 * t0 / (v2 - v1),
        stories=(
            "{person} leaves home on foot at {v1}. {other} follows by bike {t0} later at {v2}.",
            "{person} walks away from a village at {v1}. After {t0} {other} follows by bike at {v2}.",
        ),
        questions=(
            "how long does {other} need to catch up with {person}",
            "how many minutes does {other} ride before {person} is caught",
        ),
    ),
)

_RIVER = (
    Kind(
        name="river_drift",
        equation="d = u w/v",
        given={"w": _WIDTH, "v": _BOAT_SPEED, "u": _CURRENT},
        unit="m",
        bounds=(5, 200),
        solve=lambda w, v, u: u * w / v,
        when=lambda w, v, u: v > u,
        words=_BOATS,
        stories=_CROSSING,
        questions=(
            "how far downstream does the {boat} land",
            "how far is the {boat} carried downstream",
        ),
    ),
    Kind(
        name="river_time",
        equation="t = w/v",
        given={"w": _WIDTH, "v": _BOAT_SPEED, "u": _CURRENT},
        unit="s",
        bounds=(8, 200),
        solve=lambda w, v, u: w / v,
        when=lambda w, v, u: v > u,
        words=_BOATS,
        stories=_CROSSING,
        questions=(
            "how long does the {boat} need to cross the river",
            "after what time does the {boat} reach the other side",
        ),
    ),
    Kind(
        name="river_speed",
        equation="v' = √(v² + u²)",
        given={"w": _WIDTH, "v": _BOAT_SPEED, "u": _CURRENT},
        unit="m/s",
        bounds=(1.5, 7),
        solve=lambda w, v, u: math.hypot(v, u),
        when=lambda w, v, u: v > u,
        words=_BOATS,
        stories=_CROSSING,
        questions=(
            "what is the speed of the {boat} relative to the ground",
            "how fast does the {boat} move as seen from the bank",
        ),
    ),
    Kind(
        name="upstream",
        equation="t = d/(v - u)",
        given={"v": (Span("m/s", 2, 8, 0.1),), "d": (Span("m", 100, 900, 10),), "u": _CURRENT},
        unit="s",
        bounds=(30, 600),
        solve=lambda v, d, u: d / (v - u),
        when=lambda v, d, u: v - u >= 1,
        words={"boat": ("boat", "ferry", "motorboat")},
        stories=(
            "{A boat} has a speed of {v} in still water. It goes {d} upstream against a current of {u}.",
            "A river flows at {u}. {A boat} that moves at {v} in still water goes {d} upstream.",
        ),
        questions=(
            "how long does the {boat} need",
            "how long does it take",
        ),
    ),
)

PAIRS = (*_MEETING, *_RIVER)
