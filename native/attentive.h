// A call of a recurrent layer with attention and input feeding, over all its steps.
//
//   h_t = cell(gx_t + W_f f_{t-1}, h_{t-1})
//   w_t = softmax over s of score(h_t, k_s),   c_t = Σ_s w_ts v_s
//   f_t = tanh(W_c [h_t; c_t] + b_c)
//
//   score   h·k_s, or additive: Σ_j u_j tanh(q_j + k_sj + κ_ts cover_j), q = W_q h_t, κ_t = κ_0 + Σ_{τ<t} w_τ
//
// Axes: R rows, T steps, H hidden, G·H its gates, F feed, V values, K keys (H if not additive), S steps of the
// memory, of which row b has lengths[b]; B rows of memory, each shared by R/B adjacent rows of the decoder.
// Float32, row-major, the rightmost index varies fastest; arrays do not overlap.
//
// Backward leaves the products over all steps to the caller (for the gradients of the weights, of keys that are not
// additive and of values) and writes the arrays that they need.
//
// The functions that take it throw nothing except std::bad_alloc, and do not change global state.
#pragma once

#include <cstdint>

#include "recurrence.h"

namespace recurra {

struct Attentive {
  CellKind cell = CellKind::kGruAfter;  // or kLstm without options, or kRnn with tanh
  bool additive = false;
  bool training = false;  // `gates` is filled for backward
  int threads = 1;        // maximum number of threads

  std::int64_t R = 0, B = 0, T = 0, S = 0, H = 0, F = 0, K = 0, V = 0;
  const std::int64_t* lengths = nullptr;  // [B] each in 0..S

  // Gate order of the cell's equation: r, z, n; i, f, g, o.
  const float* weight_f = nullptr;      // [G*H,F]
  const float* weight_h = nullptr;      // [G*H,H]
  const float* bias_h = nullptr;        // [G*H]  may be null
  const float* combine = nullptr;       // [F,H+V]
  const float* combine_bias = nullptr;  // [F]
  const float* query = nullptr;         // [K,H]  additive only, like the next two
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
  float* gates = nullptr;    // [R,T,saved gates*H]: r, z, n, U_n h + b; i, f, g, o, c; nothing for the RNN

  // Backward reads these; null means zero.
  const float* df = nullptr;        // [R,T,F]
  const float* dweights = nullptr;  // [R,T,S]
  const float* dhT = nullptr;       // [R,H]
  const float* dcT = nullptr;       // [R,H]
  const float* dfT = nullptr;       // [R,F]
  const float* dcovered = nullptr;  // [R,S]

  // Backward writes all of these.
  float* dz = nullptr;         // [R,T,F]   of W_c [h; c] + b_c
  float* dhc = nullptr;        // [R,T,H+V] of [h; c] through W_c [h; c] + b_c
  float* ds = nullptr;         // [R,T,S]   of the scores
  float* da = nullptr;         // [R,T,G*H] of gx
  float* da_h = nullptr;       // [R,T,G*H] of W_h h + b_h, if it differs from da: GRU only
  float* dq = nullptr;         // [R,T,K]   additive only, like the next three
  float* dkeys = nullptr;      // [B,S,K]
  float* dscore = nullptr;     // [K]
  float* dcover = nullptr;     // [K]       if `cover` is not null
  float* dh0 = nullptr;        // [R,H]
  float* dc0 = nullptr;        // [R,H]     LSTM
  float* df0 = nullptr;        // [R,F]
  float* dcovered0 = nullptr;  // [R,S]
};

// The weights, packed once for many calls of forward without training. Created by the kernels of one instruction set
// and usable only with them; the source weights may be freed. Several threads may call it at the same time.
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
  const Attentive packed_;  // only its numbers are used; the addresses may be invalid
};

}  // namespace recurra
