// A test is a function that throws. TEST(name) { check(1 + 1 == 2); }
#pragma once
#include <source_location>
#include <string>
#include <vector>

#include "cuda/device.cuh"

namespace ftwt::emulator::tests {

struct Registration {
  Registration(const char* name, void (*body)());
};

void check(bool condition, const std::string& what = "", std::source_location where = std::source_location::current());

// Both values are in the message.
template <class T>
void check_equal(const T& actual, const std::type_identity_t<T>& expected, const std::string& what = "",
                 std::source_location where = std::source_location::current()) {
  if (actual == expected) return;
  check(false, what + " is " + std::to_string(actual) + ", not " + std::to_string(expected), where);
}

// The memory of a kernel under test, on the device; get() waits.
template <class T>
class Array {
 public:
  explicit Array(size_t count) : count_(count) { CUDA_CHECK(cudaMalloc(&data_, count * sizeof(T))); }
  explicit Array(const std::vector<T>& values) : Array(values.size()) {
    CUDA_CHECK(cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~Array() { cudaFree(data_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  T* data() const { return data_; }
  std::vector<T> get() const {
    std::vector<T> values(count_);
    CUDA_CHECK(cudaMemcpy(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  size_t count_;
  T* data_ = nullptr;
};

// Runs a kernel on the default stream and waits.
template <class... P, class... A>
void run(void (*kernel)(P...), dim3 grid, dim3 block, A&&... arguments) {
  cuda::launch(kernel, grid, block, 0, nullptr, std::forward<A>(arguments)...);
  CUDA_CHECK(cudaDeviceSynchronize());
}

// The message of the error that `body` throws; a failed check if it throws none.
template <class Body>
std::string failure_of(Body&& body, std::source_location where = std::source_location::current()) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  check(false, "no error was reported", where);
  return "";
}

void check_contains(const std::string& text, const std::string& part,
                    std::source_location where = std::source_location::current());

}  // namespace ftwt::emulator::tests

#define TEST(name)                                                             \
  static void name();                                                          \
  static const ::ftwt::emulator::tests::Registration name##_test(#name, name); \
  static void name()
