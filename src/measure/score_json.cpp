#include "measure/score_json.h"

#include "base/error.h"

namespace trimtab {

nlohmann::ordered_json to_json(const Task& task) {
  nlohmann::ordered_json json = {{"name", name_of(task.kind)}, {"reason", task.reason}, {"output", task.output}};
  const std::vector<Measure> measures = measures_of(task);
  if (!measures.empty()) {
    const MeasureInfo& info = info_of(measures.front());
    json["measure"] = info.key;
    json["unit"] = info.unit;
    json["larger_is_better"] = info.larger_is_better;
  }
  const bool has_threshold =
      task.kind == TaskKind::binary || (task.kind == TaskKind::segmentation && task.channels() == 1);
  if (has_threshold) json["threshold"] = task.threshold;
  for (const JoinedPart& part : task.parts) json["outputs"].push_back({{"name", part.name}, {"shape", part.shape}});
  if (!task.pixels.mean.empty()) json["mean"] = task.pixels.mean;
  if (!task.pixels.deviation.empty()) json["deviation"] = task.pixels.deviation;
  return json;
}

StoredTask read_task(const nlohmann::ordered_json& json, const std::string& where) {
  try {
    StoredTask stored;
    stored.choice.kind = parse_task(json.at("name").get<std::string>());
    if (json.contains("threshold")) stored.choice.threshold = json.at("threshold").get<double>();
    if (json.contains("mean")) json.at("mean").get_to(stored.pixels.mean);
    if (json.contains("deviation")) json.at("deviation").get_to(stored.pixels.deviation);
    return stored;
  } catch (const nlohmann::json::exception&) {
    throw bad_input("{} does not hold a task as 'trimtab fit' writes it", where);
  }
}

void add_score(nlohmann::ordered_json& json, const Score& score, const std::string& suffix) {
  for (const auto& [measure, value] : score.values) {
    const std::string key = info_of(measure).key;
    json[measure == Measure::loss ? key : key + suffix] = value;
  }
}

void add_fidelity(nlohmann::ordered_json& json, const Fidelity& fidelity) {
  const auto add = [&](Measure measure, const std::optional<double>& value) {
    if (value) json[info_of(measure).key] = *value;
  };
  add(Measure::agreement, fidelity.agreement);
  add(Measure::sqnr_db, fidelity.sqnr_db);
  add(Measure::cosine, fidelity.cosine);
  for (const Fidelity::Part& part : fidelity.parts) {
    nlohmann::ordered_json own = {{"name", part.name}};
    if (part.sqnr_db) own["sqnr_db"] = *part.sqnr_db;
    if (part.cosine) own["cosine"] = *part.cosine;
    json["outputs"].push_back(own);
  }
}

}  // namespace trimtab
