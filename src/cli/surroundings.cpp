#include "cli/surroundings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/process.h"
#include "base/text.h"
#include "cli/common.h"

namespace trimtab::cli {

std::string command_line(const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"trimtab"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return shell_text(words);
}

Surroundings terminal() {
  Surroundings around;
  std::vector<std::string> arguments = own_arguments();
  if (!arguments.empty()) arguments.erase(arguments.begin());
  around.command_line = command_line(arguments);
  around.deliver = [](const Result& result, bool json) {
    if (result.json.contains("warnings")) print_warnings(result.json.at("warnings").get<std::vector<std::string>>());
    print(result, json);
  };
  if (::isatty(STDERR_FILENO) == 1)
    around.report = [](const std::string& line) { fmt::print(stderr, "{}\n", printable(line)); };
  return around;
}

}  // namespace trimtab::cli
