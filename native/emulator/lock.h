// One lock for the whole emulator: __shared__ arrays are statics, so one host thread at a time runs kernels.
#pragma once
#include <mutex>

namespace ftwt::emulator {

class Lock {
 public:
  Lock();

 private:
  std::unique_lock<std::recursive_mutex> held_;
};

}  // namespace ftwt::emulator
