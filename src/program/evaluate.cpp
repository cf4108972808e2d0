#include "program/evaluate.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "base/error.h"
#include "base/index.h"
#include "base/progress.h"
#include "program/execute.h"

namespace trimtab {
namespace {

/// Position of the label among the outputs from the largest down; of equal outputs the first counts as larger.
std::int64_t rank_of(std::span<const std::int32_t> outputs, std::int64_t label) {
  const std::int32_t own = nth(outputs, label);
  std::int64_t rank = 0;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(outputs.size()); ++i) {
    const std::int32_t other = nth(outputs, i);
    rank += other > own || (other == own && i < label) ? 1 : 0;
  }
  return rank;
}

}  // namespace

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
  std::vector<float> sample(static_cast<std::size_t>(input.elements()));
  for (std::int64_t i = 0; i < data.size(); ++i) {
    data.read(i, program.preprocessing, sample);
    std::uint8_t* pixel = converted.data() + i * bytes;
    for (std::int64_t p = 0; p < pixels; ++p, pixel += stride) {
      for (std::int32_t c = 0; c < input.channels; ++c) {
        runtime::store_activation(pixel, c, quantize(nth(sample, c * pixels + p), input.grid), layout.format);
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

ProgramEvaluation evaluate_program(const Program& program, const Dataset& data, int threads, std::size_t point) {
  const ProgramRunner runner(program, schedule(program, Core::host), point);
  const std::int64_t outputs = runner.output_elements();
  for (const std::int64_t label : data.labels) {
    if (label < 0 || label >= outputs)
      throw bad_input("a sample has the label {}; the program has {} outputs", label, outputs);
  }
  if (threads == 0) threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  ProgramEvaluation evaluation;
  evaluation.samples = data.size();
  std::int64_t first_places = 0;
  std::int64_t among_five = 0;
  constexpr std::int64_t chunk = 512;
  std::vector<std::int32_t> results;
  std::vector<float> all_probabilities;  // for the levels
  Progress progress("evaluating", data.size());
  for (std::int64_t first = 0; first < data.size(); first += chunk) {
    const Dataset part = data.slice(first, std::min(chunk, data.size() - first));
    results.resize(static_cast<std::size_t>(part.size() * outputs));
    runner.run(convert_samples(program, part), part.size(), results, threads);
    for (std::int64_t i = 0; i < part.size(); ++i) {
      const auto row =
          std::span(results).subspan(static_cast<std::size_t>(i * outputs), static_cast<std::size_t>(outputs));
      const std::int64_t rank = rank_of(row, nth(part.labels, i));
      first_places += rank == 0 ? 1 : 0;
      among_five += rank < 5 ? 1 : 0;
      evaluation.predictions.push_back(std::max_element(row.begin(), row.end()) - row.begin());
    }
    if (!program.levels.empty()) {
      const std::vector<float> rows = probabilities(program, results);
      all_probabilities.insert(all_probabilities.end(), rows.begin(), rows.end());
    }
    progress.update(first + part.size());
  }
  for (const Level& level : program.levels) {
    evaluation.levels.push_back(score(level, all_probabilities, data.labels));
  }
  if (data.size() > 0) {
    evaluation.top1 = 100.0 * static_cast<double>(first_places) / static_cast<double>(data.size());
    evaluation.top5 = 100.0 * static_cast<double>(among_five) / static_cast<double>(data.size());
  }
  return evaluation;
}

}  // namespace trimtab
