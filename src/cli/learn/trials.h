#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "study/dispatch.h"

namespace trimtab::cli {

// The context of a search's trials is the part of its command's options that a child process must know. It is one list,
// a function that calls archive(name, option) for every such option; the same list writes and reads, so that no option
// can be forgotten on one side.

/// Writes the fields of a list as a JSON object.
class ContextWriter {
 public:
  template <typename Value>
  void operator()(const char* name, const Value& value) {
    json_[name] = value;
  }
  [[nodiscard]] const nlohmann::json& json() const { return json_; }

 private:
  nlohmann::json json_ = nlohmann::json::object();
};

/// Reads the fields of a list from such an object.
class ContextReader {
 public:
  explicit ContextReader(const nlohmann::json& json) : json_(json) {}
  template <typename Value>
  void operator()(const char* name, Value& value) const {
    json_.at(name).get_to(value);
  }

 private:
  const nlohmann::json& json_;
};

/// Makes the function that runs the trials of `trimtab fit --search` in a child process. `context` names model and
/// data.
[[nodiscard]] TrialFunction make_fit_trials(const nlohmann::json& context, int threads);

/// The same for the trials of `trimtab assess`.
[[nodiscard]] TrialFunction make_assess_trials(const nlohmann::json& context, int threads);

}  // namespace trimtab::cli
