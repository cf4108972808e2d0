#include <algorithm>
#include <utility>

#include "import/tflite_translation.h"

// Functions of one value, arithmetics, padding and what only changes the shape.
namespace trimtab::tflite_reader {
namespace {

using tflite::Activation;
using tflite::Code;

void same(Translation& network, const TfliteOperator& node) { network.finish(node, network.input(node, 0)); }

void activation(Translation& network, const TfliteOperator& node, Activation function) {
  network.finish(node, network.input(node, 0), function);
}

void leaky_relu(Translation& network, const TfliteOperator& node) {
  const auto* options = node.table->options_as_LeakyRelu();
  if (options == nullptr) throw Translation::error(node, "lacks its alpha; the file is damaged");
  network.finish(node, network.add(node, "LeakyRelu", {network.input(node, 0)}, {number("alpha", options->alpha())}));
}

void square(Translation& network, const TfliteOperator& node) {
  network.finish(node, network.add(node, "Pow", {network.input(node, 0), network.scalar(node, 2)}));
}

void squared_difference(Translation& network, const TfliteOperator& node) {
  const std::string difference =
      network.add(node, "Sub", {network.input(node, 0), network.input(node, 1)}, {}, "/difference");
  network.finish(node, network.add(node, "Pow", {difference, network.scalar(node, 2)}));
}

void power(Translation& network, const TfliteOperator& node) {
  const auto exponent = network.floats_of(node, 1);
  if (exponent.size() != 1) throw Translation::error(node, "has {} exponents; one is needed", exponent.size());
  network.finish(node, network.add(node, "Pow", {network.input(node, 0), network.scalar(node, exponent[0])}));
}

void reciprocal_root(Translation& network, const TfliteOperator& node) {
  network.finish(node,
                 network.add(node, "Reciprocal", {network.add(node, "Sqrt", {network.input(node, 0)}, {}, "/root")}));
}

void gelu(Translation& network, const TfliteOperator& node) {
  const auto* options = node.table->options_as_Gelu();
  const bool approximate = options != nullptr && options->approximate();
  network.finish(
      node, network.add(node, "Gelu", {network.input(node, 0)}, {text("approximate", approximate ? "tanh" : "none")}));
}

[[nodiscard]] Activation activation_of(const TfliteOperator& node) {
  const tflite::Arithmetic* options = nullptr;
  if (node.code == Code::ADD) options = node.table->options_as_Add();
  if (node.code == Code::SUB) options = node.table->options_as_Sub();
  if (node.code == Code::MUL) options = node.table->options_as_Mul();
  if (node.code == Code::DIV) options = node.table->options_as_Div();
  return options != nullptr ? options->activation() : Activation::NONE;
}

void arithmetic(Translation& network, const TfliteOperator& node, const char* type) {
  network.finish(node, network.add(node, type, {network.input(node, 0), network.input(node, 1)}), activation_of(node));
}

void concatenate(Translation& network, const TfliteOperator& node) {
  const auto* options = node.table->options_as_Concatenation();
  if (options == nullptr) throw Translation::error(node, "lacks its axis; the file is damaged");
  std::vector<std::string> inputs;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) inputs.push_back(network.input(node, i));
  network.finish(node, network.add(node, "Concat", inputs, {integer("axis", options->axis())}), options->activation());
}

void pad(Translation& network, const TfliteOperator& node) {
  const auto pads = network.integers_of(node, 1);  // before and after each axis
  const Shape& shape = network.tensor(node, 0).shape;
  if (pads.size() != 2 * shape.size()) {
    throw Translation::error(node, "has {} pads for a tensor of {} dimensions", pads.size(), shape.size());
  }
  const std::string x = network.input(node, 0);
  if (std::all_of(pads.begin(), pads.end(), [](std::int64_t pad) { return pad == 0; })) {
    network.finish(node, x);
    return;
  }
  const bool mirrors = node.code == Code::MIRROR_PAD;
  const auto* mirror = node.table->options_as_MirrorPad();
  if (mirrors && mirror != nullptr && mirror->mode() != tflite::Mirror::REFLECT) {
    throw Translation::error(node, "pads with a mirror image that repeats the border, which is not supported");
  }
  if (shape.size() != 4 || pads[0] != 0 || pads[1] != 0) {
    throw Translation::error(node, "pads other axes than those of an image, which is not supported");
  }
  if (std::any_of(pads.begin(), pads.end(), [](std::int64_t pad) { return pad < 0; })) {
    throw Translation::error(node, "has a negative pad");
  }
  float value = 0;
  if (node.code == Code::PADV2 && network.has(node, 2)) {
    const auto given = network.floats_of(node, 2);
    if (given.size() != 1) throw Translation::error(node, "pads with {} numbers; one is needed", given.size());
    value = given[0];
  }
  for (const std::int64_t count : {pads[6], pads[7]}) {
    if (count > 4096 || count * shape[3] > (1 << 20)) throw Translation::error(node, "adds {} channels", count);
  }
  const std::string sides = network.whole(node, {0, pads[2], pads[4], pads[6], 0, pads[3], pads[5], pads[7]});
  network.finish(node, mirrors ? network.add(node, "Pad", {x, sides}, {text("mode", "reflect")})
                               : network.add(node, "Pad", {x, sides, network.scalar(node, value)}));
}

void reshape(Translation& network, const TfliteOperator& node) {
  Shape shape = network.result(node).shape;
  const auto* options = node.table->options_as_Reshape();
  if (network.has(node, 1) && !network.tensor(node, 1).data.empty()) {
    shape = network.integers_of(node, 1);
  } else if (!network.has(node, 1) && options != nullptr && options->shape() != nullptr &&
             options->shape()->size() <= 8) {
    shape.assign(options->shape()->begin(), options->shape()->end());
  }
  // A Reshape in ONNX that changes nothing would say that the order of the numbers counts.
  const Shape& before = network.tensor(node, 0).shape;
  const bool same = before == network.result(node).shape &&
                    std::ranges::equal(shape, before, [](auto given, auto is) { return given == is || given == -1; });
  const std::string input = network.input(node, 0);
  network.finish(node, same ? network.add(node, "Identity", {input}) : network.reshaped(node, input, shape));
}

void squeeze(Translation& network, const TfliteOperator& node) {
  const auto* options = node.table->options_as_Squeeze();
  const bool given = options != nullptr && options->axes() != nullptr && options->axes()->size() > 0;
  if (!given) {  // all axes of length 1, as the output has it
    network.finish(node, network.reshaped(node, network.input(node, 0), network.result(node).shape));
    return;
  }
  if (options->axes()->size() > 8) throw Translation::error(node, "removes {} axes", options->axes()->size());
  const std::string axes = network.whole(node, {options->axes()->begin(), options->axes()->end()});
  network.finish(node, network.add(node, "Squeeze", {network.input(node, 0), axes}));
}

void expand_dimensions(Translation& network, const TfliteOperator& node) {
  const std::string axes = network.whole(node, network.integers_of(node, 1));
  network.finish(node, network.add(node, "Unsqueeze", {network.input(node, 0), axes}));
}

void transpose(Translation& network, const TfliteOperator& node) {
  network.finish(
      node, network.add(node, "Transpose", {network.input(node, 0)}, {integers("perm", network.integers_of(node, 1))}));
}

void resize(Translation& network, const TfliteOperator& node) {
  const Shape& from = network.tensor(node, 0).shape;
  const auto size = network.integers_of(node, 1);
  if (from.size() != 4 || size.size() != 2) throw Translation::error(node, "resizes something else than an image");
  if (size == std::vector<std::int64_t>{from[1], from[2]}) {
    same(network, node);
    return;
  }
  bool corners = false;
  bool centers = false;
  if (const auto* options = node.table->options_as_BilinearResize(); options != nullptr) {
    corners = options->align_corners();
    centers = options->half_pixel_centers();
  }
  if (const auto* options = node.table->options_as_Resize(); options != nullptr) {
    corners = options->align_corners();
    centers = options->half_pixel_centers();
  }
  const bool linear = node.code == Code::RESIZE_BILINEAR;
  const std::string x = network.add(
      node, "Resize", {network.image(node, 0), "", "", network.whole(node, {from[0], from[3], size[0], size[1]})},
      {text("mode", linear ? "linear" : "nearest"),
       text("nearest_mode", corners || centers ? "round_prefer_ceil" : "floor"),
       text("coordinate_transformation_mode", corners   ? "align_corners"
                                              : centers ? "half_pixel"
                                                        : "asymmetric")});
  network.finish(node, network.channels_last(node, x));
}

/// Operators that ONNX has in the same form.
constexpr std::pair<Code, const char*> functions[] = {
    {Code::LOGISTIC, "Sigmoid"}, {Code::HARD_SWISH, "HardSwish"},
    {Code::NEG, "Neg"},          {Code::ELU, "Elu"},
    {Code::ABS, "Abs"},          {Code::EXP, "Exp"},
    {Code::SQRT, "Sqrt"},        {Code::LOG_SOFTMAX, "LogSoftmax"},
    {Code::LOG, "Log"},          {Code::SIN, "Sin"},
    {Code::COS, "Cos"},          {Code::FLOOR, "Floor"},
    {Code::CEIL, "Ceil"},
};
constexpr std::pair<Code, const char*> arithmetics[] = {
    {Code::ADD, "Add"},     {Code::SUB, "Sub"},     {Code::MUL, "Mul"},     {Code::DIV, "Div"},
    {Code::MAXIMUM, "Max"}, {Code::MINIMUM, "Min"}, {Code::PRELU, "PRelu"},
};

}  // namespace

