#pragma once
// LabelSelector: Kubernetes' label selector expressions ("app=web,tier in (front,edge),!canary"), with the meaning and
// the bounds that Kubernetes gives them.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skbtrail {

class LabelSelector final {
public:
  static constexpr std::size_t kMaxLength = 4096;  // characters
  static constexpr std::size_t kMaxRequirements = 64;

  // EINVAL: the message names the column, from 1. An empty text selects everything.
  static Result<LabelSelector> parse(std::string_view text);

  // As it was written.
  const std::string& text() const { return text_; }
  bool matches(const std::map<std::string, std::string>& labels) const;

private:
  friend class LabelSelectorParser;

  enum class Operator : std::uint8_t { Exists, Absent, In, NotIn, Greater, Less };

  struct Requirement {
    std::string key;
    Operator op = Operator::Exists;
    std::vector<std::string> values = {};  // In and NotIn
    std::int64_t bound = 0;                // Greater and Less
  };

  static bool meets(const Requirement& requirement, const std::map<std::string, std::string>& labels);

  std::string text_;
  std::vector<Requirement> requirements_;  // all of them must be met
};

}  // namespace skbtrail
