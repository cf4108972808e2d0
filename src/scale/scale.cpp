#include "scale/scale.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "base/error.h"
#include "base/index.h"
#include "emit/c_text.h"
#include "learn/clean_network.h"
#include "learn/inference.h"
#include "learn/nested_grid.h"
#include "learn/nested_rounding.h"
#include "learn/network_warnings.h"
#include "program/evaluate.h"
#include "program/execute.h"
#include "program/lower.h"
#include "program/pass_dump.h"

namespace trimtab {
namespace {

/// By sample: whether the most probable class of the level is the right one.
std::vector<bool> hits(const Level& level, const std::vector<float>& probabilities,
                       const std::vector<std::int64_t>& labels) {
  const std::vector<std::int64_t> answered = answers(level, probabilities);
  std::vector<bool> right;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    right.push_back(answered[i] == nth(level.class_of, labels[i]));
  }
  return right;
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
    const Task task = choose_task({}, output_of(graph), test, preprocessing);
    if (task.kind != TaskKind::classification || !task.labelled) {
      throw bad_input(
          "operating points are compared by the classes that they answer, at every level of abstraction; this is {}",
          describe(task));
    }
    if (task.outputs() != taxonomy.leaves()) {
      throw bad_input("the taxonomy has {} classes; the network {} has {} outputs", taxonomy.leaves(), graph.name,
                      element_count(graph.output_shape()));
    }
    check_answers(task, tune);
    check_answers(task, test);
    task_ = task;
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
    result_.levels = chosen_levels(taxonomy, options.levels);
    leaves_ = static_cast<std::size_t>(taxonomy.leaves());
  }

  ScaleResult run() {
    if (options_.target.has_value()) check_bounds();
    if (!options_.truncation_bits.empty()) {
      tell("dropping bits on both grids");
      result_.truncation.push_back(compare_truncation(prepared_, tune_features_, test_features_,
                                                      options_.truncation_bits, options_.calibration));
    }
    const std::vector<float> tune_float = float_probabilities(tune_features_);
    const std::vector<float> test_float = float_probabilities(test_features_);
    for (const Level& level : result_.levels) {
      result_.tune_float.push_back(score(level, tune_float, tune_.labels));
      result_.test_float.push_back(score(level, test_float, test_.labels));
    }
    AnswerCount answers(task_);
    answers.add(test_float);
    result_.warnings = network_warnings(graph_, test_, raw_preprocessing_, task_, answers, options_.threads);
    if (const auto range = range_warning(tune_, test_)) result_.warnings.push_back(*range);
    make_network();
    result_.layers = fuse_layers(result_.network.graph);
    find_points();
    dump_.add("quantized", result_.network, operating_points_);
    measure(tune_float, test_float);
    describe_points();
    dump_.add("lowered", result_.program);
    if (options_.target.has_value()) deploy_program();
    return std::move(result_);
  }

 private:
  void tell(const std::string& line) const {
    if (options_.report) options_.report(line);
  }

