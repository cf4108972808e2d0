#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <vector>

#include "learn/inference.h"
#include "measure/task.h"
#include "support/graphs.h"

namespace trimtab::test {

/// A tiny network of a task other than classification, of random weights, with samples that it answers nearly rightly:
/// the right answers are its own, disturbed. Reconstructions are anomalies where the error is large.
class TaskNetwork {
 public:
  explicit TaskNetwork(TaskKind kind) : kind_(kind) {
    Random random(7);
    GraphMaker maker(kind == TaskKind::anomaly ? Shape{8} : Shape{2, 5, 4});
    ValueId x = 0;
    if (kind == TaskKind::anomaly) {
      x = maker.add(Linear{random_tensor({6, 8}, random), random_tensor({6}, random)}, {x});
      x = maker.add(Relu{}, {x});
      (void)maker.add(Linear{random_tensor({8, 6}, random), random_tensor({8}, random)}, {x});
    } else {
      x = convolve(maker, x, 2, 4, random);
      x = convolve(maker, x, 4, 4, random);
      if (kind == TaskKind::segmentation) {
        (void)maker.add(random_conv(4, 3, 1, 1, 1, random), {x});
      } else {
        x = maker.add(GlobalAveragePool{false}, {x});
        (void)maker.add(Linear{random_tensor({1, 4}, random), random_tensor({1}, random)}, {x});
      }
    }
    graph_ = maker.graph();
  }

  [[nodiscard]] const Graph& graph() const { return graph_; }
  /// Pixels have one that a program takes into its first layer, the others one in front of it.
  [[nodiscard]] Preprocessing preprocessing() const {
    if (kind_ == TaskKind::segmentation) return {{120, 130}, {60, 64}};
    return kind_ == TaskKind::anomaly ? Preprocessing{} : Preprocessing{{0.5F, -0.5F}, {2, 1}};
  }

  [[nodiscard]] Dataset samples(std::int64_t count, std::uint64_t seed) const {
    Random random(seed);
    Dataset data;
    data.shape = graph_.input_shape();
    if (kind_ == TaskKind::segmentation) {
      std::vector<std::uint8_t> pixels;
      for (std::int64_t i = 0; i < count * element_count(data.shape); ++i)
        pixels.push_back(static_cast<std::uint8_t>(random.integer(0, 255)));
      data.pixels = {std::move(pixels), element_count(data.shape)};
    } else {
      std::vector<float> numbers;
      for (std::int64_t i = 0; i < count * element_count(data.shape); ++i)
        numbers.push_back(static_cast<float>(random.normal()));
      data.features = {std::move(numbers), element_count(data.shape)};
    }
    add_answers(data, FloatNetwork(graph_, "cpu", 1).run(data, preprocessing()), random);
    return data;
  }

 private:
  static ValueId convolve(GraphMaker& maker, ValueId x, std::int64_t from, std::int64_t to, Random& random) {
    Conv conv = random_conv(from, to, 3, 3, 1, random);
    conv.padding = {1, 1, 1, 1};
    return maker.add(Relu{}, {maker.add(conv, {x})});
  }

  void add_answers(Dataset& data, const std::vector<float>& outputs, Random& random) const {
    const auto size = static_cast<std::size_t>(element_count(graph_.output_shape()));
    const auto samples = static_cast<std::int64_t>(outputs.size() / size);
    if (kind_ == TaskKind::regression) {
      std::vector<float> numbers;
      for (const float output : outputs) numbers.push_back(output + static_cast<float>(0.1 * random.normal()));
      data.targets = {std::move(numbers), 1};
      data.target_shape = {1};
      return;
    }
    if (kind_ == TaskKind::segmentation) {
      const std::size_t pixels = size / 3;
      std::vector<std::int32_t> classes;
      for (std::int64_t i = 0; i < samples; ++i) {
        for (std::size_t p = 0; p < pixels; ++p) {
          const float* pixel = outputs.data() + static_cast<std::size_t>(i) * size + p;
          const bool second = pixel[pixels] > pixel[0];
          const std::int32_t answer = pixel[2 * pixels] > pixel[second ? pixels : 0] ? 2 : second ? 1 : 0;
          // some are other classes, some have none
          const double chance = random.uniform();
          classes.push_back(chance < 0.05 ? -1 : chance < 0.15 ? (answer + 1) % 3 : answer);
        }
      }
      data.class_maps = {std::move(classes), static_cast<std::int64_t>(pixels)};
      data.target_shape = {data.shape[1], data.shape[2]};
      data.classes.assign(3, "class");
      return;
    }
    std::vector<double> values;  // of recordings of two samples, or of samples
    const std::vector<float> inputs = data.features.values();
    const std::size_t step = kind_ == TaskKind::anomaly ? 2 * size : size;
    for (std::size_t first = 0; first < outputs.size(); first += step) {
      double sum = 0;
      for (std::size_t i = first; i < first + step; ++i)
        sum += kind_ == TaskKind::binary ? outputs[i] : std::pow(outputs[i] - inputs[i], 2);
      values.push_back(sum);
    }
    std::vector<double> sorted = values;
    std::ranges::sort(sorted);
    for (std::size_t recording = 0; recording < values.size(); ++recording) {
      const bool high = values[recording] > sorted[sorted.size() / 2];
      const bool label = random.uniform() < 0.15 ? !high : high;
      for (std::size_t i = 0; i < step / size; ++i) {
        data.labels.push_back(label ? 1 : 0);
        if (kind_ == TaskKind::anomaly) data.groups.push_back(static_cast<std::int64_t>(recording));
      }
    }
    data.classes = {"0", "1"};
  }

