#include "reference.h"

#include <algorithm>

#include "tape.h"

namespace recurra::tests {
namespace {

using Id = Tape::Id;
using Ids = std::vector<Id>;

constexpr double kNever = std::numeric_limits<double>::infinity();

class Network {
 public:
  explicit Network(const Recurrence& call) : call_(call) {
    const long G = blocks_of(call);
    x_ = numbers(call.x, call.N * call.I);
    h0_ = numbers(call.h0, call.B * call.P);
    c0_ = numbers(call.c0, call.B * call.H);
    weight_ih_ = numbers(call.weight_ih, G * call.H * call.I);
    weight_hh_ = numbers(call.weight_hh, G * call.H * call.P);
    bias_ih_ = numbers(call.bias_ih, G * call.H);
    bias_hh_ = numbers(call.bias_hh, G * call.H);
    projection_ = numbers(call.projection, call.P * call.H);
    projection_bias_ = numbers(call.projection_bias, call.P);
    peephole_ = numbers(call.peephole, peephole_blocks_of(call) * call.H);
    gain_ih_ = numbers(call.gain_ih, G * call.H);
    gain_hh_ = numbers(call.gain_hh, G * call.H);
    gain_cell_ = numbers(call.gain_cell, call.H);
    shift_cell_ = numbers(call.shift_cell, call.H);
  }

  Reference run() {
    y_.resize(static_cast<std::size_t>(call_.N));
    c_.resize(static_cast<std::size_t>(call_.N));
    hT_.resize(static_cast<std::size_t>(call_.B));
    cT_.resize(static_cast<std::size_t>(call_.B));
    for (long b = 0; b < call_.B; ++b) run_row(b);
    seed(y_, call_.dy);
    seed(hT_, call_.dhT);
    if (call_.cell == CellKind::kLstm) {
      seed(cT_, call_.dcT);
      seed(c_, call_.dc_steps);
    }
    Reference found;
    found.y = values(y_);
    found.hT = values(hT_);
    found.cT = values(cT_);
    found.c_steps = values(c_);
    tape_.go_back();
    found.dx = gradients(x_);
    found.dh0 = gradients(h0_);
    found.dc0 = gradients(c0_);
    found.dweight_ih = gradients(weight_ih_);
    found.dweight_hh = gradients(weight_hh_);
    found.dbias_ih = gradients(bias_ih_);
    found.dbias_hh = gradients(bias_hh_);
    found.dprojection = gradients(projection_);
    found.dprojection_bias = gradients(projection_bias_);
    found.dpeephole = gradients(peephole_);
    found.dgain_ih = gradients(gain_ih_);
    found.dgain_hh = gradients(gain_hh_);
    found.dgain_cell = gradients(gain_cell_);
    found.dshift_cell = gradients(shift_cell_);
    found.closest_kink = tape_.closest_kink();
    return found;
  }

 private:
  struct Span {
    Id first = 0;
    long count = 0;
    bool present = false;
    Id operator[](long i) const { return first + static_cast<Id>(i); }
  };
  struct State {
    Ids h, c;
  };

  Span numbers(const float* from, long count) {
    Span span;
    if (!from) return span;
    span.present = true;
    span.count = count;
    for (long i = 0; i < count; ++i) {
      const Id id = tape_.number(static_cast<double>(from[i]));
      if (i == 0) span.first = id;
    }
    return span;
  }
  static Ids part(const Span& span, long first, long count) {
    Ids ids;
    for (long i = 0; i < count; ++i) ids.push_back(span[first + i]);
    return ids;
  }
  void seed(const std::vector<Ids>& ids, const float* gradient) {
    if (!gradient) return;
    for (const Ids& row : ids) {
      for (Id id : row) tape_.add_gradient(id, static_cast<double>(*gradient++));
    }
  }
  std::vector<double> values(const std::vector<Ids>& ids) const {
    std::vector<double> all;
    for (const Ids& row : ids) {
      for (Id id : row) all.push_back(tape_.value(id));
    }
    return all;
  }
  std::vector<double> gradients(const Span& span) const {
    std::vector<double> all;
    for (long i = 0; i < span.count; ++i) all.push_back(tape_.gradient(span[i]));
    return all;
  }

