// A stretch of training of word vectors: skip-gram, continuous bag of words and other contexts, by negative
// sampling or hierarchical softmax (Mikolov et al. 2013).
//
// A position of a sentence gives R hidden vectors h_r, made from the rows e of its context words, and the outputs
// θ_o with labels y_o that all of them share: the word itself (1) and `negatives` drawn words (0), or the inner nodes
// on the word's path in the tree (the labels are its code). Each r is one prediction, with
//
//   loss_r = -Σ_o [y_o log σ(θ_o·h_r) + (1 - y_o) log σ(-θ_o·h_r)]
//   d_ro = rate · (y_o - σ(θ_o·h_r));   θ_o += Σ_r d_ro h_r;   h_r's rows += Σ_o d_ro θ_o    (θ, h before the update)
//
// Every random number is a function of (seed, epoch, index of the token), so that a result does not depend on how the
// text is cut into calls. Float32, row-major; rows begin at multiples of 64 bytes, and their padding is zero.
#pragma once

#include <cstdint>

namespace recurra {

enum class Hidden { kEach, kMean, kConcatenated };  // one per context word; their mean; all side by side
enum class Reach { kWindow, kPrevious, kNearby };   // up to `window` words on each side; before; one of the window, drawn
enum class WordObjective { kNegativeSampling, kHierarchicalSoftmax };

struct WordVectorsCall {
  int threads = 1;
  // Several threads: each trains a copy, whose frequent rows are merged every `round` tokens of a thread and all rows at
  // the end of the call, so that equal seeds and numbers of threads give equal bits. Otherwise all threads update the same rows without synchronisation.
  bool reproducible = false;
  bool update = true;         // otherwise only the loss is computed
  Hidden hidden = Hidden::kEach;
  Reach reach = Reach::kWindow;
  WordObjective objective = WordObjective::kNegativeSampling;
  bool shrink = true;         // the window is drawn uniformly from 1..window at each position
  bool whole_error = true;    // kMean: the rows move by the whole error, as in word2vec, not by their share of it
  int window = 5, negatives = 5;
  std::int64_t round = 256;
  std::int64_t V = 0;         // words
  std::int64_t row = 0;       // floats from one input row to the next
  std::int64_t input_rows = 0, output_rows = 0;
  std::int64_t output_row = 0;  // floats from one output row to the next: row, or window * row if concatenated

  // Words without those outside the vocabulary; sentence s is tokens[starts[s] .. starts[s + 1]).
  const std::int32_t* tokens = nullptr;
  const std::int64_t* starts = nullptr;
  std::int64_t first_sentence = 0, last_sentence = 0;
  std::uint64_t seed = 0, epoch = 0;
  double first_rate = 0.0, last_rate = 0.0;  // at the first token of the call, and after its last

  const float* keep = nullptr;         // [V] probability that an occurrence is kept; null keeps all
  const float* alias_share = nullptr;  // [V] Walker's alias table of the words drawn as negatives
  const std::int32_t* alias = nullptr;  // [V]
  const std::int32_t* path_starts = nullptr;  // [V + 1] hierarchical softmax: the inner nodes on each word's path
  const std::int32_t* path_nodes = nullptr;
  const float* path_labels = nullptr;
  const std::int64_t* part_starts = nullptr;  // [V + 1] a word's vector is the mean of these input rows; null: its own row
  const std::int32_t* parts = nullptr;

  float* input = nullptr;    // [input_rows, row]
  float* output = nullptr;   // [output_rows, output_row]
  float* copies = nullptr;   // reproducible: threads copies of input and output, one after the other

  // Reproducible: whether the copies equal input and output; then they are not made again. Set by the call.
  bool has_copies = false;

  // Set by the call.
  double loss = 0.0;              // nats, over all predictions
  std::int64_t predictions = 0;
};

}  // namespace recurra
