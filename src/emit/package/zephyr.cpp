#include <fmt/format.h>

#include "base/file.h"
#include "emit/c_text.h"
#include "emit/package/layouts.h"

// A Zephyr module: zephyr/module.yml names the folder of CMakeLists.txt and Kconfig; the library is built where the
// application sets CONFIG_TRIMTAB_NAME. Modules and libraries share their names with Zephyr's own, such as "kernel", so
// that theirs begin with trimtab_. An application finds the module through ZEPHYR_EXTRA_MODULES.

namespace trimtab {

void zephyr_package(const DeviceFolder& device, const std::filesystem::path& folder) {
  copy_sources(device, folder / "src");
  copy_papers(device, folder);
  const std::string& name = device.name;
  const std::string option = "TRIMTAB_" + upper(name);
  make_directory(folder / "zephyr");
  write_file(folder / "zephyr" / "module.yml",
             fmt::format("name: trimtab_{}\nbuild:\n  cmake: zephyr\n  kconfig: zephyr/Kconfig\n", name));
  write_file(folder / "zephyr" / "Kconfig",
             fmt::format("# SPDX-License-Identifier: Apache-2.0\nconfig {0}\n\tbool \"{1}\"\n\tdepends on "
                         "CPP\n\thelp\n\t  {2}.\n",
                         option, name, device.sentence()));
  write_file(folder / "zephyr" / "CMakeLists.txt",
             fmt::format("# SPDX-License-Identifier: Apache-2.0\nif(CONFIG_{0})\n"
                         "  zephyr_library_named(trimtab_{1})\n"
                         "  zephyr_library_sources(${{CMAKE_CURRENT_LIST_DIR}}/../src/{1}.cpp "
                         "${{CMAKE_CURRENT_LIST_DIR}}/../src/{1}_selftest.cpp)\n"
                         "  zephyr_include_directories(${{CMAKE_CURRENT_LIST_DIR}}/../src)\n  {2}endif()\n",
                         option, name, cmake_options(device, "trimtab_" + name)));
  make_directory(folder / "samples" / "selftest" / "src");
  write_file(folder / "samples" / "selftest" / "CMakeLists.txt",
             fmt::format("# SPDX-License-Identifier: Apache-2.0\ncmake_minimum_required(VERSION 3.20)\n"
                         "list(APPEND ZEPHYR_EXTRA_MODULES ${{CMAKE_CURRENT_SOURCE_DIR}}/../..)\n"
                         "find_package(Zephyr REQUIRED HINTS $ENV{{ZEPHYR_BASE}})\nproject({}_selftest)\n"
                         "target_sources(app PRIVATE src/main.c)\n",
                         name));
  write_file(folder / "samples" / "selftest" / "prj.conf",
             fmt::format("CONFIG_CPP=y\nCONFIG_STD_CPP17=y\nCONFIG_{}=y\n", option));
  write_file(folder / "samples" / "selftest" / "src" / "main.c", read_text(device.path / "main.c"));
}

}  // namespace trimtab
