#include "sink/backup_names.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>

namespace skbtrail {
namespace {

constexpr std::string_view kCompressed = ".gz";
constexpr std::size_t kTimeLength = std::string_view("2026-11-24T09-00-00.123").size();
constexpr std::int64_t kDayMs = 24LL * 60 * 60 * 1000;

// "trace" and ".json"; a dot in front begins no extension.
struct FileName {
  std::string_view stem;
  std::string_view extension;
};

FileName parts_of(std::string_view file) {
  const auto dot = file.rfind('.');
  if (dot == std::string_view::npos || dot == 0)
    return {.stem = file, .extension = {}};
  return {.stem = file.substr(0, dot), .extension = file.substr(dot)};
}

std::string time_text(std::int64_t local_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> time{milliseconds(local_ms)};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  std::array<char, 64> text{};
  (void)std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d-%02d-%02d.%03d", static_cast<int>(date.year()),
                      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text.data();
}

// Exactly what time_text() makes.
std::optional<std::int64_t> parse_time(const std::string& text) {
  using namespace std::chrono;
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int millisecond = 0;
  // NOLINTNEXTLINE(cert-err34-c): what it took for a number is held against the text below
  if (std::sscanf(text.c_str(), "%4d-%2u-%2uT%2d-%2d-%2d.%3d", &year, &month, &day, &hour, &minute, &second,
                  &millisecond) != 7)
    return std::nullopt;
  const year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok())
    return std::nullopt;
  const auto time = sys_days(date) + hours(hour) + minutes(minute) + seconds(second) + milliseconds(millisecond);
  const std::int64_t local_ms = duration_cast<milliseconds>(time.time_since_epoch()).count();
  return time_text(local_ms) == text ? std::optional(local_ms) : std::nullopt;
}

bool is_compressed(std::string_view name) {
  return name.ends_with(kCompressed);
}

}  // namespace

std::string backup_name(std::string_view file, std::int64_t local_ms) {
  const auto parts = parts_of(file);
  return std::string(parts.stem) + "-" + time_text(local_ms) + std::string(parts.extension);
}

std::optional<std::int64_t> backup_time(std::string_view file, std::string_view candidate) {
  const auto parts = parts_of(file);
  const std::size_t length = parts.stem.size() + 1 + kTimeLength + parts.extension.size();
  if (candidate.size() == length + kCompressed.size() && is_compressed(candidate))
    candidate.remove_suffix(kCompressed.size());
  if (candidate.size() != length || !candidate.starts_with(parts.stem) || candidate[parts.stem.size()] != '-' ||
      !candidate.ends_with(parts.extension))
    return std::nullopt;
  return parse_time(std::string(candidate.substr(parts.stem.size() + 1, kTimeLength)));
}

BackupPlan plan_backups(std::string_view file, const std::vector<std::string>& names, const BackupRules& rules,
                        std::int64_t now_local_ms) {
  // The newest first; one that exists with and without compression is one backup.
  std::map<std::int64_t, std::vector<std::string>, std::greater<>> backups;
  for (const auto& name : names)
    if (const auto time = backup_time(file, name))
      backups[*time].push_back(name);
  BackupPlan plan;
  std::uint32_t kept = 0;
  for (const auto& [time, forms] : backups) {
    const bool too_many = rules.max_count > 0 && kept >= rules.max_count;
    const bool too_old = rules.max_age_days > 0 && now_local_ms - time > rules.max_age_days * kDayMs;
    if (too_many || too_old) {
      plan.remove.insert(plan.remove.end(), forms.begin(), forms.end());
      continue;
    }
    ++kept;
    const bool done = std::ranges::any_of(forms, is_compressed);
    for (const auto& name : forms) {
      if (is_compressed(name))
        continue;
      // Beside its compressed form, which gets its name when it is complete, it is a leftover.
      if (done)
        plan.remove.push_back(name);
      else if (rules.compress)
        plan.compress.push_back(name);
    }
  }
  return plan;
}

}  // namespace skbtrail
