#include "report/explain_layer.h"

#include <fmt/format.h>

#include "base/error.h"
#include "report/advice.h"
#include "report/folder.h"
#include "report/widgets.h"

namespace trimtab {
namespace {

std::string row(const std::string& name, const std::string& text) {
  return text.empty() ? "" : fmt::format("{:<13} {}\n", name, text);
}

/// The element whose "layer" is the name; null where there is none.
const Facts* find_by_layer(const Facts& layers, const std::string& name) {
  for (const Facts& layer : layers) {
    if (words(layer, "layer") == name) return &layer;
  }
  return nullptr;
}

std::string decibels(const Facts& layer, const char* key, const char* of) {
  const auto value = number(layer, key);
  return value ? fmt::format("{:.1f} dB {}", *value, of) : std::string();
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) {
    if (!text.empty()) all += (all.empty() ? "" : ", ") + text;
  }
  return all;
}

std::string describe_form(const Facts& layer) {
  std::string shape;
  for (const double size : numbers(layer, "output_shape"))
    shape += fmt::format("{}{}", shape.empty() ? "" : "x", number_text(size));
  const double weights = number_or(layer, "weight_bits", 0);
  return joined({words(layer, "kind"), "output " + shape,
                 weights > 0 ? fmt::format("{:.0f} bits of weights", weights) : std::string(),
                 fmt::format("{:.0f} bits of output", number_or(layer, "activation_bits", 0))});
}

std::string describe_cost(const Facts& layer) {
  std::vector<std::string> parts;
  if (const auto count = number(layer, "instructions")) parts.push_back(number_text(*count) + " instructions");
  if (const auto cycles = number(layer, "estimated_cycles"))
    parts.push_back("an estimated " + number_text(*cycles) + " cycles");
  if (const auto bytes = number(layer, "constant_bytes")) parts.push_back(number_text(*bytes) + " bytes of constants");
  return joined(parts);
}

/// The lines about accuracy.
std::string describe_errors(const Facts& layer, std::size_t rank, std::size_t count) {
  std::string text = row("rank", fmt::format("{} of {}, by what the layer alone loses", rank + 1, count));
  text += row("alone", joined({decibels(layer, "alone_sqnr_db", "at the network's outputs"),
                               decibels(layer, "weights_alone_sqnr_db", "by its weights"),
                               decibels(layer, "activations_alone_sqnr_db", "by rounding its output")}));
  text += row("gathered", joined({decibels(layer, "sqnr_db", "at its own output, with everything quantized"),
                                  number(layer, "cosine") ? fmt::format("cosine {:.6f}", *number(layer, "cosine")) : "",
                                  fmt::format("largest error {:.3g}", number_or(layer, "largest_error", 0))}));
  const Facts& grid = fact(layer, "grid");
  const Facts& histogram = fact(layer, "histogram");
  text +=
      row("grid", fmt::format("{:.4g} to {:.4g} in steps of {:.3g}; its numbers lie from {:.4g} to {:.4g}, {:.2g} % "
                              "of them beyond the grid",
                              number_or(grid, "low", 0), number_or(grid, "high", 0), number_or(grid, "step", 0),
                              number_or(histogram, "low", 0), number_or(histogram, "high", 0),
                              number_or(layer, "saturated_percent", 0)));
  for (const Advice& advice : advise(layer)) {
    text += row("advice", advice.sentence);
    if (!advice.plan.empty()) text += "\n" + advice.plan + "\n";
  }
  return text;
}

}  // namespace

Result explain_layer(const std::filesystem::path& folder, const std::string& name) {
  const FinishedFolder finished = read_finished(folder);
  const std::vector<Facts> by_loss = layers_by_loss(fact(finished.details, "accuracy"));
  const Facts& layers = list(finished.details, "layers");
  if (layers.empty()) {
    throw bad_input("{} has no details of layers; make the folder again with 'trimtab fit'", folder.string());
  }
  const std::string wanted = !name.empty() ? name : words(by_loss.empty() ? layers.front() : by_loss.front(), "layer");
  const Facts* form = find_by_layer(layers, wanted);
  std::size_t rank = 0;
  while (rank < by_loss.size() && words(by_loss[rank], "layer") != wanted) ++rank;
  if (form == nullptr && rank == by_loss.size()) {
    std::vector<std::string> names;
    for (const Facts& layer : layers) names.push_back(words(layer, "layer"));
    throw bad_input("--layer is '{}'; the layers of {} are {}", wanted, folder.string(), joined(names));
  }
  Result result;
  result.json = {{"layer", wanted}};
  result.text = row("layer", wanted);
  if (form != nullptr) {
    result.json["program"] = *form;
    result.text += row("form", describe_form(*form));
    result.text += row("kernel", joined({words(*form, "kernel"), words(*form, "reason")}));
    result.text += row("cost", describe_cost(*form));
  }
  if (rank < by_loss.size()) {
    result.json["accuracy"] = by_loss[rank];
    result.json["advice"] = Facts::array();
    for (const Advice& advice : advise(by_loss[rank]))
      result.json["advice"].push_back({{"sentence", advice.sentence}, {"plan", advice.plan}});
    result.text += describe_errors(by_loss[rank], rank, by_loss.size());
  }
  return result;
}

}  // namespace trimtab
