#include "sink/drop_reason_text.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <tuple>

using namespace skbtrail;

TEST_CASE("a reason that is newer than the list is still explained") {
  const auto text = explain_drop("core", "MOON_PHASE");
  CHECK(text.reason == "MOON_PHASE");
  CHECK(text.meaning == "the kernel dropped it for a reason that is newer than this list");
  CHECK_FALSE(text.check.empty());
}

TEST_CASE("a kernel that gives no reason is said to be too old for it") {
  CHECK(explain_drop({}, {}).meaning.find("5.17") != std::string_view::npos);
}

TEST_CASE("a reason of another subsystem is not mistaken for one of the core") {
  CHECK(explain_drop("mac80211_monitor", "NETFILTER_DROP").meaning == "the wireless stack dropped it");
}

TEST_CASE("every reason says what it means and what to check, on one line") {
  for (const auto& row : drop_reason_texts()) {
    INFO(row.reason);
    CHECK_FALSE(row.subsystem.empty());
    CHECK_FALSE(row.meaning.empty());
    CHECK_FALSE(row.check.empty());
    CHECK(row.meaning.find_first_of("\n\t") == std::string_view::npos);
    CHECK(row.check.find_first_of("\n\t") == std::string_view::npos);
    CHECK_FALSE(row.meaning.ends_with('.'));
    CHECK_FALSE(row.reason.starts_with("SKB_DROP"));
    CHECK(row.meaning.size() <= 120);
  }
}

TEST_CASE("the reasons are sorted and none is there twice") {
  const auto rows = drop_reason_texts();
  const auto order = [](const DropReasonText& a, const DropReasonText& b) {
    return std::tie(a.subsystem, a.reason) >= std::tie(b.subsystem, b.reason);
  };
  CHECK(std::adjacent_find(rows.begin(), rows.end(), order) == rows.end());
}

TEST_CASE("the list covers the core reasons of Linux 7.x") {
  const auto rows = drop_reason_texts();
  CHECK(std::ranges::count(rows, "core", &DropReasonText::subsystem) >= 132);
  for (const char* reason : {"NOT_SPECIFIED", "NO_SOCKET", "NETFILTER_DROP", "TCP_LISTEN_OVERFLOW", "IP_TTL_EXCEEDED",
                             "GRE_TUNNEL_NOT_FOUND", "RECURSION_LIMIT", "PSP_INPUT", "QDISC_BURST_DROP"})
    CHECK(explain_drop("core", reason).meaning.find("newer") == std::string_view::npos);
}

TEST_CASE("a netfilter drop is explained") {
  CHECK(explain_drop("core", "NETFILTER_DROP").meaning == "a netfilter rule (nftables/iptables) dropped it");
}
