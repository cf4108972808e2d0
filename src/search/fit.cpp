#include "search/fit.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "emit/firmware.h"
#include "emit/source.h"
#include "learn/evaluate.h"
#include "learn/inference.h"
#include "plan/layers.h"
#include "program/evaluate.h"
#include "program/execute.h"
#include "program/lower.h"

namespace trimtab {
namespace {

/// Float features as the program's input grid sees them; pixels stay as they are.
Dataset preprocess_features(Dataset data, const Preprocessing& preprocessing) {
  if (data.is_pixels()) return data;
  const std::int64_t size = element_count(data.shape);
  std::vector<float> processed(data.features.size());
  for (std::int64_t i = 0; i < data.size(); ++i) {
    data.read(i, preprocessing,
              std::span(processed).subspan(static_cast<std::size_t>(i * size), static_cast<std::size_t>(size)));
  }
  data.features = std::move(processed);
  return data;
}

class Fitting {
 public:
  Fitting(const Graph& graph, const Dataset& train_data, const Dataset& test_data, const Preprocessing& preprocessing,
          const FitOptions& options, const std::filesystem::path& folder)
      : graph_(graph),
        train_(train_data),
        test_(test_data),
        preprocessing_(preprocessing),
        options_(options),
        folder_(folder) {
    check_fits(train_, graph.input_shape(), graph.output_shape()[0]);
    check_fits(test_, graph.input_shape(), graph.output_shape()[0]);
    pixels_ = test_.is_pixels();
    if (train_.is_pixels() != pixels_)
      throw bad_input("the data to calibrate with are {}, those to test with are not",
                      train_.is_pixels() ? "pixels" : "features");
    prepared_ = prepare_for_deployment(graph, pixels_ ? preprocessing : Preprocessing{});
    samples_ = preprocess_features(train_, preprocessing);
    const std::vector<std::string> left = undeployable_layers(prepared_);
    if (!left.empty())
      throw bad_input("{} cannot be deployed to a microcontroller: layer {} has no integer form", graph.name,
                      fmt::join(left, ", "));
  }

  FitResult run() {
    const Plan plan = make_plan(options_.weight_bits, options_.activation_bits);
    tell(fmt::format("quantizing to {} bits of weights and {} of activations", options_.weight_bits,
                     options_.activation_bits));
    FitResult result;
    result.network = quantize_post_training(prepared_, plan, samples_, options_.calibration);
    if (options_.target.has_value()) check_bounds(result.network);
    if (options_.train) {
      tell(fmt::format("training under the plan for {} epochs", options_.training.training.epochs));
      result.network =
          train_quantized(prepared_, plan, samples_, preprocess_features(test_, preprocessing_), options_.training);
    }
    result.program = lower_network(result.network);
    evaluate_all(result);
    if (options_.target.has_value()) verify(result);
    return result;
  }

 private:
  void tell(const std::string& line) const {
    if (options_.report) options_.report(line);
  }

  [[nodiscard]] Plan make_plan(int weight_bits, int activation_bits) const {
    Plan plan = uniform_plan(prepared_, weight_bits, activation_bits);
    if (!options_.plan_file.has_value()) return plan;
    plan = parse_plan(read_text(*options_.plan_file), prepared_, plan, options_.plan_file->string());
    for (const LayerPlan& layer : plan.layers) {
      if (layer.filters > 0)
        throw bad_input("{}, layer '{}': filters cannot be removed yet; leave 'filters' out",
                        options_.plan_file->string(), layer.layer);
    }
    return plan;
  }

  [[nodiscard]] Program lower_network(const QuantizedNetwork& network) const {
    Program program = lower(network, pixels_ ? Preprocessing{} : preprocessing_, test_.classes);
    program.name = graph_.name;
    return program;
  }

  [[nodiscard]] std::string name() const { return to_identifier(graph_.name); }

  /// Links and runs one sample, since sizes and stack do not depend on the weights' values; names the nearest fit where
  /// a bound is missed.
  void check_bounds(const QuantizedNetwork& network) const {
    tell("linking the image and measuring flash and RAM");
    const Deployment first = measure(network);
    const std::string missed = misses(first);
    if (missed.empty()) return;
    throw bound_not_met("{}; {}", missed, nearest_fit());
  }

  [[nodiscard]] Deployment measure(const QuantizedNetwork& network) const {
    const TemporaryDirectory work;
    const Program program = lower_network(network);
    const std::vector<std::uint8_t> inputs = convert_samples(program, test_.slice(0, 1));
    const ProgramRunner runner(program);
    std::vector<std::int32_t> expected(static_cast<std::size_t>(runner.output_elements()));
    runner.run(inputs, 1, expected);
    return deploy(program, with_memory_of_board(*options_.target), options_.optimize, name(), inputs, expected,
                  work.path());
  }

  [[nodiscard]] std::string misses(const Deployment& deployment) const {
    std::string text;
    const auto check = [&](const std::string& what, std::int64_t bytes, std::int64_t bound) {
      if (bytes <= bound) return;
      text += fmt::format("{}{} takes {} bytes, {} more than its bound of {}", text.empty() ? "" : " and ", what, bytes,
                          bytes - bound, format_bytes(bound));
    };
    check("flash", deployment.flash_bytes(), options_.bounds.flash_bytes);
    check("RAM", deployment.ram_bytes(), options_.bounds.ram_bytes);
    return text;
  }

