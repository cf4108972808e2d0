#include "graph/device_form.h"

namespace trimtab {
namespace {

struct Entry {
  DeviceForm form;
  OperatorNotes notes;
};

/// One line per operator and no default: a new operator does not compile until its form is said.
Entry entry_of(const Operator& op) {
  using Form = DeviceForm;
  return std::visit(
      overloaded{
          [](const Conv&) {
            return Entry{Form::convolution, {"Conv, ConvTranspose", ""}};
          },
          [](const Linear&) {
            return Entry{Form::convolution, {"Gemm, MatMul", ""}};
          },
          [](const BatchNormalization&) {
            return Entry{Form::normalization, {"BatchNormalization", ""}};
          },
          [](const Affine&) {
            return Entry{Form::channel_scale, {"Add, Sub, Mul, Div, Neg", "one operand is a constant"}};
          },
          [](const Relu&) {
            return Entry{Form::saturation, {"Relu", ""}};
          },
          [](const Clip& clip) {
            return Entry{clip.low == 0 && clip.high > 0 ? Form::saturation : Form::table,
                         {"Clip, Min, Max, Where", "always a table where it does not begin at 0"}};
          },
          [](const LeakyRelu&) {
            return Entry{Form::table, {"LeakyRelu, PRelu", "PRelu: one slope"}};
          },
          [](const HardSigmoid&) {
            return Entry{Form::table, {"HardSigmoid", ""}};
          },
          [](const HardSwish&) {
            return Entry{Form::table, {"HardSwish", ""}};
          },
          [](const Sigmoid&) {
            return Entry{Form::table, {"Sigmoid", ""}};
          },
          [](const Pool& pool) {
            return pool.kind == PoolKind::max
                       ? Entry{Form::max_pool, {"MaxPool, GlobalMaxPool, ReduceMax, ReduceMin", ""}}
                       : Entry{
                             Form::average_pool,
                             {"AveragePool", "not with count_include_pad where ceil_mode reaches beyond the padding"}};
          },
          [](const GlobalAveragePool&) {
            return Entry{Form::average_pool, {"GlobalAveragePool, ReduceMean, ReduceSum", ""}};
          },
          [](const Add&) {
            return Entry{Form::addition, {"Add, Sub, Sum", ""}};
          },
          [](const Mul&) {
            return Entry{Form::multiplication, {"Mul", ""}};
          },
          [](const Concat& concat) {
            return Entry{concat.axis == 0 ? Form::concatenation : Form::movement,
                         {"Concat", "along the channels in place; along rows and columns copied"}};
          },
          [](const Reshape&) {
            return Entry{Form::view, {"Reshape, Flatten, Squeeze, Unsqueeze", "images and vectors"}};
          },
          [](const Pad&) {
            return Entry{Form::padding, {"Pad", "with several operating points by 0"}};
          },
          [](const Softmax& softmax) {
            return Entry{softmax.logarithm ? Form::probabilities : Form::shares,
                         {"Softmax, LogSoftmax", "left out at the network's end, where alone a LogSoftmax may be"}};
          },
          [](const ScalarFunction&) {
            return Entry{Form::table,
                         {"Abs, Ceil, Celu, Cos, Elu, Erf, Exp, Floor, Gelu, Greater, GreaterOrEqual, Less, "
                          "LessOrEqual, Log, Mish, Not, Pow, Reciprocal, Selu, Sign, Sin, Softplus, Softsign, Sqrt, "
                          "Swish, Tanh, ThresholdedRelu",
                          "comparisons with a constant, constant powers"}};
          },
          [](const Gather&) {
            return Entry{Form::movement, {"Gather, Slice, Split, Resize, Upsample", ""}};
          },
          [](const Permute&) {
            return Entry{Form::movement, {"Transpose, DepthToSpace, SpaceToDepth", ""}};
          },
      },
      op);
}

}  // namespace

DeviceForm device_form(const Operator& op) { return entry_of(op).form; }

OperatorNotes notes_of(const Operator& op) { return entry_of(op).notes; }

FormTraits traits_of(DeviceForm form) {
  switch (form) {
    case DeviceForm::convolution:
      return {.runs = true, .nested = true, .saturates = true, .text = "convolution with its own weights"};
    case DeviceForm::channel_scale:
      return {.runs = true,
              .saturates = true,
              .text = "part of the Conv or Gemm beside it; else a factor and an offset per channel"};
    case DeviceForm::average_pool:
      return {.runs = true, .nested = true, .saturates = true, .text = "sum and multiplier"};
    case DeviceForm::max_pool:
      return {.runs = true, .nested = true, .passes_through = true, .text = "maximum"};
    case DeviceForm::addition:
      return {.runs = true, .nested = true, .saturates = true, .text = "sum of two rescaled operands"};
    case DeviceForm::multiplication:
      return {.runs = true, .saturates = true, .text = "rescaled product"};
    case DeviceForm::concatenation:
      return {.runs = true,
              .nested = true,
              .passes_through = true,
              .text = "parts of one buffer, copied only where they cannot be written in place"};
    case DeviceForm::view:
      return {.runs = true,
              .nested = true,
              .passes_through = true,
              .text = "none where the numbers stay where they are; else moved"};
    case DeviceForm::saturation:
      return {.runs = true, .text = "saturation of the layer before it; else a table"};
    case DeviceForm::table:
      return {.runs = true, .text = "table of all inputs, of at most 8 bits"};
    case DeviceForm::normalization:
      return {.saturates = true, .text = "part of the Conv or Gemm before it; else an Affine"};
    case DeviceForm::movement:
      return {.runs = true,
              .nested = true,
              .passes_through = true,
              .text = "numbers moved by tables; none for neighbouring channels"};
    case DeviceForm::padding:
      return {.runs = true, .nested = true, .passes_through = true, .text = "part of the layer behind it; else moved"};
    case DeviceForm::shares:
      return {.runs = true, .saturates = true, .text = "table of powers, divided by their sum"};
    case DeviceForm::probabilities:
      return {.text = "left out: the largest output stays the largest"};
  }
  return {};
}

}  // namespace trimtab
