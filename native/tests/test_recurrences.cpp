#include "../dispatch.h"
#include "cases.h"
#include "suites.h"

namespace recurra::tests {

void test_recurrences(const Sets& sets, long only) {
  long number = 0;
  for (const Case& cell : all_cells()) {
    for (long H : {1, 7, 16, 17, 33, 70}) {
      for (long B : {1, 3, 20}) {
        const long here = number++;
        const bool turn = (here + here / 18) % 2;  // half of the sizes for each cell, the other half for the next
        if (only >= 0 ? here != only : !turn) continue;
        Random random(static_cast<std::uint64_t>(here));
        Case drawn = drawn_case(cell, random, H, B);
        drawn.seed = static_cast<std::uint64_t>(here);
        begin_case("recurrence " + std::to_string(here) + " (--recurrence " + std::to_string(here) + "): " + drawn.described());
        check_case(drawn, sets);
      }
    }
  }
}

// Weights of zero make every sum its bias exactly: -1, 0 and 1 are where the activations bend.
void test_kinks(const Sets& sets) {
  constexpr long H = 9;
  const Floats x(1), state(H), weights(H * H), bias(H), dy(H);
  x.fill(1.0f), state.fill(0.5f), weights.fill(0.0f), dy.fill(1.0f);
  for (long u = 0; u < H; ++u) bias[u] = static_cast<float>(u % 3 - 1);
  struct Bend {
    const char* name;
    Activation activation;
    double slopes[3];  // at -1, 0, 1
  };
  for (const Bend& bend : {Bend{"relu", Activation::kRelu, {0, 0, 1}}, Bend{"leaky_relu", Activation::kLeakyRelu, {0.01, 0.01, 1}},
                           Bend{"hardtanh", Activation::kHardtanh, {0, 1, 0}}}) {
    std::vector<double> want;
    for (long u = 0; u < H; ++u) want.push_back(bend.slopes[u % 3]);
    for (const std::string& set : sets) {
      begin_case(std::string("kinks of ") + bend.name + ", " + set);
      use_instruction_set(set);
      const Floats y(H), hT(H), dbias(H);
      Recurrence call;
      call.activation = bend.activation;
      call.training = true;
      call.T = call.B = call.N = call.I = 1;
      call.H = call.P = H;
      call.x = x.data();
      call.h0 = state.data();
      call.weight_ih = call.weight_hh = weights.data();
      call.bias_ih = bias.data();
      call.y = y.data();
      call.hT = hT.data();
      kernels().forward(call);
      call.dy = dy.data();
      call.dbias_ih = dbias.data();
      kernels().backward(call);
      compare("slope", dbias, want, 1e-7);
    }
  }
}

}  // namespace recurra::tests
