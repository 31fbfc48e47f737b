#include "best_symbols.h"

#include <cmath>
#include <limits>

#include "layout.h"

namespace recurra::RECURRA_ISA_NAMESPACE {
namespace {

constexpr long kStretch = 1024;  // long sums have two levels

float largest_of(const float* scores, long V) {
  const float least = -std::numeric_limits<float>::infinity();
  Vector largest = broadcast(least);
  long v = 0;
  for (; v + kLanes <= V; v += kLanes) {
    const Vector each = load(scores + v);
    largest = select(each > largest, each, largest);
  }
  float best = least;
  for (int lane = 0; lane < kLanes; ++lane) best = std::max(best, static_cast<float>(largest[lane]));
  for (; v < V; ++v) best = std::max(best, scores[v]);
  return best;
}

double log_of_sum(const float* scores, long V, float largest) {
  double total = 0.0;
  for (long first = 0; first < V; first += kStretch) {
    const long last = std::min(V, first + kStretch);
    Vector some{};
    long v = first;
    for (; v + kLanes <= last; v += kLanes) some += exp(load(scores + v) - largest);
    total += static_cast<double>(sum(some));
    for (; v < last; ++v) total += std::exp(static_cast<double>(scores[v]) - static_cast<double>(largest));
  }
  return std::log(total);
}

// The best so far, in order; what is not larger than the last of k does not enter.
class Best {
 public:
  // Of NaN nothing is offered: what is not filled stays symbol 0, at NaN.
  Best(float* scores, std::int64_t* symbols, long k) : scores_(scores), symbols_(symbols), k_(k) {
    std::fill(scores, scores + k, std::numeric_limits<float>::quiet_NaN());
    std::fill(symbols, symbols + k, std::int64_t{0});
  }
  float least() const { return count_ < k_ ? -std::numeric_limits<float>::infinity() : scores_[k_ - 1]; }
  void offer(float score, long symbol) {
    if (count_ == k_ && !(score > scores_[k_ - 1])) return;
    long at = count_ < k_ ? count_++ : k_ - 1;
    for (; at > 0 && score > scores_[at - 1]; --at) {
      scores_[at] = scores_[at - 1];
      symbols_[at] = symbols_[at - 1];
    }
    scores_[at] = score;
    symbols_[at] = symbol;
  }
  float largest() const { return scores_[0]; }  // NaN as long as nothing was offered
  bool full() const { return count_ == k_; }

 private:
  float* scores_;
  std::int64_t* symbols_;
  long k_, count_ = 0;
};

void best_of_row(const float* scores, long V, long k, float* log_probs, std::int64_t* symbols) {
  Best best(log_probs, symbols, k);
  long v = 0;
  for (; v < V && !best.full(); ++v) best.offer(scores[v], v);
  for (; v + 4 * kLanes <= V; v += 4 * kLanes) {
    const Vector least = broadcast(best.least());
    Integers above = load(scores + v) > least;
    for (int part = 1; part < 4; ++part) above |= load(scores + v + part * kLanes) > least;
    if (!any(above)) continue;
    for (long each = v; each < v + 4 * kLanes; ++each) best.offer(scores[each], each);
  }
  for (; v < V; ++v) best.offer(scores[v], v);
  const float largest = largest_of(scores, V);
  const double normaliser = log_of_sum(scores, V, largest);
  for (long place = 0; place < k; ++place) {
    log_probs[place] = static_cast<float>(static_cast<double>(log_probs[place]) - static_cast<double>(largest) - normaliser);
  }
}

// A row's normaliser, as its scores come: the largest so far, and the sum of exp(score - largest) lane by lane.
struct Normaliser {
  float largest = -std::numeric_limits<float>::infinity();
  Vector sums{};
  void rise_to(float score) {
    if (!(score > largest)) return;
    sums *= std::exp(largest - score);
    largest = score;
  }
  void add(const Vector* scores, int count) {
    for (int v = 0; v < count; ++v) sums += exp(scores[v] - largest);
  }
};

class Vocabulary final : public PackedVocabulary {
 public:
  Vocabulary(const float* weight, const float* bias, long V, long H) : PackedVocabulary(V, H), vectors_(vectors_for(V)) {
    float* data = workspace_.take(Panels::floats(H, vectors_));
    for (long v = 0; v < vectors_; ++v) {
      const PanelPlace place = place_in_panels(data, H, vectors_, v);
      pack_rows_as_vector(place.first, place.stride, weight + v * kLanes * H, H, V - v * kLanes, H);
    }
    panels_ = Panels{data, H, vectors_};
    float* padded = workspace_.take(vectors_ * kLanes);
    // Symbols past the last are impossible.
    for (long v = 0; v < vectors_ * kLanes; ++v) padded[v] = v < V ? (bias ? bias[v] : 0.0f) : kNever;
    bias_ = padded;
  }

