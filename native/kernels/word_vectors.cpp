// Word vectors: a position's hidden vectors and outputs are few gathered rows, whose products are small matrices held
// in registers. The rows of the next position are fetched while one is worked on.
#include "word_vectors.h"

#include <cstring>
#include <vector>

#include "../parallel.h"
#include "frequent_rows.h"
#include "gathered_products.h"
#include "word_contexts.h"

namespace recurra::RECURRA_ISA_NAMESPACE {
namespace {

// log(1 + e) for e in [0, 1], absolute error below 1e-7: e times a polynomial that was fitted for this interval.
RECURRA_INLINE Vector log_of_one_plus(Vector e) {
  Vector p = broadcast(-3.176057052769e-03f);
  p = p * e + 1.954252743781e-02f;
  p = p * e + -5.637361320964e-02f;
  p = p * e + 1.054362383952e-01f;
  p = p * e + -1.526966710447e-01f;
  p = p * e + 1.966327426944e-01f;
  p = p * e + -2.495161626573e-01f;
  p = p * e + 3.332971049926e-01f;
  p = p * e + -4.999989264808e-01f;
  p = p * e + 9.999999946563e-01f;
  return p * e;
}

// Upper bounds of what a call needs at once.
struct Sizes {
  int threads;
  std::size_t sentence = 0, context, outputs;

  Sizes(const WordVectorsCall& call, int threads)
      : threads(threads), context(2 * static_cast<std::size_t>(call.window)), outputs(1 + static_cast<std::size_t>(call.negatives)) {
    for (std::int64_t at = call.first_sentence; at < call.last_sentence; ++at) {
      sentence = std::max(sentence, static_cast<std::size_t>(call.starts[at + 1] - call.starts[at]));
    }
    for (std::int64_t word = 0; call.path_starts && word < call.V; ++word) {
      outputs = std::max(outputs, static_cast<std::size_t>(call.path_starts[word + 1] - call.path_starts[word]));
    }
  }
};

// Words are sorted by frequency, and the nodes near the root of a tree come last; the parts of words have no order.
Frequent frequent_outputs(const WordVectorsCall& call) {
  return call.objective == WordObjective::kHierarchicalSoftmax ? Frequent::kLast : Frequent::kFirst;
}

constexpr std::uint16_t kMost = 65535;
constexpr int kFewUses = 256;  // of all other threads

// How often one thread has used each row since the last merge, at most kMost.
struct Uses {
  std::uint16_t* input = nullptr;
  std::uint16_t* output = nullptr;

  static void count(std::uint16_t& uses) { uses = static_cast<std::uint16_t>(uses + (uses < kMost)); }
};

// Trains on sentences, in one thread. Everything is allocated by the constructor, because threads must not throw.
class alignas(128) Worker {
 public:
  Worker(const WordVectorsCall& call, float* input, float* output, Uses uses, const Sizes& sizes)
      : call_(call), uses_(uses), vectors_(call.row / kLanes), wide_vectors_(call.output_row / kLanes) {
    const bool shares = sizes.threads > 1 && !call.reproducible && call.update;
    input_.open(input, call.input_rows, call.row, shares && !call.part_starts ? Frequent::kFirst : Frequent::kNone);
    output_.open(output, call.output_rows, call.output_row, shares ? frequent_outputs(call) : Frequent::kNone);
    sentence_.allocate(sizes.sentence);
    for (Position& each : positions_) each.allocate(sizes.context, sizes.outputs);
    const std::size_t wide = static_cast<std::size_t>(std::max(call.row, call.output_row));
    const std::size_t scores = sizes.context * ((sizes.outputs + 3) / 4 * 4) + kLanes;
    hidden_.allocate(sizes.context), context_.allocate(sizes.context), errors_of_.allocate(sizes.context);
    outputs_.allocate(sizes.outputs);
    scores_.allocate(scores), signs_.allocate(scores);
    made_.allocate(wide), errors_.allocate(std::max(sizes.context * static_cast<std::size_t>(call.row), wide));
    if (call.part_starts) {
      ring_ = 2 * call.window + 2;
      ring_rows_.allocate(static_cast<std::size_t>(2 * ring_ * call.row));
    }
  }

