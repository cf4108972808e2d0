#include "fit/fit.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "cost/energy.h"
#include "data/sample_picture.h"
#include "emit/c_text.h"
#include "emit/firmware.h"
#include "emit/hand_over.h"
#include "emit/recipe.h"
#include "learn/clean_network.h"
#include "learn/inference.h"
#include "learn/network_warnings.h"
#include "learn/recover.h"
#include "learn/shrink.h"
#include "plan/layers.h"
#include "plan/prune.h"
#include "program/evaluate.h"
#include "program/lower.h"
#include "program/pass_dump.h"

namespace trimtab {
namespace {

/// The network that training distils from, prepared like the one that is trained.
std::shared_ptr<const Graph> teacher_of(const FitOptions& options, const Graph& prepared,
                                        const Preprocessing& preprocessing) {
  return std::make_shared<const Graph>(options.teacher ? prepare_for_deployment(*options.teacher, preprocessing)
                                                       : prepared);
}

/// Of the worst answers, for the report.
constexpr std::size_t shown_samples = 18;
constexpr std::int64_t shown_pixels = 96;

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
    check_fits(train_, graph.input_shape());
    check_fits(test_, graph.input_shape());
    task_ = choose_task(options.task, output_of(graph), test_, preprocessing);
    check_left_out(graph, task_);
    if (options.train && !task_.labelled) {
      throw bad_input("--epochs needs labels to train with, and {} has none here; give --epochs 0",
                      name_of(task_.kind));
    }
    if (options.train || options.recovery_epochs > 0 || options.search.has_value()) check_answers(task_, train_);
    tell(fmt::format("task: {}", describe(task_)));
    pixels_ = test_.is_pixels();
    if (train_.is_pixels() != pixels_)
      throw bad_input("the training data are {}, the test data are not", train_.is_pixels() ? "pixels" : "features");
    if (!options.dump_passes.empty()) dump_ = PassDump(options.dump_passes);
    dump_.add("imported", graph);
    check_input_form();
    prepared_ = prepare_for_deployment(graph, pixels_ ? preprocessing : Preprocessing{}, dump_.observer());
    samples_ = preprocess_features(train_, preprocessing);
    const std::vector<std::string> left = layers_without(&FormTraits::runs, prepared_);
    if (!left.empty())
      throw bad_input("{} cannot be deployed to a microcontroller: layer {} has no integer form", graph.name,
                      fmt::join(left, ", "));
    CleanNetwork clean = clean_network(prepared_, samples_, options.threads);
    prepared_ = std::move(clean.graph);
    clean_up_ = std::move(clean.report);
    dump_.add("cleaned-up", prepared_);
    if (!clean_up_.empty()) tell(clean_up_);
  }

  FitResult run() {
    FitResult result;
    result.clean_up = clean_up_;
    result.device_name = name();
    result.left_out = left_out_layers(graph_);
    if (options_.search.has_value()) {
      search(result);
    } else {
      follow_plan(result);
    }
    dump_.add("filters-removed", result.pruned);
    dump_.add("layers-planned", result.pruned, result.network.plan);
    dump_.add("quantized", result.network);
    result.program = lower_network(result.network);
    dump_.add("lowered", result.program);
    if (options_.target.has_value()) {
      verify(result);
    } else {
      result.schedule = schedule(result.program, Core::host);
    }
    evaluate_all(result);
    result.errors = find_errors(result);
    return result;
  }

 private:
  void tell(const std::string& line) const {
    if (options_.report) options_.report(line);
  }

  void check_input_form() const {
    if (options_.input == InputForm::whole) return;
    if (!options_.target.has_value() || !makes_strips(core_of(*options_.target)))
      throw bad_input("--input rows is for a microcontroller, and {} is none",
                      options_.target.has_value() ? options_.target->name : "this machine");
    const Shape& shape = graph_.input_shape();
    if (shape.size() < 3 || shape[1] < 2 || graph_.input_parts.size() > 1)
      throw bad_input("--input rows needs an input of several rows, and that of {} has {}", graph_.name,
                      graph_.input_parts.size() > 1 ? "several parts" : "the shape " + to_string(shape));
  }

  [[nodiscard]] Plan make_plan(int weight_bits, int activation_bits) const {
    const Plan plan = uniform_plan(prepared_, weight_bits, activation_bits);
    if (!options_.plan_file.has_value()) return plan;
    return parse_plan(read_text(*options_.plan_file), prepared_, plan, options_.plan_file->string());
  }

