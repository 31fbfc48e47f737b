#include <algorithm>

#include "../dispatch.h"
#include "arrays.h"
#include "suites.h"

namespace recurra::tests {
namespace {

constexpr double kAllowed = 1e-5;

struct Given {
  OutputLayer call;
  Floats hidden, weight, bias, dlosses;
  std::unique_ptr<std::int64_t[]> targets;
};

struct Wanted {
  std::vector<double> losses, dhidden, dweight, dbias;
  long counted = 0;
};

// Losses and the gradients of Σ weight_n loss_n, in double precision.
Wanted reference_of(const Given& given, bool mean, bool by_dlosses) {
  const OutputLayer& call = given.call;
  Wanted found;
  found.losses.assign(static_cast<std::size_t>(call.N), 0.0);
  found.dhidden.assign(static_cast<std::size_t>(call.N * call.H), 0.0);
  found.dweight.assign(static_cast<std::size_t>(call.V * call.H), 0.0);
  found.dbias.assign(static_cast<std::size_t>(call.V), 0.0);
  for (long n = 0; n < call.N; ++n) found.counted += given.targets[static_cast<std::size_t>(n)] != call.ignore_index;
  std::vector<double> logits(static_cast<std::size_t>(call.V));
  for (long n = 0; n < call.N; ++n) {
    const std::int64_t target = given.targets[static_cast<std::size_t>(n)];
    if (target == call.ignore_index) continue;
    double largest = -1e300, total = 0.0;
    for (long v = 0; v < call.V; ++v) {
      double logit = given.bias.present() ? static_cast<double>(given.bias[v]) : 0.0;
      for (long u = 0; u < call.H; ++u) logit += static_cast<double>(given.weight[v * call.H + u]) * static_cast<double>(given.hidden[n * call.H + u]);
      logits[static_cast<std::size_t>(v)] = logit;
      largest = std::max(largest, logit);
    }
    for (double logit : logits) total += std::exp(logit - largest);
    found.losses[static_cast<std::size_t>(n)] = std::log(total) + largest - logits[static_cast<std::size_t>(target)];
    const double share = by_dlosses ? static_cast<double>(given.dlosses[n]) : mean ? 1.0 / static_cast<double>(found.counted) : 1.0;
    for (long v = 0; v < call.V; ++v) {
      const double d = share * (std::exp(logits[static_cast<std::size_t>(v)] - largest) / total - (v == target ? 1.0 : 0.0));
      found.dbias[static_cast<std::size_t>(v)] += d;
      for (long u = 0; u < call.H; ++u) {
        found.dhidden[static_cast<std::size_t>(n * call.H + u)] += d * static_cast<double>(given.weight[v * call.H + u]);
        found.dweight[static_cast<std::size_t>(v * call.H + u)] += d * static_cast<double>(given.hidden[n * call.H + u]);
      }
    }
  }
  return found;
}

Given drawn(Random& random, long N, long H, long V) {
  Given given;
  given.call.N = N;
  given.call.H = H;
  given.call.V = V;
  if (random.once_in(3)) given.call.ignore_index = random.among<std::int64_t>({-1, 0, V - 1, V + 5});
  const long shift = random.below(4);
  const double scale = random.among({1.0, 1.0, 8.0});
  given.hidden = Floats::random(random, N * H, -scale, scale, shift);
  given.weight = Floats::random(random, V * H, -1.0, 1.0, shift);
  if (!random.once_in(3)) given.bias = Floats::random(random, V, -1.0, 1.0, shift);
  given.dlosses = Floats::random(random, N, -1.0, 1.0, shift);
  given.targets.reset(new std::int64_t[static_cast<std::size_t>(N)]);
  const long ignored = random.among<long>({1, 4, 1000});  // one in so many; 1 is all
  for (long n = 0; n < N; ++n) {
    given.targets[static_cast<std::size_t>(n)] = random.once_in(ignored) ? given.call.ignore_index : random.below(V);
  }
  given.call.hidden = given.hidden.data();
  given.call.weight = given.weight.data();
  given.call.bias = given.bias.data();
  given.call.targets = given.targets.get();
  return given;
}

// Outputs of one call, filled with NaN, the gradients among them that `wanted` has a bit for.
struct Outputs {
  Floats losses, normalisers, dhidden, dweight, dbias;
  Outputs(OutputLayer& call, unsigned wanted) : losses(call.N), normalisers(2 * call.N) {
    if (wanted & 1u) dhidden = Floats(call.N * call.H, 1);
    if (wanted & 2u) dweight = Floats(call.V * call.H, 1);
    if (wanted & 4u) dbias = Floats(call.V, 1);
    call.losses = losses.data();
    call.normalisers = normalisers.data();
    call.dhidden = dhidden.data();
    call.dweight = dweight.data();
    call.dbias = dbias.data();
  }
  void hold(const std::string& name, const Wanted& want) const {
    if (dhidden.present()) compare(name + "dhidden", dhidden, want.dhidden, kAllowed);
    if (dweight.present()) compare(name + "dweight", dweight, want.dweight, kAllowed);
    if (dbias.present()) compare(name + "dbias", dbias, want.dbias, kAllowed);
  }
  bool untouched() const {
    for (const Floats* each : {&losses, &normalisers, &dhidden, &dweight, &dbias}) {
      for (long i = 0; i < each->count(); ++i) {
        if (!std::isnan((*each)[i])) return false;
      }
    }
    return true;
  }
};

void check(Given& given, const Sets& sets, unsigned wanted, long bad_token) {
  const bool mean = wanted & 8u;
  const Wanted want = reference_of(given, mean, false), want_backward = reference_of(given, false, true);
  for (const std::string& set : sets) {
    for (int threads : {1, 2, 3}) {
      use_instruction_set(set);
      const std::string name = set + ", " + std::to_string(threads) + " threads, ";
      OutputLayer call = given.call;
      call.threads = threads;
      call.mean = mean;
      const Outputs plain(call, 0);
      kernels().output_layer_forward(call);
      compare(name + "losses", plain.losses, want.losses, kAllowed);
      expect(call.counted == want.counted && call.bad_token == -1, name + "counted or bad_token is wrong");
      OutputLayer with_gradients = given.call;
      with_gradients.threads = threads;
      with_gradients.mean = mean;
      const Outputs all(with_gradients, wanted);
      kernels().output_layer_forward(with_gradients);
      compare(name + "losses with gradients", all.losses, want.losses, kAllowed);
      all.hold(name + "forward ", want);
      OutputLayer backward = given.call;
      backward.threads = threads;
      const Outputs again(backward, wanted);
      backward.losses = nullptr;
      backward.normalisers = plain.normalisers.data();
      backward.dlosses = given.dlosses.data();
      kernels().output_layer_backward(backward);
      again.hold(name + "backward ", want_backward);
      if (bad_token < 0) continue;
      const std::int64_t target = given.targets[static_cast<std::size_t>(bad_token)];
      for (std::int64_t bad : {given.call.V, std::int64_t{-7}, std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
        if (bad == given.call.ignore_index) continue;
        given.targets[static_cast<std::size_t>(bad_token)] = bad;
        OutputLayer faulty = given.call;
        faulty.threads = threads;
        const Outputs none(faulty, wanted);
        kernels().output_layer_forward(faulty);
        expect(faulty.bad_token == bad_token, name + "bad target " + std::to_string(bad) + " was not told");
        expect(none.untouched(), name + "something was written in spite of a bad target");
      }
      given.targets[static_cast<std::size_t>(bad_token)] = target;
    }
  }
}

void check_drawn(const Sets& sets, Random& random, const std::string& origin, long N, long H, long V) {
  Given given = drawn(random, N, H, V);
  const unsigned wanted = random.once_in(2) ? 7u + 8u * static_cast<unsigned>(random.below(2)) : static_cast<unsigned>(random.below(16));
  const long bad_token = N > 0 && random.once_in(3) ? random.below(N) : -1;
  begin_case("output layer, " + origin + ": N=" + std::to_string(N) + ", H=" + std::to_string(H) + ", V=" + std::to_string(V) +
             ", ignore_index " + std::to_string(given.call.ignore_index) + ", wanted " + std::to_string(wanted));
  check(given, sets, wanted, bad_token);
}

}  // namespace

void test_output_layer(const Sets& sets) {
  std::uint64_t seed = 0;
  for (long H : {1, 7, 16, 33, 70}) {
    for (long V : {1, 2, 17, 64, 131, 300}) {
      for (long N : {0, 1, 17, 70}) {
        Random random(++seed);
        check_drawn(sets, random, "sizes", N, H, V);
      }
    }
  }
  Random random(99);
  check_drawn(sets, random, "several chunks", 600, 5, 40);
  check_drawn(sets, random, "several chunks and blocks", 530, 9, 290);
}

void test_output_layer_case(const Sets& sets, std::uint64_t seed) {
  Random random(seed);
  const long N = random.below(random.once_in(6) ? 600 : 60), H = 1 + random.below(80), V = 1 + random.below(random.once_in(4) ? 400 : 50);
  check_drawn(sets, random, "--fuzz-case " + std::to_string(seed), N, H, V);
}

}  // namespace recurra::tests
