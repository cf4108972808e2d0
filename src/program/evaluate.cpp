#include "program/evaluate.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "base/error.h"
#include "base/index.h"
#include "base/progress.h"
#include "program/execute.h"

namespace trimtab {

std::vector<std::uint8_t> convert_samples(const Program& program, const Dataset& data) {
  const Buffer& input = program.buffers.at(static_cast<std::size_t>(program.input));
  const Shape vector{input.channels};
  const Shape image{input.channels, input.height, input.width};
  if (data.shape != image && !(data.shape == vector && input.height * input.width == 1)) {
    throw bad_input("the samples are {}; the program takes {}", to_string(data.shape), to_string(image));
  }
  if (data.is_pixels() && (input.grid.scale != 1 || input.grid.bits != 8 || input.grid.is_signed)) {
    throw bad_input("the samples are pixels; the program takes features on a grid of {} bits", input.grid.bits);
  }
  const runtime::Image layout = image_of(program, program.input);
  const std::int64_t bytes = input.bytes();
  const std::int32_t stride = runtime::pixel_bytes(input.channels, input.grid.bits);  // samples lie without gaps
  const std::int64_t pixels = std::int64_t{input.height} * input.width;
  std::vector<std::uint8_t> converted(static_cast<std::size_t>(data.size() * bytes));
  if (data.is_pixels() && program.preprocessing.mean.empty() && program.preprocessing.deviation.empty()) {
    for (std::int64_t i = 0; i < data.size(); ++i) {  // only channels last instead of first
      const std::uint8_t* sample = data.pixels[i].data();
      std::uint8_t* pixel = converted.data() + i * bytes;
      for (std::int64_t p = 0; p < pixels; ++p) {
        for (std::int32_t c = 0; c < input.channels; ++c) *pixel++ = sample[c * pixels + p];
      }
    }
    return converted;
  }
  const std::vector<ActivationGrid> grids = input_grids(program);
  std::vector<float> sample(static_cast<std::size_t>(input.elements()));
  for (std::int64_t i = 0; i < data.size(); ++i) {
    data.read(i, program.preprocessing, sample);
    std::uint8_t* pixel = converted.data() + i * bytes;
    for (std::int64_t p = 0; p < pixels; ++p, pixel += stride) {
      for (std::int32_t c = 0; c < input.channels; ++c) {
        runtime::store_activation(pixel, c, quantize(nth(sample, c * pixels + p), nth(grids, p * input.channels + c)),
                                  layout.format);
      }
    }
  }
  return converted;
}

std::vector<float> softmax_rows(std::vector<float> logits, std::size_t classes) {
  for (std::size_t first = 0; first < logits.size(); first += classes) {
    const auto row = std::span(logits).subspan(first, classes);
    const float largest = *std::max_element(row.begin(), row.end());
    float sum = 0;
    for (float& x : row) sum += x = std::exp(x - largest);
    for (float& x : row) x /= sum;
  }
  return logits;
}

std::vector<float> probabilities(const Program& program, std::span<const std::int32_t> outputs) {
  const Buffer& output = program.buffers.at(static_cast<std::size_t>(program.output));
  return softmax_rows(dequantize(program, outputs), static_cast<std::size_t>(output.elements()));
}

NetworkOutput output_of(const Program& program) {
  const Buffer& output = nth(program.buffers, program.output);
  if (!program.output_parts.empty()) return {{output.channels}, false, without_grids(program.output_parts)};
  const std::vector<float> ends{dequantize(output.grid.minimum(), output.grid),
                                dequantize(output.grid.maximum(), output.grid)};
  const bool tabulated = std::ranges::any_of(program.steps, [&](const Step& step) {
    return step.output == program.output && std::holds_alternative<LookupStep>(step.operation);
  });
  const bool probability = tabulated && ends[0] >= 0 && ends[1] < 1.01F;
  if (output.height * output.width == 1) return {{output.channels}, probability};
  return {{output.channels, output.height, output.width}, probability};
}

std::vector<float> real_outputs(const Program& program, std::span<const std::int32_t> outputs) {
  std::vector<float> last = dequantize(program, outputs);
  const Buffer& output = nth(program.buffers, program.output);
  const std::int64_t pixels = std::int64_t{output.height} * output.width;
  if (pixels == 1) return last;
  std::vector<float> first(last.size());
  for (std::int64_t sample = 0; sample < std::ssize(last); sample += output.elements()) {
    for (std::int64_t p = 0; p < pixels; ++p) {
      for (std::int64_t c = 0; c < output.channels; ++c)
        nth(first, sample + c * pixels + p) = nth(last, sample + p * output.channels + c);
    }
  }
  return first;
}

ProgramEvaluation evaluate_program(const Program& program, const Dataset& data, const ProgramEvaluateOptions& options) {
  const ProgramRunner runner(program, schedule(program, Core::host), options.point);
  const std::int64_t outputs = runner.output_elements();
  ProgramEvaluation evaluation;
  evaluation.task = options.task ? *options.task : choose_task({}, output_of(program), data, program.preprocessing);
  const bool has_levels =
      !program.levels.empty() && evaluation.task.kind == TaskKind::classification && evaluation.task.labelled;
  const int threads =
      options.threads > 0 ? options.threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  constexpr std::int64_t chunk = 512;
  std::vector<std::int32_t> results;
  std::vector<float> all_probabilities;  // for the levels
  Scorer scorer(evaluation.task, data, program.preprocessing);
  Progress progress("evaluating", data.size());
  for (std::int64_t first = 0; first < data.size(); first += chunk) {
    const Dataset part = data.slice(first, std::min(chunk, data.size() - first));
    results.resize(static_cast<std::size_t>(part.size() * outputs));
    runner.run(convert_samples(program, part), part.size(), results, threads);
    const std::vector<float> reals = real_outputs(program, results);
    scorer.add(first, reals);
    if (options.observe) options.observe(first, reals);
    if (has_levels) {
      const std::vector<float> rows = probabilities(program, results);
      all_probabilities.insert(all_probabilities.end(), rows.begin(), rows.end());
    }
    progress.update(first + part.size());
  }
  evaluation.score = scorer.score();
  if (!has_levels) return evaluation;
  for (const Level& level : program.levels) {
    evaluation.levels.push_back(score(level, all_probabilities, data.labels));
  }
  return evaluation;
}

}  // namespace trimtab
