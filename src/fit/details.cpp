#include "fit/details.h"

#include <algorithm>

#include "base/base64.h"
#include "emit/details.h"
#include "study/summary.h"

namespace trimtab {
namespace {

using nlohmann::ordered_json;

/// Under their keys those that are there.
void add(ordered_json& json, const char* key, const std::optional<double>& value) {
  if (value) json[key] = *value;
}

ordered_json grid_json(const ActivationGrid& grid) {
  return {{"step", static_cast<double>(grid.scale)},
          {"low", grid.lowest_step() * static_cast<double>(grid.scale)},
          {"high", grid.highest_step() * static_cast<double>(grid.scale)},
          {"signed", grid.is_signed},
          {"zero_point", grid.zero_point}};
}

ordered_json accuracy_json(const FitOptions& options, const FitResult& result) {
  auto layers = ordered_json::array();
  const Plan& plan = result.network.plan;
  for (const LayerError& error : result.errors.layers) {
    ordered_json layer = {{"layer", error.layer}};
    const auto weighted = std::ranges::find_if(result.network.graph.nodes, [&](const Node& node) {
      return node.name == error.layer && weight_of(node.op) != nullptr;
    });
    const LayerPlan* planned = find_layer(plan, error.layer);
    if (planned != nullptr && weighted != result.network.graph.nodes.end()) layer["weight_bits"] = planned->weight_bits;
    layer["activation_bits"] = error.grid.bits;
    add(layer, "sqnr_db", error.sqnr_db);
    add(layer, "cosine", error.cosine);
    layer["largest_error"] = error.largest_error;
    layer["saturated_percent"] = error.saturated_percent;
    layer["unused_percent"] = error.unused_percent;
    add(layer, "alone_sqnr_db", error.alone_sqnr_db);
    add(layer, "weights_alone_sqnr_db", error.weights_alone_sqnr_db);
    add(layer, "activations_alone_sqnr_db", error.activations_alone_sqnr_db);
    layer["grid"] = grid_json(error.grid);
    layer["histogram"] = {{"low", error.low}, {"high", error.high}, {"counts", error.counts}};
    layers.push_back(layer);
  }
  return {{"samples", result.errors.samples},
          {"reference",
           options.train || result.search ? "the same trained weights in exact arithmetic" : "the float network"},
          {"layers", layers}};
}

ordered_json answers_json(const FitResult& result) {
  auto worst = ordered_json::array();
  for (const ReviewedSample& sample : result.worst) {
    worst.push_back({{"sample", sample.answer.sample},
                     {"label", sample.answer.label},
                     {"answer", sample.answer.answer},
                     {"answer_float", sample.answer.reference_answer},
                     {"probability", sample.answer.probability}});
    if (!sample.png.empty()) worst.back()["picture_png"] = base64(sample.png);
  }
  return {{"classes", result.program.classes}, {"confusion", result.confusion}, {"worst", worst}};
}

ordered_json tried_json(const Task& task, const PlanSearchResult& search) {
  const MeasureInfo& measure = info_of(measures_of(task).at(0));
  ordered_json json = {{"trials", ordered_json::array()}};
  std::vector<double> bytes;
  std::vector<double> goodness;
  for (const TriedPlan& tried : search.tried) {
    json["trials"].push_back({{"stage", tried.stage},
                              {"made_by", tried.made_by},
                              {"weights_kept", tried.share},
                              {"weights_bytes", tried.weights_bytes},
                              {"epochs", tried.epochs},
                              {measure.key, tried.score}});
    bytes.push_back(static_cast<double>(tried.weights_bytes));
    goodness.push_back(measure.larger_is_better ? tried.score : -tried.score);
  }
  json["front_weights_bytes"] = ordered_json::array();
  for (const std::size_t i : pareto_front(bytes, goodness)) {
    json["front_weights_bytes"].push_back(search.tried[i].weights_bytes);
    json[std::string("front_") + measure.key].push_back(search.tried[i].score);
  }
  return json;
}

}  // namespace

ordered_json details_json(const FitOptions& options, const FitResult& result) {
  ordered_json json = program_details(result.program, result.schedule, options.target, result.costs);
  json["accuracy"] = accuracy_json(options, result);
  if (!result.confusion.empty()) json["answers"] = answers_json(result);
  if (result.search) json["search"] = tried_json(result.task, *result.search);
  return json;
}

}  // namespace trimtab
