#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace trimtab {

/// The decision for one layer.
struct LayerDecision {
  std::string layer;
  std::int64_t filters = 0;         ///< that stay
  std::int64_t filters_before = 0;  ///< that the network came with
  int weight_bits = 0;              ///< 0: it has no weights
  int activation_bits = 0;
};

/// A plan, or what else was decided for every layer of a network.
struct PlanPicture {
  std::string title;
  std::vector<LayerDecision> layers;  ///< in the order of execution
};

/// Draws the plans one below the other into `folder`/NAME.svg and .png: the share of filters that stay and the bits, by
/// layer. Beside them NAME.csv and NAME.json with the same numbers. Throws Error as `draw`.
void draw_plans(const std::filesystem::path& folder, const std::string& name, const std::vector<PlanPicture>& plans);

}  // namespace trimtab
