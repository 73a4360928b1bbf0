// The context switch: saves what the calling convention lets a callee keep, and swaps stacks.
// By hand, because swapcontext makes a system call for the signal mask (1 us instead of a few ns).
#include "emulator/switch.h"

#include <cstdint>

#if defined(__x86_64__)

asm(R"(
.text
.globl ftwt_emulator_switch
.hidden ftwt_emulator_switch
.type ftwt_emulator_switch, @function
ftwt_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size ftwt_emulator_switch, .-ftwt_emulator_switch
)");

namespace ftwt::emulator {

void* first_frame(void* top, void (*entry)()) {
  void** frame = static_cast<void**>(top);
  *--frame = nullptr;  // where `entry` would return to: also makes the stack look as it does after a call
  *--frame = reinterpret_cast<void*>(entry);
  for (int saved = 0; saved < 6; ++saved) *--frame = nullptr;
  return frame;
}

}  // namespace ftwt::emulator

#elif defined(__aarch64__)

asm(R"(
.text
.globl ftwt_emulator_switch
.hidden ftwt_emulator_switch
.type ftwt_emulator_switch, %function
ftwt_emulator_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size ftwt_emulator_switch, .-ftwt_emulator_switch
)");

namespace ftwt::emulator {

void* first_frame(void* top, void (*entry)()) {
  constexpr int kWords = 160 / 8, kReturnAddress = 11;  // x30
  void** frame = static_cast<void**>(top) - kWords;
  for (int word = 0; word < kWords; ++word) frame[word] = nullptr;
  frame[kReturnAddress] = reinterpret_cast<void*>(entry);
  return frame;
}

}  // namespace ftwt::emulator

#else
#error "the emulator's context switch is written for x86-64 and aarch64 only"
#endif
