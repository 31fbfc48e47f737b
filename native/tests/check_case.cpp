// One case of a recurrent kernel: all that forward and backward write, against the reference.
#include <memory>

#include "cases.h"
#include "../dispatch.h"
#include "reference.h"

namespace recurra::tests {
namespace {

// Share of 1 + the largest number of the array. The kernels' error per step is some units in the last place. Where
// the network itself magnifies such errors (layer_norm divides by what may be small, and does so at every step),
// so many times what a unit in the last place of the inputs makes of the results is allowed, too.
constexpr double kAllowed = 1e-5, kAllowedOfShaken = 50.0;
constexpr double kFarFromKinks = 2e-5;

// An array that a call writes, by the field that holds its address.
struct Output {
  const char* name;
  float* Recurrence::*field;
  long count;
  std::vector<double> Reference::*want;
};

class Check {
 public:
  Check(const Case& given, const std::string& set, int threads, const Arrays& arrays, const Reference& reference,
        const Reference& shaken)
      : case_(given), prefix_(set + ", " + std::to_string(threads) + " threads, "), call_(arrays.inputs()), reference_(reference), shaken_(shaken) {
    call_.threads = threads;
    use_instruction_set(set);
  }

  void forward_without_training() const {
    Recurrence call = call_;
    const std::vector<Floats> arrays = place(call, outputs_of_forward());
    kernels().forward(call);
    hold("inference: ", outputs_of_forward(), arrays);
    // Packed once, the weights gone: the same bits, however often.
    const std::unique_ptr<PackedLayer> packed(kernels().pack(call));
    call.weight_ih = call.weight_hh = call.bias_ih = call.bias_hh = nullptr;
    for (int round = 0; round < 2; ++round) {
      const std::vector<Floats> again = place(call, outputs_of_forward());
      expect(packed->fits(call), prefix_ + "packed: does not fit what it was made from");
      packed->forward(call);
      for (std::size_t i = 0; i < arrays.size(); ++i) {
        expect(again[i].same_bits(arrays[i]), prefix_ + "packed: other numbers in " + outputs_of_forward()[i].name);
      }
    }
  }

  void forward_and_backward() const {
    Recurrence call = call_;
    call.training = true;
    const std::vector<Floats> arrays = place(call, outputs_of_forward());
    const long saved_floats = kernels().saved_floats_a_row(call);
    Floats saved;
    if (saved_floats > 0) saved = Floats(call.N * saved_floats, case_.shift);
    call.saved = saved.data();
    kernels().forward(call);
    hold("forward: ", outputs_of_forward(), arrays);
    const Floats saved_before = saved.copy();
    // Some gradients, then all: both the same, and `saved` only read.
    const bool smooth = !(reference_.closest_kink < kFarFromKinks);
    std::vector<Output> some, all = gradients();
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (case_.wanted >> i & 1u) some.push_back(all[i]);
    }
    Recurrence partly = call;
    const std::vector<Floats> of_some = place(partly, some);
    kernels().backward(partly);
    const std::vector<Floats> of_all = place(call, all);
    kernels().backward(call);
    if (smooth) hold("backward: ", all, of_all);
    std::size_t i = 0;
    for (std::size_t at = 0; at < all.size(); ++at) {
      if (!(case_.wanted >> at & 1u)) continue;
      expect(of_some[i++].same_bits(of_all[at]), prefix_ + all[at].name + ": other numbers where other gradients are wanted too");
    }
    if (saved.present()) expect(saved.same_bits(saved_before), prefix_ + "backward changed `saved`");
  }

