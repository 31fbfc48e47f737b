"""`recurra translate RUN`, `recurra caption RUN`: `recurra predict` for one task each."""

from recurra.cli.predict import predict_only

translate = predict_only(
    "translate",
    "Text with one sentence per line, - for standard input.",
    """Translate a text line by line.

    echo 'A dog runs through the snow.' | recurra translate runs/en-de
    """,
)
caption = predict_only(
    "caption",
    "Feature vectors of images (.npy, .npz), or a folder of image files.",
    """Generate captions: one line per image, with its file name or its index from 0.

    recurra caption runs/captions new.npz
    """,
    lines=False,
)
