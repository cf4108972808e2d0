#include "cli/eval.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/model_data.h"
#include "import/network_file.h"

namespace trimtab::cli {

void evaluate_network(EvalOptions& options) {
  const Graph graph = load_network(options.model);
  options.source.shape = graph.input_shape();
  options.source.seed = options.common.seed;
  const Dataset data =
      load_dataset(options.data, options.split == "train" ? Split::train : Split::test, options.source);
  const Preprocessing preprocessing =
      choose_preprocessing(options.preprocessing, options.model, graph.input_shape().at(0));
  options.evaluation.threads = options.common.threads;
  const Evaluation result = evaluate(graph, data, preprocessing, options.evaluation);
  if (options.common.json) {
    const nlohmann::json json = {{"model", options.model},     {"data", options.data},
                                 {"mean", preprocessing.mean}, {"deviation", preprocessing.deviation},
                                 {"samples", result.samples},  {"top1_float", result.top1},
                                 {"top5_float", result.top5},  {"loss", result.loss},
                                 {"version", TRIMTAB_VERSION}};
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print("{}: top-1 {:.2f} %, top-5 {:.2f} %, loss {:.4f} on {} samples (float; preprocessing: {})\n",
             options.model, result.top1, result.top5, result.loss, result.samples, describe(preprocessing));
}

}  // namespace trimtab::cli
