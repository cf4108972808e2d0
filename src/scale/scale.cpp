#include "scale/scale.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "base/error.h"
#include "base/index.h"
#include "emit/c_text.h"
#include "emit/hand_over.h"
#include "learn/clean_network.h"
#include "learn/inference.h"
#include "learn/nested_grid.h"
#include "learn/nested_rounding.h"
#include "learn/network_warnings.h"
#include "program/evaluate.h"
#include "program/execute.h"
#include "program/lower.h"
#include "program/pass_dump.h"
#include "scale/level_meter.h"

namespace trimtab {
namespace {

/// The classes that a network tells apart, as the only level.
Taxonomy leaves_only(std::int64_t outputs) {
  Level leaves{"classes", {}, {}};
  for (std::int64_t i = 0; i < outputs; ++i) {
    leaves.classes.push_back(std::to_string(i));
    leaves.class_of.push_back(i);
  }
  return {{leaves}};
}

std::vector<Level> chosen_levels(const Taxonomy& taxonomy, const std::vector<std::string>& names) {
  if (names.empty()) return taxonomy.levels;
  std::vector<Level> levels;
  for (const std::string& name : names) {
    const auto found = std::find_if(taxonomy.levels.begin(), taxonomy.levels.end(), [&](const Level& level) {
      return level.name == name || level.name == name + " classes" || std::to_string(level.classes.size()) == name;
    });
    if (found == taxonomy.levels.end()) {
      std::vector<std::string> known;
      for (const Level& level : taxonomy.levels) known.push_back(level.name);
      throw bad_input("the taxonomy has no level '{}'; it has {}", name, fmt::join(known, ", "));
    }
    levels.push_back(*found);
  }
  return levels;
}

/// About `count` of the steps, the first among them and without those that a cheaper step beats: evenly over the fourth
/// root of the divergence, so that most lie where little is lost.
std::vector<ScaleStep> thin_out(const std::vector<ScaleStep>& way, std::int64_t count) {
  std::vector<ScaleStep> front;
  for (const ScaleStep& step : way) {
    while (front.size() > 1 && front.back().divergence >= step.divergence) front.pop_back();
    front.push_back(step);
  }
  const auto root = [](const ScaleStep& step) { return std::sqrt(std::sqrt(std::max(step.divergence, 0.0))); };
  std::vector<ScaleStep> kept{front.front()};
  for (std::int64_t i = 1; i < count; ++i) {
    const double wanted = root(front.back()) * static_cast<double>(i) / static_cast<double>(count - 1);
    // the cheapest that loses no more
    const auto last = std::find_if(front.rbegin(), front.rend(),
                                   [&](const ScaleStep& step) { return root(step) <= wanted * (1 + 1e-9); });
    if (last != front.rend() && last->energy_nj < kept.back().energy_nj) kept.push_back(*last);
  }
  return kept;
}

class Scaling {
 public:
  Scaling(const Graph& graph, const Taxonomy& taxonomy, const Dataset& train_data, const Dataset& tune,
          const Dataset& test, const Preprocessing& preprocessing, const ScaleOptions& options,
          const std::filesystem::path& folder)
      : graph_(graph), tune_(tune), test_(test), options_(options), folder_(folder), raw_preprocessing_(preprocessing) {
    check_fits(tune, graph.input_shape());
    check_fits(test, graph.input_shape());
    task_ = choose_task(options.task, output_of(graph), test, preprocessing);
    check_left_out(graph, task_);
    check_options();
    if (task_.labelled) {
      check_answers(task_, tune);
      check_answers(task_, test);
    }
    if (task_.kind == TaskKind::classification) {
      const Taxonomy all = taxonomy.levels.empty() ? leaves_only(task_.outputs()) : taxonomy;
      if (task_.outputs() != all.leaves()) {
        throw bad_input("the taxonomy has {} classes; the network {} has {} outputs", all.leaves(), graph.name,
                        task_.outputs());
      }
      result_.levels = chosen_levels(all, options.levels);
    } else if (!taxonomy.levels.empty() || !options.levels.empty()) {
      throw no_levels(task_);
    }
    tell(fmt::format("task: {}", describe(task_)));
    result_.task = task_;
    if (tune.is_pixels() != test.is_pixels())
      throw bad_input("the tuning data are {}, the test data are not", tune.is_pixels() ? "pixels" : "features");
    // Preprocessing of pixels is part of the first layer, that of features part of the program's input.
    name_ = graph.name;
    const bool pixels = test.is_pixels();
    if (!options.dump_passes.empty()) dump_ = PassDump(options.dump_passes);
    dump_.add("imported", graph);
    prepared_ = prepare_for_deployment(graph, pixels ? preprocessing : Preprocessing{}, dump_.observer());
    train_ = preprocess_features(train_data, preprocessing);
    tune_features_ = preprocess_features(tune, preprocessing);
    test_features_ = preprocess_features(test, preprocessing);
    check_nested(prepared_);
    CleanNetwork clean = clean_network(prepared_, tune_features_, options.threads);
    prepared_ = std::move(clean.graph);
    dump_.add("cleaned-up", prepared_);
    if (!clean.report.empty()) tell(clean.report);
    result_.clean_up = std::move(clean.report);
    // Before any work: the search's options, and every pair that a layer may come to.
    check(options.search);
    for (const int weights : options.search.weight_bits) {
      for (const int activations : options.search.activation_bits) (void)options.table.mac_fj(weights, activations);
    }
    for (const Precision& precision : options.uniform) {
      (void)options.table.mac_fj(precision.weights, precision.activations);
    }
  }

