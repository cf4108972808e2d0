#include "program/integers.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "program/execute.h"
#include "support/random_program.h"

// docs/integers.md, read as a stranger does: an interpreter of the printed form alone, against the program.
namespace trimtab {
namespace {

using Json = nlohmann::ordered_json;
using Integer = std::int64_t;

class Interpreter {
 public:
  explicit Interpreter(const Json& program) : program_(program) {
    for (const Json& value : program["values"]) {
      const Integer size =
          value["height"].get<Integer>() * value["width"].get<Integer>() * value["channels"].get<Integer>();
      memory_.emplace_back(static_cast<std::size_t>(size), 0);
    }
  }

  std::vector<Integer> run(const std::vector<Integer>& input) {
    const auto in = program_["input"].get<Integer>();
    for (std::size_t i = 0; i < input.size(); ++i)
      at(in, static_cast<Integer>(i) / channels(in), static_cast<Integer>(i) % channels(in)) = input[i];
    for (const Json& step : program_["steps"]) run_step(step);
    const auto out = program_["output"].get<Integer>();
    std::vector<Integer> result;
    for (Integer i = 0; i < pixels(out) * channels(out); ++i)
      result.push_back(at(out, i / channels(out), i % channels(out)));
    return result;
  }

 private:
  const Json& value(Integer id) const { return program_["values"][static_cast<std::size_t>(id)]; }
  Integer channels(Integer id) const { return value(id)["channels"]; }
  Integer pixels(Integer id) const { return value(id)["height"].get<Integer>() * value(id)["width"].get<Integer>(); }

  Integer& at(Integer id, Integer pixel, Integer channel) {
    while (value(id).contains("part_of")) {
      const Json& whole = value(id)["part_of"];
      channel += whole["first_channel"].get<Integer>();
      id = whole["value"];
    }
    return memory_[static_cast<std::size_t>(id)][static_cast<std::size_t>(pixel * channels(id) + channel)];
  }

  static Integer down(Integer x, Integer bits) { return x >> bits; }
  static Integer scaled(Integer x, Integer multiplier, Integer shift) {
    return down(x * (Integer{1} << shift) * multiplier + (Integer{1} << 31), 32);
  }

  /// visit(pixel of the input or -1, i, j)
  template <typename Visit>
  void window(const Json& step, Integer pixel, const Visit& visit) const {
    const Json& w = step["window"];
    const Json& in = value(step["inputs"][0]);
    const auto width = value(step["output"])["width"].get<Integer>();
    for (Integer i = 0; i < w["kernel"][0].get<Integer>(); ++i) {
      for (Integer j = 0; j < w["kernel"][1].get<Integer>(); ++j) {
        const Integer row = pixel / width * w["stride"][0].get<Integer>() - w["pad"][0].get<Integer>() +
                            i * w["dilation"][0].get<Integer>();
        const Integer column = pixel % width * w["stride"][1].get<Integer>() - w["pad"][1].get<Integer>() +
                               j * w["dilation"][1].get<Integer>();
        const bool inside =
            row >= 0 && column >= 0 && row < in["height"].get<Integer>() && column < in["width"].get<Integer>();
        visit(inside ? row * in["width"].get<Integer>() + column : -1, i, j);
      }
    }
  }

  void run_step(const Json& step) {
    const std::string kind = step["kind"];
    const auto out = step["output"].get<Integer>();
    const auto a = step["inputs"][0].get<Integer>();
    if (kind == "movement") return move(step, a, out);
    std::vector<Integer> results;
    for (Integer pixel = 0; pixel < pixels(out); ++pixel) {
      for (Integer channel = 0; channel < channels(out); ++channel) {
        Integer result = compute(kind, step, a, pixel, channel);
        const bool limits = step.contains("minimum") && !(kind == "rescale" && step["multiplier"] == 0);
        if (limits) result = std::clamp(result, step["minimum"].get<Integer>(), step["maximum"].get<Integer>());
        results.push_back(result);
      }
    }
    for (std::size_t i = 0; i < results.size(); ++i)
      at(out, static_cast<Integer>(i) / channels(out), static_cast<Integer>(i) % channels(out)) = results[i];
  }

