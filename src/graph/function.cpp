#include "graph/function.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/index.h"

namespace trimtab {
namespace {

using Kind = FunctionStep::Kind;

[[nodiscard]] double evaluate(const FunctionStep& step, double a, double b) {
  const double alpha = step.alpha;
  const double beta = step.beta;
  switch (step.kind) {
    case Kind::affine:
      return alpha * a + beta;
    case Kind::clip:
      return std::min(std::max(a, alpha), beta);
    case Kind::leaky:
      return a < 0 ? alpha * a : a;
    case Kind::elu:
      return beta * (a > 0 ? a : alpha * std::expm1(a));
    case Kind::power:
      return std::pow(a, alpha);
    case Kind::greater:
      return a > alpha ? 1 : 0;
    case Kind::less:
      return a < alpha ? 1 : 0;
    case Kind::sigmoid:
      return 1 / (1 + std::exp(-a));
    case Kind::tanh:
      return std::tanh(a);
    case Kind::exp:
      return std::exp(a);
    case Kind::log:
      return std::log(a);
    case Kind::sqrt:
      return std::sqrt(a);
    case Kind::abs:
      return std::abs(a);
    case Kind::erf:
      return std::erf(a);
    case Kind::softplus:
      return std::max(a, 0.0) + std::log1p(std::exp(-std::abs(a)));
    case Kind::sin:
      return std::sin(a);
    case Kind::cos:
      return std::cos(a);
    case Kind::floor:
      return std::floor(a);
    case Kind::ceil:
      return std::ceil(a);
    case Kind::sign:
      return a > 0 ? 1 : (a < 0 ? -1 : 0);
    case Kind::reciprocal:
      return 1 / a;
    case Kind::add:
      return a + b;
    case Kind::multiply:
      return a * b;
  }
  return 0;
}

/// Appends a step, or finds the same one. Returns its index.
std::int32_t append(ScalarFunction& f, const FunctionStep& step) {
  const auto found = std::find(f.steps.begin(), f.steps.end(), step);
  const auto index = static_cast<std::int32_t>(found - f.steps.begin());
  if (found == f.steps.end()) f.steps.push_back(step);
  return index;
}

/// Appends the steps of `added`, applied to the result of step `argument`. Returns the index of its result.
std::int32_t append(ScalarFunction& f, const ScalarFunction& added, std::int32_t argument) {
  std::vector<std::int32_t> place;
  for (FunctionStep step : added.steps) {
    step.a = step.a < 0 ? argument : place.at(static_cast<std::size_t>(step.a));
    const bool two = step.kind == Kind::add || step.kind == Kind::multiply;
    if (two) step.b = step.b < 0 ? argument : place.at(static_cast<std::size_t>(step.b));
    place.push_back(append(f, step));
  }
  return place.empty() ? argument : place.back();
}

/// Step `result` becomes the last.
[[nodiscard]] ScalarFunction ending_with(ScalarFunction f, std::int32_t result) {
  if (result + 1 != static_cast<std::int32_t>(f.steps.size())) {
    f.steps.push_back({Kind::affine, result, -1, 1, 0});
  }
  return f;
}

}  // namespace

double evaluate(const ScalarFunction& f, double x) {
  std::vector<double> results;
  const auto operand = [&](std::int32_t index) { return index < 0 ? x : nth(results, index); };
  for (const FunctionStep& step : f.steps) results.push_back(evaluate(step, operand(step.a), operand(step.b)));
  return results.empty() ? x : results.back();
}

ScalarFunction compose(const ScalarFunction& outer, const ScalarFunction& inner) {
  ScalarFunction result = inner;
  const auto argument = static_cast<std::int32_t>(inner.steps.size()) - 1;
  const std::int32_t last = append(result, outer, argument);
  return ending_with(std::move(result), last);
}

ScalarFunction combine(FunctionStep::Kind kind, const ScalarFunction& left, const ScalarFunction& right) {
  ScalarFunction result;
  const std::int32_t a = append(result, left, -1);
  const std::int32_t b = append(result, right, -1);
  const std::int32_t last = append(result, {kind, a, b, 0, 0});
  return ending_with(std::move(result), last);
}

bool is_non_negative(const ScalarFunction& f) {
  const FunctionStep& last = f.steps.back();
  switch (last.kind) {
    case Kind::greater:
    case Kind::less:
    case Kind::sigmoid:
    case Kind::exp:
    case Kind::sqrt:
    case Kind::abs:
    case Kind::softplus:
      return true;
    case Kind::clip:
      return last.alpha >= 0;
    default:
      return false;
  }
}

std::string find_fault(const ScalarFunction& f) {
  if (f.steps.empty()) return "has no steps";
  if (f.steps.size() > 256) return "has more than 256 steps";
  for (std::size_t i = 0; i < f.steps.size(); ++i) {
    const FunctionStep& step = f.steps[i];
    const auto known = [&](std::int32_t operand) { return operand >= -1 && operand < static_cast<std::int32_t>(i); };
    if (!known(step.a) || !known(step.b)) return "has a step that reads a later one";
    if (step.kind < Kind::affine || step.kind > Kind::multiply) return "has a step of no kind";
    if (!std::isfinite(step.alpha) || !std::isfinite(step.beta)) return "has a step with a number that is not finite";
  }
  return {};
}

}  // namespace trimtab
