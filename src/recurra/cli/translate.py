"""`recurra translate RUN`, `recurra caption RUN`: names of `recurra predict` for one task."""

from recurra.cli.predict import predict_only

translate = predict_only(
    "translate",
    "Text, a line for each line; - for standard input.",
    """Translate line by line: a line out for each line in, an empty one for an empty one.
    Options of the search that are not given are as in the run's training.

    echo 'A dog runs through the snow.' | recurra translate runs/en-de
    """,
)
caption = predict_only(
    "caption",
    "An .npy or .npz of the numbers of pictures, or a folder of image files.",
    """Say what pictures show: a line for each, with its name, or its number from 0.
    Options of the search that are not given are as in the run's training.

    recurra caption runs/captions new.npz
    """,
    lines=False,
)