  TaskKind kind_;
  Graph graph_;
};

/// The share of the pairs of a positive and a negative whose positive has the larger score.
inline double naive_auc(const std::vector<double>& scores, const std::vector<std::int64_t>& labels) {
  double won = 0;
  double pairs = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (labels[i] != 1 || labels[j] != 0) continue;
      ++pairs;
      won += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
    }
  }
  return won / pairs;
}

/// Percent: mean over the classes of pixels that are right over pixels that are of the class in either.
inline double naive_mean_iou(const std::vector<std::int64_t>& answers, const std::vector<std::int64_t>& labels) {
  double sum = 0;
  std::set<std::int64_t> classes;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= 0) classes.insert({answers[i], labels[i]});
  }
  for (const std::int64_t c : classes) {
    double both = 0;
    double either = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] < 0) continue;
      both += answers[i] == c && labels[i] == c ? 1 : 0;
      either += answers[i] == c || labels[i] == c ? 1 : 0;
    }
    sum += both / either;
  }
  return 100 * sum / static_cast<double>(classes.size());
}

/// The first measure of the task by its definition, of the samples of a TaskNetwork. Features are not preprocessed
/// where they are the target.
inline double naive_measure(TaskKind kind, const Dataset& data, const std::vector<float>& outputs) {
  const std::size_t size = outputs.size() / static_cast<std::size_t>(data.size());
  if (kind == TaskKind::binary) return naive_auc({outputs.begin(), outputs.end()}, data.labels);
  if (kind == TaskKind::regression) {
    const std::vector<float> targets = data.targets.values();
    double sum = 0;
    for (std::size_t i = 0; i < outputs.size(); ++i) sum += std::pow(static_cast<double>(outputs[i]) - targets[i], 2);
    return sum / static_cast<double>(outputs.size());
  }
  if (kind == TaskKind::segmentation) {
    std::vector<std::int64_t> answers;
    for (std::size_t sample = 0; sample < outputs.size(); sample += size) {
      for (std::size_t p = 0; p < size / 3; ++p) {
        std::int64_t best = 0;
        for (const std::int64_t c : {1, 2}) {
          const auto at = [&](std::int64_t channel) {
            return outputs[sample + static_cast<std::size_t>(channel) * (size / 3) + p];
          };
          if (at(c) > at(best)) best = c;
        }
        answers.push_back(best);
      }
    }
    const std::vector<std::int32_t> classes = data.class_maps.values();
    return naive_mean_iou(answers, {classes.begin(), classes.end()});
  }
  const std::vector<float> inputs = data.features.values();
  std::map<std::int64_t, double> errors;  // by recording, which all have as many numbers
  std::map<std::int64_t, std::int64_t> labels;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::int64_t group = data.groups[i / size];
    errors[group] += std::pow(static_cast<double>(outputs[i]) - inputs[i], 2);
    labels[group] = data.labels[i / size];
  }
  std::vector<double> scores;
  std::vector<std::int64_t> classes;
  for (const auto& [group, error] : errors) {
    scores.push_back(error);
    classes.push_back(labels[group]);
  }
  return naive_auc(scores, classes);
}

inline const std::vector<TaskKind> tasks_without_levels{TaskKind::regression, TaskKind::binary, TaskKind::segmentation,
                                                        TaskKind::anomaly};

}  // namespace trimtab::test
