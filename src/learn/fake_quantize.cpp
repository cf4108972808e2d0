#include "learn/fake_quantize.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "base/index.h"
#include "learn/number_loops.h"

namespace trimtab {

namespace {

/// Numbers of one block: sums are kept in single precision within a block and in double precision across.
constexpr std::int64_t block = 4096;

/// Levels as real numbers of steps: what rounds is first clamped to [low, high], both integers, and outside of
/// [low, above] (the same, or where the activation function saturates) gradients to the input end.
struct Levels {
  float inverse;  ///< 1 / step
  float low;
  float high;
  float above;  ///< numbers beyond it saturate
  float end;    ///< where those are held, in steps, whatever the step is: at the function's own end; else 0
  /// The least number that truncates to the highest level, counted from the lowest.
  [[nodiscard]] float span() const { return high - low + 0.5F; }
};

Levels levels_of(const FakeQuantizeRange& range, float step) {
  Levels levels{};
  levels.inverse = 1 / step;
  levels.low = std::max(static_cast<float>(range.minimum), std::floor(range.saturation.low * levels.inverse + 0.5F));
  const float limit = range.saturation.high * levels.inverse;
  const bool by_function = limit < static_cast<float>(range.maximum);
  levels.high = by_function ? std::floor(limit + 0.5F) : static_cast<float>(range.maximum);
  levels.above = by_function ? limit : levels.high;
  // a number at the function's own end stays there whatever the step is, but for the rounding
  levels.end = by_function ? limit : 0;
  return levels;
}

template <typename Number>
[[gnu::always_inline]] inline void quantize_all(const Number* x, Number* y, std::int64_t count, Levels levels,
                                                float step) {
  const float offset = 0.5F - levels.low;
  const float span = levels.span();
  for (std::int64_t i = 0; i < count; ++i) {
    // not negative after the clamp, so that truncation is floor
    float level = number(x[i]) * levels.inverse + offset;
    level = level > 0.0F ? level : 0.0F;
    level = level < span ? level : span;
    put((static_cast<float>(static_cast<int>(level)) + levels.low) * step, y[i]);
  }
}

TRIMTAB_WIDE_VECTORS
void quantize_numbers(const float* x, float* y, std::int64_t count, Levels levels, float step) {
  quantize_all(x, y, count, levels, step);
}
TRIMTAB_WIDE_VECTORS
void quantize_numbers(const c10::BFloat16* x, c10::BFloat16* y, std::int64_t count, Levels levels, float step) {
  quantize_all(x, y, count, levels, step);
}

/// Writes the gradient to x and returns the one to the step (before its scale).
template <typename Number>
[[gnu::always_inline]] inline float differentiate_all(const Number* x, const Number* gradient, Number* x_gradient,
                                                      std::int64_t count, Levels levels) {
  const float span = levels.span();
  const auto end = std::bit_cast<std::uint32_t>(levels.end);
  float sum = 0;
  // The choices are made with masks, and the sum may be taken in any order: with comparisons of real numbers GCC makes
  // branches, and the loop goes one number at a time, eight times as long.
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i) {
    const float v = number(x[i]) * levels.inverse;
    const float g = number(gradient[i]);
    float inside = v > levels.low ? v : levels.low;
    inside = inside < levels.above ? inside : levels.above;
    const auto outside = std::bit_cast<std::uint32_t>(v - inside);
    const std::uint32_t passes = outside << 1U == 0 ? ~0U : 0U;
    const std::uint32_t is_above = (outside >> 31U) - 1U;  // of those that do not pass
    put(std::bit_cast<float>(std::bit_cast<std::uint32_t>(g) & passes), x_gradient[i]);
    float level = inside - levels.low + 0.5F;
    level = level < span ? level : span;
    level = static_cast<float>(static_cast<int>(level)) + levels.low;
    // d(output) / d(step) is the level less what moves along with the input
    const std::uint32_t moves = (passes & std::bit_cast<std::uint32_t>(v)) | (~passes & is_above & end);
    sum += g * (level - std::bit_cast<float>(moves));
  }
  return sum;
}

TRIMTAB_WIDE_VECTORS
float differentiate_numbers(const float* x, const float* gradient, float* x_gradient, std::int64_t count,
                            Levels levels) {
  return differentiate_all(x, gradient, x_gradient, count, levels);
}
TRIMTAB_WIDE_VECTORS
float differentiate_numbers(const c10::BFloat16* x, const c10::BFloat16* gradient, c10::BFloat16* x_gradient,
                            std::int64_t count, Levels levels) {
  return differentiate_all(x, gradient, x_gradient, count, levels);
}

/// A tensor with its numbers side by side, in whatever order.
torch::Tensor dense(const torch::Tensor& tensor) {
  return tensor.is_non_overlapping_and_dense() ? tensor : tensor.contiguous();
}

/// `tensor` in the layout of `like`, which is dense.
torch::Tensor in_layout_of(const torch::Tensor& tensor, const torch::Tensor& like) {
  if (tensor.strides() == like.strides()) {
    return tensor;
  }
  return torch::empty_like(like).copy_(tensor);
}

class ActivationFunction : public torch::autograd::Function<ActivationFunction> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& input,
                               const torch::Tensor& step, const FakeQuantizeRange& range, double gradient_scale) {
    const torch::Tensor x = dense(input);
    const float size = step.item<float>();
    const Levels levels = levels_of(range, size);
    torch::Tensor y = torch::empty_like(x);
    with_numbers_of(x, [&](auto example) {
      using Number = decltype(example);
      const Number* from = x.data_ptr<Number>();
      Number* to = y.data_ptr<Number>();
      at::parallel_for(0, x.numel(), 4 * block, [&](std::int64_t begin, std::int64_t end) {
        quantize_numbers(from + begin, to + begin, end - begin, levels, size);
      });
    });
    context->save_for_backward({x, step});
    context->saved_data["minimum"] = static_cast<std::int64_t>(range.minimum);
    context->saved_data["maximum"] = static_cast<std::int64_t>(range.maximum);
    context->saved_data["low"] = static_cast<double>(range.saturation.low);
    context->saved_data["high"] = static_cast<double>(range.saturation.high);
    context->saved_data["gradient_scale"] = gradient_scale;
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const torch::Tensor& x = saved[0];
    const FakeQuantizeRange range{static_cast<std::int32_t>(context->saved_data["minimum"].toInt()),
                                  static_cast<std::int32_t>(context->saved_data["maximum"].toInt()),
                                  {static_cast<float>(context->saved_data["low"].toDouble()),
                                   static_cast<float>(context->saved_data["high"].toDouble())}};
    const Levels levels = levels_of(range, saved[1].item<float>());
    const torch::Tensor gradient = in_layout_of(gradients[0], x);
    torch::Tensor x_gradient = torch::empty_like(x);
    const std::int64_t blocks = (x.numel() + block - 1) / block;
    std::vector<float> sums(static_cast<std::size_t>(blocks));
    with_numbers_of(x, [&](auto example) {
      using Number = decltype(example);
      const Number* numbers = x.data_ptr<Number>();
      const Number* from = gradient.data_ptr<Number>();
      Number* to = x_gradient.data_ptr<Number>();
      at::parallel_for(0, blocks, 4, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t b = begin; b < end; ++b) {
          const std::int64_t first = b * block;
          nth(sums, b) = differentiate_numbers(numbers + first, from + first, to + first,
                                               std::min(block, x.numel() - first), levels);
        }
      });
    });
    // in the order of the blocks: the same whatever the number of threads
    double sum = 0;
    for (const float part : sums) {
      sum += static_cast<double>(part);
    }
    const torch::Tensor step_gradient =
        torch::full_like(saved[1], sum * context->saved_data["gradient_scale"].toDouble());
    return {x_gradient, step_gradient, torch::Tensor(), torch::Tensor()};
  }
};

