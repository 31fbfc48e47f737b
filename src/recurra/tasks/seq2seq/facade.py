"""Translators, chat-bots and captioners that a person holds."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.inputs import Input
from recurra.data.readers.pairs import Pair
from recurra.data.readers.pictures import Pictures, read_pictures
from recurra.tasks.seq2seq.config import ChatConfig
from recurra.tasks.seq2seq.pair_model import AttentionMap, GeneratedText, PairModel

__all__ = ["AttentionMap", "Captioner", "ChatBot", "Conversation", "GeneratedText", "PairModel", "Translator"]


class Translator(PairModel):
    """From a text to another.

    translator = recurra.Translator.train("train.en", "train.de", out="runs/en-de")
    translator.translate("A dog runs.")
    """

    task = "translate"

    def translate(self, text: str | Sequence[str]) -> Any:
        """The best translation of a text, or of each of several."""
        if isinstance(text, str):
            return self.translations(text)[0].text
        return [found[0].text for found in self.answers([Pair((one,)) for one in text])]

    def translations(
        self, text: str, n_best: int = 1, *, prefix: str = "", phrases: Sequence[str] = ()
    ) -> list[GeneratedText]:
        """The `n_best` best translations of a text, best first."""
        return self.answers([Pair((text,))], n_best=n_best, prefix=prefix, phrases=phrases)[0]


class ChatBot(PairModel):
    """From what was said last to an answer.

    bot = recurra.ChatBot.train("dialogues.jsonl", out="runs/chat")
    talk = bot.conversation()
    talk.say("Have you seen any good films?")
    """

    task = "chat"

    def conversation(self) -> "Conversation":
        """A new conversation, of which nothing was said yet."""
        return Conversation(self)

    @property
    def memory_turns(self) -> int:
        """How many turns an answer is made from."""
        assert isinstance(self.config, ChatConfig), "a chat-bot's configuration"
        return self.config.memory_turns


class Conversation:
    """Turns that were said, of which a bot remembers the last."""

    def __init__(self, bot: ChatBot) -> None:
        self.bot = bot
        self.turns: list[str] = []
        self._last: tuple[Pair, list[int]] | None = None

    def say(self, text: str) -> str:
        """The bot's answer; both turns are remembered."""
        return "".join(self.stream(text)).strip()

    def stream(self, text: str) -> Iterator[str]:
        """The bot's answer piece by piece; both turns are remembered once it is whole."""
        before = (*self.turns, text)[-self.bot.memory_turns :]
        symbols: list[int] = []

        def noted(ids: Iterator[int]) -> Iterator[int]:
            for symbol in ids:
                symbols.append(symbol)
                yield symbol

        target = self.bot.symbols.target
        yield from target.stream(noted(self.bot.streamed_ids(Pair(before))))
        answer = target.decode(symbols).strip()
        self._last = Pair(before, (answer,)), symbols
        self.turns += [text, answer]

    def why(self) -> AttentionMap | None:
        """Where the bot looked while it wrote its last answer; None before there is one.

        Raises: ConfigError for a model without attention.
        """
        return None if self._last is None else self.bot.attention(*self._last)

    def reset(self) -> None:
        """Forget all that was said."""
        self.turns, self._last = [], None


class Captioner(PairModel):
    """From a picture, or the numbers of one, to a sentence.

    captioner = recurra.Captioner.train("features.npz", "captions.jsonl", out="runs/captions")
    captioner.caption("new.npz")
    """

    task = "caption"
    beside = "captions"

    def asked(self, source: Input) -> Iterator[Pair]:
        """The pictures of a file or folder."""
        return iter(self.pairs_of_pictures(read_pictures(source.file())))

    def caption(self, pictures: str | Path | NDArray[Any]) -> list[str]:
        """The best caption of each picture of a file, a folder or an array.

        Shapes: an array (N, F), (N, R, F) or (N, C, H, W), as the pictures that were learnt from.
        Raises: DataError for pictures of other shapes, or a file that cannot be used.
        """
        read = Pictures(Path("array"), pictures) if isinstance(pictures, np.ndarray) else None
        pairs = self.pairs_of_pictures(read or read_pictures(Path(str(pictures))))
        return [found[0].text for found in self.answers(pairs)]

    def pairs_of_pictures(self, pictures: Pictures) -> list[Pair]:
        """Pictures as pairs that have no captions yet.

        Raises: DataError for pictures of other shapes than those that were learnt from.
        """
        pairs = [
            Pair((name,), (), pictures.of(name), str(pictures.path), number)
            for number, name in enumerate(pictures.names, start=1)
        ]
        self.check_shapes(pairs[:1])
        return pairs
