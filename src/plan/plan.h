#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace trimtab {

/// The filters and bits of one layer (see plan/layers.h).
struct LayerPlan {
  std::string layer;
  std::int64_t filters = 0;  ///< output channels that stay; 0: all
  int weight_bits = 8;       ///< 2..8, or 16; meaningless where the layer has no weights
  int activation_bits = 8;   ///< of its output: 2, 4, 8 (16 on request); 2 to 8 at an operating point
  bool operator==(const LayerPlan&) const = default;
};

/// The filters and bits of every layer of a network.
struct Plan {
  std::vector<LayerPlan> layers;
  bool operator==(const Plan&) const = default;
};

/// Bytes of so many numbers, packed without gaps.
[[nodiscard]] constexpr std::int64_t dense_bytes(std::int64_t numbers, int bits) { return (numbers * bits + 7) / 8; }
/// Bytes of a layer's weights as kernels read them: every filter begins at a whole byte.
[[nodiscard]] constexpr std::int64_t packed_bytes(std::int64_t weights, std::int64_t filters, int bits) {
  return filters == 0 ? 0 : filters * dense_bytes(weights / filters, bits);
}

/// The plan's entry for a layer; null where there is none.
[[nodiscard]] const LayerPlan* find_layer(const Plan& plan, std::string_view layer);
[[nodiscard]] LayerPlan* find_layer(Plan& plan, std::string_view layer);

/// The same bits everywhere. The network's output (logits) gets 16 bits: classes that 8 bits would tie stay apart, at
/// no cost in weights. Throws Error (bad input) where bits are out of range.
[[nodiscard]] Plan uniform_plan(const Graph& graph, int weight_bits, int activation_bits);

/// The plan's text form, TOML:
///     [[layer]]
///     name = "conv1"
///     filters = 16
///     weight_bits = 4
///     activation_bits = 8
[[nodiscard]] std::string to_toml(const Plan& plan);

/// Reads the text form. Layers that it does not name keep `defaults`. Throws Error (bad input), naming `source` and the
/// layer, for unknown layers or keys, repeated layers, and numbers out of range.
[[nodiscard]] Plan parse_plan(std::string_view text, const Graph& graph, const Plan& defaults,
                              const std::string& source);

}  // namespace trimtab