  /// Quantizes, after pruning and with training, as the plan says.
  void follow_plan(FitResult& result) const {
    const Plan plan = make_plan(options_.weight_bits, options_.activation_bits);
    const ChannelGroups groups = find_channel_groups(prepared_);
    const std::vector<std::int64_t> kept = kept_of_plan(
        prepared_, groups, plan, options_.plan_file.has_value() ? options_.plan_file->string() : "the plan");
    const std::vector<double> any(groups.units.size(), 1.0);
    const Graph structure = prune(prepared_, groups, most_important(groups, any, kept));
    // without training, the image that is verified is also the first
    if (options_.target.has_value() && (options_.train || options_.recovery_epochs > 0)) check_bounds(structure, plan);
    result.pruned = prune_and_recover(kept);
    tell(fmt::format("quantizing to {} bits of weights and {} of activations", options_.weight_bits,
                     options_.activation_bits));
    if (!options_.train) {
      result.network = quantize_post_training(result.pruned, plan, samples_, options_.calibration);
      return;
    }
    tell(fmt::format("training under the plan for {} epochs", options_.training.training.epochs));
    QatOptions training = options_.training;
    training.training.task = task_;
    training.teacher = teacher_of(options_, prepared_, pixels_ ? preprocessing_ : Preprocessing{});
    result.network =
        train_quantized(result.pruned, plan, samples_, preprocess_features(test_, preprocessing_), training);
  }

  /// The prepared graph with so many units of every group, trained again in float.
  [[nodiscard]] Graph prune_and_recover(const std::vector<std::int64_t>& kept) const {
    const ChannelGroups groups = find_channel_groups(prepared_);
    bool all = true;
    for (std::size_t g = 0; g < kept.size(); ++g)
      all = all && kept[g] == static_cast<std::int64_t>(groups.groups[g].units.size());
    if (all) return prepared_;
    tell(fmt::format("removing filters, with {} epochs of recovery", options_.recovery_epochs));
    ShrinkOptions shrinking;
    shrinking.importance.measure = options_.importance;
    shrinking.importance.threads = options_.threads;
    shrinking.importance.task = task_;
    shrinking.recovery = recovery_options(options_.training.training);
    shrinking.recovery.epochs = options_.recovery_epochs;
    shrinking.recovery.task = task_;
    if (!options_.training.directory.empty() && options_.recovery_epochs > 0) {
      make_directory(options_.training.directory);
      shrinking.recovery.checkpoint = options_.training.directory / "recovery.checkpoint";
      shrinking.recovery.log = options_.training.directory / "recovery.csv";
    }
    return shrink(prepared_, kept, samples_, {}, shrinking);
  }

  /// Finds the plan and takes over the network that its last trial left.
  void search(FitResult& result) const {
    if (!options_.target.has_value())
      throw bad_input("a search needs a target whose flash and RAM it fits; leave '--target host' out");
    const FitSearchOptions& how = *options_.search;
    const FitTrialData data = fit_trial_data(graph_, train_, preprocessing_, options_);
    PlanSearchOptions plan = how.plan;
    plan.bounds.image = options_.bounds;
    plan.seed = options_.training.training.seed;
    plan.report = options_.report;

    Study study(how.study, study_settings(data));
    const Measure measure = measures_of(data.task).at(0);
    if (measure != Measure::top1) {
      study.put_note("value", info_of(measure).key);
      study.put_note("value_is_small", !info_of(measure).larger_is_better);
    }
    InProcessRunner here(
        [&](const TrialSpec& spec, const std::filesystem::path& folder) { return run_fit_trial(data, spec, folder); });
    TrialRunner& runner = how.runner != nullptr ? *how.runner : here;
    result.search = search_plan(data, pricer(), plan, study, runner);
    const FoundPlan& best = result.search->finalists.front();
    result.network = quantized_after(data, best.last, study.folder_of(best.last));
    result.pruned = network_after(data, best.last, study.folder_of(best.last));
  }

  /// All that the trials of a search have in common; bounds and target are not: other bounds use the same trials.
  [[nodiscard]] nlohmann::json study_settings(const FitTrialData& data) const {
    TrainOptions training = options_.training.training;
    training.teacher = data.teacher;
    training.task = data.task;
    nlohmann::json settings = training_settings(prepared_, data.train, {}, training);
    settings.erase("epochs");
    settings["command"] = "fit";
    settings["threads"] = data.threads;
    settings["validation_samples"] = data.validation.size();
    settings["importance"] = static_cast<int>(data.importance);
    settings["calibration"] = {static_cast<int>(options_.calibration.activations), options_.calibration.samples};
    return settings;
  }

