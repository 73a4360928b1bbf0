#include "cpu/cache.h"

#include <unistd.h>

#include <algorithm>

namespace ftwt::cpu {

int64_t second_level_bytes() {
#if defined(_SC_LEVEL2_CACHE_SIZE)
  static const int64_t bytes = std::max<int64_t>(0, sysconf(_SC_LEVEL2_CACHE_SIZE));
  return bytes;
#else
  return 0;
#endif
}

int64_t half_second_level_bytes() { return std::clamp<int64_t>(second_level_bytes() / 2, 256 * 1024, 1024 * 1024); }

}  // namespace ftwt::cpu
