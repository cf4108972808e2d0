#include "report/folder.h"

#include "base/error.h"
#include "base/file.h"

namespace trimtab {
namespace {

Facts read_facts(const std::filesystem::path& path) {
  Facts facts = Facts::parse(read_text(path), nullptr, false);
  if (!facts.is_object()) throw bad_input("{} is no JSON object; make the folder again", path.string());
  return facts;
}

}  // namespace

FinishedFolder read_finished(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder / "result.json", error)) {
    throw bad_input("{} holds no result.json; give a folder that a command of trimtab finished", folder.string());
  }
  FinishedFolder finished{folder, read_facts(folder / "result.json"), {}, {}};
  if (std::filesystem::exists(folder / "details.json", error)) finished.details = read_facts(folder / "details.json");
  if (std::filesystem::exists(folder / "validation.json", error)) {
    Facts validation = Facts::parse(read_text(folder / "validation.json"), nullptr, false);
    if (validation.is_object()) finished.validation = std::move(validation);
  }
  return finished;
}

}  // namespace trimtab
