#include <algorithm>

#include "arrays.h"
#include "elementary.h"
#include "suites.h"

namespace recurra {

#if defined(RECURRA_HAS_AVX512)
namespace avx512 { extern const tests::Elementary elementary; }
#endif
#if defined(RECURRA_HAS_AVX2)
namespace avx2 { extern const tests::Elementary elementary; }
#endif
#if defined(RECURRA_HAS_NEON)
namespace neon { extern const tests::Elementary elementary; }
#endif
#if defined(RECURRA_HAS_PLAIN)
namespace plain { extern const tests::Elementary elementary; }
#endif

namespace tests {
namespace {

// What simd.h states.
constexpr double kExpRelative = 2e-7, kSigmoidAbsolute = 2e-7, kTanhRelative = 4e-7, kReciprocalRelative = 1.5e-7;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();

std::vector<const Elementary*> elementaries(const Sets& sets) {
  const std::vector<const Elementary*> all{
#if defined(RECURRA_HAS_AVX512)
      &avx512::elementary,
#endif
#if defined(RECURRA_HAS_AVX2)
      &avx2::elementary,
#endif
#if defined(RECURRA_HAS_NEON)
      &neon::elementary,
#endif
#if defined(RECURRA_HAS_PLAIN)
      &plain::elementary,
#endif
  };
  std::vector<const Elementary*> found;
  for (const Elementary* each : all) {
    if (std::find(sets.begin(), sets.end(), each->name) != sets.end()) found.push_back(each);
  }
  return found;
}

using Function = void (*)(const float*, float*, long);

// The largest error over even steps of [low, high] and over all magnitudes within it; tells where.
template <class Exact>
void sweep(const std::string& name, Function function, Exact&& exact, double low, double high, bool relative, double allowed) {
  constexpr long kCount = 1 << 18;
  Floats x(kCount), y(kCount);
  Random random(7);
  for (long i = 0; i < kCount; ++i) {
    double at = low + (high - low) * static_cast<double>(i / 2) / (kCount / 2 - 1);
    if (i % 2) at = (at < 0.0 ? low : high) * std::exp2(-random.between(0.0, 40.0));
    x[i] = static_cast<float>(at);
  }
  function(x.data(), y.data(), kCount);
  double worst = 0.0;
  float worst_at = 0.0f;
  for (long i = 0; i < kCount; ++i) {
    const double want = exact(static_cast<double>(x[i]));
    double error = std::abs(static_cast<double>(y[i]) - want) / (relative ? std::abs(want) : 1.0);
    if (want == 0.0 && y[i] == 0.0f) error = 0.0;
    if (!(error <= worst)) worst = error, worst_at = x[i];
  }
  std::printf("  %-18s largest %s error %.2e at %.9g, allowed %.1e\n", name.c_str(), relative ? "relative" : "absolute", worst,
              static_cast<double>(worst_at), allowed);
  expect(worst <= allowed, name + ": the error is larger than simd.h says");
}

void at_points(const std::string& name, Function function, const std::vector<float>& points, const std::vector<double>& low,
               const std::vector<double>& high) {
  Floats x(16), y(16);
  for (std::size_t i = 0; i < points.size(); ++i) {
    x.fill(points[i]);
    function(x.data(), y.data(), 16);
    for (long lane = 0; lane < 16; ++lane) {
      const double got = static_cast<double>(y[lane]);
      const bool holds = std::isnan(low[i]) ? std::isnan(got) : low[i] <= got && got <= high[i];
      char line[160];
      std::snprintf(line, sizeof(line), "%s(%g): got %.9g, expected %.9g to %.9g", name.c_str(), static_cast<double>(points[i]),
                    got, low[i], high[i]);
      expect(holds, line);
    }
  }
}

void test_copies(const Elementary& set) {
  for (long count = 0; count <= 20; ++count) {
    const Floats from(std::min(count, 16l), count % 3), to(std::min(count, 16l), count % 2);
    for (long i = 0; i < from.count(); ++i) from[i] = static_cast<float>(i);
    set.copy_first(from.data(), to.data(), count);
    const Floats nothing(0);
    set.copy_first(nothing.data(), nothing.data(), count == 0 ? -1 : 0);
    // Wider counts fill the vector, which may be narrower than 16.
    for (long i = 0; i < std::min(to.count(), 4l); ++i) expect(to[i] == from[i], "copy_first: a lane is lost");
  }
}

}  // namespace

void test_elementary(const Sets& sets) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), fnan = nan;
  const double e_low = std::exp(-87.0), e_high = std::exp(88.0);
  for (const Elementary* set : elementaries(sets)) {
    const std::string name = set->name;
    begin_case("elementary functions, " + name);
    auto sigmoid = [](double x) { return 1.0 / (1.0 + std::exp(-x)); };
    sweep(name + " exp", set->exp, [](double x) { return std::exp(x); }, -87.0, 88.0, true, kExpRelative);
    sweep(name + " sigmoid", set->sigmoid, sigmoid, -87.0, 87.0, false, kSigmoidAbsolute);
    sweep(name + " tanh", set->tanh, [](double x) { return std::tanh(x); }, -12.0, 12.0, true, kTanhRelative);
    sweep(name + " 1/x", set->reciprocal, [](double x) { return 1.0 / x; }, 1e-6, 1e6, true, kReciprocalRelative);
    const float huge = std::numeric_limits<float>::max();
    const std::vector<float> points{0.0f, -0.0f, kDenormal, -kDenormal, 1e-39f, kInfinity, -kInfinity, huge, -huge, std::nanf("")};
    const double low = e_low * (1 - kExpRelative), high = e_high * (1 + kExpRelative);
    at_points(name + " exp", set->exp, points, {1, 1, 1, 1, 1, e_high * (1 - kExpRelative), low, e_high * (1 - kExpRelative), low, fnan},
              {1, 1, 1, 1, 1, high, e_low * (1 + kExpRelative), high, e_low * (1 + kExpRelative), fnan});
    at_points(name + " sigmoid", set->sigmoid, points, {.5, .5, .5, .5, .5, 1, 0, 1, 0, fnan}, {.5, .5, .5, .5, .5, 1, 1e-38, 1, 1e-38, fnan});
    const double near = 1 - kTanhRelative, above = 1 + kTanhRelative, tiny = static_cast<double>(kDenormal), small = 1e-39;
    at_points(name + " tanh", set->tanh, points, {0, 0, tiny, -tiny, small * (1 - 1e-5), near, -above, near, -above, fnan},
              {0, 0, tiny, -tiny, small * (1 + 1e-5), above, -near, above, -near, fnan});
    test_copies(*set);
  }
}

}  // namespace tests
}  // namespace recurra
