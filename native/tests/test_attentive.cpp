// A layer with attention against a tape in double precision.
#include "../dispatch.h"
#include "arrays.h"
#include "suites.h"
#include "tape.h"

namespace recurra::tests {
namespace {

constexpr double kAllowed = 2e-5;
using Ids = std::vector<Tape::Id>;

struct Sizes {
  CellKind cell = CellKind::kGruAfter;
  bool additive = false, coverage = false;
  long B = 1, share = 1, T = 1, S = 1, H = 1, F = 1, K = 1, V = 1;
  long gates() const { return cell == CellKind::kLstm ? 4 : (cell == CellKind::kRnn ? 1 : 3); }
  long saved() const { return cell == CellKind::kLstm ? 5 : (cell == CellKind::kRnn ? 0 : 4); }
  long rows() const { return B * share; }
};

// All that a call reads, by name, in heap blocks of their own.
struct Given {
  Sizes sizes;
  Attentive call;
  Floats weight_f, weight_h, bias_h, combine, combine_bias, query, score, cover;
  Floats gx, values, keys, h0, c0, f0, covered0;
  Floats df, dweights, dhT, dcT, dfT, dcovered;
  std::unique_ptr<std::int64_t[]> lengths;
};

Given drawn(const Sizes& sizes, Random& random) {
  Given given;
  given.sizes = sizes;
  const long R = sizes.rows(), T = sizes.T, S = sizes.S, H = sizes.H, F = sizes.F, K = sizes.K, V = sizes.V, GH = sizes.gates() * H;
  const long shift = random.below(4);
  auto floats = [&](long count, double scale) { return Floats::random(random, count, -scale, scale, shift); };
  Attentive& call = given.call;
  call.cell = sizes.cell;
  call.additive = sizes.additive;
  call.R = R, call.B = sizes.B, call.T = T, call.S = S, call.H = H, call.F = F, call.K = K, call.V = V;
  given.lengths.reset(new std::int64_t[static_cast<std::size_t>(sizes.B)]);
  for (long b = 0; b < sizes.B; ++b) given.lengths[static_cast<std::size_t>(b)] = b == 0 ? S : random.below(S + 1);
  call.lengths = given.lengths.get();
  call.weight_f = (given.weight_f = floats(GH * F, 0.6)).data();
  call.weight_h = (given.weight_h = floats(GH * H, 0.6)).data();
  if (!random.once_in(4)) call.bias_h = (given.bias_h = floats(GH, 0.5)).data();
  call.combine = (given.combine = floats(F * (H + V), 0.6)).data();
  call.combine_bias = (given.combine_bias = floats(F, 0.5)).data();
  if (sizes.additive) {
    call.query = (given.query = floats(K * H, 0.7)).data();
    call.score = (given.score = floats(K, 0.9)).data();
    if (sizes.coverage) call.cover = (given.cover = floats(K, 0.9)).data();
  }
  call.gx = (given.gx = floats(R * T * GH, 1.0)).data();
  call.values = (given.values = floats(sizes.B * S * V, 1.0)).data();
  call.keys = (given.keys = floats(sizes.B * S * K, 1.0)).data();
  call.h0 = (given.h0 = floats(R * H, 1.0)).data();
  if (sizes.cell == CellKind::kLstm) call.c0 = (given.c0 = floats(R * H, 1.0)).data();
  call.f0 = (given.f0 = floats(R * F, 1.0)).data();
  call.covered0 = (given.covered0 = floats(R * S, 1.0)).data();
  auto arriving = [&](Floats& to, long count) { return random.once_in(3) ? nullptr : (to = floats(count, 1.0)).data(); };
  call.df = arriving(given.df, R * T * F);
  call.dweights = arriving(given.dweights, R * T * S);
  call.dhT = arriving(given.dhT, R * H);
  call.dcT = sizes.cell == CellKind::kLstm ? arriving(given.dcT, R * H) : nullptr;
  call.dfT = arriving(given.dfT, R * F);
  call.dcovered = arriving(given.dcovered, R * S);
  return given;
}

// What a call writes, filled with NaN.
struct Outputs {
  Floats hc, f, weights, covered, cT, gates;
  Floats dz, dhc, ds, da, da_h, dq, dkeys, dscore, dcover, dh0, dc0, df0, dcovered0;
  Outputs(const Sizes& s, Attentive& call, bool training) {
    const long R = s.rows(), GH = s.gates() * s.H;
    const bool is_lstm = s.cell == CellKind::kLstm;
    call.training = training;
    call.hc = (hc = Floats(R * s.T * (s.H + s.V))).data();
    call.f = (f = Floats(R * s.T * s.F)).data();
    call.weights = (weights = Floats(R * s.T * s.S)).data();
    call.covered = (covered = Floats(R * s.S)).data();
    if (is_lstm) call.cT = (cT = Floats(R * s.H)).data();
    if (!training) return;
    if (s.saved()) call.gates = (gates = Floats(R * s.T * s.saved() * s.H)).data();
    call.dz = (dz = Floats(R * s.T * s.F)).data();
    call.dhc = (dhc = Floats(R * s.T * (s.H + s.V))).data();
    call.ds = (ds = Floats(R * s.T * s.S)).data();
    call.da = (da = Floats(R * s.T * GH)).data();
    if (s.cell == CellKind::kGruAfter) call.da_h = (da_h = Floats(R * s.T * GH)).data();
    if (s.additive) {
      call.dq = (dq = Floats(R * s.T * s.K)).data();
      call.dkeys = (dkeys = Floats(s.B * s.S * s.K)).data();
      call.dscore = (dscore = Floats(s.K)).data();
      if (s.coverage) call.dcover = (dcover = Floats(s.K)).data();
    }
    call.dh0 = (dh0 = Floats(R * s.H)).data();
    if (is_lstm) call.dc0 = (dc0 = Floats(R * s.H)).data();
    call.df0 = (df0 = Floats(R * s.F)).data();
    call.dcovered0 = (dcovered0 = Floats(R * s.S)).data();
  }
};

// The same by the equations, number by number.
class Reference {
 public:
  explicit Reference(const Given& given) : given_(given), s_(given.sizes) {
    weight_f_ = numbers(given.weight_f), weight_h_ = numbers(given.weight_h), bias_h_ = numbers(given.bias_h);
    combine_ = numbers(given.combine), combine_bias_ = numbers(given.combine_bias);
    query_ = numbers(given.query), score = numbers(given.score), cover = numbers(given.cover);
    gx = numbers(given.gx), values_ = numbers(given.values), keys = numbers(given.keys);
    h0 = numbers(given.h0), c0 = numbers(given.c0), f0 = numbers(given.f0), covered0 = numbers(given.covered0);
    for (long r = 0; r < s_.rows(); ++r) row(r);
    arrive(given.df, f), arrive(given.dweights, weights), arrive(given.dcovered, covered);
    arrive(given.dhT, hT_), arrive(given.dcT, cT), arrive(given.dfT, fT_);
    tape.go_back();
  }
  std::vector<double> value(const Ids& ids) const {
    std::vector<double> found;
    for (Tape::Id id : ids) found.push_back(id < 0 ? 0.0 : tape.value(id));
    return found;
  }
  std::vector<double> gradient(const Ids& ids) const {
    std::vector<double> found;
    for (Tape::Id id : ids) found.push_back(id < 0 ? 0.0 : tape.gradient(id));
    return found;
  }

