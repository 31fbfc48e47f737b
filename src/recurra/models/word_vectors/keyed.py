"""Words with one vector each: files and tests, under the names of gensim's KeyedVectors."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from recurra.arguments import AtLeastOne, NotNegative, checks_arguments
from recurra.errors import ConfigError, ShapeError
from recurra.models.word_vectors.absent import absent
from recurra.models.word_vectors.evaluation import (
    AnalogySection,
    Correlation,
    Judgements,
    answer_analogies,
    judge_pairs,
    read_judgements,
    too_few_pairs,
)
from recurra.models.word_vectors.files import (
    Found,
    TextFormat,
    Word2vecWriting,
    read_counts,
    read_own,
    read_word2vec,
    write_counts,
    write_own,
    write_word2vec,
)
from recurra.models.word_vectors.lookup import Key, check_dtype
from recurra.models.word_vectors.neighbours import NeighbouringWords
from recurra.plain import quoted

_LOG = logging.getLogger("recurra")


class KeyedVectors(NeighbouringWords):
    """Words, the most frequent first if they come from training, and their vectors, which are compared.

        vectors = recurra.KeyedVectors.load_word2vec_format("vectors.txt")
        vectors.most_similar(positive=["king", "woman"], negative=["man"])

    Similarities are cosines; that of a zero vector is 0. The names and results of methods are those of
    `gensim.models.KeyedVectors`, so that code for it runs with another import. Shapes: vectors (N, D), which
    may be memory-mapped.
    """

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise absent(type(self).__name__, name)

    @checks_arguments
    def vectors_for_all(
        self, keys: Iterable[Key], allow_inference: bool = True, copy_vecattrs: bool = False
    ) -> "KeyedVectors":
        """Return new vectors of the known words among `keys`, each once.

        With `allow_inference`, words that are made of known n-grams are known; with `copy_vecattrs`, their
        attributes are copied.
        """
        there = self.__contains__ if allow_inference else self.has_index_for
        known = list(dict.fromkeys(key if isinstance(key, str) else self._word_at(key) for key in keys))
        words = [word for word in known if word is not None and there(word)]
        found = KeyedVectors(words, self[words])
        for attr in self.expandos if copy_vecattrs else ():
            for word in filter(self.has_index_for, words):
                found.set_vecattr(word, attr, self.get_vecattr(word, attr).item())
        return found

    def _word_at(self, row: int) -> str | None:
        return self.index_to_key[row] if self.has_index_for(row) else None

    # Files

    @classmethod
    @checks_arguments
    def load_word2vec_format(
        cls,
        fname: str | Path,
        fvocab: str | Path | None = None,
        binary: bool | None = None,
        encoding: str = "utf-8",
        unicode_errors: str = "strict",
        limit: AtLeastOne | None = None,
        datatype: Any = np.float32,
        no_header: bool | None = None,
        skip_bad: bool = False,
    ) -> "KeyedVectors":
        """Read vectors in the format of word2vec (text or binary), GloVe or fastText (.vec), plain or .gz.

        The format is found from the file; `binary` and `no_header`, if given, must agree with it. `fvocab` is
        a file with a word and its count per line. `limit` reads the first words only; `skip_bad` leaves out
        lines that cannot be read, with a warning. Of a word that occurs twice, the first vector is kept.

        Raises: DataError naming the line or word that cannot be read.
        """
        check_dtype(datatype)
        has_header = None if no_header is None else not no_header
        how = TextFormat(binary, has_header, encoding, unicode_errors)
        counts = None if fvocab is None else read_counts(Path(fvocab))
        found = KeyedVectors(*read_word2vec(Path(fname), how, limit=limit, skip_bad=skip_bad))
        if counts is not None:
            found.expandos["count"] = np.array([counts.get(word, 0) for word in found.index_to_key], np.int64)
        return found

    @checks_arguments
    def intersect_word2vec_format(
        self,
        fname: str | Path,
        lockf: float = 0.0,
        binary: bool | None = None,
        encoding: str = "utf-8",
        unicode_errors: str = "strict",
    ) -> None:
        """Replace the vectors of known words by those of a file; words that only the file has are left out.

        Raises: as `load_word2vec_format`; ShapeError for vectors of another size; DataError if the file has
        no known word.
        """
        if lockf != 0.0:
            raise ConfigError(
                f"lockf: got {lockf}, but vectors are not trained any further; remove the argument."
            )
        how = TextFormat(binary, None, encoding, unicode_errors)
        found = read_word2vec(Path(fname), how, only=self.key_to_index)
        if found.size != self.vector_size:
            raise ShapeError(
                f"{fname}: has vectors of {found.size} numbers, expected {self.vector_size}; choose a file "
                "with vectors of this size."
            )
        self.add_vectors(found.words, found.vectors, replace=True)

    @checks_arguments
    def save_word2vec_format(
        self,
        fname: str | Path,
        fvocab: str | Path | None = None,
        binary: bool = False,
        total_vec: NotNegative | None = None,
        write_header: bool = True,
        prefix: str = "",
        append: bool = False,
        sort_attr: str = "count",
    ) -> None:
        """Write the format of word2vec, as text or binary; text without a header is the format of GloVe.

        Words are sorted by decreasing `sort_attr`, if they have this attribute. `fvocab` also writes a file
        with this attribute of each word. `total_vec` is the number of words that the header tells; with
        `append`, a file is continued. A name that ends in .gz is compressed.

        Raises: ConfigError for a word with a blank, which the format cannot hold; StorageError.
        """
        order = list(range(len(self)))
        values = self._attribute(sort_attr) if sort_attr in self.expandos or fvocab is not None else None
        if values is not None:
            order.sort(key=lambda at: -values[at])
        how = Word2vecWriting(binary, write_header, total_vec, prefix, append)
        if fvocab is not None and values is not None:
            write_counts(self, order, values, Path(fvocab), how)
        write_word2vec(self, order, Path(fname), how)

    @checks_arguments
    def save_vectors(self, path: str | Path) -> None:
        """Write words and vectors: into one file if the path ends in .npz, else into a folder.

        A folder can be memory-mapped by `load_vectors`. Attributes such as counts are written too.

        Raises: ConfigError for attributes that are no numbers; StorageError.
        """
        write_own(self, {name: self._attribute(name) for name in self.expandos}, Path(path))

    @classmethod
    @checks_arguments
    def load_vectors(cls, path: str | Path, mmap: bool | str | None = False) -> "KeyedVectors":
        """Read what `save_vectors` wrote, or a file of `load_word2vec_format`.

        With `mmap` (True, or "r" as in gensim) the vectors of a folder stay on disk. The vectors of a run are
        those of `recurra.WordVectors.load`.

        Raises: DataError if it is missing or damaged; ConfigError for a file that cannot be memory-mapped, a
        run, or a pickle.
        """
        if mmap not in (None, True, False, "r"):
            raise ConfigError(f"mmap: got {quoted(mmap)}, expected True, or 'r' to read only.")
        return cls._of(read_own(Path(path), mapped=bool(mmap)))

    @checks_arguments
    def save(self, out: str | Path) -> None:
        """Write words and vectors; as `save_vectors`."""
        self.save_vectors(out)

    @classmethod
    @checks_arguments
    def load(cls, fname: str | Path, mmap: bool | str | None = None) -> "KeyedVectors":
        """Read words and vectors; as `load_vectors`."""
        return KeyedVectors.load_vectors(fname, mmap)

    @staticmethod
    def _of(found: Found) -> "KeyedVectors":
        vectors = KeyedVectors(found.words, found.vectors)
        vectors.expandos.update({name: np.array(each) for name, each in found.attributes.items()})
        return vectors

    # Tests

    @checks_arguments
    def analogies(
        self,
        analogies: str | Path,
        restrict_vocab: AtLeastOne | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
        similarity_function: Literal["most_similar", "most_similar_cosmul"] = "most_similar",
        skip_bad: bool = False,
    ) -> list[AnalogySection]:
        """Answer a file of analogies; see `evaluate_word_analogies`. Raises: DataError."""
        return answer_analogies(
            self,
            Path(analogies),
            restrict_vocab=restrict_vocab,
            case_insensitive=case_insensitive,
            dummy4unknown=dummy4unknown,
            cosmul=similarity_function == "most_similar_cosmul",
            skip_bad=skip_bad,
        )

    @checks_arguments
    def evaluate_word_analogies(
        self,
        analogies: str | Path,
        restrict_vocab: AtLeastOne | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
        similarity_function: Literal["most_similar", "most_similar_cosmul"] = "most_similar",
        skip_bad: bool = False,
    ) -> tuple[float, list[dict[str, Any]]]:
        """Return the share of analogies "a : b = c : ?" that are answered, and each group's questions.

        The answer is the word with the largest cos(b - a + c), except a, b and c. Without regard to case, the
        first of several forms of a word stands for all.

        Questions with a word outside the first `restrict_vocab` are left out, or wrong with `dummy4unknown`;
        the last group has all. Raises: DataError if the file cannot be read.
        """
        found = self.analogies(
            analogies, restrict_vocab, case_insensitive, dummy4unknown, similarity_function, skip_bad
        )
        total = AnalogySection("Total accuracy", unknown=sum(section.unknown for section in found))
        for section in found:
            total.correct += section.correct
            total.incorrect += section.incorrect
        groups = [section.to_dict() for section in (*found, total)]
        for group in groups:
            self.log_accuracy(group)
        return total.accuracy, groups

    @staticmethod
    @checks_arguments
    def log_accuracy(section: Mapping[str, Any]) -> None:
        """Log the accuracy of a group of analogies, at the level INFO of the logger "recurra"."""
        correct, incorrect = (section.get(name, ()) for name in ("correct", "incorrect"))
        if not isinstance(correct, Sequence) or not isinstance(incorrect, Sequence):
            raise ConfigError(
                "section: has no lists correct and incorrect; give one of evaluate_word_analogies."
            )
        asked = len(correct) + len(incorrect)
        if asked:
            share = 100 * len(correct) / asked
            _LOG.info("%s: %.1f%% (%i/%i)", section.get("section"), share, len(correct), asked)

    @checks_arguments
    def judgements(
        self,
        pairs: str | Path,
        delimiter: str | None = None,
        restrict_vocab: AtLeastOne | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
        encoding: str = "utf-8",
        skip_bad: bool = False,
    ) -> Judgements:
        """Compare cosines with people's judgements in a file of `word word score`; see `Judgements`.

        Raises: DataError if it cannot be read, or fewer than two pairs are known.
        """
        if delimiter == "":
            raise ConfigError("delimiter: is empty; give a tab, or None for blanks.")
        found = judge_pairs(
            self,
            read_judgements(Path(pairs), delimiter, encoding=encoding, skip_bad=skip_bad),
            restrict_vocab=restrict_vocab,
            case_insensitive=case_insensitive,
            dummy4unknown=dummy4unknown,
        )
        if found.pairs + found.unknown * dummy4unknown < 2:
            raise too_few_pairs(Path(pairs))
        return found

    @checks_arguments
    def evaluate_word_pairs(
        self,
        pairs: str | Path,
        delimiter: str | None = "\t",
        encoding: str = "utf-8",
        restrict_vocab: AtLeastOne | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
        skip_bad: bool = False,
    ) -> tuple[Correlation, Correlation, float]:
        """Return Pearson's and Spearman's correlation, and the percentage of pairs with an unknown word.

        Raises: as `judgements`.
        """
        found = self.judgements(
            pairs, delimiter, restrict_vocab, case_insensitive, dummy4unknown, encoding, skip_bad
        )
        oov = 100 * found.unknown_share
        self.log_evaluate_word_pairs(found.pearson, found.spearman, oov, str(pairs))
        return found.pearson, found.spearman, oov

    @staticmethod
    @checks_arguments
    def log_evaluate_word_pairs(
        pearson: Sequence[Any], spearman: Sequence[Any], oov: float, pairs: str | Path
    ) -> None:
        """Log the result of `evaluate_word_pairs`, at the level INFO of the logger "recurra"."""
        if not len(pearson) or not len(spearman):
            raise ConfigError("pearson: has no correlation; give a result of evaluate_word_pairs.")
        _LOG.info("Pearson correlation with %s: %s", pairs, pearson[0])
        _LOG.info("Spearman correlation with %s: %s", pairs, spearman[0])
        _LOG.info("pairs with unknown words: %.1f%%", oov)
