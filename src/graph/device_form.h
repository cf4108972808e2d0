#pragma once

#include <string_view>

#include "graph/graph.h"

namespace trimtab {

/// The form that an operator takes on a device. Nothing else says which operators run there.
enum class DeviceForm {
  convolution,     ///< its own weights times its input, summed in 32 bits
  channel_scale,   ///< a depthwise 1x1 convolution whose factors are the multipliers
  average_pool,    ///< sums and multipliers
  max_pool,        ///< comparisons; input and output have one grid
  addition,        ///< a multiplier for each operand
  multiplication,  ///< one multiplier
  concatenation,   ///< along the channels: parts of one buffer, written in place where they can be
  view,            ///< no step: the same integers in another shape; a movement where they cannot stay
  saturation,      ///< what the layer before it saturates to for nothing; a table where it cannot
  table,           ///< a function of one number, looked up
  normalization,   ///< no form of its own: becomes part of the layer before it, or an Affine
  movement,        ///< numbers change places
  padding,         ///< part of the layer behind it; a movement where that cannot take it
  shares,          ///< powers from a table, divided by their sum
  probabilities    ///< no form: left out at the network's end
};
[[nodiscard]] DeviceForm device_form(const Operator& op);

/// Properties of all operators of a form.
struct FormTraits {
  bool runs = false;            ///< a layer of its own has this form in a program of one operating point
  bool nested = false;          ///< ... and in one whose precision is chosen at run time
  bool saturates = false;       ///< it makes new numbers, and saturates them anyway
  bool passes_through = false;  ///< output and inputs hold the same numbers: requantizing between them only loses
  std::string_view text{};      ///< the form in words
};
[[nodiscard]] FormTraits traits_of(DeviceForm form);
[[nodiscard]] inline FormTraits device_traits(const Operator& op) { return traits_of(device_form(op)); }

/// Where an operator comes from, and where it does not have its form.
struct OperatorNotes {
  std::string_view onnx;    ///< the ONNX operators that become this one
  std::string_view limits;  ///< the parameters or places for which the form holds; empty: all
};
[[nodiscard]] OperatorNotes notes_of(const Operator& op);

}  // namespace trimtab
