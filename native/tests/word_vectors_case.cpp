#include "word_vectors_case.h"

#include <algorithm>
#include <cstdlib>

namespace recurra::tests {
namespace {

// Numbers in a heap block of their own.
template <class T>
std::unique_ptr<T[]> block_of(const std::vector<T>& numbers) {
  std::unique_ptr<T[]> made(new T[numbers.size()]);
  std::copy(numbers.begin(), numbers.end(), made.get());
  return made;
}

void draw_text(WordCase& given, Random& random) {
  std::vector<std::int32_t> tokens;
  std::vector<std::int64_t> starts{0};
  for (long sentence = random.below(7); sentence > 0; --sentence) {
    for (long left = random.among<long>({0, 1, 2, 3, 9, 20}); left > 0; --left) {
      tokens.push_back(static_cast<std::int32_t>(random.below(given.call.V)));
    }
    starts.push_back(static_cast<std::int64_t>(tokens.size()));
  }
  given.call.last_sentence = static_cast<std::int64_t>(starts.size()) - 1;
  given.call.first_sentence = random.below(given.call.last_sentence + 1);
  given.call.first_sentence = random.once_in(2) ? 0 : given.call.first_sentence;
  given.tokens = block_of(tokens);
  given.starts = block_of(starts);
}

// A random binary tree: two of the subtrees that are left are joined until there is one.
void draw_tree(WordCase& given, Random& random) {
  struct Step {
    std::int32_t node;
    float label;
  };
  const long V = given.call.V;
  std::vector<std::vector<Step>> paths(static_cast<std::size_t>(V));
  std::vector<std::vector<long>> left;
  for (long word = 0; word < V; ++word) left.push_back({word});
  for (std::int32_t node = 0; left.size() > 1; ++node) {
    for (float label : {0.0f, 1.0f}) {
      const std::size_t at = static_cast<std::size_t>(random.below(static_cast<long>(left.size()) - (label == 0.0f ? 0 : 1)));
      for (long word : left[at]) paths[static_cast<std::size_t>(word)].insert(paths[static_cast<std::size_t>(word)].begin(), {node, label});
      std::swap(left[at], left[left.size() - (label == 0.0f ? 1 : 2)]);
    }
    std::vector<long> both = left.back();
    left.pop_back();
    left.back().insert(left.back().end(), both.begin(), both.end());
  }
  std::vector<std::int32_t> starts{0}, nodes;
  std::vector<float> labels;
  for (const std::vector<Step>& path : paths) {
    for (const Step& step : path) {
      nodes.push_back(step.node);
      labels.push_back(step.label);
    }
    starts.push_back(static_cast<std::int32_t>(nodes.size()));
  }
  given.path_starts = block_of(starts);
  given.path_nodes = block_of(nodes);
  given.path_labels = Floats(static_cast<long>(labels.size()));
  std::copy(labels.begin(), labels.end(), given.path_labels.data());
}

void draw_alias(WordCase& given, Random& random) {
  given.call.negatives = static_cast<int>(random.below(8));
  given.alias_share = Floats::random(random, given.call.V, 0.0, 1.0, 0);
  std::vector<std::int32_t> alias;
  for (long word = 0; word < given.call.V; ++word) alias.push_back(static_cast<std::int32_t>(random.below(given.call.V)));
  given.alias = block_of(alias);
}

// One to four rows for each word; other words may have the same ones, or a word one twice.
void draw_parts(WordCase& given, Random& random) {
  given.call.input_rows = given.call.V + random.below(9);
  std::vector<std::int64_t> starts{0};
  std::vector<std::int32_t> parts;
  for (long word = 0; word < given.call.V; ++word) {
    for (long left = 1 + random.below(4); left > 0; --left) parts.push_back(static_cast<std::int32_t>(random.below(given.call.input_rows)));
    starts.push_back(static_cast<std::int64_t>(parts.size()));
  }
  given.part_starts = block_of(starts);
  given.parts = block_of(parts);
}

// Rows of random numbers with zeros behind them.
Floats drawn_rows(Random& random, long rows, long numbers, long row) {
  const double scale = random.among({0.1, 0.5, 1.0});
  Floats made(rows * row);
  for (long at = 0; at < rows * row; ++at) made[at] = at % row < numbers ? static_cast<float>(random.between(-scale, scale)) : 0.0f;
  return made;
}

using Vector = std::vector<double>;

// The same call on one thread, word by word.
class Reference : public WordWanted {
 public:
  Reference(const WordCase& given, bool update) : call_(given.call), update_(update) {
    for (long at = 0; at < given.input.count(); ++at) input.push_back(static_cast<double>(given.input[at]));
    for (long at = 0; at < given.output.count(); ++at) output.push_back(static_cast<double>(given.output[at]));
    for (long number = call_.first_sentence; number < call_.last_sentence; ++number) sentence(number);
  }

