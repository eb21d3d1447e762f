#pragma once
// The tables of docs/tracesession.md, from session/session_schema.h. Pure.

#include <string>

namespace skbtrail {

std::string spec_table();
std::string status_table();
std::string node_table();

}  // namespace skbtrail
