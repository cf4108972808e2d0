#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "measure/fidelity.h"
#include "measure/score.h"

namespace trimtab {

// The keys of result.json that all commands share.

/// "task": its name, why it was chosen, its first measure with its unit and direction, and what `eval` needs to measure
/// a deployed program again: threshold and the preprocessing of a reconstruction's target.
[[nodiscard]] nlohmann::ordered_json to_json(const Task& task);

/// The content of such an object: the choice, and the preprocessing of the target's pixels.
struct StoredTask {
  TaskChoice choice;
  Preprocessing pixels;
};
/// Throws Error (bad input), naming `where`, for another object.
[[nodiscard]] StoredTask read_task(const nlohmann::ordered_json& json, const std::string& where);

/// Every measure under its key with the suffix, such as "_float"; the loss has none.
void add_score(nlohmann::ordered_json& json, const Score& score, const std::string& suffix = "");

/// "agreement", "sqnr_db" and "cosine", those that mean something; "outputs" with the latter two for each of several.
/// No difference at all is a SQNR of null.
void add_fidelity(nlohmann::ordered_json& json, const Fidelity& fidelity);

}  // namespace trimtab
