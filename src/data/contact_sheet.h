#pragma once

#include <filesystem>

#include "data/dataset.h"

namespace trimtab {

/// A PNG with a row of up to 16 samples for each of the first 40 classes that have any. Needs is_drawable()
/// (sample_picture.h). Throws Error (failure) where the PNG cannot be made.
void write_contact_sheet(const Dataset& data, const std::filesystem::path& path);

}  // namespace trimtab