  [[nodiscard]] Pricer pricer() const {
    return {*options_.target, options_.optimize, samples_, test_, preprocessing_, name(), options_.bounds.need_cycles(),
            options_.input};
  }

  [[nodiscard]] Program lower_network(const QuantizedNetwork& network) const {
    Program program = lower(network, pixels_ ? Preprocessing{} : preprocessing_, test_.classes);
    program.name = graph_.name;
    return program;
  }

  /// Prefix of the device's C functions.
  [[nodiscard]] std::string name() const {
    return options_.device_name.empty() ? to_identifier(graph_.name) : options_.device_name;
  }

  /// Links and runs one sample, since sizes and stack do not depend on the weights' values; names the nearest fit where
  /// a bound is missed.
  void check_bounds(const Graph& structure, const Plan& plan) const {
    tell("linking the image and measuring flash and RAM");
    const Pricer price = pricer();
    hold_to_bounds(price, price.measure_within(price.lower_network(price.sketch(structure, plan)), options_.bounds));
  }

  /// Throws Error (bound not met) with what is missed and the nearest fit.
  void hold_to_bounds(const Pricer& price, const Deployment& deployment) const {
    const std::string missed = price.misses(deployment, options_.bounds);
    if (!missed.empty())
      throw bound_not_met("{}; {}", missed, nearest_fit(price.missed_bounds(deployment, options_.bounds)));
  }

  /// The uniform setting with the most bits that fits, found by linking; activations are narrowed only after the
  /// weights, and not at all where even the narrowest weights take too much flash or RAM. The answer is in the units of
  /// the bounds that were `missed`.
  [[nodiscard]] std::string nearest_fit(const Bounds& missed) const {
    const Pricer price = pricer();
    const auto misses = [&](const Deployment& deployment, const Bounds& bounds) {
      return !price.misses(deployment, bounds).empty();
    };
    const Bounds& bounds = options_.bounds;
    const Bounds space{bounds.flash_bytes, bounds.ram_bytes, 0, 0};
    std::optional<Deployment> nearest;
    const auto note = [&](const Deployment& deployment) {
      if (!nearest.has_value() || is_nearer(deployment, *nearest, missed)) nearest = deployment;
    };
    for (const int activation_bits : {8, 4, 2}) {
      if (activation_bits > options_.activation_bits) continue;
      const std::optional<Deployment> narrowest = measure_uniform(2, activation_bits);
      if (!narrowest.has_value()) continue;
      note(*narrowest);
      if (misses(*narrowest, space)) continue;
      for (int weight_bits = options_.weight_bits; weight_bits >= 2; --weight_bits) {
        const std::optional<Deployment> deployment =
            weight_bits == 2 ? narrowest : measure_uniform(weight_bits, activation_bits);
        if (!deployment.has_value()) continue;
        note(*deployment);
        if (misses(*deployment, bounds)) continue;
        return fmt::format("--weight-bits {} --activation-bits {} fits, with {}", weight_bits, activation_bits,
                           price.figures(*deployment, missed));
      }
    }
    std::string text = "no bits make it fit";
    if (nearest.has_value()) text += fmt::format(": the nearest takes {}", price.figures(*nearest, missed));
    return text + ", so the network needs fewer filters";
  }

  /// Whether an image takes less than another of what is bounded: of time, where that was missed, else of RAM or flash.
  [[nodiscard]] bool is_nearer(const Deployment& one, const Deployment& other, const Bounds& missed) const {
    const auto at_clock = [&](const Deployment& deployment) {
      return *choose_clock(*options_.target, deployment, options_.bounds);
    };
    const auto soonest_ms = [](const ClockChoice& choice) { return choice.costs[choice.nearest()].latency_ms.most; };
    if (missed.duty.is_given()) return soonest_ms(at_clock(one)) < soonest_ms(at_clock(other));
    if (missed.energy_uj > 0)
      return at_clock(one).chosen().inference_uj.most < at_clock(other).chosen().inference_uj.most;
    if (missed.latency_ms > 0)
      return latency_of(*options_.target, one).held_ms() < latency_of(*options_.target, other).held_ms();
    if (missed.instructions > 0) return one.instructions() < other.instructions();
    if (missed.ram_bytes > 0) return one.ram_bytes() < other.ram_bytes();
    return one.flash_bytes() < other.flash_bytes();
  }

