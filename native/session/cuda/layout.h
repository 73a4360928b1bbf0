// Where the values of a plan lie on a device, and which of them are packed to their active channels.
#pragma once
#include <cstdint>
#include <vector>

#include "cuda/network_ops.h"
#include "session/gates.h"
#include "session/plan.h"

namespace ftwt::session::device {

// Of packed values and of the filters of dense convolutions.
constexpr int64_t padded_channels(int64_t c) {
  constexpr int64_t kMultiple = ftwt::cuda::kPackedChannels;
  return (c + kMultiple - 1) / kMultiple * kMultiple;
}

struct ValueLayout {
  Shape shape;
  int64_t offset;  // floats, in a workspace
  int32_t gate;    // see Gates::of_value
  bool packed;     // as Activations in cuda/network_ops.h
};

struct Layout {
  Gates gates;
  std::vector<ValueLayout> values;
  std::vector<int64_t> list_offsets;  // by gate: int32 in a workspace, the lists, then the ranks
  std::vector<bool> steady;           // by node: a mask depends on it, so its sums must not change with the batch
  int64_t value_floats = 0;
  int64_t list_ints = 0;
};

// Throws InvalidArgument where a value of `batch` samples is larger than kernels count.
Layout lay_out(const Plan& plan, int64_t batch);

}  // namespace ftwt::session::device
