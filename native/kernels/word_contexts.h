// What one position of a sentence predicts from what: its context words, and the outputs with their labels.
#pragma once

#include <algorithm>

#include "../word_vectors.h"
#include "room.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

// The random numbers of one token (SplitMix64: Steele, Lea and Flood 2014).
class Draws {
 public:
  Draws(std::uint64_t seed, std::uint64_t epoch, std::int64_t token)
      : state_(mixed(mixed(seed + kStep * (epoch + 1)) + kStep * static_cast<std::uint64_t>(token + 1))) {}
  std::uint64_t next() { return mixed(state_ += kStep); }
  // 0 .. n - 1.
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(((next() >> 32) * n) >> 32); }

 private:
  static constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15u;
  static std::uint64_t mixed(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

// A number of [0, 1) with 24 bits, and a word from the table by the other bits.
inline float fraction(std::uint64_t bits) { return static_cast<float>(static_cast<std::uint32_t>(bits) >> 8) * 0x1p-24f; }

// The kept words of one sentence: an occurrence is dropped before windows are taken.
struct Sentence {
  Room<std::int32_t> words;
  Room<std::int64_t> tokens;  // their indices

  void allocate(std::size_t longest) {
    words.allocate(longest);
    tokens.allocate(longest);
  }

  void read(const WordVectorsCall& call, std::int64_t number) {
    words.clear();
    tokens.clear();
    for (std::int64_t at = call.starts[number]; at < call.starts[number + 1]; ++at) {
      const std::int32_t word = call.tokens[at];
      if (call.keep && !(fraction(Draws(call.seed, call.epoch, at).next()) < call.keep[word])) continue;
      words.push_back(word);
      tokens.push_back(at);
    }
  }
};

// `context` are places in the sentence, in order; `outputs` are rows of the output matrix. signs: 1 for a label of 1,
// -1 for 0.
struct Position {
  long place = 0;
  Room<long> context;
  Room<std::int32_t> outputs;
  Room<float> signs;

  void allocate(std::size_t most, std::size_t most_outputs) {
    context.allocate(most);
    outputs.allocate(most_outputs);
    signs.allocate(most_outputs);
  }

  void clear() {
    context.clear();
    outputs.clear();
    signs.clear();
  }
};

// Fills `found` for one place of a sentence; its context is empty where there is nothing to predict from.
inline void look_around(const WordVectorsCall& call, const Sentence& sentence, long place, Position& found) {
  found.clear();
  found.place = place;
  const long count = static_cast<long>(sentence.words.size());
  const std::int32_t word = sentence.words[static_cast<std::size_t>(place)];
  Draws draws(call.seed, call.epoch, sentence.tokens[static_cast<std::size_t>(place)]);
  draws.next();  // the one that decided whether the word is kept
  const long drawn = call.shrink ? 1 + static_cast<long>(draws.below(static_cast<std::uint32_t>(call.window))) : call.window;
  const long first = std::max(0L, place - drawn);
  const long last = call.reach == Reach::kPrevious ? place : std::min(count, place + drawn + 1);
  if (call.reach == Reach::kNearby) {
    if (last - first < 2) return;
    const long chosen = first + static_cast<long>(draws.below(static_cast<std::uint32_t>(last - first - 1)));
    found.context.push_back(chosen < place ? chosen : chosen + 1);
  } else {
    if (call.hidden == Hidden::kConcatenated && place < call.window) return;
    for (long at = first; at < last; ++at) {
      if (at != place) found.context.push_back(at);
    }
  }
  if (found.context.empty()) return;
  if (call.objective == WordObjective::kHierarchicalSoftmax) {
    for (std::int32_t at = call.path_starts[word]; at < call.path_starts[word + 1]; ++at) {
      found.outputs.push_back(call.path_nodes[at]);
      found.signs.push_back(2.0f * call.path_labels[at] - 1.0f);
    }
    return;
  }
  found.outputs.push_back(word);
  found.signs.push_back(1.0f);
  for (int k = 0; k < call.negatives; ++k) {
    const std::uint64_t bits = draws.next();
    const auto cell = static_cast<std::int32_t>(((bits >> 32) * static_cast<std::uint64_t>(call.V)) >> 32);
    const std::int32_t drawn_word = fraction(bits) < call.alias_share[cell] ? cell : call.alias[cell];
    if (drawn_word == word) continue;
    found.outputs.push_back(drawn_word);
    found.signs.push_back(-1.0f);
  }
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
