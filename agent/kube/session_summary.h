#pragma once
// What the leader says of a session, from what its nodes have said. Pure.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "kube/stored_session.h"

namespace skbtrail {

// So long after its creation nodes may still come with a first word: nothing ends before.
constexpr std::chrono::seconds kSettle{5};
// A node that has not told of its end so long after it is not expected to any more.
constexpr std::chrono::seconds kOverdue{30};

// Nodes that began, and should have ended. `now_s`: Unix time.
std::vector<std::string> overdue_nodes(const StoredSession& session, std::int64_t now_s);

// `status` as it should be now. A session that has ended does not begin again; its sums may still grow.
OverallStatus summary_of(const StoredSession& session, std::int64_t now_s);

// How long a session that has ended is kept from now on; of one that has not: for ever.
std::chrono::seconds until_deletion(const StoredSession& session, std::int64_t now_s);
// Whether the object is to be deleted now.
bool is_due_for_deletion(const StoredSession& session, std::int64_t now_s);

}  // namespace skbtrail
