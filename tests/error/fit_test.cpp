#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "import/onnx.h"
#include "support/command.h"

// The refusals of `trimtab fit`, word for word; whatever it refuses, it leaves nothing behind.
namespace trimtab {
namespace {

namespace fs = std::filesystem;

/// A chain of operators, each reading the one before. Shapes are inferred.
class Chain {
 public:
  explicit Chain(const Shape& input) {
    graph_.name = "net";
    graph_.values.push_back({"input", input});
    graph_.input = graph_.output = 0;
  }
  Chain& add(const std::string& name, Operator op) {
    Node node{name, std::move(op), {graph_.output}, static_cast<ValueId>(graph_.values.size())};
    graph_.values.push_back({name, infer_shape(node, {graph_.output_shape()})});
    graph_.output = node.output;
    graph_.nodes.push_back(std::move(node));
    return *this;
  }
  Chain& conv(const std::string& name, std::int64_t filters, std::int64_t stride) {
    Conv op;
    op.weight = spread({filters, graph_.output_shape()[0], 3, 3});
    op.stride = {stride, stride};
    op.padding = {1, 1, 1, 1};
    return add(name, op);
  }
  Chain& linear(const std::string& name, std::int64_t outputs) {
    return add(name, Linear{spread({outputs, element_count(graph_.output_shape())}), {}});
  }
  Chain& flatten() { return add("flat", Reshape{{element_count(graph_.output_shape())}}); }
  [[nodiscard]] const Graph& graph() const { return graph_; }

 private:
  /// Weights in [-0.1, 0.1], all different from their neighbours.
  static Tensor spread(const Shape& shape) {
    Tensor tensor{shape, std::vector<float>(static_cast<std::size_t>(element_count(shape)))};
    for (std::size_t i = 0; i < tensor.data.size(); ++i)
      tensor.data[i] = 0.01F * (static_cast<float>(i * 37 % 21) - 10);
    return tensor;
  }
  Graph graph_;
};

/// 512 x 64 weights dominate its flash: 32 KB at 8 bits.
Chain small_network(std::int64_t classes = 10) {
  Chain chain({3, 32, 32});
  chain.conv("conv", 8, 4).add("relu", Relu{}).flatten();
  return chain.linear("hidden", 64).add("hidden_relu", Relu{}).linear("classes", classes);
}

/// PATH as given for as long as it lives.
class PathGuard {
 public:
  explicit PathGuard(const std::string& path) : before_(std::getenv("PATH")) { ::setenv("PATH", path.c_str(), 1); }
  ~PathGuard() { ::setenv("PATH", before_.c_str(), 1); }
  PathGuard(const PathGuard&) = delete;
  PathGuard& operator=(const PathGuard&) = delete;
  PathGuard(PathGuard&&) = delete;
  PathGuard& operator=(PathGuard&&) = delete;

 private:
  std::string before_;
};

class FitErrors : public testing::Test {
 protected:
  FitErrors() { write_onnx(small_network().graph(), model()); }

  void SetUp() override {
#ifndef TRIMTAB_COMMAND
    GTEST_SKIP() << "the command is not built";
#endif
  }

  [[nodiscard]] std::string model() const { return path("net.onnx"); }
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  [[nodiscard]] std::string out() const { return path("out"); }
  std::string write(const std::string& name, std::string_view text) const {
    write_file(path(name), text);
    return path(name);
  }
  std::string write(const std::string& name, const Chain& chain) const {
    write_onnx(chain.graph(), path(name));
    return path(name);
  }

