#include "report/report.h"

#include <functional>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "report/assess_report.h"
#include "report/characterize_report.h"
#include "report/comparison_report.h"
#include "report/fit_report.h"
#include "report/folder.h"
#include "report/scale_report.h"
#include "report/sustain_report.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

/// A file that not every result has.
std::string text_if_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) ? read_text(path) : std::string();
}

/// By the name of the command that made the result.
const std::map<std::string, std::function<Page(const FinishedFolder&)>>& makers() {
  static const std::map<std::string, std::function<Page(const FinishedFolder&)>> all{
      {"fit",
       [](const FinishedFolder& folder) { return fit_report(folder.result, folder.details, folder.validation); }},
      {"scale",
       [](const FinishedFolder& folder) { return scale_report(folder.result, folder.details, folder.validation); }},
      {"assess",
       [](const FinishedFolder& folder) {
         return assess_report(folder.result, Facts::parse(text_if_there(folder.path / "map.json"), nullptr, false));
       }},
      {"characterize", [](const FinishedFolder& folder) { return characterize_report(folder.result); }},
      {"sustain simulate",
       [](const FinishedFolder& folder) {
         return simulate_report(folder.result, text_if_there(folder.path / "trace.csv"));
       }},
      {"sustain govern", [](const FinishedFolder& folder) { return govern_report(folder.result); }},
      {"sustain plan", [](const FinishedFolder& folder) { return plan_report(folder.result); }},
  };
  return all;
}

}  // namespace

std::string report_html(const fs::path& folder) {
  const FinishedFolder finished = read_finished(folder);
  const std::string command = words(finished.result, "command");
  const auto maker = makers().find(command);
  if (maker == makers().end()) {
    throw bad_input("{} is of no command that has a report ('{}'); make the folder again with this version",
                    (folder / "result.json").string(), command);
  }
  return maker->second(finished).html();
}

std::string comparison_html(const std::vector<fs::path>& folders) {
  std::vector<FinishedFolder> finished;
  for (const fs::path& folder : folders) finished.push_back(read_finished(folder));
  return comparison_report(finished).html();
}

void write_report(const fs::path& folder) { write_file(folder / "report.html", report_html(folder)); }

}  // namespace trimtab
