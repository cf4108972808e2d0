#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/input_file.h"
#include "base/json_text.h"
#include "base/process.h"
#include "base/random.h"
#include "base/sha256.h"
#include "base/units.h"

namespace trimtab {
namespace {

TEST(Units, ParsesBytes) {
  EXPECT_EQ(parse_bytes("64KB", "--flash"), 65536);
  EXPECT_EQ(parse_bytes("1.5 MB", "--flash"), 1572864);
  EXPECT_EQ(parse_bytes("100", "--flash"), 100);
  for (const char* wrong : {"", "KB", "-1KB", "12parsecs", "nan", "1e30"}) {
    EXPECT_THROW((void)parse_bytes(wrong, "--flash"), Error) << wrong;
  }
}

TEST(Units, ParsesFrequencies) {
  EXPECT_DOUBLE_EQ(parse_frequency("1.8GHz", "f"), 1.8e9);
  EXPECT_DOUBLE_EQ(parse_frequency("600 MHz", "f"), 600e6);
  EXPECT_THROW((void)parse_frequency("fast", "f"), Error);
}

TEST(Units, Formats) {
  EXPECT_EQ(format_bytes(512), "512 B");
  EXPECT_EQ(format_bytes(1536), "1.5 KB");
  EXPECT_EQ(format_duration(185), "3 min 05 s");
  EXPECT_EQ(format_count(12345678), "12,345,678");
  EXPECT_EQ(format_count(-999), "-999");
}

TEST(File, WritesWholeFilesOnly) {
  const TemporaryDirectory folder;
  const auto path = folder.path() / "file";
  write_file(path, std::string_view("first"));
  write_file(path, std::string_view("second"));
  EXPECT_EQ(read_text(path), "second");
  EXPECT_THROW(write_file(folder.path() / "absent" / "file", std::string_view("x")), Error);
  EXPECT_THROW((void)read_text(folder.path()), Error);
  EXPECT_THROW((void)read_file(path, 3), Error);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1)
      << "a temporary file was left behind";
}

TEST(File, OnlyRegularFilesAreRead) {
  const TemporaryDirectory folder;
  const auto complaint = [](const std::filesystem::path& path) {
    try {
      (void)read_file(path);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      return std::string(error.what());
    }
    return std::string("none");
  };
  const std::filesystem::path pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(complaint(pipe), pipe.string() + " is a pipe; a file is needed");
  std::filesystem::create_symlink(pipe, folder.path() / "link");
  EXPECT_EQ(complaint(folder.path() / "link"), (folder.path() / "link").string() + " is a pipe; a file is needed");
  EXPECT_EQ(complaint("/dev/zero"), "/dev/zero is a device; a file is needed");
  EXPECT_EQ(complaint(folder.path()), folder.path().string() + " is a folder; a file is needed");
  EXPECT_EQ(complaint(folder.path() / "absent"), (folder.path() / "absent").string() + " does not exist");
  EXPECT_NE(read_text("/proc/self/status"), "") << "a file that the kernel makes as it is read";
}

TEST(File, IsReadFromAPlaceOn) {
  const TemporaryDirectory folder;
  write_file(folder.path() / "file", std::string_view("0123456789"));
  const InputFile file(folder.path() / "file");
  std::vector<std::uint8_t> bytes(4);
  EXPECT_EQ(file.size(), 10);
  EXPECT_EQ(file.read(3, bytes), 4U);
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "3456");
  EXPECT_EQ(file.read(8, bytes), 2U) << "the file ends";
}

// U+FFFD, as the Unicode standard recommends for what is no UTF-8.
TEST(Json, TextsThatAreNoUtf8AreWritten) {
  EXPECT_EQ(json_text(nlohmann::json{{"name", "a\xff"}}), "{\"name\":\"a\xef\xbf\xbd\"}");
}

TEST(Process, ReturnsOutputAndExitCode) {
  const ProcessResult result = run_process({"sh", "-c", "echo out; echo err >&2; exit 3"}, "");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
}

TEST(Process, KillsWhatRunsTooLong) {
  EXPECT_TRUE(run_process({"sleep", "60"}, "", std::chrono::milliseconds(50)).timed_out);
}

TEST(Process, NamesAMissingProgram) {
  try {
    (void)run_process({"no-such-program"}, "install it");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_NE(std::string(error.what()).find("no-such-program"), std::string::npos);
  }
}

// First outputs of splitmix64 with seed 1234567, from the reference implementation's published test vector.
TEST(Random, IsSplitmix64) {
  Random random(1234567);
  EXPECT_EQ(random.bits(), 6457827717110365317U);
  EXPECT_EQ(random.bits(), 3203168211198807973U);
}

TEST(Random, NormalHasUnitVariance) {
  Random random(1);
  double sum = 0;
  double squares = 0;
  constexpr int count = 100000;
  for (int i = 0; i < count; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / count, 0, 0.02);
  EXPECT_NEAR(squares / count, 1, 0.02);
}

TEST(Sha256, IsTheStandards) {
  // the examples of FIPS 180-4, and a million letters (NIST's long vector)
  const auto hash = [](const std::string& text) { return sha256(std::vector<std::uint8_t>(text.begin(), text.end())); };
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hash(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace trimtab
