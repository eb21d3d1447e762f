#pragma once
// What Kubernetes takes for a name of an object, for a label's name and for its value. Pure.

#include <string_view>

namespace skbtrail {

// "web", "shop-2": at most 63 small letters, digits and '-'. Names of namespaces.
bool is_dns_label(std::string_view text);
// DNS labels with dots between them, at most 253 characters. Names of most objects.
bool is_dns_subdomain(std::string_view text);
// "app", "app.kubernetes.io/name".
bool is_label_key(std::string_view text);
// May be empty.
bool is_label_value(std::string_view text);

}  // namespace skbtrail