  // Adds what the copies of frequent rows have gained to the shared rows.
  void finish() {
    input_.close();
    output_.close();
  }

  double loss = 0.0;
  std::int64_t predictions = 0;

  void sentence(std::int64_t number) {
    sentence_.read(call_, number);
    const long count = static_cast<long>(sentence_.words.size());
    if (count < 2) return;
    if (call_.part_starts) open_ring();
    Position* now = &positions_[0];
    Position* next = &positions_[1];
    look_around(call_, sentence_, 0, *now);
    for (long place = 0; place < count; ++place) {
      if (place + 1 < count) {
        look_around(call_, sentence_, place + 1, *next);
        fetch(*next);
      }
      if (call_.part_starts) move_ring(place, count);
      if (!now->context.empty()) position(*now);
      std::swap(now, next);
    }
    if (call_.part_starts) close_ring(count);
  }

 private:
  std::int32_t word_at(long place) const { return sentence_.words[static_cast<std::size_t>(place)]; }

  void fetch(const Position& ahead) const {
    if (!call_.part_starts) {
      for (const long place : ahead.context) input_.fetch(word_at(place));
    }
    for (const std::int32_t row : ahead.outputs) output_.fetch(row);
  }

  // The vectors of the words around the current place, each computed from its parts when it comes within reach,
  // and its errors added to the parts when it leaves.
  void open_ring() {
    ring_rows_.resize(static_cast<std::size_t>(2 * ring_ * call_.row));
    entered_ = left_ = 0;
  }
  float* ring_vector(long place) { return ring_rows_.data() + 2 * (place % ring_) * call_.row; }
  float* ring_error(long place) { return ring_vector(place) + call_.row; }
  void move_ring(long place, long count) {
    for (; left_ < place - call_.window; ++left_) leave(left_);
    for (; entered_ < std::min(count, place + call_.window + 1); ++entered_) enter(entered_);
  }
  void close_ring(long count) {
    for (; left_ < std::min(count, entered_); ++left_) leave(left_);
  }
  void enter(long place) {
    const std::int32_t word = sentence_.words[static_cast<std::size_t>(place)];
    const std::int64_t first = call_.part_starts[word], last = call_.part_starts[word + 1];
    const float share = 1.0f / static_cast<float>(last - first);
    float* vector = ring_vector(place);
    for (long v = 0; v < vectors_; ++v) {
      Vector total{};
      for (std::int64_t at = first; at < last; ++at) total += load(input_.shared(call_.parts[at]) + v * kLanes);
      store(vector + v * kLanes, total * share);
    }
    std::memset(ring_error(place), 0, static_cast<std::size_t>(call_.row) * sizeof(float));
  }
  void leave(long place) {
    if (!call_.update) return;
    const std::int32_t word = sentence_.words[static_cast<std::size_t>(place)];
    const std::int64_t first = call_.part_starts[word], last = call_.part_starts[word + 1];
    const float share = call_.whole_error ? 1.0f : 1.0f / static_cast<float>(last - first);
    for (std::int64_t at = first; at < last; ++at) {
      const std::int32_t part = call_.parts[at];
      add(input_.shared(part), ring_error(place), share);
      if (uses_.input) uses_.count(uses_.input[part]);
    }
  }

  void add(float* to, const float* from, float factor) const {
    for (long v = 0; v < vectors_; ++v) store(to + v * kLanes, load(to + v * kLanes) + factor * load(from + v * kLanes));
  }

