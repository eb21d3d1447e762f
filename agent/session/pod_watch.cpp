#include "session/pod_watch.h"

#include <algorithm>
#include <utility>

namespace skbtrail {

PodWatch::PodWatch(PodSource& source, PodQuery query, OnChange on_change)
    : source_(source),
      stage_([&source] { return source.current(); }, source.host_netns_inum()),
      query_(std::move(query)),
      on_change_(std::move(on_change)) {}

Result<> PodWatch::follow(TracerObject& tracer) {
  if (!stage_.is_empty())
    source_.hurry();
  if (!stage_.refresh() || !stage_.index())
    return follow_host(tracer);
  const PodIndex& index = *stage_.index();
  const auto selects = [this](const Pod& pod) { return query_.selects(pod); };
  if (!query_.empty()) {
    auto places = index.places_of(selects);
    if (query_.host_network)
      places.insert({.kind = ScopeKind::Netns, .id = source_.host_netns_inum()});
    TRY(tracer.set_scope(places));
    has_scope_ = true;
  }
  const auto selected = std::ranges::count_if(index.pods(), [&](const auto& pod) { return selects(*pod); });
  on_change_(index, static_cast<std::size_t>(selected));
  return {};
}

// The node's own packets are known before the runtime has answered, and also if it never does.
Result<> PodWatch::follow_host(TracerObject& tracer) {
  if (has_scope_ || !query_.host_network)
    return {};
  TRY(tracer.set_scope({{.kind = ScopeKind::Netns, .id = source_.host_netns_inum()}}));
  has_scope_ = true;
  return {};
}

}  // namespace skbtrail