  /// The costs of the network with the same bits everywhere, or nothing where even the emulated board has too little.
  [[nodiscard]] std::optional<Deployment> measure_uniform(int weight_bits, int activation_bits) const {
    const Pricer price = pricer();
    try {
      const Plan plan = uniform_plan(prepared_, weight_bits, activation_bits);
      return price.measure_within(price.lower_network(price.sketch(prepared_, plan)), options_.bounds);
    } catch (const Error& error) {
      if (error.code() != ExitCode::bound_not_met) throw;
      return std::nullopt;
    }
  }

  /// The program and the float network, which lacks nothing but the roundings, on the same samples.
  void evaluate_all(FitResult& result) const {
    tell(fmt::format("evaluating the program on {} samples", test_.size()));
    const FloatNetwork before(prepared_, "auto", options_.threads);
    const Dataset samples = preprocess_features(test_, preprocessing_);
    Scorer score_float(task_, samples, {});
    FidelityMeter fidelity(task_);
    AnswerCount answers(task_);
    AnswerCount answers_float(task_);
    AnswerReview review(task_, test_);
    ProgramEvaluateOptions options;
    options.threads = options_.threads;
    options.task = task_;
    options.observe = [&](std::int64_t first, std::span<const float> outputs) {
      const std::int64_t count = std::ssize(outputs) / task_.outputs();
      const std::vector<float> reference = before.run(samples.slice(first, count), {});
      score_float.add(first, reference);
      fidelity.add(outputs, reference);
      answers.add(outputs);
      answers_float.add(reference);
      review.add(first, outputs, reference);
    };
    result.task = task_;
    result.score = evaluate_program(result.program, test_, options).score;
    result.score_float = score_float.score();
    result.fidelity = fidelity.fidelity();
    result.warnings = network_warnings(graph_, test_, preprocessing_, task_, answers_float, options_.threads);
    if (const auto range = range_warning(train_, test_)) result.warnings.push_back(*range);
    const bool only_integers = !answers_float.warning("", test_).has_value();
    const auto one = answers.warning("the integer network", test_);
    if (one && only_integers) result.warnings.push_back(*one);
    result.confusion = review.confusion();
    for (const WrongAnswer& wrong : review.worst(shown_samples)) result.worst.push_back({wrong, png_of(wrong.sample)});
  }

  /// The sample as a small PNG; empty where it is no picture.
  [[nodiscard]] std::vector<std::uint8_t> png_of(std::int64_t sample) const {
    if (!is_drawable(test_)) return {};
    Picture picture = sample_picture(test_, sample);
    const std::int64_t longer = std::max(picture.rows, picture.columns);
    if (longer > shown_pixels) {
      picture = picture_codec().resize(picture, std::max<std::int64_t>(1, picture.rows * shown_pixels / longer),
                                       std::max<std::int64_t>(1, picture.columns * shown_pixels / longer), true);
    }
    return picture_codec().encode_png(picture);
  }

  [[nodiscard]] LayerErrors find_errors(const FitResult& result) const {
    tell("comparing the integers with the float network, layer by layer");
    LayerErrorOptions options;
    options.trained = options_.train || options_.search.has_value();
    options.threads = options_.threads;
    return measure_layer_errors(result.pruned, result.network, preprocess_features(test_, preprocessing_), options);
  }

  /// A search that bounds weights and working memory together leaves the arena what the weights do not take.
  [[nodiscard]] ScheduleLimits limits_of(const Program& program) const {
    ScheduleLimits limits;
    const std::int64_t memory = options_.search.has_value() ? options_.search->plan.bounds.memory_bytes : 0;
    if (memory > 0) limits.arena_bytes = std::max<std::int64_t>(memory - weights_bytes(program), 0);
    return limits;
  }