class WeightFunction : public torch::autograd::Function<WeightFunction> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& weight,
                               const torch::Tensor& step, std::int64_t bits, double gradient_scale) {
    std::vector<std::int64_t> along(static_cast<std::size_t>(weight.dim()), 1);
    along[0] = -1;
    const torch::Tensor steps = step.view(along);
    const double limit = std::ldexp(1.0, static_cast<int>(bits) - 1);
    const torch::Tensor v = weight / steps;
    const torch::Tensor level = (v + 0.5).floor_().clamp_(-limit, limit - 1);
    context->save_for_backward({v, level});
    context->saved_data["limit"] = limit;
    context->saved_data["gradient_scale"] = gradient_scale;
    return level * steps;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const double limit = context->saved_data["limit"].toDouble();
    const torch::Tensor& gradient = gradients[0];
    const torch::Tensor inside = (saved[0] >= -limit).logical_and_(saved[0] <= limit - 1);
    const torch::Tensor weight_gradient = gradient * inside;
    const torch::Tensor slope = saved[1] - saved[0] * inside;
    const torch::Tensor step_gradient =
        (gradient * slope).flatten(1).sum(1) * context->saved_data["gradient_scale"].toDouble();
    return {weight_gradient, step_gradient, torch::Tensor(), torch::Tensor()};
  }
};

}  // namespace

torch::Tensor fake_quantize_activation(const torch::Tensor& x, const torch::Tensor& step,
                                       const FakeQuantizeRange& range, double gradient_scale) {
  return ActivationFunction::apply(x, step, range, gradient_scale);
}

torch::Tensor fake_quantize_weight(const torch::Tensor& weight, const torch::Tensor& step, int bits,
                                   double gradient_scale) {
  return WeightFunction::apply(weight, step, static_cast<std::int64_t>(bits), gradient_scale);
}

}  // namespace trimtab
