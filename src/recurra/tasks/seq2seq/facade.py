"""The Python classes of translators, chat-bots and captioners."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from recurra.arguments import AtLeastOne, checked_path, checks_arguments, each_text
from recurra.data.inputs import Input
from recurra.data.readers.pairs import Pair
from recurra.data.readers.pictures import Pictures, pictures_in, read_pictures
from recurra.errors import ConfigError
from recurra.plain import counted
from recurra.tasks.seq2seq.config import ChatConfig
from recurra.tasks.seq2seq.corpus import with_model_channels
from recurra.tasks.seq2seq.outputs import AttentionMap, GeneratedText
from recurra.tasks.seq2seq.pair_model import PairModel, SampleCount
from recurra.tasks.shown import ignored

__all__ = ["AttentionMap", "Captioner", "ChatBot", "Conversation", "GeneratedText", "PairModel", "Translator"]


class Translator(PairModel):
    """Translates one text into another.

    translator = recurra.Translator.train("train.en", "train.de", out="runs/en-de")
    translator.translate("A dog runs.")
    """

    task = "translate"

    @overload
    def translate(self, text: str) -> str: ...  # type: ignore[overload-overlap]

    @overload
    def translate(self, text: Iterable[str]) -> list[str]: ...

    @checks_arguments
    def translate(self, text: str | Iterable[str]) -> Any:
        """Return the best translation of a text; a list for a list, an array, a series or a generator.

        A list is translated in batches, which is much faster than one text at a time.

        Raises: ConfigError for anything else than texts.
        """
        if isinstance(text, str):
            return self.translations(text)[0].text
        return [found[0].text for found in self.translations(text)]

    @overload
    def translations(  # type: ignore[overload-overlap]
        self, text: str, n_best: AtLeastOne = 1, *, prefix: str = "", phrases: Sequence[str] = ()
    ) -> list[GeneratedText]: ...

    @overload
    def translations(
        self, text: Iterable[str], n_best: AtLeastOne = 1, *, prefix: str = "", phrases: Sequence[str] = ()
    ) -> list[list[GeneratedText]]: ...

    @checks_arguments
    def translations(
        self,
        text: str | Iterable[str],
        n_best: AtLeastOne = 1,
        *,
        prefix: str = "",
        phrases: Sequence[str] = (),
    ) -> Any:
        """Return the `n_best` best translations of a text, best first; a list of lists for several texts.

        Raises: as `translate`; ConfigError for a prefix or phrase that the model cannot write.
        """
        pairs = _pairs_of(text, "translations: text")
        found = self.answers(pairs, n_best=n_best, prefix=prefix, phrases=phrases)
        return found[0] if isinstance(text, str) else found

    @checks_arguments
    def samples(self, text: str | Iterable[str], count: SampleCount = 1, **options: Any) -> Any:
        """Sample `count` translations of a text; a list of lists for several texts; options as `sampled`.

        Raises: as `translate`; ConfigError for invalid options.
        """
        found = self.sampled(_pairs_of(text, "samples: text"), count=count, **options)
        return found[0] if isinstance(text, str) else found


def _pairs_of(text: str | Iterable[str], what: str) -> list[Pair]:
    """Return a text, or several ones, as pairs without targets. Raises: ConfigError for anything else."""
    return [Pair((one,)) for one in ([str(text)] if isinstance(text, str) else each_text(text, what))]


Turns = str | tuple[str, ...]
"""The last turn of a conversation, or its last turns in a tuple."""


class ChatBot(PairModel):
    """Answers the last turns of a conversation.

    bot = recurra.ChatBot.train("dialogues.jsonl", out="runs/chat")
    talk = bot.conversation()
    talk.say("Have you seen any good films?")
    """

    task = "chat"

    def conversation(self) -> "Conversation":
        """Start a new, empty conversation."""
        return Conversation(self)

    @checks_arguments
    def reply(self, turns: Turns | Iterable[Turns]) -> Any:
        """Return the best answer to a text, or to the turns of a conversation in a tuple.

        A list, or any other iterable, stands for several conversations and gives a list of answers. The bot
        reads the last `memory_turns` turns.

        Raises: ConfigError for anything else than texts.
        """
        found = self.replies(turns)
        return found[0].text if isinstance(turns, str | tuple) else [every[0].text for every in found]

    @checks_arguments
    def replies(
        self,
        turns: Turns | Iterable[Turns],
        n_best: AtLeastOne = 1,
        *,
        prefix: str = "",
        phrases: Sequence[str] = (),
    ) -> Any:
        """Return the `n_best` best answers, best first; a list of lists for several conversations.

        Raises: as `reply`; ConfigError for a prefix or phrase that the model cannot write.
        """
        pairs = self._pairs_of(turns, "replies: turns")
        found = self.answers(pairs, n_best=n_best, prefix=prefix, phrases=phrases)
        return found[0] if isinstance(turns, str | tuple) else found

    @checks_arguments
    def samples(self, turns: Turns | Iterable[Turns], count: SampleCount = 1, **options: Any) -> Any:
        """Sample `count` answers; a list of lists for several conversations; options as `sampled`.

        Raises: as `reply`; ConfigError for invalid options.
        """
        found = self.sampled(self._pairs_of(turns, "samples: turns"), count=count, **options)
        return found[0] if isinstance(turns, str | tuple) else found

    def _pairs_of(self, turns: Turns | Iterable[Turns], what: str) -> list[Pair]:
        every = [turns] if isinstance(turns, str | tuple) else list(turns)
        found = []
        for place, one in enumerate(every):
            where = f"{what}[{place}]"
            before = (one,) if isinstance(one, str) else tuple(each_text(one, where))
            if not before:
                raise ConfigError(f"{where}: has no turns; give at least one.")
            found.append(Pair(before[-self.memory_turns :]))
        return found

    @property
    def memory_turns(self) -> int:
        """Number of last turns that the model reads."""
        assert isinstance(self.config, ChatConfig), "a chat-bot's configuration"
        return self.config.memory_turns


class Conversation:
    """A conversation with a bot, which reads its last turns."""

    @checks_arguments
    def __init__(self, bot: ChatBot) -> None:
        self.bot = bot
        self.turns: list[str] = []
        self._last: tuple[Pair, list[int]] | None = None

    def __repr__(self) -> str:
        return f"Conversation({counted(len(self.turns), 'turn')} with {self.bot!r})"

    @checks_arguments
    def say(self, text: str) -> str:
        """Return the bot's answer; both turns are added to the conversation."""
        return "".join(self.stream(text)).strip()

    @checks_arguments
    def stream(self, text: str) -> Iterator[str]:
        """Yield the bot's answer piece by piece; both turns are added once it is complete."""
        before = (*self.turns, text)[-self.bot.memory_turns :]
        symbols: list[int] = []
        pieces: list[str] = []
        for piece in self.bot.streamed_with(symbols, Pair(before)):
            pieces.append(piece)
            yield piece
        answer = "".join(pieces).strip()
        self._last = Pair(before, (answer,)), symbols
        self.turns += [text, answer]

    def why(self) -> AttentionMap | None:
        """Return the attention weights of the bot's last answer; None before the first answer.

        Raises: ConfigError for a model without attention.
        """
        return None if self._last is None else self.bot.attention(*self._last)

    def reset(self) -> None:
        """Forget all turns."""
        self.turns, self._last = [], None