  Tape tape;
  Ids score, cover, gx, keys, h0, c0, f0, covered0;
  Ids f, weights, covered, cT, hc, contexts, z, scores, sums_h, q;  // -1 where there is nothing

 private:
  Ids numbers(const Floats& from) {
    Ids made;
    for (long i = 0; i < from.count(); ++i) made.push_back(tape.number(static_cast<double>(from[i])));
    return made;
  }
  void arrive(const Floats& gradients, const Ids& at) {
    for (long i = 0; i < gradients.count(); ++i) {
      const Tape::Id id = at[static_cast<std::size_t>(i)];
      if (id >= 0) tape.add_gradient(id, static_cast<double>(gradients[i]));
    }
  }
  static Tape::Id at(const Ids& ids, long place) { return ids[static_cast<std::size_t>(place)]; }
  // Σ_k matrix[row, k] what[k], plus what is given.
  Tape::Id product(const Ids& matrix, long row, const Ids& what, Tape::Id plus) {
    const long depth = static_cast<long>(what.size());
    Tape::Id total = plus < 0 ? tape.number(0.0) : plus;
    for (long k = 0; k < depth; ++k) total = tape.sum(total, tape.times(at(matrix, row * depth + k), at(what, k)));
    return total;
  }
  static Ids piece(const Ids& from, long first, long count) { return Ids(from.begin() + first, from.begin() + first + count); }

