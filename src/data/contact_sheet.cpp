#include "data/contact_sheet.h"

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace trimtab {

namespace {

constexpr std::size_t sheet_columns = 16;
constexpr std::size_t most_rows = 40;
constexpr int gap = 2;  ///< pixels between samples

/// Indices of up to `sheet_columns` samples of each class that has any.
std::vector<std::vector<std::int64_t>> choose_rows(const Dataset& data) {
  std::vector<std::vector<std::int64_t>> rows(data.classes.size());
  for (std::int64_t i = 0; i < data.size(); ++i) {
    auto& row = rows[static_cast<std::size_t>(data.labels[static_cast<std::size_t>(i)])];
    if (row.size() < sheet_columns) row.push_back(i);
  }
  std::erase_if(rows, [](const auto& row) { return row.empty(); });
  if (rows.size() > most_rows) rows.resize(most_rows);
  return rows;
}

void draw_sample(const Dataset& data, std::int64_t index, cv::Mat cell) {
  std::vector<float> sample(static_cast<std::size_t>(element_count(data.shape)));
  data.read(index, {}, sample);
  float low = 0;
  float high = 255;
  if (!data.is_pixels()) {
    const auto [least, greatest] = std::minmax_element(sample.begin(), sample.end());
    low = *least;
    high = std::max(*greatest, low + 1e-6F);
  }
  const auto plane = static_cast<std::size_t>(cell.rows) * static_cast<std::size_t>(cell.cols);
  for (int y = 0; y < cell.rows; ++y) {
    for (int x = 0; x < cell.cols; ++x) {
      const std::size_t at =
          static_cast<std::size_t>(y) * static_cast<std::size_t>(cell.cols) + static_cast<std::size_t>(x);
      for (int c = 0; c < 3; ++c) {
        const std::size_t channel = data.shape[0] == 3 ? static_cast<std::size_t>(2 - c) : 0;  // OpenCV: blue first
        const float value = 255 * (sample[channel * plane + at] - low) / (high - low);
        cell.at<cv::Vec3b>(y, x)[c] = static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F));
      }
    }
  }
}

}  // namespace

bool is_drawable(const Dataset& data) {
  return data.size() > 0 && data.shape.size() == 3 && (data.shape[0] == 1 || data.shape[0] == 3) &&
         data.shape[1] <= 1024 && data.shape[2] <= 1024;
}

void write_contact_sheet(const Dataset& data, const std::filesystem::path& path) {
  if (!is_drawable(data)) throw failure("samples of shape {} cannot be drawn", to_string(data.shape));
  const auto rows = choose_rows(data);
  const auto height = static_cast<int>(data.shape[1]);
  const auto width = static_cast<int>(data.shape[2]);
  cv::Mat sheet(static_cast<int>(rows.size()) * (height + gap) + gap,
                static_cast<int>(sheet_columns) * (width + gap) + gap, CV_8UC3, cv::Scalar::all(255));
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      const cv::Rect place(gap + static_cast<int>(c) * (width + gap), gap + static_cast<int>(r) * (height + gap), width,
                           height);
      draw_sample(data, rows[r][c], sheet(place));
    }
  }
  std::vector<std::uint8_t> png;
  if (!cv::imencode(".png", sheet, png)) throw failure("{} could not be encoded", path.string());
  write_file(path, png);
}

}  // namespace trimtab
