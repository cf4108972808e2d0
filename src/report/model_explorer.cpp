#include "report/model_explorer.h"

#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/json_text.h"
#include "report/folder.h"

namespace trimtab {
namespace {

/// A gradient from the number that is harmless to the one that deserves a look.
Facts gradient(bool small_is_good) {
  const char* calm = "#ffffff";
  const char* loud = "#f08a4b";
  return {{{"stop", 0}, {"bgColor", small_is_good ? calm : loud}},
          {{"stop", 1}, {"bgColor", small_is_good ? loud : calm}}};
}

}  // namespace

void write_model_explorer(const std::filesystem::path& folder, const std::filesystem::path& out) {
  const FinishedFolder finished = read_finished(folder);
  std::map<std::string, std::string> tensor_of;  // by layer
  for (const Facts& layer : list(finished.details, "layers")) {
    const std::string tensor = words(layer, "output_name");
    if (!tensor.empty()) tensor_of[words(layer, "layer")] = tensor;
  }
  if (tensor_of.empty()) {
    throw bad_input("{} has no details of layers; make the folder again with 'trimtab fit'", folder.string());
  }
  make_directory(out);
  const auto write = [&](const Facts& layers, const std::string& key, bool small_is_good) {
    Facts results = Facts::object();
    for (const Facts& layer : layers) {
      const auto value = number(layer, key);
      const auto tensor = tensor_of.find(words(layer, "layer"));
      const bool is_bits_of_nothing = key == "weight_bits" && value == 0.0;
      if (value && tensor != tensor_of.end() && !is_bits_of_nothing) results[tensor->second] = {{"value", *value}};
    }
    if (results.empty()) return;
    const Facts data = {{"results", results}, {"gradient", gradient(small_is_good)}};
    write_file(out / (key + ".json"), json_text(data, 2) + "\n");
  };
  const Facts& layers = list(finished.details, "layers");
  write(layers, "weight_bits", false);
  write(layers, "activation_bits", false);
  write(layers, "instructions", true);
  write(list(fact(finished.details, "accuracy"), "layers"), "alone_sqnr_db", false);
}

}  // namespace trimtab
