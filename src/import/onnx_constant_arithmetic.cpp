#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "import/onnx_evaluators.h"

// Arithmetics on constants: mostly on what models compute from Shape.
namespace trimtab::onnx_reader {
namespace {

/// Nothing where the result is out of range.
[[nodiscard]] std::optional<std::int64_t> divided(std::int64_t a, std::int64_t b) {
  if (b == 0 || (b == -1 && a == std::numeric_limits<std::int64_t>::min())) return std::nullopt;
  return a / b;
}

[[nodiscard]] std::optional<std::int64_t> modulo(std::int64_t a, std::int64_t b, bool sign_of_dividend) {
  if (b == 0) return std::nullopt;
  if (b == -1) return 0;
  const std::int64_t rest = a % b;
  return !sign_of_dividend && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

[[nodiscard]] std::optional<std::int64_t> power(std::int64_t a, std::int64_t b) {
  const double result = std::pow(static_cast<double>(a), static_cast<double>(b));
  if (!(std::abs(result) < 9e15)) return std::nullopt;
  return static_cast<std::int64_t>(result);
}

/// Whether the comparison holds; nothing where the operator is none.
template <typename T>
[[nodiscard]] std::optional<bool> compared(const std::string& type, T a, T b) {
  if (type == "Equal") return a == b;
  if (type == "Less") return a < b;
  if (type == "LessOrEqual") return a <= b;
  if (type == "Greater") return a > b;
  if (type == "GreaterOrEqual") return a >= b;
  return std::nullopt;
}

[[nodiscard]] std::int64_t compute_integers(const OnnxNode& node, std::int64_t a, std::int64_t b) {
  const std::string& type = node.type();
  if (type == "Equal") return a == b ? 1 : 0;  // the batch is nobody's equal but its own
  if (a == batch || b == batch) throw node.error("computes with the batch dimension, which must stay free");
  if (const auto holds = compared(type, a, b); holds.has_value()) return *holds ? 1 : 0;
  std::optional<std::int64_t> result;
  std::int64_t number = 0;
  if (type == "Add" && !__builtin_add_overflow(a, b, &number)) result = number;
  if (type == "Sub" && !__builtin_sub_overflow(a, b, &number)) result = number;
  if (type == "Mul" && !__builtin_mul_overflow(a, b, &number)) result = number;
  if (type == "Div") result = divided(a, b);
  if (type == "Mod") result = modulo(a, b, node.integer("fmod", 0) != 0);
  if (type == "Pow") result = power(a, b);
  if (type == "Min") result = std::min(a, b);
  if (type == "Max") result = std::max(a, b);
  if (type == "And") result = a != 0 && b != 0 ? 1 : 0;
  if (type == "Or") result = a != 0 || b != 0 ? 1 : 0;
  if (!result.has_value() || *result == batch) throw node.error("computes a number that is out of range");
  return *result;
}

[[nodiscard]] float compute_floats(const OnnxNode& node, float a, float b) {
  const std::string& type = node.type();
  if (type == "Add") return a + b;
  if (type == "Sub") return a - b;
  if (type == "Mul") return a * b;
  if (type == "Div") return a / b;
  if (type == "Mod") return std::fmod(a, b);
  if (type == "Pow") return std::pow(a, b);
  if (type == "Min") return std::min(a, b);
  if (type == "Max") return std::max(a, b);
  throw node.error("reads floats where integers are needed");
}

[[nodiscard]] Constant as_floats(const Constant& constant) {
  return {constant.shape, false, {constant.integers.begin(), constant.integers.end()}, {}};
}

/// Two operands: arithmetics and comparisons.
Constant fold_pair(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  Constant a = constant_input(node, inputs, 0);
  Constant b = constant_input(node, inputs, 1);
  if (inputs.size() != 2) throw node.error("has {} inputs; two are supported", inputs.size());
  if (node.type() == "Pow" && a.integral != b.integral) (a.integral ? a : b) = as_floats(a.integral ? a : b);
  if (a.integral != b.integral) throw node.error("mixes integers and floats");
  const Shape shape = broadcast_shape(node, a.shape, b.shape);
  budget.charge(checked_count(shape, node.describe()));
  Constant left = gather_strided(a, shape, broadcast_strides(a.shape, shape), 0, budget);
  const Constant right = gather_strided(b, shape, broadcast_strides(b.shape, shape), 0, budget);
  if (left.integral) {
    for (std::size_t i = 0; i < left.integers.size(); ++i) {
      left.integers[i] = compute_integers(node, left.integers[i], right.integers[i]);
    }
    return left;
  }
  const bool compares = compared(node.type(), 0, 0).has_value();
  Constant truth{shape, true, {}, {}};
  for (std::size_t i = 0; i < left.floats.size(); ++i) {
    if (compares) {
      truth.integers.push_back(*compared(node.type(), left.floats[i], right.floats[i]) ? 1 : 0);
    } else {
      left.floats[i] = compute_floats(node, left.floats[i], right.floats[i]);
    }
  }
  return compares ? truth : left;
}

float square_root(float x) { return std::sqrt(x); }
float reciprocal(float x) { return 1 / x; }
float floor_of(float x) { return std::floor(x); }
float ceiling_of(float x) { return std::ceil(x); }
float nearest_even(float x) { return std::nearbyint(x); }
float exponential(float x) { return std::exp(x); }
float logarithm(float x) { return std::log(x); }

template <float (*function)(float)>
Constant fold_function(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  Constant result = constant_input(node, inputs, 0);
  if (result.integral) throw node.error("reads integers where floats are needed");
  budget.charge(result.size());
  for (float& x : result.floats) x = function(x);
  return result;
}

/// The ends are inputs; before opset 11 they were attributes.
Constant fold_clip(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  Constant result = constant_input(node, inputs, 0);
  budget.charge(result.size());
  const auto end = [&](std::size_t index, const char* attribute) -> std::optional<Constant> {
    if (index < inputs.size() && inputs[index] != nullptr) {
      if (inputs[index]->size() != 1 || inputs[index]->integral != result.integral)
        throw node.error("has an end that is not one number of its input's type");
      return *inputs[index];
    }
    if (!node.has(attribute)) return std::nullopt;
    const float number = node.number(attribute, 0);
    return Constant{{}, result.integral, {number}, {static_cast<std::int64_t>(number)}};
  };
  const std::optional<Constant> low = end(1, "min");
  const std::optional<Constant> high = end(2, "max");
  for (float& x : result.floats) {
    if (low.has_value()) x = std::max(x, low->floats[0]);
    if (high.has_value()) x = std::min(x, high->floats[0]);
  }
  for (std::int64_t& x : result.integers) {
    if (low.has_value()) x = std::max(x, low->integers[0]);
    if (high.has_value()) x = std::min(x, high->integers[0]);
  }
  return result;
}

/// Neg, Abs and Not, of integers and floats.
Constant fold_sign(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  Constant result = constant_input(node, inputs, 0);
  budget.charge(result.size());
  const bool absolute = node.type() == "Abs";
  for (std::int64_t& x : result.integers) {
    if (x == batch) throw node.error("computes with the batch dimension, which must stay free");
    if (node.type() == "Not") {
      x = x == 0 ? 1 : 0;
    } else {
      x = absolute && x >= 0 ? x : -x;
    }
  }
  for (float& x : result.floats) x = absolute ? std::abs(x) : -x;
  return result;
}

Constant fold_where(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& condition = constant_input(node, inputs, 0);
  const Constant& a = constant_input(node, inputs, 1);
  const Constant& b = constant_input(node, inputs, 2);
  if (a.integral != b.integral) throw node.error("mixes integers and floats");
  const Shape shape = broadcast_shape(node, condition.shape, broadcast_shape(node, a.shape, b.shape));
  budget.charge(checked_count(shape, node.describe()));
  const auto spread = [&](const Constant& c) {
    return gather_strided(c, shape, broadcast_strides(c.shape, shape), 0, budget);
  };
  const std::vector<std::int64_t> chosen = integers_of(node, spread(condition));
  Constant result = spread(a);
  const Constant other = spread(b);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i] != 0) continue;
    if (result.integral) {
      result.integers[i] = other.integers[i];
    } else {
      result.floats[i] = other.floats[i];
    }
  }
  return result;
}