 private:
  struct Word {
    std::int32_t id;
    long token;
    Vector vector, error;  // while it is within reach
    bool entered, has_left;
  };

  Random draws_of(long token) const {
    constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15ull;
    const std::uint64_t of_epoch = Random(call_.seed + kStep * call_.epoch).next();
    return Random(Random(of_epoch + kStep * static_cast<std::uint64_t>(token)).next());
  }
  static long below(std::uint64_t bits, long n) { return static_cast<long>(((bits >> 32) * static_cast<std::uint64_t>(n)) >> 32); }
  static double fraction(std::uint64_t bits) { return static_cast<double>((bits & 0xffffffffu) >> 8) / 16777216.0; }

  void sentence(long number) {
    words_.clear();
    for (long token = call_.starts[number]; token < call_.starts[number + 1]; ++token) {
      const std::int32_t id = call_.tokens[token];
      if (call_.keep && fraction(draws_of(token).next()) >= static_cast<double>(call_.keep[id])) continue;
      words_.push_back({id, token, {}, {}, false, false});
    }
    const long count = static_cast<long>(words_.size());
    for (long place = 0; place < count; ++place) {
      for (long at = 0; call_.parts && at < count; ++at) {
        if (at < place - call_.window && !word(at).has_left) leave(at);
      }
      for (long at = 0; call_.parts && at < count; ++at) {
        if (at <= place + call_.window && !word(at).entered) enter(at);
      }
      position(place);
    }
    for (long at = 0; call_.parts && at < count; ++at) {
      if (word(at).entered && !word(at).has_left) leave(at);
    }
  }

  Word& word(long place) { return words_[static_cast<std::size_t>(place)]; }
  std::vector<long> rows_of(std::int32_t id) const {
    if (!call_.parts) return {id};
    return {call_.parts + call_.part_starts[id], call_.parts + call_.part_starts[id + 1]};
  }
  void enter(long place) {
    Word& own = word(place);
    const std::vector<long> rows = rows_of(own.id);
    own.entered = true;
    own.vector.assign(static_cast<std::size_t>(call_.row), 0.0);
    own.error = own.vector;
    for (long row : rows) {
      for (long u = 0; u < call_.row; ++u) own.vector[static_cast<std::size_t>(u)] += in(row, u) / static_cast<double>(rows.size());
    }
  }
  void leave(long place) {
    Word& own = word(place);
    const std::vector<long> rows = rows_of(own.id);
    own.has_left = true;
    for (long row : rows) {
      for (long u = 0; u < call_.row; ++u) {
        in(row, u) += own.error[static_cast<std::size_t>(u)] / (call_.whole_error ? 1.0 : static_cast<double>(rows.size()));
      }
    }
  }
  double& in(long row, long u) { return input[static_cast<std::size_t>(row * call_.row + u)]; }
  double& out(long row, long u) { return output[static_cast<std::size_t>(row * call_.output_row + u)]; }

  std::vector<long> around(long place, Random& draws) {
    draws.next();
    const long window = call_.shrink ? 1 + below(draws.next(), call_.window) : call_.window;
    std::vector<long> found;
    for (long at = 0; at < static_cast<long>(words_.size()); ++at) {
      if (at == place || std::abs(at - place) > window) continue;
      if (at < place || call_.reach != Reach::kPrevious) found.push_back(at);
    }
    if (call_.reach == Reach::kNearby && !found.empty()) found = {found[static_cast<std::size_t>(below(draws.next(), static_cast<long>(found.size())))]};
    if (call_.hidden == Hidden::kConcatenated && static_cast<int>(found.size()) < call_.window) found.clear();
    return found;
  }

  struct Target {
    long row;
    double label;
  };
  std::vector<Target> targets(std::int32_t id, Random& draws) const {
    std::vector<Target> found;
    if (call_.objective == WordObjective::kHierarchicalSoftmax) {
      for (std::int32_t at = call_.path_starts[id]; at < call_.path_starts[id + 1]; ++at) {
        found.push_back({call_.path_nodes[at], static_cast<double>(call_.path_labels[at])});
      }
      return found;
    }
    found.push_back({id, 1.0});
    for (int k = 0; k < call_.negatives; ++k) {
      const std::uint64_t bits = draws.next();
      const long cell = below(bits, call_.V);
      const long other = fraction(bits) < static_cast<double>(call_.alias_share[cell]) ? cell : call_.alias[cell];
      if (other != id) found.push_back({other, 0.0});
    }
    return found;
  }

