#include "kernel/kallsyms.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>

namespace skbtrail {
namespace {

// Nothing says where the last function before a hole ends. No kernel function comes near this size.
constexpr std::uint64_t kLongestFunction = 256 << 10;

// Positions that the linker script names. Nobody runs there, and what follows the ends is no text at all.
bool is_section_marker(std::string_view name) {
  return name == "_text" || name == "_stext" || name == "_etext" || name == "_sinittext" || name == "_einittext" ||
         name.ends_with("_text_start") || name.ends_with("_text_end");
}

// 6.2 with CONFIG_CALL_PADDING: every function has a twin that names the padding in front of it.
bool is_padding(std::string_view name) {
  return name.starts_with("__pfx_") || name.starts_with("__cfi_");
}

constexpr std::string_view kPerCpuOffsets = "__per_cpu_offset";

bool is_text(char type) {
  return type == 't' || type == 'T' || type == 'w' || type == 'W';
}

Result<> check_content(std::size_t lines, bool any_address) {
  if (lines == 0)
    return refuse(ENOTSUP, "read kallsyms: it is empty, the kernel was built without CONFIG_KALLSYMS");
  if (!any_address)
    return refuse(EPERM,
                  "read kallsyms: all addresses are hidden: run with CAP_SYSLOG and set kernel.kptr_restrict below 2 "
                  "(sysctl -w kernel.kptr_restrict=1)");
  return {};
}

}  // namespace

// Takes the text in pieces, so that its megabytes need never be held at once, and becomes a Kallsyms at the end.
class KallsymsReader final {
public:
  KallsymsReader() {
    // What a kernel of a distribution has; growing step by step would copy and clear these megabytes several times.
    entries_.reserve(1U << 18);
    names_.reserve(4U << 20);
  }
  Result<> add(std::string_view piece);
  // Of what was added so far.
  Result<> check() const { return check_content(lines_, any_address_); }
  Result<Kallsyms> finish();

private:
  static constexpr std::uint32_t kNoName = Kallsyms::kNoName;

  struct Entry {
    std::uint64_t address;
    std::uint32_t name_at;
    std::uint16_t module;
    bool is_function() const { return name_at != kNoName; }
  };

  Result<> add_line(std::string_view line);
  bool parse(std::string_view text);
  std::optional<std::uint16_t> module_index(std::string_view module);
  void sort();
  void drop_silent();

  std::string unfinished_;  // the start of a line whose end is still to come
  std::size_t lines_ = 0;
  bool any_address_ = false;
  std::vector<Entry> entries_;
  std::string names_;
  std::vector<std::string> modules_{""};
  std::uint64_t per_cpu_offsets_ = 0;
  std::unordered_map<std::string, std::uint16_t> module_numbers_{{"", 0}};
  std::uint16_t last_module_ = 0;
};

Result<> KallsymsReader::add(std::string_view piece) {
  for (auto end = piece.find('\n'); end != std::string_view::npos; end = piece.find('\n')) {
    if (unfinished_.empty()) {
      TRY(add_line(piece.substr(0, end)));
    } else {
      unfinished_ += piece.substr(0, end);
      TRY(add_line(unfinished_));
      unfinished_.clear();
    }
    piece.remove_prefix(end + 1);
  }
  unfinished_ += piece;
  return {};
}

Result<> KallsymsReader::add_line(std::string_view line) {
  ++lines_;
  if (!parse(line))
    return refuse(EBADMSG, "read kallsyms: line " + std::to_string(lines_) + " is not 'ADDRESS TYPE NAME'");
  return {};
}

// Lines of one module follow each other, so the last answer is nearly always right.
std::optional<std::uint16_t> KallsymsReader::module_index(std::string_view module) {
  if (modules_[last_module_] == module)
    return last_module_;
  if (modules_.size() > std::numeric_limits<std::uint16_t>::max())
    return std::nullopt;
  const auto number = static_cast<std::uint16_t>(modules_.size());
  const auto [found, added] = module_numbers_.try_emplace(std::string(module), number);
  if (added)
    modules_.emplace_back(module);
  last_module_ = found->second;
  return last_module_;
}

bool KallsymsReader::parse(std::string_view text) {
  Entry entry{.address = 0, .name_at = kNoName, .module = 0};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), entry.address, 16);
  if (error != std::errc{})
    return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.size() < 4 || text[0] != ' ' || text[2] != ' ' || text[3] == '\t')
    return false;
  any_address_ |= entry.address != 0;
  const char type = text[1];
  text.remove_prefix(3);
  // Of what is no function the address is enough.
  if (!is_text(type)) {
    if (text == kPerCpuOffsets)
      per_cpu_offsets_ = entry.address;
    entries_.push_back(entry);
    return true;
  }

  std::string_view name = text;
  if (text.back() == ']') {
    const auto tab = text.find('\t');
    if (tab == std::string_view::npos || text.size() - tab < 4 || text[tab + 1] != '[')
      return false;
    const auto module = module_index(text.substr(tab + 2, text.size() - tab - 3));
    if (!module)
      return false;
    entry.module = *module;
    name = text.substr(0, tab);
  }
  // Names are kept with a zero byte behind them.
  if (name.find('\0') != std::string_view::npos || names_.size() + name.size() >= kNoName)
    return false;
  if (is_padding(name))
    return true;
  if (!is_section_marker(name)) {
    entry.name_at = static_cast<std::uint32_t>(names_.size());
    names_.append(name).push_back('\0');
  }
  entries_.push_back(entry);
  return true;
}

