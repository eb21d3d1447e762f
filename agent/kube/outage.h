#pragma once
// Outage: for how long nobody could be heard. Pure; used by one thread.

#include <chrono>
#include <optional>

namespace skbtrail {

class Outage final {
public:
  using Time = std::chrono::steady_clock::time_point;

  // `grace`: so long after an outage others are still on their way back.
  explicit Outage(std::chrono::seconds grace) : grace_(grace) {}

  // Of each look at whether the API server is followed.
  void look(bool is_followed, Time now) {
    if (!is_followed) {
      began_ = began_.value_or(now);
      over_.reset();
    } else if (began_) {
      over_ = over_.value_or(now);
      if (now - *over_ >= grace_)
        began_ = over_ = std::nullopt;
    }
  }

  // Since it began, until all have had their time to come back; else zero.
  std::chrono::seconds length(Time now) const {
    return began_ ? std::chrono::ceil<std::chrono::seconds>(now - *began_) : std::chrono::seconds(0);
  }

private:
  std::chrono::seconds grace_;
  std::optional<Time> began_ = {};
  std::optional<Time> over_ = {};
};

}  // namespace skbtrail