GivenPictures = str | Path | NDArray[Any] | Iterable[str | Path | NDArray[Any]]
"""A file or folder of pictures, an array of pictures, or a list of files and arrays of one picture."""


class Captioner(PairModel):
    """Describes a picture, or its features, in a sentence.

    captioner = recurra.Captioner.train("features.npz", "captions.jsonl", out="runs/captions")
    captioner.caption("new.npz")
    """

    task = "caption"
    beside = "captions"

    @checks_arguments
    def asked(self, source: Input, *, tell: Callable[[str], None] = ignored) -> list[Pair]:
        """Read the pictures of a file or folder."""
        return self.pairs_of_pictures(read_pictures(source.file()))

    @checks_arguments
    def caption(self, pictures: GivenPictures) -> list[str]:
        """Return the best caption of each picture: in a file, a folder, an array, or a list of these.

        In a list, an array is one picture, and an image file, or any other file or folder, all its pictures.

        Shapes: an array (N, F), (N, R, F) or (N, C, H, W), the same as the training pictures; in a list
        without N.
        Raises: DataError for pictures of other shapes, or a file that cannot be used.
        """
        return [found[0].text for found in self.captions(pictures)]

    @checks_arguments
    def captions(
        self,
        pictures: GivenPictures,
        n_best: AtLeastOne = 1,
        *,
        prefix: str = "",
        phrases: Sequence[str] = (),
    ) -> list[list[GeneratedText]]:
        """Return the `n_best` best captions of each picture, best first; pictures as in `caption`.

        Raises: as `caption`; ConfigError for a prefix or phrase that the model cannot write.
        """
        return self.answers(self._given(pictures), n_best=n_best, prefix=prefix, phrases=phrases)

    @checks_arguments
    def samples(
        self, pictures: GivenPictures, count: SampleCount = 1, **options: Any
    ) -> list[list[GeneratedText]]:
        """Sample `count` captions of each picture; pictures as in `caption`, options as `sampled`.

        Raises: as `caption`; ConfigError for invalid options.
        """
        return self.sampled(self._given(pictures), count=count, **options)

    def _given(self, pictures: GivenPictures) -> list[Pair]:
        if isinstance(pictures, np.ndarray):
            return self.pairs_of_pictures(pictures_in(pictures))
        several = [pictures] if isinstance(pictures, str | Path) else list(pictures)
        pairs: list[Pair] = []
        for place, one in enumerate(several):
            if isinstance(one, np.ndarray):
                pairs += self.pairs_of_pictures(pictures_in(one[None]))
            else:
                file = checked_path(one, f"captions: pictures[{place}]")
                pairs += self.pairs_of_pictures(read_pictures(file))
        return pairs

    @checks_arguments
    def pairs_of_pictures(self, pictures: Pictures) -> list[Pair]:
        """Return pictures as pairs without captions.

        Raises: DataError for pictures of other shapes than the training pictures.
        """
        pairs = [
            Pair((name,), (), pictures.of(name), str(pictures.path), number)
            for number, name in enumerate(pictures.names, start=1)
        ]
        pairs = with_model_channels(pairs, self.symbols.vector_shape)
        self.check_shapes(pairs[:1])
        return pairs
