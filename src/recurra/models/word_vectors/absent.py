"""Names of gensim's vectors, now or in version 3, that Recurra does not have, with what to use instead."""

from recurra.plain import quoted

_ITSELF = "call the methods of vectors on the object itself"
_ATTRIBUTES = "set_vecattr and get_vecattr make room for values by themselves"
_TRAINING = "these vectors are not trained any further; train with recurra.WordVectors.train"
_ADDED = "add_vectors adds words with their vectors at any time"

INSTEAD = {
    "wv": _ITSELF,
    "docvecs": _ITSELF,
    "dv": _ITSELF,
    "vocab": "use key_to_index, index_to_key, and get_vecattr(word, 'count')",
    "index2word": "use index_to_key",
    "index2entity": "use index_to_key",
    "syn0": "use vectors",
    "syn0norm": "use get_normed_vectors()",
    "vectors_norm": "use get_normed_vectors()",
    "init_sims": "norms are computed when needed; use fill_norms(), or unit_normalize_all() to scale vectors",
    "accuracy": "use evaluate_word_analogies",
    "get_keras_embedding": "use torch.nn.Embedding.from_pretrained(torch.from_numpy(vectors.vectors))",
    "allocate_vecattrs": _ATTRIBUTES,
    "resize_vectors": _ADDED,
    "next_index": _ADDED,
    "mapfile_path": "load_vectors(folder, mmap=True) maps the vectors of a folder into memory",
    "add_lifecycle_event": "nothing is recorded about the past of vectors; a run folder records a training",
    "lifecycle_events": "nothing is recorded about the past of vectors; a run folder records a training",
    "similarity_unseen_docs": "there are no vectors of documents; compare means of words with n_similarity",
    "doctags": "there are no vectors of documents",
    "vectors_docs": "there are no vectors of documents",
    "vectors_lockf": _TRAINING,
    "vectors_vocab": _TRAINING,
    "vectors_ngrams": "a model trained with subwords has vectors of n-grams in `network.input`",
    "buckets_word": "a model trained with subwords has vectors of n-grams in `network.input`",
    "build_vocab": _TRAINING,
    "syn1": _TRAINING,
    "syn1neg": _TRAINING,
}


def absent(kind: str, name: str) -> AttributeError:
    """Return the error for an attribute that does not exist."""
    if name in INSTEAD:
        return AttributeError(f"{name}: {kind} has no such attribute of gensim's vectors; {INSTEAD[name]}.")
    return AttributeError(f"{kind} has no attribute {quoted(name)}; see dir({kind}).")
