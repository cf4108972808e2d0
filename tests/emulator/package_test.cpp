// The packages' layouts and descriptions against what their ecosystems document, and the device folder that they are
// made of. forms_test.cpp compiles the packages.

#include "emit/package/package.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "base/file.h"
#include "base/process.h"
#include "emit/package/layouts.h"
#include "emulator/forms.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

/// A folder of a Cortex-M4's program that holds nothing: of its descriptions only the names count.
class Descriptions : public testing::Test {
  TemporaryDirectory folder_;

 protected:
  Descriptions() : Descriptions("net") {}
  explicit Descriptions(const std::string& name)
      : device{folder_.path() / "device", name, "a network", "stm32f412", "a core", "0.2.0", core_flags, {"-O2"}, {}} {
    make_directory(device.path);
    for (const std::string part : {".h", ".cpp", "_selftest.cpp"}) write_file(device.path / (name + part), "");
    for (const std::string file : {"README.md", "LICENSE", "main.c"}) write_file(device.path / file, "");
  }
  [[nodiscard]] fs::path package() const { return folder_.path() / "package"; }

  static inline const Flags core_flags{"-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"};
  DeviceFolder device;
};

TEST_F(Descriptions, OfArduinoHaveTheFieldsOfItsSpecification) {
  arduino_package(device, package());
  std::map<std::string, std::string> properties;
  static const std::regex property("([a-z]+)=(.*)");
  const std::string text = read_text(package() / "library.properties");
  for (std::sregex_iterator match(text.begin(), text.end(), property), end; match != end; ++match)
    properties[(*match)[1]] = (*match)[2];
  for (const std::string field :
       {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"})
    EXPECT_FALSE(properties[field].empty()) << field;
  EXPECT_TRUE(std::regex_match(properties["version"], std::regex(R"([0-9]+\.[0-9]+\.[0-9]+)")));
  EXPECT_EQ(properties["precompiled"], "full");
  EXPECT_TRUE(fs::exists(package() / "examples" / "net_selftest" / "net_selftest.ino"));
}

/// Every ABI that a board may choose has an archive of its kind. A core that the archives are not for has none.
TEST_F(Descriptions, OfArduinoHaveAnArchiveForEveryAbi) {
  write_file(device.path / "net.cpp", "float net(float x) { return x; }\n");
  arduino_package(device, package());
  for (const std::string abi : {"-mfloat-abi=hard", "-mfloat-abi=softfp"}) {
    const fs::path archive = arduino_archive(package(), {"-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", abi});
    const ProcessResult attributes = run_process({"arm-none-eabi-readelf", "-A", archive.string()}, "");
    EXPECT_EQ(attributes.output.find("Tag_ABI_VFP_args") != std::string::npos, abi == "-mfloat-abi=hard") << abi;
  }
  EXPECT_TRUE(fs::exists(arduino_archive(package(), {"-mcpu=cortex-m4"})));
  EXPECT_EQ(arduino_archive(package(), {"-mcpu=cortex-m7"}), fs::path());
}

TEST_F(Descriptions, OfPlatformioKeepItsRules) {
  platformio_package(device, package());
  const nlohmann::json manifest = nlohmann::json::parse(read_text(package() / "library.json"));
  EXPECT_TRUE(std::regex_match(manifest.at("name").get<std::string>(), std::regex("[a-z0-9]+(-[a-z0-9]+)*")));
  EXPECT_LE(manifest.at("description").get<std::string>().size(), 255U);
  EXPECT_TRUE(fs::exists(package() / "src" / manifest.at("headers").get<std::string>()));
  for (const auto& example : manifest.at("examples")) {
    for (const auto& file : example.at("files"))
      EXPECT_TRUE(fs::exists(package() / example.at("base").get<std::string>() / file.get<std::string>()));
  }
}

TEST_F(Descriptions, OfZephyrAreAModule) {
  zephyr_package(device, package());
  EXPECT_NE(read_text(package() / "zephyr" / "module.yml").find("cmake: zephyr\n"), std::string::npos);
  EXPECT_TRUE(fs::exists(package() / "zephyr" / "Kconfig"));
  EXPECT_TRUE(fs::exists(package() / "samples" / "selftest" / "prj.conf"));
}

TEST_F(Descriptions, OfEspIdfAreAComponent) {
  esp_idf_package(device, package());
  EXPECT_NE(read_text(package() / "idf_component.yml").find("version: \"0.2.0\"\n"), std::string::npos);
  for (const std::string file : {"CMakeLists.txt", "src/net.cpp", "examples/selftest/CMakeLists.txt",
                                 "examples/selftest/main/CMakeLists.txt", "examples/selftest/main/main.c"})
    EXPECT_TRUE(fs::exists(package() / file)) << file;
}

TEST(Platformio, PacksThePackage) {
  if (!has_program("pio")) GTEST_SKIP() << "PlatformIO is not installed";
  const HandedOver handed("stm32f412", Optimize::speed);
  const fs::path library = handed.package("platformio");
  const ProcessResult packed =
      run_process({"pio", "pkg", "pack", library.string(), "-o", handed.path("library.tar.gz").string()}, "");
  if (packed.errors.find("Could not load SPDX") != std::string::npos)
    GTEST_SKIP() << "PlatformIO fetches the list of licences, which this machine does not reach";
  ASSERT_EQ(packed.exit_code, 0) << packed.output << packed.errors;
  EXPECT_TRUE(fs::exists(handed.path("library.tar.gz")));
}

/// One element of a description: a tag with its attributes, or a tag's end ("/package").
struct Tag {
  std::string name;
  std::map<std::string, std::string> attributes;
  std::string text;  ///< behind it
};

std::vector<Tag> tags_of(const std::string& text) {
  std::vector<Tag> tags;
  static const std::regex tag("<([/A-Za-z]+)([^>]*)>([^<]*)");
  static const std::regex attribute("([A-Za-z:]+)=\"([^\"]*)\"");
  for (std::sregex_iterator match(text.begin(), text.end(), tag), end; match != end; ++match) {
    Tag one{(*match)[1], {}, (*match)[3]};
    const std::string rest = (*match)[2];
    for (std::sregex_iterator found(rest.begin(), rest.end(), attribute); found != end; ++found)
      one.attributes[(*found)[1]] = (*found)[2];
    tags.push_back(one);
  }
  return tags;
}

/// What the published schema of pack descriptions (PACK.xsd) asks of the elements that we write.
void expect_rules_of_the_schema(const std::string& text) {
  const std::vector<Tag> tags = tags_of(text);
  std::vector<std::string> open;
  std::map<std::string, std::vector<Tag>> children;  // by the path of the parent
  for (const Tag& tag : tags) {
    if (tag.name.starts_with("/")) {
      ASSERT_FALSE(open.empty());
      EXPECT_EQ("/" + open.back(), tag.name);
      open.pop_back();
      continue;
    }
    children[fmt::format("{}", fmt::join(open, "/"))].push_back(tag);
    if (tag.name != "file" && tag.name != "?xml") open.push_back(tag.name);
  }
  EXPECT_TRUE(open.empty());
  const auto only = [&](const std::string& parent, const std::string& name) {
    std::vector<Tag> found;
    std::ranges::copy_if(children[parent], std::back_inserter(found), [&](const Tag& tag) { return tag.name == name; });
    EXPECT_EQ(found.size(), 1U) << parent << "/" << name;
    return found.empty() ? Tag{} : found.front();
  };
  const auto matches = [](const std::string& value, const std::string& pattern) {
    return std::regex_match(value, std::regex(pattern));
  };
  const Tag package = only("", "package");
  EXPECT_TRUE(matches(package.attributes.at("schemaVersion"), R"([0-9]+\.[0-9]+(\.[0-9]+)?)"));
  // package is xs:all: every element once, in any order
  const std::set<std::string> known{"name",    "vendor",   "description", "url",
                                    "license", "releases", "keywords",    "components"};
  for (const Tag& tag : children["package"]) EXPECT_TRUE(known.contains(tag.name)) << tag.name;
  for (const std::string& name : known) (void)only("package", name);
  for (const std::string name : {"name", "vendor"})  // RestrictedString
    EXPECT_TRUE(matches(only("package", name).text, R"([\-_A-Za-z0-9]+)"));
  const std::string version = R"((0|[1-9][0-9]*)\.[0-9]+\.[0-9]+)";
  EXPECT_TRUE(matches(only("package/releases", "release").attributes.at("version"), version));
  const Tag component = only("package/components", "component");
  const std::string names = R"([A-Za-z0-9][A-Za-z0-9_+():/\- .]*)";
  for (const std::string name : {"Cclass", "Cgroup", "Csub"}) {
    EXPECT_TRUE(matches(component.attributes.at(name), names));
    EXPECT_LE(component.attributes.at(name).size(), 32U);
  }
  EXPECT_TRUE(matches(component.attributes.at("Cversion"), version));
  // a component is a sequence: its description comes before its files
  const std::vector<Tag>& parts = children["package/components/component"];
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].name, "description");
  EXPECT_EQ(parts[1].name, "files");
  const std::set<std::string> categories{"doc", "header", "include", "library", "source", "sourceC", "sourceCpp"};
  EXPECT_FALSE(children["package/components/component/files"].empty());
  for (const Tag& file : children["package/components/component/files"]) {
    EXPECT_EQ(file.name, "file");
    EXPECT_TRUE(categories.contains(file.attributes.at("category"))) << file.attributes.at("category");
    EXPECT_EQ(file.attributes.at("name").front() == '/', false);
    EXPECT_EQ(file.attributes.at("category") == "include", file.attributes.at("name").ends_with("/"));
  }
}

