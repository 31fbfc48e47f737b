// A recurrent layer with attention: rows are shared out over the threads, each takes all steps of its own.
#include "attentive.h"

#include <cmath>
#include <limits>

#include "attentive_cells.h"
#include "layout.h"

namespace recurra::RECURRA_ISA_NAMESPACE {
namespace {

RECURRA_INLINE float dot(const float* a, const float* b, long count) {
  Vector total{}, other{};
  long i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    total += load(a + i) * load(b + i);
    other += load(a + i + kLanes) * load(b + i + kLanes);
  }
  for (; i < count; i += kLanes) total += load_first(a + i, count - i) * load_first(b + i, count - i);
  return sum(total + other);
}

RECURRA_INLINE void add_scaled(float* to, const float* from, float scale, long count) {
  for (long i = 0; i < count; i += kLanes) {
    store_first(to + i, load_first(to + i, count - i) + scale * load_first(from + i, count - i), count - i);
  }
}

RECURRA_INLINE void add(float* to, const float* from, long count) { add_scaled(to, from, 1.0f, count); }

void clear(float* to, long floats) {
  if (to) std::memset(to, 0, static_cast<std::size_t>(floats) * sizeof(float));
}

// Panels whose columns are the rows of a matrix [blocks*rows, depth], each block padded to vectors.
Panels pack_transposed(Workspace& workspace, const float* matrix, long blocks, long rows, long depth) {
  const long each = vectors_for(rows), vectors = blocks * each;
  float* data = workspace.take(Panels::floats(depth, vectors));
  for (long block = 0; block < blocks; ++block) {
    for (long v = 0; v < each; ++v) {
      const PanelPlace place = place_in_panels(data, depth, vectors, block * each + v);
      pack_rows_as_vector(place.first, place.stride, matrix + (block * rows + v * kLanes) * depth, depth, rows - v * kLanes, depth);
    }
  }
  return Panels{data, depth, vectors};
}

// Panels of a matrix [depth, columns] as it lies.
Panels pack_as_it_lies(Workspace& workspace, const float* matrix, long depth, long columns) {
  const long vectors = vectors_for(columns);
  const Cut cut(vectors, kPanelVectors);
  float* data = workspace.take(Panels::floats(depth, vectors));
  for (long k = 0; k < depth; ++k) pack_row_of_panels(data, depth, cut, k, matrix + k * columns, columns, 0, cut.parts);
  return Panels{data, depth, vectors};
}

// Of each block of a vector the padding is zero; null is all zeros.
const float* pad_blocks(Workspace& workspace, const float* from, long blocks, long rows) {
  const long padded = round_up(rows, kLanes);
  float* to = workspace.take(blocks * padded);
  for (long block = 0; block < blocks; ++block) pad_bias(to + block * padded, from ? from + block * rows : nullptr, rows, padded);
  return to;
}

// What forward reads of the weights.
struct ForwardWeights {
  ForwardWeights(const Attentive& call, long gates, Workspace& workspace)
      : feed(pack_transposed(workspace, call.weight_f, gates, call.H, call.F)),
        hidden(pack_transposed(workspace, call.weight_h, gates, call.H, call.H)),
        combine(pack_transposed(workspace, call.combine, 1, call.F, call.H + call.V)),
        hidden_bias(pad_blocks(workspace, call.bias_h, gates, call.H)),
        combine_bias(pad_blocks(workspace, call.combine_bias, 1, call.F)) {
    if (!call.additive) return;
    query = pack_transposed(workspace, call.query, 1, call.K, call.H);
    score = pad_blocks(workspace, call.score, 1, call.K);
    if (call.cover) cover = pad_blocks(workspace, call.cover, 1, call.K);
  }
  Panels feed, hidden, combine, query;
  const float* hidden_bias;
  const float* combine_bias;
  const float* score = nullptr;
  const float* cover = nullptr;
};

// Memory row b of a call.
struct MemoryRow {
  MemoryRow(const Attentive& call, long b)
      : values(call.values + b * call.S * call.V), keys(call.keys + b * call.S * call.K), length(call.lengths[b]) {}
  const float* values;
  const float* keys;
  const long length;
};

int team_of(const Attentive& call, int times) {
  const double work = 8.0 * times * static_cast<double>(call.R) * static_cast<double>(call.T) * static_cast<double>(call.H) *
                      static_cast<double>(call.H + call.F);
  const long worth = static_cast<long>(work / (RECURRA_WORTH_A_THREAD));
  return static_cast<int>(std::max(1L, std::min({static_cast<long>(call.threads), static_cast<long>(call.B), worth})));
}

// A pass over all rows of a call, whole rows of the memory a thread.
template <class Pass>
void run_pass(Pass& pass, int threads) {
  run_team(threads, [](void* self, const Team& team) { static_cast<Pass*>(self)->work(team); }, &pass);
}

template <class Cell>
class AttentiveForward {
 public:
  AttentiveForward(const Attentive& call, const ForwardWeights& weights, Workspace& workspace)
      : call_(call), weights_(weights), threads_(team_of(call, 1)), Hp_(round_up(call.H, kLanes)), share_(call.R / call.B) {
    most_ = (call.B / threads_ + 1) * share_;
    own_floats_ = round_up(most_ * (2 * Cell::kGates * Hp_ + call.K + 2 * call.H) + call.S, 16);
    own_ = workspace.take(threads_ * own_floats_);
  }

