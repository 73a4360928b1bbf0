// The devices there pretend to be.
#pragma once
#include <cstddef>

namespace ftwt::emulator {

constexpr int kMaxDevices = 2;

int device_count();    // FTWT_EMULATOR_DEVICES, 1 unless set
int current_device();  // of this thread
size_t memory_limit();

}  // namespace ftwt::emulator
