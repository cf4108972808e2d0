#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace trimtab {

/// One step of a ScalarFunction. `a` and `b` are operands: the index of an earlier step, or -1 for the function's
/// argument.
struct FunctionStep {
  enum class Kind {
    affine,    ///< alpha * a + beta
    clip,      ///< min(max(a, alpha), beta)
    leaky,     ///< a for a >= 0, else alpha * a
    elu,       ///< beta * a for a > 0, else beta * alpha * (exp(a) - 1)
    power,     ///< a to the power of alpha
    greater,   ///< 1 where a > alpha, else 0
    less,      ///< 1 where a < alpha, else 0
    sigmoid,   ///< 1 / (1 + exp(-a))
    tanh,      ///< hyperbolic tangent
    exp,       ///< e to the power of a
    log,       ///< natural logarithm
    sqrt,      ///< square root
    abs,       ///< absolute value
    erf,       ///< error function
    softplus,  ///< log(1 + exp(a))
    sin,
    cos,
    floor,
    ceil,
    sign,        ///< -1, 0 or 1
    reciprocal,  ///< 1 / a
    add,         ///< a + b
    multiply     ///< a * b
  };
  Kind kind = Kind::affine;
  std::int32_t a = -1;
  std::int32_t b = -1;  ///< add and multiply
  float alpha = 0;
  float beta = 0;
  bool operator==(const FunctionStep&) const = default;
};

/// The kinds of steps in their order, as files name them.
inline constexpr std::array function_step_names = {
    "affine", "clip", "leaky",    "elu", "power", "greater", "less", "sigmoid", "tanh",       "exp", "log",     "sqrt",
    "abs",    "erf",  "softplus", "sin", "cos",   "floor",   "ceil", "sign",    "reciprocal", "add", "multiply"};
static_assert(function_step_names.size() == static_cast<std::size_t>(FunctionStep::Kind::multiply) + 1);

/// Any other function of one number, element by element: its steps in order, the last of which makes the result. A
/// device looks it up in a table, however many steps it has.
struct ScalarFunction {
  std::vector<FunctionStep> steps;
  bool operator==(const ScalarFunction&) const = default;
};

/// f(x)
[[nodiscard]] double evaluate(const ScalarFunction& f, double x);

/// x becomes outer(inner(x)).
[[nodiscard]] ScalarFunction compose(const ScalarFunction& outer, const ScalarFunction& inner);

/// x becomes left(x) + right(x) or left(x) * right(x). A function without steps is x itself.
[[nodiscard]] ScalarFunction combine(FunctionStep::Kind kind, const ScalarFunction& left, const ScalarFunction& right);

/// Whether the last step makes numbers >= 0 whatever it reads.
[[nodiscard]] bool is_non_negative(const ScalarFunction& f);

/// The first thing wrong with the function, as "has a step ..."; empty where nothing is.
[[nodiscard]] std::string find_fault(const ScalarFunction& f);

}  // namespace trimtab
