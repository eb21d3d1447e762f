#include "app/crds_text.h"

#include "app/yaml_text.h"
#include "session/session_crd.h"

namespace skbtrail {

std::string crd_text(SessionKind kind) {
  return yaml_text(crd_of(kind));
}

std::string crds_text() {
  std::string text;
  for (const auto kind : kSessionKinds)
    text += (text.empty() ? "" : "---\n") + crd_text(kind);
  return text;
}

}  // namespace skbtrail
