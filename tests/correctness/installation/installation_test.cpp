#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/process.h"
#include "graph/networks.h"
#include "import/onnx.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

const fs::path source = TRIMTAB_SOURCE_DIR;

/// Standard output of a command that must succeed.
std::string output_of(const std::vector<std::string>& command) {
  const ProcessResult result = run_process(command, "", std::chrono::minutes(10));
  EXPECT_EQ(result.exit_code, 0) << command[0] << " " << command[1] << ": " << result.errors << result.output;
  return result.output;
}

/// Configures and builds a project in the folder, with ccache where it is there.
void build(const fs::path& project, const fs::path& folder, const std::string& definition) {
  output_of({"cmake", "-G", "Ninja", "-S", project.string(), "-B", folder.string(), "-DCMAKE_BUILD_TYPE=Release",
             definition});
  output_of({"cmake", "--build", folder.string()});
}

/// One installation for all tests, at a prefix that nobody knew when it was built.
class Install : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryDirectory>();
    output_of({"cmake", "--install", TRIMTAB_BUILD_DIR, "--prefix", prefix().string()});
    // a target that only the installation has: whoever knows it reads the installed data
    fs::copy_file(prefix() / "share/trimtab/targets/stm32f412.toml", prefix() / "share/trimtab/targets/installed.toml");
    write_onnx(make_network("cifar10_quick", {3, 32, 32}, 10, 1), model());
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static fs::path prefix() { return folder_->path() / "prefix"; }
  static fs::path model() { return folder_->path() / "net.onnx"; }
  static std::string command() { return (prefix() / "bin/trimtab").string(); }

  static std::unique_ptr<TemporaryDirectory> folder_;
};

std::unique_ptr<TemporaryDirectory> Install::folder_;

TEST_F(Install, CommandAndLibraryFitTheSameNetworkFromInstalledData) {
  const std::string data = "synthetic:shapes:64";
  const auto fitted =
      nlohmann::json::parse(output_of({command(), "fit", model(), "--data", data, "--target", "installed", "--verify",
                                       "1", "--json", "-o", (folder_->path() / "out").string()}));
  EXPECT_EQ(fitted.at("device").at("mismatches"), 0);

  const fs::path build_folder = folder_->path() / "consumer";
  build(source / "tests/correctness/installation/consumer", build_folder, "-Dtrimtab_ROOT=" + prefix().string());
  EXPECT_EQ(output_of({(build_folder / "fit_network").string(), model(), data, "installed",
                       (folder_->path() / "device").string()}),
            fitted.at("flash_bytes").dump() + " " + fitted.at("ram_bytes").dump() + " " +
                fitted.at("instructions").dump() + " 0\n");
}

TEST_F(Install, BuildTreeKeepsToItsOwnData) {
  const ProcessResult result = run_process({TRIMTAB_COMMAND, "inspect", model(), "--json"}, "");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  const ProcessResult foreign = run_process({TRIMTAB_COMMAND, "fit", model(), "--data", "synthetic:shapes:64",
                                             "--target", "installed", "-o", (folder_->path() / "none").string()},
                                            "");
  EXPECT_EQ(foreign.exit_code, 2) << foreign.errors;
}

TEST_F(Install, PicturesAreReadByTheInstalledModule) {
  const fs::path pictures = folder_->path() / "pictures";
  output_of({command(), "data", "synthetic:shapes:8", "-o", (folder_->path() / "shapes").string()});
  fs::create_directories(pictures / "sheets");
  fs::copy_file(folder_->path() / "shapes/samples.png", pictures / "sheets/sheet.png");
  output_of({command(), "data", "images:" + pictures.string()});
}

TEST_F(Install, ManualPagesHaveNoWarnings) {
  const fs::path pages = prefix() / "share/man/man1";
  EXPECT_TRUE(fs::exists(pages / "trimtab-sustain-plan.1"));
  for (const auto& page : fs::directory_iterator(pages)) {
    const ProcessResult result =
        run_process({"groff", "-man", "-Tutf8", "-ww", page.path().string()}, "install the package groff-base");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.errors, "") << page.path();
  }
  const std::string shown =
      run_process({"groff", "-man", "-Tascii", "-P-cbou", (pages / "trimtab-fit.1").string()}, "").output;
  EXPECT_THAT(shown, testing::HasSubstr("--flash"));
  EXPECT_THAT(shown, testing::HasSubstr("trimtab fit MODEL [OPTION...]"));
}

