// Training of GloVe vectors against plain loops in double precision, on any number of threads.
#include <algorithm>

#include "../dispatch.h"
#include "arrays.h"
#include "suites.h"

namespace recurra::tests {
namespace {

constexpr double kAllowed = 5e-6;
constexpr int kArrays = 6;  // e, θ, their squares, and the biases with theirs

struct Given {
  GloveCall call;
  long D = 1;
  std::unique_ptr<std::int64_t[]> blocks;
  std::unique_ptr<std::int32_t[]> words, contexts;
  Floats logs, weights;
  Floats arrays[kArrays];
};

float* GloveCall::* const kFields[kArrays] = {&GloveCall::input,         &GloveCall::output,     &GloveCall::input_squares,
                                              &GloveCall::output_squares, &GloveCall::input_bias, &GloveCall::output_bias};

// Entries of random words, block by block; block (r, c) has those with i mod grid = r and j mod grid = c.
void draw_entries(Given& given, Random& random) {
  const long grid = given.call.grid, V = given.call.V;
  std::vector<std::int64_t> blocks{0};
  std::vector<std::int32_t> words, contexts;
  for (long block = 0; block < grid * grid; ++block) {
    const long r = block / grid, c = block % grid;
    for (long left = r < V && c < V ? random.below(12) : 0; left > 0; --left) {
      words.push_back(static_cast<std::int32_t>(r + grid * random.below((V - r + grid - 1) / grid)));
      contexts.push_back(static_cast<std::int32_t>(c + grid * random.below((V - c + grid - 1) / grid)));
    }
    blocks.push_back(static_cast<std::int64_t>(words.size()));
  }
  given.blocks.reset(new std::int64_t[blocks.size()]);
  given.words.reset(new std::int32_t[words.size()]);
  given.contexts.reset(new std::int32_t[words.size()]);
  std::copy(blocks.begin(), blocks.end(), given.blocks.get());
  std::copy(words.begin(), words.end(), given.words.get());
  std::copy(contexts.begin(), contexts.end(), given.contexts.get());
  given.logs = Floats::random(random, static_cast<long>(words.size()), -3.0, 5.0, 0);
  given.weights = Floats::random(random, static_cast<long>(words.size()), 0.01, 1.0, 0);
}

Given drawn(Random& random, long D, long V, long grid) {
  Given given;
  GloveCall& call = given.call;
  given.D = D;
  call.row = (D + 15) / 16 * 16;
  call.V = V, call.grid = grid, call.last_stratum = grid;
  call.rate = static_cast<float>(random.between(0.01, 0.1));
  draw_entries(given, random);
  const double scale = 0.5 / std::sqrt(static_cast<double>(D));
  for (int number = 0; number < kArrays; ++number) {
    const long numbers = number < 4 ? V * call.row : 2 * V;
    given.arrays[number] = Floats(numbers);
    for (long at = 0; at < numbers; ++at) {
      const bool is_padding = number < 4 && at % call.row >= D, is_square = number == 2 || number == 3 || (number > 3 && at >= V);
      given.arrays[number][at] = is_padding ? 0.0f : static_cast<float>(is_square ? random.between(1.0, 2.0) : random.between(-scale, scale));
    }
  }
  call.blocks = given.blocks.get(), call.words = given.words.get(), call.contexts = given.contexts.get();
  call.logs = given.logs.data(), call.weights = given.weights.data();
  return given;
}

struct Reference {
  std::vector<double> arrays[kArrays];
  double cost = 0.0;

  explicit Reference(const Given& given, bool update) {
    const GloveCall& call = given.call;
    for (int number = 0; number < kArrays; ++number) {
      for (long at = 0; at < given.arrays[number].count(); ++at) arrays[number].push_back(static_cast<double>(given.arrays[number][at]));
    }
    for (long stratum = call.first_stratum; stratum < call.last_stratum; ++stratum) {
      for (long r = 0; r < call.grid; ++r) {
        const long block = r * call.grid + (r + stratum) % call.grid;
        for (long at = call.blocks[block]; at < call.blocks[block + 1]; ++at) entry(given, at, update);
      }
    }
  }

