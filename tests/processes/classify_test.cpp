// The folder of a program for Linux: the program classify around the network, as a process in an emulator.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "emit/package/package.h"
#include "emulator/handed_over.h"
#include "program/execute.h"
#include "support/test_name.h"

namespace trimtab {
namespace {

using testing::HasSubstr;

/// Runs classify of a folder in its emulator.
ProcessResult classify(const HandedOver& folder, std::vector<std::string> arguments) {
  const bool is_64 = folder.target.emulated_board == "qemu-aarch64";
  std::vector<std::string> command{is_64 ? "qemu-aarch64" : "qemu-arm", "-cpu", is_64 ? "cortex-a76" : "cortex-a15",
                                   (folder.out() / "device" / "classify").string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_process(command, "install the package qemu-user");
}

/// A small classifier of pixels, with several operating points.
Program small_classifier(int points) {
  ProgramBuilder b(4, points);
  b.program.input = b.add_buffer(8, 8, 3, {1, 8, false});
  BufferId x = b.convolution(b.program.input, square(16, 3, 1, 8), {1, 8, false}, 8);
  x = b.convolution(x, square(16, 3, 1, 8), {1, 8, false}, 8);
  x = b.global_average_pool(x, {1, 8, false});
  return b.finish(b.convolution(x, square(5, 1, 1, 1), {1, 8, true}, 8));
}

/// The fields of every line.
std::vector<std::vector<std::string>> fields_of(const std::string& text) {
  std::vector<std::vector<std::string>> lines;
  std::istringstream all(text);
  for (std::string line; std::getline(all, line);) {
    std::vector<std::string>& fields = lines.emplace_back();
    std::istringstream one(line);
    for (std::string field; std::getline(one, field, '\t');) fields.push_back(field);
  }
  return lines;
}

class Classify : public testing::TestWithParam<const char*> {};

TEST_P(Classify, AnswersAsTheHostAtEveryPoint) {
  const HandedOver folder(GetParam(), Optimize::speed, small_classifier(3));
  ASSERT_EQ(folder.measured.mismatches, 0);
  write_file(folder.path("raw"), folder.input);
  const std::string picture = "P6\n# a picture\n8 8\n255\n" + std::string(folder.input.begin(), folder.input.end());
  write_file(folder.path("picture.ppm"), picture);
  for (int point = 0; point < 3; ++point) {
    const ProcessResult result =
        classify(folder, {"--point", std::to_string(point), "--outputs", folder.path("outputs").string(),
                          folder.path("raw").string(), folder.path("picture.ppm").string()});
    ASSERT_EQ(result.exit_code, 0) << result.errors;
    const ProgramRunner runner(folder.program, schedule(folder.program, Core::generic),
                               static_cast<std::size_t>(point));
    std::vector<std::int32_t> expected(static_cast<std::size_t>(runner.output_elements()));
    runner.run(folder.input, 1, expected);
    const std::vector<std::uint8_t> outputs = read_file(folder.path("outputs"));
    ASSERT_EQ(outputs.size(), 2 * expected.size());
    const auto best = std::max_element(expected.begin(), expected.end()) - expected.begin();
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      EXPECT_EQ(static_cast<std::int8_t>(outputs[i]), expected[i % expected.size()]);
    }
    const auto lines = fields_of(result.output);
    ASSERT_EQ(lines.size(), 2U);
    for (const auto& line : lines) {
      ASSERT_EQ(line.size(), 6U);
      EXPECT_EQ(line[2], std::to_string(best));
      EXPECT_EQ(line[4], std::to_string(point));
    }
  }
}

TEST_P(Classify, LoopsAndFollowsAFile) {
  const HandedOver folder(GetParam(), Optimize::speed, small_classifier(3));
  write_file(folder.path("raw"), folder.input);
  write_file(folder.path("point"), std::string_view("2\n"));
  const ProcessResult result = classify(
      folder, {"--loop", "--count", "4", "--point-file", folder.path("point").string(), folder.path("raw").string()});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  const auto lines = fields_of(result.output);
  ASSERT_EQ(lines.size(), 4U);
  for (const auto& line : lines) EXPECT_EQ(line.at(4), "2");
}

/// Sixteen inputs that differ, each with the answer of the host.
TEST_P(Classify, ThreadsGiveTheOutputsInOrder) {
  const HandedOver folder(GetParam(), Optimize::speed, small_classifier(3));
  const ProgramRunner runner(folder.program, schedule(folder.program, Core::generic), 1);
  const auto elements = static_cast<std::size_t>(runner.output_elements());
  std::vector<std::uint8_t> inputs;
  std::vector<std::int32_t> expected;
  for (int i = 0; i < 16; ++i) {
    std::vector<std::uint8_t> input = folder.input;
    std::rotate(input.begin(), input.begin() + 7 * i, input.end());
    expected.resize(expected.size() + elements);
    runner.run(input, 1, std::span(expected).last(elements));
    inputs.insert(inputs.end(), input.begin(), input.end());
  }
  write_file(folder.path("raw"), inputs);
  for (const std::string threads : {"1", "4", "20"}) {
    const ProcessResult result = classify(folder, {"--threads", threads, "--count", "40", "--point", "1", "--outputs",
                                                   folder.path("outputs").string(), folder.path("raw").string()});
    ASSERT_EQ(result.exit_code, 0) << result.errors;
    const std::vector<std::uint8_t> outputs = read_file(folder.path("outputs"));
    ASSERT_EQ(outputs.size(), 40 * elements);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      ASSERT_EQ(static_cast<std::int8_t>(outputs[i]), expected[i % expected.size()]) << i << " of " << threads;
    const auto lines = fields_of(result.output);
    ASSERT_EQ(lines.size(), 40U);
    for (std::size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i].at(1), std::to_string(i % 16));
  }
}

/// The file's point turns while four threads run: every line has the outputs of the point that it names.
TEST_P(Classify, ThreadsRunAtThePointThatTheyName) {
  const HandedOver folder(GetParam(), Optimize::speed, small_classifier(3));
  write_file(folder.path("raw"), folder.input);
  write_file(folder.path("point"), std::string_view("0"));
  std::atomic<bool> ended = false;
  std::thread turner([&] {
    for (int i = 0; !ended; ++i) {
      write_file(folder.path("point"), std::to_string(i % 3));
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
    }
  });
  const ProcessResult result =
      classify(folder, {"--threads", "4", "--count", "400", "--point-file", folder.path("point").string(), "--outputs",
                        folder.path("outputs").string(), folder.path("raw").string()});
  ended = true;
  turner.join();
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const std::vector<std::uint8_t> outputs = read_file(folder.path("outputs"));
  const auto lines = fields_of(result.output);
  ASSERT_EQ(lines.size(), 400U);
  std::set<std::string> points;
  std::map<std::string, std::vector<std::int32_t>> expected;
  for (std::size_t point = 0; point < 3; ++point) {
    const ProgramRunner runner(folder.program, schedule(folder.program, Core::generic), point);
    std::vector<std::int32_t>& own = expected[std::to_string(point)];
    own.resize(static_cast<std::size_t>(runner.output_elements()));
    runner.run(folder.input, 1, own);
  }
  ASSERT_NE(expected.at("0"), expected.at("1"));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::vector<std::int32_t>& own = expected.at(lines[i].at(4));
    for (std::size_t e = 0; e < own.size(); ++e)
      ASSERT_EQ(static_cast<std::int8_t>(outputs.at(i * own.size() + e)), own[e]) << i;
    points.insert(lines[i].at(4));
  }
  EXPECT_GT(points.size(), 1U);
}

