# How the parts of the project are built: one static library per folder of src/, one test program per folder of tests/unit.

add_library(trimtab_options INTERFACE)
target_compile_options(trimtab_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror)
# GCC 13 and 14 (Debian 13) see copies beyond the end of std::vector<bool> in libtorch's headers and of a span that ends behind its beginning,
# and a dangling reference wherever a function takes a temporary key and returns a reference into its other argument. All are wrong.
target_compile_options(trimtab_options INTERFACE
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,13>>:-Wno-error=array-bounds;-Wno-error=stringop-overflow;-Wno-dangling-reference>)
target_include_directories(trimtab_options INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/runtime)
target_compile_definitions(trimtab_options INTERFACE TRIMTAB_VERSION="${PROJECT_VERSION}")
if(TRIMTAB_SANITIZE)
  target_compile_options(trimtab_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(trimtab_options INTERFACE -fsanitize=address,undefined)
endif()
if(TRIMTAB_FUZZ)
  target_compile_options(trimtab_options INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(trimtab_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# With TRIMTAB_UNITY up to eight sources of a target are compiled as one, so that what they all include is parsed once; without it, each alone, with
# the largest headers precompiled. Names in anonymous namespaces are therefore distinct within a folder.
function(trimtab_share_headers target)
  if(TRIMTAB_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  elseif(ARGN)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

# trimtab_install_library(NAME [needs ...]) makes trimtab_NAME, with the headers of the calling folder, a part of the installation and of the package
# that find_package(trimtab COMPONENTS NAME) finds. It needs other parts of trimtab and packages of CMake: see PACKAGES below.
function(trimtab_install_library name)
  set_target_properties(trimtab_${name} PROPERTIES EXPORT_NAME ${name})
  if(NOT TRIMTAB_INSTALL)
    return()
  endif()
  install(TARGETS trimtab_${name} EXPORT trimtab ARCHIVE DESTINATION lib COMPONENT development)
  set_property(GLOBAL APPEND_STRING PROPERTY TRIMTAB_NEEDS "set(trimtab_needs_${name} ${ARGN})\n")
  file(GLOB headers CONFIGURE_DEPENDS *.h)
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR})
  install(FILES ${headers} DESTINATION include/trimtab/${folder} COMPONENT development)
endfunction()

# trimtab_library(NAME [INTERNAL] [DEPENDS trimtab libraries ...] [PUBLIC libraries ...] [PRIVATE libraries ...] [HEADERS headers ...]
#                 [PACKAGES packages ...])
# makes trimtab_NAME, also called trimtab::NAME, from every .cpp of the calling folder. HEADERS are worth precompiling. PACKAGES are what a program
# that links the library must find, such as ZLIB or MPI/C (with a component). An INTERNAL library is not installed.
function(trimtab_library name)
  cmake_parse_arguments(arg "INTERNAL" "" "DEPENDS;PUBLIC;PRIVATE;HEADERS;PACKAGES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  set(depends ${arg_DEPENDS})
  list(TRANSFORM depends PREPEND trimtab_)
  if(sources)
    add_library(trimtab_${name} STATIC ${sources})
    trimtab_share_headers(trimtab_${name} ${arg_HEADERS})
    set(interface PUBLIC)
    target_link_libraries(trimtab_${name} PRIVATE $<BUILD_INTERFACE:trimtab_options> ${arg_PRIVATE})
  else()  # only headers so far
    add_library(trimtab_${name} INTERFACE)
    set(interface INTERFACE)
  endif()
  add_library(trimtab::${name} ALIAS trimtab_${name})
  target_link_libraries(trimtab_${name} ${interface} ${depends} ${arg_PUBLIC})
  target_compile_features(trimtab_${name} ${interface} cxx_std_20)
  target_include_directories(trimtab_${name} ${interface} $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src> $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/runtime>
                                                          $<INSTALL_INTERFACE:include/trimtab>)
  if(NOT arg_INTERNAL)
    trimtab_install_library(${name} ${arg_DEPENDS} ${arg_PACKAGES})
  endif()
endfunction()

# For code that runs once and is mostly its libraries' templates: optimization, half of what compiling it takes, is left to the code that needs it.
function(trimtab_compile_quickly target)
  trimtab_share_headers(${target} ${ARGN})
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()

# trimtab_test(NAME [WHOLE] DEPENDS ...) makes the GoogleTest program NAME from every .cpp of the calling folder and registers its tests.
# The tests of a WHOLE program run in one process, since they share work of many seconds.
function(trimtab_test name)
  cmake_parse_arguments(arg "WHOLE" "" "DEPENDS;LIBRARIES" ${ARGN})
  foreach(part ${arg_DEPENDS})
    if(NOT TARGET trimtab_${part})  # not among TRIMTAB_PARTS
      return()
    endif()
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  add_executable(${name} ${sources})
  trimtab_compile_quickly(${name} <gtest/gtest.h> <gmock/gmock.h> <nlohmann/json.hpp>)
  list(TRANSFORM arg_DEPENDS PREPEND trimtab_)
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS} ${arg_LIBRARIES} trimtab_options GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE TRIMTAB_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)  # support/: builders, references and fakes that several share
  if(name MATCHES "^unit_")
    add_dependencies(unit_tests ${name})
  endif()
  if(arg_WHOLE)
    add_test(NAME ${name}.whole COMMAND ${name})
    set_tests_properties(${name}.whole PROPERTIES TIMEOUT 600)
    return()
  endif()
  gtest_discover_tests(${name} TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120 PROPERTIES TIMEOUT 600)
endfunction()
