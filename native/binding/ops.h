// The op tables. Each family of ops has a file here with its adaptors (fields -> Params -> cpu::op) and one table.
#pragma once
#include <span>

#include "binding/fields.h"

namespace ftwt::binding {

struct OpEntry {
  const char* name;  // as JavaScript calls it: camelCase
  void (*run)(const Fields& fields);
};

std::span<const OpEntry> convolution_ops();
std::span<const OpEntry> elementwise_ops();
std::span<const OpEntry> matrix_ops();
std::span<const OpEntry> movement_ops();
std::span<const OpEntry> pruning_ops();
std::span<const OpEntry> reduction_ops();
std::span<const OpEntry> training_ops();

}  // namespace ftwt::binding
