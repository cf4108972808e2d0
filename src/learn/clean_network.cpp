#include "learn/clean_network.h"

#include <algorithm>
#include <cmath>

#include "learn/inference.h"

namespace trimtab {

double largest_difference(const Graph& a, const Graph& b, const Dataset& samples, int threads) {
  const std::vector<float> of_a = FloatNetwork(a, "cpu", threads).run(samples, {});
  const std::vector<float> of_b = FloatNetwork(b, "cpu", threads).run(samples, {});
  double largest = 0;
  for (std::size_t i = 0; i < of_a.size(); ++i) {
    largest = std::max(largest, std::abs(double{of_a[i]} - double{of_b[i]}));
  }
  return largest;
}

CleanNetwork clean_network(const Graph& prepared, const Dataset& samples, int threads) {
  constexpr std::int64_t compared = 64;
  CleanUp clean = clean_up(prepared, input_ranges(prepared, samples));
  CleanNetwork result{std::move(clean.graph), {}};
  if (clean.is_empty()) return result;
  const Dataset some = samples.size() > compared ? samples.sample(compared, 1) : samples;
  result.report = describe(clean, largest_difference(prepared, result.graph, some, threads));
  return result;
}

}  // namespace trimtab
