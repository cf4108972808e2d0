#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "program/check.h"
#include "program/execute.h"
#include "program/lower.h"
#include "support/graphs.h"
#include "support/naive_interpreter.h"
#include "support/reference.h"

// Networks that only move numbers, on one grid with scale 1: the integer program gives exactly the numbers of the float
// network.
namespace trimtab {
namespace {

/// All values of the graph on one grid.
QuantizedNetwork on_grid(const Graph& graph, const ActivationGrid& grid) {
  QuantizedNetwork network;
  network.graph = graph;
  network.values.assign(graph.values.size(), grid);
  network.weights.resize(graph.nodes.size());
  return network;
}

/// The integers of an image's numbers, channels first, as the runtime's pixels.
std::vector<std::int32_t> channels_last(const reference::Values& x, const Shape& shape, const ActivationGrid& grid) {
  const std::size_t pixels = shape.size() == 3 ? static_cast<std::size_t>(shape[1] * shape[2]) : 1;
  const std::size_t channels = x.size() / pixels;
  std::vector<std::int32_t> result;
  for (std::size_t p = 0; p < pixels; ++p) {
    for (std::size_t c = 0; c < channels; ++c) {
      result.push_back(static_cast<std::int32_t>(x[c * pixels + p]) + grid.zero_point);
    }
  }
  return result;
}

void expect_same_numbers(const Graph& graph, const ActivationGrid& grid, std::uint64_t seed) {
  const Program program = lower(on_grid(graph, grid), {}, {});
  ASSERT_NO_THROW(check_program(program, "it"));
  Random random(seed);
  reference::Values sample;
  for (std::int64_t i = 0; i < element_count(graph.input_shape()); ++i) {
    sample.push_back(static_cast<float>(random.integer(grid.minimum(), grid.maximum()) - grid.zero_point));
  }
  const auto expected = channels_last(reference::run(graph, sample), graph.output_shape(), grid);

  const runtime::Image layout = image_of(program, program.input);
  std::vector<std::uint8_t> bytes;
  const auto numbers = channels_last(sample, graph.input_shape(), grid);
  const auto channels = static_cast<std::size_t>(layout.channels);
  for (std::size_t first = 0; first < numbers.size(); first += channels) {
    std::vector<std::uint8_t> pixel(static_cast<std::size_t>(runtime::pixel_bytes(layout.channels, grid.bits)));
    for (std::size_t c = 0; c < channels; ++c) {
      runtime::store_activation(pixel.data(), static_cast<std::int32_t>(c), numbers[first + c], layout.format);
    }
    bytes.insert(bytes.end(), pixel.begin(), pixel.end());
  }
  for (const Core core : {Core::generic, Core::host, Core::cortex_m4}) {
    const ProgramRunner runner(program, core);
    std::vector<std::int32_t> outputs(static_cast<std::size_t>(runner.output_elements()));
    runner.run(bytes, 1, outputs);
    EXPECT_EQ(outputs, expected) << graph.name << ", seed " << seed;
  }
}

class Mover {
 public:
  explicit Mover(std::uint64_t seed) : random_(seed), maker_({pick(1, 4) * 4, 2 * pick(1, 4), 2 * pick(1, 4)}) {}

  Graph build() {
    ValueId x = 0;
    const std::int64_t length = pick(1, 7);
    for (std::int64_t i = 0; i < length; ++i) x = grow(x);
    if (pick(0, 3) == 0) maker_.add(Reshape{{element_count(maker_.shape(x))}}, {x});
    return maker_.graph();
  }

 private:
  std::int64_t pick(std::int64_t low, std::int64_t high) { return random_.integer(low, high); }

  ValueId gather(ValueId x, std::int64_t axis) {
    const std::int64_t size = maker_.shape(x)[static_cast<std::size_t>(axis)];
    Gather op{axis, {}};
    const std::int64_t first = pick(0, size - 1);
    const std::int64_t count = pick(1, size - first);
    const bool neighbours = pick(0, 1) == 0;
    for (std::int64_t i = 0; i < count; ++i) op.indices.push_back(neighbours ? first + i : pick(0, size - 1));
    return maker_.add(op, {x});
  }

  ValueId grow(ValueId x) {
    const Shape in = maker_.shape(x);
    switch (pick(0, 7)) {
      case 0:
      case 1:
        return gather(x, pick(0, 2));
      case 2:
        if (in[0] % 4 != 0) return x;
        return maker_.add(Permute{{2, 2, in[0] / 4, in[1], in[2]}, {2, 3, 0, 4, 1}, {in[0] / 4, in[1] * 2, in[2] * 2}},
                          {x});
      case 3:
        if (in[1] % 2 != 0 || in[2] % 2 != 0) return x;
        return maker_.add(
            Permute{{in[0], in[1] / 2, 2, in[2] / 2, 2}, {2, 4, 0, 1, 3}, {in[0] * 4, in[1] / 2, in[2] / 2}}, {x});
      case 4:
        return maker_.add(Permute{in, {1, 2, 0}, {in[1], in[2], in[0]}}, {x});
      case 5:
        return maker_.add(Pad{{pick(0, 2), pick(0, 2), pick(0, 2), pick(0, 2)}, static_cast<float>(pick(0, 1))}, {x});
      case 6: {
        const std::int64_t axis = pick(0, 2);
        return maker_.add(Concat{axis}, {x, gather(x, axis), x});
      }
      default: {
        if (in[1] < 2 || in[2] < 2) return x;
        Pool pool;
        pool.stride = {1, 1};
        return maker_.add(pool, {x});
      }
    }
  }

