#include "measure/fidelity.h"

#include <vector>

namespace trimtab {

FidelityMeter::FidelityMeter(Task task) : task_(std::move(task)), errors_(task_.outputs()) {
  for (const JoinedPart& part : task_.parts) parts_.emplace_back(element_count(part.shape));
}

void FidelityMeter::add(std::span<const float> outputs, std::span<const float> reference) {
  const auto size = static_cast<std::size_t>(task_.outputs());
  std::vector<std::int64_t> own;
  std::vector<std::int64_t> other;
  for (std::size_t at = 0; at < outputs.size(); at += size) {
    const auto answers = outputs.subspan(at, size);
    const auto wanted = reference.subspan(at, size);
    errors_.add(answers, wanted);
    std::size_t first = 0;
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      const auto length = static_cast<std::size_t>(element_count(task_.parts[p].shape));
      parts_[p].add(answers.subspan(first, length), wanted.subspan(first, length));
      first += length;
    }
    if (!task_.decides()) continue;
    if (task_.kind == TaskKind::segmentation) {
      decide_pixels(task_, answers, own);
      decide_pixels(task_, wanted, other);
    } else {
      own.assign(1, decision(task_, answers));
      other.assign(1, decision(task_, wanted));
    }
    for (std::size_t i = 0; i < own.size(); ++i) {
      ++decisions_;
      same_ += own[i] == other[i] && own[i] >= 0 ? 1 : 0;
    }
  }
}

Fidelity FidelityMeter::fidelity() const {
  Fidelity fidelity;
  fidelity.samples = errors_.samples();
  if (fidelity.samples == 0) return fidelity;
  if (decisions_ > 0) fidelity.agreement = 100 * static_cast<double>(same_) / static_cast<double>(decisions_);
  fidelity.sqnr_db = errors_.sqnr_db();
  fidelity.cosine = errors_.cosine();
  for (std::size_t p = 0; p < parts_.size(); ++p)
    fidelity.parts.push_back({task_.parts[p].name, parts_[p].sqnr_db(), parts_[p].cosine()});
  return fidelity;
}

}  // namespace trimtab
