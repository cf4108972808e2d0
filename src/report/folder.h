#pragma once

#include <filesystem>

#include "report/facts.h"

namespace trimtab {

/// The files of a finished folder that a report is made of.
struct FinishedFolder {
  std::filesystem::path path;
  Facts result;
  Facts details;     ///< null where the command leaves none
  Facts validation;  ///< of `trimtab validate`; null where no board was validated
};

/// Throws Error (bad input) where there is no result.json, or result.json or details.json is no JSON object.
[[nodiscard]] FinishedFolder read_finished(const std::filesystem::path& folder);

}  // namespace trimtab
