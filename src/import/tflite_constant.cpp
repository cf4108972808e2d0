#include "import/tflite_constant.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "base/error.h"

namespace trimtab::tflite_reader {
namespace {

using tflite::Type;

static_assert(std::endian::native == std::endian::little, "the data of a .tflite file is little-endian");

/// Bits of an element, or 0 for types that no ConvNet has.
[[nodiscard]] int bits_of(Type type) {
  switch (type) {
    case Type::FLOAT32:
    case Type::INT32:
      return 32;
    case Type::FLOAT16:
    case Type::INT16:
      return 16;
    case Type::INT64:
      return 64;
    case Type::INT8:
    case Type::UINT8:
      return 8;
    case Type::INT4:
      return 4;
    default:
      return 0;
  }
}

[[nodiscard]] bool is_float(Type type) { return type == Type::FLOAT32 || type == Type::FLOAT16; }

template <typename Stored>
[[nodiscard]] std::int64_t stored(std::span<const std::uint8_t> data, std::size_t index) {
  Stored number{};
  std::memcpy(&number, data.data() + index * sizeof(Stored), sizeof(Stored));
  return number;
}

[[nodiscard]] std::int64_t stored_integer(const TfliteTensor& tensor, std::size_t index) {
  switch (tensor.type) {
    case Type::INT64:
      return stored<std::int64_t>(tensor.data, index);
    case Type::INT32:
      return stored<std::int32_t>(tensor.data, index);
    case Type::INT16:
      return stored<std::int16_t>(tensor.data, index);
    case Type::INT8:
      return stored<std::int8_t>(tensor.data, index);
    case Type::INT4: {  // two in a byte, the first in the low half
      const int half = (tensor.data[index / 2] >> (index % 2 * 4)) & 15;
      return half < 8 ? half : half - 16;
    }
    default:
      return tensor.data[index];
  }
}

/// The number of elements, after a check that the data is of so many.
[[nodiscard]] std::size_t checked_elements(const TfliteTensor& tensor) {
  const int bits = bits_of(tensor.type);
  if (bits == 0) {
    throw bad_input("the constant '{}' has elements of type {}, which is not supported", tensor.name,
                    type_name(tensor.type));
  }
  if (tensor.is_sparse) throw bad_input("the constant '{}' is stored sparsely, which is not supported", tensor.name);
  const auto count = static_cast<std::size_t>(element_count(tensor.shape));
  const std::size_t needed = (count * static_cast<std::size_t>(bits) + 7) / 8;
  if (tensor.data.size() != needed) {
    throw bad_input("the constant '{}' has shape {} but {} bytes of data; {} are needed", tensor.name,
                    to_string(tensor.shape), tensor.data.size(), needed);
  }
  return count;
}

void set_floats(const TfliteTensor& tensor, std::size_t count, onnx::TensorProto& result) {
  std::size_t stride = 1;  // elements between two indices of the quantized axis
  for (std::size_t axis = static_cast<std::size_t>(tensor.quantized_axis) + 1; axis < tensor.shape.size(); ++axis) {
    stride *= static_cast<std::size_t>(tensor.shape[axis]);
  }
  constexpr std::int64_t most = 1 << 16;
  for (std::size_t i = 0; i < tensor.scales.size(); ++i) {
    const float scale = tensor.scales[i];
    const std::int64_t zero = tensor.zero_point(i);
    if (!std::isfinite(scale) || scale < 0 || zero < -most || zero > most) {
      throw bad_input(
          "the constant '{}' has scale {} with zero point {}; a scale is finite and not negative, and a zero "
          "point lies on its grid",
          tensor.name, scale, zero);
    }
  }
  std::string& raw = *result.mutable_raw_data();
  raw.resize(count * sizeof(float));
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t channel = i / stride % tensor.scales.size();  // 0 where there is one scale
    const std::int64_t zero = tensor.zero_point(channel);
    const auto number = static_cast<float>(
        double{tensor.scales[channel]} * (static_cast<double>(stored_integer(tensor, i)) - static_cast<double>(zero)));
    std::memcpy(raw.data() + i * sizeof(float), &number, sizeof(float));
  }
}

}  // namespace

onnx::TensorProto onnx_constant(const TfliteTensor& tensor, onnx_reader::Budget& budget) {
  const std::size_t count = checked_elements(tensor);
  budget.charge(static_cast<std::int64_t>(count));
  onnx::TensorProto result;
  result.set_name(tensor.name);
  for (const std::int64_t dimension : tensor.shape) result.add_dims(dimension);
  if (is_float(tensor.type)) {
    result.set_data_type(tensor.type == Type::FLOAT32 ? onnx::TensorProto::FLOAT : onnx::TensorProto::FLOAT16);
    result.set_raw_data(tensor.data.data(), tensor.data.size());
  } else if (!tensor.scales.empty()) {
    result.set_data_type(onnx::TensorProto::FLOAT);
    set_floats(tensor, count, result);
  } else if (tensor.type == Type::INT32 || tensor.type == Type::INT64) {
    result.set_data_type(onnx::TensorProto::INT64);
    for (std::size_t i = 0; i < count; ++i) result.add_int64_data(stored_integer(tensor, i));
  } else {
    throw bad_input("the constant '{}' is of type {} but has no scale", tensor.name, type_name(tensor.type));
  }
  return result;
}

std::vector<std::int64_t> integer_constant(const TfliteTensor& tensor) {
  constexpr std::size_t most = 64;
  if (tensor.type != Type::INT32 && tensor.type != Type::INT64) {
    throw bad_input("'{}' is of type {}; a constant of integers is needed there", tensor.name, type_name(tensor.type));
  }
  const std::size_t count = checked_elements(tensor);
  if (count > most) throw bad_input("'{}' has {} numbers; at most {} are needed there", tensor.name, count, most);
  std::vector<std::int64_t> numbers;
  for (std::size_t i = 0; i < count; ++i) numbers.push_back(stored_integer(tensor, i));
  return numbers;
}

std::optional<SourceGrid> grid_of(const TfliteTensor& tensor) {
  if (tensor.type == Type::FLOAT32) return std::nullopt;
  const int bits = bits_of(tensor.type);
  if (tensor.type != Type::INT8 && tensor.type != Type::UINT8 && tensor.type != Type::INT16) {
    throw bad_input("the value '{}' is of type {}; float32, int8, uint8 and int16 are supported", tensor.name,
                    type_name(tensor.type));
  }
  if (tensor.scales.size() != 1 || !(tensor.scales[0] > 0) || !std::isfinite(tensor.scales[0])) {
    throw bad_input("the value '{}' is of type {} but has {} scales; one above 0 is needed", tensor.name,
                    type_name(tensor.type), tensor.scales.size());
  }
  const bool is_signed = tensor.type != Type::UINT8;
  const std::int64_t low = is_signed ? -(std::int64_t{1} << (bits - 1)) : 0;
  const std::int64_t zero = tensor.zero_point(0);
  if (zero < low || zero >= low + (std::int64_t{1} << bits)) {
    throw bad_input("the value '{}' of type {} has zero point {}, which is not on its grid", tensor.name,
                    type_name(tensor.type), zero);
  }
  return SourceGrid{tensor.scales[0], static_cast<std::int32_t>(zero), bits, is_signed};
}

}  // namespace trimtab::tflite_reader
