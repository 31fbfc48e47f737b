"""N-gram models, their smoothing methods, and the ARPA format."""

from recurra.models.ngram.arpa import read_arpa, write_arpa
from recurra.models.ngram.model import NGramModel
from recurra.models.ngram.network import NGramNetwork

__all__ = ["NGramModel", "NGramNetwork", "read_arpa", "write_arpa"]