  void row(long r) {
    const long T = s_.T, S = s_.S, H = s_.H, F = s_.F, GH = s_.gates() * H, b = r / s_.share;
    Ids h = piece(h0, r * H, H), c = s_.cell == CellKind::kLstm ? piece(c0, r * H, H) : Ids(), fed = piece(f0, r * F, F);
    Ids seen = piece(covered0, r * S, S);
    for (long t = 0; t < T; ++t) {
      Ids from_f, from_h;
      for (long g = 0; g < GH; ++g) {
        from_f.push_back(product(weight_f_, g, fed, at(gx, (r * T + t) * GH + g)));
        from_h.push_back(product(weight_h_, g, h, bias_h_.empty() ? -1 : at(bias_h_, g)));
      }
      sums_h.insert(sums_h.end(), from_h.begin(), from_h.end());
      cell(from_f, from_h, h, c);
      const Ids context = attend(b, h, seen);
      Ids both = h;
      both.insert(both.end(), context.begin(), context.end());
      hc.insert(hc.end(), both.begin(), both.end());
      contexts.insert(contexts.end(), context.begin(), context.end());
      for (long u = 0; u < F; ++u) {
        z.push_back(product(combine_, u, both, at(combine_bias_, u)));
        fed[static_cast<std::size_t>(u)] = tape.tanh(z.back());
      }
      f.insert(f.end(), fed.begin(), fed.end());
    }
    covered.insert(covered.end(), seen.begin(), seen.end());
    hT_.insert(hT_.end(), h.begin(), h.end());
    cT.insert(cT.end(), c.begin(), c.end());
    fT_.insert(fT_.end(), fed.begin(), fed.end());
  }

  void cell(const Ids& x, const Ids& from_h, Ids& h, Ids& c) {
    const long H = s_.H;
    for (long u = 0; u < H; ++u) {
      auto sum = [&](long gate) { return tape.sum(at(x, gate * H + u), at(from_h, gate * H + u)); };
      const std::size_t place = static_cast<std::size_t>(u);
      if (s_.cell == CellKind::kRnn) {
        next_.push_back(tape.tanh(sum(0)));
      } else if (s_.cell == CellKind::kLstm) {
        const Tape::Id i = tape.sigmoid(sum(0)), forget = tape.sigmoid(sum(1)), g = tape.tanh(sum(2)), o = tape.sigmoid(sum(3));
        c[place] = tape.sum(tape.times(forget, c[place]), tape.times(i, g));
        next_.push_back(tape.times(o, tape.tanh(c[place])));
      } else {
        const Tape::Id reset = tape.sigmoid(sum(0)), keep = tape.sigmoid(sum(1));
        const Tape::Id n = tape.tanh(tape.sum(at(x, 2 * H + u), tape.times(reset, at(from_h, 2 * H + u))));
        next_.push_back(tape.sum(n, tape.times(keep, tape.difference(h[place], n))));
      }
    }
    h.swap(next_);
    next_.clear();
  }

  Ids attend(long b, const Ids& h, Ids& seen) {
    const long S = s_.S, K = s_.K, V = s_.V, length = static_cast<long>(given_.lengths[static_cast<std::size_t>(b)]);
    Ids query = h;
    if (s_.additive) {
      query.clear();
      for (long j = 0; j < K; ++j) query.push_back(product(query_, j, h, -1));
      q.insert(q.end(), query.begin(), query.end());
    }
    Ids powers;
    Tape::Id total = tape.number(0.0);
    for (long s = 0; s < S; ++s) {
      if (s >= length) {
        scores.push_back(-1);
        continue;
      }
      const Ids key = piece(keys, (b * S + s) * K, K);
      Tape::Id found = tape.number(0.0);
      for (long j = 0; j < K; ++j) {
        if (!s_.additive) {
          found = tape.sum(found, tape.times(at(query, j), at(key, j)));
          continue;
        }
        Tape::Id inside = tape.sum(at(query, j), at(key, j));
        if (s_.coverage) inside = tape.sum(inside, tape.times(at(seen, s), at(cover, j)));
        found = tape.sum(found, tape.times(at(score, j), tape.tanh(inside)));
      }
      scores.push_back(found);
      powers.push_back(tape.exp(found));
      total = tape.sum(total, powers.back());
    }
    Ids context;
    for (long v = 0; v < V; ++v) context.push_back(tape.number(0.0));
    for (long s = 0; s < S; ++s) {
      if (s >= length) {
        weights.push_back(-1);
        continue;
      }
      const Tape::Id w = tape.ratio(at(powers, s), total);
      weights.push_back(w);
      seen[static_cast<std::size_t>(s)] = tape.sum(at(seen, s), w);
      for (long v = 0; v < V; ++v) {
        Tape::Id& sum = context[static_cast<std::size_t>(v)];
        sum = tape.sum(sum, tape.times(w, at(values_, (b * S + s) * V + v)));
      }
    }
    return context;
  }

