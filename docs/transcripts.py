"""Run the commands in the documentation pages and write their output back into the pages.

    python docs/transcripts.py docs/guides/language-model.md …

bash runs all `console` blocks of a page in order, in a folder that contains only `examples`. Lines that begin
with `$ ` are commands. A comment on the line before a block changes how it is handled:

    <!-- figure: NAME -->   not run: takes long; its figures were copied by hand
    <!-- shown -->          not run: needs another machine or a signal, or ends a running process
    <!-- tail N -->         only the last N lines of the output are kept
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

_BLOCK = re.compile(r"(?P<note><!-- [^\n]* -->\n)?```console\n(?P<body>.*?)```\n", re.DOTALL)
_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
_HOME = "/home/you"


def main() -> None:
    """Update the command output of each given page."""
    environment = os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    for name in sys.argv[1:]:
        page = Path(name)
        text = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            environment["RECURRA_CACHE"] = f"{folder}/.cache"
            (Path(folder) / "examples").symlink_to(_EXAMPLES)
            page.write_text(
                _BLOCK.sub(lambda match: _brought_up_to_date(match, folder, environment), text),
                encoding="utf-8",
            )


def _brought_up_to_date(match: re.Match[str], folder: str, environment: dict[str, str]) -> str:
    note = match["note"] or ""
    if note.startswith(("<!-- figure", "<!-- shown")):
        return match[0]
    kept = re.match(r"<!-- tail (\d+)", note)
    body = ""
    for command in _commands(match["body"]):
        print(f"$ {command}", file=sys.stderr)
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        output = [line.rstrip() for line in done.stdout.rstrip().splitlines()]
        if kept and len(output) > int(kept[1]):
            output = ["…", *output[-int(kept[1]) :]]
        body += "\n".join([f"$ {command}", *output]).replace(folder, _HOME) + "\n"
    return f"{note}```console\n{body}```\n"


def _commands(body: str) -> list[str]:
    """The commands of a block; one that ends in a backslash or in `<<E` continues on the next lines."""
    commands: list[str] = []
    ends_with: str | None = None
    for line in body.splitlines():
        if ends_with is not None:
            commands[-1] += f"\n{line}"
            ends_with = None if line == ends_with else ends_with
        elif commands and commands[-1].endswith("\\"):
            commands[-1] += f"\n{line}"
        elif line.startswith("$ "):
            commands.append(line.removeprefix("$ "))
        if ends_with is None and commands and (here := re.search(r"<<(\w+)$", commands[-1])):
            ends_with = here[1]
    return commands


if __name__ == "__main__":
    main()
