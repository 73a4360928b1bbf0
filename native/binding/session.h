// Compiled plans as JavaScript holds them.
#pragma once
#include <napi.h>

#include "binding/fields.h"
#include "session/plan.h"

namespace ftwt::binding {

// Reads the fields of a plan (src/binding.ts). Throws InvalidArgument for a field of the wrong type; whether the nodes
// fit each other is for session::validate.
session::Plan read_plan(const Fields& fields);

// The functions sessionCompile, sessionRun and so on (src/binding.ts).
void export_session(Napi::Env env, Napi::Object exports);

}  // namespace ftwt::binding