 private:
  // c_steps and hT may be null; the rest of forward's outputs may not.
  std::vector<Output> outputs_of_forward() const {
    const bool is_lstm = call_.cell == CellKind::kLstm;
    std::vector<Output> all{{"y", &Recurrence::y, call_.N * call_.P, &Reference::y}};
    if (case_.hT) all.push_back({"hT", &Recurrence::hT, call_.B * call_.P, &Reference::hT});
    if (is_lstm) all.push_back({"cT", &Recurrence::cT, call_.B * call_.H, &Reference::cT});
    if (case_.c_steps) all.push_back({"c_steps", &Recurrence::c_steps, call_.N * call_.H, &Reference::c_steps});
    return all;
  }
  std::vector<Output> gradients() const {
    const std::vector<Output> all{{"dx", &Recurrence::dx, 0, &Reference::dx},
                                  {"dh0", &Recurrence::dh0, 0, &Reference::dh0},
                                  {"dc0", &Recurrence::dc0, 0, &Reference::dc0},
                                  {"dweight_ih", &Recurrence::dweight_ih, 0, &Reference::dweight_ih},
                                  {"dweight_hh", &Recurrence::dweight_hh, 0, &Reference::dweight_hh},
                                  {"dbias_ih", &Recurrence::dbias_ih, 0, &Reference::dbias_ih},
                                  {"dbias_hh", &Recurrence::dbias_hh, 0, &Reference::dbias_hh},
                                  {"dprojection", &Recurrence::dprojection, 0, &Reference::dprojection},
                                  {"dprojection_bias", &Recurrence::dprojection_bias, 0, &Reference::dprojection_bias},
                                  {"dpeephole", &Recurrence::dpeephole, 0, &Reference::dpeephole},
                                  {"dgain_ih", &Recurrence::dgain_ih, 0, &Reference::dgain_ih},
                                  {"dgain_hh", &Recurrence::dgain_hh, 0, &Reference::dgain_hh},
                                  {"dgain_cell", &Recurrence::dgain_cell, 0, &Reference::dgain_cell},
                                  {"dshift_cell", &Recurrence::dshift_cell, 0, &Reference::dshift_cell}};
    std::vector<Output> here;
    for (Output each : all) {
      each.count = static_cast<long>((reference_.*each.want).size());
      const bool is_dx = each.field == &Recurrence::dx;  // there even where it holds nothing
      if (each.count > 0 || is_dx) here.push_back(each);
    }
    return here;
  }

  // New arrays for the outputs, filled with NaN, their addresses in the call.
  std::vector<Floats> place(Recurrence& call, const std::vector<Output>& outputs) const {
    std::vector<Floats> arrays;
    for (const Output& each : outputs) {
      arrays.emplace_back(each.count, case_.shift);
      call.*each.field = arrays.back().data();
    }
    return arrays;
  }

  void hold(const char* when, const std::vector<Output>& outputs, const std::vector<Floats>& arrays) const {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const std::vector<double>& want = reference_.*outputs[i].want;
      compare(prefix_ + when + outputs[i].name, arrays[i], want, kAllowed + kAllowedOfShaken * shift_of(want, shaken_.*outputs[i].want));
    }
  }

  static double shift_of(const std::vector<double>& want, const std::vector<double>& shaken) {
    double largest = 0.0, shift = 0.0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      largest = std::max(largest, std::abs(want[i]));
      shift = std::max(shift, std::abs(want[i] - shaken[i]));
    }
    return shift / (1.0 + largest);
  }

  const Case& case_;
  const std::string prefix_;
  Recurrence call_;
  const Reference& reference_;
  const Reference& shaken_;
};

}  // namespace

void check_case(const Case& given, const std::vector<std::string>& sets) {
  const Arrays arrays(given);
  const Reference reference = reference_of(arrays.inputs());
  Reference shaken = reference;
  if (given.call.layer_norm) {
    const Arrays others(given, true);
    shaken = reference_of(others.inputs());
  }
  for (const std::string& set : sets) {
    for (int threads : {1, 2, 3}) {
      const Check check(given, set, threads, arrays, reference, shaken);
      check.forward_without_training();
      check.forward_and_backward();
    }
  }
  expect(arrays.inputs_unchanged(), "an input was written to");
}

}  // namespace recurra::tests