  void run() { run_pass(*this, threads_); }

  void work(const Team& team) {
    const Range memories = part_of(call_.B, team.rank, team.size);
    // A smaller team than was asked for: rows in parts that fit the room.
    for (long first = memories.first; first < memories.last;) {
      const long last = std::min(memories.last, first + most_ / share_);
      take_steps(first * share_, last * share_, own_ + team.rank * own_floats_);
      first = last;
    }
  }

 private:
  void take_steps(long first, long last, float* own) const {
    const long rows = last - first, H = call_.H, F = call_.F, HV = H + call_.V, S = call_.S, T = call_.T, GHp = Cell::kGates * Hp_;
    float* sums_f = own;
    float* sums_h = sums_f + rows * GHp;
    float* queries = sums_h + rows * GHp;
    float* cells = queries + rows * call_.K;  // two generations where nothing is saved
    std::memcpy(call_.covered + first * S, call_.covered0 + first * S, static_cast<std::size_t>(rows * S) * sizeof(float));
    for (long t = 0; t < T; ++t) {
      const float* f = t ? call_.f + (first * T + t - 1) * F : call_.f0 + first * F;
      const float* h = t ? call_.hc + (first * T + t - 1) * HV : call_.h0 + first * H;
      const long f_row = t ? T * F : F, h_row = t ? T * HV : H;
      multiply_into(f, f_row, rows, weights_.feed, nullptr, sums_f, GHp, GHp);
      multiply_into(h, h_row, rows, weights_.hidden, weights_.hidden_bias, sums_h, GHp, GHp);
      float* hc = call_.hc + (first * T + t) * HV;
      for (long r = 0; r < rows; ++r) {
        const long at = (first + r) * T + t;
        StepIn in{call_.gx + at * Cell::kGates * H, sums_f + r * GHp, sums_h + r * GHp, h + r * h_row, nullptr};
        StepOut out{hc + r * T * HV, nullptr, call_.training ? call_.gates + at * Cell::kSaved * H : nullptr};
        if (Cell::kHasCell) {
          float* room = cells + r * 2 * H;
          in.c = t ? room + (t - 1) % 2 * H : call_.c0 + (first + r) * H;
          out.c = t + 1 == T ? call_.cT + (first + r) * H : room + t % 2 * H;
        }
        Cell::forward(in, out, H, Hp_);
      }
      if (call_.additive) multiply_into(hc, T * HV, rows, weights_.query, nullptr, queries, call_.K, call_.K);
      for (long r = 0; r < rows; ++r) attend(first + r, t, hc + r * T * HV, queries + r * call_.K);
      float* fed = call_.f + (first * T + t) * F;
      multiply_into(hc, T * HV, rows, weights_.combine, weights_.combine_bias, fed, T * F, F);
      for (long r = 0; r < rows; ++r) {
        float* row = fed + r * T * F;
        for (long u = 0; u < F; u += kLanes) store_first(row + u, tanh(load_first(row + u, F - u)), F - u);
      }
    }
  }

