#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace trimtab {

/// Constants of runtime::requantize for real factors, one per channel. The multipliers serve all operating points, the
/// shifts make the difference: factor = multiplier[channel] * 2^(shift[point] - 32).
struct Requantization {
  std::vector<std::int32_t> multiplier;
  std::vector<std::uint8_t> shift;  ///< by operating point
};

/// `factors`: by operating point, then by channel. The factors of a point are those of any other times one power of
/// two. Takes the smallest shifts that bring every multiplier below one half, as 32 bits need, and the nearest
/// multipliers. Throws Error (bad input), naming `layer`, for a factor that is not finite or needs a shift beyond 2^15
/// of a single point; (failure) where the points differ by more than powers of two.
[[nodiscard]] Requantization requantization_of(std::span<const std::vector<double>> factors, const std::string& layer);

/// The power of two by which the factors of point `point` are larger than the first point's, as above.
[[nodiscard]] int growth_of(std::span<const std::vector<double>> factors, std::size_t point, const std::string& layer);

/// The nearest integer, halves upward. Throws Error (bad input), naming `layer`, beyond 32 bits.
[[nodiscard]] std::int32_t nearest_integer(double value, const std::string& layer);

}  // namespace trimtab
