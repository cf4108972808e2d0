# `cmake --install` and `cpack`. The tree under the prefix: bin/trimtab; lib/trimtab (modules and trimtab-learn); share/trimtab (data, found beside
# these at any prefix); include/trimtab, lib and lib/cmake/trimtab for programs that link the libraries; manual pages, completions, the service's unit.
include(CMakePackageConfigHelpers)

if(TARGET trimtab)  # else cli is not among TRIMTAB_PARTS
  install(TARGETS trimtab RUNTIME DESTINATION bin COMPONENT command)
endif()
foreach(part trimtab-learn trimtab_pictures trimtab_execution_profile trimtab_instruction_count)
  if(TARGET ${part})
    install(TARGETS ${part} RUNTIME DESTINATION lib/trimtab COMPONENT command LIBRARY DESTINATION lib/trimtab COMPONENT command)
  endif()
endforeach()

install(DIRECTORY targets hardware src/emit/firmware DESTINATION share/trimtab COMPONENT command PATTERN testbench EXCLUDE)
install(DIRECTORY runtime/trimtab DESTINATION share/trimtab/runtime COMPONENT command)
install(FILES LICENSE DESTINATION share/trimtab COMPONENT command)
install(FILES packaging/trimtab-govern.service DESTINATION lib/systemd/system COMPONENT command)

# Manual pages and completions are made by the built command from its own table of options.
if(TARGET trimtab)
  set(made ${CMAKE_CURRENT_BINARY_DIR}/share)
  add_custom_command(
    OUTPUT ${made}/trimtab.stamp
    COMMAND trimtab manual ${made}/man/man1
    COMMAND trimtab completion bash > ${made}/trimtab.bash
    COMMAND trimtab completion zsh > ${made}/_trimtab
    COMMAND ${CMAKE_COMMAND} -E touch ${made}/trimtab.stamp
    DEPENDS trimtab
    COMMENT "Making manual pages and completions" VERBATIM)
  add_custom_target(trimtab_manual ALL DEPENDS ${made}/trimtab.stamp)
  install(DIRECTORY ${made}/man DESTINATION share COMPONENT command)
  install(FILES ${made}/trimtab.bash DESTINATION share/bash-completion/completions RENAME trimtab COMPONENT command)
  install(FILES ${made}/_trimtab DESTINATION share/zsh/vendor-completions COMPONENT command)
endif()

# find_package(trimtab [COMPONENTS fit ...])
install(EXPORT trimtab NAMESPACE trimtab:: DESTINATION lib/cmake/trimtab FILE trimtabTargets.cmake COMPONENT development)
install(FILES cmake/package_prefix.cpp DESTINATION share/trimtab/cmake COMPONENT development)
get_property(needs GLOBAL PROPERTY TRIMTAB_NEEDS)
configure_package_config_file(cmake/trimtabConfig.cmake.in trimtabConfig.cmake INSTALL_DESTINATION lib/cmake/trimtab)
write_basic_package_version_file(trimtabConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/trimtabConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/trimtabConfigVersion.cmake DESTINATION lib/cmake/trimtab
        COMPONENT development)

# cpack makes trimtab and trimtab-dev, two packages for Debian. The libraries that the command needs are found by dpkg-shlibdeps.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "The authors of Trimtab <trimtab@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "fits trained ConvNets to edge devices")
set(CPACK_COMPONENTS_ALL command development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_COMMAND_PACKAGE_NAME trimtab)
set(CPACK_DEBIAN_COMMAND_PACKAGE_SHLIBDEPS ON)
# what `fit` for a microcontroller links, and emulates, with
set(CPACK_DEBIAN_COMMAND_PACKAGE_DEPENDS
    "gcc-arm-none-eabi, libnewlib-arm-none-eabi, libstdc++-arm-none-eabi-newlib, qemu-system-arm")
set(CPACK_DEBIAN_COMMAND_PACKAGE_RECOMMENDS "gnuplot-nox, libopenblas0, g++-aarch64-linux-gnu, g++-arm-linux-gnueabihf, qemu-user, gcc-riscv64-unknown-elf, picolibc-riscv64-unknown-elf, qemu-system-misc")
set(CPACK_DEBIAN_COMMAND_PACKAGE_SUGGESTS "yosys, verilator, wordnet-base, openmpi-bin")
set(CPACK_COMPONENT_COMMAND_DESCRIPTION "fits trained ConvNets to edge devices
 Turns a network (ONNX or TensorFlow Lite) into a verified program for a
 microcontroller, into operating points of an accelerator, or into a plan that
 a Cortex-A board sustains below its temperature limit.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME trimtab-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "trimtab (= ${PROJECT_VERSION}), libtorch-dev, libonnx-dev, libprotobuf-dev, zlib1g-dev, libtomlplusplus-dev, nlohmann-json3-dev, libfmt-dev, libeigen3-dev, libceres-dev, libglpk-dev, libpagmo-dev, libsqlite3-dev, libopenmpi-dev")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "headers and libraries of Trimtab
 For C++ programs that find Trimtab by CMake's find_package(trimtab).")
include(CPack)
