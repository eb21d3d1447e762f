#pragma once
// Result<T>: a value or an Error whose message names the steps, outermost first.

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace skbtrail {

// What went wrong. `code` is a positive errno value and decides the exit code; `message` is one line.
struct Error {
  int code = EINVAL;
  std::string message;
};

// "attach kprobe 'ip_rcv': No such file or directory"
[[nodiscard]] inline Error fail(int code, std::string_view doing) {
  return {code, std::string(doing) + ": " + std::strerror(code)};
}

// An error whose message is already complete: object, cause and cure.
[[nodiscard]] inline Error refuse(int code, std::string message) {
  return {code, std::move(message)};
}

// Puts the outer step in front: "load tracer: " + inner message.
[[nodiscard]] inline Error within(std::string_view doing, Error inner) {
  inner.message = std::string(doing) + ": " + inner.message;
  return inner;
}

template <class T = void>
class [[nodiscard]] Result {
  using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

public:
  Result() requires std::is_void_v<T> = default;
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  Result(Value value) requires(!std::is_void_v<T>) : state_(std::in_place_index<0>, std::move(value)) {}

  explicit operator bool() const { return state_.index() == 0; }
  Value& operator*() { return std::get<0>(state_); }
  const Value& operator*() const { return std::get<0>(state_); }
  Value* operator->() { return &std::get<0>(state_); }
  const Value* operator->() const { return &std::get<0>(state_); }
  Error& error() { return std::get<1>(state_); }
  const Error& error() const { return std::get<1>(state_); }

private:
  std::variant<Value, Error> state_;
};

// Unwraps a Result or returns its error from the enclosing function. The only control-flow macro.
#define TRY(expression)                  \
  __extension__({                        \
    auto result_ = (expression);         \
    if (!result_) [[unlikely]]           \
      return std::move(result_.error()); \
    std::move(*result_);                 \
  })

}  // namespace skbtrail
