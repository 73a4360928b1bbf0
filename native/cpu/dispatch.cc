#include "cpu/dispatch.h"

#include <atomic>
#include <cstdlib>

#include "ops/common.h"

namespace ftwt::cpu {
namespace {

bool supports(Isa isa) {
#if defined(FTWT_X86)
  switch (isa) {
    case Isa::Avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case Isa::Avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    default: return true;
  }
#else
  return isa == Isa::Baseline;
#endif
}

constexpr Isa kAll[] = {Isa::Baseline, Isa::Avx2, Isa::Avx512};

Isa parse(const std::string& name) {
  for (Isa isa : kAll) {
    if (name == isa_name(isa) && supports(isa)) return isa;
  }
  std::string names;
  for (const std::string& supported : supported_isas()) names += (names.empty() ? "" : ", ") + supported;
  throw Error(ErrorCode::InvalidArgument, "Expected instruction set to be one of " + names + ", got " + name);
}

Isa best() {
  Isa result = Isa::Baseline;
  for (Isa isa : kAll) {
    if (supports(isa)) result = isa;
  }
  return result;
}

std::atomic<Isa>& selected() {
  static std::atomic<Isa> isa{best()};
  return isa;
}

}  // namespace

const char* isa_name(Isa isa) { return isa == Isa::Avx512 ? "avx512" : isa == Isa::Avx2 ? "avx2" : "baseline"; }

Isa current_isa() { return selected().load(std::memory_order_relaxed); }

bool has_vnni() {
#if defined(FTWT_X86)
  return current_isa() == Isa::Avx512 && __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

void set_isa(const std::string& name) { selected().store(parse(name)); }

std::vector<std::string> supported_isas() {
  std::vector<std::string> names;
  for (Isa isa : kAll) {
    if (supports(isa)) names.push_back(isa_name(isa));
  }
  return names;
}

}  // namespace ftwt::cpu
