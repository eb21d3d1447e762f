#pragma once
// Authorizer: who asks, and whether he may. What stands behind it (a file of tokens, the kernel, Kubernetes) the REST
// front does not know.

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skbtrail {

// What a connection and its request bring along. Not yet believed.
struct Caller {
  std::optional<uid_t> uid = {};  // of the process at the other end of a unix socket: the kernel's word
  std::string token = {};         // of "Authorization: Bearer TOKEN"; empty: none
};

// Somebody who has been recognised.
struct Identity {
  std::string name;  // for the log and for `requested by`
  std::string uid = {};
  std::vector<std::string> groups = {};
  std::map<std::string, std::vector<std::string>> extra = {};  // kept for the authorizer that gave it
};

// What somebody wants to do, in the words of Kubernetes.
struct Access {
  std::string_view verb;            // create, get, list, delete, watch
  std::string_view group;           // "skbtrail.dev"; empty: the core's
  std::string_view resource;        // tracesessions, clustertracesessions, pods
  std::string namespace_name = {};  // empty: of the cluster, or in all namespaces
  std::string name = {};            // empty: of no certain object
};

// All methods: any thread, several at once. Each may wait, for two seconds at most: a connection's thread does.
class Authorizer {
public:
  virtual ~Authorizer() = default;
  // EACCES: nobody we know (401). Anything else: cannot be told now (503).
  virtual Result<Identity> identify(const Caller& caller) = 0;
  // EPERM: he may not (403); the message says what is lacking. Anything else: cannot be told now (503).
  virtual Result<> permit(const Identity& identity, const Access& access) = 0;
};

}  // namespace skbtrail
