#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "data/taxonomy.h"

namespace trimtab {

/// Mean of a difference over samples, percent points, with the half width of its 95 % confidence interval (normal
/// approximation).
struct MeanDifference {
  double mean = 0;
  double half_width = 0;
};
[[nodiscard]] MeanDifference mean_difference(std::span<const double> differences);

/// How much less often one network's answers are right than another's, from hits on the same samples.
[[nodiscard]] MeanDifference paired_difference(const std::vector<bool>& before, const std::vector<bool>& after);

/// Half width of the 95 % confidence interval of a measure from its values on all but one of equally large blocks of
/// the samples (delete-a-group jackknife, normal approximation).
[[nodiscard]] double jackknife_half_width(std::span<const double> without_block);

/// The temperature T at which softmax(logits / T) explains the labels best (least cross-entropy; Guo et al. 2017, "On
/// calibration of modern neural networks"), between 1/4 and 4. `probabilities` is samples x classes, of the softmax.
[[nodiscard]] double fit_temperature(std::span<const float> probabilities, std::span<const std::int64_t> labels);

/// softmax(logits / temperature), from the softmax itself: rows of `classes` numbers.
[[nodiscard]] std::vector<float> at_temperature(std::span<const float> probabilities, std::size_t classes,
                                                double temperature);

/// How much top-1 at a level a change of a network is expected to cost, without asking which answers were right: where
/// the changed network answers otherwise, it loses the difference between the probabilities that the network gave both
/// answers. With few samples this is far more certain than the difference of two counts of hits, to which every changed
/// answer contributes -1, 0 or 1, whichever way its label happens to fall; it is right as far as `truth`, the network's
/// probabilities at the temperature that the labels ask for, is. All are samples x leaves.
[[nodiscard]] MeanDifference expected_loss(const Level& level, std::span<const float> truth,
                                           std::span<const float> before, std::span<const float> after);

}  // namespace trimtab
