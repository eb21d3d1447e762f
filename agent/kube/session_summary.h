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

// A node whose turn has not come so long after the session's creation is not expected to tell of it any more: those
// before it are of an hour at most.
constexpr std::chrono::minutes kLongestInLine{65};

// Nodes that should have told of their end, or of their turn and end, and have not. `now_s`: Unix time. `outage`: for
// so long until now nodes could not tell of anything, and are not late for that.
std::vector<std::string> overdue_nodes(const StoredSession& session, std::int64_t now_s,
                                       std::chrono::seconds outage = {});
// What is said of one.
std::string overdue_words(const NodeStatus& status);

// `status` as it should be now. A session that has ended does not begin again; its sums may still grow. `outage` as
// above.
OverallStatus summary_of(const StoredSession& session, std::int64_t now_s, std::chrono::seconds outage = {});

// Of a session that has ended: how long it is kept after that.
std::chrono::seconds kept_for(const StoredSession& session);
// By the object's own times: how long a session that has ended is kept from now on; of one that has not: for ever.
std::chrono::seconds until_deletion(const StoredSession& session, std::int64_t now_s);

}  // namespace skbtrail
