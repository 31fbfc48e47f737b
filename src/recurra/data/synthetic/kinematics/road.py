"""Problems of one vehicle on a straight road: acceleration, braking and average speed."""

from recurra.data.synthetic.kinematics.kind import Kind, Span

_WORDS = {"vehicle": ("car", "bus", "truck", "motorcycle")}
_ROAD_SPEED = (Span("m/s", 10, 30), Span("km/h", 40, 110))
_BRAKING = Span("m/s^2", 4, 7, 0.1)

ROAD = (
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
        name="runway",
        equation="d = v²/(2 a)",
        given={"v": (Span("m/s", 50, 85),), "a": (Span("m/s^2", 2, 4.5, 0.1),)},
        unit="m",
        bounds=(300, 1800),
        solve=lambda v, a: v**2 / (2 * a),
        words={"plane": ("plane", "small plane")},
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
)
