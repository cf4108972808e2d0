#include "program/pass_dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"
#include "support/graphs.h"
#include "support/random_program.h"

namespace trimtab {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

/// A Pad in front of a Conv with a BatchNormalization, a lone BatchNormalization behind a pool, and a Softmax.
Graph network() {
  Random random(3);
  test::GraphMaker maker({2, 8, 8});
  const ValueId padded = maker.add(Pad{{1, 1, 1, 1}, 0}, {0});
  const ValueId conv = maker.add(test::random_conv(2, 4, 3, 3, 1, random), {padded});
  const ValueId normalized = maker.add(test::random_normalization(4, random), {conv});
  const ValueId pooled = maker.add(Pool{}, {normalized});
  const ValueId again = maker.add(test::random_normalization(4, random), {pooled});
  const ValueId mean = maker.add(GlobalAveragePool{false}, {again});
  maker.add(Softmax{}, {mean});
  return maker.graph();
}

TEST(PassDump, ShowsTheNetworkAfterEveryPass) {
  const TemporaryDirectory folder;
  write_file(folder.path() / "03-earlier-dump.txt", std::string_view("old"));
  write_file(folder.path() / "notes.txt", std::string_view("mine"));
  PassDump dump(folder.path());
  (void)prepare_for_deployment(network(), {{10, 20}, {2, 4}}, dump.observer());
  EXPECT_EQ(names_in(folder.path()),
            (std::vector<std::string>{"01-preprocessing-inserted.txt", "02-final-softmax-dropped.txt",
                                      "03-lone-normalizations-replaced.txt", "04-affines-folded.txt",
                                      "05-padding-merged.txt", "06-unused-removed.txt", "notes.txt"}));
  const auto text = [&](const char* name) { return read_text(folder.path() / name); };
  EXPECT_THAT(text("01-preprocessing-inserted.txt"),
              HasSubstr("preprocessing: Affine, scale 0.25 .. 0.5, offset -5 .. -5\n    from input 2x8x8\n"));
  EXPECT_THAT(text("01-preprocessing-inserted.txt"), HasSubstr("node6: Softmax"));
  EXPECT_THAT(text("02-final-softmax-dropped.txt"), Not(HasSubstr("Softmax")));
  EXPECT_THAT(text("02-final-softmax-dropped.txt"), HasSubstr("node4: BatchNormalization"));
  EXPECT_THAT(text("03-lone-normalizations-replaced.txt"), HasSubstr("node4: Affine"));
  EXPECT_THAT(text("03-lone-normalizations-replaced.txt"), HasSubstr("node2: BatchNormalization"));
  EXPECT_THAT(text("04-affines-folded.txt"), HasSubstr("node0: Pad"));
  EXPECT_THAT(text("05-padding-merged.txt"), Not(HasSubstr(": Pad")));
  EXPECT_THAT(text("05-padding-merged.txt"), HasSubstr("padding 1,1,1,1"));
}

TEST(PassDump, ShowsStepsAndTheirPlaces) {
  const TemporaryDirectory folder;
  PassDump dump(folder.path());
  const Program program = RandomProgram::make(5);
  dump.add("lowered", program);
  dump.add("scheduled", program, schedule(program, Core::cortex_m4));
  const std::string lowered = read_text(folder.path() / "01-lowered.txt");
  for (const Step& step : program.steps) {
    EXPECT_THAT(lowered, HasSubstr(step.name + ": " + kind_of(step.operation)));
    if (const auto* convolution = std::get_if<ConvolutionStep>(&step.operation)) {
      const auto [low, high] = std::ranges::minmax(convolution->bias);
      EXPECT_THAT(lowered, HasSubstr("bias " + std::to_string(low) + " .. " + std::to_string(high)));
    }
  }
  EXPECT_THAT(read_text(folder.path() / "02-scheduled.txt"), HasSubstr(program.steps.front().name));
}

TEST(PassDump, WithoutAFolderWritesNothing) {
  PassDump dump;
  dump.add("imported", network());
  EXPECT_NO_THROW((void)prepare_for_deployment(network(), {}, dump.observer()));
}

}  // namespace
}  // namespace trimtab
