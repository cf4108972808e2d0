#include "target/synthesis.h"

#include <algorithm>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "base/units.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

/// Paths stand in quotes in yosys' scripts.
std::string quoted(const fs::path& path) {
  const std::string text = fs::absolute(path).string();
  if (text.find_first_of("\"\n;") != std::string::npos) {
    throw bad_input("yosys cannot read {}: a quote, semicolon or line break in the path", text);
  }
  return "\"" + text + "\"";
}

std::string script(const std::string& top, const SynthesisOptions& options, const fs::path& netlist) {
  std::vector<fs::path> sources;
  std::error_code unreadable;
  for (const auto& entry : fs::directory_iterator(options.sources, unreadable)) {
    if (entry.path().extension() == ".sv") sources.push_back(entry.path());
  }
  if (sources.empty()) throw bad_input("there are no .sv files in {}", options.sources.string());
  std::sort(sources.begin(), sources.end());
  std::string text;
  for (const fs::path& source : sources) text += "read_verilog -sv " + quoted(source) + "\n";
  const std::string liberty = quoted(options.liberty);
  text += "hierarchy -check -top " + top + "\n";
  text += "synth -top " + top + " -run begin:fine\n";
  text += "opt -full\ntechmap\nopt -fast\n";
  text += "dfflegalize -cell $_DFF_P_ x -cell $_DFFE_PP_ x\nopt\n";
  text += "abc -liberty " + liberty + "\n";
  text += "clean\nflatten\nclean\n";
  text += "read_liberty -lib " + liberty + "\n";  // check knows only now what the gates' pins are
  text += "check -assert\n";
  text += "write_json " + quoted(netlist) + "\n";
  return text;
}

/// yosys' line that begins with ERROR, without the word.
std::string error_line(const std::string& output) {
  constexpr std::string_view mark = "ERROR: ";
  const std::size_t begin = output.find(mark);
  if (begin == std::string::npos) return "it gave no reason";
  const std::size_t end = std::min(output.find('\n', begin), output.size());
  return output.substr(begin + mark.size(), end - begin - mark.size());
}

}  // namespace

std::string synthesize(const std::string& top, const SynthesisOptions& options) {
  const TemporaryDirectory folder;
  const fs::path netlist = folder.path() / "netlist.json";
  const fs::path steps = folder.path() / "synthesis.ys";
  write_file(steps, script(top, options, netlist));
  const ProcessResult result =
      run_process({"yosys", "-s", steps.string()},
                  "install the package yosys, or use the tables in targets/accelerators", options.limit, folder.path());
  if (result.timed_out) {
    throw failure("yosys did not map {} within {}; give it more with --time-limit", top,
                  format_duration(std::chrono::duration<double>(options.limit).count()));
  }
  if (result.exit_code != 0) {
    throw failure("yosys cannot map {} to {}: {}", top, options.liberty.string(),
                  error_line(result.errors + result.output));
  }
  return read_text(netlist);
}

}  // namespace trimtab
