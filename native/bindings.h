// What the files of bindings share.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <type_traits>

// A field of a call that holds an address, as a number; 0 means none.
template <class Call, auto Field>
std::uintptr_t address_of(const Call& call) {
  return reinterpret_cast<std::uintptr_t>(call.*Field);
}
template <class Call, auto Field>
void set_address(Call& call, std::uintptr_t address) {
  call.*Field = reinterpret_cast<std::remove_reference_t<decltype(call.*Field)>>(address);
}
#define RECURRA_FIELD(Call, name) def_prop_rw(#name, address_of<Call, &Call::name>, set_address<Call, &Call::name>)

// The calls of word vectors and GloVe.
void bind_word_vectors(nanobind::module_& m);
