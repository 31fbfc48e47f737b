"""One vehicle on a straight road: speeding up, braking, and average speed."""

import math

from recurra.data.synthetic.kinematics.kind import Kind, Span

_WORDS = {"vehicle": ("car", "bus", "truck", "van", "taxi", "motorcycle")}
_ROAD_SPEED = (Span("m/s", 10, 30), Span("km/h", 40, 110))
_BRAKING = Span("m/s^2", 4, 7, 0.1)

_SPEEDS_UP = (
    "{A vehicle} moving at {u} speeds up at {a} for {t}.",
    "{A vehicle} has a speed of {u}. It then accelerates at {a} for {t}.",
    "The driver of {a vehicle} moving at {u} accelerates at {a} for {t}.",
)

_ACCELERATING = (
    Kind(
        name="rest_acceleration",
        equation="a = v/t",
        given={"v": _ROAD_SPEED, "t": (Span("s", 4, 16, 0.1),)},
        unit="m/s^2",
        bounds=(1, 3.5),
        solve=lambda v, t: v / t,
        words=_WORDS,
        stories=(
            "{A vehicle} starts from rest and reaches {v} in {t}.",
            "{A vehicle} speeds up steadily from rest to {v} in {t}.",
            "Starting from rest, {a vehicle} reaches a speed of {v} after {t}.",
        ),
        questions=(
            "what is its acceleration",
            "what is the acceleration of the {vehicle}",
            "at what rate does the {vehicle} accelerate",
        ),
    ),
    Kind(
        name="rest_distance",
        equation="d = a t²/2",
        given={"a": (Span("m/s^2", 1, 4, 0.1),), "t": (Span("s", 3, 12, 0.1),)},
        unit="m",
        bounds=(6, 250),
        solve=lambda a, t: a * t**2 / 2,
        when=lambda a, t: a * t <= 35,
        words=_WORDS,
        stories=(
            "{A vehicle} starts from rest and accelerates at {a} for {t}.",
            "{A vehicle} accelerates from rest at {a} for {t}.",
            "The driver of {a vehicle} waits at a red light. When it turns green, "
            "the {vehicle} accelerates at {a} for {t}.",
        ),
        questions=(
            "how far does it travel",
            "what distance does the {vehicle} cover in this time",
            "how far does the {vehicle} go in this time",
        ),
    ),
    Kind(
        name="speed_up_speed",
        equation="v = u + a t",
        given={
            "u": (Span("m/s", 5, 20),),
            "a": (Span("m/s^2", 1, 3, 0.1),),
            "t": (Span("s", 2, 8, 0.1),),
        },
        unit="m/s",
        bounds=(8, 38),
        solve=lambda u, a, t: u + a * t,
        words=_WORDS,
        stories=_SPEEDS_UP,
        questions=(
            "what is the final speed of the {vehicle}",
            "how fast is the {vehicle} moving then",
        ),
    ),
    Kind(
        name="speed_up_distance",
        equation="d = u t + a t²/2",
        given={
            "u": (Span("m/s", 5, 20),),
            "a": (Span("m/s^2", 1, 3, 0.1),),
            "t": (Span("s", 2, 8, 0.1),),
        },
        unit="m",
        bounds=(12, 250),
        solve=lambda u, a, t: u * t + a * t**2 / 2,
        when=lambda u, a, t: u + a * t <= 38,
        words=_WORDS,
        stories=_SPEEDS_UP,
        questions=(
            "how far does the {vehicle} travel in this time",
            "what distance does it cover while it speeds up",
        ),
    ),
    Kind(
        name="runway",
        equation="d = v²/(2 a)",
        given={"v": (Span("m/s", 50, 85),), "a": (Span("m/s^2", 2, 4.5, 0.1),)},
        unit="m",
        bounds=(300, 1800),
        solve=lambda v, a: v**2 / (2 * a),
        words={"plane": ("plane", "small plane", "airplane")},
        stories=(
            "{A plane} accelerates from rest at {a}. It takes off at a speed of {v}.",
            "{A plane} needs a speed of {v} to take off and accelerates from rest at {a}.",
        ),
        questions=(
            "how long must the runway be",
            "what length of runway does the {plane} need",
            "how far does the {plane} travel before it takes off",
        ),
    ),
)

