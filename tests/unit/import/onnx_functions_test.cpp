#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>

#include "support/onnx_builder.h"
#include "support/random_graph.h"
#include "support/reference.h"

// Functions of one number against their definitions in the ONNX documents, and what exporters take them apart into.
namespace trimtab {
namespace {

using reference::Attribute;
using reference::OnnxBuilder;
using reference::random_sample;

/// One ScalarFunction, which computes f for numbers within `range`, also when it is written and read again.
void expect_function(const Graph& graph, const std::function<double(double)>& f, double range = 4, double shift = 0) {
  ASSERT_EQ(graph.nodes.size(), 1U);
  ASSERT_TRUE(std::holds_alternative<ScalarFunction>(graph.nodes[0].op));
  auto sample = random_sample(graph, 8);
  std::vector<float> expected;
  for (float& x : sample) {
    x = static_cast<float>(x * range + shift);
    expected.push_back(static_cast<float>(f(x)));
  }
  EXPECT_LE(reference::difference(reference::run(graph, sample), expected), 2e-6 * reference::largest(expected));
  const Graph again = parse_onnx(serialize_onnx(graph), "again.onnx");
  EXPECT_EQ(again.nodes.size(), 1U);
  EXPECT_LE(reference::difference(reference::run(again, sample), expected), 2e-6 * reference::largest(expected));
}

void expect_operator(const char* type, const std::vector<Attribute>& attributes, const std::function<double(double)>& f,
                     double range = 4, double shift = 0) {
  SCOPED_TRACE(type);
  OnnxBuilder onnx({OnnxBuilder::free, 3, 4, 4}, 20);
  expect_function(onnx.read(onnx.node(type, {"input"}, attributes)), f, range, shift);
}

double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }
double mish(double x) { return x * std::tanh(std::log1p(std::exp(x))); }

TEST(OnnxFunctions, AreWhatOnnxDefines) {
  expect_operator("Elu", {}, [](double x) { return x < 0 ? std::exp(x) - 1 : x; });
  expect_operator("Elu", {{"alpha", 0.5F}}, [](double x) { return x < 0 ? 0.5 * (std::exp(x) - 1) : x; });
  expect_operator("Selu", {}, [](double x) {
    return 1.05070102214813232421875 * (x <= 0 ? 1.67326319217681884765625 * (std::exp(x) - 1) : x);
  });
  expect_operator("Celu", {{"alpha", 2.0F}},
                  [](double x) { return std::max(0.0, x) + std::min(0.0, 2 * (std::exp(x / 2) - 1)); });
  expect_operator("Gelu", {}, gelu);
  expect_operator("Gelu", {{"approximate", "tanh"}}, [](double x) {
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
  });
  expect_operator("Mish", {}, mish);
  expect_operator("Swish", {{"alpha", 1.5F}}, [](double x) { return x / (1 + std::exp(-1.5 * x)); });
  expect_operator("Softplus", {}, [](double x) { return std::log(std::exp(x) + 1); });
  expect_operator("Softsign", {}, [](double x) { return x / (1 + std::abs(x)); });
  expect_operator("ThresholdedRelu", {{"alpha", 0.75F}}, [](double x) { return x > 0.75 ? x : 0; });
  expect_operator("Tanh", {}, [](double x) { return std::tanh(x); });
  expect_operator("Exp", {}, [](double x) { return std::exp(x); });
  expect_operator("Erf", {}, [](double x) { return std::erf(x); });
  expect_operator("Abs", {}, [](double x) { return std::abs(x); });
  expect_operator("Sin", {}, [](double x) { return std::sin(x); });
  expect_operator("Cos", {}, [](double x) { return std::cos(x); });
  expect_operator("Floor", {}, [](double x) { return std::floor(x); });
  expect_operator("Ceil", {}, [](double x) { return std::ceil(x); });
  expect_operator("Sign", {}, [](double x) { return x > 0 ? 1 : -1; });
  expect_operator(
      "Sqrt", {}, [](double x) { return std::sqrt(x); }, 1, 1.5);
  expect_operator(
      "Log", {}, [](double x) { return std::log(x); }, 1, 1.5);
  expect_operator(
      "Reciprocal", {}, [](double x) { return 1 / x; }, 1, 1.5);
}

TEST(OnnxFunctions, Comparisons) {
  const std::map<std::string, std::function<bool(double)>> cases{{"Greater", [](double x) { return x > 0.25; }},
                                                                 {"GreaterOrEqual", [](double x) { return x >= 0.25; }},
                                                                 {"Less", [](double x) { return x < 0.25; }},
                                                                 {"LessOrEqual", [](double x) { return x <= 0.25; }}};
  for (const auto& [type, holds] : cases) {
    SCOPED_TRACE(type);
    OnnxBuilder onnx({OnnxBuilder::free, 3, 4, 4}, 16);
    const auto truth = onnx.node(type.c_str(), {"input", onnx.scalar("bound", 0.25F)});
    const auto chosen = onnx.node("Where", {truth, "input", onnx.scalar("other", -1)});
    expect_function(onnx.read(chosen), [&, h = holds](double x) { return h(x) ? x : -1; });
  }
}

TEST(OnnxFunctions, GeluThatWasTakenApart) {
  for (const int form : {0, 1, 2}) {
    OnnxBuilder onnx({OnnxBuilder::free, 3, 4, 4});
    const auto scaled = form == 2 ? onnx.node("Mul", {"input", onnx.scalar("r", 0.70710678F)})
                                  : onnx.node("Div", {"input", onnx.scalar("r", 1.41421356F)});
    const auto sum = onnx.node("Add", {onnx.node("Erf", {scaled}), onnx.scalar("one", 1)});
    const auto half = onnx.scalar("half", 0.5F);
    std::string y;
    if (form == 0) y = onnx.node("Mul", {onnx.node("Mul", {"input", sum}), half});
    if (form == 1) y = onnx.node("Mul", {onnx.node("Mul", {"input", half}), sum});
    if (form == 2) y = onnx.node("Mul", {"input", onnx.node("Mul", {sum, half})});
    expect_function(onnx.read(y), gelu);
  }
}

TEST(OnnxFunctions, MishAndSoftplusThatWereTakenApart) {
  OnnxBuilder onnx({OnnxBuilder::free, 3, 4, 4}, 18);
  const auto softplus = onnx.node("Softplus", {"input"});
  const auto large = onnx.node("Greater", {"input", onnx.scalar("bound", 20)});
  const auto chosen = onnx.node("Where", {large, "input", softplus});
  expect_function(onnx.read(onnx.node("Mul", {"input", onnx.node("Tanh", {chosen})})), mish, 30);
}

TEST(OnnxFunctions, QuotientsOfValues) {
  OnnxBuilder onnx({OnnxBuilder::free, 3, 4, 4});
  const auto shifted = onnx.node("Add", {onnx.node("Abs", {"input"}), onnx.scalar("two", 2)});
  const auto y = onnx.node("Div", {"input", onnx.node("Div", {onnx.scalar("three", 3), shifted})});
  expect_function(onnx.read(y), [](double x) { return x * (std::abs(x) + 2) / 3; });
}

TEST(OnnxFunctions, WhatALayerDoesForNothingStays) {
  OnnxBuilder onnx({OnnxBuilder::free, 2, 4, 4});
  const auto weight = onnx.floats("w", {2, 2, 1, 1}, {1, 2, 3, 4});
  const auto relu = onnx.node("Relu", {onnx.node("Conv", {"input", weight})});
  const auto gate = onnx.node("Sigmoid", {relu});
  const Graph graph = onnx.read(onnx.node("Mul", {relu, gate}));
  ASSERT_EQ(graph.nodes.size(), 3U);  // Conv, Relu and a ScalarFunction of the Relu
  EXPECT_TRUE(std::holds_alternative<Relu>(graph.nodes[1].op));
}

TEST(OnnxFunctions, SlopesOfEachChannel) {
  OnnxBuilder onnx({OnnxBuilder::free, 3, 2, 2});
  const Graph graph = onnx.read(onnx.node("PRelu", {"input", onnx.floats("slope", {3, 1, 1}, {0.1F, -0.2F, 2})}));
  const auto sample = random_sample(graph, 8);
  std::vector<float> expected;
  const std::vector<float> slopes{0.1F, -0.2F, 2};
  for (std::size_t i = 0; i < sample.size(); ++i) {
    expected.push_back(sample[i] < 0 ? sample[i] * slopes[i / 4] : sample[i]);
  }
  EXPECT_LE(reference::difference(reference::run(graph, sample), expected), 1e-6);
}

}  // namespace
}  // namespace trimtab
