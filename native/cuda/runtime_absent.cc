// Stands in for runtime.cu where the addon is built without CUDA.
#include "cuda/runtime.h"

namespace ftwt::cuda {

DeviceList list_devices() { return {false, "this build of the addon has no CUDA support (no nvcc was found)", {}}; }

}  // namespace ftwt::cuda