TEST_F(Descriptions, OfCmsisPacksKeepTheRulesOfTheSchema) {
  cmsis_package(device, package());
  const fs::path description = package() / "Trimtab.net.pdsc";
  execute({"xmllint", "--noout", description.string()});
  const std::string text = read_text(description);
  expect_rules_of_the_schema(text);
  static const std::regex file("<file category=\"([A-Za-z]+)\" name=\"([^\"]+)\"/>");
  for (std::sregex_iterator match(text.begin(), text.end(), file), end; match != end; ++match)
    EXPECT_TRUE(fs::exists(package() / (*match)[2].str())) << (*match)[2];
}

/// The longest name that --name takes.
class LongestName : public Descriptions {
 protected:
  LongestName() : Descriptions(std::string(40, 'n')) {}
};

TEST_F(LongestName, KeepsTheRulesOfTheSchema) {
  cmsis_package(device, package());
  expect_rules_of_the_schema(read_text(package() / ("Trimtab." + device.name + ".pdsc")));
}

/// A byte of a wrong answer is counted.
TEST(SelfTest, CountsTheBytesThatDiffer) {
  const HandedOver handed("stm32f412", Optimize::speed);
  const fs::path device = handed.out() / "device";
  std::string text = read_text(device / "net_selftest.cpp");
  const std::size_t number = text.find_first_of("0123456789", text.find("= {", text.find("outputs[")));
  ASSERT_NE(number, std::string::npos);
  const std::size_t end = text.find(',', number);
  const int value = std::stoi(text.substr(number, end - number));
  write_file(device / "net_selftest.cpp", text.replace(number, end - number, std::to_string(value ^ 1)));
  write_file(device / "test.c", "#include \"net.h\"\nint main(void) { return net_selftest(); }\n");
  const std::string include = "-I" + device.string();
  execute({"gcc", "-c", include, (device / "test.c").string(), "-o", (device / "test.o").string()});
  execute({"g++", "-std=c++17", "-O1", include, (device / "test.o").string(), (device / "net.cpp").string(),
           (device / "net_selftest.cpp").string(), "-o", (device / "test").string()});
  EXPECT_EQ(run_process({(device / "test").string()}, "").exit_code, 1);
}

