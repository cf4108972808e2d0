#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "emit/package/layouts.h"
#include "emit/recipe.h"

// An ESP-IDF component: CMakeLists.txt with idf_component_register, idf_component.yml, examples/NAME as a project. The
// chips are no Arm: of kernels for Arm's cores they run the portable form.

namespace trimtab {

void esp_idf_package(const DeviceFolder& device, const std::filesystem::path& folder) {
  if (!std::ranges::all_of(device.headers, has_portable_form)) {
    throw bad_input(
        "{} holds vector instructions of {} and runs on no chip of ESP-IDF; make it for a target such as esp32c3",
        device.path.string(), device.target);
  }
  copy_sources(device, folder / "src");
  copy_papers(device, folder);
  const std::string& name = device.name;
  write_file(folder / "CMakeLists.txt",
             fmt::format("# SPDX-License-Identifier: Apache-2.0\nidf_component_register(SRCS \"src/{0}.cpp\" "
                         "\"src/{0}_selftest.cpp\" INCLUDE_DIRS \"src\")\n{1}",
                         name, cmake_options(device, "${COMPONENT_LIB}")));
  write_file(folder / "idf_component.yml",
             fmt::format("version: \"{}\"\ndescription: \"{}\"\nlicense: \"Apache-2.0\"\nexamples:\n  - path: "
                         "./examples/selftest\n",
                         device.version, device.sentence()));
  make_directory(folder / "examples" / "selftest" / "main");
  write_file(folder / "examples" / "selftest" / "CMakeLists.txt",
             fmt::format("cmake_minimum_required(VERSION 3.16)\nset(EXTRA_COMPONENT_DIRS "
                         "${{CMAKE_CURRENT_LIST_DIR}}/../..)\ninclude($ENV{{IDF_PATH}}/tools/cmake/"
                         "project.cmake)\nproject({}_selftest)\n",
                         name));
  write_file(folder / "examples" / "selftest" / "main" / "CMakeLists.txt",
             "idf_component_register(SRCS \"main.c\" INCLUDE_DIRS \".\")\n");
  write_file(folder / "examples" / "selftest" / "main" / "main.c",
             fmt::format("/* SPDX-License-Identifier: Apache-2.0 */\n#include <stdio.h>\n\n#include \"{0}.h\"\n\n"
                         "void app_main(void) {{\n  printf(\"bytes that differ: %d\\n\", {0}_selftest());\n}}\n",
                         name));
}

}  // namespace trimtab