  void position(const Position& now) {
    const long C = static_cast<long>(now.context.size()), O = static_cast<long>(now.outputs.size());
    gather(now);
    const long R = static_cast<long>(hidden_.size());
    const long vectors = call_.hidden == Hidden::kConcatenated ? wide_vectors_ : vectors_;
    const long row = (O + 3) / 4 * 4;
    const long numbers = (R * row + kLanes - 1) / kLanes * kLanes;
    scores_.resize(static_cast<std::size_t>(numbers));
    dot_products(hidden_.data(), R, outputs_.data(), O, vectors, scores_.data(), row);
    judge(now, R, row, numbers);
    predictions += R;
    if (!call_.update) return;

    errors_.resize(static_cast<std::size_t>(R * vectors * kLanes));
    errors_of_.resize(static_cast<std::size_t>(R));
    for (long r = 0; r < R; ++r) errors_of_[static_cast<std::size_t>(r)] = errors_.data() + r * vectors * kLanes;
    combine(errors_of_.data(), R, outputs_.data(), O, scores_.data(), row, 1, vectors, false, true);
    combine(outputs_.data(), O, hidden_.data(), R, scores_.data(), 1, row, vectors, true, distinct(now.outputs));
    if (uses_.output) {
      for (const std::int32_t at : now.outputs) uses_.count(uses_.output[at]);
    }
    const float share = call_.hidden != Hidden::kMean || call_.whole_error ? 1.0f : 1.0f / static_cast<float>(C);
    for (long c = 0; c < C; ++c) {
      const long place = now.context[static_cast<std::size_t>(c)];
      const float* error = errors_.data();
      if (call_.hidden == Hidden::kEach) error += c * vectors * kLanes;
      if (call_.hidden == Hidden::kConcatenated) error += c * call_.row;
      add(call_.part_starts ? ring_error(place) : context_[static_cast<std::size_t>(c)], error, share);
      if (uses_.input && !call_.part_starts) uses_.count(uses_.input[word_at(place)]);
    }
  }

  // The addresses of the hidden vectors and of the outputs.
  void gather(const Position& now) {
    context_.clear();
    outputs_.clear();
    const long C = static_cast<long>(now.context.size());
    for (const long place : now.context) context_.push_back(call_.part_starts ? ring_vector(place) : input_.used(word_at(place)));
    for (const std::int32_t row : now.outputs) outputs_.push_back(output_.used(row));
    hidden_.assign(context_);
    if (call_.hidden == Hidden::kEach) return;
    if (call_.hidden == Hidden::kMean) {
      made_.resize(static_cast<std::size_t>(call_.row));
      const float share = 1.0f / static_cast<float>(C);
      for (long v = 0; v < vectors_; ++v) {
        Vector total{};
        for (const float* row : hidden_) total += load(row + v * kLanes);
        store(made_.data() + v * kLanes, total * share);
      }
    } else {
      made_.resize(static_cast<std::size_t>(call_.output_row));
      for (long c = 0; c < C; ++c) {
        std::memcpy(made_.data() + c * call_.row, hidden_[static_cast<std::size_t>(c)], static_cast<std::size_t>(call_.row) * sizeof(float));
      }
    }
    hidden_.assign(1, made_.data());
  }

  // Adds up the loss, and puts rate · (label - σ(score)) in the scores' place.
  void judge(const Position& now, long R, long row, long numbers) {
    signs_.assign(static_cast<std::size_t>(numbers), 0.0f);
    for (long r = 0; r < R; ++r) std::copy(now.signs.begin(), now.signs.end(), signs_.begin() + r * row);
    const std::int64_t from = call_.starts[call_.first_sentence], all = call_.starts[call_.last_sentence] - from;
    const double done = static_cast<double>(sentence_.tokens[static_cast<std::size_t>(now.place)] - from) / static_cast<double>(all);
    const float rate = static_cast<float>(call_.first_rate + (call_.last_rate - call_.first_rate) * done);
    Vector total{};
    for (long at = 0; at < numbers; at += kLanes) {
      const Vector sign = load(signs_.data() + at);
      const Vector x = select(sign == 0.0f, Vector{}, sign * load(scores_.data() + at));
      const Vector e = exp(select(x > 0.0f, -x, x));  // exp(-|x|)
      const Vector below = select(x > 0.0f, Vector{}, -x);
      total += sign * sign * (below + log_of_one_plus(e));
      store(scores_.data() + at, rate * sign * sigmoid(-x));
    }
    loss += static_cast<double>(sum(total));
  }

