#include <bit>
#include <cmath>
#include <cstring>

#include "import/onnx_constant.h"

// How an ONNX tensor becomes a Constant.
namespace trimtab::onnx_reader {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

/// IEEE 754 binary16.
[[nodiscard]] float from_half(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 1023;
  float magnitude = 0;
  if (exponent == 31) {
    magnitude = fraction == 0 ? INFINITY : NAN;
  } else if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(fraction), -24);
  } else {
    magnitude = std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

/// The upper half of a float32.
[[nodiscard]] float from_bfloat(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16U); }

/// Elements of `raw`, whose size fits.
template <typename Stored, typename Result>
[[nodiscard]] std::vector<Result> from_raw(const std::string& raw) {
  std::vector<Result> result(raw.size() / sizeof(Stored));
  for (std::size_t i = 0; i < result.size(); ++i) {
    Stored element{};
    std::memcpy(&element, raw.data() + i * sizeof(Stored), sizeof(Stored));
    result[i] = static_cast<Result>(element);
  }
  return result;
}

template <typename Result, typename Field>
[[nodiscard]] std::vector<Result> from_field(const Field& field) {
  std::vector<Result> result;
  result.reserve(static_cast<std::size_t>(field.size()));
  for (const auto element : field) result.push_back(static_cast<Result>(element));
  return result;
}

struct Type {
  std::size_t bits;  ///< of an element in raw_data
  bool integral;
};

[[nodiscard]] Type type_of(const onnx::TensorProto& tensor, const std::string& what) {
  switch (tensor.data_type()) {
    case onnx::TensorProto::FLOAT:
      return {32, false};
    case onnx::TensorProto::DOUBLE:
      return {64, false};
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
      return {16, false};
    case onnx::TensorProto::INT64:
      return {64, true};
    case onnx::TensorProto::INT32:
      return {32, true};
    case onnx::TensorProto::INT16:
    case onnx::TensorProto::UINT16:
      return {16, true};
    case onnx::TensorProto::INT8:
    case onnx::TensorProto::UINT8:
    case onnx::TensorProto::BOOL:
      return {8, true};
    case uint4_type:
    case int4_type:
      return {4, true};
    default:
      break;
  }
  const std::string name =
      onnx::TensorProto::DataType_IsValid(tensor.data_type())
          ? onnx::TensorProto::DataType_Name(static_cast<onnx::TensorProto::DataType>(tensor.data_type()))
          : std::to_string(tensor.data_type());
  throw bad_input("{} has elements of type {}; float32 is needed", what, name);
}

/// Two elements a byte, the first in the low half; at most `count` of them.
[[nodiscard]] std::vector<std::int64_t> from_nibbles(const std::vector<std::uint8_t>& bytes, std::int64_t count,
                                                     int type) {
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i < 2 * bytes.size() && std::ssize(result) < count; ++i) {
    const int nibble = (bytes[i / 2] >> (i % 2 * 4)) & 15;
    result.push_back(type == int4_type && nibble > 7 ? nibble - 16 : nibble);
  }
  return result;
}

void decode_raw(const onnx::TensorProto& tensor, Constant& constant) {
  const std::string& raw = tensor.raw_data();
  switch (tensor.data_type()) {
    case onnx::TensorProto::FLOAT:
      constant.floats = from_raw<float, float>(raw);
      break;
    case onnx::TensorProto::DOUBLE:
      constant.floats = from_raw<double, float>(raw);
      break;
    case onnx::TensorProto::FLOAT16:
      for (const auto bits : from_raw<std::uint16_t, std::uint16_t>(raw)) constant.floats.push_back(from_half(bits));
      break;
    case onnx::TensorProto::BFLOAT16:
      for (const auto bits : from_raw<std::uint16_t, std::uint16_t>(raw)) constant.floats.push_back(from_bfloat(bits));
      break;
    case onnx::TensorProto::INT64:
      constant.integers = from_raw<std::int64_t, std::int64_t>(raw);
      break;
    case onnx::TensorProto::INT32:
      constant.integers = from_raw<std::int32_t, std::int64_t>(raw);
      break;
    case onnx::TensorProto::INT16:
      constant.integers = from_raw<std::int16_t, std::int64_t>(raw);
      break;
    case onnx::TensorProto::UINT16:
      constant.integers = from_raw<std::uint16_t, std::int64_t>(raw);
      break;
    case onnx::TensorProto::INT8:
      constant.integers = from_raw<std::int8_t, std::int64_t>(raw);
      break;
    case uint4_type:
    case int4_type:
      constant.integers = from_nibbles(from_raw<std::uint8_t, std::uint8_t>(raw), constant.size(), tensor.data_type());
      break;
    default:
      constant.integers = from_raw<std::uint8_t, std::int64_t>(raw);
      break;
  }
}

