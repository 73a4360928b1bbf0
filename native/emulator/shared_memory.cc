#include "emulator/shared_memory.h"

#include <cstdlib>
#include <new>
#include <string>

#include "emulator/block.h"
#include "emulator/poison.h"

namespace ftwt::emulator {

namespace {

void* dynamic = nullptr;  // exactly as large as asked for, so that AddressSanitizer sees its end
size_t dynamic_bytes = 0;
size_t static_bytes = 0;  // reached by the block so far

}  // namespace

void allocate_dynamic_shared(size_t bytes) {
  constexpr size_t kAlignment = 128;
  void* memory = nullptr;
  if (bytes && posix_memalign(&memory, kAlignment, bytes) != 0) throw std::bad_alloc();
  std::free(dynamic);
  dynamic = memory;
  dynamic_bytes = bytes;
}

void begin_shared_memory() {
  static_bytes = 0;
  poison(dynamic, dynamic_bytes);
}

void* dynamic_shared_memory() {
  if (dynamic == nullptr) block().fail("the kernel uses dynamic shared memory, but was launched without");
  return dynamic;
}

void reach_shared(void* array, size_t bytes, uint64_t& serial) {
  if (serial == block_serial) return;
  serial = block_serial;
  static_bytes += bytes;
  if (static_bytes > kStaticSharedLimit || static_bytes + dynamic_bytes > kDynamicSharedLimit) {
    block().fail("the kernel's __shared__ arrays take " + std::to_string(static_bytes) + " bytes, and " +
                 std::to_string(dynamic_bytes) + " more are dynamic: too many");
  }
  poison(array, bytes);
}

}  // namespace ftwt::emulator
