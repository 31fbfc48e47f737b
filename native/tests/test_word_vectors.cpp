// Training of word vectors against plain loops in double precision, over all contexts and both objectives.
//
// Several threads that update the same rows without synchronisation are a data race by design, so ThreadSanitizer sees
// the reproducible mode and the computation of losses only.
#include "../dispatch.h"
#include "arrays.h"
#include "suites.h"
#include "word_vectors_case.h"

namespace recurra::tests {
namespace {

constexpr double kAllowed = 5e-6;

// A run on copies of the vectors.
struct Run {
  Floats input, output, copies;
  WordVectorsCall call;
  Run(const WordCase& given, int threads, bool update, bool reproducible)
      : input(given.input.copy()), output(given.output.copy()), call(given.call) {
    call.threads = threads, call.update = update, call.reproducible = reproducible;
    if (reproducible && threads > 1) copies = Floats(threads * (input.count() + output.count()));
    call.input = input.data(), call.output = output.data(), call.copies = copies.data();
    kernels().train_word_vectors(call);
  }
  bool is_finite() const {
    for (const Floats* each : {&input, &output}) {
      for (long at = 0; at < each->count(); ++at) {
        if (!std::isfinite((*each)[at])) return false;
      }
    }
    return std::isfinite(call.loss);
  }
  bool same_as(const Run& other) const {
    return input.same_bits(other.input) && output.same_bits(other.output) && call.loss == other.call.loss;
  }
};

void check(const WordCase& given, const Sets& sets) {
  const WordWanted want = wanted_words(given, true), unmoved = wanted_words(given, false);
  const auto near = [](double got, double expected) { return std::abs(got - expected) <= kAllowed * (1.0 + std::abs(expected)); };
  for (const std::string& set : sets) {
    use_instruction_set(set);
    const Run alone(given, 1, true, false);
    compare(set + ", input", alone.input, want.input, kAllowed);
    compare(set + ", output", alone.output, want.output, kAllowed);
    expect(near(alone.call.loss, want.loss), set + ", loss: got " + std::to_string(alone.call.loss) + ", expected " + std::to_string(want.loss));
    expect(alone.call.predictions == want.predictions, set + ", another number of predictions");
    for (int threads : {1, 2, 3}) {
      const std::string name = set + ", " + std::to_string(threads) + " threads, ";
      const Run judged(given, threads, false, false);
      expect(judged.input.same_bits(given.input) && judged.output.same_bits(given.output), name + "something moved without updates");
      expect(near(judged.call.loss, unmoved.loss), name + "loss without updates");
      expect(judged.call.predictions == want.predictions, name + "another number of predictions without updates");
      const Run first(given, threads, true, true), again(given, threads, true, true);
      expect(first.same_as(again), name + "reproducible, but not the same bits");
      expect(first.is_finite() && first.call.predictions == want.predictions, name + "reproducible: a number is lost");
      if (threads == 1) expect(first.same_as(alone), name + "reproducible gives other bits on one thread");
#if !defined(__SANITIZE_THREAD__)
      const Run racing(given, threads, true, false);
      expect(racing.is_finite() && racing.call.predictions == want.predictions, name + "unsynchronised: a number is lost");
#endif
    }
  }
}

void check_drawn(const Sets& sets, Random& random, const std::string& origin, const WordShape& shape) {
  const WordCase given = drawn_words(shape, random);
  const WordVectorsCall& call = given.call;
  begin_case("word vectors, " + origin + ": hidden " + std::to_string(static_cast<int>(call.hidden)) + ", reach " +
             std::to_string(static_cast<int>(call.reach)) + ", objective " + std::to_string(static_cast<int>(call.objective)) + ", D=" +
             std::to_string(given.D) + ", V=" + std::to_string(call.V) + ", window " + std::to_string(call.window) + (call.parts ? ", parts" : "") +
             ", sentences " + std::to_string(call.first_sentence) + " to " + std::to_string(call.last_sentence));
  check(given, sets);
}

struct Context {
  Hidden hidden;
  Reach reach;
};
constexpr Context kContexts[] = {{Hidden::kEach, Reach::kWindow},   {Hidden::kMean, Reach::kWindow},   {Hidden::kMean, Reach::kPrevious},
                                 {Hidden::kEach, Reach::kPrevious}, {Hidden::kEach, Reach::kNearby},   {Hidden::kMean, Reach::kNearby},
                                 {Hidden::kConcatenated, Reach::kPrevious}};

}  // namespace

void test_word_vectors(const Sets& sets) {
  Random random(7);
  for (const Context& context : kContexts) {
    for (WordObjective objective : {WordObjective::kNegativeSampling, WordObjective::kHierarchicalSoftmax}) {
      for (long D : {1, 15, 16, 17, 100}) {
        check_drawn(sets, random, "sizes", {context.hidden, context.reach, objective, D, 2 + random.below(49), 1 + static_cast<int>(random.below(6))});
      }
    }
  }
}

void test_word_vectors_case(const Sets& sets, std::uint64_t seed) {
  Random random(seed);
  const Context context = kContexts[random.below(7)];
  const auto objective = random.among({WordObjective::kNegativeSampling, WordObjective::kHierarchicalSoftmax});
  check_drawn(sets, random, "--fuzz-case " + std::to_string(seed),
              {context.hidden, context.reach, objective, 1 + random.below(70), 2 + random.below(49), 1 + static_cast<int>(random.below(6))});
}

}  // namespace recurra::tests