Constant fold_range(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const auto number = [&](std::size_t index) -> const Constant& {
    const Constant& constant = constant_input(node, inputs, index);
    if (constant.size() != 1) throw node.error("has an input {} that is not one number", index);
    return constant;
  };
  const bool integral = number(0).integral && number(1).integral && number(2).integral;
  const auto real = [&](std::size_t index) {
    const Constant& constant = number(index);
    if (constant.integral && constant.integers[0] == batch) throw node.error("counts the samples of the batch");
    return constant.integral ? static_cast<double>(constant.integers[0]) : static_cast<double>(constant.floats[0]);
  };
  const double start = real(0);
  const double step = real(2);
  const double count = std::ceil((real(1) - start) / step);
  if (step == 0 || !(std::abs(count) < 1e9) || std::abs(start) > 1e15) throw node.error("makes no plausible range");
  const auto length = std::max<std::int64_t>(0, static_cast<std::int64_t>(count));
  budget.charge(length);
  Constant result{{length}, integral, {}, {}};
  for (std::int64_t i = 0; i < length; ++i) {
    const double x = start + static_cast<double>(i) * step;
    if (integral) {
      result.integers.push_back(static_cast<std::int64_t>(x));
    } else {
      result.floats.push_back(static_cast<float>(x));
    }
  }
  return result;
}

