// What every op shares: the error that native code throws and the integer type of sizes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace ftwt {

enum class ErrorCode { InvalidArgument, CudaError, OutOfMemory, NoDevice, CorruptFile, Internal };

// Native code throws this and nothing else; the binding turns it into a JavaScript FtwtError with the same code.
struct Error : std::runtime_error {
  ErrorCode code;
  Error(ErrorCode error_code, const std::string& message) : std::runtime_error(message), code(error_code) {}
};

}  // namespace ftwt
