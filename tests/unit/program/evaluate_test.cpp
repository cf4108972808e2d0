#include "program/evaluate.h"

#include <gtest/gtest.h>

#include "program/execute.h"
#include "support/naive_interpreter.h"
#include "support/program_builder.h"

namespace trimtab {
namespace {

/// 8-bit pixels to an image of three channels.
Program image_program() {
  ProgramBuilder builder(4);
  builder.program.input = builder.add_buffer(4, 5, 2, {1, 8, false});
  return builder.finish(builder.convolution(builder.program.input, square(3, 3, 1, 5), {0.25F, 16, true}, 8));
}

Dataset noise(const Shape& shape, std::int64_t count) {
  Random random(5);
  std::vector<std::uint8_t> pixels;
  for (std::int64_t i = 0; i < count * element_count(shape); ++i)
    pixels.push_back(static_cast<std::uint8_t>(random.integer(0, 255)));
  Dataset data;
  data.shape = shape;
  data.pixels = {std::move(pixels), element_count(shape)};
  return data;
}

TEST(EvaluateProgram, AnswersRealNumbersChannelsFirst) {
  const Program program = image_program();
  const Dataset data = noise({2, 4, 5}, 3);
  std::vector<float> answers;
  ProgramEvaluateOptions options;
  options.observe = [&](std::int64_t, std::span<const float> outputs) {
    answers.insert(answers.end(), outputs.begin(), outputs.end());
  };
  const ProgramEvaluation evaluation = evaluate_program(program, data, options);
  EXPECT_EQ(evaluation.task.kind, TaskKind::outputs);
  EXPECT_EQ(evaluation.score.samples, 3);
  EXPECT_TRUE(evaluation.score.values.empty()) << "nothing is known of what is right";
  std::vector<float> expected;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const std::vector<float> own = naive_answer(program, data, i);
    expected.insert(expected.end(), own.begin(), own.end());
  }
  EXPECT_EQ(answers, expected);
}

TEST(EvaluateProgram, ScoresNumbersAndPixels) {
  const Program program = image_program();
  Dataset data = noise({2, 4, 5}, 3);
  std::vector<float> targets;
  std::vector<std::int32_t> classes;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const std::vector<float> own = naive_answer(program, data, i);
    for (const float x : own) targets.push_back(x + 2);
    for (std::size_t p = 0; p < 20; ++p) {
      std::int32_t best = 0;
      for (std::int32_t c = 1; c < 3; ++c) {
        if (own[std::size_t(c) * 20 + p] > own[std::size_t(best) * 20 + p]) best = c;
      }
      classes.push_back(best);
    }
  }
  Dataset numbers = data;
  numbers.target_shape = {3, 4, 5};
  numbers.targets = {std::move(targets), 60};
  EXPECT_NEAR(evaluate_program(program, numbers, {}).score.at(Measure::mse), 4, 1e-3);
  data.target_shape = {4, 5};
  data.class_maps = {std::move(classes), 20};
  data.classes = {"0", "1", "2"};
  EXPECT_EQ(evaluate_program(program, data, {}).score.at(Measure::pixel_accuracy), 100);
}

TEST(OutputOf, AProgramSeesASigmoidByItsTable) {
  EXPECT_FALSE(output_of(image_program()).probability);
  EXPECT_EQ(output_of(image_program()).shape, (Shape{3, 4, 5}));
  ProgramBuilder builder(4);
  builder.program.input = builder.add_buffer(1, 1, 2, {1, 8, false});
  Program program = builder.finish(builder.lookup(builder.program.input, {0.7F / 255, 8, false}));
  EXPECT_TRUE(output_of(program).probability);
  EXPECT_EQ(output_of(program).shape, (Shape{2}));
  ActivationGrid& grid = program.buffers[static_cast<std::size_t>(program.output)].grid;
  grid.scale = 1;
  EXPECT_FALSE(output_of(program).probability) << "0 to 255";
}

}  // namespace
}  // namespace trimtab
