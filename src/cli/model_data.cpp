#include "cli/model_data.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/units.h"
#include "import/network_file.h"
#include "import/network_limits.h"

namespace trimtab::cli {

Graph read_model(const std::string& model, const ModelChoice& choice) {
  Graph graph = load_network(model, import_options(choice));
  check_network_limits(graph, choice.memory_limit.empty() ? 0 : parse_bytes(choice.memory_limit, "--memory-limit"));
  return graph;
}

Preprocessing choose_preprocessing(const std::string& description, const std::filesystem::path& model,
                                   std::int64_t channels) {
  if (!description.empty()) return parse_preprocessing(description, channels);
  const std::filesystem::path beside = model.parent_path() / "preprocessing.toml";
  return std::filesystem::exists(beside) ? parse_preprocessing(beside.string(), channels) : Preprocessing{};
}

std::string to_toml(const Preprocessing& preprocessing) {
  std::string text = "# x = (raw - mean) / deviation, per channel\n";
  // {:.9g} keeps every bit of a float, and TOML's floats need a point or an exponent.
  const auto line = [&](const char* name, const std::vector<float>& numbers) {
    if (numbers.empty()) return;
    std::string list;
    for (const float x : numbers) {
      std::string number = fmt::format("{:.9g}", x);
      if (number.find_first_of(".e") == std::string::npos) number += ".0";
      list += (list.empty() ? "" : ", ") + number;
    }
    text += fmt::format("{} = [{}]\n", name, list);
  };
  line("mean", preprocessing.mean);
  line("deviation", preprocessing.deviation);
  return text;
}

std::string describe(const Preprocessing& preprocessing) {
  if (preprocessing.mean.empty() && preprocessing.deviation.empty()) return "none";
  std::string text;
  if (!preprocessing.mean.empty()) text = fmt::format("mean {:.4g}", fmt::join(preprocessing.mean, " "));
  if (!preprocessing.deviation.empty()) {
    text += fmt::format("{}deviation {:.4g}", text.empty() ? "" : ", ", fmt::join(preprocessing.deviation, " "));
  }
  return text;
}

}  // namespace trimtab::cli
