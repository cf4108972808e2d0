#include "cli/surroundings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/text.h"
#include "cli/common.h"

namespace trimtab::cli {

Surroundings terminal() {
  Surroundings around;
  around.deliver = [](const Result& result, bool json) {
    if (result.json.contains("warnings")) print_warnings(result.json.at("warnings").get<std::vector<std::string>>());
    print(result, json);
  };
  if (::isatty(STDERR_FILENO) == 1)
    around.report = [](const std::string& line) { fmt::print(stderr, "{}\n", printable(line)); };
  return around;
}

}  // namespace trimtab::cli
