"""`recurra mine RUN FILES`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurra.cli.listen import Threshold
from recurra.cli.options import Out, Overwrite

if TYPE_CHECKING:
    from recurra.tasks.detection.listening import Heard


def mine(
    run: Annotated[Path, typer.Argument(help="Folder of a detector's run.")],
    files: Annotated[list[Path], typer.Argument(help="Recordings or folders without the words.")],
    out: Out,
    threshold: Threshold = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Number of epochs (if not given, as many as the run).")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Find the false alarms of a detector in recordings without its words, and train on with them.

    recurra mine runs/athena radio/ -o runs/athena-2
    """
    from recurra.cli.train import progress_bar, report_end
    from recurra.plain import counted
    from recurra.tasks import registry
    from recurra.tasks.detection.facade import Detector
    from recurra.tasks.model import load

    detector = load(run, Detector)

    def tell(path: Path, heard: "Heard") -> None:
        typer.echo(f"{path}\t{heard.line()}")

    task = registry.get(Detector.task)
    found = detector.mine(
        files,
        out,
        threshold=threshold or (),
        epochs=epochs,
        overwrite=overwrite,
        tell=tell,
        listeners=[progress_bar(task, detector.config)],
    )
    typer.echo(f"{counted(len(found.alarms), 'false alarm')} in {found.seconds / 3600:.2f} hours")
    if found.table is None:
        typer.echo("nothing to train on; a lower --threshold finds more")
        return
    typer.echo(f"negatives: {found.table}")
    report_end(task, found.result)
