#include "base/result.h"

#include "base/file.h"

namespace trimtab {

void write_result(const Result& result, const std::filesystem::path& folder) {
  write_file(folder / "summary.txt", result.text);
  write_file(folder / "result.json", result.json.dump(2) + "\n");
}

}  // namespace trimtab