  [[nodiscard]] std::vector<float> float_probabilities(const Dataset& data) const {
    return softmax_rows(FloatNetwork(prepared_, "cpu", options_.threads).run(data, {}, 16), leaves_);
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
    tell(fmt::format("searching {} levels on {} samples", result_.levels.size(), samples.size()));
    const auto ways =
        search_scale(result_.network, simulation, samples.labels, result_.levels, energy, options_.search);
    for (std::size_t level = 0; level < ways.size(); ++level) {
      for (const ScaleStep& step : thin_out(ways[level], options_.points_per_level)) {
        add_point(level, step.precision, step.divergence, energy, simulation);
      }
    }
    add_uniform_points(energy, simulation);
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
  void add_uniform_points(const NetworkEnergy& energy, NestedSimulation& simulation) {
    const Level& level = result_.levels.front();
    const std::vector<int> groups = activation_groups(result_.network.graph, result_.layers);
    const std::vector<float> full = aggregate(level, simulation.probabilities(uniform_precision(groups, {})));
    for (const Precision& bits : options_.uniform) {
      const std::vector<Precision> precision = uniform_precision(groups, bits);
      const double divergence =
          mean_divergence(full, aggregate(level, simulation.probabilities(precision)), level.classes.size());
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

  [[nodiscard]] std::vector<float> program_probabilities(std::size_t point, const Dataset& data) const {
    const Program& program = result_.program;
    const ProgramRunner runner(program, host_, point);
    std::vector<std::int32_t> outputs(static_cast<std::size_t>(data.size() * runner.output_elements()));
    const int threads =
        options_.threads > 0 ? options_.threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    runner.run(convert_samples(program, data), data.size(), outputs, threads);
    return probabilities(program, outputs);
  }

  [[nodiscard]] Pricer pricer() const {
    return {*options_.target,
            options_.optimize,
            tune_features_,
            test_,
            raw_preprocessing_,
            device_name(),
            options_.bounds.latency_ms > 0};
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
    const std::size_t most = static_cast<std::size_t>(options_.points_per_level) * result_.levels.size();
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
    hold_to_bounds(price.measure({std::move(program), std::move(schedule)}));
  }

  [[nodiscard]] Preprocessing program_preprocessing() const {
    return test_.is_pixels() ? Preprocessing{} : raw_preprocessing_;
  }

  /// Puts into the program what was measured of its points.
  void describe_points() {
    result_.program.name = name_;
    result_.program.levels = result_.levels;
    for (std::size_t k = 0; k < result_.points.size(); ++k) {
      ProgramPoint& point = result_.program.points[k];
      point.energy_nj = result_.points[k].energy.total();
      for (const LevelMeasurement& at : result_.points[k].measured) point.accuracy.push_back(at.test.top1);
    }
  }

  void deploy_program() {
    const Dataset samples = test_.sample(std::min(options_.verify_samples, test_.size()), 1);
    tell(fmt::format("running {} samples at {} operating points on the emulated {}", samples.size(),
                     result_.points.size(), name_of(options_.target->processor)));
    const Pricer price = pricer();
    const Schedule schedule = price.schedule_of(result_.program);
    dump_.add("scheduled", result_.program, schedule);
    const std::vector<std::uint8_t> inputs = convert_samples(result_.program, samples);
    Deployment deployment = deploy(result_.program, schedule, *options_.target, device_name(), inputs,
                                   host_outputs(result_.program, inputs, samples.size()), folder_);
    if (deployment.mismatches > 0) {
      throw failure("the emulated device and the host differ in {} numbers over {} samples", deployment.mismatches,
                    samples.size());
    }
    deployment.cycles = price.estimate_cycles(result_.program, schedule, deployment.dearest_point());
    hold_to_bounds(deployment);
    result_.deployment = deployment;
  }

  /// Every point as the integer program that is deployed.
  void measure(const std::vector<float>& tune_float, const std::vector<float>& test_float) {
    result_.program = lower(result_.network, operating_points_, program_preprocessing(), test_.classes);
    host_ = schedule(result_.program, Core::host);
    const double temperature = fit_temperature(tune_float, tune_.labels);
    const std::vector<float> truth = at_temperature(tune_float, leaves_, temperature);
    const std::vector<float> test_truth = at_temperature(test_float, leaves_, temperature);
    std::vector<std::vector<bool>> tune_hits;  // of the float network, by level
    std::vector<std::vector<bool>> test_hits;
    for (const Level& level : result_.levels) {
      tune_hits.push_back(hits(level, tune_float, tune_.labels));
      test_hits.push_back(hits(level, test_float, test_.labels));
    }
    for (std::size_t k = 0; k < result_.points.size(); ++k) {
      tell(fmt::format("measuring operating point {} of {}", k + 1, result_.points.size()));
      const std::vector<float> tune = program_probabilities(k, tune_);
      const std::vector<float> test = program_probabilities(k, test_);
      for (std::size_t l = 0; l < result_.levels.size(); ++l) {
        const Level& level = result_.levels[l];
        LevelMeasurement& measured = result_.points[k].measured.emplace_back();
        measured.tune = score(level, tune, tune_.labels);
        measured.test = score(level, test, test_.labels);
        measured.lost = paired_difference(test_hits[l], hits(level, test, test_.labels));
        // Training makes a network that errs elsewhere than the float one, not more often by what that one believes.
        measured.tune_lost = options_.train ? paired_difference(tune_hits[l], hits(level, tune, tune_.labels))
                                            : expected_loss(level, truth, tune_float, tune);
        if (!options_.train) measured.lost_expected = expected_loss(level, test_truth, test_float, test);
      }
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
  std::size_t leaves_ = 0;
  ScaleResult result_;
  std::vector<OperatingPoint> operating_points_;
  Schedule host_;  ///< of the program
  PassDump dump_;
};

}  // namespace

std::size_t choose_point(const ScaleResult& result, std::size_t level, double most_lost_percent) {
  std::vector<std::size_t> order;  // from the most energy to the least
  for (std::size_t k = 0; k < result.points.size(); ++k) {
    if (!result.points[k].uniform) order.push_back(k);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return result.points[a].energy.total() > result.points[b].energy.total();
  });
  struct Pooled {
    double sum = 0;
    std::size_t count = 0;
    [[nodiscard]] double mean() const { return sum / static_cast<double>(count); }
  };
  std::vector<Pooled> pools;
  for (const std::size_t k : order) {
    pools.push_back({result.points[k].measured[level].tune_lost.mean, 1});
    while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
      pools[pools.size() - 2].sum += pools.back().sum;
      pools[pools.size() - 2].count += pools.back().count;
      pools.pop_back();
    }
  }
  std::size_t good = 0;  // points whose smoothed loss is small enough: the first of the order
  for (const Pooled& pool : pools) {
    if (pool.mean() > most_lost_percent + 1e-9) break;
    good += pool.count;
  }
  return good == 0 ? 0 : order[good - 1];
}

std::optional<std::size_t> choose_saving_point(const ScaleResult& result, std::size_t level,
                                               double least_saved_percent) {
  std::optional<std::size_t> best;
  const auto lost = [&](std::size_t k) { return result.points[k].measured[level].tune_lost.mean; };
  for (std::size_t k = 0; k < result.points.size(); ++k) {
    if (result.points[k].uniform || result.points[k].saved_percent < least_saved_percent) continue;
    if (!best || lost(k) < lost(*best)) best = k;
  }
  return best;
}

ScaleResult scale(const Graph& graph, const Taxonomy& taxonomy, const Dataset& train_data, const Dataset& tune,
                  const Dataset& test, const Preprocessing& preprocessing, const ScaleOptions& options,
                  const std::filesystem::path& folder) {
  return Scaling(graph, taxonomy, train_data, tune, test, preprocessing, options, folder).run();
}

}  // namespace trimtab
