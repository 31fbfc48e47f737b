// One family of cells of one instruction set: forward, backward, and the room for saved gates.
#pragma once

#include "../packed.h"
#include "../streaming.h"
#include "backward.h"
#include "forward.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

template <class Cell, class ForwardPass>
class CellStepper final : public Stepper {
 public:
  explicit CellStepper(const Recurrence& call)
      : call_(call), weights_(Plan<Cell>(call), workspace_), forward_(call_, weights_, workspace_) {}
  void step(const float* x, const float* h, const float* c, float* y, float* c_next) override {
    call_.x = x;
    call_.h0 = h;
    call_.c0 = c;
    call_.y = y;
    call_.hT = nullptr;  // y is the last state
    call_.cT = c_next;
    forward_.run();
  }

 private:
  Workspace workspace_{true};
  Recurrence call_;
  const typename ForwardPass::Weights weights_;
  ForwardPass forward_;
};

inline void copy_or_zero(float* to, const float* from, long floats) {
  const std::size_t bytes = static_cast<std::size_t>(floats) * sizeof(float);
  if (to && from) std::memcpy(to, from, bytes);
  if (to && !from) std::memset(to, 0, bytes);
}

// Without a step the last state is the initial one, so their gradients are the same; the weights had no part in it.
inline void take_no_steps(const Recurrence& call) {
  copy_or_zero(call.hT, call.h0, call.B * call.P);
  if (call.cell == CellKind::kLstm) copy_or_zero(call.cT, call.c0, call.B * call.H);
}
inline void take_no_steps_back(const Recurrence& call, long blocks) {
  copy_or_zero(call.dh0, call.dhT, call.B * call.P);
  copy_or_zero(call.dc0, call.dcT, call.B * call.H);
  copy_or_zero(call.dweight_ih, nullptr, blocks * call.H * call.I);
  copy_or_zero(call.dweight_hh, nullptr, blocks * call.H * call.P);
  for (float* each : {call.dbias_ih, call.dbias_hh, call.dgain_ih, call.dgain_hh}) copy_or_zero(each, nullptr, blocks * call.H);
  for (float* each : {call.dgain_cell, call.dshift_cell}) copy_or_zero(each, nullptr, call.H);
  copy_or_zero(call.dprojection, nullptr, call.P * call.H);
  copy_or_zero(call.dprojection_bias, nullptr, call.P);
  copy_or_zero(call.dpeephole, nullptr, (call.coupled_gates ? 2 : 3) * call.H);
}

template <class Cell, class ForwardPass>
class PackedCell final : public PackedLayer {
 public:
  explicit PackedCell(const Recurrence& call) : PackedLayer(call), weights_(Plan<Cell>(call), workspace_) {}
  void forward(const Recurrence& call) const override {
    if (call.T == 0) return take_no_steps(call);
    Workspace workspace;
    ForwardPass(call, weights_, workspace).run();
  }

 private:
  Workspace workspace_{true};
  const typename ForwardPass::Weights weights_;
};

template <class Cell, class ForwardPass, class BackwardPass>
struct Run {
  static void forward(const Recurrence& call) {
    if (call.T == 0) return take_no_steps(call);
    Workspace workspace;
    const typename ForwardPass::Weights weights(Plan<Cell>(call), workspace);
    ForwardPass(call, weights, workspace).run();
  }
  static void backward(const Recurrence& call) {
    if (call.T == 0) return take_no_steps_back(call, Cell::kInputGates);
    BackwardPass(call).run();
  }
  static Stepper* make_stepper(const Recurrence& call) { return new CellStepper<Cell, ForwardPass>(call); }
  static PackedLayer* pack(const Recurrence& call) { return new PackedCell<Cell, ForwardPass>(call); }
  static long saved_floats_a_row(const Recurrence& call) { return Plan<Cell>(call).saved_floats_a_row(); }
};

struct Entry {
  void (*forward)(const Recurrence&);
  void (*backward)(const Recurrence&);
  long (*saved_floats_a_row)(const Recurrence&);
  Stepper* (*make_stepper)(const Recurrence&);
  PackedLayer* (*pack)(const Recurrence&);
};

template <class Cell, class ForwardPass = Forward<Cell>, class BackwardPass = Backward<Cell>>
constexpr Entry entry() {
  using Passes = Run<Cell, ForwardPass, BackwardPass>;
  return {Passes::forward, Passes::backward, Passes::saved_floats_a_row, Passes::make_stepper, Passes::pack};
}

// Defined in a file each, so that the families are compiled side by side.
Entry rnn_entry(const Recurrence& call);
Entry gru_entry(const Recurrence& call);
Entry lstm_entry(const Recurrence& call);
Entry normalised_entry(const Recurrence& call);  // all of them, with layer_norm

}  // namespace recurra::RECURRA_ISA_NAMESPACE