  // The weights and the context of a row, whose state lies at hc, the context's place behind it.
  void attend(long row, long t, float* hc, const float* query) const {
    const MemoryRow memory(call_, row / share_);
    const long S = call_.S, K = call_.K, length = memory.length;
    float* weights = call_.weights + (row * call_.T + t) * S;
    float* covered = call_.covered + row * S;
    float largest = -std::numeric_limits<float>::infinity();
    for (long s = 0; s < length; ++s) {
      weights[s] = call_.additive ? additive_score(query, memory.keys + s * K, covered[s]) : dot(hc, memory.keys + s * K, K);
      largest = std::max(largest, weights[s]);
    }
    float total = 0.0f;
    for (long s = 0; s < length; s += kLanes) {
      const Vector value = exp(load_first(weights + s, length - s) - largest);
      store_first(weights + s, value, length - s);
    }
    for (long s = 0; s < length; ++s) total += weights[s];
    float* context = hc + call_.H;
    clear(context, call_.V);
    const float scale = length > 0 ? 1.0f / total : 0.0f;
    for (long s = 0; s < length; ++s) {
      weights[s] *= scale;
      covered[s] += weights[s];
      add_scaled(context, memory.values + s * call_.V, weights[s], call_.V);
    }
    for (long s = length; s < S; ++s) weights[s] = 0.0f;
  }

  RECURRA_INLINE float additive_score(const float* query, const float* key, float covered) const {
    Vector total{};
    for (long j = 0; j < call_.K; j += kLanes) {
      const long left = call_.K - j;
      Vector inside = load_first(query + j, left) + load_first(key + j, left);
      if (weights_.cover) inside += covered * load(weights_.cover + j);
      total += tanh(inside) * load(weights_.score + j);
    }
    return sum(total);
  }

  const Attentive& call_;
  const ForwardWeights& weights_;
  const int threads_;
  const long Hp_, share_;
  long most_, own_floats_;
  float* own_;
};

template <class Cell>
class AttentiveBackward {
 public:
  explicit AttentiveBackward(const Attentive& call)
      : call_(call),
        threads_(team_of(call, 2)),
        share_(call.R / call.B),
        feed_(pack_as_it_lies(workspace_, call.weight_f, Cell::kGates * call.H, call.F)),
        hidden_(pack_as_it_lies(workspace_, call.weight_h, Cell::kGates * call.H, call.H)),
        combine_(pack_as_it_lies(workspace_, call.combine, call.F, call.H + call.V)) {
    if (call.additive) {
      query_ = pack_as_it_lies(workspace_, call.query, call.K, call.H);
      query_again_ = pack_transposed(workspace_, call.query, 1, call.K, call.H);
      score_ = pad_blocks(workspace_, call.score, 1, call.K);
      if (call.cover) cover_ = pad_blocks(workspace_, call.cover, 1, call.K);
    }
    Kp_ = round_up(call.K, kLanes);
    most_ = (call.B / threads_ + 1) * share_;
    own_floats_ = round_up(most_ * (5 * call.H + call.F + 2 * call.S + call.K) + call.S + 2 * Kp_, 16);
    own_ = workspace_.take(threads_ * own_floats_);
    sums_ = workspace_.take_zeros(threads_ * 2 * Kp_);
  }

  void run() { run_pass(*this, threads_); }

  void work(const Team& team) {
    const Range memories = part_of(call_.B, team.rank, team.size);
    if (call_.additive) clear(call_.dkeys + memories.first * call_.S * call_.K, memories.count() * call_.S * call_.K);
    for (long first = memories.first; first < memories.last;) {
      const long last = std::min(memories.last, first + most_ / share_);
      take_steps_back(first * share_, last * share_, own_ + team.rank * own_floats_, sums_ + team.rank * 2 * Kp_);
      first = last;
    }
    if (!call_.additive) return;
    team.barrier();
    if (team.rank == 0) add_up_sums(team.size);
  }

 private:
  void add_up_sums(int threads) const {
    for (int which = 0; which < 2; ++which) {
      float* to = which ? call_.dcover : call_.dscore;
      if (!to) continue;
      clear(to, call_.K);
      for (int rank = 0; rank < threads; ++rank) add(to, sums_ + rank * 2 * Kp_ + which * Kp_, call_.K);
    }
  }

