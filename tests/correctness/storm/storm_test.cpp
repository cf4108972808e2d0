// Whatever a file from outside holds, the built command ends with success or with one sentence and an exit code of 1 to
// 3: no crash, no trace, no hang, and nothing that commands a terminal. Files are mutated with a fixed seed.
// TRIMTAB_STORM=N runs N mutants of every reader (scripts/mutation-storm), TRIMTAB_STORM_SEED=S others.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/process.h"
#include "base/sha256.h"
#include "data/npy.h"
#include "import/onnx.h"
#include "mutation.h"
#include "picture_seed.h"
#include "program/program_file.h"
#include "study/study.h"
#include "support/onnx_builder.h"
#include "support/random_graph.h"
#include "support/random_program.h"
#include "support/tflite_builder.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

int number_from(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::atoi(text) : otherwise;
}

std::vector<std::uint8_t> to_bytes(std::string_view text) { return {text.begin(), text.end()}; }

class Storm : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path path(const std::string& name) const { return folder_.path() / name; }
  [[nodiscard]] std::string name_of(const std::string& name) const { return path(name).string(); }
  static fs::path source(const std::string& name) { return fs::path(TRIMTAB_SOURCE_DIR) / name; }

  /// Mutates the files, which are there, one at a time, and runs the commands. `share`: of the usual number of mutants,
  /// for commands that take long.
  void run(const std::vector<std::string>& files, const std::vector<Words>& commands, double share = 1) {
    Random random(static_cast<std::uint64_t>(number_from("TRIMTAB_STORM_SEED", 1)));
    Mutation mutate(random);
    std::map<std::string, std::vector<std::uint8_t>> whole;
    for (const std::string& file : files) whole[file] = read_file(path(file));
    for (const Words& command : commands) EXPECT_EQ(expect_good_end(command, "unchanged files"), 0);
    const int count = std::max(1, static_cast<int>(number_from("TRIMTAB_STORM", 12) * share));
    for (int mutant = 0; mutant < count; ++mutant) {
      const std::string& file = files[static_cast<std::size_t>(mutant) % files.size()];
      const std::vector<std::uint8_t> mutated = mutate(whole[file]);
      write_file(path(file), mutated);
      const Words& command = commands[static_cast<std::size_t>(random.integer(0, std::ssize(commands) - 1))];
      if (expect_good_end(command, file + ", mutant " + std::to_string(mutant)) != 0) ++refused_;
      if (HasFailure() && std::getenv("TRIMTAB_STORM_KEEP") != nullptr)
        write_file(fs::path(std::getenv("TRIMTAB_STORM_KEEP")) /
                       (std::to_string(mutant) + "-" + fs::path(file).filename().string()),
                   mutated);
      write_file(path(file), whole[file]);
    }
    mutants_ += count;
    RecordProperty("mutants", mutants_);
    RecordProperty("refused", refused_);
  }

  static int expect_good_end(Words command, const std::string& what) {
    command.insert(command.begin(), TRIMTAB_COMMAND);
    const ProcessResult result = run_process(command, "", std::chrono::minutes(2));
    EXPECT_FALSE(result.timed_out) << what;
    EXPECT_GE(result.exit_code, 0) << what;
    EXPECT_LE(result.exit_code, 3) << what << ": " << result.errors;
    EXPECT_EQ(result.errors.find("internal"), std::string::npos) << what << ": " << result.errors;
    EXPECT_EQ((result.output + result.errors).find('\x1b'), std::string::npos) << what;
    if (result.exit_code != 0) {
      EXPECT_EQ(std::count(result.errors.begin(), result.errors.end(), '\n'), 1) << what << ": " << result.errors;
      EXPECT_TRUE(result.errors.starts_with("trimtab: ")) << what << ": " << result.errors;
    }
    return result.exit_code;
  }

  TemporaryDirectory folder_;
  int mutants_ = 0;
  int refused_ = 0;
};

