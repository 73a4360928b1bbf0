#include "cpu/cache.h"

#include <unistd.h>

#include <algorithm>

namespace ftwt::cpu {

int64_t half_second_level_bytes() {
#if defined(_SC_LEVEL2_CACHE_SIZE)
  static const int64_t cache = sysconf(_SC_LEVEL2_CACHE_SIZE);  // 0 or less: unknown
#else
  static const int64_t cache = 0;
#endif
  return std::clamp<int64_t>(cache / 2, 256 * 1024, 1024 * 1024);
}

}  // namespace ftwt::cpu
