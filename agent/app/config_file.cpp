#include "app/config_file.h"

#include <yaml-cpp/yaml.h>

#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "app/config_rows.h"
#include "base/nearest_name.h"

namespace skbtrail {
namespace {

std::string hint(std::string_view wrong, const std::vector<std::string>& known) {
  const std::string near = nearest_name(wrong, known);
  return near.empty() ? "; docs/configuration.md lists them" : "; did you mean '" + near + "'?";
}

// What stands before a dot of some key: "rest", "rest.tls".
std::set<std::string> sections() {
  std::set<std::string> found;
  for (const ConfigRow& row : config_rows())
    for (auto dot = row.key.find('.'); dot != std::string_view::npos; dot = row.key.find('.', dot + 1))
      found.emplace(row.key.substr(0, dot));
  return found;
}

class FileReader {
public:
  FileReader(AgentConfig& config, std::string name) : config_(config), name_(std::move(name)) {}

  Result<> read(const std::string& yaml) {
    if (yaml.size() > kMaxConfigBytes)
      return refuse(EFBIG, name_ + ": has more than " + std::to_string(kMaxConfigBytes) + " bytes");
    try {
      const auto documents = YAML::LoadAll(yaml);
      if (documents.size() > 1)
        return refuse(EINVAL, name_ + ": has more than one document");
      return documents.empty() ? Result<>{} : read_section(documents.front(), "");
    } catch (const YAML::Exception& error) {
      return at(error.mark, error.msg);
    }
  }

private:
  Error at(const YAML::Mark& mark, const std::string& what) const {
    const bool known = mark.line >= 0;
    return refuse(EINVAL, name_ + ":" + (known ? std::to_string(mark.line + 1) + ":" : "") + " " + what);
  }

  // Sections are two deep at most, so an alias that names itself ends too.
  Result<> read_section(const YAML::Node& node, const std::string& path) {
    if (node.IsNull())
      return {};
    if (!node.IsMap())
      return at(node.Mark(), path.empty() ? "is not a map of keys" : "'" + path + "' has keys below it, not a value");
    for (const auto& entry : node) {
      const YAML::Node& name = entry.first;
      if (!name.IsScalar())
        return at(name.Mark(), "a key is a word");
      TRY(read_key(name.Mark(), entry.second, path.empty() ? name.Scalar() : path + "." + name.Scalar()));
    }
    return {};
  }

  Result<> read_key(const YAML::Mark& mark, const YAML::Node& value, const std::string& key) {
    if (!seen_.insert(key).second)
      return at(mark, "'" + key + "' is there twice");
    static const std::set<std::string> kKnownSections = sections();
    if (kKnownSections.contains(key))
      return read_section(value, key);
    const ConfigRow* row = find_config_row(key);
    if (!row)
      return at(mark, "unknown key '" + key + "'" + hint(key, known_names()));
    const auto done = read_value(*row, value);
    return done ? Result<>{} : at(mark, key + ": " + done.error().message);
  }

  Result<> read_value(const ConfigRow& row, const YAML::Node& value) {
    if (value.IsNull())
      return {};
    if (const auto* labels = std::get_if<config_value::Labels>(&row.kind); labels && value.IsMap())
      return read_labels(*labels, value);
    if (!value.IsScalar())
      return refuse(EINVAL, "has one value, not a list or a map");
    return put_config_value(config_, row, value.Scalar());
  }

  Result<> read_labels(const config_value::Labels& kind, const YAML::Node& node) {
    std::map<std::string, std::string> labels;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar() || !entry.second.IsScalar())
        return refuse(EINVAL, "a label has one value");
      if (!labels.emplace(entry.first.Scalar(), entry.second.Scalar()).second)
        return refuse(EINVAL, "label '" + entry.first.Scalar() + "' is there twice");
    }
    return put_config_labels(config_, kind, std::move(labels));
  }

  static std::vector<std::string> known_names() {
    std::vector<std::string> names;
    for (const ConfigRow& row : config_rows())
      names.emplace_back(row.key);
    for (const std::string& section : sections())
      names.push_back(section);
    return names;
  }

  AgentConfig& config_;
  std::string name_;
  std::set<std::string> seen_;
};

}  // namespace

Result<> read_config_file(AgentConfig& config, const std::string& yaml, const std::string& name) {
  return FileReader(config, name).read(yaml);
}

}  // namespace skbtrail
