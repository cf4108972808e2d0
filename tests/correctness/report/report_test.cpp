#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/process.h"
#include "base/units.h"
#include "graph/networks.h"
#include "import/onnx.h"
#include "support/html_reader.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

ProcessResult trimtab(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), TRIMTAB_COMMAND);
  return run_process(arguments, "");
}

json read_json(const fs::path& path) { return json::parse(read_text(path)); }

test::HtmlPage read_page(const fs::path& path) { return test::HtmlReader(read_text(path)).read(); }

/// One fit for all tests: ResNet-8 with its fourth layer of weights at 2 bits, all others at 8.
class Report : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryDirectory>();
    write_onnx(make_network("resnet8", {3, 32, 32}, 10, 1), model());
    const Graph network = make_network("resnet8", {3, 32, 32}, 10, 1);
    for (const Node& node : network.nodes) {
      if (weight_of(node.op) != nullptr) weighted_.push_back(node.name);
    }
    write_file(folder_->path() / "plan.toml", "[[layer]]\nname = \"" + spoilt() + "\"\nweight_bits = 2\n");
    made_ = trimtab({"fit", model(), "--data", "synthetic:shapes:120", "--target", "stm32f412", "--verify", "2",
                     "--plan", (folder_->path() / "plan.toml").string(), "-o", out().string()});
  }
  static void TearDownTestSuite() { folder_.reset(); }
  void SetUp() override { ASSERT_EQ(made_.exit_code, 0) << made_.errors; }

  static std::string model() { return (folder_->path() / "net.onnx").string(); }
  static fs::path out() { return folder_->path() / "out"; }
  static std::string spoilt() { return weighted_.at(3); }

  static inline std::unique_ptr<TemporaryDirectory> folder_;
  static inline std::vector<std::string> weighted_;
  static inline ProcessResult made_;
};

TEST_F(Report, IsLeftByFit) {
  const test::HtmlPage page = read_page(out() / "report.html");
  EXPECT_EQ(page.fault, "");
  const json result = read_json(out() / "result.json");
  EXPECT_THAT(page.text, HasSubstr(format_bytes(result.at("flash_bytes"))));
  EXPECT_THAT(page.text, HasSubstr(format_bytes(result.at("ram_bytes"))));
  EXPECT_THAT(page.text, HasSubstr(format_count(result.at("instructions"))));
  EXPECT_THAT(page.text, HasSubstr(fmt::format("{:.2f}", result.at("top1").get<double>())));
  for (const json& layer : result.at("plan")) EXPECT_THAT(page.text, HasSubstr(layer.at("layer").get<std::string>()));
  EXPECT_THAT(result.at("command_line").get<std::string>(), HasSubstr("trimtab fit "));
}

TEST_F(Report, NamesTheSpoiltLayerFirst) {
  EXPECT_THAT(read_page(out() / "report.html").text, HasSubstr("Most is lost in " + spoilt()));
  const json worst = json::parse(trimtab({"explain", out().string(), "--json"}).output);
  EXPECT_EQ(worst.at("layer"), spoilt());
  EXPECT_EQ(worst.at("accuracy").at("weight_bits"), 2);
  EXPECT_LT(worst.at("accuracy").at("weights_alone_sqnr_db"), worst.at("accuracy").at("activations_alone_sqnr_db"));
  EXPECT_THAT(worst.at("advice").at(0).at("plan").get<std::string>(), HasSubstr("name = \"" + spoilt() + "\""));
}

TEST_F(Report, AdviceIsAPlanThatHelps) {
  const json worst = json::parse(trimtab({"explain", out().string(), "--json"}).output);
  const fs::path plan = folder_->path() / "advice.toml";
  write_file(plan, worst.at("advice").at(0).at("plan").get<std::string>());
  const fs::path better = folder_->path() / "better";
  ASSERT_EQ(trimtab({"fit", model(), "--data", "synthetic:shapes:120", "--target", "host", "--plan", plan.string(),
                     "-o", better.string()})
                .exit_code,
            0);
  EXPECT_GT(read_json(better / "result.json").at("sqnr_db"), read_json(out() / "result.json").at("sqnr_db"));
}

