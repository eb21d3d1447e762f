#include "kernel/record_ring.h"

#include <bpf/libbpf.h>

namespace skbtrail {
namespace {

// What the callback returns to stop libbpf's loop; any negative value does, none of its own errors is this one.
constexpr int kStop = -ECANCELED;

}  // namespace

Result<std::unique_ptr<RecordRing>> RecordRing::open(int ring_fd, Visit visit) {
  std::unique_ptr<RecordRing> ring{new RecordRing(std::move(visit))};
  ring->ring_ = ring_buffer__new(ring_fd, &RecordRing::on_record, ring.get(), nullptr);
  if (const int err = errno; !ring->ring_)
    return fail(err, "map the ring of trace records");
  return ring;
}

RecordRing::~RecordRing() {
  ring_buffer__free(ring_);
}

Result<bool> RecordRing::consume() {
  visited_ = 0;
  const int got = ring_buffer__consume(ring_);
  if (got < 0 && got != kStop)
    return fail(-got, "read the ring of trace records");
  return visited_ > 0;
}

int RecordRing::on_record(void* self, void* bytes, std::size_t size) {
  auto& ring = *static_cast<RecordRing*>(self);
  ++ring.visited_;
  return ring.visit_({static_cast<const std::byte*>(bytes), size}) ? 0 : kStop;
}

}  // namespace skbtrail
