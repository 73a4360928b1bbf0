// The part of a context switch that depends on the processor.
#pragma once

// Saves the registers on the running stack, its pointer in *from, and continues the stack `to`.
extern "C" __attribute__((visibility("hidden"))) void ftwt_emulator_switch(void** from, void* to);

namespace ftwt::emulator {

// Prepares a new stack that ends at `top` (16-byte aligned) so that the first switch to the result calls `entry`.
void* first_frame(void* top, void (*entry)());

}  // namespace ftwt::emulator
