#pragma once
// The definitions of our objects as YAML; k8s/crds has the same. Pure.

#include <string>

#include "session/session_schema.h"

namespace skbtrail {

std::string crd_text(SessionKind kind);
// Both, as one file.
std::string crds_text();

}  // namespace skbtrail
