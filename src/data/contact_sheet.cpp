#include "data/contact_sheet.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/index.h"
#include "data/sample_picture.h"

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

/// Puts the picture with its upper left corner at `top`, `left` of the sheet.
void place(const Picture& picture, Picture& sheet, std::int64_t top, std::int64_t left) {
  const std::int64_t row = picture.columns * picture.channels;
  for (std::int64_t y = 0; y < picture.rows; ++y) {
    std::copy_n(picture.pixels.begin() + y * row, row,
                sheet.pixels.begin() + ((top + y) * sheet.columns + left) * sheet.channels);
  }
}

}  // namespace

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
      place(sample_picture(data, rows[r][c]), sheet, gap + static_cast<std::int64_t>(r) * (height + gap),
            gap + static_cast<std::int64_t>(c) * (width + gap));
    }
  }
  const std::vector<std::uint8_t> png = picture_codec().encode_png(sheet);
  if (png.empty()) throw failure("{} could not be encoded", path.string());
  write_file(path, png);
}

}  // namespace trimtab
