// One step of each cell that attends, of one row: forwards from the sums of its products, and backwards.
#pragma once

#include "simd.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

// Sums of the gates: gx [G*H]; sums_f = W_f f and sums_h = W_h h + b, gates Hp apart.
struct StepIn {
  const float* gx;
  const float* sums_f;
  const float* sums_h;
  const float* h;
  const float* c;
};
struct StepOut {
  float* h;
  float* c;
  float* gates;  // null where nothing is saved
};
// dh is the whole gradient of h_t; dc, in place, that of c_t, and then of c_{t-1}. `direct` is what reaches h_{t-1}
// without W_h.
struct StepBack {
  const float* gates;
  const float* h;       // h_t
  const float* before;  // h_{t-1}
  const float* c_before;
  const float* dh;
  float* dc;
  float* da;
  float* da_h;
  float* direct;
};

struct AttentiveRnn {
  static constexpr int kGates = 1, kSaved = 0;
  static constexpr bool kHasCell = false, kTwoGradients = false;
  static void forward(const StepIn& in, const StepOut& out, long H, long) {
    for (long u = 0; u < H; u += kLanes) {
      store_first(out.h + u, tanh(load_first(in.gx + u, H - u) + load(in.sums_f + u) + load(in.sums_h + u)), H - u);
    }
  }
  static void backward(const StepBack& step, long H) {
    for (long u = 0; u < H; u += kLanes) {
      const long n = H - u;
      const Vector h = load_first(step.h + u, n);
      store_first(step.da + u, load_first(step.dh + u, n) * (1.0f - h * h), n);
      store_first(step.direct + u, Vector{}, n);
    }
  }
};

struct AttentiveGru {
  static constexpr int kGates = 3, kSaved = 4;
  static constexpr bool kHasCell = false, kTwoGradients = true;
  static void forward(const StepIn& in, const StepOut& out, long H, long Hp) {
    for (long u = 0; u < H; u += kLanes) {
      const long left = H - u;
      const Vector r = sigmoid(load_first(in.gx + u, left) + load(in.sums_f + u) + load(in.sums_h + u));
      const Vector z = sigmoid(load_first(in.gx + H + u, left) + load(in.sums_f + Hp + u) + load(in.sums_h + Hp + u));
      const Vector hn = load(in.sums_h + 2 * Hp + u);
      const Vector n = tanh(load_first(in.gx + 2 * H + u, left) + load(in.sums_f + 2 * Hp + u) + r * hn);
      store_first(out.h + u, n + z * (load_first(in.h + u, left) - n), left);
      if (!out.gates) continue;
      store_first(out.gates + u, r, left);
      store_first(out.gates + H + u, z, left);
      store_first(out.gates + 2 * H + u, n, left);
      store_first(out.gates + 3 * H + u, hn, left);
    }
  }
  static void backward(const StepBack& step, long H) {
    for (long u = 0; u < H; u += kLanes) {
      const long left = H - u;
      const Vector r = load_first(step.gates + u, left), z = load_first(step.gates + H + u, left);
      const Vector n = load_first(step.gates + 2 * H + u, left), hn = load_first(step.gates + 3 * H + u, left);
      const Vector dh = load_first(step.dh + u, left);
      const Vector dz = dh * (load_first(step.before + u, left) - n) * z * (1.0f - z);
      const Vector dn = dh * (1.0f - z) * (1.0f - n * n), dr = dn * hn * r * (1.0f - r);
      store_first(step.da + u, dr, left);
      store_first(step.da + H + u, dz, left);
      store_first(step.da + 2 * H + u, dn, left);
      store_first(step.da_h + u, dr, left);
      store_first(step.da_h + H + u, dz, left);
      store_first(step.da_h + 2 * H + u, dn * r, left);
      store_first(step.direct + u, dh * z, left);
    }
  }
};

struct AttentiveLstm {
  static constexpr int kGates = 4, kSaved = 5;
  static constexpr bool kHasCell = true, kTwoGradients = false;
  static void forward(const StepIn& in, const StepOut& out, long H, long Hp) {
    for (long u = 0; u < H; u += kLanes) {
      const long left = H - u;
      Vector sums[4];
      for (int gate = 0; gate < 4; ++gate) {
        sums[gate] = load_first(in.gx + gate * H + u, left) + load(in.sums_f + gate * Hp + u) + load(in.sums_h + gate * Hp + u);
      }
      const Vector i = sigmoid(sums[0]), f = sigmoid(sums[1]), g = tanh(sums[2]), o = sigmoid(sums[3]);
      const Vector c = f * load_first(in.c + u, left) + i * g;
      store_first(out.c + u, c, left);
      store_first(out.h + u, o * tanh(c), left);
      if (!out.gates) continue;
      store_first(out.gates + u, i, left);
      store_first(out.gates + H + u, f, left);
      store_first(out.gates + 2 * H + u, g, left);
      store_first(out.gates + 3 * H + u, o, left);
      store_first(out.gates + 4 * H + u, c, left);
    }
  }
  static void backward(const StepBack& step, long H) {
    for (long u = 0; u < H; u += kLanes) {
      const long left = H - u;
      const Vector i = load_first(step.gates + u, left), f = load_first(step.gates + H + u, left);
      const Vector g = load_first(step.gates + 2 * H + u, left), o = load_first(step.gates + 3 * H + u, left);
      const Vector out = tanh(load_first(step.gates + 4 * H + u, left)), dh = load_first(step.dh + u, left);
      const Vector dc = load_first(step.dc + u, left) + dh * o * (1.0f - out * out);
      store_first(step.da + u, dc * g * i * (1.0f - i), left);
      store_first(step.da + H + u, dc * load_first(step.c_before + u, left) * f * (1.0f - f), left);
      store_first(step.da + 2 * H + u, dc * i * (1.0f - g * g), left);
      store_first(step.da + 3 * H + u, dh * out * o * (1.0f - o), left);
      store_first(step.dc + u, dc * f, left);
      store_first(step.direct + u, Vector{}, left);
    }
  }
};

}  // namespace recurra::RECURRA_ISA_NAMESPACE