  ScaleResult run() {
    if (options_.target.has_value()) check_bounds();
    if (!options_.truncation_bits.empty()) {
      tell("dropping bits on both grids");
      result_.truncation.push_back(compare_truncation(prepared_, task_, tune_features_, test_features_,
                                                      options_.truncation_bits, options_.calibration));
    }
    const LevelMeter tune(task_, result_.levels, tune_features_, float_outputs(tune_features_));
    const LevelMeter test(task_, result_.levels, test_features_, float_outputs(test_features_));
    for (std::size_t level = 0; level < test.levels(); ++level) result_.level_names.push_back(test.name(level));
    result_.tune_float = tune.scores(tune.reference());
    result_.test_float = test.scores(test.reference());
    AnswerCount answers(task_);
    answers.add(test.reference());
    result_.warnings = network_warnings(graph_, test_, raw_preprocessing_, task_, answers, options_.threads);
    if (const auto range = range_warning(tune_, test_)) result_.warnings.push_back(*range);
    make_network();
    result_.layers = fuse_layers(result_.network.graph);
    find_points();
    dump_.add("quantized", result_.network, operating_points_);
    measure(tune, test);
    describe_points();
    dump_.add("lowered", result_.program);
    if (options_.target.has_value()) deploy_program();
    return std::move(result_);
  }

 private:
  void tell(const std::string& line) const {
    if (options_.report) options_.report(line);
  }

  /// Refuses the options that need right answers where there are none.
  void check_options() const {
    if (task_.labelled) return;
    const char* option = options_.train ? "--epochs" : options_.truncation_bits.empty() ? nullptr : "--truncation";
    if (option != nullptr)
      throw bad_input("{} needs the right answers, and {} has none here; leave it out", option, name_of(task_.kind));
  }

  [[nodiscard]] std::vector<float> float_outputs(const Dataset& data) const {
    return FloatNetwork(prepared_, "cpu", options_.threads).run(data, {}, 16);
  }

  void make_network() {
    if (!options_.train) {
      tell("storing weights on the nested grid");
      result_.network = make_nested(prepared_, tune_features_, options_.calibration);
      if (options_.learned_rounding)
        learn_rounding(result_.network, calibration_samples(tune_features_, options_.calibration));
      return;
    }
    tell(fmt::format("training for all precisions, {} epochs", options_.training.training.epochs));
    NestedTrainOptions training = options_.training;
    training.training.task = task_;
    if (options_.teacher) {
      training.training.teacher = std::make_shared<const Graph>(
          prepare_for_deployment(*options_.teacher, test_.is_pixels() ? raw_preprocessing_ : Preprocessing{}));
    }
    result_.network = train_nested(prepared_, train_, test_features_, training);
  }

  void find_points() {
    const NetworkEnergy energy(result_.network.graph, options_.table, options_.count_activations);
    result_.full = energy.full();
    const bool all = options_.search_samples <= 0 || options_.search_samples >= tune_.size();
    const Dataset samples = all ? tune_features_ : tune_features_.sample(options_.search_samples, 1);
    NestedSimulation simulation(result_.network, samples, true, options_.threads);
    const LevelMeter meter(task_, result_.levels, samples, simulation.float_outputs());
    tell(fmt::format("searching on {} samples, {} level{}", samples.size(), meter.levels(),
                     meter.levels() == 1 ? "" : "s"));
    const auto ways = search_scale(result_.network, simulation, meter, energy, options_.search);
    for (std::size_t level = 0; level < ways.size(); ++level) {
      for (const ScaleStep& step : thin_out(ways[level], options_.points_per_level)) {
        add_point(level, step.precision, step.divergence, energy, simulation);
      }
    }
    add_uniform_points(energy, simulation, meter);
  }

