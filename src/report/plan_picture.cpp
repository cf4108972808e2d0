#include "report/plan_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/text.h"
#include "report/plot.h"

namespace trimtab {
namespace {

using nlohmann::ordered_json;

Plot plot_of(const PlanPicture& plan) {
  Plot plot;
  plot.title = plan.title;
  plot.x_label = "layer";
  plot.y_label = "filters kept, %";
  plot.right_label = "bits";
  plot.y_from_zero = plot.right_from_zero = true;
  Curve filters;
  filters.title = "filters";
  Curve weights;
  weights.title = "weight bits";
  Curve activations;
  activations.title = "activation bits";
  for (Curve* curve : {&filters, &weights, &activations}) curve->steps = true;
  weights.right_axis = activations.right_axis = true;
  // a staircase shows a value from its x to the next one: the last layer gets a step of its own
  for (std::size_t i = 0; i <= plan.layers.size(); ++i) {
    const LayerDecision& layer = plan.layers[std::min(i, plan.layers.size() - 1)];
    const auto x = static_cast<double>(i);
    filters.x.push_back(x);
    filters.y.push_back(100 * static_cast<double>(layer.filters) / static_cast<double>(layer.filters_before));
    if (layer.weight_bits > 0) {
      weights.x.push_back(x);
      weights.y.push_back(layer.weight_bits);
    }
    activations.x.push_back(x);
    activations.y.push_back(layer.activation_bits);
    if (i < plan.layers.size()) plot.x_names.push_back(layer.layer);
  }
  plot.curves = {filters, weights, activations};
  return plot;
}

ordered_json json_of(const std::vector<PlanPicture>& plans) {
  ordered_json json = ordered_json::array();
  for (const PlanPicture& plan : plans) {
    ordered_json layers = ordered_json::array();
    for (const LayerDecision& layer : plan.layers)
      layers.push_back({{"layer", layer.layer},
                        {"filters", layer.filters},
                        {"filters_before", layer.filters_before},
                        {"weight_bits", layer.weight_bits},
                        {"activation_bits", layer.activation_bits}});
    json.push_back({{"title", plan.title}, {"layers", layers}});
  }
  return json;
}

std::string csv_of(const std::vector<PlanPicture>& plans) {
  std::string text = "plan,layer,filters,filters_before,weight_bits,activation_bits\n";
  for (const PlanPicture& plan : plans) {
    for (const LayerDecision& layer : plan.layers)
      text += fmt::format("{},{},{},{},{},{}\n", csv_field(plan.title), csv_field(layer.layer), layer.filters,
                          layer.filters_before, layer.weight_bits, layer.activation_bits);
  }
  return text;
}

}  // namespace

void draw_plans(const std::filesystem::path& folder, const std::string& name, const std::vector<PlanPicture>& plans) {
  std::vector<Plot> plots;
  for (const PlanPicture& plan : plans) {
    if (plan.layers.empty()) throw bad_input("the plan '{}' has no layers to draw", plan.title);
    plots.push_back(plot_of(plan));
  }
  make_directory(folder);
  write_file(folder / (name + ".csv"), csv_of(plans));
  write_file(folder / (name + ".json"), json_text(json_of(plans), 2) + "\n");
  for (const char* ending : {".svg", ".png"}) draw(folder / (name + ending), plots, 900, 240);
}

}  // namespace trimtab
