#include "measure/answer_review.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/index.h"
#include "measure/measures.h"

namespace trimtab {

AnswerReview::AnswerReview(Task task, const Dataset& data) : task_(std::move(task)), data_(data) {
  const bool classes = task_.kind == TaskKind::classification || task_.kind == TaskKind::binary;
  if (!classes || !task_.labelled || data.labels.empty()) return;
  const auto count = static_cast<std::size_t>(task_.kind == TaskKind::binary ? 2 : task_.outputs());
  confusion_.assign(count, std::vector<std::int64_t>(count));
}

void AnswerReview::add(std::int64_t first, std::span<const float> outputs, std::span<const float> reference) {
  if (confusion_.empty()) return;
  const auto size = static_cast<std::size_t>(task_.outputs());
  for (std::size_t i = 0; i < outputs.size() / size; ++i) {
    const std::int64_t sample = first + static_cast<std::int64_t>(i);
    const std::int64_t label = nth(data_.labels, sample);
    const std::int64_t answer = decision(task_, outputs.subspan(i * size, size));
    if (label < 0 || label >= std::ssize(confusion_) || answer < 0) continue;
    ++nth(nth(confusion_, label), answer);
    if (answer == label) continue;
    wrong_.push_back({sample, label, answer, decision(task_, reference.subspan(i * size, size)),
                      probability_of(label, outputs.subspan(i * size, size))});
  }
}

std::vector<WrongAnswer> AnswerReview::worst(std::size_t most) const {
  std::vector<WrongAnswer> worst = wrong_;
  const auto order = [](const WrongAnswer& wrong) {
    return std::tuple(wrong.reference_answer != wrong.label, wrong.probability, wrong.sample);
  };
  std::ranges::sort(worst, {}, order);
  worst.resize(std::min(worst.size(), most));
  return worst;
}

double AnswerReview::probability_of(std::int64_t label, std::span<const float> outputs) const {
  if (task_.kind == TaskKind::classification) return std::exp(-cross_entropy(outputs, label));
  const double one =
      task_.probability ? outputs[0] : 1 / (1 + std::exp(task_.threshold - static_cast<double>(outputs[0])));
  return label == 1 ? one : 1 - one;
}

}  // namespace trimtab
