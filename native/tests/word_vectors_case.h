// A call that trains word vectors, drawn at random, and what it must give: plain loops in double precision.
#pragma once

#include "../word_vectors.h"
#include "arrays.h"

namespace recurra::tests {

struct WordCase {
  WordVectorsCall call;
  long D = 1;
  std::unique_ptr<std::int32_t[]> tokens, alias, path_starts, path_nodes, parts;
  std::unique_ptr<std::int64_t[]> starts, part_starts;
  Floats keep, alias_share, path_labels, input, output;
};

struct WordShape {
  Hidden hidden;
  Reach reach;
  WordObjective objective;
  long D, V;
  int window;
};

// A case of this shape: text, tables, options and vectors are random.
WordCase drawn_words(const WordShape& shape, Random& random);

// What the call must give on one thread, with or without updates.
struct WordWanted {
  std::vector<double> input, output;
  double loss = 0.0;
  long predictions = 0;
};
WordWanted wanted_words(const WordCase& given, bool update);

}  // namespace recurra::tests