TEST(HandedOverFolder, SaysWhatItIs) {
  const HandedOver handed("stm32f412", Optimize::size);
  const fs::path device = handed.out() / "device";
  const nlohmann::json manifest = nlohmann::json::parse(read_text(device / "manifest.json"));
  EXPECT_EQ(manifest.at("result").at("instructions"), handed.measured.instructions());
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(device)) {
    if (!entry.is_regular_file()) continue;
    const std::string path = fs::relative(entry.path(), device).generic_string();
    EXPECT_TRUE(path == "manifest.json" || manifest.at("files").contains(path)) << path;
    const std::string extension = entry.path().extension().string();
    const bool is_source =
        extension == ".h" || extension == ".cpp" || extension == ".c" || extension == ".mk" || extension == ".txt";
    if (!is_source) continue;
    EXPECT_NE(read_text(entry.path()).substr(0, 120).find("SPDX-License-Identifier: Apache-2.0"), std::string::npos)
        << path;
  }
  const std::string readme = read_text(device / "README.md");
  EXPECT_NE(readme.find(fmt::format("({} bytes)", handed.measured.flash_bytes())), std::string::npos);
  EXPECT_NE(readme.find("-Os"), std::string::npos);
  const auto compiler = manifest.at("compiler").get<std::string>();
  EXPECT_TRUE(compiler.starts_with("arm-none-eabi-g++ (")) << compiler;
  EXPECT_NE(readme.find(compiler), std::string::npos);
  EXPECT_NE(read_text(device / "net.h").find(fmt::format("#define NET_STACK_BYTES {}\n", handed.measured.stack_bytes)),
            std::string::npos);
}

}  // namespace
}  // namespace trimtab
