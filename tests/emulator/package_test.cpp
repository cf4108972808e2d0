// The packages for ecosystems, each compiled as its ecosystem compiles a library: its include paths, its language, its
// options before or after the package's own. Where a package can set its options, the image is the measured one.

#include "emit/package/package.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "base/file.h"
#include "base/process.h"
#include "emit/package/layouts.h"
#include "handed_over.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  static const std::regex word("[^ ]+");
  for (std::sregex_iterator match(text.begin(), text.end(), word), end; match != end; ++match)
    words.push_back(match->str());
  return words;
}

/// Compiles one C++ file of a package.
fs::path compile_file(const fs::path& source, const fs::path& include, std::vector<std::string> flags) {
  const fs::path object = source.string() + ".o";
  flags.insert(flags.begin(), "arm-none-eabi-g++");
  flags.insert(flags.end(), {"-I" + include.string(), "-c", source.string(), "-o", object.string()});
  execute(flags);
  return object;
}

std::vector<std::string> joined(std::vector<std::string> first, const std::vector<std::string>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

class Packages : public testing::TestWithParam<std::tuple<std::string, Optimize>> {
 protected:
  Packages() : handed_(std::get<0>(GetParam()), std::get<1>(GetParam())) {}
  HandedOver handed_;
};

/// The archive that Arduino links for a board's options, and nothing where it compiles src/: `precompiled=full` of the
/// library specification, with the folder that arduino-cli derives from the options.
fs::path arduino_archive(const fs::path& library, const std::vector<std::string>& flags) {
  const auto value_of = [&](const std::string& option) {
    const auto found = std::ranges::find_if(flags, [&](const std::string& flag) { return flag.starts_with(option); });
    return found == flags.end() ? std::string() : found->substr(option.size());
  };
  fs::path folder = library / "src" / value_of("-mcpu=");
  std::string floating = value_of("-mfpu=");
  if (const std::string abi = value_of("-mfloat-abi="); !abi.empty()) floating += (floating.empty() ? "" : "-") + abi;
  if (!floating.empty()) folder /= floating;
  return fs::exists(folder) ? folder / "libnet.a" : fs::path();
}

TEST_P(Packages, ArduinoIsTheMeasuredImage) {
  const fs::path library = handed_.package("arduino");
  std::map<std::string, std::string> properties;
  static const std::regex property("([a-z]+)=(.*)");
  const std::string text = read_text(library / "library.properties");
  for (std::sregex_iterator match(text.begin(), text.end(), property), end; match != end; ++match)
    properties[(*match)[1]] = (*match)[2];
  for (const std::string field :
       {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"})
    EXPECT_FALSE(properties[field].empty()) << field;
  EXPECT_TRUE(std::regex_match(properties["version"], std::regex(R"([0-9]+\.[0-9]+\.[0-9]+)")));
  EXPECT_TRUE(fs::exists(library / "examples" / "net_selftest" / "net_selftest.ino"));
  // the options of a core with C++17
  const std::vector<std::string> flags =
      joined(handed_.core_flags(), {"-Os", "-w", "-std=gnu++17", "-ffunction-sections", "-fdata-sections",
                                    "-fno-threadsafe-statics", "-fno-rtti", "-fno-exceptions", "-fno-use-cxa-atexit",
                                    "-nostdlib", "--param", "max-inline-insns-single=500", "-DARDUINO=10819"});
  EXPECT_EQ(properties["precompiled"], "full");
  handed_.expect_image("arduino", {arduino_archive(library, flags)}, true);
  if (std::get<0>(GetParam()) != "stm32f412" || handed_.setting != Optimize::speed) return;

  // every ABI that a board may choose has an archive of its kind
  for (const std::string abi : {"-mfloat-abi=hard", "-mfloat-abi=softfp"}) {
    const fs::path archive = arduino_archive(library, {"-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", abi});
    const ProcessResult attributes = run_process({"arm-none-eabi-readelf", "-A", archive.string()}, "");
    EXPECT_EQ(attributes.output.find("Tag_ABI_VFP_args") != std::string::npos, abi == "-mfloat-abi=hard") << abi;
  }
  EXPECT_TRUE(fs::exists(arduino_archive(library, {"-mcpu=cortex-m4"})));
  // a core that the archives are not for compiles src/ with its own options: the same answers
  EXPECT_EQ(arduino_archive(library, {"-mcpu=cortex-m7"}), fs::path());
  std::vector<fs::path> objects;
  for (const fs::directory_entry& entry : fs::directory_iterator(library / "src")) {
    if (entry.path().extension() == ".cpp") objects.push_back(entry.path());
  }
  ASSERT_EQ(objects.size(), 2U);
  for (fs::path& object : objects) object = compile_file(object, library / "src", flags);
  handed_.expect_image("arduino_sources", objects, false);
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

TEST_P(Packages, PlatformioIsTheMeasuredImage) {
  const fs::path library = handed_.package("platformio");
  const nlohmann::json manifest = nlohmann::json::parse(read_text(library / "library.json"));
  EXPECT_TRUE(std::regex_match(manifest.at("name").get<std::string>(), std::regex("[a-z0-9]+(-[a-z0-9]+)*")));
  EXPECT_LE(manifest.at("description").get<std::string>().size(), 255U);
  EXPECT_TRUE(fs::exists(library / "src" / manifest.at("headers").get<std::string>()));
  for (const auto& example : manifest.at("examples")) {
    for (const auto& file : example.at("files"))
      EXPECT_TRUE(fs::exists(library / example.at("base").get<std::string>() / file.get<std::string>()));
  }
  // the project's options without those that the library takes away, then the library's own
  std::vector<std::string> flags = joined(handed_.core_flags(), {"-Os", "-std=gnu++14", "-Wall", "-g"});
  const auto unflags = manifest.at("build").at("unflags").get<std::vector<std::string>>();
  std::erase_if(flags, [&](const std::string& flag) { return std::ranges::find(unflags, flag) != unflags.end(); });
  flags = joined(flags, manifest.at("build").at("flags").get<std::vector<std::string>>());
  handed_.expect_image("platformio", {compile_file(library / "src" / "net.cpp", library / "src", flags)}, true);
}

/// Zephyr's functions, as far as a library needs them (cmake/modules/extensions.cmake).
constexpr std::string_view zephyr_project = R"(cmake_minimum_required(VERSION 3.20)
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
project(app CXX)
function(zephyr_library_named name)
  add_library(${name} STATIC)
  set(ZEPHYR_CURRENT_LIBRARY ${name} PARENT_SCOPE)
  target_compile_options(${name} PRIVATE {flags})
endfunction()
function(zephyr_library_sources)
  target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
function(zephyr_include_directories)
  include_directories(${ARGN})
  target_include_directories(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
set(CONFIG_TRIMTAB_NET y)
add_subdirectory({module}/zephyr net)
)";

TEST_P(Packages, ZephyrIsTheMeasuredImage) {
  const fs::path module = handed_.package("zephyr");
  const std::string description = read_text(module / "zephyr" / "module.yml");
  EXPECT_NE(description.find("cmake: zephyr\n"), std::string::npos);
  EXPECT_TRUE(fs::exists(module / "zephyr" / "Kconfig"));
  EXPECT_TRUE(fs::exists(module / "samples" / "selftest" / "prj.conf"));
  std::string project(zephyr_project);
  const auto replace = [&](const std::string& key, const std::string& value) {
    project.replace(project.find(key), key.size(), value);
  };
  replace("{flags}", fmt::format("{} -Os -g -fno-strict-aliasing -fno-common -ffreestanding -Wall -fno-pic",
                                 fmt::join(handed_.core_flags(), " ")));
  replace("{module}", module.string());
  make_directory(handed_.path("app"));
  write_file(handed_.path("app") / "CMakeLists.txt", project);
  execute({"cmake", "-S", handed_.path("app").string(), "-B", handed_.path("build").string()});
  execute({"cmake", "--build", handed_.path("build").string()});
  handed_.expect_image("zephyr", {handed_.path("build") / "net" / "libnet.a"}, true);
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

/// The longest name that --name takes.
TEST(CmsisPack, KeepsTheRulesForTheLongestName) {
  const TemporaryDirectory folder;
  DeviceFolder device{folder.path(), std::string(40, 'n'), "a", "t", "d", "0.2.0", {}, {"-O2"}, {}};
  for (const std::string file : {".h", ".cpp", "_selftest.cpp"}) write_file(folder.path() / (device.name + file), "");
  for (const std::string file : {"README.md", "LICENSE", "main.c"}) write_file(folder.path() / file, "");
  cmsis_package(device, folder.path() / "pack");
  expect_rules_of_the_schema(read_text(folder.path() / "pack" / ("Trimtab." + device.name + ".pdsc")));
}

TEST_P(Packages, CmsisPackNamesItsFiles) {
  const fs::path pack = handed_.package("cmsis-pack");
  const fs::path description = pack / "Trimtab.net.pdsc";
  execute({"xmllint", "--noout", description.string()});
  const std::string text = read_text(description);
  expect_rules_of_the_schema(text);
  static const std::regex file("<file category=\"([A-Za-z]+)\" name=\"([^\"]+)\"/>");
  std::vector<fs::path> objects;
  std::smatch options;
  ASSERT_TRUE(std::regex_search(text, options, std::regex("Compile net.cpp with ([^<]+)<")));
  fs::path include;
  for (std::sregex_iterator match(text.begin(), text.end(), file), end; match != end; ++match) {
    const fs::path path = pack / (*match)[2].str();
    EXPECT_TRUE(fs::exists(path)) << path;
    if ((*match)[1] == "include") include = path;
    if (path.filename() == "net.cpp") objects.push_back(path);
  }
  ASSERT_EQ(objects.size(), 1U);
  handed_.expect_image("cmsis_pack",
                       {compile_file(objects[0], include, joined(handed_.core_flags(), words_of(options[1])))}, true);
}

INSTANTIATE_TEST_SUITE_P(Targets, Packages,
                         testing::Combine(testing::Values("stm32f412", "rp2040", "cortex-m55"),
                                          testing::Values(Optimize::speed, Optimize::size)),
                         [](const auto& test) {
                           std::string name = std::get<0>(test.param);
                           std::erase(name, '-');
                           return name + (std::get<1>(test.param) == Optimize::speed ? "_speed" : "_size");
                         });

/// ESP-IDF's function, and a project of this machine's compiler: its chips are no Arm.
constexpr std::string_view esp_idf_project = R"(cmake_minimum_required(VERSION 3.16)
project(app C CXX)
set(COMPONENT_LIB __idf_net)
macro(idf_component_register)
  cmake_parse_arguments(component "" "" "SRCS;INCLUDE_DIRS" ${ARGN})
  list(TRANSFORM component_SRCS PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
  list(TRANSFORM component_INCLUDE_DIRS PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
  add_library(${COMPONENT_LIB} STATIC ${component_SRCS})
  target_include_directories(${COMPONENT_LIB} PUBLIC ${component_INCLUDE_DIRS})
  target_compile_options(${COMPONENT_LIB} PRIVATE -Og -ffunction-sections -fdata-sections -Wall -Werror=all)
endmacro()
add_subdirectory({component} net)
add_executable(app main.c {component}/examples/selftest/main/main.c)
target_link_libraries(app PRIVATE ${COMPONENT_LIB})
)";

TEST(EspIdfPackage, RunsItsSelfTest) {
  const HandedOver handed("stm32f412", Optimize::speed);
  const fs::path component = handed.package("esp-idf");
  EXPECT_NE(read_text(component / "idf_component.yml").find("version: \""), std::string::npos);
  std::string project(esp_idf_project);
  for (std::size_t at = project.find("{component}"); at != std::string::npos; at = project.find("{component}"))
    project.replace(at, std::string("{component}").size(), component.string());
  make_directory(handed.path("app"));
  write_file(handed.path("app") / "CMakeLists.txt", project);
  write_file(handed.path("app") / "main.c", "void app_main(void);\nint main(void) {\n  app_main();\n  return 0;\n}\n");
  execute({"cmake", "-S", handed.path("app").string(), "-B", handed.path("build").string()});
  execute({"cmake", "--build", handed.path("build").string()});
  const ProcessResult result = run_process({(handed.path("build") / "app").string()}, "");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.output, "bytes that differ: 0\n");
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
