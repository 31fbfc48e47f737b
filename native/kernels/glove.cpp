#include "glove.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "../parallel.h"
#include "simd.h"

namespace recurra::RECURRA_ISA_NAMESPACE {
namespace {

// Of a number that is not 0: the padding of rows is 0, and stays so.
RECURRA_INLINE Vector square_root(Vector x) {
  x = at_least(x, 1e-30f);
#if defined(__AVX512F__)
  return reinterpret_cast<Vector>(_mm512_maskz_sqrt_ps(0xffff, reinterpret_cast<__m512>(x)));
#elif defined(__AVX2__)
  return reinterpret_cast<Vector>(_mm256_sqrt_ps(reinterpret_cast<__m256>(x)));
#else
  for (int lane = 0; lane < kLanes; ++lane) x[lane] = std::sqrt(x[lane]);
  return x;
#endif
}

constexpr std::int64_t kAhead = 8;  // entries: how early their rows are fetched

class GloveRun {
 public:
  explicit GloveRun(GloveCall& call) : call_(call), costs_(static_cast<std::size_t>(call.grid), 0.0) {}

  void run() {
    const int shares = static_cast<int>(std::min<std::int64_t>(call_.threads, call_.grid));
    run_pass(*this, shares, call_.last_stratum - call_.first_stratum);
    for (std::int64_t stratum = call_.first_stratum; stratum < call_.last_stratum; ++stratum) {
      for (std::int64_t r = 0; r < call_.grid; ++r) {
        call_.entries += call_.blocks[number_of(stratum, r) + 1] - call_.blocks[number_of(stratum, r)];
      }
    }
    for (const double cost : costs_) call_.cost += cost;
  }

  // A phase is a stratum; each thread takes some of its blocks.
  void part(long phase, const Share& share) {
    for (std::int64_t r = share.rank; r < call_.grid; r += share.size) block(call_.first_stratum + phase, r);
  }

 private:
  std::int64_t number_of(std::int64_t stratum, std::int64_t r) const { return r * call_.grid + (r + stratum) % call_.grid; }

  void block(std::int64_t stratum, std::int64_t r) {
    const std::int64_t number = number_of(stratum, r);
    double cost = 0.0;
    const std::int64_t last = call_.blocks[number + 1];
    for (std::int64_t at = call_.blocks[number]; at < last; ++at) {
      if (at + kAhead < last) {
        fetch(call_.words[at + kAhead], call_.input, call_.input_squares);
        fetch(call_.contexts[at + kAhead], call_.output, call_.output_squares);
      }
      cost += entry(at);
    }
    costs_[static_cast<std::size_t>(r)] += cost;
  }

  void fetch(std::int32_t number, const float* rows, const float* squares) const {
    for (std::int64_t v = 0; v < call_.row; v += 16) {
      __builtin_prefetch(rows + number * call_.row + v, 1, 2);
      __builtin_prefetch(squares + number * call_.row + v, 1, 2);
    }
  }

  double entry(std::int64_t at) {
    const std::int64_t i = call_.words[at], j = call_.contexts[at], row = call_.row;
    float* e = call_.input + i * row;
    float* theta = call_.output + j * row;
    Vector products{};
    for (std::int64_t v = 0; v < row; v += kLanes) products += load(e + v) * load(theta + v);
    const float miss = sum(products) + call_.input_bias[i] + call_.output_bias[j] - call_.logs[at];
    const float slope = call_.weights[at] * miss;
    if (call_.update) {
      float* own = call_.input_squares + i * row;
      float* other = call_.output_squares + j * row;
      const float step = call_.rate * slope;
      for (std::int64_t v = 0; v < row; v += kLanes) {
        const Vector a = load(e + v), b = load(theta + v);
        const Vector da = step * b, db = step * a;
        const Vector ga = load(own + v), gb = load(other + v);
        store(e + v, a - da / square_root(ga));
        store(theta + v, b - db / square_root(gb));
        store(own + v, ga + da * da);
        store(other + v, gb + db * db);
      }
      move(call_.input_bias, i, step);
      move(call_.output_bias, j, step);
    }
    return 0.5 * static_cast<double>(slope) * static_cast<double>(miss);
  }

  void move(float* biases, std::int64_t at, float step) const {
    float& square = biases[call_.V + at];
    biases[at] -= step / std::sqrt(square);
    square += step * step;
  }

  GloveCall& call_;
  std::vector<double> costs_;
};

}  // namespace

void train_glove(GloveCall& call) {
  call.cost = 0.0;
  call.entries = 0;
  GloveRun(call).run();
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