/// ReduceProd, ReduceSum, ReduceMin and ReduceMax of a vector of integers to one number.
Constant fold_reduction(const OnnxNode& node, const Inputs& inputs, Budget& budget) {
  const Constant& source = constant_input(node, inputs, 0);
  budget.charge(1);
  if (source.shape.size() != 1 || source.integers.empty()) throw node.error("reduces something else than a shape");
  const std::vector<std::int64_t>& numbers = integers_of(node, source);
  if (std::find(numbers.begin(), numbers.end(), batch) != numbers.end()) {
    throw node.error("computes with the batch dimension, which must stay free");
  }
  std::int64_t result = numbers[0];
  bool overflow = false;
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    if (node.type() == "ReduceProd") overflow = overflow || __builtin_mul_overflow(result, numbers[i], &result);
    if (node.type() == "ReduceSum") overflow = overflow || __builtin_add_overflow(result, numbers[i], &result);
    if (node.type() == "ReduceMin") result = std::min(result, numbers[i]);
    if (node.type() == "ReduceMax") result = std::max(result, numbers[i]);
  }
  if (overflow) throw node.error("computes a number that is out of range");
  const Shape shape = node.integer("keepdims", 1) != 0 ? Shape{1} : Shape{};
  return {shape, true, {}, {result}};
}

}  // namespace

Shape broadcast_shape(const OnnxNode& node, const Shape& a, const Shape& b) {
  Shape shape(std::max(a.size(), b.size()), 1);
  for (const Shape& operand : {a, b}) {
    for (std::size_t i = 0; i < operand.size(); ++i) {
      std::int64_t& length = shape[shape.size() - operand.size() + i];
      if (operand[i] == 1) continue;
      if (length != 1 && length != operand[i]) throw node.error("has operands that do not fit");
      length = operand[i];
    }
  }
  return shape;
}

std::vector<std::int64_t> broadcast_strides(const Shape& own, const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size(), 0);
  const auto dense = strides_of(own);
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (own[i] != 1) strides[shape.size() - own.size() + i] = dense[i];
  }
  return strides;
}

void add_arithmetic_evaluators(Evaluators& evaluators) {
  for (const char* type : {"Add", "Sub", "Mul", "Div", "Mod", "Pow", "Min", "Max", "And", "Or", "Equal", "Less",
                           "LessOrEqual", "Greater", "GreaterOrEqual"}) {
    evaluators[type] = fold_pair;
  }
  for (const char* type : {"ReduceProd", "ReduceSum", "ReduceMin", "ReduceMax"}) evaluators[type] = fold_reduction;
  for (const char* type : {"Neg", "Abs", "Not"}) evaluators[type] = fold_sign;
  evaluators["Clip"] = fold_clip;
  evaluators["Sqrt"] = fold_function<square_root>;
  evaluators["Reciprocal"] = fold_function<reciprocal>;
  evaluators["Floor"] = fold_function<floor_of>;
  evaluators["Ceil"] = fold_function<ceiling_of>;
  evaluators["Round"] = fold_function<nearest_even>;
  evaluators["Exp"] = fold_function<exponential>;
  evaluators["Log"] = fold_function<logarithm>;
  evaluators["Where"] = fold_where;
  evaluators["Range"] = fold_range;
}

}  // namespace trimtab::onnx_reader