  /// The uniform setting with the most bits that fits, found by linking; activations are narrowed only after the
  /// weights, and not at all where even the narrowest weights miss a bound.
  [[nodiscard]] std::string nearest_fit() const {
    std::optional<Deployment> smallest;
    for (const int activation_bits : {8, 4, 2}) {
      if (activation_bits > options_.activation_bits) continue;
      const std::optional<Deployment> narrowest = measure_uniform(2, activation_bits);
      if (!narrowest.has_value()) continue;
      if (!misses(*narrowest).empty()) {
        smallest = narrowest;
        continue;
      }
      for (int weight_bits = options_.weight_bits; weight_bits >= 2; --weight_bits) {
        const std::optional<Deployment> deployment =
            weight_bits == 2 ? narrowest : measure_uniform(weight_bits, activation_bits);
        if (!deployment.has_value() || !misses(*deployment).empty()) continue;
        return fmt::format("--weight-bits {} --activation-bits {} fits, with {} of flash and {} of RAM", weight_bits,
                           activation_bits, format_bytes(deployment->flash_bytes()),
                           format_bytes(deployment->ram_bytes()));
      }
    }
    std::string text = "no bits make it fit";
    if (smallest.has_value())
      text += fmt::format(": the smallest image takes {} of flash and {} of RAM", format_bytes(smallest->flash_bytes()),
                          format_bytes(smallest->ram_bytes()));
    return text + ", so the network needs fewer filters";
  }

  /// What the network takes with the same bits everywhere, or nothing where it cannot be deployed with them. Sizes do
  /// not depend on how well the ranges are chosen.
  [[nodiscard]] std::optional<Deployment> measure_uniform(int weight_bits, int activation_bits) const {
    CalibrationOptions quick = options_.calibration;
    quick.activations = RangeMethod::min_max;
    quick.weights = RangeMethod::min_max;
    quick.bias_correction = false;
    quick.samples = 16;
    try {
      return measure(
          quantize_post_training(prepared_, uniform_plan(prepared_, weight_bits, activation_bits), samples_, quick));
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  void evaluate_all(FitResult& result) const {
    tell(fmt::format("evaluating the program on {} samples", test_.size()));
    const ProgramEvaluation evaluation = evaluate_program(result.program, test_, options_.threads);
    result.top1 = evaluation.top1;
    result.top5 = evaluation.top5;
    result.samples = test_.size();
    const std::vector<std::int64_t> before = predict_float();
    std::int64_t right = 0;
    std::int64_t same = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
      right += before[i] == test_.labels[i] ? 1 : 0;
      same += before[i] == evaluation.predictions[i] ? 1 : 0;
    }
    result.top1_float = 100.0 * static_cast<double>(right) / static_cast<double>(before.size());
    result.agreement = 100.0 * static_cast<double>(same) / static_cast<double>(before.size());
  }

  /// The class that the float network gives every test sample.
  [[nodiscard]] std::vector<std::int64_t> predict_float() const {
    const FloatNetwork network(graph_, "auto", options_.threads);
    const std::int64_t size = element_count(graph_.input_shape());
    const std::int64_t outputs = element_count(graph_.output_shape());
    constexpr std::int64_t chunk = 512;
    std::vector<float> inputs;
    std::vector<std::int64_t> classes;
    for (std::int64_t first = 0; first < test_.size(); first += chunk) {
      const std::int64_t count = std::min(chunk, test_.size() - first);
      inputs.resize(static_cast<std::size_t>(count * size));
      for (std::int64_t i = 0; i < count; ++i)
        test_.read(first + i, preprocessing_,
                   std::span(inputs).subspan(static_cast<std::size_t>(i * size), static_cast<std::size_t>(size)));
      const std::vector<float> results = network.run(inputs, count);
      for (auto row = results.begin(); row != results.end(); row += outputs)
        classes.push_back(std::max_element(row, row + outputs) - row);
    }
    return classes;
  }

  void verify(FitResult& result) const {
    const std::int64_t count = std::min(options_.verify_samples, test_.size());
    tell(fmt::format("running {} samples on the emulated {}", count, name_of(options_.target->processor)));
    const Dataset samples = test_.sample(count, 1);
    const std::vector<std::uint8_t> inputs = convert_samples(result.program, samples);
    const ProgramRunner runner(result.program);
    std::vector<std::int32_t> expected(static_cast<std::size_t>(runner.output_elements() * samples.size()));
    runner.run(inputs, samples.size(), expected, 1);
    result.deployment = deploy(result.program, *options_.target, options_.optimize, name(), inputs, expected, folder_);
    if (result.deployment->mismatches > 0) {
      throw failure("the emulated device and the host differ in {} numbers over {} samples",
                    result.deployment->mismatches, samples.size());
    }
    const std::string missed = misses(*result.deployment);
    if (!missed.empty()) throw bound_not_met("{} (with the stack of {} samples)", missed, samples.size());
  }

  const Graph& graph_;
  const Dataset& train_;
  const Dataset& test_;
  const Preprocessing& preprocessing_;
  const FitOptions& options_;
  const std::filesystem::path& folder_;
  Graph prepared_;
  Dataset samples_;  ///< to calibrate and train with, preprocessed where they are features
  bool pixels_ = true;
};

}  // namespace

FitResult fit(const Graph& graph, const Dataset& train_data, const Dataset& test_data,
              const Preprocessing& preprocessing, const FitOptions& options, const std::filesystem::path& folder) {
  return Fitting(graph, train_data, test_data, preprocessing, options, folder).run();
}

}  // namespace trimtab