  void position(long place) {
    Random draws = draws_of(word(place).token);
    const std::vector<long> context = around(place, draws);
    if (context.empty()) return;
    const std::vector<Target> outputs = targets(word(place).id, draws);
    if (!call_.parts) {
      for (long at : context) enter(at);
    }
    const std::vector<Vector> hidden = hidden_of(context);
    const long from = call_.starts[call_.first_sentence], all = call_.starts[call_.last_sentence] - from;
    const double done = static_cast<double>(word(place).token - from) / static_cast<double>(all);
    const double rate = update_ ? call_.first_rate + (call_.last_rate - call_.first_rate) * done : 0.0;
    std::vector<Vector> errors(hidden.size(), Vector(hidden.front().size(), 0.0)), steps(outputs.size(), Vector(hidden.front().size(), 0.0));
    for (std::size_t r = 0; r < hidden.size(); ++r) {
      for (std::size_t o = 0; o < outputs.size(); ++o) {
        double score = 0.0;
        for (std::size_t u = 0; u < hidden[r].size(); ++u) score += hidden[r][u] * out(outputs[o].row, static_cast<long>(u));
        loss += std::log1p(std::exp(outputs[o].label == 1.0 ? -score : score));
        const double d = rate * (outputs[o].label - 1.0 / (1.0 + std::exp(-score)));
        for (std::size_t u = 0; u < hidden[r].size(); ++u) {
          errors[r][u] += d * out(outputs[o].row, static_cast<long>(u));
          steps[o][u] += d * hidden[r][u];
        }
      }
    }
    predictions += static_cast<long>(hidden.size());
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      for (std::size_t u = 0; u < steps[o].size(); ++u) out(outputs[o].row, static_cast<long>(u)) += steps[o][u];
    }
    spread(context, errors);
  }

  std::vector<Vector> hidden_of(const std::vector<long>& context) {
    std::vector<Vector> each;
    for (long at : context) each.push_back(word(at).vector);
    if (call_.hidden == Hidden::kEach) return each;
    Vector made;
    if (call_.hidden == Hidden::kConcatenated) {
      for (const Vector& one : each) made.insert(made.end(), one.begin(), one.end());
      return {made};
    }
    made.assign(each.front().size(), 0.0);
    for (const Vector& one : each) {
      for (std::size_t u = 0; u < made.size(); ++u) made[u] += one[u] / static_cast<double>(each.size());
    }
    return {made};
  }

  // Gives each word of the context its error.
  void spread(const std::vector<long>& context, const std::vector<Vector>& errors) {
    for (std::size_t c = 0; c < context.size(); ++c) {
      Word& own = word(context[c]);
      for (std::size_t u = 0; u < own.error.size(); ++u) {
        if (call_.hidden == Hidden::kEach) own.error[u] += errors[c][u];
        if (call_.hidden == Hidden::kConcatenated) own.error[u] += errors[0][c * own.error.size() + u];
        if (call_.hidden == Hidden::kMean) own.error[u] += errors[0][u] / (call_.whole_error ? 1.0 : static_cast<double>(context.size()));
      }
    }
    if (call_.parts) return;
    for (long at : context) leave(at);
  }

  const WordVectorsCall& call_;
  bool update_;
  std::vector<Word> words_;
};

}  // namespace

WordCase drawn_words(const WordShape& shape, Random& random) {
  WordCase given;
  WordVectorsCall& call = given.call;
  const bool concatenated = shape.hidden == Hidden::kConcatenated, is_tree = shape.objective == WordObjective::kHierarchicalSoftmax;
  call.hidden = shape.hidden, call.reach = shape.reach, call.objective = shape.objective;
  call.V = shape.V, call.window = shape.window;
  call.shrink = !concatenated && random.once_in(2);
  call.whole_error = random.once_in(2);
  call.seed = random.next(), call.epoch = static_cast<std::uint64_t>(random.below(3));
  call.round = random.among<std::int64_t>({1, 5, 4096});
  // Not larger: the vectors would grow, and each update would magnify the rounding of those before.
  call.first_rate = random.between(0.0, 0.1), call.last_rate = random.between(0.0, 0.1);
  call.row = (shape.D + 15) / 16 * 16;
  given.D = concatenated ? call.row : shape.D;  // concatenated vectors need whole rows
  call.output_row = concatenated ? shape.window * call.row : call.row;
  call.input_rows = shape.V, call.output_rows = shape.V - is_tree;
  if (random.once_in(3)) draw_parts(given, random);
  if (random.once_in(2)) given.keep = Floats::random(random, call.V, 0.0, 1.5, 0);
  draw_text(given, random);
  is_tree ? draw_tree(given, random) : draw_alias(given, random);
  given.input = drawn_rows(random, call.input_rows, given.D, call.row);
  given.output = drawn_rows(random, call.output_rows, concatenated ? call.output_row : given.D, call.output_row);
  call.tokens = given.tokens.get(), call.starts = given.starts.get();
  call.keep = given.keep.data(), call.alias_share = given.alias_share.data(), call.alias = given.alias.get();
  call.path_starts = given.path_starts.get(), call.path_nodes = given.path_nodes.get(), call.path_labels = given.path_labels.data();
  call.part_starts = given.part_starts.get(), call.parts = given.parts.get();
  return given;
}

WordWanted wanted_words(const WordCase& given, bool update) { return Reference(given, update); }

}  // namespace recurra::tests