  static bool distinct(const Room<std::int32_t>& rows) {
    for (std::size_t i = 1; i < rows.size(); ++i) {
      for (std::size_t k = 0; k < i; ++k) {
        if (rows[i] == rows[k]) return false;
      }
    }
    return true;
  }

  const WordVectorsCall& call_;
  Rows input_, output_;
  Uses uses_;
  long vectors_, wide_vectors_;
  Sentence sentence_;
  Position positions_[2];
  Room<float*> hidden_, context_, outputs_, errors_of_;
  Room<float> scores_, signs_, errors_, made_, ring_rows_;
  long ring_ = 0, entered_ = 0, left_ = 0;
};

// A call on several threads: each has a range of sentences.
class Run {
 public:
  explicit Run(WordVectorsCall& call) : call_(call) {
    const std::int64_t sentences = call.last_sentence - call.first_sentence;
    shares_ = static_cast<int>(std::max<std::int64_t>(1, std::min<std::int64_t>(call.threads, sentences)));
    merges_ = call.reproducible && call.update && shares_ > 1;
    const std::int64_t rows = call.input_rows + call.output_rows;
    if (merges_) {
      uses_.allocate(static_cast<std::size_t>(shares_ * rows));
      uses_.assign(static_cast<std::size_t>(shares_ * rows), 0);
    }
    cuts_.allocate(static_cast<std::size_t>(shares_ + 1));
    const std::int64_t copy = call.input_rows * call.row + call.output_rows * call.output_row;
    const std::int64_t from = call.starts[call.first_sentence], to = call.starts[call.last_sentence];
    cuts_.push_back(call.first_sentence);
    const Sizes sizes(call, shares_);
    workers_.reserve(static_cast<std::size_t>(shares_));
    for (int rank = 0; rank < shares_; ++rank) {
      float* input = merges_ ? call.copies + rank * copy : call.input;
      float* output = merges_ ? input + call.input_rows * call.row : call.output;
      Uses own;
      if (merges_) own.input = uses_.data() + rank * rows, own.output = own.input + call.input_rows;
      workers_.emplace_back(call, input, output, own, sizes);
      const std::int64_t aim = from + (to - from) * (rank + 1) / shares_;
      const std::int64_t* end = std::lower_bound(call.starts + cuts_.back(), call.starts + call.last_sentence, aim);
      cuts_.push_back(rank + 1 == shares_ ? call.last_sentence : end - call.starts);
    }
    for (int rank = 0; merges_ && rank < shares_; ++rank) {
      const std::int64_t tokens = call.starts[cuts_[static_cast<std::size_t>(rank) + 1]] - call.starts[cuts_[static_cast<std::size_t>(rank)]];
      rounds_ = std::max(rounds_, (tokens + call.round - 1) / call.round);
    }
  }

  void run() {
    run_pass(*this, shares_, merges_ ? 2 * rounds_ + 1 : 1);
    if (call_.update) call_.has_copies = merges_ && shares_ == call_.threads;
    for (const Worker& each : workers_) {
      call_.loss += each.loss;
      call_.predictions += each.predictions;
    }
  }