void add_others(Translators& translators) {
  for (const auto& entry : functions) {
    const char* type = entry.second;
    translators[entry.first] = [type](Translation& network, const TfliteOperator& node) {
      network.finish(node, network.add(node, type, {network.input(node, 0)}));
    };
  }
  for (const auto& entry : arithmetics) {
    const char* type = entry.second;
    translators[entry.first] = [type](Translation& network, const TfliteOperator& node) {
      arithmetic(network, node, type);
    };
  }
  const auto function = [&](Code code, Activation kind) {
    translators[code] = [kind](Translation& network, const TfliteOperator& node) { activation(network, node, kind); };
  };
  function(Code::RELU, Activation::RELU);
  function(Code::RELU6, Activation::RELU6);
  function(Code::RELU_N1_TO_1, Activation::RELU_N1_TO_1);
  function(Code::TANH, Activation::TANH);
  translators[Code::RELU_0_TO_1] = [](Translation& network, const TfliteOperator& node) {
    network.finish(node, network.clipped(node, network.input(node, 0), 0, 1));
  };
  translators[Code::LEAKY_RELU] = leaky_relu;
  translators[Code::SQUARE] = square;
  translators[Code::SQUARED_DIFFERENCE] = squared_difference;
  translators[Code::POW] = power;
  translators[Code::RSQRT] = reciprocal_root;
  translators[Code::GELU] = gelu;
  translators[Code::CONCATENATION] = concatenate;
  for (const Code code : {Code::PAD, Code::PADV2, Code::MIRROR_PAD}) translators[code] = pad;
  translators[Code::RESHAPE] = reshape;
  translators[Code::SQUEEZE] = squeeze;
  translators[Code::EXPAND_DIMS] = expand_dimensions;
  translators[Code::TRANSPOSE] = transpose;
  for (const Code code : {Code::RESIZE_BILINEAR, Code::RESIZE_NEAREST_NEIGHBOR}) translators[code] = resize;
  for (const Code code : {Code::QUANTIZE, Code::DEQUANTIZE, Code::CAST}) translators[code] = same;
}

}  // namespace trimtab::tflite_reader
