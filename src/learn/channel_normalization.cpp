#include "learn/channel_normalization.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>
#include <vector>

#include "learn/number_loops.h"

// Numbers lie as rows of channels: {N, H, W, C} in memory. The loops go along the channels.

namespace trimtab {

namespace {

/// Rows whose sums are kept in single precision; across them sums are in double precision.
constexpr std::int64_t rows_of_block = 256;

/// Adds the sums of x and of x^2 of every channel.
template <typename Number>
[[gnu::always_inline]] inline void sum_all(const Number* x, std::int64_t rows, std::int64_t channels, float* sum,
                                           float* square) {
  for (std::int64_t row = 0; row < rows; ++row, x += channels) {
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) {
      const float v = number(x[c]);
      sum[c] += v;
      square[c] += v * v;
    }
  }
}

/// y = x * factor + offset.
template <typename Number>
[[gnu::always_inline]] inline void scale_all(const Number* x, Number* y, std::int64_t rows, std::int64_t channels,
                                             const float* factor, const float* offset) {
  for (std::int64_t row = 0; row < rows; ++row, x += channels, y += channels) {
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) put(number(x[c]) * factor[c] + offset[c], y[c]);
  }
}

/// Adds the sums of the gradient g and of g * (x - mean) of every channel.
template <typename Number>
[[gnu::always_inline]] inline void sum_gradients_all(const Number* x, const Number* gradient, std::int64_t rows,
                                                     std::int64_t channels, const float* mean, float* sum,
                                                     float* product) {
  for (std::int64_t row = 0; row < rows; ++row, x += channels, gradient += channels) {
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) {
      const float g = number(gradient[c]);
      sum[c] += g;
      product[c] += g * (number(x[c]) - mean[c]);
    }
  }
}

/// The gradient of x: g * factor + x * slope + offset.
template <typename Number>
[[gnu::always_inline]] inline void differentiate_normalized(const Number* x, const Number* gradient, Number* x_gradient,
                                                            std::int64_t rows, std::int64_t channels,
                                                            const float* factor, const float* slope,
                                                            const float* offset) {
  for (std::int64_t row = 0; row < rows; ++row, x += channels, gradient += channels, x_gradient += channels) {
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) {
      put(number(gradient[c]) * factor[c] + number(x[c]) * slope[c] + offset[c], x_gradient[c]);
    }
  }
}

// clang-format off
TRIMTAB_WIDE_VECTORS void sum_rows(const float* x, std::int64_t rows, std::int64_t channels, float* sum,
                                   float* square) { sum_all(x, rows, channels, sum, square); }
TRIMTAB_WIDE_VECTORS void sum_rows(const c10::BFloat16* x, std::int64_t rows, std::int64_t channels, float* sum,
                                   float* square) { sum_all(x, rows, channels, sum, square); }
TRIMTAB_WIDE_VECTORS void scale_rows(const float* x, float* y, std::int64_t rows, std::int64_t channels,
                                     const float* factor, const float* offset) {
  scale_all(x, y, rows, channels, factor, offset);
}
TRIMTAB_WIDE_VECTORS void scale_rows(const c10::BFloat16* x, c10::BFloat16* y, std::int64_t rows,
                                     std::int64_t channels, const float* factor, const float* offset) {
  scale_all(x, y, rows, channels, factor, offset);
}
TRIMTAB_WIDE_VECTORS void sum_gradients(const float* x, const float* gradient, std::int64_t rows,
                                        std::int64_t channels, const float* mean, float* sum, float* product) {
  sum_gradients_all(x, gradient, rows, channels, mean, sum, product);
}
TRIMTAB_WIDE_VECTORS void sum_gradients(const c10::BFloat16* x, const c10::BFloat16* gradient, std::int64_t rows,
                                        std::int64_t channels, const float* mean, float* sum, float* product) {
  sum_gradients_all(x, gradient, rows, channels, mean, sum, product);
}
TRIMTAB_WIDE_VECTORS void differentiate_rows(const float* x, const float* gradient, float* x_gradient,
                                             std::int64_t rows, std::int64_t channels, const float* factor,
                                             const float* slope, const float* offset) {
  differentiate_normalized(x, gradient, x_gradient, rows, channels, factor, slope, offset);
}
TRIMTAB_WIDE_VECTORS void differentiate_rows(const c10::BFloat16* x, const c10::BFloat16* gradient,
                                             c10::BFloat16* x_gradient, std::int64_t rows, std::int64_t channels,
                                             const float* factor, const float* slope, const float* offset) {
  differentiate_normalized(x, gradient, x_gradient, rows, channels, factor, slope, offset);
}
// clang-format on

