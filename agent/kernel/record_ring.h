#pragma once
// RecordRing: takes the records that the tracer wrote, in the order in which they were reserved.

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "base/result.h"

struct ring_buffer;

namespace skbtrail {

// Used by one thread. The map must outlive it.
class RecordRing final {
public:
  // Called for each record; the bytes are gone after it returns. False: stop after this one.
  using Visit = std::function<bool(std::span<const std::byte>)>;

  static Result<std::unique_ptr<RecordRing>> open(int ring_fd, Visit visit);
  ~RecordRing();
  RecordRing(const RecordRing&) = delete;
  RecordRing& operator=(const RecordRing&) = delete;

  // Visits what is there without waiting. Returns whether there was anything.
  Result<bool> consume();

private:
  explicit RecordRing(Visit visit) : visit_(std::move(visit)) {}
  static int on_record(void* self, void* bytes, std::size_t size);

  Visit visit_;
  std::size_t visited_ = 0;
  ring_buffer* ring_ = nullptr;
};

}  // namespace skbtrail
