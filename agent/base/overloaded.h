#pragma once
// One visitor of several lambdas, for std::visit.

namespace skbtrail {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

}  // namespace skbtrail