  static void begin(float* to, const float* from, long floats) {
    if (!from) return clear(to, floats);
    std::memcpy(to, from, static_cast<std::size_t>(floats) * sizeof(float));
  }

  void take_steps_back(long first, long last, float* own, float* sums) const {
    const long rows = last - first, H = call_.H, F = call_.F, HV = H + call_.V, S = call_.S, T = call_.T, GH = Cell::kGates * H;
    float* dh = own;                  // [rows,H] of h_t, all that reaches it
    float* carried = dh + rows * H;   // [rows,H] of h_t, from the step after
    float* product = carried + rows * H;
    float* direct = product + rows * H;
    float* dc = direct + rows * H;
    float* dfeed = dc + rows * H;     // [rows,F]
    float* dcovered = dfeed + rows * F;
    float* covered = dcovered + rows * S;
    float* queries = covered + rows * S;
    float* scratch = queries + rows * call_.K;
    begin(carried, call_.dhT ? call_.dhT + first * H : nullptr, rows * H);
    begin(dc, call_.dcT ? call_.dcT + first * H : nullptr, rows * H);
    begin(dfeed, call_.dfT ? call_.dfT + first * F : nullptr, rows * F);
    begin(dcovered, call_.dcovered ? call_.dcovered + first * S : nullptr, rows * S);
    begin(covered, call_.covered + first * S, rows * S);
    for (long t = T - 1; t >= 0; --t) {
      for (long r = 0; r < rows; ++r) {
        const long at = ((first + r) * T + t) * F;
        for (long u = 0; u < F; u += kLanes) {
          const Vector f = load_first(call_.f + at + u, F - u);
          Vector d = load_first(dfeed + r * F + u, F - u);
          if (call_.df) d += load_first(call_.df + at + u, F - u);
          store_first(call_.dz + at + u, d * (1.0f - f * f), F - u);
        }
      }
      float* dhc = call_.dhc + (first * T + t) * HV;
      multiply_into(call_.dz + (first * T + t) * F, T * F, rows, combine_, nullptr, dhc, T * HV, HV);
      if (call_.additive) {
        multiply_into(call_.hc + (first * T + t) * HV, T * HV, rows, query_again_, nullptr, queries, call_.K, call_.K);
      }
      for (long r = 0; r < rows; ++r) {
        float* all = dh + r * H;
        std::memcpy(all, dhc + r * T * HV, static_cast<std::size_t>(H) * sizeof(float));
        add(all, carried + r * H, H);
        attend_back(first + r, t, dhc + r * T * HV + H, all, dcovered + r * S, covered + r * S, queries + r * call_.K, scratch, sums);
      }
      if (call_.additive) {
        multiply_into(call_.dq + (first * T + t) * call_.K, T * call_.K, rows, query_, nullptr, product, H, H);
        add(dh, product, rows * H);
      }
      for (long r = 0; r < rows; ++r) {
        const long at = (first + r) * T + t;
        const float* gates = call_.gates + at * Cell::kSaved * H;
        StepBack step{gates, call_.hc + at * HV, t ? call_.hc + (at - 1) * HV : call_.h0 + (first + r) * H, nullptr,
                      dh + r * H, dc + r * H, call_.da + at * GH, Cell::kTwoGradients ? call_.da_h + at * GH : nullptr,
                      direct + r * H};
        if (Cell::kHasCell) step.c_before = t ? gates - H : call_.c0 + (first + r) * H;
        Cell::backward(step, H);
      }
      const float* da = call_.da + (first * T + t) * GH;
      const float* da_h = Cell::kTwoGradients ? call_.da_h + (first * T + t) * GH : da;
      multiply_into(da, T * GH, rows, feed_, nullptr, dfeed, F, F);
      multiply_into(da_h, T * GH, rows, hidden_, nullptr, carried, H, H);
      add(carried, direct, rows * H);
    }
    begin(call_.dh0 + first * H, carried, rows * H);
    if (Cell::kHasCell) begin(call_.dc0 + first * H, dc, rows * H);
    begin(call_.df0 + first * F, dfeed, rows * F);
    begin(call_.dcovered0 + first * S, dcovered, rows * S);
  }

