#include "learn/train.h"

#ifdef __aarch64__
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "learn/executor.h"
#include "learn/training.h"

namespace trimtab {
namespace {

/// FNV-1a over eight bytes at a time: quick, and enough to tell one run's content from another's.
class Fingerprint {
 public:
  template <typename T>
  void add(std::span<const T> items) {
    add(static_cast<std::int64_t>(items.size()));
    const auto* bytes = reinterpret_cast<const char*>(items.data());
    const std::size_t size = items.size_bytes();
    for (std::size_t i = 0; i < size; i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes + i, std::min<std::size_t>(8, size - i));
      mix(word);
    }
  }
  template <typename T>
  void add(const std::vector<T>& items) {
    add(std::span<const T>(items));
  }
  template <typename T>
  void add(const Samples<T>& samples) {
    add(samples.size());
    for (std::int64_t i = 0; i < samples.size(); ++i) add(samples[i]);
  }
  void add(const std::string& text) { add(std::vector<char>(text.begin(), text.end())); }
  void add(const Tensor& tensor) {
    add(tensor.shape);
    add(tensor.data);
  }
  void add(std::int64_t number) { mix(static_cast<std::uint64_t>(number)); }
  [[nodiscard]] std::string text() const { return fmt::format("{:016x}", hash_); }

 private:
  void mix(std::uint64_t word) {
    hash_ = (hash_ ^ word) * 0x100000001b3U;
    hash_ ^= hash_ >> 29U;
  }
  std::uint64_t hash_ = 0xcbf29ce484222325U;
};

std::string fingerprint(const Graph& graph) {
  Fingerprint print;
  for (const Value& value : graph.values) print.add(value.shape);
  for (const Node& node : graph.nodes) {
    print.add(node.name);
    print.add(operator_name(node.op));
    print.add(node.inputs);
    std::visit(overloaded{[&](const Conv& op) {
                            print.add(op.weight);
                            print.add(op.bias);
                          },
                          [&](const Linear& op) {
                            print.add(op.weight);
                            print.add(op.bias);
                          },
                          [&](const BatchNormalization& op) {
                            for (const Tensor* tensor : {&op.scale, &op.bias, &op.mean, &op.variance})
                              print.add(*tensor);
                          },
                          [&](const Affine& op) {
                            print.add(op.scale);
                            print.add(op.offset);
                          },
                          [&](const ScalarFunction& op) { print.add(op.steps); },
                          [&](const Concat& op) { print.add(op.axis); },
                          [&](const Gather& op) {
                            print.add(op.axis);
                            print.add(op.indices);
                          },
                          [&](const Permute& op) {
                            print.add(op.from);
                            print.add(op.order);
                            print.add(op.shape);
                          },
                          [](const auto&) {}},
               node.op);
  }
  return print.text();
}

std::string fingerprint(const Dataset& data) {
  Fingerprint print;
  print.add(data.shape);
  print.add(data.pixels);
  print.add(data.features);
  print.add(data.labels);
  if (!data.targets.empty()) print.add(data.targets);
  if (!data.class_maps.empty()) print.add(data.class_maps);
  return print.text();
}

}  // namespace

TrainResult train(const Graph& graph, const Dataset& train_data, const Dataset& test_data,
                  const Preprocessing& preprocessing, const TrainOptions& options) {
  configure_threads(options.threads);
  Executor executor(graph, parse_device(options.device));
  const nlohmann::json settings = training_settings(graph, train_data, preprocessing, options);
  const TrainingTask task{train_data, test_data, preprocessing, options, settings, executor.parameters()};
  std::vector<EpochRecord> history = run_training(executor, task);
  return {executor.to_graph(), std::move(history)};
}

nlohmann::json training_settings(const Graph& graph, const Dataset& train_data, const Preprocessing& preprocessing,
                                 const TrainOptions& options) {
  const Augmentation& change = options.augmentation;
  nlohmann::json settings = {{"network", fingerprint(graph)},
                             {"data", fingerprint(train_data)},
                             {"mean", preprocessing.mean},
                             {"deviation", preprocessing.deviation},
                             {"epochs", options.epochs},
                             {"batch_size", options.batch_size},
                             {"learning_rate", options.learning_rate},
                             {"warmup_epochs", options.warmup_epochs},
                             {"momentum", options.momentum},
                             {"weight_decay", options.weight_decay},
                             {"label_smoothing", options.label_smoothing},
                             {"average_decay", options.average_decay},
                             {"mixup", options.mixup},
                             {"crop_rows", change.crop_rows},
                             {"crop_columns", change.crop_columns},
                             {"flip", change.flip},
                             {"cutout", change.cutout},
                             {"fill", change.fill == Augmentation::Fill::mean ? "mean" : "zero"},
                             {"teacher", options.teacher ? fingerprint(*options.teacher) : ""},
                             {"distillation_weight", options.teacher ? options.distillation_weight : 0.0},
                             {"temperature", options.teacher ? options.temperature : 0.0},
                             {"bfloat16", options.bfloat16},
                             {"seed", options.seed}};
  if (options.task && options.task->kind != TaskKind::classification) settings["task"] = name_of(options.task->kind);
  return settings;
}

Preprocessing measure_preprocessing(const Dataset& data) {
  if (data.size() == 0) throw bad_input("the data set has no samples");
  const std::int64_t channels = data.shape.at(0);
  const std::int64_t plane = element_count(data.shape) / channels;
  std::vector<float> sample(static_cast<std::size_t>(channels * plane));
  Preprocessing result;
  for (std::int64_t c = 0; c < channels; ++c) {
    double sum = 0;
    double squares = 0;
    double shift = 0;  // the first element: keeps squares of a large mean from cancelling
    for (std::int64_t i = 0; i < data.size(); ++i) {
      data.read(i, {}, sample);
      const auto values =
          std::span(sample).subspan(static_cast<std::size_t>(c * plane), static_cast<std::size_t>(plane));
      if (i == 0) shift = values.front();
      for (const double value : values) {
        sum += value - shift;
        squares += (value - shift) * (value - shift);
      }
    }
    const auto count = static_cast<double>(data.size() * plane);
    const double variance = squares / count - (sum / count) * (sum / count);
    result.mean.push_back(static_cast<float>(shift + sum / count));
    result.deviation.push_back(variance > 0 ? static_cast<float>(std::sqrt(variance)) : 1.0F);
  }
  return result;
}

bool multiplies_bfloat16() {
  if (parse_device("auto").is_cuda()) return true;
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;  // processors with AMX have it, too
#elif defined(__aarch64__)
  constexpr unsigned long hwcap2_bf16 = 1UL << 14U;  // <asm/hwcap.h>
  return (getauxval(AT_HWCAP2) & hwcap2_bf16) != 0;
#else
  return false;
#endif
}

}  // namespace trimtab