  void best(const BestSymbols& call) const override {
    const double work = 2.0 * static_cast<double>(call.R) * static_cast<double>(V) * static_cast<double>(H);
    const long worth = static_cast<long>(work / (RECURRA_WORTH_A_THREAD));
    const long shares = std::max(1L, std::min({static_cast<long>(call.threads), static_cast<long>(call.R), worth}));
    struct Given {
      const Vocabulary& vocabulary;
      const BestSymbols& call;
      void part(long, const Share& share) const {
        const Range rows = part_of(call.R, share.rank, share.size);
        if (rows.count()) vocabulary.best_of_rows(call, rows);
      }
    } given{*this, call};
    run_pass(given, static_cast<int>(shares), 1);
  }

 private:
  static constexpr float kNever = -1e30f;

  void best_of_rows(const BestSymbols& call, Range rows) const {
    std::vector<Best> best;
    std::vector<Normaliser> normalisers(static_cast<std::size_t>(rows.count()));
    for (long r = rows.first; r < rows.last; ++r) best.emplace_back(call.log_probs + r * call.k, call.symbols + r * call.k, call.k);
    multiply_then(call.hidden + rows.first * H, H, rows.count(), panels_,
                  [&](long first, long count, long vector, int width, const float* sums, long row) {
      for (long r = 0; r < count; ++r) {
        Vector scores[kMostVectors];
        Best& own = best[static_cast<std::size_t>(first + r)];
        const Vector least = broadcast(own.least());
        Integers above{};
        for (int v = 0; v < width; ++v) {
          scores[v] = load(sums + r * row + v * kLanes) + load(bias_ + (vector + v) * kLanes);
          above |= scores[v] > least;
        }
        Normaliser& normaliser = normalisers[static_cast<std::size_t>(first + r)];
        // Most tiles have no score that is among the best so far, and so none that is the largest.
        if (any(above)) {
          for (int v = 0; v < width; ++v) {
            for (int lane = 0; lane < kLanes; ++lane) own.offer(scores[v][lane], (vector + v) * kLanes + lane);
          }
          normaliser.rise_to(own.largest());
        }
        normaliser.add(scores, width);
      }
    });
    for (long r = rows.first; r < rows.last; ++r) {
      const Normaliser& own = normalisers[static_cast<std::size_t>(r - rows.first)];
      const double normaliser = static_cast<double>(own.largest) + std::log(static_cast<double>(sum(own.sums)));
      for (long place = 0; place < call.k; ++place) {
        float& at = call.log_probs[r * call.k + place];
        at = static_cast<float>(static_cast<double>(at) - normaliser);
      }
    }
  }

  Workspace workspace_{true};
  const long vectors_;
  Panels panels_;
  const float* bias_;
};

}  // namespace

PackedVocabulary* pack_vocabulary(const float* weight, const float* bias, std::int64_t V, std::int64_t H) {
  return new Vocabulary(weight, bias, V, H);
}

void best_symbols(const BestSymbols& call) {
  const double work = 8.0 * static_cast<double>(call.R) * static_cast<double>(call.V);
  const long worth = static_cast<long>(work / (RECURRA_WORTH_A_THREAD));
  const long shares = std::max(1L, std::min({static_cast<long>(call.threads), static_cast<long>(call.R), worth}));
  struct Given {
    const BestSymbols& call;
    void part(long, const Share& share) const {
      const Range rows = part_of(call.R, share.rank, share.size);
      for (long r = rows.first; r < rows.last; ++r) {
        best_of_row(call.scores + r * call.V, call.V, call.k, call.log_probs + r * call.k, call.symbols + r * call.k);
      }
    }
  } given{call};
  run_pass(given, static_cast<int>(shares), 1);
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
