"""Problems of two motions: meeting, catching up, and a boat in a current."""

from recurra.data.synthetic.kinematics.kind import Kind, Span

PAIRS = (
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
        words={"movers": ("trains", "cars", "buses")},
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
        name="pursuit_time",
        equation="t = 2 v/a",
        given={"v": (Span("m/s", 12, 22, 0.5),), "a": (Span("m/s^2", 2, 4.5, 0.1),)},
        unit="s",
        bounds=(5, 20),
        solve=lambda v, a: 2 * v / a,
        words={"vehicle": ("car", "truck", "motorcycle")},
        stories=(
            "{A vehicle} passes a police car at a constant speed of {v}. "
            "At this moment the police car starts from rest and accelerates at {a}.",
            "{A vehicle} moving at {v} passes a police car at rest. "
            "The police car accelerates at once at {a}.",
        ),
        questions=(
            "how long does the police car take to catch the {vehicle}",
            "after what time does the police car catch the {vehicle}",
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
        words={"vehicle": ("car", "motorcycle"), "slow": ("truck", "bus")},
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
    Kind(
        name="river_drift",
        equation="d = u w/v",
        given={
            "w": (Span("m", 30, 300, 5),),
            "v": (Span("m/s", 1.5, 4, 0.1),),
            "u": (Span("m/s", 0.5, 2, 0.1),),
        },
        unit="m",
        bounds=(5, 200),
        solve=lambda w, v, u: u * w / v,
        when=lambda w, v, u: v > u,
        words={"boat": ("boat", "ferry", "canoe")},
        stories=(
            "{A boat} heads straight across {a w} wide river. "
            "It moves at {v} through the water and the current flows at {u}.",
            "A river is {w} wide and flows at {u}. "
            "{A boat} heads straight across it, at {v} through the water.",
        ),
        questions=(
            "how far downstream does the {boat} land",
            "how far is the {boat} carried downstream",
        ),
    ),
)