TEST_F(Storm, Onnx) {
  for (const int seed : {3, 5, 8}) {
    write_onnx(reference::random_graph(static_cast<std::uint64_t>(seed), 6), path("net.onnx"));
    run({"net.onnx"}, {{"inspect", name_of("net.onnx")}, {"inspect", name_of("net.onnx"), "--json"}});
  }
}

TEST_F(Storm, OnnxWithASideFile) {
  reference::OnnxBuilder onnx({1, 2, 4, 4});
  const auto y = onnx.node("Conv", {"input", onnx.floats("w", {3, 2, 2, 2}, {})});
  auto& weight = *onnx.model.mutable_graph()->mutable_initializer(0);
  for (const auto& [key, value] : {std::pair("location", "weights"), {"offset", "16"}, {"length", "96"}}) {
    auto& entry = *weight.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
  weight.set_data_location(onnx::TensorProto::EXTERNAL);
  write_file(path("net.onnx"), std::string_view(onnx.bytes(y)));
  write_file(path("weights"), std::vector<std::uint8_t>(112, 0x3c));
  run({"net.onnx", "weights"}, {{"inspect", name_of("net.onnx")}});
}

TEST_F(Storm, TensorFlowLite) {
  reference::TfliteBuilder file;
  const auto x = file.value({1, 8, 8, 2});
  const auto conv =
      file.node(tflite::Code::CONV_2D, {x, file.floats({4, 3, 3, 2}, std::vector<float>(72, 0.5F))}, {1, 4, 4, 4},
                tflite::Options::Convolution,
                tflite::CreateConvolution(file.fbb, tflite::Window::SAME, 2, 2, tflite::Activation::RELU6).Union());
  const auto pool = file.node(tflite::Code::AVERAGE_POOL_2D, {conv}, {1, 2, 2, 4}, tflite::Options::Pooling,
                              tflite::CreatePooling(file.fbb, tflite::Window::VALID, 2, 2, 2, 2).Union());
  const auto flat = file.node(tflite::Code::RESHAPE, {pool, file.integers({1, 16})}, {1, 16});
  write_file(path("net.tflite"), file.bytes({x}, {flat}));
  run({"net.tflite"}, {{"inspect", name_of("net.tflite")}});
}

TEST_F(Storm, Arrays) {
  write_npy(path("x.npy"), {4, 1, 2, 2}, std::vector<float>(16, 0.5F));
  write_npy(path("y.npy"), {4}, std::vector<std::int64_t>{0, 1, 2, 1});
  run({"x.npy", "y.npy"}, {{"data", "npy:" + name_of("x.npy") + "," + name_of("y.npy")}});
}

/// One stored member of a ZIP archive, as NumPy packs arrays.
std::vector<std::uint8_t> zip_of(const std::vector<std::pair<std::string, std::vector<std::uint8_t>>>& members) {
  std::vector<std::uint8_t> archive;
  std::vector<std::uint8_t> directory;
  const auto put = [](std::vector<std::uint8_t>& to, std::uint64_t number, int size) {
    for (int i = 0; i < size; ++i) to.push_back(static_cast<std::uint8_t>(number >> (8 * i)));
  };
  const auto crc = [](const std::vector<std::uint8_t>& data) {
    std::uint32_t sum = ~0U;
    for (const std::uint8_t byte : data) {
      sum ^= byte;
      for (int bit = 0; bit < 8; ++bit) sum = sum >> 1U ^ ((sum & 1U) != 0 ? 0xedb88320U : 0U);
    }
    return ~sum;
  };
  for (const auto& [name, data] : members) {
    const std::size_t offset = archive.size();
    for (auto* part : {&archive, &directory}) {
      const bool local = part == &archive;
      put(*part, local ? 0x04034b50 : 0x02014b50, 4);
      if (!local) put(*part, 20, 2);
      put(*part, 20, 2);
      put(*part, 0, 8);  // flags, method, time and date
      put(*part, crc(data), 4);
      put(*part, data.size(), 4);
      put(*part, data.size(), 4);
      put(*part, name.size(), 2);
      put(*part, 0, 2);
      if (!local) {
        put(*part, 0, 10);
        put(*part, offset, 4);
      }
      part->insert(part->end(), name.begin(), name.end());
    }
    archive.insert(archive.end(), data.begin(), data.end());
  }
  const std::size_t start = archive.size();
  archive.insert(archive.end(), directory.begin(), directory.end());
  put(archive, 0x06054b50, 4);
  put(archive, 0, 4);
  put(archive, members.size(), 2);
  put(archive, members.size(), 2);
  put(archive, directory.size(), 4);
  put(archive, start, 4);
  put(archive, 0, 2);
  return archive;
}

TEST_F(Storm, ArraysInAnArchive) {
  write_npy(path("x.npy"), {4, 1, 2, 2}, std::vector<float>(16, 0.5F));
  write_npy(path("y.npy"), {4}, std::vector<std::int64_t>{0, 1, 2, 1});
  write_file(path("data.npz"), zip_of({{"x.npy", read_file(path("x.npy"))}, {"y.npy", read_file(path("y.npy"))}}));
  run({"data.npz"}, {{"data", "npz:" + name_of("data.npz")}});
}

TEST_F(Storm, Pictures) {
  make_directory(path("pictures"));
  write_file(path("pictures/a.png"), picture_seed);
  write_file(path("pictures/b.png"), picture_seed);
  write_file(path("pictures/labels.txt"), std::string_view("a.png 0\nb.png 1\n"));
  write_file(path("pictures/classes.txt"), std::string_view("cat\ndog\n"));
  run({"pictures/a.png", "pictures/labels.txt", "pictures/classes.txt"},
      {{"data", "images:" + name_of("pictures"), "--shape", "3x4x4"}});
}

TEST_F(Storm, Cifar10) {
  std::vector<std::uint8_t> batch;
  for (int sample = 0; sample < 3; ++sample) {
    batch.push_back(static_cast<std::uint8_t>(sample));
    batch.insert(batch.end(), 3072, static_cast<std::uint8_t>(40 * sample));
  }
  write_file(path("batch.bin"), batch);
  run({"batch.bin"}, {{"data", "cifar10:" + name_of("batch.bin")}}, 0.5);
}

TEST_F(Storm, Programs) {
  for (const int seed : {2, 4, 6}) {
    save_program(RandomProgram::make(static_cast<std::uint64_t>(seed), 1 + seed / 2), path("program.bin"));
    run({"program.bin"}, {{"inspect", name_of("program.bin")}, {"inspect", name_of("program.bin"), "--draw-memory"}});
  }
}

TEST_F(Storm, Targets) {
  save_program(RandomProgram::make(2, 1), path("program.bin"));
  fs::copy(source("targets/stm32l4r5.toml"), path("target.toml"));
  run({"target.toml"}, {{"inspect", name_of("program.bin"), "--target", name_of("target.toml")}});
}

TEST_F(Storm, Boards) {
  fs::copy(source("targets/socs/exynos5422.toml"), path("soc.toml"));
  fs::copy(source("targets/socs/mobilenet_v1-exynos5422.csv"), path("variants.csv"));
  run({"soc.toml", "variants.csv"}, {{"sustain", "plan", name_of("soc.toml"), "--variants", name_of("variants.csv")},
                                     {"sustain", "simulate", name_of("soc.toml"), "--variants", name_of("variants.csv"),
                                      "--governors", "fixed", "--duration", "60"}});
}

TEST_F(Storm, Measurements) {
  write_file(path("latency.csv"), std::string_view("program,mhz,latency_s\na,600,0.3\na,1000,0.19\na,2000,0.11\n"));
  run({"latency.csv"}, {{"sustain", "identify", "--latency", name_of("latency.csv")}});
}

TEST_F(Storm, Taxonomies) {
  write_file(
      path("classes.toml"),
      std::string_view("levels = [\"shape\", \"kind\"]\nclasses = [[\"disc\", \"round\"], [\"square\", \"other\"]]\n"));
  write_file(path("classes.csv"), std::string_view("shape,kind\ndisc,round\nsquare,other\n"));
  run({"classes.toml"}, {{"taxonomy", name_of("classes.toml")}, {"taxonomy", name_of("classes.toml"), "--json"}});
  run({"classes.csv"}, {{"taxonomy", name_of("classes.csv")}});
}

TEST_F(Storm, Studies) {
  {
    Study study(path("out"), {{"command", "fit"}});
    study.put_note("cost", "flash_bytes");
    for (int bits = 2; bits < 9; ++bits) {
      const TrialSpec spec{{{"bits", bits}}, 1};
      study.add(spec, "bits");
      study.start(spec, "host:1");
      study.finish(
          spec, {{{"top1", 10.0 * bits}, {"flash_bytes", 1000 * bits}}, bits == 5 ? "no \x1b[31mroom" : "", false, 1.5},
          3);
    }
  }
  run({"out/study.sqlite"}, {{"study", name_of("out")}, {"study", name_of("out"), "--json", "--trials"}});
}

TEST_F(Storm, DeviceFolders) {
  const fs::path device = path("made") / "device";
  fs::create_directories(device / "trimtab");
  nlohmann::json files;
  for (const std::string name : {"net.h", "net.cpp", "net_selftest.cpp", "README.md", "LICENSE", "main.c"}) {
    write_file(device / name, std::string_view("abc"));
    files[name] = sha256(to_bytes("abc"));
  }
  write_file(device / "manifest.json", std::string_view(nlohmann::json{
                                           {"format", 1},
                                           {"name", "net"},
                                           {"network", "n"},
                                           {"trimtab", "0.2.0"},
                                           {"target", "t"},
                                           {"target_description", "d"},
                                           {"core_flags", nlohmann::json::array()},
                                           {"flags", {"-O2"}},
                                           {"files", files}}.dump()));
  run({"made/device/manifest.json"}, {{"package", name_of("made"), "--for", "platformio", "-o", name_of("package")}});
}

/// Commands that train or quantize, which take a second each.
TEST_F(Storm, PlansAndEnergies) {
  reference::OnnxBuilder onnx({1, 3, 32, 32});
  const auto mean = onnx.node("GlobalAveragePool", {"input"});
  const auto flat = onnx.node("Flatten", {mean});
  const auto y = onnx.node("Gemm", {flat, onnx.floats("w", {3, 10}, std::vector<float>(30, 0.5F))});
  write_file(path("net.onnx"), std::string_view(onnx.bytes(y)));
  const std::string layer = parse_onnx(read_file(path("net.onnx")), "net.onnx").nodes.back().name;
  write_file(path("plan.toml"),
             std::string_view("[[layer]]\nname = \"" + layer + "\"\nweight_bits = 4\nactivation_bits = 8\n"));
  write_file(path("own.toml"), std::string_view("mean = [0.5, 0.5, 0.5]\ndeviation = [0.2, 0.2, 0.2]\n"));
  run({"plan.toml", "own.toml"},
      {{"fit", name_of("net.onnx"), "--data", "synthetic:shapes:20", "--threads", "1", "--target", "host", "--plan",
        name_of("plan.toml"), "--preprocessing", name_of("own.toml"), "-o", name_of("fitted")}},
      0.25);
  fs::copy(source("targets/accelerators/bitblade.toml"), path("energy.toml"));
  run({"energy.toml"},
      {{"scale", name_of("net.onnx"), "--data", "synthetic:shapes:20", "--threads", "1", "--accelerator",
        name_of("energy.toml"), "--weight-precisions", "8", "--activation-precisions", "8", "--rounding", "nearest",
        "-o", name_of("scaled")}},
      0.25);
}

}  // namespace
}  // namespace trimtab
