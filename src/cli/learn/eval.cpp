#include "cli/eval.h"

#include <fmt/format.h>

#include "cli/model_data.h"
#include "learn/inference.h"
#include "learn/network_warnings.h"
#include "measure/warnings.h"

namespace trimtab::cli {

Result evaluate_network(EvalOptions& options) {
  const Graph graph = read_model(options.model, options.choice);
  const Dataset data = load_eval_data(options, graph.input_shape(), graph.input_parts);
  const Preprocessing preprocessing =
      choose_preprocessing(options.preprocessing, options.model, graph.input_shape().at(0));
  EvalResult result;
  result.task = choose_task(task_choice(options.task), output_of(graph), data, preprocessing);
  AnswerCount answers(result.task);
  options.evaluation.threads = options.common.threads;
  options.evaluation.task = result.task;
  options.evaluation.observe = [&](std::span<const float> outputs) { answers.add(outputs); };
  result.score = evaluate(graph, data, preprocessing, options.evaluation);
  if (!options.outputs.empty()) {
    OutputFile file(options, result.task);
    file.add(FloatNetwork(graph, options.evaluation.device, options.common.threads).run(data, preprocessing));
    file.write();
  }
  result.json = {{"mean", preprocessing.mean}, {"deviation", preprocessing.deviation}};
  result.kind = fmt::format("float; preprocessing: {}", describe(preprocessing));
  result.warnings = network_warnings(graph, data, preprocessing, result.task, answers, options.common.threads);
  return describe(options, result, "_float");
}

}  // namespace trimtab::cli