void decode_fields(const onnx::TensorProto& tensor, Constant& constant) {
  switch (tensor.data_type()) {
    case onnx::TensorProto::FLOAT:
      constant.floats = from_field<float>(tensor.float_data());
      break;
    case onnx::TensorProto::DOUBLE:
      constant.floats = from_field<float>(tensor.double_data());
      break;
    case onnx::TensorProto::FLOAT16:
      for (const auto bits : tensor.int32_data())
        constant.floats.push_back(from_half(static_cast<std::uint16_t>(bits)));
      break;
    case onnx::TensorProto::BFLOAT16:
      for (const auto bits : tensor.int32_data())
        constant.floats.push_back(from_bfloat(static_cast<std::uint16_t>(bits)));
      break;
    case onnx::TensorProto::INT64:
      constant.integers = from_field<std::int64_t>(tensor.int64_data());
      break;
    case uint4_type:
    case int4_type:
      constant.integers =
          from_nibbles(from_field<std::uint8_t>(tensor.int32_data()), constant.size(), tensor.data_type());
      break;
    default:
      constant.integers = from_field<std::int64_t>(tensor.int32_data());
      break;
  }
}

}  // namespace

void Budget::charge(std::int64_t elements) {
  if (elements < 0 || elements > left_) {
    throw bad_input("the model would need far more memory than its file has data; its constants are not plausible");
  }
  left_ -= elements;
}

std::int64_t checked_count(const Shape& shape, const std::string& what) {
  std::int64_t count = 1;
  for (const std::int64_t dimension : shape) {
    if (dimension < 0 || dimension > most_elements || (count *= dimension) > most_elements) {
      throw bad_input("{} has shape {}, which is negative or too large", what, describe_shape(shape));
    }
    if (dimension == 0 && shape.size() > 1) {
      throw bad_input("{} has shape {}, which is of no elements", what, describe_shape(shape));
    }
  }
  return count;
}

Constant decode_tensor(const onnx::TensorProto& tensor, const std::string& what, Budget& budget) {
  if (tensor.has_segment()) throw bad_input("{} is stored in segments, which is not supported", what);
  const Type type = type_of(tensor, what);
  Constant constant;
  constant.integral = type.integral;
  if (type.integral) constant.type = tensor.data_type();
  constant.shape.assign(tensor.dims().begin(), tensor.dims().end());
  const std::int64_t count = checked_count(constant.shape, what);
  const std::size_t bytes = (static_cast<std::size_t>(count) * type.bits + 7) / 8;
  if (tensor.has_raw_data() && tensor.raw_data().size() != bytes) {
    throw bad_input("{} has shape {} but {} bytes of data; {} are needed", what, to_string(constant.shape),
                    tensor.raw_data().size(), bytes);
  }
  if (tensor.has_raw_data()) {
    budget.charge(count);
    decode_raw(tensor, constant);
  } else {
    decode_fields(tensor, constant);
    budget.charge(static_cast<std::int64_t>(constant.floats.size() + constant.integers.size()));
  }
  const std::size_t have = constant.integral ? constant.integers.size() : constant.floats.size();
  if (have != static_cast<std::size_t>(count)) {
    throw bad_input("{} has shape {} but {} numbers; {} are needed", what, to_string(constant.shape), have, count);
  }
  return constant;
}

}  // namespace trimtab::onnx_reader
