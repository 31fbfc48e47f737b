// A call of a recurrence: one direction of one layer over all its steps.
//
// Axes: T steps, B rows of the batch, N all rows of all steps, I input, H hidden, P width of the hidden
// state (H, or that of a projection). Float32, row-major, the rightmost index varies fastest; arrays do not
// overlap. The rows are stored step by step. With `batch_sizes` step t has only the first batch_sizes[t]
// rows of the batch (rows sorted by length, the longest first), so that N = Σ batch_sizes; without it
// N = T·B.
//
// The functions that take it throw nothing except std::bad_alloc, and do not change global state: calls with
// different outputs may run at the same time on several threads.
#pragma once

#include <cstdint>

namespace recurra {

enum class CellKind : int { kRnn = 0, kGruAfter = 1, kGruBefore = 2, kGruNone = 3, kLstm = 4 };
enum class Activation : int { kIdentity = 0, kTanh = 1, kRelu = 2, kLeakyRelu = 3, kSigmoid = 4, kHardtanh = 5, kSoftmax = 6 };
enum class Peepholes : int { kNone = 0, kCurrent = 1, kPrevious = 2 };  // read by the output gate: none, c', c

struct Recurrence {
  CellKind cell = CellKind::kRnn;
  Activation activation = Activation::kTanh;          // g of the RNN
  Activation output_activation = Activation::kTanh;   // of c' in the LSTM (tanh, identity); of the projection in the RNN
  Peepholes peepholes = Peepholes::kNone;
  bool coupled_gates = false;   // LSTM: i = 1 - f; weights have no block for i
  bool relevance_gate = false;  // LSTM: a gate on h inside the candidate; its block comes last
  bool layer_norm = false;      // LN(W x)*gain and LN(U h)*gain for the products; in the LSTM also for c' in h'
  bool reverse = false;         // from a row's last step to its first
  bool training = false;        // `saved` is filled for backward
  int threads = 1;              // maximum number of threads

  std::int64_t T = 0, B = 0, N = 0, I = 0, H = 0, P = 0;
  const std::int64_t* batch_sizes = nullptr;  // [T] descending, or null

  // Row blocks of H rows in the gate order of the cell's equation (recurra/cells); null where absent.
  const float* x = nullptr;           // [N,I]
  const float* h0 = nullptr;          // [B,P]
  const float* c0 = nullptr;          // [B,H]      LSTM
  const float* weight_ih = nullptr;   // [G*H,I]
  const float* weight_hh = nullptr;   // [G*H,P]
  const float* bias_ih = nullptr;     // [G*H]      may be null
  const float* bias_hh = nullptr;     // [G*H]      may be null
  const float* projection = nullptr;  // [P,H]      null for none
  const float* projection_bias = nullptr;  // [P]   may be null
  const float* peephole = nullptr;    // [3*H] i, f, o; coupled [2*H] f, o
  const float* gain_ih = nullptr;     // [G*H]      with layer_norm only
  const float* gain_hh = nullptr;     // [G*H]
  const float* gain_cell = nullptr;   // [H]        LSTM
  const float* shift_cell = nullptr;  // [H]
  const float* keep_hidden = nullptr;  // [N,P]     zoneout: the fraction of the old state that is kept
  const float* keep_cell = nullptr;    // [N,H]

  // Forward writes these.
  float* y = nullptr;        // [N,P] the hidden state after each step; backward reads it
  float* hT = nullptr;       // [B,P] the last hidden state of each row; may be null
  float* cT = nullptr;       // [B,H]
  float* c_steps = nullptr;  // [N,H] the cell state after each step; may be null
  float* saved = nullptr;    // [N, saved_floats_a_row] gates, if `training`; backward reads it

  // Backward reads these; null means zero.
  const float* dy = nullptr;        // [N,P]
  const float* dhT = nullptr;       // [B,P]
  const float* dcT = nullptr;       // [B,H]
  const float* dc_steps = nullptr;  // [N,H]

  // Backward writes these; null if not wanted.
  float* dx = nullptr;
  float* dh0 = nullptr;
  float* dc0 = nullptr;
  float* dweight_ih = nullptr;
  float* dweight_hh = nullptr;
  float* dbias_ih = nullptr;
  float* dbias_hh = nullptr;
  float* dprojection = nullptr;
  float* dprojection_bias = nullptr;
  float* dpeephole = nullptr;
  float* dgain_ih = nullptr;
  float* dgain_hh = nullptr;
  float* dgain_cell = nullptr;
  float* dshift_cell = nullptr;
};

}  // namespace recurra
