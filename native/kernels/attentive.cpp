// A recurrent layer with attention: the passes of each cell, and weights that stay packed.
#include "attentive_backward.h"
#include "attentive_forward.h"

namespace recurra::RECURRA_ISA_NAMESPACE {

namespace {

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