  ScalePoint& add_point(std::size_t level, const std::vector<Precision>& precision, double divergence,
                        const NetworkEnergy& energy, NestedSimulation& simulation) {
    ScalePoint& point = result_.points.emplace_back();
    point.level = level;
    point.precision = precision;
    point.energy = energy.at(precision);
    point.saved_percent = 100 * (1 - point.energy.total() / result_.full.total());
    point.divergence = divergence;
    operating_points_.push_back(simulation.point(precision));
    return point;
  }

  /// The same bits in every layer that has a choice: a yardstick for what the search finds.
  void add_uniform_points(const NetworkEnergy& energy, NestedSimulation& simulation, const LevelMeter& meter) {
    const std::vector<int> groups = activation_groups(result_.network.graph, result_.layers);
    const std::vector<float> full = simulation.outputs(uniform_precision(groups, {}));
    for (const Precision& bits : options_.uniform) {
      const std::vector<Precision> precision = uniform_precision(groups, bits);
      const double divergence = meter.divergences(full, simulation.outputs(precision)).front();
      add_point(0, precision, divergence, energy, simulation).uniform = true;
    }
  }

  [[nodiscard]] static std::vector<Precision> uniform_precision(const std::vector<int>& groups,
                                                                const Precision& precision) {
    std::vector<Precision> all(groups.size(), precision);
    for (std::size_t l = 0; l < groups.size(); ++l) {
      if (groups[l] < 0) all[l].activations = stored_activation_bits;
    }
    return all;
  }

  [[nodiscard]] std::vector<float> program_outputs(std::size_t point, const Dataset& data) const {
    const Program& program = result_.program;
    const ProgramRunner runner(program, host_, point);
    std::vector<std::int32_t> outputs(static_cast<std::size_t>(data.size() * runner.output_elements()));
    const int threads =
        options_.threads > 0 ? options_.threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    runner.run(convert_samples(program, data), data.size(), outputs, threads);
    return real_outputs(program, outputs);
  }

  [[nodiscard]] Pricer pricer() const {
    return {*options_.target,
            options_.optimize,
            tune_features_,
            test_,
            raw_preprocessing_,
            device_name(),
            options_.bounds.need_cycles()};
  }

  /// Prefix of the device's C functions.
  [[nodiscard]] std::string device_name() const {
    return options_.device_name.empty() ? to_identifier(name_) : options_.device_name;
  }

  void hold_to_bounds(const Deployment& deployment) const {
    const std::string missed = pricer().misses(deployment, options_.bounds);
    if (!missed.empty()) throw bound_not_met("{}; the program needs fewer points or filters", missed);
  }

  /// Sizes and stack do not depend on the weights' values: a quickly made network is linked and run once, with as many
  /// points as may be found and with all bits that they may have, since kernels have a loop for every bit-width.
  void check_bounds() const {
    tell("linking the image and measuring flash and RAM");
    CalibrationOptions quick = options_.calibration;
    quick.samples = std::min<std::int64_t>(4, tune_features_.size());
    const NestedNetwork network = make_nested(prepared_, tune_features_, quick);
    OperatingPoint point;
    point.precision.assign(fuse_layers(network.graph).size(), Precision{});
    point.bias.resize(network.graph.nodes.size());
    for (std::size_t n = 0; n < point.bias.size(); ++n) {
      if (network.weights[n].has_value()) point.bias[n].assign(network.weights[n]->scale.size(), 0);
    }
    std::vector<OperatingPoint> points;
    const std::size_t levels = std::max<std::size_t>(result_.levels.size(), 1);
    const std::size_t most = static_cast<std::size_t>(options_.points_per_level) * levels;
    for (std::size_t k = 0; k < std::max<std::size_t>(most + options_.uniform.size(), 1); ++k) {
      for (std::size_t n = 0; n < point.bias.size(); ++n) {  // every point has biases of its own
        for (std::size_t c = 0; c < point.bias[n].size(); ++c) {
          point.bias[n][c] = static_cast<float>(k) * network.weights[n]->scale[c];
        }
      }
      const auto& weights = options_.search.weight_bits;
      const auto& activations = options_.search.activation_bits;
      const std::vector<int> groups = activation_groups(network.graph, fuse_layers(network.graph));
      point.precision = uniform_precision(groups, {weights[k % weights.size()], activations[k % activations.size()]});
      points.push_back(point);
    }
    Program program = lower(network, points, program_preprocessing(), test_.classes);
    program.name = name_;
    program.levels = result_.levels;
    const Pricer price = pricer();
    Schedule schedule = price.schedule_of(program);
    hold_to_bounds(price.measure_within({std::move(program), std::move(schedule)}, options_.bounds));
  }