TEST_F(Report, DetailsAgreeWithTheResult) {
  const json result = read_json(out() / "result.json");
  const json details = read_json(out() / "details.json");
  EXPECT_EQ(details.at("memory").at("arena_bytes"), result.at("arena_bytes"));
  std::int64_t right = 0;
  std::int64_t all = 0;
  const json& confusion = details.at("answers").at("confusion");
  for (std::size_t r = 0; r < confusion.size(); ++r) {
    right += confusion[r][r].get<std::int64_t>();
    for (const json& count : confusion[r]) all += count.get<std::int64_t>();
  }
  EXPECT_EQ(all, result.at("samples"));
  EXPECT_NEAR(100.0 * static_cast<double>(right) / static_cast<double>(all), result.at("top1"), 1e-9);
  std::int64_t instructions = 0;
  for (const json& layer : details.at("layers")) instructions += layer.at("instructions").get<std::int64_t>();
  const std::int64_t counted = result.at("instructions");  // of other samples, and with the call of the network
  EXPECT_NEAR(static_cast<double>(instructions) / static_cast<double>(counted), 1, 0.02);
}

TEST_F(Report, IsMadeAgainFromTheFolderAlone) {
  const std::string before = read_text(out() / "report.html");
  const fs::path copy = folder_->path() / "copy";
  fs::create_directory(copy);
  for (const char* name : {"result.json", "details.json"}) fs::copy_file(out() / name, copy / name);
  ASSERT_EQ(trimtab({"report", copy.string()}).exit_code, 0);
  EXPECT_EQ(read_text(copy / "report.html"), before);
  ASSERT_EQ(trimtab({"report", out().string(), copy.string(), "-o", (copy / "both.html").string()}).exit_code, 0);
  EXPECT_EQ(read_page(copy / "both.html").fault, "");
}

TEST_F(Report, NodeDataGoByTheTensorsOfTheQuantizedNetwork) {
  const fs::path data = folder_->path() / "node-data";
  ASSERT_EQ(trimtab({"inspect", out().string(), "--model-explorer", data.string()}).exit_code, 0);
  const std::string onnx = read_text(out() / "quantized.onnx");
  for (const char* name : {"weight_bits.json", "activation_bits.json", "instructions.json", "alone_sqnr_db.json"}) {
    const json results = read_json(data / name).at("results");
    EXPECT_GE(results.size(), weighted_.size()) << name;
    for (const auto& [tensor, value] : results.items()) {
      EXPECT_THAT(onnx, HasSubstr(tensor)) << name;
      EXPECT_TRUE(value.at("value").is_number());
    }
  }
  const json bits = read_json(data / "weight_bits.json").at("results");
  EXPECT_EQ(std::ranges::count_if(bits, [](const json& entry) { return entry.at("value") == 2; }), 1);
}

TEST_F(Report, OpensInABrowserWithoutErrors) {
  const std::string browser = "chromium-headless-shell";
  if (!has_program(browser)) GTEST_SKIP() << "install the package " << browser;
  const std::string page = "file://" + (out() / "report.html").string();
  for (const std::string size : {"1280,2000", "390,2000"}) {
    const fs::path picture = folder_->path() / ("at-" + size + ".png");
    const ProcessResult result =
        run_process({browser, "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=2000",
                     "--window-size=" + size, "--screenshot=" + picture.string(), page},
                    "");
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    EXPECT_THAT(result.errors, Not(HasSubstr("CONSOLE"))) << result.errors;
    EXPECT_GT(fs::file_size(picture), 20000U);
  }
  const ProcessResult dom = run_process({browser, "--no-sandbox", "--disable-gpu", "--dump-dom", page}, "");
  EXPECT_THAT(dom.output, HasSubstr("class=\"scripted\"")) << "the report's own script did not run";
  const json result = read_json(out() / "result.json");
  EXPECT_THAT(dom.output, HasSubstr(format_count(result.at("instructions"))));
}

TEST_F(Report, IsLeftBySustain) {
  const std::string socs = std::string(TRIMTAB_SOURCE_DIR) + "/targets/socs/";
  for (const std::string what : {"plan", "simulate"}) {
    std::vector<std::string> arguments{"sustain",
                                       what,
                                       socs + "exynos5422.toml",
                                       "--variants",
                                       socs + "mobilenet_v1-exynos5422.csv",
                                       "-o",
                                       (folder_->path() / what).string()};
    if (what == "simulate") arguments.insert(arguments.end(), {"--governors", "fixed", "dither", "--duration", "60"});
    const ProcessResult made = trimtab(arguments);
    ASSERT_EQ(made.exit_code, 0) << made.errors;
    const test::HtmlPage page = read_page(folder_->path() / what / "report.html");
    EXPECT_EQ(page.fault, "");
    const json result = read_json(folder_->path() / what / "result.json");
    const double rate = what == "plan" ? result.at("rate_per_s").get<double>()
                                       : result.at("policies").at(1).at("rate_per_s").get<double>();
    EXPECT_THAT(page.text, HasSubstr(fmt::format("{:.2f}", rate)));
  }
}

}  // namespace
}  // namespace trimtab
