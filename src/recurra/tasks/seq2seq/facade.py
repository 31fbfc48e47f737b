"""The Python classes of translators, chat-bots and captioners."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.arguments import AtLeastOne, checks_arguments
from recurra.data.inputs import Input
from recurra.data.readers.pairs import Pair
from recurra.data.readers.pictures import Pictures, pictures_in, read_pictures
from recurra.tasks.seq2seq.config import ChatConfig
from recurra.tasks.seq2seq.corpus import with_model_channels
from recurra.tasks.seq2seq.pair_model import AttentionMap, GeneratedText, PairModel

__all__ = ["AttentionMap", "Captioner", "ChatBot", "Conversation", "GeneratedText", "PairModel", "Translator"]


class Translator(PairModel):
    """Translates one text into another.

    translator = recurra.Translator.train("train.en", "train.de", out="runs/en-de")
    translator.translate("A dog runs.")
    """

    task = "translate"

    @checks_arguments
    def translate(self, text: str | Sequence[str]) -> Any:
        """Return the best translation of a text, or of each text in a list."""
        if isinstance(text, str):
            return self.translations(text)[0].text
        return [found[0].text for found in self.answers([Pair((one,)) for one in text])]

    @checks_arguments
    def translations(
        self, text: str, n_best: AtLeastOne = 1, *, prefix: str = "", phrases: Sequence[str] = ()
    ) -> list[GeneratedText]:
        """Return the `n_best` best translations of a text, best first."""
        return self.answers([Pair((text,))], n_best=n_best, prefix=prefix, phrases=phrases)[0]


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


class Captioner(PairModel):
    """Describes a picture, or its features, in a sentence.

    captioner = recurra.Captioner.train("features.npz", "captions.jsonl", out="runs/captions")
    captioner.caption("new.npz")
    """

    task = "caption"
    beside = "captions"

    @checks_arguments
    def asked(self, source: Input) -> list[Pair]:
        """Read the pictures of a file or folder."""
        return self.pairs_of_pictures(read_pictures(source.file()))

    @checks_arguments
    def caption(self, pictures: str | Path | NDArray[Any]) -> list[str]:
        """Return the best caption of each picture in a file, a folder or an array.

        Shapes: an array (N, F), (N, R, F) or (N, C, H, W), the same as the training pictures.
        Raises: DataError for pictures of other shapes, or a file that cannot be used.
        """
        read = pictures_in(pictures) if isinstance(pictures, np.ndarray) else read_pictures(Path(pictures))
        pairs = self.pairs_of_pictures(read)
        return [found[0].text for found in self.answers(pairs)]

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