  [[nodiscard]] Preprocessing program_preprocessing() const {
    return test_.is_pixels() ? Preprocessing{} : raw_preprocessing_;
  }

  /// Puts into the program what was measured of its points.
  void describe_points() {
    result_.program.name = name_;
    result_.program.levels = result_.levels;
    result_.program.measure = point_measure(task_);
    for (std::size_t k = 0; k < result_.points.size(); ++k) {
      ProgramPoint& point = result_.program.points[k];
      point.energy_nj = result_.points[k].energy.total();
      for (const LevelMeasurement& at : result_.points[k].measured)
        point.quality.push_back(at.test.score.at(point_measure(task_)));
    }
  }

  void deploy_program() {
    const Dataset samples = test_.sample(std::min(options_.verify_samples, test_.size()), 1);
    tell(fmt::format("running {} samples at {} operating points on the emulated {}", samples.size(),
                     result_.points.size(), name_of(options_.target->processor)));
    const Pricer price = pricer();
    ScheduledDeployment made = price.deploy_within(result_.program, {}, options_.bounds, samples, folder_);
    dump_.add("scheduled", result_.program, made.schedule);
    hold_to_bounds(made.deployment);
    result_.deployment = std::move(made.deployment);
    result_.schedule = std::move(made.schedule);
    result_.costs = std::move(made.costs);
    if (!options_.frontier) return;
    tell("measuring the program with less and with more RAM");
    result_.frontier = memory_frontier(price, result_.program);
  }

  /// Every point as the integer program that is deployed.
  void measure(const LevelMeter& tune, const LevelMeter& test) {
    result_.program = lower(result_.network, operating_points_, program_preprocessing(), test_.classes);
    host_ = schedule(result_.program, Core::host);
    // Training makes a network that errs elsewhere than the float one, not more often by what that one believes.
    const bool expects = task_.kind == TaskKind::classification && task_.labelled && !options_.train;
    const double temperature = expects ? tune.temperature() : 1;
    for (std::size_t k = 0; k < result_.points.size(); ++k) {
      tell(fmt::format("measuring operating point {} of {}", k + 1, result_.points.size()));
      const std::vector<float> tune_outputs = program_outputs(k, tune_);
      const std::vector<float> test_outputs = program_outputs(k, test_);
      const std::vector<AnswerScore> tune_scores = tune.scores(tune_outputs);
      const std::vector<AnswerScore> test_scores = test.scores(test_outputs);
      const std::vector<MeanDifference> lost = test.lost(test_outputs);
      std::vector<MeanDifference> tune_lost;
      std::vector<MeanDifference> expected;
      if (expects) {
        tune_lost = tune.expected_losses(tune_outputs, temperature);
        expected = test.expected_losses(test_outputs, temperature);
      } else {
        tune_lost = tune.lost(tune_outputs);
      }
      for (std::size_t l = 0; l < test.levels(); ++l) {
        LevelMeasurement& own = result_.points[k].measured.emplace_back();
        own = {tune_scores[l], test_scores[l], lost[l], tune_lost[l], {}};
        if (expects) own.lost_expected = expected[l];
      }
      FidelityMeter fidelity(task_);
      fidelity.add(test_outputs, test.reference());
      result_.points[k].fidelity = fidelity.fidelity();
    }
  }

  const Graph& graph_;
  const Dataset& tune_;
  const Dataset& test_;
  const ScaleOptions& options_;
  const std::filesystem::path& folder_;
  const Preprocessing& raw_preprocessing_;
  std::string name_;
  Task task_;
  Dataset train_;  ///< like the next two: as the prepared network takes them
  Dataset tune_features_;
  Dataset test_features_;
  Graph prepared_;
  ScaleResult result_;
  std::vector<OperatingPoint> operating_points_;
  Schedule host_;  ///< of the program
  PassDump dump_;
};

}  // namespace

Error no_levels(const Task& task) {
  return bad_input(
      "levels of abstraction (--taxonomy, --levels) are of classes, of which each sample has one; this is {}",
      describe(task));
}

ScaleResult scale(const Graph& graph, const Taxonomy& taxonomy, const Dataset& train_data, const Dataset& tune,
                  const Dataset& test, const Preprocessing& preprocessing, const ScaleOptions& options,
                  const std::filesystem::path& folder) {
  return Scaling(graph, taxonomy, train_data, tune, test, preprocessing, options, folder).run();
}

}  // namespace trimtab
