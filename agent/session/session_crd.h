#pragma once
// The CustomResourceDefinitions of both kinds, made from session/session_schema.h. Pure.

#include <nlohmann/json.hpp>

#include "session/session_schema.h"

namespace skbtrail {

// The keys stand in the order in which people write them.
nlohmann::ordered_json crd_of(SessionKind kind);

}  // namespace skbtrail