  void part(long phase, const Share& share) {
    const auto rank = static_cast<std::size_t>(share.rank);
    if (!merges_) {
      for (std::int64_t at = cuts_[rank]; at < cuts_[rank + 1]; ++at) workers_[rank].sentence(at);
      workers_[rank].finish();
    } else if (phase == 0) {
      if (!call_.has_copies) copy_rows(share);
    } else if (phase % 2 == 1) {
      // The sentences that begin within the round.
      const std::int64_t from = call_.starts[cuts_[rank]] + (phase / 2) * call_.round;
      const std::int64_t* begin = call_.starts + cuts_[rank];
      const std::int64_t* end = call_.starts + cuts_[rank + 1];
      const std::int64_t first = std::lower_bound(begin, end, from) - call_.starts;
      const std::int64_t last = std::lower_bound(begin, end, from + call_.round) - call_.starts;
      for (std::int64_t at = first; at < last; ++at) workers_[rank].sentence(at);
    } else {
      const bool all = phase == 2 * rounds_;
      const Side inputs{call_.input, call_.input_rows, call_.row, 0, 0};
      const Side outputs{call_.output, call_.output_rows, call_.output_row, call_.input_rows * call_.row, call_.input_rows};
      merge(share, inputs, all || call_.part_starts ? Frequent::kAll : Frequent::kFirst);
      merge(share, outputs, all ? Frequent::kAll : frequent_outputs(call_));
    }
  }

 private:
  std::int64_t copy_size() const { return call_.input_rows * call_.row + call_.output_rows * call_.output_row; }

  void copy_rows(const Share& share) {
    float* own = call_.copies + share.rank * copy_size();
    const std::int64_t inputs = call_.input_rows * call_.row;
    std::memcpy(own, call_.input, static_cast<std::size_t>(inputs) * sizeof(float));
    std::memcpy(own + inputs, call_.output, static_cast<std::size_t>(call_.output_rows * call_.output_row) * sizeof(float));
  }

  // Input or output rows, with the place of the first in a copy, and in the uses.
  struct Side {
    float* rows;
    std::int64_t count, row, at, mark;
  };

  // One share of the frequent rows, or of all rows.
  void merge(const Share& share, const Side& side, Frequent which) {
    const FrequentRows rows(side.count, side.row, which);
    const std::int64_t last = rows.first + rows.count * (share.rank + 1) / share.size;
    for (std::int64_t i = rows.first + rows.count * share.rank / share.size; i < last; ++i) merge_row(side, i);
  }

  // What was before, and what each thread has added to it, in the order of the threads. A row that the threads have used
  // often gets the mean of what they have added, weighted by their uses: each thread alone has moved it most of the way
  // to where it belongs, so the sum would overshoot, and diverge with many threads.
  void merge_row(const Side& side, std::int64_t i) {
    const std::int64_t all = call_.input_rows + call_.output_rows;
    std::uint16_t* uses = uses_.data() + side.mark + i;
    int total = 0, most = 0;
    for (int t = 0; t < shares_; ++t) {
      total += uses[t * all];
      most = std::max<int>(most, uses[t * all]);
    }
    if (!total) return;
    float* to = side.rows + i * side.row;
    float* copies = call_.copies + side.at + i * side.row;
    for (std::int64_t v = 0; v < side.row; v += kLanes) {
      const Vector before = load(to + v);
      Vector now = before;
      for (int t = 0; t < shares_; ++t) {
        const int own = uses[t * all];
        const float weight = most * (shares_ - 1) <= kFewUses ? 1.0f : static_cast<float>(own) / static_cast<float>(total);
        if (own) now += weight * (load(copies + t * copy_size() + v) - before);
      }
      store(to + v, now);
      for (int t = 0; t < shares_; ++t) store(copies + t * copy_size() + v, now);
    }
    for (int t = 0; t < shares_; ++t) uses[t * all] = 0;
  }

  WordVectorsCall& call_;
  int shares_ = 1;
  bool merges_ = false;
  std::int64_t rounds_ = 1;
  Room<std::int64_t> cuts_;
  std::vector<Worker> workers_;
  Room<std::uint16_t> uses_;
};

}  // namespace

void train_word_vectors(WordVectorsCall& call) {
  call.loss = 0.0;
  call.predictions = 0;
  if (call.last_sentence <= call.first_sentence) return;
  Run(call).run();
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
