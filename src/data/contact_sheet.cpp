#include "data/contact_sheet.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/index.h"
#include "data/pictures.h"

namespace trimtab {

namespace {

constexpr std::size_t sheet_columns = 16;
constexpr std::size_t most_rows = 40;
constexpr std::int64_t gap = 2;  ///< pixels between samples

/// Indices of up to `sheet_columns` samples of each class that has any; of all together where no class is known.
std::vector<std::vector<std::int64_t>> choose_rows(const Dataset& data) {
  std::vector<std::vector<std::int64_t>> rows(data.labels.empty() ? 1 : data.classes.size());
  for (std::int64_t i = 0; i < data.size(); ++i) {
    auto& row = nth(rows, data.labels.empty() ? 0 : nth(data.labels, i));
    if (row.size() < sheet_columns) row.push_back(i);
  }
  std::erase_if(rows, [](const auto& row) { return row.empty(); });
  if (rows.size() > most_rows) rows.resize(most_rows);
  return rows;
}

/// Draws the sample with its upper left corner at `top`, `left` of the sheet.
void draw_sample(const Dataset& data, std::int64_t index, Picture& sheet, std::int64_t top, std::int64_t left) {
  std::vector<float> sample(static_cast<std::size_t>(element_count(data.shape)));
  data.read(index, {}, sample);
  float low = 0;
  float high = 255;
  if (!data.is_pixels()) {
    const auto [least, greatest] = std::minmax_element(sample.begin(), sample.end());
    low = *least;
    high = std::max(*greatest, low + 1e-6F);
  }
  const std::int64_t height = data.shape[1];
  const std::int64_t width = data.shape[2];
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        const std::int64_t channel = data.shape[0] == 3 ? c : 0;
        const float value = 255 * (nth(sample, (channel * height + y) * width + x) - low) / (high - low);
        nth(sheet.pixels, ((top + y) * sheet.columns + left + x) * 3 + c) =
            static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F));
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
  const std::int64_t height = data.shape[1];
  const std::int64_t width = data.shape[2];
  Picture sheet{static_cast<std::int64_t>(rows.size()) * (height + gap) + gap,
                static_cast<std::int64_t>(sheet_columns) * (width + gap) + gap,
                3,
                {}};
  sheet.pixels.assign(static_cast<std::size_t>(sheet.rows * sheet.columns * 3), 255);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      draw_sample(data, rows[r][c], sheet, gap + static_cast<std::int64_t>(r) * (height + gap),
                  gap + static_cast<std::int64_t>(c) * (width + gap));
    }
  }
  const std::vector<std::uint8_t> png = picture_codec().encode_png(sheet);
  if (png.empty()) throw failure("{} could not be encoded", path.string());
  write_file(path, png);
}

}  // namespace trimtab