  void run_row(long b) {
    State state{part(h0_, b * call_.P, call_.P), c0_.present ? part(c0_, b * call_.H, call_.H) : Ids{}};
    for (long s = 0; s < call_.T; ++s) {
      const long t = call_.reverse ? call_.T - 1 - s : s;
      if (call_.batch_sizes && b >= call_.batch_sizes[t]) continue;
      long n = t * call_.B + b;
      if (call_.batch_sizes) {
        n = b;
        for (long earlier = 0; earlier < t; ++earlier) n += call_.batch_sizes[earlier];
      }
      State next = step(part(x_, n * call_.I, call_.I), state);
      if (call_.keep_hidden) keep(next.h, state.h, call_.keep_hidden + n * call_.P);
      if (call_.keep_cell) keep(next.c, state.c, call_.keep_cell + n * call_.H);
      state = next;
      y_[static_cast<std::size_t>(n)] = state.h;
      c_[static_cast<std::size_t>(n)] = state.c;
    }
    hT_[static_cast<std::size_t>(b)] = state.h;
    cT_[static_cast<std::size_t>(b)] = state.c;
  }

  // m·old + (1 - m)·new
  void keep(Ids& now, const Ids& before, const float* share) {
    for (std::size_t u = 0; u < now.size(); ++u) {
      const Id m = tape_.number(static_cast<double>(share[u]));
      const Id rest = tape_.number(1.0 - static_cast<double>(share[u]));
      now[u] = tape_.sum(tape_.times(m, before[u]), tape_.times(rest, now[u]));
    }
  }

  // (v - mean)/√(variance + 1e-5)*gain
  Ids normalised(const Ids& v, const Ids& gain) {
    const Id count = tape_.number(static_cast<double>(v.size()));
    auto mean_of = [&](const Ids& all) {
      Id total = all[0];
      for (std::size_t k = 1; k < all.size(); ++k) total = tape_.sum(total, all[k]);
      return tape_.ratio(total, count);
    };
    const Id mean = mean_of(v);
    Ids off, squares;
    for (Id each : v) {
      off.push_back(tape_.difference(each, mean));
      squares.push_back(tape_.times(off.back(), off.back()));
    }
    const Id scale = tape_.inverse_root(tape_.sum(mean_of(squares), tape_.number(static_cast<double>(1e-5f))));
    for (std::size_t k = 0; k < off.size(); ++k) off[k] = tape_.times(tape_.times(off[k], scale), gain[k]);
    return off;
  }
  // W v + b for row blocks of W; with layer_norm LN(W v)*gain + b, over these blocks together. One Ids a block.
  std::vector<Ids> product(const Span& weight, const Ids& v, const Span& bias, const Span& gain, const std::vector<long>& blocks) {
    const long H = call_.H, width = static_cast<long>(v.size());
    Ids all, gains;
    for (long block : blocks) {
      for (long row = block * H; row < (block + 1) * H; ++row) {
        all.push_back(tape_.dot(weight[row * width], v));
        if (gain.present) gains.push_back(gain[row]);
      }
    }
    if (gain.present) all = normalised(all, gains);
    std::vector<Ids> parts;
    for (std::size_t at = 0; at < blocks.size(); ++at) {
      parts.emplace_back();
      for (long u = 0; u < H; ++u) {
        const Id sum = all[at * static_cast<std::size_t>(H) + static_cast<std::size_t>(u)];
        parts.back().push_back(bias.present ? tape_.sum(sum, bias[blocks[at] * H + u]) : sum);
      }
    }
    return parts;
  }
  std::vector<Ids> from_x(const Ids& x) {
    std::vector<long> blocks;
    for (long block = 0; block < blocks_of(call_); ++block) blocks.push_back(block);
    return product(weight_ih_, x, bias_ih_, gain_ih_, blocks);
  }
  std::vector<Ids> from_h(const Ids& h, const std::vector<long>& blocks) { return product(weight_hh_, h, bias_hh_, gain_hh_, blocks); }
  Ids sigmoid_of_sums(const Ids& a, const Ids& b) {
    Ids out;
    for (std::size_t u = 0; u < a.size(); ++u) out.push_back(tape_.sigmoid(tape_.sum(a[u], b[u])));
    return out;
  }
  Ids times(const Ids& a, const Ids& b) {
    Ids out;
    for (std::size_t u = 0; u < a.size(); ++u) out.push_back(tape_.times(a[u], b[u]));
    return out;
  }

