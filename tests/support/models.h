#pragma once

#include <filesystem>

namespace trimtab {

/// Trained networks from elsewhere, with inputs and outputs of each; absent from a bare clone.
inline const std::filesystem::path models = TRIMTAB_SOURCE_DIR "/../shared/models";

}  // namespace trimtab
