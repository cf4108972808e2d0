#include "base/result.h"

#include "base/file.h"

namespace trimtab {

void write_result(const Result& result, const std::filesystem::path& folder) {
  write_file(folder / "summary.txt", result.text);
  // A file name need not be UTF-8.
  write_file(folder / "result.json",
             result.json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

}  // namespace trimtab