  const Given& given_;
  const Sizes s_;
  Ids weight_f_, weight_h_, bias_h_, combine_, combine_bias_, query_, values_, hT_, fT_, next_;
};

void check(const Given& given, const Sets& sets) {
  const Reference want(given);
  const Sizes& s = given.sizes;
  for (const std::string& set : sets) {
    for (int threads : {1, 2, 3}) {
      use_instruction_set(set);
      const std::string name = set + ", " + std::to_string(threads) + " threads, ";
      Attentive call = given.call;
      call.threads = threads;
      const Outputs got(s, call, true);
      kernels().attentive_forward(call);
      kernels().attentive_backward(call);
      compare(name + "hc", got.hc, want.value(want.hc), kAllowed);
      compare(name + "f", got.f, want.value(want.f), kAllowed);
      compare(name + "weights", got.weights, want.value(want.weights), kAllowed);
      compare(name + "covered", got.covered, want.value(want.covered), kAllowed);
      if (got.cT.present()) compare(name + "cT", got.cT, want.value(want.cT), kAllowed);
      compare(name + "dz", got.dz, want.gradient(want.z), kAllowed);
      compare(name + "ds", got.ds, want.gradient(want.scores), kAllowed);
      compare(name + "da", got.da, want.gradient(want.gx), kAllowed);
      if (got.da_h.present()) compare(name + "da_h", got.da_h, want.gradient(want.sums_h), kAllowed);
      if (s.additive) {
        compare(name + "dq", got.dq, want.gradient(want.q), kAllowed);
        compare(name + "dkeys", got.dkeys, want.gradient(want.keys), kAllowed);
        compare(name + "dscore", got.dscore, want.gradient(want.score), kAllowed);
        if (s.coverage) compare(name + "dcover", got.dcover, want.gradient(want.cover), kAllowed);
      }
      compare(name + "dh0", got.dh0, want.gradient(want.h0), kAllowed);
      if (got.dc0.present()) compare(name + "dc0", got.dc0, want.gradient(want.c0), kAllowed);
      compare(name + "df0", got.df0, want.gradient(want.f0), kAllowed);
      compare(name + "dcovered0", got.dcovered0, want.gradient(want.covered0), kAllowed);
      Floats dcontexts(s.rows() * s.T * s.V);
      for (long at = 0; at < s.rows() * s.T; ++at) {
        for (long v = 0; v < s.V; ++v) dcontexts[at * s.V + v] = got.dhc[at * (s.H + s.V) + s.H + v];
      }
      compare(name + "dcontexts", dcontexts, want.gradient(want.contexts), kAllowed);
      // Packed weights without training give the same bits.
      Attentive again = given.call;
      again.threads = threads;
      const Outputs plain(s, again, false);
      const std::unique_ptr<PackedAttentive> packed(kernels().attentive_pack(again));
      again.weight_f = again.weight_h = again.bias_h = again.combine = again.combine_bias = nullptr;
      again.query = again.score = again.cover = nullptr;
      expect(packed->fits(again), name + "the packed weights do not fit their own call");
      packed->forward(again);
      expect(plain.f.same_bits(got.f) && plain.weights.same_bits(got.weights), name + "packed weights give other numbers");
    }
  }
}

void check_drawn(const Sets& sets, Random& random, const std::string& origin, const Sizes& s) {
  const Given given = drawn(s, random);
  begin_case("attentive, " + origin + ": cell " + std::to_string(static_cast<int>(s.cell)) + (s.additive ? ", additive" : "") +
             (s.coverage ? ", coverage" : "") + ", B=" + std::to_string(s.B) + ", share=" + std::to_string(s.share) + ", T=" +
             std::to_string(s.T) + ", S=" + std::to_string(s.S) + ", H=" + std::to_string(s.H) + ", F=" + std::to_string(s.F) +
             ", K=" + std::to_string(s.K) + ", V=" + std::to_string(s.V));
  check(given, sets);
}

Sizes drawn_sizes(Random& random) {
  Sizes s;
  s.cell = random.among({CellKind::kGruAfter, CellKind::kLstm, CellKind::kRnn});
  s.additive = random.once_in(2);
  s.coverage = s.additive && random.once_in(2);
  s.B = 1 + random.below(5), s.share = 1 + random.below(3), s.T = 1 + random.below(4), s.S = 1 + random.below(6);
  s.H = 1 + random.below(20), s.F = 1 + random.below(20), s.V = 1 + random.below(20);
  s.K = s.additive ? 1 + random.below(20) : s.H;
  return s;
}

}  // namespace

void test_attentive(const Sets& sets) {
  Random random(5);
  for (CellKind cell : {CellKind::kGruAfter, CellKind::kLstm, CellKind::kRnn}) {
    for (int scoring = 0; scoring < 3; ++scoring) {
      for (long H : {1, 7, 16, 33}) {
        Sizes s = drawn_sizes(random);
        s.cell = cell, s.additive = scoring > 0, s.coverage = scoring > 1;
        s.H = H, s.K = s.additive ? s.K : H;
        check_drawn(sets, random, "sizes", s);
      }
    }
  }
}

void test_attentive_case(const Sets& sets, std::uint64_t seed) {
  Random random(seed);
  check_drawn(sets, random, "--fuzz-case " + std::to_string(seed), drawn_sizes(random));
}

}  // namespace recurra::tests
