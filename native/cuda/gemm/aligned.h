// Matrices as the loaders of the GEMM read them: rows of whole 16-byte words.
#pragma once
#include <cstdint>
#include <optional>

#include "cuda/context.h"

namespace ftwt::cuda {

// Rounded up to floats of whole words.
inline int64_t whole_words(int64_t columns) { return (columns + 3) / 4 * 4; }

// [matrices, rows, columns] in place where it fits, else a copy [matrices, padded_rows, whole_words(columns)] padded
// with zeros, which costs as much as reading and writing it once. Images of 1 or 3 channels and 10 classes need it;
// other networks' layers do not.
class Aligned {
 public:
  Aligned(const float* data, int64_t matrices, int64_t rows, int64_t columns, int64_t padded_rows);
  Aligned(const float* data, int64_t rows, int64_t columns) : Aligned(data, 1, rows, columns, rows) {}
  const float* data() const { return data_; }

 private:
  const float* data_;
  std::optional<DeviceBuffer> copy_;
};

}  // namespace ftwt::cuda
