// Vectors of floats, the widest that the instruction set at hand has, and the functions that gates are made of.
//
// This header and all others of this folder are compiled once for each instruction set, with the
// compiler's flags for it and RECURRA_ISA_NAMESPACE as the name of the namespace. Vectors are those of
// the compiler (GCC, Clang), so that one source serves AVX-512, AVX2, NEON and plain C++.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#ifndef RECURRA_ISA_NAMESPACE
#error "RECURRA_ISA_NAMESPACE is not set; the build sets it for each instruction set"
#endif

#define RECURRA_INLINE inline __attribute__((always_inline))
#define RECURRA_UNROLL _Pragma("GCC unroll 16")

namespace recurra::RECURRA_ISA_NAMESPACE {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
constexpr int kRegisters = 32;
#elif defined(__AVX2__) || defined(__AVX__)
constexpr int kLanes = 8;
constexpr int kRegisters = 16;
#elif defined(__aarch64__)
constexpr int kLanes = 4;
constexpr int kRegisters = 32;
#else
constexpr int kLanes = 4;
constexpr int kRegisters = 16;
#endif

typedef float Vector __attribute__((vector_size(4 * kLanes)));
typedef std::int32_t Integers __attribute__((vector_size(4 * kLanes)));
typedef float Unaligned __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

RECURRA_INLINE Vector broadcast(float value) { return value - Vector{}; }  // not +: that is no plain copy
RECURRA_INLINE Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
RECURRA_INLINE void store(float* to, Vector value) { *reinterpret_cast<Unaligned*>(to) = value; }

// The first `count` lanes (none where it is below 1); the others are zero, or left as they are in memory.
RECURRA_INLINE Vector load_first(const float* from, long count) {
  if (count >= kLanes) return load(from);
  if (count <= 0) return Vector{};
#if defined(__AVX512F__)
  return reinterpret_cast<Vector>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1u), from));
#else
  Vector value{};
  std::memcpy(&value, from, sizeof(float) * static_cast<std::size_t>(count));
  return value;
#endif
}
RECURRA_INLINE void store_first(float* to, Vector value, long count) {
  if (count >= kLanes) return store(to, value);
  if (count <= 0) return;
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1u), reinterpret_cast<__m512>(value));
#else
  std::memcpy(to, &value, sizeof(float) * static_cast<std::size_t>(count));
#endif
}

// Whether a lane of what a comparison gave is true.
RECURRA_INLINE bool any(Integers condition) {
#if defined(__AVX512F__)
  return _mm512_test_epi32_mask(reinterpret_cast<__m512i>(condition), reinterpret_cast<__m512i>(condition)) != 0;
#elif defined(__AVX2__)
  return !_mm256_testz_si256(reinterpret_cast<__m256i>(condition), reinterpret_cast<__m256i>(condition));
#else
  int found = 0;
  for (int lane = 0; lane < kLanes; ++lane) found |= condition[lane];
  return found != 0;
#endif
}
RECURRA_INLINE Vector select(Integers condition, Vector yes, Vector no) { return condition ? yes : no; }
// Bounds that let NaN through. The processor's minimum and maximum give their second operand where one is NaN.
RECURRA_INLINE Vector at_most(Vector x, float bound) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vector>(_mm512_maskz_min_ps(0xffff, reinterpret_cast<__m512>(broadcast(bound)), reinterpret_cast<__m512>(x)));
#elif defined(__AVX2__)
  return reinterpret_cast<Vector>(_mm256_min_ps(reinterpret_cast<__m256>(broadcast(bound)), reinterpret_cast<__m256>(x)));
#else
  return select(x > bound, broadcast(bound), x);
#endif
}
RECURRA_INLINE Vector at_least(Vector x, float bound) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vector>(_mm512_maskz_max_ps(0xffff, reinterpret_cast<__m512>(broadcast(bound)), reinterpret_cast<__m512>(x)));
#elif defined(__AVX2__)
  return reinterpret_cast<Vector>(_mm256_max_ps(reinterpret_cast<__m256>(broadcast(bound)), reinterpret_cast<__m256>(x)));
#else
  return select(x < bound, broadcast(bound), x);
#endif
}

// 1/x within 1 unit in the last place or so; x a normal number.
RECURRA_INLINE Vector reciprocal(Vector x) {
#if defined(__AVX512F__)
  Vector guess = reinterpret_cast<Vector>(_mm512_maskz_rcp14_ps(0xffff, reinterpret_cast<__m512>(x)));
  return guess + guess * (1.0f - x * guess);
#else
  return 1.0f / x;
#endif
}

// e^x, relative error below 2e-7; x is held to [-87, 88].
RECURRA_INLINE Vector exp(Vector x) {
  x = at_least(at_most(x, 88.0f), -87.0f);
  // x = n ln 2 + r, |r| <= ln 2 / 2: adding 1.5·2^23 rounds to a whole number and leaves it in the low bits.
  const Vector magic = broadcast(12582912.0f);
  Vector shifted = x * 1.44269504f + magic;
  Vector n = shifted - magic;
  Vector r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  // The series of e^r; the terms from r³ on were fitted for this interval (relative error 3.7e-9 before rounding).
  Vector tail = ((1.38637551007e-3f * r + 8.36754540046e-3f) * r + 4.16672397335e-2f) * r + 1.66665335177e-1f;
  Vector series = 1.0f + (r + r * r * (tail * r + 0.5f));
  Integers exponent = reinterpret_cast<Integers>(shifted) << 23;
  return reinterpret_cast<Vector>(reinterpret_cast<Integers>(series) + exponent);
}

// σ(x) = 1 / (1 + e^-x), absolute error below 2e-7.
RECURRA_INLINE Vector sigmoid(Vector x) { return reciprocal(1.0f + exp(-x)); }

// tanh x = x P(x²) / Q(x²), relative error below 4e-7. P and Q were fitted for this file: the largest
// relative error over [0, 9] made least, which is 2.1e-8 before rounding. Beyond 9.0109 the nearest float is 1, and must be
// that exactly: the derivative 1 - tanh² is multiplied by inputs, which may be as large as they made the sum.
RECURRA_INLINE Vector tanh(Vector given) {
  const Vector x = at_least(at_most(given, 9.0f), -9.0f);
  Vector u = x * x;
  Vector p = (((1.33561730563e-8f * u + 2.06104550217e-5f) * u + 3.49568553841e-3f) * u + 0.133811131769f) * u +
             0.999999980448f;
  Vector q = (((7.77725763013e-7f * u + 3.28578385577e-4f) * u + 2.58773692325e-2f) * u + 0.467144292054f) * u + 1.0f;
  const Vector inside = x * p * reciprocal(q);
  return select(given > 9.0109f, broadcast(1.0f), select(given < -9.0109f, broadcast(-1.0f), inside));
}

RECURRA_INLINE float sum(Vector x) {
  float total = 0.0f;
  for (int lane = 0; lane < kLanes; ++lane) total += x[lane];
  return total;
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
