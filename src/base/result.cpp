#include "base/result.h"
#include "base/json_text.h"

#include "base/file.h"

namespace trimtab {

void write_result(const Result& result, const std::filesystem::path& folder) {
  write_file(folder / "summary.txt", result.text);
  // A file name need not be UTF-8.
  write_file(folder / "result.json", json_text(result.json, 2) + "\n");
}

}  // namespace trimtab