  void verify(FitResult& result) {
    const std::int64_t count = std::min(options_.verify_samples, test_.size());
    tell(fmt::format("running {} samples on the emulated {}", count, name_of(options_.target->processor)));
    const Dataset samples = test_.sample(count, 1);
    const Pricer own = pricer();
    try {
      auto made = own.deploy_within(result.program, limits_of(result.program), options_.bounds, samples, folder_);
      result.deployment = std::move(made.deployment);
      result.schedule = std::move(made.schedule);
      result.costs = std::move(made.costs);
    } catch (const Error& least) {
      if (least.code() != ExitCode::bound_not_met) throw;
      throw bound_not_met("{}; {}", least.what(),
                          nearest_fit({options_.bounds.flash_bytes, options_.bounds.ram_bytes, 0, 0}));
    }
    hold_to_bounds(own, *result.deployment);
    if (options_.frontier || options_.bounds.duty.is_given()) {
      tell("measuring the program with less and with more RAM");
      std::vector<FrontierPoint> frontier = memory_frontier(own, result.program);
      if (options_.bounds.duty.is_given()) take_least_energy(result, own, frontier, samples);
      if (options_.frontier) result.frontier = std::move(frontier);
    }
    dump_.add("scheduled", result.program, result.schedule);
  }

  /// Of the schedules on the frontier within all bounds, deploys the one that spends less than the one that is
  /// deployed, if there is any. The clock follows from the schedule.
  void take_least_energy(FitResult& result, const Pricer& own, std::span<const FrontierPoint> frontier,
                         const Dataset& samples) {
    const auto spent = [&](const Deployment& deployment) {
      return choose_clock(own.target(), deployment, options_.bounds)->chosen().spent_uj();
    };
    double least = spent(*result.deployment);
    std::optional<std::int64_t> arena;
    for (const FrontierPoint& point : frontier) {
      if (!own.misses(point.deployment, options_.bounds).empty() || spent(point.deployment) >= least) continue;
      least = spent(point.deployment);
      arena = point.deployment.arena_bytes;
    }
    if (!arena.has_value()) return;
    tell("deploying the schedule of the least energy");
    auto made = own.deploy_within(result.program, {.arena_bytes = arena}, options_.bounds, samples, folder_);
    result.deployment = std::move(made.deployment);
    result.schedule = std::move(made.schedule);
    result.costs = std::move(made.costs);
    hold_to_bounds(own, *result.deployment);
  }

  const Graph& graph_;
  const Dataset& train_;
  const Dataset& test_;
  const Preprocessing& preprocessing_;
  const FitOptions& options_;
  const std::filesystem::path& folder_;
  Task task_;
  Graph prepared_;
  std::string clean_up_;  ///< what was removed from it
  Dataset samples_;       ///< to calibrate and train with, preprocessed where they are features
  bool pixels_ = true;
  PassDump dump_;
};

}  // namespace

FitResult fit(const Graph& graph, const Dataset& train_data, const Dataset& test_data,
              const Preprocessing& preprocessing, const FitOptions& options, const std::filesystem::path& folder) {
  return Fitting(graph, train_data, test_data, preprocessing, options, folder).run();
}

FitTrialData fit_trial_data(const Graph& graph, const Dataset& train_data, const Preprocessing& preprocessing,
                            const FitOptions& options) {
  const Preprocessing folded = train_data.is_pixels() ? preprocessing : Preprocessing{};
  const Dataset samples = preprocess_features(train_data, preprocessing);
  FitTrialData data;
  const Graph prepared = prepare_for_deployment(graph, folded);
  data.prepared = std::make_shared<const Graph>(clean_up(prepared, input_ranges(prepared, samples)).graph);
  data.teacher = teacher_of(options, *data.prepared, folded);
  const std::int64_t validation = std::min(options.search->validation_samples, samples.size() / 5);
  if (validation < 1) throw bad_input("{} samples to train with are too few for a search", samples.size());
  // every n-th sample is held back
  const std::int64_t every = samples.size() / validation;
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> held;
  for (std::int64_t i = 0; i < samples.size(); ++i) {
    const bool hold = i % every == every - 1 && static_cast<std::int64_t>(held.size()) < validation;
    (hold ? held : train).push_back(i);
  }
  data.train = samples.pick(train);
  data.validation = samples.pick(held);
  data.task = choose_task(options.task, output_of(graph), train_data, preprocessing);
  if (!data.task.labelled) throw bad_input("a search needs labels, and {} has none here", name_of(data.task.kind));
  data.importance = options.importance;
  data.training = options.training;
  data.training.training.task = data.task;
  data.training.training.threads = options.threads;
  data.training.directory.clear();
  data.threads = options.threads;
  return data;
}

}  // namespace trimtab