// vmlinux comes sorted, modules do not: only the tail costs. Functions keep the order of the file at one address,
// and whatever ends a function stands before the one that begins there.
void KallsymsReader::sort() {
  const auto before = [](const Entry& left, const Entry& right) {
    return left.address != right.address ? left.address < right.address : left.is_function() < right.is_function();
  };
  const auto tail = std::is_sorted_until(entries_.begin(), entries_.end(), before);
  std::stable_sort(tail, entries_.end(), before);
  std::inplace_merge(entries_.begin(), tail, entries_.end(), before);
}

// Of a run of things that are no functions only the first matters: it ends the function before.
void KallsymsReader::drop_silent() {
  bool after_function = false;
  std::erase_if(entries_, [&](const Entry& entry) {
    const bool keep = entry.is_function() || after_function;
    after_function = entry.is_function();
    return !keep;
  });
}

Result<Kallsyms> KallsymsReader::finish() {
  if (!unfinished_.empty())
    TRY(add_line(unfinished_));
  TRY(check());
  sort();
  drop_silent();
  names_.shrink_to_fit();
  Kallsyms symbols;
  symbols.names_ = std::move(names_);
  symbols.modules_ = std::move(modules_);
  symbols.per_cpu_offsets_ = per_cpu_offsets_;
  symbols.addresses_.reserve(entries_.size());
  symbols.name_at_.reserve(entries_.size());
  symbols.module_of_.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    symbols.addresses_.push_back(entry.address);
    symbols.name_at_.push_back(entry.name_at);
    symbols.module_of_.push_back(entry.module);
  }
  return symbols;
}

Result<Kallsyms> Kallsyms::parse(std::string_view text) {
  KallsymsReader reader;
  TRY(reader.add(text));
  return reader.finish();
}

Result<Kallsyms> Kallsyms::read(const HostRoot& host) {
  KallsymsReader reader;
  TRY(host.read_pieces("/proc/kallsyms", [&](std::string_view piece) { return reader.add(piece); }));
  return reader.finish();
}

// x86-64 puts variables of each CPU first, of which one may be at zero: not all of them are.
Result<> Kallsyms::check_shown(const HostRoot& host) {
  KallsymsReader reader;
  const auto start = TRY(host.read_start("/proc/kallsyms"));
  // The last line may be cut short.
  TRY(reader.add(std::string_view(start).substr(0, start.rfind('\n') + 1)));
  return reader.check();
}

Symbol Kallsyms::resolve(std::uint64_t address) const {
  Symbol unknown = unnamed_symbol(address);
  const auto above = std::ranges::upper_bound(addresses_, address);
  if (above == addresses_.begin())
    return unknown;
  auto entry = static_cast<std::size_t>(above - addresses_.begin()) - 1;
  if (!is_function(entry) || address - addresses_[entry] >= kLongestFunction)
    return unknown;
  // Of several names for one address the kernel itself shows the first.
  while (entry > 0 && is_function(entry - 1) && addresses_[entry - 1] == addresses_[entry])
    --entry;
  return {
      .name = std::string(name(entry)), .offset = address - addresses_[entry], .module = modules_[module_of_[entry]]};
}

std::vector<std::uint64_t> Kallsyms::addresses(std::string_view wanted, std::string_view module) const {
  std::vector<std::uint64_t> found;
  for_each([&](std::uint64_t address, std::string_view name, std::string_view of) {
    if (name == wanted && of == module && (found.empty() || found.back() != address))
      found.push_back(address);
  });
  return found;
}

std::size_t Kallsyms::bytes() const {
  return addresses_.capacity() * sizeof addresses_[0] + name_at_.capacity() * sizeof name_at_[0] +
         module_of_.capacity() * sizeof module_of_[0] + names_.capacity();
}

}  // namespace skbtrail
