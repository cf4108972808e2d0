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

#include "base/file.h"
#include "base/process.h"
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

TEST_P(Packages, ArduinoCompilesAllOfSrc) {
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
  std::vector<fs::path> objects;
  for (const fs::directory_entry& entry : fs::directory_iterator(library / "src")) {
    if (entry.path().extension() == ".cpp") objects.push_back(entry.path());
  }
  ASSERT_EQ(objects.size(), 2U);
  for (fs::path& object : objects) object = compile_file(object, library / "src", flags);
  handed_.expect_image("arduino", objects, false);
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
  handed_.expect_image("zephyr", {handed_.path("build") / "net" / "libnet.a"}, false);
}

TEST_P(Packages, CmsisPackNamesItsFiles) {
  const fs::path pack = handed_.package("cmsis-pack");
  const fs::path description = pack / "Trimtab.net.pdsc";
  execute({"xmllint", "--noout", description.string()});
  const std::string text = read_text(description);
  for (const std::string element : {"vendor", "name", "description", "url", "license", "releases", "components"})
    EXPECT_NE(text.find("<" + element + ">"), std::string::npos) << element;
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
  EXPECT_NE(read_text(device / "net.h").find(fmt::format("#define NET_STACK_BYTES {}\n", handed.measured.stack_bytes)),
            std::string::npos);
}

}  // namespace
}  // namespace trimtab
