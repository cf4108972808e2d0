#include "study/summary.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace trimtab {
namespace {

std::string text_note(const StudyView& view, const char* name, const char* otherwise) {
  const auto found = view.notes.find(name);
  return found != view.notes.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

}  // namespace

bool has_number(const nlohmann::json& metrics, const std::string& name) {
  return metrics.is_object() && metrics.contains(name) && metrics.at(name).is_number();
}

std::vector<std::size_t> pareto_front(const std::vector<double>& cost, const std::vector<double>& value) {
  std::vector<std::size_t> order(cost.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return cost[a] != cost[b] ? cost[a] < cost[b] : value[a] > value[b];
  });
  std::vector<std::size_t> front;
  double best = -std::numeric_limits<double>::infinity();
  for (const std::size_t index : order) {
    if (value[index] <= best) continue;
    best = value[index];
    front.push_back(index);
  }
  return front;
}

StudySummary summarize(const StudyView& view) {
  StudySummary summary;
  summary.value = text_note(view, "value", "top1");
  const auto small = view.notes.find("value_is_small");
  summary.value_is_small = small != view.notes.end() && *small == true;
  const double sign = summary.value_is_small ? -1 : 1;
  const auto value_of = [&](const Trial& trial) { return sign * trial.metrics.at(summary.value).get<double>(); };
  summary.cost = text_note(view, "cost", "memory_bytes");
  const auto planned = view.notes.find("planned_trials");
  if (planned != view.notes.end() && planned->is_number_integer()) summary.planned = planned->get<std::int64_t>();
  std::vector<const Trial*> measured;
  std::vector<double> costs;
  std::vector<double> values;
  for (const Trial& trial : view.trials) {
    std::int64_t* const counts[] = {&summary.waiting, &summary.running, &summary.done, &summary.failed};
    ++*counts[static_cast<std::size_t>(trial.state)];
    if (trial.started_at > 0)
      summary.first_at = summary.first_at == 0 ? trial.started_at : std::min(summary.first_at, trial.started_at);
    summary.last_at = std::max(summary.last_at, trial.finished_at);
    if (trial.state != TrialState::done) continue;
    summary.trial_s += trial.wall_s;
    if (!has_number(trial.metrics, summary.value)) continue;
    if (summary.best.empty() || value_of(trial) > value_of(summary.best[0])) summary.best = {trial};
    if (!has_number(trial.metrics, summary.cost)) continue;
    measured.push_back(&trial);
    costs.push_back(trial.metrics.at(summary.cost));
    values.push_back(value_of(trial));
  }
  for (const std::size_t index : pareto_front(costs, values)) summary.front.push_back(*measured[index]);
  return summary;
}

}  // namespace trimtab