  // Gradients of the scores and of the state by way of them. `covered` comes with what was attended to after the step,
  // and is left with what was before it.
  void attend_back(long row, long t, const float* dcontext, float* dh, float* dcovered, float* covered,
                   const float* query, float* dw, float* sums) const {
    const MemoryRow memory(call_, row / share_);
    const long S = call_.S, K = call_.K, length = memory.length, at = row * call_.T + t;
    const float* weights = call_.weights + at * S;
    float* ds = call_.ds + at * S;
    float mean = 0.0f;
    for (long s = 0; s < length; ++s) {
      dw[s] = dot(dcontext, memory.values + s * call_.V, call_.V) + dcovered[s];
      if (call_.dweights) dw[s] += call_.dweights[at * S + s];
      mean += weights[s] * dw[s];
      covered[s] -= weights[s];
    }
    for (long s = 0; s < S; ++s) ds[s] = s < length ? weights[s] * (dw[s] - mean) : 0.0f;
    if (!call_.additive) {
      for (long s = 0; s < length; ++s) add_scaled(dh, memory.keys + s * K, ds[s], K);
      return;
    }
    float* dscore = dw + S;  // of this row and step
    float* dcover = dscore + Kp_;
    float* dq = call_.dq + at * K;
    float* dkeys = call_.dkeys + row / share_ * S * K;
    clear(dq, K);
    clear(dscore, 2 * Kp_);
    for (long s = 0; s < length; ++s) {
      const float* key = memory.keys + s * K;
      Vector of_covered{};
      for (long j = 0; j < K; j += kLanes) {
        const long left = K - j;
        Vector inside = load_first(query + j, left) + load_first(key + j, left);
        if (cover_) inside += covered[s] * load(cover_ + j);
        const Vector e = tanh(inside), d = ds[s] * load(score_ + j) * (1.0f - e * e);
        store(dscore + j, load(dscore + j) + ds[s] * e);
        store_first(dq + j, load_first(dq + j, left) + d, left);
        float* dkey = dkeys + s * K + j;
        store_first(dkey, load_first(dkey, left) + d, left);
        if (!cover_) continue;
        store(dcover + j, load(dcover + j) + covered[s] * d);
        of_covered += d * load(cover_ + j);
      }
      dcovered[s] += sum(of_covered);
    }
    add(sums, dscore, 2 * Kp_);
  }

  Workspace workspace_;
  const Attentive& call_;
  const int threads_;
  const long share_;
  const Panels feed_, hidden_, combine_;
  Panels query_, query_again_;
  const float* score_ = nullptr;
  const float* cover_ = nullptr;
  long Kp_, most_, own_floats_;
  float* own_;
  float* sums_;
};

template <class Cell>
struct AttentiveCell {
  static void forward(const Attentive& call) {
    Workspace workspace;
    const ForwardWeights weights(call, Cell::kGates, workspace);
    AttentiveForward<Cell>(call, weights, workspace).run();
  }
  static void backward(const Attentive& call) { AttentiveBackward<Cell>(call).run(); }
  class Packed final : public PackedAttentive {
   public:
    explicit Packed(const Attentive& call) : PackedAttentive(call), weights_(call, Cell::kGates, workspace_) {}
    void forward(const Attentive& call) const override {
      Workspace workspace;
      AttentiveForward<Cell>(call, weights_, workspace).run();
    }

   private:
    Workspace workspace_{true};
    const ForwardWeights weights_;
  };
};

template <class Then>
auto with_cell(const Attentive& call, Then&& then) {
  switch (call.cell) {
    case CellKind::kLstm: return then(AttentiveCell<AttentiveLstm>());
    case CellKind::kRnn: return then(AttentiveCell<AttentiveRnn>());
    default: return then(AttentiveCell<AttentiveGru>());
  }
}

}  // namespace

void attentive_forward(const Attentive& call) {
  with_cell(call, [&](auto cell) { decltype(cell)::forward(call); });
}
void attentive_backward(const Attentive& call) {
  with_cell(call, [&](auto cell) { decltype(cell)::backward(call); });
}
PackedAttentive* attentive_pack(const Attentive& call) {
  return with_cell(call, [&](auto cell) -> PackedAttentive* { return new typename decltype(cell)::Packed(call); });
}

}  // namespace recurra::RECURRA_ISA_NAMESPACE
