// The functions of one instruction set, as the rest of the native part sees them.
#pragma once

#include "../attentive.h"
#include "../best_symbols.h"
#include "../glove.h"
#include "../output_layer.h"
#include "../packed.h"
#include "../recurrence.h"
#include "../streaming.h"
#include "../word_vectors.h"

namespace recurra {

struct Kernels {
  const char* name;
  void (*forward)(const Recurrence&);
  void (*backward)(const Recurrence&);
  // Floats of Recurrence::saved for each of the N rows.
  long (*saved_floats_a_row)(const Recurrence&);
  // A layer that packs the weights now and steps later; the caller deletes it.
  Stepper* (*make_stepper)(const Recurrence&);
  // A layer that packs the weights now and runs forward later; the caller deletes it.
  PackedLayer* (*pack)(const Recurrence&);
  void (*output_layer_forward)(OutputLayer&);
  void (*output_layer_backward)(OutputLayer&);
  void (*attentive_forward)(const Attentive&);
  void (*attentive_backward)(const Attentive&);
  PackedAttentive* (*attentive_pack)(const Attentive&);  // the caller deletes it
  void (*best_symbols)(const BestSymbols&);
  PackedVocabulary* (*pack_vocabulary)(const float* weight, const float* bias, std::int64_t V, std::int64_t H);
  void (*train_word_vectors)(WordVectorsCall&);
  void (*train_glove)(GloveCall&);
  // Multiply-adds at full speed from registers on one core, in floating-point operations a second.
  double (*peak_flops)(double seconds);
};

}  // namespace recurra
