#pragma once

#include <filesystem>

#include "data/dataset.h"

namespace trimtab {

/// Whether the samples are pictures of one or three channels.
[[nodiscard]] bool is_drawable(const Dataset& data);

/// A PNG with a row of up to 16 samples for each of the first 40 classes that have any. Features are stretched, sample
/// by sample, from their least to their greatest value. Throws Error (failure) where the PNG cannot be made.
void write_contact_sheet(const Dataset& data, const std::filesystem::path& path);

}  // namespace trimtab
