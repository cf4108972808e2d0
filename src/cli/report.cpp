#include "report/report.h"

#include <memory>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/output.h"
#include "report/explain_layer.h"

namespace trimtab::cli {
namespace {

struct ReportOptions {
  std::vector<std::string> folders;
  std::string file;
};

void run_report(const ReportOptions& options) {
  const bool one = options.folders.size() == 1;
  std::filesystem::path file = options.file;
  if (file.empty()) file = one ? std::filesystem::path(options.folders[0]) / "report.html" : "comparison.html";
  const std::string html =
      one ? report_html(options.folders[0]) : comparison_html({options.folders.begin(), options.folders.end()});
  write_file(file, html);
  print_text("written to {}\n", file.string());
}

struct ExplainOptions {
  std::string folder;
  std::string layer;
  bool json = false;
};

}  // namespace

void add_report(CLI::App& app) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* command = app.add_subcommand("report", "write a finished folder as one HTML file, or compare several");
  add_finished_folders(*command, options->folders);
  add_out_option(*command, options->file, "FILE")->default_str("OUT/report.html; of several folders comparison.html");
  command->footer("Example:\n  trimtab report out/");
  command->callback([options] { run_report(*options); });
}

void add_explain(CLI::App& app) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* command = app.add_subcommand("explain", "say all that is known of a layer, and what would make it better");
  add_finished_folder(*command, options->folder);
  command->add_option("--layer", options->layer, "name of the layer, as inspect lists it")
      ->default_str("the one that loses most accuracy");
  add_json_flag(*command, options->json);
  command->footer("Example:\n  trimtab explain out/ --layer conv2d_3");
  command->callback([options] { print(explain_layer(options->folder, options->layer), options->json); });
}

}  // namespace trimtab::cli
