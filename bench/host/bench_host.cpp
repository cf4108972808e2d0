// Images per second of the host's integer kernels, on programs with the layers of ResNet-8 (MLPerf Tiny), MobileNetV1
// 0.25 at 128 x 128 and SqueezeNet 1.1, with random constants. Prints JSON. Every program is first compared with the
// portable kernels, bit for bit. Rates per second of processor time hold on a machine that others use as well.
//
//     bench_host [THREADS] [SECONDS PER ROW]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "program/execute.h"
#include "support/program_builder.h"
#include "trimtab/arithmetic_avx2.h"

namespace trimtab {
namespace {

using Clock = std::chrono::steady_clock;

/// Of all threads.
double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

ActivationGrid unsigned_grid(int bits) { return {1, bits, false}; }

Program resnet8(int weight_bits, int bits) {
  ProgramBuilder b(1);
  b.program.input = b.add_buffer(32, 32, 3, unsigned_grid(8));
  BufferId x = b.convolution(b.program.input, square(16, 3, 1, 32), unsigned_grid(bits), weight_bits);
  int size = 32;
  for (const int channels : {16, 32, 64}) {
    const int stride = channels == 16 ? 1 : 2;
    BufferId y = b.convolution(x, square(channels, 3, stride, size), unsigned_grid(bits), weight_bits);
    y = b.convolution(y, square(channels, 3, 1, size / stride), {1, bits, true}, weight_bits);
    if (stride == 2) x = b.convolution(x, square(channels, 1, 2, size), {1, bits, true}, weight_bits);
    x = b.addition(x, y, unsigned_grid(bits));
    size /= stride;
  }
  x = b.global_average_pool(x, unsigned_grid(bits));
  return b.finish(b.convolution(x, square(10, 1, 1, 1), {1, 16, true}, weight_bits));
}

Program mobilenet(int weight_bits, int bits) {
  ProgramBuilder b(2);
  b.program.input = b.add_buffer(128, 128, 3, unsigned_grid(8));
  BufferId x = b.convolution(b.program.input, square(8, 3, 2, 128), unsigned_grid(bits), weight_bits);
  int size = 64;
  int channels = 8;
  for (const auto& [outputs, stride] : std::vector<std::pair<int, int>>{{16, 1},
                                                                        {32, 2},
                                                                        {32, 1},
                                                                        {64, 2},
                                                                        {64, 1},
                                                                        {128, 2},
                                                                        {128, 1},
                                                                        {128, 1},
                                                                        {128, 1},
                                                                        {128, 1},
                                                                        {128, 1},
                                                                        {256, 2},
                                                                        {256, 1}}) {
    x = b.convolution(x, square(channels, 3, stride, size, channels), unsigned_grid(bits), weight_bits);
    size /= stride;
    x = b.convolution(x, square(outputs, 1, 1, size), unsigned_grid(bits), weight_bits);
    channels = outputs;
  }
  x = b.global_average_pool(x, unsigned_grid(bits));
  return b.finish(b.convolution(x, square(1001, 1, 1, 1), {1, 16, true}, weight_bits));
}

Program squeezenet(int weight_bits, int bits) {
  ProgramBuilder b(3);
  b.program.input = b.add_buffer(224, 224, 3, unsigned_grid(8));
  ConvolutionShape first = square(64, 3, 2, 224);
  first.pad_top = first.pad_left = first.pad_bottom = first.pad_right = 0;
  BufferId x = b.convolution(b.program.input, first, unsigned_grid(bits), weight_bits);
  const auto fire = [&](int squeeze, int expand) {
    const int size = b.buffer(x).height;
    const BufferId s = b.convolution(x, square(squeeze, 1, 1, size), unsigned_grid(bits), weight_bits);
    const BufferId whole = b.add_buffer(size, size, 2 * expand, unsigned_grid(bits));
    for (int part = 0; part < 2; ++part) {
      const BufferId child =
          b.convolution(s, square(expand, part == 0 ? 1 : 3, 1, size), unsigned_grid(bits), weight_bits);
      b.program.buffers[static_cast<std::size_t>(child)].parent = whole;
      b.program.buffers[static_cast<std::size_t>(child)].parent_channel = part * expand;
    }
    x = whole;
  };
  x = b.max_pool(x, 3, 2, 0);
  fire(16, 64);
  fire(16, 64);
  x = b.max_pool(x, 3, 2, 0);
  fire(32, 128);
  fire(32, 128);
  x = b.max_pool(x, 3, 2, 0);
  fire(48, 192);
  fire(48, 192);
  fire(64, 256);
  fire(64, 256);
  x = b.convolution(x, square(1000, 1, 1, b.buffer(x).height), unsigned_grid(bits), weight_bits);
  return b.finish(b.global_average_pool(x, {1, 16, true}));
}

std::int64_t multiply_accumulates(const Program& program) {
  std::int64_t sum = 0;
  for (const Step& step : program.steps) sum += step.multiply_accumulates();
  return sum;
}

#if defined(TRIMTAB_HAS_AVX2_KERNELS)
/// Multiply-accumulates of VPMADDWD and VPADDD on registers alone, per second of processor time.
TRIMTAB_AVX2 double roofline() {
  constexpr int chains = 8;
  constexpr std::int64_t rounds = 40'000'000;
  __m256i sums[chains] = {};
  __m256i factors = _mm256_set1_epi16(3);
  const double start = processor_seconds();
  for (std::int64_t i = 0; i < rounds; ++i) {
    for (__m256i& sum : sums) {
      asm volatile("" : "+x"(factors));  // or one product would serve all
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(factors, factors));
    }
  }
  const double seconds = processor_seconds() - start;
  __m256i total = _mm256_setzero_si256();
  for (const __m256i& sum : sums) total = _mm256_add_epi32(total, sum);
  asm volatile("" : : "x"(total));
  return 16.0 * chains * rounds / seconds;
}
#else
double roofline() { return 0; }
#endif

bool same_as_portable(const ProgramRunner& runner, const std::vector<std::uint8_t>& inputs) {
  const ProgramRunner portable(runner.program(), Core::generic);
  const auto sample = static_cast<std::size_t>(runner.input_bytes());
  std::vector<std::int32_t> fast(static_cast<std::size_t>(runner.output_elements()));
  std::vector<std::int32_t> slow = fast;
  runner.run(std::span(inputs).first(sample), 1, fast);
  portable.run(std::span(inputs).first(sample), 1, slow);
  return fast == slow;
}

nlohmann::json measure(const std::string& name, const Program& program, int weight_bits, int activation_bits,
                       int threads, double seconds, double roof) {
  const ProgramRunner runner(program);
  constexpr std::int64_t batch = 64;
  std::vector<std::uint8_t> inputs(static_cast<std::size_t>(batch * runner.input_bytes()));
  Random random(9);
  for (std::uint8_t& byte : inputs) byte = static_cast<std::uint8_t>(random.bits());
  std::vector<std::int32_t> outputs(static_cast<std::size_t>(batch * runner.output_elements()));
  const bool exact = same_as_portable(runner, inputs);
  runner.run(inputs, batch, outputs, threads);
  std::int64_t images = 0;
  const double processor_start = processor_seconds();
  const Clock::time_point start = Clock::now();
  do {
    runner.run(inputs, batch, outputs, threads);
    images += batch;
  } while (seconds_since(start) < seconds);
  const double rate = static_cast<double>(images) / seconds_since(start);
  const double processor_rate = static_cast<double>(images) / (processor_seconds() - processor_start);
  const std::int64_t macs = multiply_accumulates(program);
  return {{"network", name},
          {"weight_bits", weight_bits},
          {"activation_bits", activation_bits},
          {"multiply_accumulates", macs},
          {"images_per_second", rate},
          {"images_per_processor_second", processor_rate},
          {"multiply_accumulates_per_processor_second", processor_rate * static_cast<double>(macs)},
          {"share_of_roofline", roof > 0 ? processor_rate * static_cast<double>(macs) / roof : 0},
          {"same_bits_as_portable_kernels", exact}};
}

int run(int threads, double seconds) {
  const double roof = roofline();
  nlohmann::json report = {{"threads", threads}, {"roofline_multiply_accumulates_per_processor_second", roof}};
  bool exact = true;
  const std::vector<std::pair<std::string, std::function<Program(int, int)>>> networks = {
      {"resnet8", resnet8}, {"mobilenet_v1_0.25_128", mobilenet}, {"squeezenet_1.1", squeezenet}};
  for (const auto& [name, make] : networks) {
    const std::vector<std::pair<int, int>> all = {{8, 8}, {4, 8}, {3, 8}, {2, 8}, {8, 4}, {4, 4}, {2, 2}};
    for (const auto& [weight_bits, activation_bits] : all) {
      if (name != "resnet8" && weight_bits != activation_bits) continue;
      report["rows"].push_back(
          measure(name, make(weight_bits, activation_bits), weight_bits, activation_bits, threads, seconds, roof));
      exact = exact && report["rows"].back()["same_bits_as_portable_kernels"].get<bool>();
    }
  }
  std::puts(report.dump(2).c_str());
  return exact ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace trimtab

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : static_cast<int>(std::thread::hardware_concurrency());
  return trimtab::run(std::max(threads, 1), argc > 2 ? std::atof(argv[2]) : 1.0);
}
