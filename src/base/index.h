#pragma once

#include <concepts>
#include <cstddef>
#include <utility>

namespace trimtab {

/// The element at an id or another whole number, which is not negative: containers count in std::size_t, ids and sizes
/// of tensors are signed.
template <typename Container>
[[nodiscard]] constexpr decltype(auto) nth(Container&& container, std::integral auto index) {
  return std::forward<Container>(container)[static_cast<std::size_t>(index)];
}

}  // namespace trimtab
