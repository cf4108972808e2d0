#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

// Operators of TensorFlow Lite in plain loops over one image, channels last, as their definitions say.
namespace trimtab::reference {

/// An image: height x width x channels.
struct LastImage {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t channels = 0;
  std::vector<float> data;

  [[nodiscard]] bool inside(std::int64_t y, std::int64_t x) const {
    return y >= 0 && x >= 0 && y < height && x < width;
  }
  [[nodiscard]] float at(std::int64_t y, std::int64_t x, std::int64_t c) const {
    return data[static_cast<std::size_t>((y * width + x) * channels + c)];
  }
  /// The same numbers, channels first.
  [[nodiscard]] std::vector<float> channels_first() const {
    std::vector<float> result;
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t p = 0; p < height * width; ++p) {
        result.push_back(data[static_cast<std::size_t>(p * channels + c)]);
      }
    }
    return result;
  }
};

/// Where windows lie along one axis.
struct LastWindows {
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
  bool same = true;

  [[nodiscard]] std::int64_t extent() const { return (kernel - 1) * dilation + 1; }
  [[nodiscard]] std::int64_t count(std::int64_t length) const {
    return same ? (length + stride - 1) / stride : (length - extent() + stride) / stride;
  }
  /// The first index of window `i`; the smaller half of the padding stands in front.
  [[nodiscard]] std::int64_t start(std::int64_t i, std::int64_t length) const {
    const std::int64_t padding = same ? std::max<std::int64_t>((count(length) - 1) * stride + extent() - length, 0) : 0;
    return i * stride - padding / 2;
  }
};

/// weight: outputs x height x width x inputs of a group.
inline LastImage convolve(const LastImage& image, const std::vector<float>& weight, std::int64_t outputs,
                          std::int64_t groups, const std::vector<float>& bias, const LastWindows& rows,
                          const LastWindows& columns) {
  LastImage result{rows.count(image.height), columns.count(image.width), outputs, {}};
  const std::int64_t inputs = image.channels / groups;
  for (std::int64_t y = 0; y < result.height; ++y) {
    for (std::int64_t x = 0; x < result.width; ++x) {
      for (std::int64_t o = 0; o < outputs; ++o) {
        double sum = bias.empty() ? 0 : bias[static_cast<std::size_t>(o)];
        for (std::int64_t ky = 0; ky < rows.kernel; ++ky) {
          for (std::int64_t kx = 0; kx < columns.kernel; ++kx) {
            const std::int64_t row = rows.start(y, image.height) + ky * rows.dilation;
            const std::int64_t column = columns.start(x, image.width) + kx * columns.dilation;
            if (!image.inside(row, column)) continue;
            for (std::int64_t i = 0; i < inputs; ++i) {
              const auto at = static_cast<std::size_t>(((o * rows.kernel + ky) * columns.kernel + kx) * inputs + i);
              sum += double{weight[at]} * image.at(row, column, o / (outputs / groups) * inputs + i);
            }
          }
        }
        result.data.push_back(static_cast<float>(sum));
      }
    }
  }
  return result;
}

/// The mean or the maximum of those numbers of each window that lie inside.
inline LastImage pooled(const LastImage& image, bool maximum, const LastWindows& rows, const LastWindows& columns) {
  LastImage result{rows.count(image.height), columns.count(image.width), image.channels, {}};
  for (std::int64_t y = 0; y < result.height; ++y) {
    for (std::int64_t x = 0; x < result.width; ++x) {
      for (std::int64_t c = 0; c < image.channels; ++c) {
        double sum = 0;
        double most = -1e30;
        int inside = 0;
        for (std::int64_t ky = 0; ky < rows.kernel; ++ky) {
          for (std::int64_t kx = 0; kx < columns.kernel; ++kx) {
            const std::int64_t row = rows.start(y, image.height) + ky;
            const std::int64_t column = columns.start(x, image.width) + kx;
            if (!image.inside(row, column)) continue;
            ++inside;
            sum += image.at(row, column, c);
            most = std::max(most, double{image.at(row, column, c)});
          }
        }
        result.data.push_back(static_cast<float>(maximum ? most : sum / inside));
      }
    }
  }
  return result;
}

}  // namespace trimtab::reference
