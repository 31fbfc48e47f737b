// What a recurrent layer with attention and input feeding is asked to compute: all its steps in one call.
//
//   h_t = cell(gx_t + W_f f_{t-1}, h_{t-1})
//   w_t = softmax over s of score(h_t, k_s),   c_t = Σ_s w_ts v_s
//   f_t = tanh(W_c [h_t; c_t] + b_c)
//
//   score   h·k_s, or additive: Σ_j u_j tanh(q_j + k_sj + κ_ts cover_j), q = W_q h_t, κ_t = κ_0 + Σ_{τ<t} w_τ
//
// Axes: R rows, T steps, H hidden, G·H its gates, F feed, V values, K keys (H where not additive), S steps of the
// memory, of which row b has lengths[b]; B rows of memory, each shared by R/B rows of the decoder that follow one
// another. Float32, row-major, the rightmost index varies fastest; no array overlaps another.
//
// Backward leaves products over all steps to the caller: those of the weights' gradients, of keys that are not
// additive and of values; it writes what they need.
//
// The functions that take it never throw but std::bad_alloc, and touch nothing global.
#pragma once

#include <cstdint>

#include "recurrence.h"

namespace recurra {

struct Attentive {
  CellKind cell = CellKind::kGruAfter;  // or kLstm without options, or kRnn with tanh
  bool additive = false;
  bool training = false;  // `gates` is filled for backward
  int threads = 1;        // at most so many

  std::int64_t R = 0, B = 0, T = 0, S = 0, H = 0, F = 0, K = 0, V = 0;
  const std::int64_t* lengths = nullptr;  // [B] each in 0..S

  // Gate order of the cell's equation: r, z, n; i, f, g, o.
  const float* weight_f = nullptr;      // [G*H,F]
  const float* weight_h = nullptr;      // [G*H,H]
  const float* bias_h = nullptr;        // [G*H]  may be null
  const float* combine = nullptr;       // [F,H+V]
  const float* combine_bias = nullptr;  // [F]
  const float* query = nullptr;         // [K,H]  additive only, as those below
  const float* score = nullptr;         // [K]
  const float* cover = nullptr;         // [K]    may be null

  const float* gx = nullptr;        // [R,T,G*H]
  const float* values = nullptr;    // [B,S,V]
  const float* keys = nullptr;      // [B,S,K]
  const float* h0 = nullptr;        // [R,H]
  const float* c0 = nullptr;        // [R,H]  LSTM
  const float* f0 = nullptr;        // [R,F]
  const float* covered0 = nullptr;  // [R,S]

  // Forward writes these; backward reads them.
  float* hc = nullptr;       // [R,T,H+V] h_t, then c_t
  float* f = nullptr;        // [R,T,F]
  float* weights = nullptr;  // [R,T,S] zero in the padding
  float* covered = nullptr;  // [R,S] κ after the last step
  float* cT = nullptr;       // [R,H] LSTM
  float* gates = nullptr;    // [R,T,saved gates*H]: r, z, n, U_n h + b; i, f, g, o, c; none of the RNN

  // Backward reads these; null means zero.
  const float* df = nullptr;        // [R,T,F]
  const float* dweights = nullptr;  // [R,T,S]
  const float* dhT = nullptr;       // [R,H]
  const float* dcT = nullptr;       // [R,H]
  const float* dfT = nullptr;       // [R,F]
  const float* dcovered = nullptr;  // [R,S]

  // Backward writes these, all of them.
  float* dz = nullptr;         // [R,T,F]   of W_c [h; c] + b_c
  float* dhc = nullptr;        // [R,T,H+V] of [h; c] through it
  float* ds = nullptr;         // [R,T,S]   of the scores
  float* da = nullptr;         // [R,T,G*H] of gx
  float* da_h = nullptr;       // [R,T,G*H] of W_h h + b_h, where that is another: the GRU
  float* dq = nullptr;         // [R,T,K]   additive, as those below
  float* dkeys = nullptr;      // [B,S,K]
  float* dscore = nullptr;     // [K]
  float* dcover = nullptr;     // [K]       where there is `cover`
  float* dh0 = nullptr;        // [R,H]
  float* dc0 = nullptr;        // [R,H]     LSTM
  float* df0 = nullptr;        // [R,F]
  float* dcovered0 = nullptr;  // [R,S]
};

// Its weights, packed once for many calls of forward without training. Made by the kernels of an instruction set, and
// stays with them; what it was made from may go. Several threads may call at once.
class PackedAttentive {
 public:
  virtual ~PackedAttentive() = default;
  virtual void forward(const Attentive& call) const = 0;
  bool fits(const Attentive& call) const {
    return !call.training && call.cell == packed_.cell && call.additive == packed_.additive && call.H == packed_.H &&
           call.F == packed_.F && call.K == packed_.K && call.V == packed_.V;
  }

 protected:
  explicit PackedAttentive(const Attentive& call) : packed_(call) {}

 private:
  const Attentive packed_;  // its numbers; the addresses are no longer good
};

}  // namespace recurra
