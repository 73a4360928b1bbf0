// What holds for every plan that an executor gets: no executor checks it again, and none can read out of bounds.
#pragma once
#include "session/plan.h"

namespace ftwt::session {

// Every node reads earlier values, has the shape that its inputs and geometry give, and weights of that shape; every
// window touches the image; no size overflows for up to `max_batch` images. Throws InvalidArgument naming the node.
void validate(const Plan& plan, int64_t max_batch);

}  // namespace ftwt::session