_BRAKES = (
    Kind(
        name="brake_distance",
        equation="d = v²/(2 a)",
        given={"v": _ROAD_SPEED, "a": (_BRAKING,)},
        unit="m",
        bounds=(8, 112),
        solve=lambda v, a: v**2 / (2 * a),
        words=_WORDS,
        stories=(
            "{A vehicle} moving at {v} brakes with a deceleration of {a}.",
            "The driver of {a vehicle} moving at {v} sees a red light and brakes at {a}.",
            "{A vehicle} travels at {v}. Its brakes slow it down at {a}.",
        ),
        questions=(
            "how far does the {vehicle} travel before it stops",
            "what is the braking distance",
            "what distance does the {vehicle} need to stop",
        ),
    ),
    Kind(
        name="brake_rate",
        equation="a = v²/(2 d)",
        given={"v": _ROAD_SPEED, "d": (Span("m", 10, 100),)},
        unit="m/s^2",
        bounds=(3, 8),
        solve=lambda v, d: v**2 / (2 * d),
        words=_WORDS,
        stories=(
            "{A vehicle} moving at {v} skids to a stop in {d}.",
            "The driver of {a vehicle} moving at {v} brakes and stops after {d}.",
            "{A vehicle} travels at {v}. It needs {d} to brake to a stop.",
        ),
        questions=(
            "what is the deceleration of the {vehicle}",
            "at what rate does the {vehicle} slow down",
        ),
    ),
    Kind(
        name="brake_time",
        equation="t = v/a",
        given={"v": _ROAD_SPEED, "a": (_BRAKING,)},
        unit="s",
        bounds=(1.3, 8),
        solve=lambda v, a: v / a,
        words=_WORDS,
        stories=(
            "{A vehicle} moving at {v} brakes with a deceleration of {a}.",
            "The driver of {a vehicle} moving at {v} sees a child on the road and brakes at {a}.",
        ),
        questions=(
            "how long does the {vehicle} take to stop",
            "after what time does the {vehicle} come to rest",
        ),
    ),
    Kind(
        name="skid_speed",
        equation="v = √(2 a d)",
        given={"d": (Span("m", 12, 90),), "a": (_BRAKING,)},
        unit="m/s",
        bounds=(10, 36),
        solve=lambda d, a: math.sqrt(2 * a * d),
        words=_WORDS,
        stories=(
            "{A vehicle} leaves skid marks {d} long on the road. It slows down at {a}.",
            "{A vehicle} skids {d} with a deceleration of {a} before it stops.",
        ),
        questions=(
            "how fast is the {vehicle} moving before it brakes",
            "what is the speed of the {vehicle} before it brakes",
        ),
    ),
    Kind(
        name="reaction",
        equation="d = v t + v²/(2 a)",
        given={"v": _ROAD_SPEED, "t": (Span("s", 0.6, 1.5, 0.1),), "a": (_BRAKING,)},
        unit="m",
        bounds=(15, 150),
        solve=lambda v, t, a: v * t + v**2 / (2 * a),
        words=_WORDS,
        stories=(
            "{A vehicle} travels at {v}. The driver sees a red light, reacts after {t} and brakes at {a}.",
            "{person} drives {a vehicle} at {v} and sees a deer on the road. "
            "{He} reacts after {t} and brakes at {a}.",
        ),
        questions=(
            "what is the total stopping distance",
            "how far does the {vehicle} travel in all before it stops",
        ),
    ),
)

_STEADY = (
    Kind(
        name="average_speed",
        equation="v = (d1 + d2)/(d1/v1 + d2/v2)",
        given={
            "d1": (Span("km", 10, 90),),
            "v1": (Span("km/h", 30, 110),),
            "d2": (Span("km", 10, 90),),
            "v2": (Span("km/h", 30, 110),),
        },
        unit="km/h",
        bounds=(30, 110),
        solve=lambda d1, v1, d2, v2: (d1 + d2) / (d1 / v1 + d2 / v2),
        when=lambda d1, v1, d2, v2: abs(v1 - v2) > 2,
        words=_WORDS,
        stories=(
            "{A vehicle} travels {d1} at {v1} and then {d2} at {v2}.",
            "{person} drives {d1} at {v1} and then {d2} at {v2}.",
        ),
        questions=(
            "what is the average speed for the whole trip",
            "what is the average speed",
        ),
    ),
    Kind(
        name="trip_distance",
        equation="d = v t",
        given={"v": (Span("km/h", 60, 120),), "t": (Span("min", 10, 90),)},
        unit="km",
        bounds=(10, 180),
        solve=lambda v, t: v * t,
        words={"train": ("train", "express train", "freight train")},
        stories=(
            "{A train} travels at {v} for {t}.",
            "{A train} leaves a station and travels for {t} at a constant speed of {v}.",
        ),
        questions=(
            "how far does the train travel",
            "what distance does it cover in this time",
        ),
    ),
    Kind(
        name="train_bridge",
        equation="t = (length + d)/v",
        given={
            "length": (Span("m", 80, 300, 10),),
            "v": (Span("m/s", 15, 33), Span("km/h", 54, 120)),
            "d": (Span("m", 100, 600, 10),),
        },
        unit="s",
        bounds=(5, 60),
        solve=lambda length, v, d: (length + d) / v,
        words={"train": ("train", "express train", "freight train")},
        stories=(
            "{A train} that is {length} long moves at {v} and crosses a bridge {d} long.",
            "{A train} of length {length} crosses {a d} long bridge at a speed of {v}.",
        ),
        questions=(
            "how long does it take until the whole train is across",
            "how long does the whole train need to cross the bridge",
        ),
    ),
)

ROAD = (*_ACCELERATING, *_BRAKES, *_STEADY)
