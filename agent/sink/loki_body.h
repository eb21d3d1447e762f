#pragma once
// Lines as the body of a request to Loki's push API (POST /loki/api/v1/push, JSON). Pure.

#include <map>
#include <memory>
#include <span>
#include <string>

#include "sink/line_batch.h"

namespace skbtrail {

// Labels that every stream has, beside `type` and, where there is one, `session`.
using LokiLabels = std::map<std::string, std::string>;

// One stream for each session and type, with its lines in the order of `batches`. Empty: there is no line.
std::string loki_body(const LokiLabels& labels, std::span<const std::shared_ptr<const LineBatch>> batches);

}  // namespace skbtrail
