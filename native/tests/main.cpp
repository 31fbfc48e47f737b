// The kernels against a double-precision reference, meant to run under sanitizers: `make check-native`.
//
//   native_tests                    every suite, on every instruction set that this processor has
//   native_tests --fuzz 20          random cases for 20 seconds instead; --seed N starts from another place
//   native_tests --set avx2         one instruction set only
//   native_tests --suite threads    one suite only
//   native_tests --fuzz-case N      one random case again; --recurrence N one case of the sweep over sizes again
//
// What makes it strict: every array lies in a heap block of its own that ends where the array ends; outputs hold NaN
// before a call; gradients come from a tape (tape.h), not from formulas; every case runs on 1, 2 and 3 threads,
// for the build makes any call worth a thread; under AddressSanitizer every piece of a kernel's workspace is a block
// of its own, too. A fault prints what, got and expected, and the case with what runs it again.
// Exit code: 0 without faults, 1 with some, 2 for a wrong argument.
#include <chrono>
#include <cstdlib>

#include "../dispatch.h"
#include "../parallel.h"
#include "arrays.h"
#include "cases.h"
#include "suites.h"

extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*)());
// UndefinedBehaviorSanitizer calls this before it ends the program.
extern "C" __attribute__((visibility("default"))) void __ubsan_on_report();

namespace recurra::tests {

void fuzz_case(const Sets& sets, std::uint64_t seed) {
  const std::uint64_t kind = seed % 10;
  if (kind == 0) return test_streaming_case(sets, seed);
  if (kind == 1) return test_output_layer_case(sets, seed);
  if (kind == 2) return test_attentive_case(sets, seed);
  if (kind == 3) return test_best_symbols_case(sets, seed);
  if (kind == 4) return test_word_vectors_case(sets, seed);
  if (kind == 5) return test_glove_case(sets, seed);
  static const std::vector<Case> cells = all_cells();
  Random random(seed);
  Case drawn = cells[static_cast<std::size_t>(random.below(static_cast<long>(cells.size())))];
  drawn = drawn_case(drawn, random, 0, 0);
  drawn.seed = seed;
  begin_case("--fuzz-case " + std::to_string(seed) + ": " + drawn.described());
  check_case(drawn, sets);
}

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void tell_case() {
  std::printf("The case at hand: %s\n", faults().at_hand);
  std::fflush(stdout);
}

void fuzz(const Sets& sets, double seconds, std::uint64_t first) {
  const Clock::time_point start = Clock::now();
  std::uint64_t seed = first;
  for (; seconds_since(start) < seconds && faults().count < 20; ++seed) fuzz_case(sets, seed);
  std::printf("fuzz: seeds %llu to %llu in %.0f s\n", static_cast<unsigned long long>(first), static_cast<unsigned long long>(seed - 1),
              seconds_since(start));
}

int usage(const char* argument) {
  std::printf("got %s, expected --fuzz SECONDS, --seed N, --set NAME, --suite NAME, --fuzz-case N or --recurrence N\n", argument);
  return 2;
}

int run(int count, char** arguments) {
  Sets sets = instruction_sets();
  double fuzz_seconds = 0.0;
  long recurrence = -1;
  std::uint64_t seed = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) % 1000000000u * 1000u;
  bool has_case = false;
  std::string suite;
  for (int i = 1; i < count; i += 2) {
    const std::string name = arguments[i];
    if (i + 1 == count) return usage(arguments[i]);
    const std::string value = arguments[i + 1];
    if (name == "--fuzz") fuzz_seconds = std::atof(value.c_str());
    else if (name == "--seed") seed = std::strtoull(value.c_str(), nullptr, 10);
    else if (name == "--fuzz-case") seed = std::strtoull(value.c_str(), nullptr, 10), has_case = true;
    else if (name == "--recurrence") recurrence = std::atol(value.c_str());
    else if (name == "--suite") suite = value;
    else if (name == "--set" && use_instruction_set(value)) sets = {value};
    else return usage(arguments[i]);
  }
  if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(tell_case);
  use_own_threads(true);
  if (has_case) {
    fuzz_case(sets, seed);
  } else if (recurrence >= 0) {
    test_recurrences(sets, recurrence);
  } else if (fuzz_seconds > 0.0) {
    fuzz(sets, fuzz_seconds, seed);
  } else {
    struct Suite {
      const char* name;
      void (*run)(const Sets&);
    };
    const std::vector<Suite> suites{{"elementary", test_elementary},
                                    {"kinks", test_kinks},
                                    {"recurrences", [](const Sets& all) { test_recurrences(all, -1); }},
                                    {"streaming", test_streaming},
                                    {"output_layer", test_output_layer},
                                    {"attentive", test_attentive},
                                    {"best_symbols", test_best_symbols},
                                    {"word_vectors", test_word_vectors},
                                    {"glove", test_glove},
                                    {"threads", test_threads}};
    bool found = false;
    for (const Suite& each : suites) {
      if (!suite.empty() && suite != each.name) continue;
      found = true;
      const Clock::time_point start = Clock::now();
      each.run(sets);
      std::printf("%-13s %.1f s\n", each.name, seconds_since(start));
      std::fflush(stdout);
    }
    if (!found) return usage("no such suite");
  }
  std::string names;
  for (const std::string& each : sets) names += " " + each;
  std::printf("%ld comparisons, %ld faults on%s; the largest error is %.2f of what is allowed\n", faults().comparisons, faults().count,
              names.c_str(), faults().worst);
  return faults().count ? 1 : 0;
}

}  // namespace
}  // namespace recurra::tests

void __ubsan_on_report() {
  std::printf("The case at hand: %s\n", recurra::tests::faults().at_hand);
  std::fflush(stdout);
}

int main(int count, char** arguments) { return recurra::tests::run(count, arguments); }
