// Instruction sets: which one this processor has, which one is in use, and the macro that calls the right kernel.
#pragma once
#include <string>
#include <vector>

namespace ftwt::cpu {

enum class Isa { Baseline, Avx2, Avx512 };

Isa current_isa();
const char* isa_name(Isa isa);
std::vector<std::string> supported_isas();  // weakest first
bool has_vnni();                            // AVX512-VNNI, while AVX-512 is in use
void set_isa(const std::string& name);      // throws InvalidArgument when this processor lacks it

}  // namespace ftwt::cpu

// FTWT_DECLARE_KERNEL(void unary_range(int op, const float* x, float* y, int64_t count));  declares it for each set,
// FTWT_KERNEL(unary_range) is the function of the set in use.
#if defined(FTWT_X86)
#define FTWT_DECLARE_KERNEL(...) \
  namespace ftwt::baseline {     \
  __VA_ARGS__;                   \
  }                              \
  namespace ftwt::avx2 {         \
  __VA_ARGS__;                   \
  }                              \
  namespace ftwt::avx512 {       \
  __VA_ARGS__;                   \
  }
#define FTWT_KERNEL(name)                                                        \
  (::ftwt::cpu::current_isa() == ::ftwt::cpu::Isa::Avx512 ? ::ftwt::avx512::name \
   : ::ftwt::cpu::current_isa() == ::ftwt::cpu::Isa::Avx2 ? ::ftwt::avx2::name   \
                                                          : ::ftwt::baseline::name)
#else
#define FTWT_DECLARE_KERNEL(...) \
  namespace ftwt::baseline {     \
  __VA_ARGS__;                   \
  }
#define FTWT_KERNEL(name) (::ftwt::baseline::name)
#endif
