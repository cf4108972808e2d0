#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/process.h"
#include "graph/networks.h"
#include "import/onnx.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

/// Runs the command while the dynamic linker reports on standard error what it loads (see ld.so(8)).
ProcessResult run_and_report_files(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"env", "LD_DEBUG=files", TRIMTAB_COMMAND});
  return run_process(arguments, "");
}

/// Expects that the command succeeds and that no library was loaded that takes long to load.
void expect_light(const std::vector<std::string>& arguments) {
  const ProcessResult result = run_and_report_files(arguments);
  EXPECT_EQ(result.exit_code, 0) << arguments[0];
  EXPECT_NE(result.errors.find("libc.so"), std::string::npos) << "the linker reports nothing";
  for (const char* heavy : {"libtorch", "libmpi", "libopencv", "trimtab-learn"}) {
    EXPECT_EQ(result.errors.find(heavy), std::string::npos) << arguments[0] << " loads " << heavy;
  }
}

TEST(Start, LinksAtMostFortyLibraries) {
  const ProcessResult result = run_process({"ldd", TRIMTAB_COMMAND}, "install the package libc-bin");
  EXPECT_LE(std::count(result.output.begin(), result.output.end(), '\n'), 40) << result.output;
}

TEST(Start, HelpAndVersionAreLight) {
  expect_light({"--version"});
  expect_light({"--help"});
  for (const char* command : {"train", "fit", "scale", "assess", "eval"}) expect_light({command, "--help"});
}

TEST(Start, CommandsWithoutTrainingAreLight) {
  const TemporaryDirectory folder;
  const std::string model = (folder.path() / "net.onnx").string();
  write_onnx(make_network("cifar10_quick", {3, 32, 32}, 10, 1), model);
  expect_light({"inspect", model});
  expect_light({"data", "synthetic:shapes:8"});
  expect_light({"sustain", "doctor"});
}

TEST(Start, CommandThatTrainsContinuesInTheOtherProgram) {
  const TemporaryDirectory folder;
  const ProcessResult result = run_process({TRIMTAB_COMMAND, "train", "--net", "resnet8", "--data",
                                            (folder.path() / "none").string(), "-o", (folder.path() / "out").string()},
                                           "");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(result.errors.starts_with("trimtab: ")) << result.errors;
}

TEST(Start, SaysWhatIsMissingWithoutTheOtherProgram) {
  const TemporaryDirectory folder;
  const fs::path alone = folder.path() / "trimtab";
  fs::copy_file(TRIMTAB_COMMAND, alone);
  const ProcessResult result = run_process({alone.string(), "train", "--net", "resnet8", "--data", "synthetic:shapes",
                                            "-o", (folder.path() / "out").string()},
                                           "");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.errors.find("trimtab-learn"), std::string::npos) << result.errors;
}

}  // namespace
}  // namespace trimtab