  Random random_;
  test::GraphMaker maker_;
};

TEST(LowerMovement, RandomMovementsAreExact) {
  const ActivationGrid grids[] = {{1, 8, true}, {1, 8, false}, {1, 4, false},
                                  {1, 2, true}, {1, 16, true}, {1, 8, true, -7}};
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    Graph graph = Mover(seed).build();
    if (graph.nodes.empty()) continue;
    for (const ActivationGrid& grid : grids) expect_same_numbers(graph, grid, seed);
    if (HasFailure()) break;
  }
}

TEST(LowerMovement, ChannelShuffleIsOneStep) {
  test::GraphMaker maker({12, 5, 4});
  maker.add(Permute{{3, 4, 5, 4}, {1, 0, 2, 3}, {12, 5, 4}}, {0});
  expect_same_numbers(maker.graph(), {1, 8, false}, 1);
  EXPECT_EQ(lower(on_grid(maker.graph(), {1, 8, false}), {}, {}).steps.size(), 1U);
}

TEST(LowerMovement, MovementsInARowAreOneStep) {
  test::GraphMaker maker({3, 4, 5});
  ValueId x = maker.add(Gather{1, {0, 0, 1, 1, 2, 2, 3, 3}}, {0});
  x = maker.add(Gather{2, {0, 0, 1, 1, 2, 2, 3, 3, 4, 4}}, {x});
  x = maker.add(Pad{{1, 1, 1, 1}, 3}, {x});
  expect_same_numbers(maker.graph(), {1, 8, true}, 2);
  EXPECT_EQ(lower(on_grid(maker.graph(), {1, 8, true}), {}, {}).steps.size(), 1U);
}

TEST(LowerMovement, NeighbouringChannelsNeedNoStep) {
  test::GraphMaker maker({8, 3, 3});
  const ValueId low = maker.add(Gather{0, {0, 1, 2, 3}}, {0});
  const ValueId high = maker.add(Gather{0, {4, 5, 6, 7}}, {0});
  Pool pool;
  pool.stride = {1, 1};
  maker.add(Concat{}, {maker.add(pool, {high}), maker.add(pool, {low})});
  expect_same_numbers(maker.graph(), {1, 8, true}, 3);
  const Program program = lower(on_grid(maker.graph(), {1, 8, true}), {}, {});
  EXPECT_EQ(program.steps.size(), 2U);  // the pools
}

TEST(LowerMovement, PartsThatShareAByteAreCopied) {
  test::GraphMaker maker({3, 4, 4});
  Pool pool;
  pool.stride = {1, 1};
  const ValueId a = maker.add(pool, {0});
  maker.add(Concat{}, {a, maker.add(Gather{0, {2, 0}}, {a}), a});
  expect_same_numbers(maker.graph(), {1, 4, false}, 4);
  expect_same_numbers(maker.graph(), {1, 2, true}, 4);
}

TEST(LowerMovement, AFlattenedImageKeepsTheOrderOfItsChannels) {
  test::GraphMaker maker({3, 4, 5});
  maker.add(Reshape{{60}}, {0});
  expect_same_numbers(maker.graph(), {1, 8, true}, 5);
}

TEST(LowerMovement, RefusesOrdersThatDoNotStayApart) {
  test::GraphMaker maker({6, 5, 1});
  maker.add(Reshape{{5, 6, 1}}, {0});
  EXPECT_THROW((void)lower(on_grid(maker.graph(), {1, 8, true}), {}, {}), Error);
}

TEST(Check, RefusesMovementsBeyondTheirValues) {
  test::GraphMaker maker({4, 3, 3});
  maker.add(Concat{1}, {maker.add(Gather{0, {3, 1, 0}}, {0}), maker.add(Gather{0, {0, 2, 2}}, {0})});
  const Program good = lower(on_grid(maker.graph(), {1, 8, true}), {}, {});
  check_program(good, "it");
  const auto movement = [](Program& p) -> MovementStep& { return std::get<MovementStep>(p.steps.back().operation); };
  const std::vector<std::function<void(MovementStep&)>> faults = {
      [](MovementStep& s) { s.rows.pop_back(); },
      [](MovementStep& s) { s.columns[0] = 9U << runtime::movement_channel_bits; },
      [](MovementStep& s) { s.channels[1] += 2; },
      [](MovementStep& s) { s.channels[2] = 3; },
      [](MovementStep& s) { s.movement.box.top += 1; },
      [](MovementStep& s) { s.movement.box.top = 0; },
      [](MovementStep& s) { s.movement.box.first_channel = -1; },
      [](MovementStep& s) { s.movement.box.width = 0; },
      [](MovementStep& s) {
        s.movement.padding = 128;
        s.rows[0] = runtime::no_element;
      },
  };
  for (std::size_t i = 0; i < faults.size(); ++i) {
    Program bad = good;
    faults[i](movement(bad));
    EXPECT_THROW(check_program(bad, "it"), Error) << i;
  }
  Program missing = good;
  missing.steps.pop_back();
  EXPECT_THROW(check_program(missing, "it"), Error);
}

}  // namespace
}  // namespace trimtab
