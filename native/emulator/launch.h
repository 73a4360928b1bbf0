// Puts a kernel into a stream's queue.
#pragma once
#include <functional>
#include <tuple>
#include <utility>

#include "emulator/api.h"

namespace ftwt::emulator {

struct LaunchShape {
  dim3 grid, block;
  size_t shared_bytes;
};

// `body` is one thread of the kernel. What is wrong with the shape is left for cudaGetLastError.
void enqueue_kernel(const void* kernel, const LaunchShape& shape, cudaStream_t stream, std::function<void()> body);

// The arguments are converted to the kernel's parameters and copied now, as a launch does.
template <class... P, class... A>
void launch(void (*kernel)(P...), const LaunchShape& shape, cudaStream_t stream, A&&... arguments) {
  enqueue_kernel(reinterpret_cast<const void*>(kernel), shape, stream,
                 [kernel, values = std::tuple<P...>(std::forward<A>(arguments)...)] { std::apply(kernel, values); });
}

}  // namespace ftwt::emulator
