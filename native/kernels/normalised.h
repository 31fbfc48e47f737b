// Layer normalisation of a row: LN(v)*gain, over blocks of H numbers that each product gives.
//
//   LN(v) = (v - mean)/√(variance + 1e-5), mean and variance over all real numbers of the row
//   d of v = 1/σ (g - mean(g) - LN(v)*mean(g*LN(v))), g = d*gain
//
// A row lies in blocks (one of each gate) of Hp floats. What pads a block counts nowhere: gains are padded
// with zeros, and mean and variance leave it out.
#pragma once

#include <cmath>

#include "layout.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

constexpr float kLayerNormEpsilon = 1e-5f;

// Where vector v of block b of a row lies: at b*block + v*vector.
struct Blocks {
  long block, vector;
};
// Blocks one after the other, or all blocks of some units side by side, as the cells read sums.
inline Blocks in_blocks(long Hp) { return {Hp, kLanes}; }
inline Blocks by_units(int blocks) { return {kLanes, blocks * kLanes}; }

struct Moments {
  float mean, scale;  // scale: 1/√(variance + epsilon)
};

// Two passes: a mean first, then the squares of what is off it.
template <int kBlocks>
inline Moments moments_of(const float* row, Blocks lie, long H) {
  alignas(64) static constexpr struct Ones {
    float of[2 * kLanes] = {};
    constexpr Ones() {
      for (int lane = 0; lane < kLanes; ++lane) of[lane] = 1.0f;
    }
  } ones;
  const long whole = H / kLanes;
  const Vector real = load(ones.of + kLanes - (H - whole * kLanes));  // ones for the numbers of the last vector
  const bool has_rest = whole * kLanes < H;
  const float share = 1.0f / static_cast<float>(kBlocks * H);
  Vector totals[kBlocks] = {}, squares[kBlocks] = {};
  auto at = [&](long v, int b) { return load(row + b * lie.block + v * lie.vector); };
  auto total = [](const Vector(&parts)[kBlocks]) {
    Vector all = parts[0];
    for (int b = 1; b < kBlocks; ++b) all += parts[b];
    return sum(all);
  };
  for (long v = 0; v < whole; ++v) {
    for (int b = 0; b < kBlocks; ++b) totals[b] += at(v, b);
  }
  for (int b = 0; has_rest && b < kBlocks; ++b) totals[b] += at(whole, b) * real;
  const float mean = total(totals) * share;
  for (long v = 0; v < whole; ++v) {
    for (int b = 0; b < kBlocks; ++b) {
      const Vector off = at(v, b) - mean;
      squares[b] += off * off;
    }
  }
  for (int b = 0; has_rest && b < kBlocks; ++b) {
    const Vector off = (at(whole, b) - mean) * real;
    squares[b] += off * off;
  }
  return {mean, 1.0f / std::sqrt(total(squares) * share + kLayerNormEpsilon)};
}

// row becomes LN(row)*gain, plus bias if kBiased; returns 1/σ. gain and bias in blocks of Hp; LN(row) goes to
// `normal`, in blocks of Hp, unless that is null.
template <int kBlocks, bool kBiased>
inline float normalise(float* row, Blocks lie, const float* gain, const float* bias, float* normal, long H, long Hp) {
  const Moments moments = moments_of<kBlocks>(row, lie, H);
  for (long v = 0; v < Hp / kLanes; ++v) {
    for (int b = 0; b < kBlocks; ++b) {
      float* number = row + b * lie.block + v * lie.vector;
      const long place = b * Hp + v * kLanes;
      const Vector value = (load(number) - moments.mean) * moments.scale;
      if (normal) store(normal + place, value);
      const Vector scaled = value * load(gain + place);
      store(number, kBiased ? scaled + load(bias + place) : scaled);
    }
  }
  return moments.scale;
}

// From d, the gradient of LN(v)*gain, to that of v, which may take d's place; d*LN(v) is added to dgain. All of
// `floats` numbers in blocks, `real` of them no padding.
inline void normalise_back(const float* d, const float* normal, float scale, const float* gain, float* to, float* dgain,
                           long floats, long real) {
  Vector sums[2] = {}, products[2] = {};
  auto step = [&](long u, int set) {
    const Vector own = load(d + u), value = load(normal + u), g = own * load(gain + u);
    store(dgain + u, load(dgain + u) + own * value);
    store(to + u, g);  // rounded, as its mean is made of it: of one number no bit is left over
    sums[set] += g;
    products[set] += g * value;
  };
  long u = 0;
  for (; u + kLanes < floats; u += 2 * kLanes) {
    step(u, 0);
    step(u + kLanes, 1);
  }
  if (u < floats) step(u, 0);
  const float share = 1.0f / static_cast<float>(real);
  const float mean = sum(sums[0] + sums[1]) * share, slope = sum(products[0] + products[1]) * share;
  for (u = 0; u < floats; u += kLanes) {
    store(to + u, scale * (load(to + u) - mean - load(normal + u) * slope));
  }
}

// The gains as the kernels read them: [kInputGates slots], [slots from kStateFirst on], each of Hp; LSTM [Hp].
struct Gains {
  const float* input;
  const float* state;
  const float* cell;
  const float* shift;

  template <class Cell>
  static Gains of(const Plan<Cell>& plan, Workspace& workspace) {
    const Recurrence& call = plan.call;
    auto padded = [&](const float* from, int first, int last) {
      float* to = workspace.take((last - first) * plan.Hp);
      for (int slot = first; slot < last; ++slot) {
        pad_bias(to + (slot - first) * plan.Hp, from + Cell::kSlotOf[slot].block * call.H, call.H, plan.Hp);
      }
      return to;
    };
    Gains gains{padded(call.gain_ih, 0, Cell::kInputGates), padded(call.gain_hh, Cell::kStateFirst, Cell::kGates), nullptr,
                nullptr};
    if (Cell::kCell < 0) return gains;
    float* cell = workspace.take(2 * plan.Hp);
    pad_bias(cell, call.gain_cell, call.H, plan.Hp);
    pad_bias(cell + plan.Hp, call.shift_cell, call.H, plan.Hp);
    gains.cell = cell;
    gains.shift = cell + plan.Hp;
    return gains;
  }
};

enum { kInputScale, kStateScale, kSecondScale, kCellScale };

// What is saved of a row's normalisations, after its slots.
template <class Cell>
struct Normals {
  using Places = Plan<Cell>;
  Normals(const Places& plan, float* gates) : Hp_(plan.Hp), first_(plan.normals_row() ? gates + plan.slots * plan.Hp : nullptr) {}
  explicit operator bool() const { return first_ != nullptr; }
  float* input() const { return block(Places::kInputNormal); }
  float* state() const { return block(Places::kStateNormal); }
  float* second() const { return block(Places::kStateNormal + Cell::kSecond); }
  float* cell() const { return block(Places::kCellNormal); }
  // 1/σ of each: input, state, second product, cell. The input's comes first and clears the others.
  void set_scale(int which, float scale) const {
    if (!first_) return;
    float* scales = first_ + Places::kNormals * Hp_;
    if (which == kInputScale) store(scales, Vector{});
    scales[which] = scale;
  }
  float scale(int which) const { return first_[Places::kNormals * Hp_ + which]; }

 private:
  float* block(long number) const { return first_ ? first_ + number * Hp_ : nullptr; }
  long Hp_;
  float* first_;
};
}  // namespace recurra::RECURRA_ISA_NAMESPACE
