"""Maps of word vectors as pages, pictures and files for the Embedding Projector."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recurra.errors import ConfigError
from recurra.models.word_vectors.keyed import KeyedVectors
from recurra.models.word_vectors.maps import map_words, plane_of_pairs, write_projector
from recurra.plain import counted
from recurra.reports.drawing import write_png
from recurra.reports.pages import write_map_page
from recurra.reports.word_plots import pair_arrows, scatter_map
from recurra.tasks.word_sources import check_free

_PICTURES, _PAGE = (".png", ".svg"), ".html"


@dataclass(frozen=True)
class MapPlan:
    """Where a map is written: `out` (a page or a picture) and the folder `projector`."""

    out: Path | None
    projector: Path | None = None
    overwrite: bool = False

    def check(self, *, pairs: bool = False, only: bool = False) -> None:
        """Check the options before any work is done. Raises: ConfigError, StorageError."""
        if self.out is None and self.projector is None:
            raise ConfigError("out: is missing; name a file (.html, .png, .svg), or a folder with projector.")
        if pairs and (only or self.projector is not None):
            raise ConfigError("pairs: cannot be combined with only or projector; remove them.")
        kinds = _PICTURES if pairs else (_PAGE, *_PICTURES)
        if self.out is not None and self.out.suffix not in kinds:
            raise ConfigError(f"out: got {self.out.name!r}, expected a name that ends in {', '.join(kinds)}.")
        for path in (self.out, *self._of_projector()):
            if path is not None:
                check_free(path, overwrite=self.overwrite)

    def _of_projector(self) -> list[Path]:
        if self.projector is None:
            return []
        return [self.projector / name for name in ("vectors.tsv", "metadata.tsv")]


def draw_map(
    vectors: KeyedVectors, words: Sequence[str], plan: MapPlan, *, perplexity: float = 30.0, seed: int = 1
) -> str:
    """Write the map of words by t-SNE, and return a sentence on it. Raises: as `map_words`; StorageError."""
    assert plan.out is not None, "checked"
    found = map_words(vectors, words, perplexity=perplexity, seed=seed)
    note = f"{counted(len(found.words), 'word')}, t-SNE with perplexity {found.perplexity:.3g}, seed {seed}"
    if plan.out.suffix == _PAGE:
        write_map_page(
            plan.out,
            title="Map of words",
            note=f"{note}. Words with similar vectors are near each other; large distances mean nothing.",
            words=found.words,
            points=found.points.tolist(),
            nearest=found.nearest,
            counts=found.counts,
        )
    else:
        write_png(plan.out, scatter_map, found.words, found.points)
    return f"{note}: {plan.out}"


def draw_pairs(vectors: KeyedVectors, pairs: Sequence[tuple[str, str]], plan: MapPlan) -> str:
    """Write a picture of pairs in the plane, and return a sentence on it.

    Raises: ConfigError, StorageError.
    """
    assert plan.out is not None, "checked"
    found = plane_of_pairs(vectors, pairs)
    write_png(plan.out, pair_arrows, found.pairs, found.points, explained=found.explained)
    return f"{counted(len(found.pairs), 'pair')}, {sum(found.explained):.0%} of their variance: {plan.out}"


def export_words(vectors: KeyedVectors, words: Sequence[str], plan: MapPlan) -> str:
    """Write the files of the Embedding Projector, and return a sentence on them.

    Raises: ConfigError without words; StorageError.
    """
    assert plan.projector is not None, "checked"
    if not words:
        raise ConfigError("words: got none for the Embedding Projector; give words of the vocabulary.")
    write_projector(vectors, words, plan.projector)
    return f"{counted(len(words), 'word')} for the Embedding Projector: {plan.projector}"
