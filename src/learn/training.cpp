#include "learn/training.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numbers>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/settings.h"
#include "learn/checkpoint.h"
#include "learn/evaluate_executor.h"
#include "learn/optimizer.h"
#include "learn/task_loss.h"

namespace trimtab {

void to_json(nlohmann::json& json, const EpochRecord& record) {
  json = {record.epoch,      record.learning_rate, record.train_loss,
          record.train_top1, record.seconds,       record.samples_per_second};
  for (const Score& test : record.tests) {
    nlohmann::json values = nlohmann::json::array();
    for (const auto& [measure, value] : test.values) values.push_back({static_cast<int>(measure), value});
    json.push_back({test.samples, values});
  }
}

void from_json(const nlohmann::json& json, EpochRecord& record) {
  // JSON writes infinity and what is not a number as null.
  const auto number = [](const nlohmann::json& item) {
    return item.is_null() ? std::numeric_limits<double>::quiet_NaN() : item.get<double>();
  };
  record = {json.at(0), number(json.at(1)), number(json.at(2)), number(json.at(3)),
            {},         number(json.at(4)), number(json.at(5))};
  for (std::size_t i = 6; i < json.size(); ++i) {
    Score& test = record.tests.emplace_back();
    json[i].at(0).get_to(test.samples);
    for (const nlohmann::json& value : json[i].at(1))
      test.values.emplace_back(static_cast<Measure>(value.at(0).get<int>()), number(value.at(1)));
  }
}

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Gamma distribution of shape `alpha`, scale 1 (Marsaglia and Tsang 2000).
double gamma(double alpha, Random& random) {
  if (alpha < 1) {
    const double u = 1 - random.uniform();
    return gamma(alpha + 1, random) * std::pow(u, 1 / alpha);
  }
  const double d = alpha - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = random.normal();
    const double v = std::pow(1 + c * x, 3);
    if (v <= 0) continue;
    const double u = 1 - random.uniform();
    if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

double beta(double alpha, Random& random) {
  const double a = gamma(alpha, random);
  const double b = gamma(alpha, random);
  return a + b > 0 ? a / (a + b) : 0.5;
}

/// Of a step of `steps`: up linearly for `warmup` steps, then down along half a cosine to 0.
double learning_rate_at(double highest, double warmup, std::int64_t step, std::int64_t steps) {
  const auto t = static_cast<double>(step);
  const auto end = static_cast<double>(steps);
  if (t < warmup) return highest * (t + 1) / warmup;
  return 0.5 * highest * (1 + std::cos(std::numbers::pi * (t - warmup) / std::max(end - warmup, 1.0)));
}

/// The task that the network learns: the options name it, or it follows from network and data.
Task task_of(const TrainingTask& training, const Graph& graph) {
  check_fits(training.train_data, graph.input_shape());
  const std::optional<Task>& chosen = training.options.task;
  Task task = chosen ? *chosen : choose_task({}, output_of(graph), training.train_data, training.preprocessing);
  check_answers(task, training.train_data);
  if (training.test_data.size() > 0) {
    check_fits(training.test_data, graph.input_shape());
    check_answers(task, training.test_data);
  }
  return task;
}

/// Answers that lie where the pixels lie would have to be shifted and mirrored with them: such samples stay as they
/// are.
bool answers_have_places(const Task& task) {
  return task.kind == TaskKind::segmentation || (task.kind == TaskKind::regression && task.positions() > 1);
}

/// The state of one training; run() goes through the steps that are left.
class Training {
 public:
  Training(Executor& executor, const TrainingTask& task);
  std::vector<EpochRecord> run();

 private:
  [[nodiscard]] torch::Tensor loss_of(const torch::Tensor& outputs, const torch::Tensor& targets,
                                      const torch::Tensor& taught, double own_share, double weight) const;
  void step(const Batch& batch);
  [[nodiscard]] Error diverged(const char* why) const;
  void finish_epoch();
  void constrain() const {
    if (task_.constrain) task_.constrain();
  }
  void write_log() const;
  void save();
  void load();
  [[nodiscard]] std::vector<torch::Tensor> tensors() const;
  [[nodiscard]] std::int64_t step_in_epoch() const { return step_ - epoch() * per_epoch_; }
  [[nodiscard]] std::int64_t epoch() const { return static_cast<std::int64_t>(history_.size()); }

  Executor& executor_;
  const TrainingTask& task_;
  const TrainOptions& options_;
  Task goal_;
  BatchOptions batches_;
  ValueId measured_;
  std::int64_t per_epoch_;
  std::int64_t steps_;
  std::vector<torch::Tensor> state_;  ///< the executor's, and what else is trained
  Sgd sgd_;
  MovingAverage average_;
  std::optional<Executor> teacher_;

  std::int64_t step_ = 0;  ///< steps done
  std::vector<EpochRecord> history_;
  torch::Tensor loss_sum_;     ///< over the steps of this epoch
  torch::Tensor correct_sum_;  ///< likewise
  double epoch_seconds_ = 0;   ///< spent in this epoch before the last start
  Clock::time_point start_;
};

std::vector<torch::Tensor> whole_state(const Executor& executor, const std::vector<TrainedTensor>& trained) {
  std::vector<torch::Tensor> result = executor.state();
  for (std::size_t i = executor.parameters().size(); i < trained.size(); ++i) {
    result.push_back(trained[i].tensor.detach());
  }
  return result;
}

Training::Training(Executor& executor, const TrainingTask& task)
    : executor_(executor),
      task_(task),
      options_(task.options),
      goal_(task_of(task, executor.graph())),
      batches_(batch_options(task.options)),
      measured_(measured_value(goal_, executor.graph())),
      per_epoch_(batches_per_epoch(task.train_data.size(), batches_)),
      steps_(per_epoch_ * task.options.epochs),
      state_(whole_state(executor, task.trained)),
      sgd_(task.trained, task.options.momentum, task.options.weight_decay),
      average_(state_, task.options.average_decay),
      loss_sum_(torch::zeros({}, torch::TensorOptions(executor.device()).dtype(torch::kFloat64))),
      correct_sum_(torch::zeros_like(loss_sum_)) {
  if (answers_have_places(goal_)) batches_.augmentation = {};
  if (options_.teacher) {
    teacher_.emplace(*options_.teacher, executor.device());
    teacher_->bfloat16 = options_.bfloat16;
    check_fits(task.train_data, options_.teacher->input_shape());
    if (element_count(options_.teacher->output_shape()) != element_count(executor.graph().output_shape())) {
      throw bad_input("the teacher {} has {} outputs; the network {} has {}", options_.teacher->name,
                      element_count(options_.teacher->output_shape()), executor.graph().name,
                      element_count(executor.graph().output_shape()));
    }
  }
}

/// `taught`: what the teacher says; undefined where there is none.
torch::Tensor Training::loss_of(const torch::Tensor& outputs, const torch::Tensor& targets, const torch::Tensor& taught,
                                double own_share, double weight) const {
  const auto count = static_cast<double>(outputs.size(0));
  const auto loss_to = [&](const torch::Tensor& target) {
    return task_loss(goal_, outputs, target, options_.label_smoothing) / count;
  };
  torch::Tensor loss = loss_to(targets);
  if (own_share < 1) loss = loss * own_share + loss_to(targets.flip(0)) * (1 - own_share);
  if (!taught.defined()) return loss * weight;
  const torch::Tensor divergence = task_divergence(goal_, outputs, taught, options_.temperature) / count;
  const double share = options_.distillation_weight;
  return loss * (weight * (1 - share)) + divergence * (weight * share);
}

void Training::step(const Batch& batch) {
  Random random(options_.seed * 0x9e3779b97f4a7c15U + static_cast<std::uint64_t>(step_) + 1);
  torch::Tensor input = input_tensor(batch, task_.train_data.shape).to(executor_.device());
  const torch::Tensor targets =
      target_tensor(goal_, task_.train_data, batch.samples, input, task_.preprocessing).to(executor_.device());
  double own_share = 1;
  if (options_.mixup > 0) {
    own_share = beta(options_.mixup, random);
    input = input * own_share + input.flip(0) * (1 - own_share);
  }
  torch::Tensor taught;
  if (teacher_) {
    const torch::NoGradGuard no_gradients;
    taught = teacher_->forward(input, false, measured_value(goal_, teacher_->graph()));
  }
  std::vector<torch::Tensor> outputs;  // by pass
  std::vector<torch::Tensor> losses;
  executor_.bfloat16 = options_.bfloat16;
  for (const TrainingPass& pass : task_.passes) {
    if (pass.prepare) pass.prepare(random);
    const torch::Tensor own = executor_.forward(input, true, measured_);
    losses.push_back(loss_of(own, targets, pass.teacher ? outputs.at(*pass.teacher) : taught, own_share, pass.weight));
    outputs.push_back(own.detach());
  }
  executor_.bfloat16 = false;
  const torch::Tensor loss = torch::stack(losses).sum();
  loss.backward();
  sgd_.step(learning_rate_at(options_.learning_rate, options_.warmup_epochs * static_cast<double>(per_epoch_), step_,
                             steps_));
  constrain();
  ++step_;
  average_.update(step_);
  loss_sum_ += loss.detach();
  if (goal_.kind == TaskKind::classification)
    correct_sum_ += outputs[0].reshape({batch.size(), -1}).argmax(1).eq(targets).sum();
}

Error Training::diverged(const char* why) const {
  return failure("training diverged by step {}: {}; a smaller learning rate than {} may help", step_, why,
                 options_.learning_rate);
}

void Training::finish_epoch() {
  EpochRecord record;
  record.epoch = epoch() + 1;
  record.learning_rate = learning_rate_at(options_.learning_rate,
                                          options_.warmup_epochs * static_cast<double>(per_epoch_), step_ - 1, steps_);
  record.train_loss = loss_sum_.item<double>() / static_cast<double>(per_epoch_);
  const auto samples = static_cast<double>(per_epoch_ * std::min(options_.batch_size, task_.train_data.size()));
  record.train_top1 = 100 * correct_sum_.item<double>() / samples;
  record.seconds = epoch_seconds_ + seconds_since(start_);
  record.samples_per_second = samples / record.seconds;
  if (!std::isfinite(record.train_loss)) throw diverged("the loss is not a number");
  if (task_.test_data.size() > 0) {
    average_.swap();
    for (const TrainingTest& test : task_.tests) {
      if (test.prepare) test.prepare();
      record.tests.push_back(evaluate(executor_, task_.test_data, task_.preprocessing, {.task = goal_}));
    }
    average_.swap();
  }
  history_.push_back(record);
  loss_sum_.zero_();
  correct_sum_.zero_();
  epoch_seconds_ = 0;
  start_ = Clock::now();
  write_log();
}

void Training::write_log() const {
  if (options_.log.empty()) return;
  const bool classes = goal_.kind == TaskKind::classification;
  const std::vector<Measure> measures = measures_of(goal_);
  std::string text = fmt::format("epoch,learning_rate,train_loss{}", classes ? ",train_top1" : "");
  for (const TrainingTest& test : task_.tests) {
    for (const Measure measure : measures) text += fmt::format(",test_{}{}", info_of(measure).key, test.name);
  }
  text += ",seconds,samples_per_second\n";
  for (const EpochRecord& r : history_) {
    text += fmt::format("{},{:.6g},{:.5f}", r.epoch, r.learning_rate, r.train_loss);
    if (classes) text += fmt::format(",{:.3f}", r.train_top1);
    for (std::size_t i = 0; i < task_.tests.size(); ++i) {
      for (const Measure measure : measures) {
        const std::optional<double> value = r.tests.empty() ? std::nullopt : r.tests[i].find(measure);
        text += value ? fmt::format(",{:.6g}", *value) : ",";
      }
    }
    text += fmt::format(",{:.2f},{:.1f}\n", r.seconds, r.samples_per_second);
  }
  write_file(options_.log, text);
}

std::vector<torch::Tensor> Training::tensors() const {
  std::vector<torch::Tensor> result = state_;
  for (const auto* more : {&sgd_.velocities(), &average_.averages()}) {
    result.insert(result.end(), more->begin(), more->end());
  }
  result.push_back(loss_sum_);
  result.push_back(correct_sum_);
  return result;
}

void Training::save() {
  if (options_.checkpoint.empty()) return;
  save_checkpoint({{{"step", step_},
                    {"epoch_seconds", epoch_seconds_ + seconds_since(start_)},
                    {"history", history_},
                    {"settings", task_.settings}},
                   tensors()},
                  options_.checkpoint);
}

void Training::load() {
  const std::filesystem::path& path = options_.checkpoint;
  if (path.empty() || !std::filesystem::exists(path)) return;
  const Checkpoint checkpoint = load_checkpoint(path);
  try {
    check_same_settings(checkpoint.header.at("settings"), task_.settings, path.string());
    step_ = checkpoint.header.at("step");
    epoch_seconds_ = checkpoint.header.at("epoch_seconds");
    checkpoint.header.at("history").get_to(history_);
  } catch (const nlohmann::json::exception&) {
    throw bad_input("{} is damaged; remove it to start anew", path.string());
  }
  if (restore(checkpoint.tensors, 0, tensors(), path) != checkpoint.tensors.size() || step_ < 0 || step_ > steps_ ||
      step_in_epoch() < 0 || step_in_epoch() > per_epoch_) {
    throw bad_input("{} does not hold the state of this training; remove it to start anew", path.string());
  }
}

std::vector<EpochRecord> Training::run() {
  load();
  write_log();
  batches_.first_batch = step_;
  BatchLoader loader(task_.train_data, task_.preprocessing, batches_);
  const std::int64_t first = step_;
  Progress progress("training", steps_ - first);
  start_ = Clock::now();
  Clock::time_point saved = start_;
  Batch batch;
  while (step_ < steps_ && loader.next(batch)) {
    step(batch);
    const bool epoch_ends = step_in_epoch() == per_epoch_;
    if (epoch_ends) finish_epoch();
    if (options_.interrupted != nullptr && *options_.interrupted) {
      save();
      throw failure("training was interrupted after {} of {} steps{}", step_, steps_,
                    options_.checkpoint.empty() ? "" : "; the same command continues it");
    }
    if (epoch_ends || seconds_since(saved) >= options_.checkpoint_seconds) {
      save();
      saved = Clock::now();
    }
    if (options_.after_step) options_.after_step(step_);
    progress.update(step_ - first, fmt::format("epoch {}/{}{}", std::min(epoch() + 1, options_.epochs), options_.epochs,
                                               history_.empty() || history_.back().tests.empty()
                                                   ? ""
                                                   : ", test " + headline(history_.back().tests[0])));
  }
  average_.swap();
  constrain();
  const bool finite = std::ranges::all_of(state_, [](const torch::Tensor& tensor) {
    return !tensor.is_floating_point() || torch::isfinite(tensor).all().item<bool>();
  });
  if (!finite) throw diverged("a weight is not a number");
  return history_;
}

void check_range(bool good, const char* what, double value, const char* range) {
  if (!good) throw bad_input("{} is {}; it must be {}", what, value, range);
}

void check_options(const TrainOptions& o) {
  check_range(o.epochs >= 1, "the number of epochs", static_cast<double>(o.epochs), "at least 1");
  check_range(o.batch_size >= 1, "the batch size", static_cast<double>(o.batch_size), "at least 1");
  check_range(o.learning_rate > 0 && std::isfinite(o.learning_rate), "the learning rate", o.learning_rate,
              "larger than 0");
  check_range(o.warmup_epochs >= 0, "the warm-up", o.warmup_epochs, "at least 0 epochs");
  check_range(o.momentum >= 0 && o.momentum < 1, "the momentum", o.momentum, "in [0, 1)");
  check_range(o.weight_decay >= 0, "the weight decay", o.weight_decay, "at least 0");
  check_range(o.label_smoothing >= 0 && o.label_smoothing < 1, "the label smoothing", o.label_smoothing, "in [0, 1)");
  check_range(o.average_decay >= 0 && o.average_decay < 1, "the decay of the average", o.average_decay, "in [0, 1)");
  check_range(o.mixup >= 0, "mixup's parameter", o.mixup, "at least 0");
  check_range(o.distillation_weight >= 0 && o.distillation_weight <= 1, "the weight of the teacher",
              o.distillation_weight, "in [0, 1]");
  check_range(o.temperature > 0, "the temperature", o.temperature, "larger than 0");
}

}  // namespace

BatchOptions batch_options(const TrainOptions& options) {
  BatchOptions result;
  result.batch_size = options.batch_size;
  result.training = true;
  result.augmentation = options.augmentation;
  result.seed = options.seed;
  result.epochs = options.epochs;
  return result;
}

TrainOptions training_in(const std::filesystem::path& folder, const Dataset& data, TrainOptions options) {
  if (!data.is_pixels()) options.augmentation = {};
  if (folder.empty()) return options;
  make_directory(folder);
  options.checkpoint = folder / "training.checkpoint";
  options.log = folder / "training.csv";
  return options;
}

nlohmann::json grid_training_settings(const Graph& prepared, const Dataset& data, const TrainOptions& training,
                                      const CalibrationOptions& start) {
  nlohmann::json settings = training_settings(prepared, data, {}, training);
  settings["calibration"] = {static_cast<int>(start.activations), start.percentile, start.samples};
  return settings;
}

std::vector<EpochRecord> run_training(Executor& executor, const TrainingTask& task) {
  check_options(task.options);
  return Training(executor, task).run();
}

}  // namespace trimtab