  [[nodiscard]] std::vector<std::string> command(const std::string& network,
                                                 const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{"fit", network, "-o", out()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    if (std::find(more.begin(), more.end(), "--data") == more.end())
      arguments.insert(arguments.end(), {"--data", "synthetic:shapes:64"});
    return arguments;
  }

  /// Refused in these words, and nothing is left.
  void expect_fit_refused(const std::vector<std::string>& more, const std::string& words, int exit_code = 2) const {
    expect_fit_of_refused(model(), more, words, exit_code);
  }
  void expect_fit_of_refused(const std::string& network, const std::vector<std::string>& more, const std::string& words,
                             int exit_code = 2) const {
    expect_refused(command(network, more), words, exit_code);
    EXPECT_FALSE(fs::exists(out()));
  }

#ifdef TRIMTAB_COMMAND
  [[nodiscard]] ProcessResult fit(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = command(model(), more);
    arguments.insert(arguments.begin(), TRIMTAB_COMMAND);
    return run_process(arguments, "");
  }
#endif

  TemporaryDirectory folder_;
};

TEST_F(FitErrors, BitsOutOfRange) {
  expect_fit_refused({"--weight-bits", "1"}, "1 weight bits; 2 to 8 and 16 can be deployed");
  expect_fit_refused({"--weight-bits", "9"}, "9 weight bits; 2 to 8 and 16 can be deployed");
  expect_fit_refused({"--activation-bits", "3"}, "3 activation bits; 2, 4, 8 and 16 can be deployed");
}

TEST_F(FitErrors, UnknownTarget) {
  expect_fit_refused({"--target", "z80"}, "there is no target \"z80\"; known are ");
  expect_fit_refused({"--target", write("bad.toml", "kind = 'microcontroller'\n")}, "bad.toml has no text");
}

TEST_F(FitErrors, BoundsThatAreNone) {
  expect_fit_refused({"--flash", "much"}, "--flash");
  expect_fit_refused({"--target", "host", "--ram", "4KB"}, "with --target host there is none");
  for (const std::string option : {"--flash", "--ram"})
    expect_fit_refused({option, "0"}, option + " is a bound of 0, which nothing meets; give bytes such as 64KB");
  for (const std::string option : {"--weights", "--memory"})
    expect_fit_refused({"--search", "--epochs", "1", option, "0KB"}, option + " is a bound of 0");
  expect_fit_refused({"--flash", "1025KB"}, "--flash is 1049600 bytes; stm32f412 has 1048576 bytes of flash");
  expect_fit_refused({"--ram", "262145"}, "--ram is 262145 bytes; stm32f412 has 262144 bytes of RAM");
}

TEST_F(FitErrors, RowsWithoutAMicrocontroller) {
  expect_fit_refused({"--input", "rows", "--target", "host"}, "--input rows is for a microcontroller");
  expect_fit_refused({"--input", "rows", "--target", "cortex-a53"},
                     "--input rows is for a microcontroller, and cortex-a53 is none");
}

TEST_F(FitErrors, NamesThatAreNoPrefix) {
  const std::string words = "it becomes the prefix of C functions, so give a letter followed by letters, digits and";
  for (const std::string name : {"2nd", "my net", "_net", "模型", "a/b", "x;y"})
    expect_fit_refused({"--name", name}, "--name is '" + name + "'; " + words);
  expect_fit_refused({"--name", std::string(41, 'n')}, words);
  expect_fit_refused({"--name", "test"}, "--name is 'test', which CMake keeps for itself");
  expect_fit_refused({"--name", "net", "--target", "host"}, "with --target host there is none");
  expect_fit_refused({"--name", "stdint"}, "--name is 'stdint', and stdint.h is a header of C; give another name");
  for (const std::string name : {"main", "Firmware", "classify"})
    expect_fit_refused({"--name", name}, "--name is '" + name + "', as a file beside the network's is called");
}

TEST_F(FitErrors, OutputThatCannotBeWritten) {
  const std::string file = write("file", "in the way");
  for (const std::string& out : {file, file + "/below"})
    expect_refused({"fit", model(), "--data", "synthetic:shapes:64", "-o", out}, file);
  EXPECT_EQ(read_text(file), "in the way");
}

TEST_F(FitErrors, FlashThatNothingMeets) {
  expect_fit_refused({"--flash", "2KB"}, "more than its bound of 2.0 KB; no bits make it fit", 3);
  expect_fit_refused({"--flash", "2KB"}, "the network needs fewer filters", 3);
}

TEST_F(FitErrors, RamThatNothingMeets) {
  expect_fit_refused({"--ram", "1KB"}, "RAM takes ", 3);
  expect_fit_refused({"--flash", "2KB", "--ram", "1KB"}, " and RAM takes ", 3);
}

// The setting that the sentence names fits; one more bit does not.
TEST_F(FitErrors, FlashThatFewerBitsMeet) {
#ifdef TRIMTAB_COMMAND
  const ProcessResult refused = fit({"--flash", "28KB"});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_FALSE(fs::exists(out()));
  std::smatch match;
  ASSERT_TRUE(std::regex_search(
      refused.errors, match,
      std::regex("flash takes ([0-9]+) bytes, ([0-9]+) more than its bound of 28.0 KB; --weight-bits ([4-7]) "
                 "--activation-bits 8 fits, with [0-9.]+ KB of flash")))
      << refused.errors;
  EXPECT_EQ(std::stoi(match[1]) - std::stoi(match[2]), 28 * 1024);
  const int bits = std::stoi(match[3]);
  EXPECT_EQ(fit({"--flash", "28KB", "--weight-bits", std::to_string(bits + 1)}).exit_code, 3);
  const ProcessResult fits = fit({"--flash", "28KB", "--weight-bits", std::to_string(bits)});
  EXPECT_EQ(fits.exit_code, 0) << fits.errors;
  EXPECT_TRUE(fs::exists(out() + "/result.json"));

  // A later refusal leaves the finished result as it is.
  const std::string before = read_text(out() + "/result.json");
  expect_refused(command(model(), {"--flash", "28KB"}), "--weight-bits " + std::to_string(bits), 3);
  EXPECT_EQ(read_text(out() + "/result.json"), before);
  EXPECT_TRUE(fs::exists(out() + "/device/firmware.elf"));
  EXPECT_FALSE(fs::exists(out() + "/.partial"));
#endif
}

TEST_F(FitErrors, MissingCompiler) {
  const TemporaryDirectory programs;
  const PathGuard guard(programs.path().string());
  expect_fit_refused({}, "arm-none-eabi-g++ is not installed; install the packages gcc-arm-none-eabi");
}

TEST_F(FitErrors, MissingEmulator) {
  fs::path compiler;
  std::istringstream folders(std::getenv("PATH"));
  for (std::string folder; compiler.empty() && std::getline(folders, folder, ':');) {
    if (fs::exists(fs::path(folder) / "arm-none-eabi-g++")) compiler = fs::path(folder) / "arm-none-eabi-g++";
  }
  ASSERT_FALSE(compiler.empty());
  const TemporaryDirectory programs;
  fs::create_symlink(compiler, programs.path() / "arm-none-eabi-g++");
  const PathGuard guard(programs.path().string());
  expect_fit_refused({}, "qemu-system-arm is not installed; install the package qemu-system-arm");
}

TEST_F(FitErrors, PlansThatAreWrong) {
  const auto refuse = [&](const std::string& text, const std::string& words) {
    expect_fit_refused({"--plan", write("plan.toml", text)}, words);
  };
  refuse("[[layer]]\nname = 'cnov'\n", "layer 'cnov': the network has no such layer");
  refuse("[[layer]]\nname = 'conv'\nweight_bits = 9\n", "layer 'conv' has 9 weight bits");
  refuse("[[layer]]\nname = 'conv'\nactivation_bits = 5\n", "layer 'conv' has 5 activation bits");
  refuse("[[layer]]\nname = 'conv'\nbits = 8\n", "unknown key 'bits'");
  refuse("[[layer]]\nname = 'conv'\nfilters = 9\n", "layer 'conv': 9 filters are to stay and it has 8");
  refuse("[[layer]]\nname = 'classes'\nfilters = 4\n", "layer 'classes': 4 filters are to stay, but 10 of its 10");
  refuse("[[layer]\n", "plan.toml, line 1");
  expect_fit_refused({"--plan", path("absent.toml")}, "absent.toml does not exist");
}

TEST_F(FitErrors, ContradictoryOptionsOfASearch) {
  expect_fit_refused({"--search"}, "give --epochs of at least 1");
  expect_fit_refused({"--weight-bits", "auto"}, "give --epochs of at least 1");
  expect_fit_refused({"--weight-bits", "few"}, "--weight-bits is 'few'; it must be a number of bits or auto");
  expect_fit_refused({"--weights", "20KB"}, "--weights bounds a search");
  expect_fit_refused({"--memory", "20KB"}, "--memory bounds a search");
  expect_fit_refused({"--search", "--epochs", "1", "--memory", "some"}, "--memory");
  expect_fit_refused({"--search", "--epochs", "1", "--target", "host"}, "a search needs a target");
  expect_fit_refused({"--search", "--epochs", "1", "--unlabelled"}, "a search needs labels");
  expect_fit_refused({"--search", "--epochs", "1", "--plan", write("plan.toml", "")}, "leave one of them out");
  expect_fit_refused({"--search", "--epochs", "1", "--weight-bits", "9"},
                     "9 weight bits; 2 to 8 and 16 can be deployed");
}

TEST_F(FitErrors, InstructionsThatAreTooMany) {
  expect_fit_refused({"--max-instructions", "1000", "--weight-bits", "3", "--activation-bits", "2"},
                     "instructions, more than the bound of 1,000", 3);
  expect_fit_refused(
      {"--max-latency", "0.001", "--target", "cortex-m55", "--weight-bits", "2", "--activation-bits", "2"},
      "ms (a cycle per instruction: there are no timings of the cortex-m55)", 3);
}

TEST_F(FitErrors, DeadlinesAndEnergiesThatCannotBe) {
  for (const std::string option : {"--deadline", "--period", "--max-energy"}) {
    for (const std::string value : {"-1", "nan", "inf"})
      expect_fit_refused({"--target", "stm32l4r5", option, value}, option + " is " + value + "; give m");
    expect_fit_refused({"--target", "host", option, "10"}, option + " chooses the clock of a microcontroller");
    expect_fit_refused({"--target", "stm32f767", option, "10"},
                       option + " needs the energy of the target, and the description of stm32f767 has no [power]");
  }
  expect_fit_refused({"--target", "stm32l4r5", "--deadline", "20", "--period", "10"},
                     "--deadline is 20 ms and --period is 10 ms; give a deadline of at most the period");
  expect_fit_refused({"--target", "stm32l4r5", "--period", "10"}, "the description of stm32l4r5 has no [power.sleep]");
}

// The nearest is a time and a clock.
TEST_F(FitErrors, DeadlineThatNothingMeets) {
#ifdef TRIMTAB_COMMAND
  const ProcessResult refused =
      fit({"--target", "stm32l4r5", "--deadline", "0.01", "--weight-bits", "2", "--activation-bits", "2"});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_TRUE(std::regex_search(
      refused.errors,
      std::regex("no clock of stm32l4r5 meets the deadline of 0.01 ms: the nearest, 120 MHz, takes an estimated "
                 "[0-9.]+ ms \\([0-9.]+ to [0-9.]+\\); no bits make it fit: the nearest takes an estimated [0-9.]+ ms "
                 "\\([0-9.]+ to [0-9.]+\\) at 120 MHz, so the network needs fewer filters")))
      << refused.errors;
  EXPECT_FALSE(fs::exists(out()));
#endif
  expect_fit_refused({"--target", "stm32l4r5", "--max-energy", "0.1", "--weight-bits", "2", "--activation-bits", "2"},
                     "at 120 MHz, more than the bound of 0.1 uJ; no bits make it fit: the nearest takes an estimated",
                     3);
}

// A missed time is answered with a time.
TEST_F(FitErrors, LatencyThatNothingMeets) {
#ifdef TRIMTAB_COMMAND
  const ProcessResult refused = fit({"--max-latency", "0.01", "--weight-bits", "3", "--activation-bits", "2"});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_TRUE(
      std::regex_search(refused.errors, std::regex("an inference takes an estimated [0-9.]+ ms \\([0-9.]+ to "
                                                   "[0-9.]+\\), more than the bound of 0.01 ms; no bits make "
                                                   "it fit: the nearest takes an estimated [0-9.]+ ms \\([0-9.]+ to "
                                                   "[0-9.]+\\), so the network needs fewer filters")))
      << refused.errors;
  EXPECT_FALSE(fs::exists(out()));
#endif
}

// The smallest reachable is named, and what was begun is kept for other bounds but not for other data.
TEST_F(FitErrors, SearchWithinBoundsThatNothingMeets) {
  const std::vector<std::string> search{"--search",      "--epochs", "1",       "--widths", "1",
                                        "--weight-bits", "2",        "--flash", "2KB"};
  expect_refused(command(model(), search), "no plan meets the bounds: with the fewest filters and bits", 3);
  EXPECT_FALSE(fs::exists(out() + "/result.json"));
  expect_refused(command(model(), {"--search", "--epochs", "1", "--widths", "1", "--memory", "100"}),
                 "weights and working memory together take more than 100 bytes", 3);
  std::vector<std::string> other = search;
  other.insert(other.end(), {"--data", "synthetic:shapes:96"});
  expect_refused(command(model(), other), "data", 2);
}

/// A NumPy array of zeros, 8-bit features {samples, ...} or labels.
std::string npy(const std::string& type, const std::string& shape, std::size_t bytes) {
  std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.resize(117, ' ');
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + "\n" + std::string(bytes, '\0');
}

TEST_F(FitErrors, DataThatDoNotFit) {
  const std::string wrong = "npy:" + write("x.npy", npy("<f4", "4, 3, 16, 16", 4UL * 3 * 16 * 16 * 4)) + "," +
                            write("y.npy", npy("<i8", "4,", 4UL * 8));
  expect_fit_refused({"--data", wrong}, "samples of shape 3x16x16; the network takes 3x32x32");
  expect_fit_of_refused(write("five.onnx", small_network(5)), {}, "labels 0 to 4 are possible");
  expect_fit_refused({"--data", "npy:" + path("absent.npy") + "," + path("absent.npy")}, "absent.npy does not exist");
  expect_fit_refused({"--unlabelled", "--epochs", "1"}, "--epochs needs labels");
}

TEST_F(FitErrors, TasksThatDoNotFit) {
  expect_fit_refused({"--task", "binary"}, "binary needs one output");
  expect_fit_refused({"--task", "reconstruction"}, "reconstruction needs as many outputs as inputs");
  expect_fit_refused({"--task", "regression"}, "regression needs as many numbers per sample as outputs (10)");
  expect_fit_refused({"--threshold", "half"}, "--threshold has 'half' where a number is needed");
  const std::string three = "npy:" + write("x.npy", npy("<f4", "4, 3, 32, 32", 4UL * 3 * 32 * 32 * 4)) + "," +
                            write("y.npy", npy("<f4", "4, 3", 4UL * 3 * 4));
  expect_fit_refused({"--data", three}, "the network makes 10, the data have 3 numbers per sample");
}

TEST_F(FitErrors, LayersWithoutIntegerForm) {
  Chain softmax({3, 32, 32});
  softmax.conv("conv", 8, 4).flatten().linear("a", 16).add("attention", Softmax{true}).linear("b", 10);
  expect_fit_of_refused(write("softmax.onnx", softmax), {}, "'attention' (Softmax)");
}

TEST_F(FitErrors, NetworksThatAreNone) {
  expect_fit_of_refused(path("absent.onnx"), {}, "absent.onnx does not exist");
  expect_fit_of_refused(write("empty.onnx", ""), {}, "empty.onnx");
}

TEST_F(FitErrors, DamagedPrograms) {
#ifdef TRIMTAB_COMMAND
  ASSERT_EQ(fit({"--target", "host"}).exit_code, 0);
  const std::string program = out() + "/program.bin";
  const std::string good = read_text(program);
  const auto refuse = [&](const std::string& bytes, const std::string& words) {
    write_file(program, bytes);
    expect_refused({"inspect", out()}, words);
    expect_refused({"eval", out(), "--data", "synthetic:shapes:64"}, words);
  };
  std::string flipped = good;
  flipped[good.size() / 2] = static_cast<char>(flipped[good.size() / 2] ^ 1);
  refuse(flipped, program);
  refuse(good.substr(0, good.size() / 2), program);
  refuse("", program);
  fs::remove(program);
  expect_refused({"inspect", out()}, "program.bin does not exist");
  expect_refused({"eval", out(), "--data", "synthetic:shapes:64"}, "program.bin does not exist");
#endif
}

}  // namespace
}  // namespace trimtab