/// The words that bash offers for the last one of a line.
std::string bash_offers(const fs::path& prefix, const std::string& words, int last) {
  return output_of({"bash", "-c",
                    "source \"$0\"; COMP_WORDS=(" + words + "); COMP_CWORD=" + std::to_string(last) +
                        "; _trimtab; printf '%s ' \"${COMPREPLY[@]}\"",
                    (prefix / "share/bash-completion/completions/trimtab").string()});
}

TEST_F(Install, BashCompletesCommandsOptionsAndWords) {
  EXPECT_EQ(bash_offers(prefix(), "trimtab su", 1), "sustain ");
  EXPECT_EQ(bash_offers(prefix(), "trimtab sustain pl", 2), "plan ");
  EXPECT_EQ(bash_offers(prefix(), "trimtab fit net.onnx --weight-b", 3), "--weight-bits ");
  EXPECT_EQ(bash_offers(prefix(), "trimtab fit --importance ''", 3), "taylor batch-norm l1 ");
  EXPECT_EQ(bash_offers(prefix(), "trimtab sustain plan --max-instr", 3), " ");
}

/// The line that zsh makes of one with a tab behind it.
std::string zsh_completes(const fs::path& prefix, const std::string& line) {
  return output_of({"zsh", "-f", (source / "tests/correctness/installation/complete.zsh").string(),
                    (prefix / "share/zsh/vendor-completions").string(), line});
}

TEST_F(Install, ZshCompletesCommandsOptionsAndWords) {
  EXPECT_EQ(zsh_completes(prefix(), "trimtab su"), "trimtab sustain\n");
  EXPECT_EQ(zsh_completes(prefix(), "trimtab sustain pl"), "trimtab sustain plan\n");
  EXPECT_EQ(zsh_completes(prefix(), "trimtab fit net.onnx --weight-b"), "trimtab fit net.onnx --weight-bits\n");
  EXPECT_EQ(zsh_completes(prefix(), "trimtab fit --importance tay"), "trimtab fit --importance taylor\n");
}

TEST(InstallByPackage, HoldsTheCommandAndNamesWhatItNeeds) {
  const TemporaryDirectory folder;
  output_of({"cpack", "--config", TRIMTAB_BUILD_DIR "/CPackConfig.cmake", "-B", folder.path().string()});
  fs::path package;
  for (const auto& file : fs::directory_iterator(folder.path())) {
    const std::string name = file.path().filename().string();
    if (name.starts_with("trimtab_") && name.ends_with(".deb")) package = file.path();
  }
  ASSERT_FALSE(package.empty());
  const std::string depends = output_of({"dpkg-deb", "--field", package.string(), "Depends"});
  for (const char* needed : {"libtorch", "libopencv-imgcodecs", "qemu-system-arm", "gcc-arm-none-eabi"})
    EXPECT_THAT(depends, testing::HasSubstr(needed));
  output_of({"dpkg-deb", "--extract", package.string(), (folder.path() / "root").string()});
  for (const char* file : {"bin/trimtab", "lib/trimtab/trimtab-learn", "share/trimtab/targets/stm32f412.toml",
                           "share/man/man1/trimtab.1", "lib/systemd/system/trimtab-govern.service"})
    EXPECT_TRUE(fs::exists(folder.path() / "root/usr" / file)) << file;
  EXPECT_EQ(output_of({(folder.path() / "root/usr/bin/trimtab").string(), "--version"}), TRIMTAB_VERSION "\n");
}

TEST(InstallBesideOthers, IsAPartOfAnotherProject) {
  const TemporaryDirectory folder;
  build(source / "tests/correctness/installation/subproject", folder.path(), "-DTRIMTAB=" + source.string());
  // 89,440 weights and 138 + 64 biases of the convolutions and of the Linear: design of cifar10_quick
  EXPECT_EQ(output_of({(folder.path() / "count_parameters").string()}), "89578\n");
}

}  // namespace
}  // namespace trimtab