  Integer compute(const std::string& kind, const Json& step, Integer a, Integer pixel, Integer channel) {
    const auto number = [&](const char* key) { return step[key].get<Integer>(); };
    const auto second = [&] {
      const auto b = step["inputs"][1].get<Integer>();
      return at(b, pixels(b) == 1 ? 0 : pixel, channel);
    };
    if (kind == "convolution") return convolve(step, a, pixel, channel);
    if (kind == "max pool") {
      Integer most = INT64_MIN;
      window(step, pixel, [&](Integer from, Integer, Integer) {
        if (from >= 0) most = std::max(most, at(a, from, channel));
      });
      return most;
    }
    if (kind == "average pool") {
      Integer sum = 0;
      Integer n = 0;
      window(step, pixel, [&](Integer from, Integer, Integer) {
        if (from < 0) return;
        sum += at(a, from, channel);
        ++n;
      });
      const Json& m = step["multiplier"];
      return number("output_zero") + scaled(sum - n * number("input_zero"),
                                            m[m.size() == 1 ? 0 : static_cast<std::size_t>(n - 1)], number("shift"));
    }
    const Integer x = at(a, pixel, channel);
    if (kind == "addition") {
      return down(x * step["multiplier"][0].get<Integer>() + second() * step["multiplier"][1].get<Integer>() +
                      number("offset") + (Integer{1} << (number("shift") - 1)),
                  number("shift"));
    }
    if (kind == "multiplication") {
      return number("output_zero") +
             scaled((x - step["input_zero"][0].get<Integer>()) * (second() - step["input_zero"][1].get<Integer>()),
                    number("multiplier"), number("shift"));
    }
    if (kind == "softmax") {
      Integer most = INT64_MIN;
      for (Integer c = 0; c < channels(a); ++c) most = std::max(most, at(a, pixel, c));
      const auto power = [&](Integer c) {
        return step["table"][static_cast<std::size_t>(most - at(a, pixel, c))].get<Integer>();
      };
      Integer sum = 0;
      for (Integer c = 0; c < channels(a); ++c) sum += power(c);
      return number("output_zero") +
             scaled((power(channel) * 65536 + sum / 2) / sum, number("multiplier"), number("shift"));
    }
    if (kind == "lookup")
      return step["table"][static_cast<std::size_t>(x < 0 ? x + (Integer{1} << value(a)["bits"].get<Integer>()) : x)];
    if (number("multiplier") == 0) return x;
    return number("output_zero") + scaled(x - number("input_zero"), number("multiplier"), number("shift"));
  }

  Integer convolve(const Json& step, Integer a, Integer pixel, Integer o) {
    const auto groups = step["groups"].get<Integer>();
    const Integer inputs = channels(a) / groups;
    const Integer first = o / (channels(step["output"]) / groups) * inputs;
    const auto height = step["window"]["kernel"][0].get<Integer>();
    const auto width = step["window"]["kernel"][1].get<Integer>();
    Integer sum = 0;
    window(step, pixel, [&](Integer from, Integer i, Integer j) {
      for (Integer k = 0; k < inputs; ++k) {
        const auto weight =
            step["weights"][static_cast<std::size_t>(((o * height + i) * width + j) * inputs + k)].get<Integer>();
        const Integer padding =
            step.contains("padding") ? step["padding"][static_cast<std::size_t>(first + k)].get<Integer>() : 0;
        sum += weight * (from < 0 ? padding : at(a, from, first + k));
      }
    });
    const auto dropped = step["sum_shift"].get<Integer>();
    if (dropped > 0) sum = down(sum + (Integer{1} << (dropped - 1)), dropped);
    const auto index = static_cast<std::size_t>(o);
    return step["output_zero"].get<Integer>() +
           scaled(sum + step["bias"][index].get<Integer>(), step["multiplier"][index], step["shift"]);
  }

  void move(const Json& step, Integer a, Integer out) {
    const auto size = step["size"].get<std::vector<Integer>>();
    const auto first = step["first"].get<std::vector<Integer>>();
    for (Integer y = 0; y < size[0]; ++y) {
      for (Integer x = 0; x < size[1]; ++x) {
        for (Integer c = 0; c < size[2]; ++c) {
          Integer n = 0;
          bool padded = false;
          for (const Json& entry :
               {step["rows"][static_cast<std::size_t>(y)], step["columns"][static_cast<std::size_t>(x)],
                step["source_channels"][static_cast<std::size_t>(c)]}) {
            padded = padded || entry.get<Integer>() == 4294967295;
            n += entry.get<Integer>();
          }
          at(out, (first[0] + y) * value(out)["width"].get<Integer>() + first[1] + x, first[2] + c) =
              padded ? step["padding"].get<Integer>() : at(a, n / 32768, n % 32768);
        }
      }
    }
  }

  const Json& program_;
  std::vector<std::vector<Integer>> memory_;
};

TEST(Integers, AreEnoughToRunAProgram) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    const Program program = RandomProgram::make(seed);
    const Buffer& input = program.buffers.at(static_cast<std::size_t>(program.input));
    Random random(seed);
    std::vector<Integer> integers;
    for (Integer i = 0; i < input.elements(); ++i)
      integers.push_back(random.integer(input.grid.minimum(), input.grid.maximum()));
    const ProgramRunner runner(program);
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(input.bytes()), 0);
    const std::int32_t stride = runtime::pixel_bytes(input.channels, input.grid.bits);
    for (std::size_t i = 0; i < integers.size(); ++i) {
      const auto pixel = static_cast<std::int32_t>(i) / input.channels;
      runtime::store_activation(bytes.data() + pixel * stride, static_cast<std::int32_t>(i) % input.channels,
                                static_cast<std::int32_t>(integers[i]), image_of(program, program.input).format);
    }
    std::vector<std::int32_t> outputs(static_cast<std::size_t>(runner.output_elements()));
    runner.run(bytes, 1, outputs);
    const Json printed = Json::parse(integers_of(program).dump());
    EXPECT_EQ(Interpreter(printed).run(integers), std::vector<Integer>(outputs.begin(), outputs.end()));
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace trimtab
