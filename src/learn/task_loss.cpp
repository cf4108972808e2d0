#include "learn/task_loss.h"

#include <numeric>

#include "base/error.h"
#include "base/index.h"

namespace trimtab {
namespace {

constexpr double least_share = 1e-6;  ///< a probability of 0 would have an infinite loss
constexpr std::int64_t no_class = -100;

/// {count, positions, channels}
torch::Tensor by_position(const Task& task, const torch::Tensor& outputs) {
  return outputs.reshape({outputs.size(0), task.channels(), task.positions()}).transpose(1, 2);
}

torch::Tensor by_sample(const torch::Tensor& tensor) { return tensor.reshape({tensor.size(0), -1}); }

/// Of the class above the threshold.
torch::Tensor share_of(const Task& task, const torch::Tensor& outputs) {
  return task.probability ? outputs.clamp(least_share, 1 - least_share)
                          : torch::sigmoid(outputs - task.threshold).clamp(least_share, 1 - least_share);
}

torch::Tensor two_sided(const torch::Tensor& share, const torch::Tensor& wanted) {
  return -(wanted * share.log() + (1 - wanted) * (1 - share).log());
}

/// One number per channel, as a tensor that multiplies a batch.
torch::Tensor per_channel(const std::vector<float>& numbers, const torch::Tensor& batch, float otherwise) {
  if (numbers.empty()) return torch::full({}, otherwise, batch.options());
  std::vector<std::int64_t> shape(static_cast<std::size_t>(batch.dim()), 1);
  shape[1] = std::ssize(numbers);
  return torch::tensor(numbers).reshape(shape).to(batch.device());
}

/// The batch in the preprocessing that the task's target has.
torch::Tensor as_target(const Task& task, const torch::Tensor& input, const Preprocessing& done) {
  const torch::Tensor raw = input * per_channel(done.deviation, input, 1) + per_channel(done.mean, input, 0);
  return (raw - per_channel(task.pixels.mean, input, 0)) / per_channel(task.pixels.deviation, input, 1);
}

}  // namespace

torch::Tensor target_tensor(const Task& task, const Dataset& data, std::span<const std::int64_t> samples,
                            const torch::Tensor& input, const Preprocessing& preprocessing) {
  const std::int64_t count = std::ssize(samples);
  switch (task.kind) {
    case TaskKind::classification:
    case TaskKind::binary: {
      std::vector<std::int64_t> labels;
      for (const std::int64_t sample : samples) labels.push_back(nth(data.labels, sample));
      const torch::Tensor classes = torch::tensor(labels);
      return task.kind == TaskKind::binary ? classes.to(torch::kFloat32) : classes;
    }
    case TaskKind::segmentation: {
      std::vector<std::int64_t> classes;
      for (const std::int64_t sample : samples) {
        for (const std::int32_t c : data.class_maps[sample]) classes.push_back(c < 0 ? no_class : c);
      }
      return torch::tensor(classes).reshape({count, task.positions()});
    }
    case TaskKind::regression: {
      std::vector<float> numbers(static_cast<std::size_t>(count * task.outputs()));
      for (std::int64_t i = 0; i < count; ++i) {
        read_target(task, data, nth(samples, i), {},
                    std::span(numbers).subspan(static_cast<std::size_t>(i * task.outputs()),
                                               static_cast<std::size_t>(task.outputs())));
      }
      return torch::tensor(numbers).reshape({count, -1});
    }
    case TaskKind::reconstruction:
    case TaskKind::anomaly:
      return by_sample(data.is_pixels() ? as_target(task, input, preprocessing) : input);
    case TaskKind::outputs:
      break;
  }
  throw bad_input("the task 'outputs' knows no right answers, so nothing can be learned from it");
}

std::vector<std::int64_t> numbers_from(std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

torch::Tensor task_loss(const Task& task, const torch::Tensor& outputs, const torch::Tensor& targets,
                        double label_smoothing) {
  if (task.kind == TaskKind::classification) {
    return torch::cross_entropy_loss(by_sample(outputs), targets, {}, at::Reduction::Sum, no_class, label_smoothing);
  }
  if (task.kind == TaskKind::binary) {
    const torch::Tensor wanted = targets * (1 - label_smoothing) + label_smoothing / 2;
    return two_sided(share_of(task, by_sample(outputs)).squeeze(1), wanted).sum();
  }
  if (task.kind == TaskKind::segmentation) {
    const auto positions = static_cast<double>(task.positions());
    if (task.channels() == 1) {
      const torch::Tensor known = targets.ge(0).to(torch::kFloat32);
      return (two_sided(share_of(task, by_sample(outputs)), targets.to(torch::kFloat32).clamp(0, 1)) * known).sum() /
             positions;
    }
    return torch::cross_entropy_loss(by_position(task, outputs).reshape({-1, task.channels()}), targets.reshape({-1}),
                                     {}, at::Reduction::Sum, no_class, label_smoothing) /
           positions;
  }
  return (by_sample(outputs) - targets).square().mean(1).sum() / 2;
}

torch::Tensor task_divergence(const Task& task, const torch::Tensor& outputs, const torch::Tensor& reference,
                              double temperature) {
  const double squared = temperature * temperature;
  if (task.kind == TaskKind::classification || (task.kind == TaskKind::segmentation && task.channels() > 1)) {
    const auto log_shares = [&](const torch::Tensor& tensor) {
      return torch::log_softmax(by_position(task, tensor) / temperature, 2);
    };
    return torch::kl_div(log_shares(outputs), log_shares(reference), at::Reduction::Sum, true) *
           (squared / static_cast<double>(task.positions()));
  }
  if (task.decides()) {
    const torch::Tensor wanted = share_of(task, by_sample(reference));
    const torch::Tensor excess = two_sided(share_of(task, by_sample(outputs)), wanted) - two_sided(wanted, wanted);
    return excess.mean(1).sum();
  }
  const torch::Tensor power = reference.square().mean().clamp_min(1e-12);
  return by_sample(outputs - reference).square().mean(1).sum() / (2 * power);
}

}  // namespace trimtab
