// The GPUs of this machine. No CUDA include: this header is also read where there is no CUDA compiler.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace ftwt::cuda {

struct Device {
  int index;
  std::string name;
  int compute_major;
  int compute_minor;
  uint64_t memory_bytes;
  int multiprocessors;
};

struct DeviceList {
  bool built;          // false: the addon was built without CUDA
  std::string reason;  // why `devices` is empty; empty otherwise
  std::vector<Device> devices;
};

DeviceList list_devices();

}  // namespace ftwt::cuda