TEST_P(Classify, RefusesWhatIsWrong) {
  const HandedOver folder(GetParam(), Optimize::speed, small_classifier(3));
  write_file(folder.path("raw"), folder.input);
  write_file(folder.path("short"), std::string_view("abc"));
  write_file(folder.path("large.ppm"), "P6 9 9 255\n" + std::string(243, 'x'));
  write_file(folder.path("rubbish"), std::string_view("-7 points"));
  const auto complaint = [&](const std::vector<std::string>& arguments) {
    const ProcessResult result = classify(folder, arguments);
    EXPECT_EQ(result.exit_code, 2) << result.output;
    EXPECT_EQ(result.output, "");
    return result.errors;
  };
  const std::string raw = folder.path("raw").string();
  EXPECT_THAT(complaint({}), HasSubstr("give at least one picture"));
  EXPECT_THAT(complaint({"--lop", raw}), HasSubstr("no option --lop"));
  EXPECT_THAT(complaint({"--point", "3", raw}), HasSubstr("0 to 2"));
  EXPECT_THAT(complaint({"--threads", "0", raw}), HasSubstr("1 to 256"));
  EXPECT_THAT(complaint({"--threads", "300", raw}), HasSubstr("1 to 256"));
  EXPECT_THAT(complaint({"--point-file", folder.path("rubbish").string(), raw}), HasSubstr("no operating point"));
  EXPECT_THAT(complaint({folder.path("short").string()}), HasSubstr("3 bytes"));
  EXPECT_THAT(complaint({folder.path("large.ppm").string()}), HasSubstr("9 x 9 x 3; the network takes 8 x 8 x 3"));
  EXPECT_THAT(complaint({folder.path("missing").string()}), HasSubstr("cannot read"));
}

TEST(LinuxFolder, IsNoPackageForMicrocontrollers) {
  const HandedOver folder("cortex-a53", Optimize::speed, small_classifier(1));
  EXPECT_TRUE(std::filesystem::exists(folder.out() / "device" / "libnet.so"));
  EXPECT_FALSE(std::filesystem::exists(folder.out() / "device" / "boards"));
  try {
    (void)folder.package("arduino");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_THAT(error.what(), HasSubstr("for Linux"));
  }
}

INSTANTIATE_TEST_SUITE_P(Cores, Classify, testing::Values("cortex-a15", "cortex-a53", "cortex-a76"), test::by_name);

}  // namespace
}  // namespace trimtab