  Id activated(Activation g, Id a) {
    switch (g) {
      case Activation::kTanh: return tape_.tanh(a);
      case Activation::kSigmoid: return tape_.sigmoid(a);
      case Activation::kRelu: return tape_.bent(a, 0.0, 0.0, kNever, 1.0);
      case Activation::kLeakyRelu: return tape_.bent(a, 0.0, 0.01, kNever, 1.0);
      case Activation::kHardtanh: return tape_.bent(a, -1.0, 0.0, 1.0, 0.0);
      default: return a;
    }
  }
  void soften(Ids& outputs) {
    Id total = -1;
    for (Id& each : outputs) {
      each = tape_.exp(each);
      total = total < 0 ? each : tape_.sum(total, each);
    }
    for (Id& each : outputs) each = tape_.ratio(each, total);
  }
  Ids projected(const Ids& h) {
    Ids outputs;
    for (long p = 0; p < call_.P; ++p) {
      const Id sum = tape_.dot(projection_[p * call_.H], h);
      outputs.push_back(projection_bias_.present ? tape_.sum(sum, projection_bias_[p]) : sum);
    }
    return outputs;
  }

  State step(const Ids& x, const State& state) {
    switch (call_.cell) {
      case CellKind::kRnn: return {rnn(x, state.h), {}};
      case CellKind::kLstm: return lstm(x, state);
      default: return {gru(x, state.h), {}};
    }
  }

  // h' = g(W x + b + U h); with a projection y' = g2(V h' + b)
  Ids rnn(const Ids& x, const Ids& h) {
    const Ids of_x = from_x(x)[0], of_h = from_h(h, {0})[0];
    Ids next;
    for (std::size_t u = 0; u < of_x.size(); ++u) next.push_back(activated(call_.activation, tape_.sum(of_x[u], of_h[u])));
    if (!call_.projection) return next;
    next = projected(next);
    if (call_.output_activation == Activation::kSoftmax) {
      soften(next);
    } else {
      for (Id& each : next) each = activated(call_.output_activation, each);
    }
    return next;
  }

  // r, z, n; without a reset gate z, n
  Ids gru(const Ids& x, const Ids& h) {
    std::vector<Ids> of_x = from_x(x), of_h;
    if (call_.cell == CellKind::kGruNone) {
      of_h = from_h(h, {0, 1});
    } else if (call_.cell == CellKind::kGruAfter) {
      of_h = from_h(h, {0, 1, 2});
      of_h[2] = times(sigmoid_of_sums(of_x[0], of_h[0]), of_h[2]);
    } else {
      of_h = from_h(h, {0, 1});
      of_h.push_back(from_h(times(sigmoid_of_sums(of_x[0], of_h[0]), h), {2})[0]);
    }
    const std::size_t at_n = of_x.size() - 1;
    const Ids z = sigmoid_of_sums(of_x[at_n - 1], of_h[at_n - 1]);
    const Id one = tape_.number(1.0);
    Ids next;
    for (std::size_t u = 0; u < h.size(); ++u) {
      const Id n = tape_.tanh(tape_.sum(of_x[at_n][u], of_h[at_n][u]));
      next.push_back(tape_.sum(tape_.times(tape_.difference(one, z[u]), n), tape_.times(z[u], h[u])));
    }
    return next;
  }