torch::Tensor as_rows(const torch::Tensor& tensor) {
  return tensor.dim() == 4 ? tensor.contiguous(torch::MemoryFormat::ChannelsLast) : tensor.contiguous();
}

/// Two sums per channel over all rows, in double precision: `add` adds those of some rows, from the first one and their
/// number, to two arrays. In the order of the blocks: the same whatever the number of threads.
template <typename Add>
std::pair<std::vector<double>, std::vector<double>> sum_blocks(std::int64_t rows, std::int64_t channels,
                                                               const Add& add) {
  const std::int64_t blocks = (rows + rows_of_block - 1) / rows_of_block;
  const auto width = static_cast<std::size_t>(2 * channels);
  std::vector<float> partial(static_cast<std::size_t>(blocks) * width);
  at::parallel_for(0, blocks, 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      float* sums = partial.data() + static_cast<std::size_t>(b) * width;
      add(b * rows_of_block, std::min(rows_of_block, rows - b * rows_of_block), sums, sums + channels);
    }
  });
  std::vector<double> first(static_cast<std::size_t>(channels));
  std::vector<double> second(static_cast<std::size_t>(channels));
  for (std::size_t b = 0; b < static_cast<std::size_t>(blocks); ++b) {
    const float* sums = partial.data() + b * width;
    for (std::size_t c = 0; c < first.size(); ++c) {
      first[c] += static_cast<double>(sums[c]);
      second[c] += static_cast<double>(sums[c + first.size()]);
    }
  }
  return {std::move(first), std::move(second)};
}

std::vector<double> doubles(const torch::Tensor& tensor) {
  const torch::Tensor same = tensor.detach().contiguous();
  const float* numbers = same.data_ptr<float>();
  return {numbers, numbers + same.numel()};
}

torch::Tensor floats(const std::vector<double>& numbers) {
  torch::Tensor result = torch::empty({static_cast<std::int64_t>(numbers.size())}, torch::kFloat32);
  std::copy(numbers.begin(), numbers.end(), result.data_ptr<float>());
  return result;
}

/// libtorch's own until 2.0, the standard's since.
using Optional = c10::optional<torch::Tensor>;

