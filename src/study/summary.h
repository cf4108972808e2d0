#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "study/study.h"

namespace trimtab {

/// The state of a study.
struct StudySummary {
  std::int64_t waiting = 0;
  std::int64_t running = 0;
  std::int64_t done = 0;
  std::int64_t failed = 0;
  std::int64_t planned = 0;     ///< trials the search means to run in all (note "planned_trials"); 0: not known
  double trial_s = 0;           ///< wall seconds of all finished trials together
  std::int64_t first_at = 0;    ///< seconds since 1970, of the first start; 0: none
  std::int64_t last_at = 0;     ///< of the last end
  std::string value;            ///< the metric that trials are compared by (note "value"; "top1" without)
  bool value_is_small = false;  ///< whether it is to be small (note "value_is_small")
  std::string cost;             ///< the metric that is to be small (note "cost"; "memory_bytes" without)
  std::vector<Trial> best;      ///< the trial of the best value; empty where none is done
  std::vector<Trial> front;     ///< trials that no other dominates, cheapest first
};

[[nodiscard]] StudySummary summarize(const StudyView& view);

/// Whether the metrics hold a number of that name.
[[nodiscard]] bool has_number(const nlohmann::json& metrics, const std::string& name);

/// Indices of the points that no other point dominates, by rising cost. Of equal points the first stays.
[[nodiscard]] std::vector<std::size_t> pareto_front(const std::vector<double>& cost, const std::vector<double>& value);

}  // namespace trimtab