  // i, f, g, o; coupled f, g, o; the relevance gate's r comes last
  State lstm(const Ids& x, const State& state) {
    const std::size_t at_f = call_.coupled_gates ? 0 : 1, at_g = at_f + 1, at_o = at_f + 2;
    const bool peeps = call_.peepholes != Peepholes::kNone;
    const std::vector<Ids> of_x = from_x(x);
    std::vector<Ids> of_h;
    if (call_.relevance_gate) {
      of_h = from_h(state.h, {0, 1, 3, 4});
      const Ids relevant = times(sigmoid_of_sums(of_x[4], of_h[3]), state.h);
      of_h = {of_h[0], of_h[1], from_h(relevant, {2})[0], of_h[2]};
    } else {
      of_h = from_h(state.h, call_.coupled_gates ? std::vector<long>{0, 1, 2} : std::vector<long>{0, 1, 2, 3});
    }
    const Id one = tape_.number(1.0);
    State next;
    Ids o;
    for (std::size_t u = 0; u < state.c.size(); ++u) {
      const Id before = state.c[u];
      auto sum = [&](std::size_t gate) { return tape_.sum(of_x[gate][u], of_h[gate][u]); };
      auto with_peephole = [&](Id sum, std::size_t block, Id seen) {
        if (!peeps) return sum;
        return tape_.sum(sum, tape_.times(peephole_[static_cast<long>(block) * call_.H + static_cast<long>(u)], seen));
      };
      const Id f = tape_.sigmoid(with_peephole(sum(at_f), at_f, before));
      const Id i = call_.coupled_gates ? tape_.difference(one, f) : tape_.sigmoid(with_peephole(sum(0), 0, before));
      const Id c = tape_.sum(tape_.times(f, before), tape_.times(i, tape_.tanh(sum(at_g))));
      next.c.push_back(c);
      o.push_back(tape_.sigmoid(with_peephole(sum(at_o), at_f + 1, call_.peepholes == Peepholes::kCurrent ? c : before)));
    }
    Ids shown = next.c;
    if (call_.layer_norm) {
      shown = normalised(shown, part(gain_cell_, 0, call_.H));
      for (std::size_t u = 0; u < shown.size(); ++u) shown[u] = tape_.sum(shown[u], shift_cell_[static_cast<long>(u)]);
    }
    for (std::size_t u = 0; u < shown.size(); ++u) {
      next.h.push_back(tape_.times(o[u], call_.output_activation == Activation::kTanh ? tape_.tanh(shown[u]) : shown[u]));
    }
    if (call_.projection) next.h = projected(next.h);
    return next;
  }

  const Recurrence& call_;
  Tape tape_;
  Span x_, h0_, c0_, weight_ih_, weight_hh_, bias_ih_, bias_hh_, projection_, projection_bias_, peephole_;
  Span gain_ih_, gain_hh_, gain_cell_, shift_cell_;
  std::vector<Ids> y_, c_, hT_, cT_;
};

}  // namespace

long blocks_of(const Recurrence& call) {
  switch (call.cell) {
    case CellKind::kRnn: return 1;
    case CellKind::kGruNone: return 2;
    case CellKind::kLstm: return 4 - (call.coupled_gates ? 1 : 0) + (call.relevance_gate ? 1 : 0);
    default: return 3;
  }
}

long peephole_blocks_of(const Recurrence& call) {
  if (call.peepholes == Peepholes::kNone) return 0;
  return call.coupled_gates ? 2 : 3;
}

Reference reference_of(const Recurrence& call) { return Network(call).run(); }

}  // namespace recurra::tests
