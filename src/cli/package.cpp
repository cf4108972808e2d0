#include "emit/package/package.h"

#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/common.h"
#include "cli/surroundings.h"

namespace trimtab::cli {
namespace {

struct PackageOptions {
  std::string out;
  std::string kind;
  std::string folder;
};

}  // namespace

void add_package(CLI::App& app, const Surroundings& around) {
  auto options = std::make_shared<PackageOptions>();
  CLI::App* command = app.add_subcommand("package", "make a package for an ecosystem of what fit or scale handed over");
  add_finished_folder(*command, options->out);
  command->add_option("--for", options->kind, "ecosystem of the package")
      ->check(CLI::IsMember(package_kinds()))
      ->required();
  add_out_option(*command, options->folder, "DIR")->required();
  command->footer("Example:\n  trimtab package out/ --for platformio -o resnet8/");
  command->callback([options, &around] {
    make_package(options->out, options->kind, options->folder);
    around.deliver({{{"package", options->folder}}, fmt::format("written to {}\n", options->folder)}, false);
  });
}

}  // namespace trimtab::cli