class Normalization : public torch::autograd::Function<Normalization> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const torch::Tensor& input,
                                                const torch::Tensor& weight, const torch::Tensor& bias,
                                                const Optional& given_variance, double epsilon) {
    const torch::Tensor x = as_rows(input);
    const std::int64_t channels = x.size(1);
    const std::int64_t rows = x.numel() / channels;
    const auto size = static_cast<std::size_t>(channels);
    torch::Tensor y = torch::empty_like(x);
    std::vector<double> mean;
    std::vector<double> variance = given_variance ? doubles(*given_variance) : std::vector<double>(size);
    with_numbers_of(x, [&](auto example) {
      using Number = decltype(example);
      const Number* from = x.data_ptr<Number>();
      std::vector<double> square;
      std::tie(mean, square) =
          sum_blocks(rows, channels, [&](std::int64_t first, std::int64_t count, float* sum, float* squares) {
            sum_rows(from + first * channels, count, channels, sum, squares);
          });
      for (double& of_channel : mean) of_channel /= static_cast<double>(rows);
      if (!given_variance) {
        for (std::size_t c = 0; c < size; ++c) {
          variance[c] = std::max(0.0, square[c] / static_cast<double>(rows) - mean[c] * mean[c]);
        }
      }
      const std::vector<double> weights = doubles(weight);
      const std::vector<double> biases = doubles(bias);
      std::vector<float> factor(size);
      std::vector<float> offset(size);
      for (std::size_t c = 0; c < size; ++c) {
        const double of_channel = weights[c] / std::sqrt(variance[c] + epsilon);
        factor[c] = static_cast<float>(of_channel);
        offset[c] = static_cast<float>(biases[c] - mean[c] * of_channel);
      }
      Number* to = y.data_ptr<Number>();
      at::parallel_for(0, rows, rows_of_block, [&](std::int64_t begin, std::int64_t end) {
        scale_rows(from + begin * channels, to + begin * channels, end - begin, channels, factor.data(), offset.data());
      });
    });
    const torch::Tensor means = floats(mean);
    const torch::Tensor variances = floats(variance);
    context->save_for_backward({x, weight, means, variances});
    context->saved_data["epsilon"] = epsilon;
    context->saved_data["own"] = !given_variance.has_value();
    context->mark_non_differentiable({means});
    return {y, means, variances};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const torch::Tensor& x = saved[0];
    const double epsilon = context->saved_data["epsilon"].toDouble();
    const bool own = context->saved_data["own"].toBool();
    const std::int64_t channels = x.size(1);
    const std::int64_t rows = x.numel() / channels;
    const auto size = static_cast<std::size_t>(channels);
    const auto count = static_cast<double>(rows);
    const std::vector<double> weight = doubles(saved[1]);
    const std::vector<double> mean = doubles(saved[2]);
    const std::vector<double> variance = doubles(saved[3]);
    const torch::Tensor gradient = as_rows(gradients[0]);
    torch::Tensor x_gradient = torch::empty_like(x);
    std::vector<double> weight_gradient(size);
    std::vector<double> bias_gradient;
    std::vector<double> variance_gradient = doubles(gradients[2]);
    with_numbers_of(x, [&](auto example) {
      using Number = decltype(example);
      const Number* numbers = x.data_ptr<Number>();
      const Number* from = gradient.data_ptr<Number>();
      const float* means = saved[2].data_ptr<float>();
      std::vector<double> product;
      std::tie(bias_gradient, product) =
          sum_blocks(rows, channels, [&](std::int64_t first, std::int64_t some, float* sum, float* products) {
            sum_gradients(numbers + first * channels, from + first * channels, some, channels, means, sum, products);
          });
      std::vector<float> factor(size);
      std::vector<float> slope(size, 0.0F);
      std::vector<float> offset(size);
      for (std::size_t c = 0; c < size; ++c) {
        const double reciprocal = 1 / std::sqrt(variance[c] + epsilon);
        weight_gradient[c] = product[c] * reciprocal;
        variance_gradient[c] -= 0.5 * product[c] * weight[c] * reciprocal * reciprocal * reciprocal;
        factor[c] = static_cast<float>(weight[c] * reciprocal);
        const double to_mean = -weight[c] * reciprocal * bias_gradient[c];
        const double to_square = own ? 2 * variance_gradient[c] / count : 0;
        slope[c] = static_cast<float>(to_square);
        offset[c] = static_cast<float>(to_mean / count - to_square * mean[c]);
      }
      Number* to = x_gradient.data_ptr<Number>();
      at::parallel_for(0, rows, rows_of_block, [&](std::int64_t begin, std::int64_t end) {
        differentiate_rows(numbers + begin * channels, from + begin * channels, to + begin * channels, end - begin,
                           channels, factor.data(), slope.data(), offset.data());
      });
    });
    return {x_gradient, floats(weight_gradient), floats(bias_gradient),
            own ? torch::Tensor() : floats(variance_gradient), torch::Tensor()};
  }
};

}  // namespace

NormalizedChannels normalize_channels(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                                      const torch::Tensor& variance, double epsilon) {
  torch::autograd::variable_list made =
      Normalization::apply(x, weight, bias, variance.defined() ? Optional(variance) : Optional(), epsilon);
  return {made[0], made[1], made[2]};
}

}  // namespace trimtab
