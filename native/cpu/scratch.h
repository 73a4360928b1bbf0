// Working memory of one thread, kept between calls: a fresh large block costs a page fault per 4 KiB every time.
#pragma once
#include <cstddef>

namespace ftwt::cpu {

// Who uses the memory. Two users whose lifetimes overlap in one thread must not share a slot.
enum class Scratch : int {
  Panels,      // packed filters, packed once per call by the calling thread
  Gemm,        // pointer lists and im2col rows of one range of a gemm
  Partials,    // partial filter gradients, by the calling thread
  FilterSums,  // one filter gradient per thread, by the calling thread
  Gather,      // compact copies of activations or filters
  Transpose,   // a transposed operand
  Columns,     // one sample's products of pixels and taps, or its pixels in the form in which they are multiplied
  Count
};

// At least `bytes` uninitialised bytes, 64-byte aligned, valid until this thread asks for the same slot again.
// Grows, never shrinks; freed with the thread. Throws OutOfMemory.
void* thread_scratch(Scratch slot, std::size_t bytes);

// Of all threads; for tests.
std::size_t scratch_block_count() noexcept;

inline float* thread_floats(Scratch slot, std::size_t count) {
  return static_cast<float*>(thread_scratch(slot, count * sizeof(float)));
}

}  // namespace ftwt::cpu