  void entry(const Given& given, long at, bool update) {
    const GloveCall& call = given.call;
    const auto i = static_cast<std::size_t>(call.words[at]), j = static_cast<std::size_t>(call.contexts[at]);
    const auto V = static_cast<std::size_t>(call.V), row = static_cast<std::size_t>(call.row);
    double miss = arrays[4][i] + arrays[5][j] - static_cast<double>(call.logs[at]);
    for (std::size_t u = 0; u < row; ++u) miss += arrays[0][i * row + u] * arrays[1][j * row + u];
    const double weight = static_cast<double>(call.weights[at]);
    cost += weight * miss * miss / 2.0;
    if (!update) return;
    const double g = static_cast<double>(call.rate) * weight * miss;
    for (std::size_t u = 0; u < static_cast<std::size_t>(given.D); ++u) {
      const double de = g * arrays[1][j * row + u], dtheta = g * arrays[0][i * row + u];
      descend(arrays[0][i * row + u], arrays[2][i * row + u], de);
      descend(arrays[1][j * row + u], arrays[3][j * row + u], dtheta);
    }
    descend(arrays[4][i], arrays[4][V + i], g);
    descend(arrays[5][j], arrays[5][V + j], g);
  }

  static void descend(double& number, double& square, double step) {
    number -= step / std::sqrt(square);
    square += step * step;
  }
};

struct Run {
  Floats arrays[kArrays];
  double cost = 0.0;
  long entries = 0;
  // In one call, or in a call for each stratum.
  Run(const Given& given, int threads, bool update, bool by_stratum) {
    GloveCall call = given.call;
    for (int number = 0; number < kArrays; ++number) {
      arrays[number] = given.arrays[number].copy();
      call.*kFields[number] = arrays[number].data();
    }
    call.threads = threads, call.update = update;
    for (long stratum = 0; stratum < (by_stratum ? given.call.grid : 1); ++stratum) {
      if (by_stratum) call.first_stratum = stratum, call.last_stratum = stratum + 1;
      kernels().train_glove(call);
      cost += call.cost;
      entries += call.entries;
    }
  }
  bool same_bits(const Floats* other) const {
    for (int number = 0; number < kArrays; ++number) {
      if (!arrays[number].same_bits(other[number])) return false;
    }
    return true;
  }
};

void check(const Sets& sets, Random& random, const std::string& origin, long D, long V, long grid) {
  begin_case("GloVe, " + origin + ": D=" + std::to_string(D) + ", V=" + std::to_string(V) + ", grid " + std::to_string(grid));
  const Given given = drawn(random, D, V, grid);
  const Reference want(given, true), unmoved(given, false);
  static const char* const names[kArrays] = {"input", "output", "input_squares", "output_squares", "input_bias", "output_bias"};
  const auto near = [](double got, double expected) { return std::abs(got - expected) <= kAllowed * (1.0 + expected); };
  for (const std::string& set : sets) {
    use_instruction_set(set);
    const Run alone(given, 1, true, false);
    for (int number = 0; number < kArrays; ++number) compare(set + ", " + names[number], alone.arrays[number], want.arrays[number], kAllowed);
    expect(near(alone.cost, want.cost), set + ", cost: got " + std::to_string(alone.cost) + ", expected " + std::to_string(want.cost));
    expect(alone.entries == given.call.blocks[grid * grid], set + ", another number of entries");
    for (int threads : {1, 2, 3, 9}) {
      const std::string name = set + ", " + std::to_string(threads) + " threads, ";
      const Run together(given, threads, true, false), parted(given, threads, true, true), judged(given, threads, false, false);
      expect(together.same_bits(alone.arrays) && together.cost == alone.cost, name + "other bits than on one thread");
      expect(parted.same_bits(alone.arrays) && near(parted.cost, want.cost), name + "other bits stratum by stratum");
      expect(judged.same_bits(given.arrays) && near(judged.cost, unmoved.cost), name + "without updates");
    }
  }
}

}  // namespace

void test_glove(const Sets& sets) {
  Random random(8);
  for (long D : {1, 15, 16, 17, 100}) {
    for (long grid : {1, 2, 5, 16}) check(sets, random, "sizes", D, 1 + random.below(50), grid);
  }
}

void test_glove_case(const Sets& sets, std::uint64_t seed) {
  Random random(seed);
  check(sets, random, "--fuzz-case " + std::to_string(seed), 1 + random.below(70), 1 + random.below(50), 1 + random.below(8));
}

}  // namespace recurra::tests
