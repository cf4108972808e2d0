#include <cmath>
#include <map>

#include "import/onnx_import.h"

// Functions of one number, element by element.
namespace trimtab::onnx_reader {
namespace {

using Kind = FunctionStep::Kind;

/// x becomes x * f(x).
[[nodiscard]] ScalarFunction times_argument(const ScalarFunction& f) { return combine(Kind::multiply, {}, f); }

/// The sigmoid of `slope` * x, times x.
[[nodiscard]] ScalarFunction swish(float slope) {
  return times_argument({{{Kind::affine, -1, -1, slope, 0}, {Kind::sigmoid, 0}}});
}

/// Hendrycks and Gimpel, 2016: x times the normal distribution's share below x, or its approximation by tanh.
[[nodiscard]] ScalarFunction gelu(bool approximate) {
  const ScalarFunction half{{{Kind::affine, -1, -1, 0.5F, 0.5F}}};
  const ScalarFunction exact{{{Kind::affine, -1, -1, static_cast<float>(std::sqrt(0.5)), 0}, {Kind::erf, 0}}};
  const ScalarFunction by_tanh{{{Kind::power, -1, -1, 3, 0},
                                {Kind::affine, 0, -1, 0.044715F, 0},
                                {Kind::add, -1, 1},
                                {Kind::affine, 2, -1, static_cast<float>(std::sqrt(2 / 3.14159265358979)), 0},
                                {Kind::tanh, 3}}};
  return times_argument(compose(half, approximate ? by_tanh : exact));
}

[[nodiscard]] ScalarFunction celu(const OnnxNode& node) {
  const float alpha = node.number("alpha", 1);
  if (alpha == 0) throw node.error("has an alpha of 0");
  return {{{Kind::affine, -1, -1, 1 / alpha, 0}, {Kind::elu, 0, -1, 1, alpha}}};
}

[[nodiscard]] ScalarFunction power(Import& import, const OnnxNode& node) {
  const float exponent = scalar_of(import, node, 1, 0);
  if (exponent == 2) return {{{Kind::multiply, -1, -1}}};
  return {{{Kind::power, -1, -1, exponent, 0}}};
}

/// 1 where the comparison with a constant holds, else 0. `constant_first` turns it round.
[[nodiscard]] ScalarFunction comparison(const std::string& type, float bound, bool constant_first) {
  const ScalarFunction negation{{{Kind::affine, -1, -1, -1, 1}}};
  const ScalarFunction greater{{{Kind::greater, -1, -1, bound, 0}}};
  const ScalarFunction less{{{Kind::less, -1, -1, bound, 0}}};
  const bool or_equal = type.ends_with("OrEqual");
  const bool above = type.starts_with("Greater") != constant_first;
  if (or_equal) return compose(negation, above ? less : greater);
  return above ? greater : less;
}

void compare(Import& import, const OnnxNode& node) {
  const bool first = import.is_constant(node, 0);
  const View view = import.view(node, first ? 1 : 0);
  const float bound = scalar_of(import, node, first ? 0 : 1, 0);
  import.set_like(node, view, import.emit(node, comparison(node.type(), bound, first), {view.value}));
}

/// The plain ones, by ONNX's name.
[[nodiscard]] const std::map<std::string, Kind>& plain_functions() {
  static const std::map<std::string, Kind> kinds{{"Abs", Kind::abs},
                                                 {"Ceil", Kind::ceil},
                                                 {"Cos", Kind::cos},
                                                 {"Erf", Kind::erf},
                                                 {"Exp", Kind::exp},
                                                 {"Floor", Kind::floor},
                                                 {"Log", Kind::log},
                                                 {"Sin", Kind::sin},
                                                 {"Sign", Kind::sign},
                                                 {"Softplus", Kind::softplus},
                                                 {"Sqrt", Kind::sqrt},
                                                 {"Tanh", Kind::tanh},
                                                 {"Reciprocal", Kind::reciprocal}};
  return kinds;
}

}  // namespace

void add_functions(Operators& operators) {
  for (const auto& [type, kind] : plain_functions()) {
    operators[type] = [kind = kind](Import& import, const OnnxNode& node) {
      emit_like(import, node, ScalarFunction{{{kind}}});
    };
  }
  operators["Elu"] = [](Import& import, const OnnxNode& node) {
    emit_like(import, node, ScalarFunction{{{Kind::elu, -1, -1, node.number("alpha", 1), 1}}});
  };
  operators["Selu"] = [](Import& import, const OnnxNode& node) {
    const float alpha = node.number("alpha", 1.67326319217681884765625F);
    const float gamma = node.number("gamma", 1.05070102214813232421875F);
    emit_like(import, node, ScalarFunction{{{Kind::elu, -1, -1, alpha, gamma}}});
  };
  operators["Celu"] = [](Import& import, const OnnxNode& node) { emit_like(import, node, celu(node)); };
  operators["Gelu"] = [](Import& import, const OnnxNode& node) {
    emit_like(import, node, gelu(node.text("approximate", "none") == "tanh"));
  };
  operators["Mish"] = [](Import& import, const OnnxNode& node) {
    emit_like(import, node, times_argument({{{Kind::softplus}, {Kind::tanh, 0}}}));
  };
  operators["Swish"] = [](Import& import, const OnnxNode& node) {
    emit_like(import, node, swish(node.number("alpha", 1)));
  };
  operators["Softsign"] = [](Import& import, const OnnxNode& node) {
    emit_like(import, node, times_argument({{{Kind::abs}, {Kind::affine, 0, -1, 1, 1}, {Kind::reciprocal, 1}}}));
  };
  operators["ThresholdedRelu"] = [](Import& import, const OnnxNode& node) {
    emit_like(import, node, times_argument({{{Kind::greater, -1, -1, node.number("alpha", 1), 0}}}));
  };
  operators["Not"] = [](Import& import, const OnnxNode& node) {
    emit_like(import, node, ScalarFunction{{{Kind::affine, -1, -1, -1, 1}}});
  };
  operators["Pow"] = [](Import& import, const OnnxNode& node) { emit_like(import, node, power(import, node)); };
  for (const char* type : {"Greater", "GreaterOrEqual", "Less", "LessOrEqual"}) operators[type] = compare;
}

}  // namespace trimtab::onnx_reader
