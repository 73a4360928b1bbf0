// Activations that kernels apply while they write their output.
#pragma once

namespace ftwt {

// The values are part of the binding's contract: src/backend/kernels/activation.ts lists the same names in this order.
enum class Activation : int { Linear, Relu, Relu6, Count };

}  // namespace ftwt
