#include "data/npy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "data/dataset.h"

namespace trimtab {
namespace {

std::vector<std::uint8_t> npy_bytes(int version, const std::string& header, const std::string& data) {
  std::string text = "\x93NUMPY";
  text += static_cast<char>(version);
  text += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) text += static_cast<char>(header.size() >> (8 * i) & 0xFFU);
  text += header + data;
  return {text.begin(), text.end()};
}

template <typename T>
std::string raw(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::string header(const std::string& type, const std::string& shape, const std::string& order = "False") {
  return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

// numpy.save(f, numpy.array([[1, 2, 3], [4, 5, 6]], dtype=numpy.float32)) writes exactly this.
TEST(Npy, ReadsAndWritesWhatNumpyWrites) {
  std::string expected = "\x93NUMPY";
  expected += std::string("\x01\x00\x76\x00", 4);
  std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  text.resize(117, ' ');
  expected += text + "\n" + raw<float>({1, 2, 3, 4, 5, 6});
  const NpyArray array = parse_npy(std::vector<std::uint8_t>(expected.begin(), expected.end()), "x");
  EXPECT_EQ(array.shape, (Shape{2, 3}));
  EXPECT_EQ(std::get<std::vector<float>>(array.data), (std::vector<float>{1, 2, 3, 4, 5, 6}));

  const TemporaryDirectory folder;
  write_npy(folder.path() / "x.npy", {2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  const std::vector<std::uint8_t> written = read_file(folder.path() / "x.npy");
  EXPECT_EQ(written.size() % 64, 24U) << "data begins on a multiple of 64";
  const NpyArray again = read_npy(folder.path() / "x.npy");
  EXPECT_EQ(again.shape, array.shape);
  EXPECT_EQ(again.data, array.data);
}

TEST(Npy, SeveralInputsComeFromSeveralFiles) {
  const TemporaryDirectory folder;
  const auto path = [&](const std::string& name) { return (folder.path() / name).string(); };
  write_npy(path("pixels.npy"), {2, 1, 2, 3}, std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  write_npy(path("more.npy"), {2, 2}, std::vector<float>{0.5F, 1.5F, 2.5F, 3.5F});
  write_npy(path("y.npy"), {2}, std::vector<std::int64_t>{1, 0});
  write_npy(path("three.npy"), {3, 2}, std::vector<float>(6));
  DataOptions options;
  options.shape = {8};
  options.parts = {{"image", {3, 1, 2}}, {"more", {2}}};  // the file has the channels last
  const std::string both = "npy:" + path("pixels.npy") + "," + path("more.npy");
  const Dataset data = load_dataset(both + "," + path("y.npy"), Split::test, options);
  EXPECT_FALSE(data.is_pixels());
  EXPECT_EQ(data.features.values(),
            (std::vector<float>{1, 4, 2, 5, 3, 6, 0.5F, 1.5F, 7, 10, 8, 11, 9, 12, 2.5F, 3.5F}));
  EXPECT_EQ(data.labels, (std::vector<std::int64_t>{1, 0}));
  EXPECT_TRUE(load_dataset(both, Split::test, options).labels.empty());
  for (const std::string& wrong :
       {"npy:" + path("pixels.npy"), "npy:" + path("pixels.npy") + "," + path("three.npy"),
        "npy:" + path("more.npy") + "," + path("pixels.npy"), std::string("synthetic:shapes")})
    EXPECT_THROW((void)load_dataset(wrong, Split::test, options), Error) << wrong;
}

TEST(Npy, ReadsEveryElementTypeAndBothVersions) {
  for (const int version : {1, 2}) {
    EXPECT_EQ(
        std::get<std::vector<std::uint8_t>>(parse_npy(npy_bytes(version, header("|u1", "(2,)"), "\x01\xff"), "x").data),
        (std::vector<std::uint8_t>{1, 255}));
    EXPECT_EQ(
        std::get<std::vector<std::int8_t>>(parse_npy(npy_bytes(version, header("|i1", "(2,)"), "\x01\xff"), "x").data),
        (std::vector<std::int8_t>{1, -1}));
    EXPECT_EQ(std::get<std::vector<std::int32_t>>(
                  parse_npy(npy_bytes(version, header("<i4", "(1,)"), raw<std::int32_t>({-7})), "x").data),
              (std::vector<std::int32_t>{-7}));
    EXPECT_EQ(std::get<std::vector<std::int64_t>>(
                  parse_npy(npy_bytes(version, header("<i8", "()"), raw<std::int64_t>({-7})), "x").data),
              (std::vector<std::int64_t>{-7}));
    EXPECT_EQ(std::get<std::vector<double>>(
                  parse_npy(npy_bytes(version, header("<f8", "(1, 1)"), raw<double>({0.5})), "x").data),
              (std::vector<double>{0.5}));
    EXPECT_EQ(std::get<std::vector<std::int8_t>>(
                  parse_npy(npy_bytes(version, header("|b1", "(2,)"), std::string("\x01\x00", 2)), "x").data),
              (std::vector<std::int8_t>{1, 0}));
    EXPECT_EQ(std::get<std::vector<std::int32_t>>(
                  parse_npy(npy_bytes(version, header("<i2", "(1,)"), raw<std::int16_t>({-300})), "x").data),
              (std::vector<std::int32_t>{-300}));
    EXPECT_EQ(std::get<std::vector<std::int32_t>>(
                  parse_npy(npy_bytes(version, header("<u2", "(1,)"), raw<std::uint16_t>({65000})), "x").data),
              (std::vector<std::int32_t>{65000}));
    EXPECT_EQ(std::get<std::vector<std::int64_t>>(
                  parse_npy(npy_bytes(version, header("<u4", "(1,)"), raw<std::uint32_t>({4000000000U})), "x").data),
              (std::vector<std::int64_t>{4000000000}));
  }
}

/// Every half-precision number against the definition of IEEE 754 binary16: sign, exponent - 15, mantissa / 1024.
TEST(Npy, ReadsHalvesExactly) {
  std::vector<std::uint16_t> halves(65536);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  const NpyArray array = parse_npy(npy_bytes(1, header("<f2", "(65536,)"), raw(halves)), "x");
  const auto& floats = std::get<std::vector<float>>(array.data);
  ASSERT_EQ(floats.size(), halves.size());
  for (std::size_t i = 0; i < halves.size(); ++i) {
    const double sign = i >= 0x8000 ? -1 : 1;
    const auto exponent = static_cast<double>(i >> 10 & 0x1F);
    const double mantissa = static_cast<double>(i & 0x3FF) / 1024;
    if (exponent == 31) {
      EXPECT_EQ(std::isnan(floats[i]), mantissa != 0) << i;
      if (mantissa == 0) {
        EXPECT_EQ(floats[i], sign * std::numeric_limits<float>::infinity()) << i;
      }
      continue;
    }
    const double expected =
        sign * (exponent == 0 ? std::pow(2.0, -14) * mantissa : std::pow(2.0, exponent - 15) * (1 + mantissa));
    EXPECT_EQ(static_cast<double>(floats[i]), expected) << i;
    EXPECT_EQ(std::signbit(floats[i]), i >= 0x8000) << i;
  }
}

TEST(Npy, RefusesHostileFiles) {
  const std::string four = raw<float>({1});
  const std::vector<std::vector<std::uint8_t>> hostile{
      {},
      {0x93, 'N', 'U', 'M', 'P', 'Y'},
      {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 0xFF, 0xFF},
      {0x93, 'N', 'U', 'M', 'P', 'Y', 2, 0, 0xFF, 0xFF, 0xFF, 0xFF},
      npy_bytes(3, header("<f4", "(1,)"), four),
      npy_bytes(1, header(">f4", "(1,)"), four),
      npy_bytes(1, header("|O", "(1,)"), four),
      npy_bytes(1, header("<f4", "(1,)", "True"), four),
      npy_bytes(1, header("<f4", "(1,)", "Maybe"), four),
      npy_bytes(1, header("<f4", "(2,)"), four),
      npy_bytes(1, header("<f4", "(1,)"), four + four),
      npy_bytes(1, header("<f4", "(-1,)"), four),
      npy_bytes(1, header("<f4", "(1"), four),
      npy_bytes(1, header("<f4", "(1, x)"), four),
      npy_bytes(1, header("<f4", "(9223372036854775807, 9223372036854775807)"), four),
      npy_bytes(1, header("<f4", "(4611686018427387904, 4, 1)"), four),
      npy_bytes(1, header("<f4", "(4611686018427387904, 4611686018427387904, 0)"), ""),
      npy_bytes(1, header("<f4", "(99999999999999999999,)"), four),
      npy_bytes(1, header("<f4", "(1, 1, 1, 1, 1, 1, 1, 1, 1)"), four),
      npy_bytes(1, "{}", four),
      npy_bytes(1, "", four),
      npy_bytes(1, "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", four),
      npy_bytes(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} + x", four),
      npy_bytes(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 'x'}", four),
      npy_bytes(1, "{'descr", four),
  };
  for (std::size_t i = 0; i < hostile.size(); ++i) {
    try {
      (void)parse_npy(hostile[i], "hostile.npy");
      ADD_FAILURE() << "file " << i << " was read";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      EXPECT_NE(std::string(error.what()).find("hostile.npy"), std::string::npos);
    }
  }
}

TEST(Npy, EveryCutOfAFileIsRefused) {
  const std::vector<std::uint8_t> whole = npy_bytes(1, header("<f4", "(2, 2)"), raw<float>({1, 2, 3, 4}));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THROW((void)parse_npy(std::span(whole).first(length), "x"), Error) << length;
  }
}

class NpyPair : public testing::Test {
 protected:
  Dataset load(const DataOptions& options = {}) const {
    return load_dataset("npy:" + (folder_.path() / "x.npy").string() + "," + (folder_.path() / "y.npy").string(),
                        Split::test, options);
  }
  void write(const Shape& shape, const std::vector<float>& x) const { write_npy(folder_.path() / "x.npy", shape, x); }
  void write_labels(const std::vector<std::int64_t>& y) const {
    write_npy(folder_.path() / "y.npy", {static_cast<std::int64_t>(y.size())}, y);
  }
  std::string message(const DataOptions& options = {}) const {
    try {
      (void)load(options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      return error.what();
    }
    return "nothing thrown";
  }
  TemporaryDirectory folder_;
};

TEST_F(NpyPair, GivesFeaturesOfAllRanks) {
  write_labels({0, 2});
  write({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(load().shape, (Shape{4}));
  write({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(load().shape, (Shape{1, 2, 2}));
  write({2, 4, 1, 1}, {1, 2, 3, 4, 5, 6, 7, 8});
  const Dataset data = load();
  EXPECT_EQ(data.shape, (Shape{4, 1, 1}));
  EXPECT_FALSE(data.is_pixels());
  EXPECT_EQ(data.labels, (std::vector<std::int64_t>{0, 2}));
  EXPECT_EQ(data.classes, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(load({.shape = {4}}).shape, (Shape{4})) << "the network's shape, where it differs by ones only";
  EXPECT_NE(message({.shape = {2, 2}}).find("4x1x1"), std::string::npos);
}

TEST_F(NpyPair, GivesPixelsOfUint8) {
  write_labels({1, 0});
  write_npy(folder_.path() / "x.npy", {2, 1, 1, 2}, std::vector<std::uint8_t>{0, 128, 255, 1});
  const Dataset data = load();
  EXPECT_TRUE(data.is_pixels());
  std::vector<float> sample(2);
  data.read(1, {{128}, {2}}, sample);
  EXPECT_EQ(sample, (std::vector<float>{63.5F, -63.5F}));
}

TEST_F(NpyPair, TakesClassNamesFromBeside) {
  write_labels({1, 0});
  write({2, 1}, {1, 2});
  write_file(folder_.path() / "classes.txt", std::string_view("yes\r\nno\nmaybe\n"));
  EXPECT_EQ(load().classes, (std::vector<std::string>{"yes", "no", "maybe"}));
}

TEST_F(NpyPair, RefusesWhatDoesNotFitTogether) {
  write_labels({0});
  write({2, 1}, {1, 2});
  EXPECT_NE(message().find("1 labels; there are 2 samples"), std::string::npos) << message();
  write_labels({0, -1});
  EXPECT_NE(message().find("sample 1 has the label -1"), std::string::npos) << message();
  write_labels({0, 1LL << 40});
  EXPECT_NE(message().find("label 1099511627776"), std::string::npos) << message();
  write_labels({0, 1});
  write({2, 1}, {1, std::numeric_limits<float>::quiet_NaN()});
  EXPECT_NE(message().find("sample 1 holds a number that is not finite"), std::string::npos) << message();
  write({0, 4}, {});
  EXPECT_NE(message().find("no samples"), std::string::npos) << message();
  write({2}, {1, 2});
  EXPECT_NE(message().find("1 dimensions"), std::string::npos) << message();
  write({2, 1}, {1, 2});
  write_npy(folder_.path() / "y.npy", {2}, std::vector<float>{0, std::numeric_limits<float>::infinity()});
  EXPECT_NE(message().find("sample 1 holds a number that is not finite"), std::string::npos) << message();
  write_npy(folder_.path() / "y.npy", {2, 0}, std::vector<float>{});
  EXPECT_NE(message().find("holds no labels"), std::string::npos) << message();
  EXPECT_THROW((void)load_dataset("npy:x.npy,,y.npy", Split::test, {}), Error);
  EXPECT_THROW((void)load_dataset("npy:a,b,c,d", Split::test, {}), Error);
}

TEST_F(NpyPair, NeedsNoLabels) {
  write({2, 3}, {1, 2, 3, 4, 5, 6});
  const Dataset data = load_dataset("npy:" + (folder_.path() / "x.npy").string(), Split::test, {});
  EXPECT_EQ(data.size(), 2);
  EXPECT_FALSE(data.has_answers());
}

TEST_F(NpyPair, GivesNumbersToRegress) {
  write({2, 1}, {1, 2});
  write_npy(folder_.path() / "y.npy", {2}, std::vector<float>{0.5F, -1});
  const Dataset one = load();
  EXPECT_EQ(one.targets.values(), (std::vector<float>{0.5F, -1}));
  EXPECT_EQ(one.target_shape, (Shape{1}));
  EXPECT_TRUE(one.labels.empty());
  write_npy(folder_.path() / "y.npy", {2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  const Dataset three = load();
  EXPECT_EQ(three.target_shape, (Shape{3}));
  EXPECT_EQ(three.targets[1][2], 6);
  EXPECT_TRUE(three.labels.empty());
}

TEST_F(NpyPair, ReadsClassesInEveryForm) {
  write({3, 1}, {1, 2, 3});
  write_npy(folder_.path() / "y.npy", {3, 1}, std::vector<float>{2, 0, 1});
  EXPECT_EQ(load().labels, (std::vector<std::int64_t>{2, 0, 1})) << "floats that are whole numbers";
  EXPECT_EQ(load().targets.values(), (std::vector<float>{2, 0, 1})) << "or numbers to regress";
  write_npy(folder_.path() / "y.npy", {3, 3}, std::vector<float>{0, 0, 1, 1, 0, 0, 0, 1, 0});
  EXPECT_EQ(load().labels, (std::vector<std::int64_t>{2, 0, 1})) << "one-hot";
  EXPECT_EQ(load().classes.size(), 3U);
  write_npy(folder_.path() / "y.npy", {3, 3}, std::vector<std::int64_t>{0, 0, 1, 1, 0, 0, 0, 1, 0});
  EXPECT_EQ(load().labels, (std::vector<std::int64_t>{2, 0, 1})) << "one-hot integers";
  write_npy(folder_.path() / "y.npy", {3, 3}, std::vector<float>{0, 0, 1, 1, 0, 0, 1, 1, 0});
  EXPECT_TRUE(load().labels.empty()) << "two classes at once are no class";
}

TEST_F(NpyPair, GivesAClassForEveryPixel) {
  write({2, 1, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  write_npy(folder_.path() / "y.npy", {2, 2, 2}, std::vector<std::int64_t>{0, 1, 2, 255, 0, 0, -1, 1});
  const Dataset data = load();
  EXPECT_EQ(data.class_maps.values(), (std::vector<std::int32_t>{0, 1, 2, -1, 0, 0, -1, 1}));
  EXPECT_EQ(data.target_shape, (Shape{2, 2}));
  EXPECT_EQ(data.classes.size(), 3U);
  write_npy(folder_.path() / "y.npy", {2, 1, 2, 2}, std::vector<std::int64_t>{0, 1, 2, -5, 0, 0, 0, 1});
  EXPECT_NE(message().find("has the class -5"), std::string::npos) << message();
}

TEST_F(NpyPair, TakesTheRecordingsOfItsSamples) {
  write({2, 1}, {1, 2});
  write_labels({0, 1});
  write_npy(folder_.path() / "g.npy", {2}, std::vector<std::int64_t>{4, 4});
  const auto with_groups = [&] {
    std::string description = "npy:";
    for (const char* name : {"x.npy", "y.npy", "g.npy"})
      description += (description == "npy:" ? "" : ",") + (folder_.path() / name).string();
    return load_dataset(description, Split::test, {});
  };
  EXPECT_EQ(with_groups().groups, (std::vector<std::int64_t>{4, 4}));
  write_npy(folder_.path() / "g.npy", {3}, std::vector<std::int64_t>{4, 4, 4});
  EXPECT_THROW((void)with_groups(), Error);
}

TEST_F(NpyPair, PutsChannelsFirstWhereTheyAreLast) {
  write({1, 2, 3, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23});
  write_labels({0});
  const Dataset data = load({.shape = {4, 2, 3}});
  EXPECT_EQ(data.shape, (Shape{4, 2, 3}));
  EXPECT_EQ(data.features.values(),
            (std::vector<float>{0, 4, 8, 12, 16, 20, 1, 5, 9, 13, 17, 21, 2, 6, 10, 14, 18, 22, 3, 7, 11, 15, 19, 23}));
}

}  // namespace
}  // namespace trimtab
