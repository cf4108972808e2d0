#include "report/advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace trimtab {
namespace {

/// Of the outputs, where one layer alone is quantized: what lies above disturbs no answer that is not a tie.
constexpr double harmless_db = 40;
/// Share of a value's numbers beyond its grid that shows in the answers.
constexpr double notable_saturation_percent = 0.1;

double loss_db(const Facts& layer) {
  return number_or(layer, "alone_sqnr_db", std::numeric_limits<double>::infinity());
}

std::string plan_entry(const std::string& layer, const char* key, int bits) {
  std::string name;
  for (const char c : layer) {  // a basic string of TOML
    if (c == '"' || c == '\\') name += '\\';
    name += c;
  }
  return fmt::format("[[layer]]\nname = \"{}\"\n{} = {}\n", name, key, bits);
}

}  // namespace

std::vector<Facts> layers_by_loss(const Facts& accuracy) {
  std::vector<Facts> layers(list(accuracy, "layers").begin(), list(accuracy, "layers").end());
  std::stable_sort(layers.begin(), layers.end(),
                   [](const Facts& a, const Facts& b) { return loss_db(a) < loss_db(b); });
  return layers;
}

std::vector<Advice> advise(const Facts& layer) {
  std::vector<Advice> advice;
  if (loss_db(layer) >= harmless_db) return advice;
  const std::string name = words(layer, "layer");
  const double weights = number_or(layer, "weights_alone_sqnr_db", std::numeric_limits<double>::infinity());
  const double activations = number_or(layer, "activations_alone_sqnr_db", std::numeric_limits<double>::infinity());
  const int weight_bits = bit_width(layer, "weight_bits");
  const int activation_bits = bit_width(layer, "activation_bits");
  // a bit more is a quarter of the error's power: 6 dB
  if (weights <= activations) {
    if (weight_bits > 0 && weight_bits < 8) {
      const int more = std::min(8, weight_bits + 2);
      advice.push_back(
          {fmt::format("Its weights lose most. Give them {} bits.", more), plan_entry(name, "weight_bits", more)});
      advice.push_back({"Or train under the plan: --epochs 5 or more.", ""});
    } else if (weight_bits == 8) {
      advice.push_back(
          {"Its weights lose most, at 8 bits already: some filters have weights of very different size. "
           "Training under the plan helps (--epochs), and so do 16 bits.",
           plan_entry(name, "weight_bits", 16)});
    }
  } else {
    const double saturated = number_or(layer, "saturated_percent", 0);
    if (saturated > notable_saturation_percent) {
      advice.push_back({fmt::format("{:.2g} % of its numbers lie beyond the grid. Try --calibration min-max, or more "
                                    "calibration: --calibration-samples 0 takes all.",
                                    saturated),
                        ""});
    }
    if (activation_bits > 0 && activation_bits < 8) {
      const int more = activation_bits < 4 ? 4 : 8;
      advice.push_back({fmt::format("Rounding its output loses most. Give the output {} bits.", more),
                        plan_entry(name, "activation_bits", more)});
    } else if (activation_bits == 8) {
      if (number_or(layer, "unused_percent", 0) > 40) {
        advice.push_back({fmt::format("No number of it reaches {:.0f} % of its grid. A zero point would use the grid "
                                      "better: calibrate it with other --calibration or more --calibration-samples.",
                                      number_or(layer, "unused_percent", 0)),
                          ""});
      }
      advice.push_back({"Rounding its output loses most, at 8 bits already. 16 bits are exact enough, on slow kernels.",
                        plan_entry(name, "activation_bits", 16)});
    }
  }
  return advice;
}

}  // namespace trimtab
