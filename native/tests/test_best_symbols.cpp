// The best symbols of rows of scores, given or computed from packed weights, against a sort in double precision.
#include <algorithm>

#include "../dispatch.h"
#include "arrays.h"
#include "suites.h"

namespace recurra::tests {
namespace {

constexpr double kAllowed = 2e-5;

void check_best(const Sets& sets, Random& random, const std::string& origin, long R, long V, long H, long k) {
  begin_case("best symbols, " + origin + ": R=" + std::to_string(R) + ", V=" + std::to_string(V) + ", H=" + std::to_string(H) +
             ", k=" + std::to_string(k));
  const Floats hidden = Floats::random(random, R * H, -2.0, 2.0, 1), weight = Floats::random(random, V * H, -1.0, 1.0, 2);
  const Floats bias = Floats::random(random, V, -1.0, 1.0, 3);
  Floats scores(R * V);
  std::vector<double> wanted;
  for (long r = 0; r < R; ++r) {
    std::vector<double> all;
    double total = 0.0;
    for (long v = 0; v < V; ++v) {
      double score = static_cast<double>(bias[v]);
      for (long u = 0; u < H; ++u) score += static_cast<double>(weight[v * H + u]) * static_cast<double>(hidden[r * H + u]);
      scores[r * V + v] = static_cast<float>(score);
      all.push_back(score);
      total += std::exp(score);
    }
    std::sort(all.rbegin(), all.rend());
    for (long place = 0; place < k; ++place) wanted.push_back(all[static_cast<std::size_t>(place)] - std::log(total));
  }
  for (const std::string& set : sets) {
    for (int threads : {1, 2, 3}) {
      use_instruction_set(set);
      const std::string name = set + ", " + std::to_string(threads) + " threads, ";
      const std::unique_ptr<PackedVocabulary> packed(kernels().pack_vocabulary(weight.data(), bias.data(), V, H));
      for (bool of_scores : {true, false}) {
        const Floats log_probs(R * k);
        std::vector<std::int64_t> symbols(static_cast<std::size_t>(R * k), -1);
        BestSymbols call;
        call.threads = threads;
        call.R = R, call.V = V, call.k = k, call.H = H;
        call.scores = scores.data(), call.hidden = hidden.data();
        call.log_probs = log_probs.data(), call.symbols = symbols.data();
        of_scores ? kernels().best_symbols(call) : packed->best(call);
        compare(name + (of_scores ? "of scores" : "of weights"), log_probs, wanted, kAllowed);
        for (std::int64_t symbol : symbols) expect(symbol >= 0 && symbol < V, name + "a symbol that there is not");
      }
    }
  }
}

}  // namespace

void test_best_symbols(const Sets& sets) {
  Random random(6);
  for (long V : {1, 3, 16, 65, 200}) {
    for (long k : {1L, 2L, std::min(V, 64L)}) {
      if (k <= V) check_best(sets, random, "sizes", 1 + random.below(9), V, 1 + random.below(20), k);
    }
  }
}

void test_best_symbols_case(const Sets& sets, std::uint64_t seed) {
  Random random(seed);
  const long V = 1 + random.below(300);
  check_best(sets, random, "--fuzz-case " + std::to_string(seed), 1 + random.below(30), V, 1 + random.below(70),
             1 + random.below(std::min(V, 64L)));
}

}  // namespace recurra::tests
