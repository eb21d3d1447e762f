#include "app/crds_text.h"

#include <yaml-cpp/yaml.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "app/session_tables.h"
#include "app/yaml_text.h"
#include "session/session_crd.h"

using namespace skbtrail;
using nlohmann::ordered_json;

namespace {

std::string file_text(const std::string& path) {
  std::ifstream file(std::string(SKBTRAIL_SOURCE_DIR) + "/" + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What another reader of YAML makes of it: quoted texts stay texts, the rest is what it looks like.
ordered_json read_back(const YAML::Node& node) {
  if (node.IsMap()) {
    ordered_json object = ordered_json::object();
    for (const auto& one : node)
      object[one.first.Scalar()] = read_back(one.second);
    return object;
  }
  if (node.IsSequence()) {
    ordered_json list = ordered_json::array();
    for (const auto& one : node)
      list.push_back(read_back(one));
    return list;
  }
  if (node.IsNull())
    return nullptr;
  const auto parsed =
      node.Tag() == "!" ? ordered_json(node.Scalar()) : ordered_json::parse(node.Scalar(), nullptr, false);
  return parsed.is_discarded() ? ordered_json(node.Scalar()) : parsed;
}

}  // namespace

TEST_CASE("the definitions in k8s/crds are those of the program") {
  for (const auto kind : kSessionKinds) {
    const auto path = "k8s/crds/" + std::string(names_of(kind).plural) + ".yaml";
    INFO(path << " is written by: skbtrail crds");
    CHECK(file_text(path) == crd_text(kind));
  }
}

TEST_CASE("the definitions say the same as YAML and as JSON") {
  for (const auto kind : kSessionKinds)
    CHECK(read_back(YAML::Load(crd_text(kind))) == crd_of(kind));
}

TEST_CASE("texts that YAML would take for something else are quoted") {
  CHECK(yaml_text({{"a", "yes"}, {"b", "1h"}, {"c", "plain words"}, {"d", "a: b"}, {"e", ""}, {"f", "null"}}) ==
        "a: \"yes\"\nb: \"1h\"\nc: plain words\nd: \"a: b\"\ne: \"\"\nf: \"null\"\n");
  CHECK(yaml_text({{"on", 1},
                   {"list", {{{"x", true}, {"b", ordered_json::array({1, 2})}}, "z"}},
                   {"none", ordered_json::object()}}) ==
        "\"on\": 1\nlist:\n- x: true\n  b:\n  - 1\n  - 2\n- z\nnone: {}\n");
}

TEST_CASE("docs/tracesession.md has the tables of the program") {
  const auto page = file_text("docs/tracesession.md");
  for (const auto& table : {spec_table(), status_table(), node_table()}) {
    INFO(table);
    CHECK(page.find(table) != std::string::npos);
  }
}
